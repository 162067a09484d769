//! Who is who: the clients on the roll, and the nicknames that were learned in calls.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use crate::client::commands::names;
use crate::lekt::wire::Object;
use crate::wire::text::Printable;

/// The most nicknames that are remembered. They go when their clients leave the roll.
const LEARNED_LIMIT: usize = 65_536;

/// Names for clients.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Clients on the roll, and how many of each there are: of those that cannot be called several look alike.
    present: BTreeMap<(std::net::Ipv4Addr, Vec<crate::lekt::wire::Method>), usize>,
    learned: HashMap<SocketAddr, String>,
    /// Who called from where nobody is known to be yet: the server may tell of him after he has called.
    awaited: HashMap<IpAddr, String>,
}

impl Book {
    pub(super) fn arrived(&mut self, client: &Object) {
        *self.present.entry((client.address, client.methods.clone())).or_default() += 1;
        let address = IpAddr::V4(client.address);
        if let Some(nickname) = names::reach(client).and_then(|_| self.awaited.remove(&address)) {
            self.learn_caller(address, &nickname);
        }
    }

    /// The client has left, and its place may be taken by anybody: the name is forgotten.
    pub(super) fn departed(&mut self, client: &Object) {
        let key = (client.address, client.methods.clone());
        if let Some(count) = self.present.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.present.remove(&key);
            }
        }
        if let Some(reach) = names::reach(client) {
            self.learned.remove(&reach);
        }
    }

    /// Everybody on the roll, in the order of `/who`.
    pub(super) fn present(&self) -> Vec<Object> {
        let clients = self.present.iter();
        let all = clients.flat_map(|((address, methods), &count)| {
            std::iter::repeat_n(Object { address: *address, methods: methods.clone() }, count)
        });
        all.collect()
    }

    /// Whom we reached there.
    pub(super) fn learn(&mut self, reach: SocketAddr, nickname: &str) {
        if self.learned.len() < LEARNED_LIMIT || self.learned.contains_key(&reach) {
            self.learned.insert(reach, names::word(nickname));
        }
    }

    /// Who called from there. The port it calls from is not the one that it listens on, so this tells who it is
    /// only where one client alone can be called at that address.
    pub(super) fn learn_caller(&mut self, remote: IpAddr, nickname: &str) {
        let all = self.present();
        let mut candidates = all.iter().filter_map(names::reach).filter(|reach| reach.ip() == remote);
        match (candidates.next(), candidates.next()) {
            (Some(reach), None) => self.learn(reach, nickname),
            (None, _) => {
                if self.awaited.len() >= LEARNED_LIMIT {
                    self.awaited.clear();
                }
                self.awaited.insert(remote, nickname.to_owned());
            }
            _ => {}
        }
    }

    /// The name of a client, or its address: what is shown, and what [`find`](Self::find) takes.
    pub(super) fn name(&self, client: &Object) -> String {
        let nickname = names::reach(client).and_then(|reach| self.learned.get(&reach));
        nickname.cloned().unwrap_or_else(|| names::place(client))
    }

    /// The name of whoever listens there, or the place; made printable.
    pub(super) fn name_at(&self, place: &str) -> String {
        let reach = place.parse().ok();
        let learned = reach.and_then(|reach: SocketAddr| self.learned.get(&reach));
        learned.cloned().unwrap_or_else(|| Printable(place).to_string())
    }

    /// Where to call whom: a number or a name in `/who`, an address, or address and port.
    ///
    /// # Errors
    /// What to type instead.
    pub(super) fn find(&self, whom: &str) -> Result<String, String> {
        if whom.contains(':') {
            return Ok(whom.to_owned());
        }
        let all = self.present();
        if let Ok(number) = whom.parse::<usize>() {
            let client = number.checked_sub(1).and_then(|index| all.get(index));
            let client = client.ok_or_else(|| format!("there is no number {number} in /who"))?;
            return names::reach(client)
                .map(|reach| reach.to_string())
                .ok_or_else(|| format!("{} cannot be called", self.name(client)));
        }
        let named = |client: &&Object| self.name(client) == whom || client.address.to_string() == whom;
        let mut found = all.iter().filter(named).filter_map(names::reach);
        match (found.next(), found.next()) {
            (Some(reach), None) => Ok(reach.to_string()),
            (Some(_), Some(_)) => {
                Err(format!("several are called {}; take the number in /who", Printable(whom)))
            }
            (None, _) => Err(format!("nobody is called {}; /who shows who is there", Printable(whom))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lekt::wire::Method;

    fn client(last: u8, port: u16) -> Object {
        let methods = if port == 0 { vec![] } else { vec![Method::DirectTcp { port }] };
        Object { address: [127, 0, 0, last].into(), methods }
    }

    fn reach(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], port))
    }

    #[test]
    fn who_calls_before_the_server_tells_of_him_is_known_when_it_does() {
        let mut book = Book::default();
        book.learn_caller([127, 0, 0, 1].into(), "bob");
        book.arrived(&client(2, 80));
        book.arrived(&client(1, 0));
        book.arrived(&client(1, 81));
        assert_eq!(book.name(&client(1, 81)), "bob");
        assert_eq!(book.name(&client(2, 80)), "127.0.0.2:80");
        book.departed(&client(1, 81));
        book.arrived(&client(1, 82));
        assert_eq!(book.name(&client(1, 82)), "127.0.0.1:82", "he was awaited once");
    }

    #[test]
    fn learned_names_are_shown_until_their_clients_leave() {
        let mut book = Book::default();
        book.arrived(&client(1, 80));
        assert_eq!(book.name(&client(1, 80)), "127.0.0.1:80");
        book.learn(reach(1, 80), "bob\u{1b}");
        assert_eq!(book.name(&client(1, 80)), r"bob\u{1B}");
        book.departed(&client(1, 80));
        assert_eq!(book.name(&client(1, 80)), "127.0.0.1:80");
        assert!(book.present().is_empty());
    }

    #[test]
    fn a_caller_is_known_where_nobody_else_could_have_called() {
        let mut book = Book::default();
        book.arrived(&client(1, 80));
        book.arrived(&client(1, 0));
        book.learn_caller(reach(1, 5000).ip(), "bob");
        assert_eq!(book.name(&client(1, 80)), "bob");
        book.arrived(&client(1, 81));
        book.learn_caller(reach(1, 5001).ip(), "carol");
        assert_eq!(
            (book.name(&client(1, 80)), book.name(&client(1, 81))),
            ("bob".to_owned(), "127.0.0.1:81".to_owned())
        );
    }

    #[test]
    fn whatever_name_is_shown_is_one_that_is_found() {
        let mut book = Book::default();
        for (port, nickname) in
            [(1, "bob smith"), (2, "a:b"), (3, "4"), (4, "127.0.0.1"), (5, "127.0.0.1:1"), (6, " ")]
        {
            book.arrived(&client(1, port));
            book.learn(reach(1, port), nickname);
        }
        for port in 1..=6 {
            let shown = book.name(&client(1, port));
            assert_eq!(book.find(&shown), Ok(reach(1, port).to_string()), "{shown}");
            assert_eq!(book.name_at(&reach(1, port).to_string()), shown);
        }
    }

    #[test]
    fn people_are_found_by_number_name_and_address() {
        let mut book = Book::default();
        for client in [client(2, 0), client(1, 80), client(3, 1), client(3, 2), client(3, 2)] {
            book.arrived(&client);
        }
        book.learn(reach(1, 80), "bob");
        let table = [
            ("bob", Ok("127.0.0.1:80")),
            ("1", Ok("127.0.0.1:80")),
            ("127.0.0.1", Ok("127.0.0.1:80")),
            ("127.0.0.9:5", Ok("127.0.0.9:5")),
            ("2", Err("127.0.0.2 cannot be called")),
            ("0", Err("there is no number 0 in /who")),
            ("6", Err("there is no number 6 in /who")),
            ("127.0.0.3", Err("several are called 127.0.0.3; take the number in /who")),
            ("eve", Err("nobody is called eve; /who shows who is there")),
        ];
        for (whom, expected) in table {
            assert_eq!(book.find(whom).as_deref().map_err(String::as_str), expected, "{whom}");
        }
    }
}
