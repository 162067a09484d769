//! The roll against stories, and against a model that keeps every reader's view by itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::*;

fn applicant(host: u8, port: u16) -> Applicant {
    let address = Ipv4Addr::new(10, 0, 0, host);
    let bytes = [&address.octets()[..], &port.to_be_bytes(), &vec![0; usize::from(port % 2) * 2]].concat();
    Applicant {
        door: "test",
        address: SocketAddr::from((address, port)),
        name: None,
        listing: Listing::new(&bytes),
        since: 0,
    }
}

fn told(roll: &Roll, member: Member, since: Sequence) -> (Vec<u8>, Vec<Vec<u8>>) {
    let difference = roll.since(since, member).unwrap();
    let hosts = difference.removed().map(|address| address.octets()[3]).collect();
    let mut added: Vec<_> = difference.added().map(<[u8]>::to_vec).collect();
    added.sort();
    (hosts, added)
}

fn listing(host: u8, port: u16) -> Vec<u8> {
    applicant(host, port).listing.unwrap().as_slice().to_vec()
}

#[test]
fn whoever_joined_and_left_in_between_appears_in_neither() {
    let mut roll = Roll::new(100);
    let reader = roll.join(applicant(1, 1));
    let since = roll.sequence();
    let guest = roll.join(applicant(2, 2));
    assert!(roll.leave(guest));
    assert_eq!(told(&roll, reader, since), (vec![], vec![]));
}

#[test]
fn whoever_left_and_came_back_is_removed_and_added() {
    let mut roll = Roll::new(100);
    let reader = roll.join(applicant(1, 1));
    let guest = roll.join(applicant(2, 2));
    let since = roll.sequence();
    roll.leave(guest);
    roll.join(applicant(2, 3));
    assert_eq!(told(&roll, reader, since), (vec![2], vec![listing(2, 3)]));
}

#[test]
fn a_shared_address_takes_all_along_and_adds_those_who_stay() {
    let mut roll = Roll::new(100);
    let reader = roll.join(applicant(7, 1));
    let goes = roll.join(applicant(7, 2));
    roll.join(applicant(7, 3));
    let goes_too = roll.join(applicant(7, 4));
    let since = roll.sequence();
    roll.leave(goes);
    roll.leave(goes_too);
    roll.join(applicant(7, 5));
    assert_eq!(told(&roll, reader, since), (vec![7], vec![listing(7, 3), listing(7, 5)]));
}

#[test]
fn a_stale_member_takes_nobody_off() {
    let mut roll = Roll::new(100);
    let first = roll.join(applicant(1, 1));
    assert!(roll.leave(first));
    let second = roll.join(applicant(2, 2));
    assert_eq!(first.slot, second.slot);
    assert_ne!(first.id, second.id, "ids are never used again");
    assert!(!roll.leave(first));
    assert_eq!(roll.len(), 1);
}

#[test]
fn who_is_not_told_of_changes_nothing_for_others() {
    let mut roll = Roll::new(100);
    let before = roll.sequence();
    let hidden = roll.join(Applicant { listing: None, ..applicant(1, 1) });
    assert_eq!((roll.len(), roll.sequence(), roll.everyone_but(hidden).0), (1, before, 0));
    assert!(roll.leave(hidden));
    assert_eq!(roll.sequence(), before);
}

/// A reader's view: how often he has been told of each listing.
type Seen = BTreeMap<Vec<u8>, usize>;

struct Reader {
    member: Member,
    own: Vec<u8>,
    known: Option<Sequence>,
    seen: Seen,
}

impl Reader {
    fn catch_up(&mut self, roll: &Roll) {
        match self.known {
            None => {
                let (count, slices) = roll.everyone_but(self.member);
                let bytes: usize = slices.map(|slice| slice.as_slice().len()).sum();
                assert!(bytes >= count * 6);
                self.seen = everyone(roll, Some(self.member));
            }
            Some(since) => {
                let difference = roll.since(since, self.member).unwrap();
                for address in difference.removed() {
                    let before = self.seen.len();
                    self.seen.retain(|listing, _| listing[..4] != address.octets());
                    assert!(self.seen.len() < before || address.octets() == self.own[..4], "told in vain");
                }
                for listing in difference.added() {
                    *self.seen.entry(listing.to_vec()).or_default() += 1;
                }
            }
        }
        self.known = Some(roll.sequence());
    }
}

fn everyone(roll: &Roll, but: Option<Member>) -> Seen {
    let mut all = Seen::new();
    for entry in roll.entries().filter(|entry| Some(entry.id) != but.map(|member| member.id)) {
        let IpAddr::V4(ip) = entry.ip else { continue };
        *all.entry(listing(ip.octets()[3], entry.port)).or_default() += 1;
    }
    all
}

#[test]
fn every_reader_sees_the_roll_without_himself_whenever_he_looks() {
    for seed in 1..=40_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut roll = Roll::new(10_000);
        let mut readers: Vec<Reader> = Vec::new();
        for step in 0..400 {
            match random(4) {
                0 | 1 if readers.len() < 30 => {
                    // A few hosts and ports, so that addresses and even whole listings are shared.
                    let (host, port) = (random(8) as u8, random(6) as u16);
                    let member = roll.join(applicant(host, port));
                    let own = listing(host, port);
                    readers.push(Reader { member, own, known: None, seen: Seen::new() });
                }
                2 if !readers.is_empty() => {
                    let gone = readers.swap_remove(random(readers.len()));
                    assert!(roll.leave(gone.member));
                }
                _ if !readers.is_empty() => {
                    let at = random(readers.len());
                    let reader = &mut readers[at];
                    reader.catch_up(&roll);
                    let expected = everyone(&roll, Some(reader.member));
                    assert_eq!(reader.seen, expected, "seed {seed}, step {step}");
                }
                _ => {}
            }
            assert_eq!(roll.len(), readers.len());
        }
    }
}
