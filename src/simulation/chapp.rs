//! Clients of chapp: each finds all messages to it, once, and in order, whatever becomes of connections.
//!
//! Requests arrive whole: where one is cut in two by a network that pauses for longer than 20 ms, the page has the first
//! part taken for all of it, as long as the client has not shown how it ends its requests.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::ledger::SharedLedger;
use super::play::{End, Player, Stage};
use super::scene::Scene;
use crate::chapp::client::{Client, Event, Settings};
use crate::chapp::name::Name;
use crate::chapp::wire::told::Told;
use crate::engine::simulation::LineId;

/// Where the listeners of this door are among all.
const DOOR: usize = 1;
const NAMES: [&str; 4] = ["ann", "bob", "cid", "dan"];
/// How long it may take until somebody is off the roll of whom the server knows that he is gone.
const PARTING: Duration = Duration::from_secs(1);

/// Somebody with a name, who comes again and again.
pub(super) struct Person {
    name: Name,
    ip: Ipv4Addr,
    client: Client,
    line: Option<(LineId, SocketAddr)>,
    unread: Vec<u8>,
    /// The messages that he knows of; none while he is not in the chat.
    inbox: Option<Vec<String>>,
    /// What he has posted last, and whom to.
    posted: Option<(u64, Name, String)>,
    count: u32,
    ledger: SharedLedger,
    /// Connections that nobody has told the server of: the next one takes their place.
    lost: Vec<SocketAddr>,
    left: Vec<(SocketAddr, Instant)>,
    is_settled: bool,
}

impl Person {
    pub(super) fn new(number: usize, ledger: SharedLedger) -> Self {
        let name = name(number);
        Self {
            client: client(&name),
            name,
            ip: Ipv4Addr::new(10, 0, 1, u8::try_from(number).unwrap()),
            line: None,
            unread: Vec::new(),
            inbox: None,
            posted: None,
            count: 0,
            ledger,
            lost: Vec::new(),
            left: Vec::new(),
            is_settled: false,
        }
    }

    /// Does something of his own accord.
    fn move_on(&mut self, stage: &mut Stage<'_>) {
        let Some((line, peer)) = self.line.filter(|_| self.inbox.is_some()) else { return };
        let soon = stage.now() + 4 * stage.scene.longest_way + PARTING;
        let mut out = Vec::new();
        let what = if stage.may_leave() { stage.random.below(12) } else { usize::MAX };
        match what {
            0 => {
                stage.world.finish(line);
                // What he has little room for is said to him before he is listened to.
                self.left.push((peer, soon + 20 * PARTING));
                self.part(stage);
            }
            1 => {
                stage.world.reset(line);
                self.left.push((peer, soon));
                self.part(stage);
            }
            2 => {
                stage.world.vanish(line);
                self.lost.push(peer);
                self.part(stage);
            }
            3 => {
                if self.client.goodbye(stage.now(), &mut out) {
                    self.inbox = None;
                }
            }
            _ => self.post(stage, &mut out),
        }
        if let Some((line, _)) = self.line {
            stage.world.send_whole(line, &out);
        }
    }

    fn post(&mut self, stage: &mut Stage<'_>, out: &mut Vec<u8>) {
        let to = name(stage.random.below(NAMES.len()));
        self.count += 1;
        let text = format!("{} {}", self.name.as_str(), self.count);
        if let Some(id) = self.client.post(stage.now(), &to, &text, out).unwrap() {
            self.posted = Some((id, to, text));
        }
    }

    /// He has no connection any more.
    fn part(&mut self, stage: &Stage<'_>) {
        self.line = None;
        self.inbox = None;
        self.unread.clear();
        self.client.lost(stage.now());
    }

    fn go_on(&mut self, stage: &mut Stage<'_>) {
        let mut out = Vec::new();
        self.client.tick(stage.now(), &mut out);
        self.happen(stage);
        if self.line.is_none() && self.client.dial(stage.now()) {
            let room = stage.room(100, &[100_000]);
            self.line = Some(stage.connect(DOOR, self.ip, room));
            self.client.connected(stage.now(), &mut out);
        }
        if let Some((line, _)) = self.line {
            stage.world.send_whole(line, &out);
        }
    }

