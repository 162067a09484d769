//! How what stands in the tables is written.
//!
//! | table | key | value |
//! |---|---|---|
//! | names | name | day on which it was seen last, place, address |
//! | addresses | address, place | name |
//! | seen | day on which it was seen last, name | |
//! | messages | name, 0, number | day on which it was posted, M |
//! | strays | day, name | |
//! | quotas | day, address | messages, bytes |
//!
//! Numbers have their highest byte first, so that their order is the order of the keys. Days are UTC, counted from the
//! beginning of 1970. Of two places or numbers the higher one was given later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::chapp::name::Name;
use crate::chapp::store::{StoreError, Table};

/// A day.
pub(super) type Day = u32;

/// An IPv4 address stands behind a 4, another one behind a 6.
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// A key, put together from its parts.
pub(super) fn key(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn address(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => key(&[&[IPV4], &address.octets()]),
        IpAddr::V6(address) => key(&[&[IPV6], &address.octets()]),
    }
}

/// Where the messages to this name are. No name has a byte below 32 in it.
pub(super) fn messages(name: &Name) -> Range<Vec<u8>> {
    key(&[name.as_bytes(), &[0]])..key(&[name.as_bytes(), &[1]])
}

/// Where the names of this address are.
pub(super) fn addresses(own: IpAddr) -> Range<Vec<u8>> {
    let first = address(own);
    let end = key(&[&first, &[u8::MAX; 9]]);
    first..end
}

/// The days before this one.
pub(super) fn before(day: Day) -> Range<[u8; 4]> {
    [0; 4]..day.to_be_bytes()
}

/// Reads a key or a value from the front.
pub(super) struct Entry<'a> {
    table: Table,
    rest: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(super) fn new(table: Table, bytes: &'a [u8]) -> Self {
        Self { table, rest: bytes }
    }

    pub(super) fn day(&mut self) -> Result<Day, StoreError> {
        self.array().map(Day::from_be_bytes)
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn address(mut self) -> Result<IpAddr, StoreError> {
        match self.array()? {
            [IPV4] => self.array().map(|octets| Ipv4Addr::from(octets).into()),
            [IPV6] => self.array().map(|octets| Ipv6Addr::from(octets).into()),
            _ => Err(self.senseless()),
        }
    }

    pub(super) fn name(self) -> Result<Name, StoreError> {
        Name::parse(self.rest).map_err(|_| self.senseless())
    }

    pub(super) fn skip(mut self, count: usize) -> Result<Self, StoreError> {
        self.rest = self.rest.get(count..).ok_or_else(|| self.senseless())?;
        Ok(self)
    }

    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], StoreError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.senseless())?;
        self.rest = rest;
        Ok(*array)
    }

    fn senseless(&self) -> StoreError {
        StoreError(format!("what stands in the table {} makes no sense", self.table.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_whole_and_mapped_ones_as_what_they_are() {
        let table = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::2", false),
            ("::1", "127.0.0.1", false),
            ("::192.0.2.1", "192.0.2.1", false),
        ];
        for (one, other, same) in table {
            let [one, other]: [IpAddr; 2] = [one, other].map(|text| text.parse().unwrap());
            assert_eq!(address(one) == address(other), same, "{one} {other}");
            assert_eq!(addresses(one) == addresses(other), same, "{one} {other}");
            let read = Entry::new(Table::Names, &address(other)).address();
            assert_eq!(read, Ok(other.to_canonical()));
        }
    }

    #[test]
    fn no_range_holds_what_is_anothers() {
        let names = ["a", "a ", "a!", "ab", "aé", "b", "A"].map(|name| Name::parse(name.trim_end()).unwrap());
        for name in &names {
            for other in &names {
                for number in [0, 1, u64::MAX] {
                    let key = key(&[other.as_bytes(), &[0], &number.to_be_bytes()]);
                    assert_eq!(messages(name).contains(&key), name == other, "{name:?} {other:?}");
                }
            }
        }
        let hosts = ["255.255.255.255", "0.0.0.0", "::", "ffff::ffff"].map(|text| text.parse().unwrap());
        for own in hosts {
            for other in hosts {
                let key = key(&[&address(other), &u64::MAX.to_be_bytes()]);
                assert_eq!(addresses(own).contains(&key), own == other, "{own} {other}");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_and_not_followed() {
        let told = |outcome: Result<(), StoreError>| outcome.unwrap_err().to_string();
        let entry = |bytes| Entry::new(Table::Seen, bytes);
        let expected = "what stands in the table seen makes no sense";
        assert_eq!(told(entry(&[0, 0, 1]).day().map(drop)), expected);
        assert_eq!(told(entry(&[0; 7]).number().map(drop)), expected);
        assert_eq!(told(entry(&[5, 1, 2, 3, 4]).address().map(drop)), expected);
        assert_eq!(told(entry(b"a->b").name().map(drop)), expected);
        assert_eq!(told(entry(b"abc").skip(4).map(drop)), expected);
    }
}
