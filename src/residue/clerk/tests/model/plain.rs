//! What a clerk has to know, as plainly as it can be said.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::residue::clerk::Source;

pub(super) struct Plain {
    settings: Settings,
    clients: Vec<Client>,
    lives: u64,
    pub(super) lot: Lot,
    pub(super) book: Vec<(&'static str, u8)>,
    pub(super) texts: BTreeMap<String, String>,
    closes: Vec<u64>,
}

struct Client {
    known: Known,
    /// Its key, if it is managed.
    managed: Option<u8>,
    born: Instant,
    acknowledged: Option<Instant>,
    killed: Option<Instant>,
    /// Each with whether it is of a log that was written.
    marks: Vec<(u64, bool)>,
    tokens: Vec<(String, &'static str, Option<Instant>)>,
    carriers: [Option<u64>; 3],
    /// When it sent something last that was new.
    heard: Instant,
    home: Option<std::net::IpAddr>,
}

type Waiting = Vec<(Vec<u64>, Known, u64, Vec<(&'static str, String)>)>;

impl Client {
    /// When it died, if it is dead.
    fn died(&self, now: Instant, Settings { age, tolerance, .. }: &Settings) -> Option<Instant> {
        let end = match (self.killed, self.acknowledged) {
            (Some(killed), _) => return Some(killed),
            (None, None) => self.born + Duration::from_secs(300),
            (None, Some(_)) if *age == 0 => return None,
            (None, Some(since)) => since + Duration::from_secs(age + tolerance),
        };
        (now > end).then_some(end)
    }

    fn has_seen(&self, mark: u64) -> bool {
        self.marks.iter().any(|(seen, _)| *seen == mark)
    }
}

impl Plain {
    pub(super) fn new(settings: Settings) -> Self {
        let book = vec![("manny", 1), ("molly", 2)];
        let (lot, texts) = (Lot::default(), BTreeMap::new());
        Self { settings, clients: Vec::new(), lives: 0, lot, book, texts, closes: Vec::new() }
    }

    pub(super) fn deal(
        &mut self,
        now: Instant,
        unix_time: i64,
        wishes: &[Wish],
        faults: &[bool],
    ) -> Vec<(u64, Told)> {
        let settings = self.settings.clone();
        let is_kept = |client: &Client| {
            client.died(now, &settings).is_none_or(|at| now <= at + Duration::from_secs(600))
        };
        self.clients.retain(is_kept);
        self.follow_book(now);
        let (mut letters, mut waiting) = (Vec::new(), Waiting::new());
        for wish in wishes {
            let told = self.judge(now, unix_time, wish, &mut waiting);
            letters.extend(told.map(|told| (wish.from, told)));
        }
        for (place, (callers, known, mark, lines)) in waiting.into_iter().enumerate() {
            let is_good = faults.get(place).copied().unwrap_or(true);
            if is_good {
                for (logger, line) in lines {
                    self.texts.entry(logger.to_owned()).or_default().push_str(&(line + "\n"));
                }
                self.remember(now, &known, mark, true);
            }
            let told = if is_good { Told::Logged } else { Told::NotLogged };
            letters.extend(callers.into_iter().map(|caller| (caller, told.clone())));
        }
        self.press(now);
        letters.extend(self.closes.drain(..).map(|caller| (caller, Told::CloseNow)));
        self.clients.iter().for_each(|client| assert!(client.tokens.len() <= 64));
        letters
    }

    /// Who is on the roll.
    pub(super) fn names(&self, now: Instant) -> Vec<&str> {
        let settings = self.settings.clone();
        let is_there =
            |client: &&Client| client.acknowledged.is_some() && client.died(now, &settings).is_none();
        let mut names: Vec<_> =
            self.clients.iter().filter(is_there).map(|client| &*client.known.id).collect();
        names.sort_unstable();
        names
    }

    fn judge(&mut self, now: Instant, unix_time: i64, wish: &Wish, waiting: &mut Waiting) -> Option<Told> {
        let known = match &wish.what {
            What::Key(id) => return Some(Told::Key(self.find(id).map(|client| client.known.clone()))),
            What::Hello(who) => return Some(self.hello(now, *who)),
            _ => wish.known.as_ref()?,
        };
        let current = self.find(&known.id).map(|client| client.known.clone());
        if current.as_ref() != Some(known) {
            return Some(Told::Changed(current));
        }
        let (age, settings) = (self.settings.age, self.settings.clone());
        let port = match wish.what {
            What::Log(_) | What::Invalid(Port::Log) => 2,
            What::AskToken(..) | What::CheckToken(..) | What::Invalid(Port::Token) => 1,
            _ => 0,
        };
        let client = self.find(&known.id)?;
        let is_alive = client.died(now, &settings).is_none();
        let is_served = is_alive && client.acknowledged.is_some();
        let is_repeated = client.has_seen(wish.mark);
        let may_wait = matches!(wish.what, What::Log(_) | What::Invalid(Port::Log)) && is_served;
        // Who repeats a packet is not taken for the client, and nobody whose log cannot be told from one that is new.
        let is_new = !(is_repeated || may_wait && is_waiting(waiting, known, wish));
        if is_new && (is_served || !matches!(wish.what, What::Log(_))) {
            client.carriers[port] = Some(wish.from);
            client.heard = now;
        }
        if is_new
            && is_alive
            && !is_served
            && client.managed.is_none()
            && matches!(wish.what, What::Acknowledge)
        {
            client.home = Some(address(wish.from).ip()).filter(|ip| !ip.is_loopback());
            let home = client.home;
            self.make_room_at(now, home);
        }
        let client = self.find(&known.id)?;
        let established = Told::Established(unix_time, age);
        let told = match &wish.what {
            What::Invalid(Port::Log) if !is_served => Told::NoClient,
            What::Invalid(Port::Log) if client.marks.contains(&(wish.mark, true)) => {
                return Some(Told::Logged);
            }
            What::Invalid(Port::Log) if waits(waiting, known, wish) => return None,
            What::Invalid(_) => Told::Noted,
            What::Acknowledge | What::Touch if is_repeated => Told::Refused(ConnectError::Invalid),
            What::AskToken(..) | What::CheckToken(..) if is_repeated => {
                Told::TokenRefused(TokenError::NoLogger)
            }
            What::Acknowledge if !is_alive => Told::Refused(ConnectError::NotConnected),
            What::Acknowledge if is_served && client.managed.is_none() => {
                Told::Refused(ConnectError::AlreadyAcknowledged)
            }
            What::Touch if !is_alive => Told::Refused(ConnectError::Dead),
            What::Touch if !is_served => Told::Refused(ConnectError::NotAcknowledged),
            What::Acknowledge | What::Touch => {
                client.acknowledged = Some(now);
                established
            }
            What::AskToken(..) | What::CheckToken(..) if !is_served => Told::TokenRefused(TokenError::Dead),
            What::AskToken(logger, code) => self.give_token(now, &known.id, logger, *code),
            What::CheckToken(logger, token) => match self.is_good(now, &known.id, logger, Some(token)) {
                true => Told::TokenIsRight,
                false => Told::TokenRefused(TokenError::Token),
            },
            What::Log(_) if !is_served => return Some(Told::NoClient),
            What::Log(_) if client.marks.contains(&(wish.mark, true)) => return Some(Told::Logged),
            What::Log(_) if is_repeated => return Some(Told::NotLogged),
            What::Log(lines) => {
                if waits(waiting, known, wish) {
                    return None;
                }
                let good = lines.iter().filter(|(logger, token, _)| {
                    !settings.require_token || self.is_good(now, &known.id, logger, token.as_deref())
                });
                let good: Vec<_> = good.map(|(logger, _, line)| (*logger, line.clone())).collect();
                if !good.is_empty() {
                    waiting.push((vec![wish.from], known.clone(), wish.mark, good));
                    return None;
                }
                Told::NotLogged
            }
            What::Key(_) | What::Hello(_) => unreachable!(),
        };
        if !is_repeated {
            self.remember(now, known, wish.mark, false);
        }
        Some(told)
    }

    fn hello(&mut self, now: Instant, who: Option<(&'static str, u8)>) -> Told {
        let key = |id: &str| self.book.iter().find(|(name, _)| *name == id).map(|(_, key)| *key);
        match who.map(|(id, wished)| (wished, key(id))) {
            Some((wished, own)) if own != Some(wished) => Told::OtherKey(own),
            _ => self.begin(now, who).map_or(Told::Full, Told::Hello),
        }
    }

    fn begin(&mut self, now: Instant, who: Option<(&str, u8)>) -> Option<Known> {
        let settings = self.settings.clone();
        let (id, managed) = match who {
            None => (self.lot.id().ok()?, None),
            Some((id, key)) => (id.to_owned(), Some(key)),
        };
        if let Some(client) = self.find(&id).filter(|client| client.died(now, &settings).is_none()) {
            return Some(client.known.clone());
        }
        let key = self.lot.key(KeySize::Bits256).ok()?.to_hex().to_string();
        self.clients.retain(|client| client.known.id != id);
        if self.clients.len() >= self.settings.clients_limit {
            let rank = |client: &Client| match (client.died(now, &settings), client.acknowledged) {
                (Some(at), None) => Some((0, at)),
                (None, None) => Some((1, client.born)),
                (Some(at), Some(_)) => Some((2, at)),
                (None, Some(_)) => None,
            };
            let ranked =
                self.clients.iter().filter_map(|client| Some((rank(client)?, client.known.id.clone())));
            let first = match ranked.min() {
                Some((_, first)) => first,
                None => {
                    let (heard, id) = self.quiet(now, |_| true).min()?;
                    let id = (now - heard >= Duration::from_secs(600)).then_some(id)?;
                    self.kill(now, &id);
                    id
                }
            };
            self.clients.retain(|client| client.known.id != first);
        }
        self.lives += 1;
        let known = Known { id, key, life: self.lives };
        self.clients.push(Client {
            known: known.clone(),
            managed,
            born: now,
            acknowledged: None,
            killed: None,
            marks: Vec::new(),
            tokens: Vec::new(),
            carriers: [None; 3],
            heard: now,
            home: None,
        });
        Some(known)
    }

    /// Those who may have to give way though they live.
    fn quiet(
        &self,
        now: Instant,
        which: impl Fn(&Client) -> bool,
    ) -> impl Iterator<Item = (Instant, String)> {
        let may = move |client: &&Client| {
            let is_alive = client.died(now, &self.settings).is_none();
            is_alive && client.acknowledged.is_some() && client.managed.is_none() && which(client)
        };
        self.clients.iter().filter(may).map(|client| (client.heard, client.known.id.clone()))
    }

    fn make_room_at(&mut self, now: Instant, home: Option<std::net::IpAddr>) {
        let limit = self.settings.clients_per_address;
        let own: Vec<_> = self.quiet(now, |client| home.is_some() && client.home == home).collect();
        if limit > 0
            && own.len() >= limit
            && let Some((_, id)) = own.into_iter().min()
        {
            self.kill(now, &id);
        }
    }

    fn give_token(&mut self, now: Instant, id: &str, logger: &'static str, code: Option<&str>) -> Told {
        let life = match (logger, code) {
            (_, None | Some("default")) if self.settings.default_code => 3_600,
            ("network", Some("secret")) => 3_600,
            ("network", Some("for-ever")) => 0,
            ("disk", Some("default")) => 60,
            _ => return Told::TokenRefused(TokenError::AccessCode),
        };
        let Ok(token) = self.lot.token() else { return Told::TokenRefused(TokenError::AccessCode) };
        let token = token.to_string();
        let until = (life > 0).then(|| now + Duration::from_secs(life));
        if let Some(client) = self.find(id) {
            client.tokens.push((token.clone(), logger, until));
        }
        Told::Token(token, life)
    }

    fn is_good(&mut self, now: Instant, id: &str, logger: &str, token: Option<&str>) -> bool {
        let tokens = self.find(id).map(|client| &client.tokens).into_iter().flatten();
        let mut good =
            tokens.filter(|(_, own, until)| *own == logger && until.is_none_or(|until| now <= until));
        good.any(|(text, ..)| Some(text.as_str()) == token)
    }

    fn remember(&mut self, now: Instant, known: &Known, mark: u64, is_written: bool) {
        let (settings, limit) = (self.settings.clone(), self.settings.client_memory);
        let Some(client) = self.find(&known.id).filter(|client| client.known == *known) else { return };
        if client.died(now, &settings).is_some() && client.marks.len() >= limit {
            return;
        }
        client.marks.push((mark, is_written));
        if client.marks.len() >= limit {
            self.kill(now, &known.id.clone());
        }
    }

    fn follow_book(&mut self, now: Instant) {
        let book = self.book.clone();
        let is_off = |client: &&Client| {
            client
                .managed
                .is_some_and(|key| !book.iter().any(|(id, own)| *id == client.known.id && *own == key))
        };
        let mut off: Vec<_> =
            self.clients.iter().filter(is_off).map(|client| client.known.id.clone()).collect();
        off.sort();
        off.iter().for_each(|id| self.kill(now, id));
    }

    fn press(&mut self, now: Instant) {
        let settings = self.settings.clone();
        while self.clients.iter().map(|client| client.marks.len()).sum::<usize>() > self.settings.memory_limit
        {
            let weight = |client: &&Client| {
                let (count, is_dead) = (client.marks.len(), client.died(now, &settings).is_some());
                (count > 0 && is_dead, count, client.known.life)
            };
            let Some(id) = self.clients.iter().max_by_key(weight).map(|client| client.known.id.clone())
            else {
                return;
            };
            self.kill(now, &id);
            self.find(&id).into_iter().for_each(|client| client.marks.clear());
        }
    }

    fn kill(&mut self, now: Instant, id: &str) {
        let settings = self.settings.clone();
        let Some(client) = self.find(id).filter(|client| client.died(now, &settings).is_none()) else {
            return;
        };
        client.killed = Some(now);
        let carriers = std::mem::take(&mut client.carriers);
        self.closes.extend(carriers.into_iter().flatten());
    }

    fn find(&mut self, id: &str) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.known.id == id)
    }
}

/// Whether a log has come already, and is not written yet.
fn is_waiting(waiting: &Waiting, known: &Known, wish: &Wish) -> bool {
    waiting.iter().any(|(_, other, mark, _)| other == known && *mark == wish.mark)
}

/// Has a log that has come already, and is not written yet, answered to one more. False if there is none.
fn waits(waiting: &mut Waiting, known: &Known, wish: &Wish) -> bool {
    let is_same = |(_, other, mark, _): &&mut (_, Known, u64, _)| other == known && *mark == wish.mark;
    let first = waiting.iter_mut().find(is_same);
    first.map(|(callers, ..)| callers.push(wish.from)).is_some()
}