    fn happen(&mut self, stage: &mut Stage<'_>) {
        while let Some(event) = self.client.next_event() {
            match event {
                Event::Entered { name, messages } => {
                    assert_eq!(name, self.name);
                    let texts = messages.into_iter().map(|message| message.text.into()).collect();
                    self.know(texts);
                    let by = stage.now() + stage.scene.longest_way + PARTING;
                    self.left.extend(self.lost.drain(..).map(|peer| (peer, by)));
                }
                Event::Delivered(message) => {
                    if let Some(mut texts) = self.inbox.take() {
                        texts.push(message.text.into());
                        self.know(texts);
                    }
                }
                Event::Posted { id, message } => {
                    let (asked, to, text) = self.posted.take().expect("a message is out");
                    assert_eq!((id, &message.to, &*message.text), (asked, &to, &*text));
                    let ledger = self.ledger.lock();
                    assert!(ledger.messages(&to).contains(&text), "{text:?} is acknowledged, and not kept");
                }
                Event::Left | Event::GaveUp(_) | Event::NameRefused(_) => {
                    // He begins anew.
                    if let Some((line, peer)) = self.line.take() {
                        stage.world.reset(line);
                        let by = stage.now() + 4 * stage.scene.longest_way + PARTING;
                        self.left.push((peer, by));
                    }
                    self.inbox = None;
                    self.unread.clear();
                    self.client = client(&self.name);
                    return;
                }
                _ => {}
            }
        }
    }

    /// What he knows of is what there is, up to some message.
    fn know(&mut self, texts: Vec<String>) {
        let ledger = self.ledger.lock();
        assert!(ledger.messages(&self.name).starts_with(&texts), "{:?} knows of {texts:?}", self.name);
        drop(ledger);
        self.inbox = Some(texts);
    }
}

fn client(name: &Name) -> Client {
    Client::new(Settings::default(), Some(name.clone()))
}

fn name(number: usize) -> Name {
    Name::parse(NAMES[number]).unwrap()
}

impl Player for Person {
    fn act(&mut self, stage: &mut Stage<'_>) {
        if !self.is_settled {
            self.move_on(stage);
        }
        self.go_on(stage);
        stage.wake_between(300, 2500);
    }

    fn hear(&mut self, line: LineId, bytes: &[u8], stage: &mut Stage<'_>) {
        if self.line.is_none_or(|(own, _)| own != line) {
            return;
        }
        self.unread.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            let taken = self.client.receive(stage.now(), &self.unread, &mut out);
            let taken = taken.unwrap_or_else(|fault| panic!("the server says what it may not say: {fault}"));
            let told: Vec<u8> = self.unread.drain(..taken).collect();
            if let Ok(Told::Delivery(delivery)) = Told::parse(&told) {
                assert_eq!(delivery.to, self.name, "somebody else's message");
            }
            if taken == 0 {
                break;
            }
        }
        stage.world.send_whole(line, &out);
        self.happen(stage);
    }

    fn end(&mut self, line: LineId, how: End, stage: &mut Stage<'_>) {
        let Some((_, peer)) = self.line.filter(|(own, _)| *own == line) else { return };
        let is_right = stage.scene.is_ending || stage.scene.has_crashed || self.inbox.is_none();
        assert!(is_right, "{:?} has done nothing wrong, and its connection is over: {how:?}", self.name);
        if how == End::Finished {
            stage.world.finish(line);
        }
        self.left.push((peer, stage.now() + 2 * stage.scene.longest_way + PARTING));
        self.part(stage);
        self.happen(stage);
    }

    fn check(&self, scene: &Scene) {
        if scene.is_ending {
            return;
        }
        for (peer, by) in &self.left {
            assert!(*by > scene.now || !scene.roll.contains(peer), "{:?}: {peer} is a ghost", self.name);
        }
        if let (Some((_, peer)), Some(_)) = (self.line, &self.inbox)
            && !scene.has_crashed
        {
            assert!(scene.roll.contains(&peer), "{:?} is not on the roll", self.name);
        }
    }

    fn settle(&mut self, _: &mut Stage<'_>) {
        self.is_settled = true;
    }

    fn conclude(&self) {
        if let Some(texts) = &self.inbox {
            assert_eq!(texts, self.ledger.lock().messages(&self.name), "what {:?} knows of", self.name);
        }
    }
}
