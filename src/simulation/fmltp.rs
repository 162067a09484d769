//! Clients of FmLTP: they agree on a key, ask who is there, and go.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::play::{End, Player, Stage};
use super::scene::Scene;
use crate::engine::simulation::LineId;
use crate::fmltp::client::{Client, Event, Flow, Input, Phase};
use crate::fmltp::version::Greeting;

/// Where the listeners of this door are among all.
pub(super) const DOOR: usize = if cfg!(feature = "chapp") { 2 } else { 1 };
/// How long it may take until somebody is off the roll of whom the server knows that he is gone.
const PARTING: Duration = Duration::from_secs(1);

/// Somebody who comes once, because arithmetic is slow.
pub(super) struct Listener {
    line: Option<(LineId, SocketAddr)>,
    client: Client,
    unread: Vec<u8>,
    is_there: bool,
    /// While a question is out: the fewest and the most that were there since.
    asked: Option<(usize, usize)>,
    left: Option<(SocketAddr, Instant)>,
    has_been_here: bool,
    is_settled: bool,
}

impl Listener {
    pub(super) fn new() -> Self {
        Self {
            line: None,
            client: Client::new(Greeting::default()),
            unread: Vec::new(),
            is_there: false,
            asked: None,
            left: None,
            has_been_here: false,
            is_settled: false,
        }
    }

    fn ask(&mut self, line: LineId, stage: &mut Stage<'_>) {
        let mut out = Vec::new();
        if self.asked.is_none() && self.client.command(b"WHO", 1, &mut out) {
            stage.world.send(line, &out);
            let there = stage.scene.there;
            self.asked = Some((there, there));
        }
    }

    fn happens(&mut self, event: Event, stage: &Stage<'_>) {
        match event {
            Event::Ready(_) => self.is_there = true,
            Event::Answered(_) if stage.scene.is_ending => {}
            Event::Answered(answer) => {
                let (least, most) = self.asked.take().expect("a question is out");
                let count =
                    answer.text.split(' ').nth(1).and_then(|count| count.parse::<usize>().ok()).unwrap();
                assert!((least..=most).contains(&count), "{count} there, not {least} to {most}");
            }
            Event::Refused(why) => {
                assert!(stage.scene.is_ending || stage.scene.has_crashed, "refused: {why}");
            }
            _ => {}
        }
    }
}

impl Player for Listener {
    fn act(&mut self, stage: &mut Stage<'_>) {
        match self.line {
            None if !self.is_settled && !self.has_been_here => {
                self.has_been_here = true;
                self.line = Some(stage.connect(DOOR, Ipv4Addr::new(10, 0, 2, 1), 100_000));
            }
            Some((line, peer))
                if self.is_there && !self.is_settled && stage.may_leave() && stage.chance(6) =>
            {
                stage.world.reset(line);
                self.left = Some((peer, stage.now() + 4 * stage.scene.longest_way + PARTING));
                self.line = None;
            }
            Some((line, _)) => self.ask(line, stage),
            None => {}
        }
        stage.wake_between(1000, 5000);
    }

    fn hear(&mut self, line: LineId, bytes: &[u8], stage: &mut Stage<'_>) {
        if self.line.is_none_or(|(own, _)| own != line) {
            return;
        }
        self.unread.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            let input = Input { bytes: &self.unread, flow: Flow::Running, unix_time: 1 };
            let (taken, event) = self.client.receive(input, &mut out).unwrap();
            self.unread.drain(..taken);
            let is_over = taken == 0 && event.is_none();
            event.into_iter().for_each(|event| self.happens(event, stage));
            if is_over {
                break;
            }
        }
        stage.world.send(line, &out);
    }

    fn end(&mut self, line: LineId, how: End, stage: &mut Stage<'_>) {
        let Some((_, peer)) = self.line.filter(|(own, _)| *own == line) else { return };
        let is_right = stage.scene.is_ending || stage.scene.has_crashed;
        assert!(is_right, "a listener has done nothing wrong, and its connection is over: {how:?}");
        if how == End::Finished {
            stage.world.finish(line);
        }
        self.left = Some((peer, stage.now() + 2 * stage.scene.longest_way + PARTING));
        self.line = None;
    }

    fn check(&self, scene: &Scene) {
        if scene.is_ending || scene.has_crashed {
            return;
        }
        if let Some((peer, by)) = self.left {
            assert!(by > scene.now || !scene.roll.contains(&peer), "{peer} is a ghost");
        }
        if let (Some((_, peer)), true) = (self.line, self.is_there) {
            assert!(scene.roll.contains(&peer), "{peer} is not on the roll");
        }
    }

    fn notice(&mut self, there: usize) {
        if let Some((least, most)) = &mut self.asked {
            *least = there.min(*least);
            *most = there.max(*most);
        }
    }

    fn settle(&mut self, _: &mut Stage<'_>) {
        self.is_settled = true;
    }

    fn conclude(&self) {
        assert!(self.line.is_none() || self.client.phase() == Phase::Open, "a handshake never ends");
    }
}
