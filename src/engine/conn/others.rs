//! What a connection has others do, and what it hears from them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::phase::Phase;
use super::{Acquaintance, Conn, Stage, Turn};
use crate::engine::task::{Mail, Reply, Returned, Toil};
use crate::engine::{HAS_CLERKS, HAS_TOIL, OWED_LIMIT};
use crate::roll::Member;
use crate::session::{Answer, Ask, Caller, Effort, Event, Excess, Fault, Output, Session};

/// How many connections have been made known to clerks: the numbers by which those know them.
static CALLERS: AtomicU64 = AtomicU64::new(0);

impl Conn {
    /// The session, for whoever has it do its slow part.
    pub(in crate::engine) fn lend_session(&mut self) -> Option<Box<dyn Session>> {
        self.session.take()
    }

    /// Has what is rationed done now, if there is enough left of it, or when there is.
    pub(super) fn ration(&mut self, now: Instant, out: &mut Output) {
        match out.take_ask() {
            Some(Ask::Rationed { effort, cost }) => {
                match self.permit.draw(self.door, self.peer.ip(), cost, now) {
                    None => out.ask(Ask::Toil(effort)),
                    Some(until) => self.phase = Phase::Resting { until, then: Some((effort, cost)) },
                }
            }
            other => other.into_iter().for_each(|ask| out.ask(ask)),
        }
    }

    /// The time to rest is over.
    pub(super) fn go_on(&mut self, then: Option<(Effort, u32)>, turn: &Turn<'_>, out: &mut Output) {
        if HAS_TOIL && let Some((effort, _)) = then {
            out.ask(Ask::Toil(effort));
            self.phase = Phase::Asking;
            return;
        }
        self.phase = Phase::Open;
        for mail in self.held() {
            self.handle(Event::Mail(mail.paper), turn, out);
        }
        self.judge_unread(turn, out);
    }

    /// Ends the rest before its time: it comes to nothing any more.
    pub(super) fn wake_up(&mut self) {
        if let Phase::Resting { then, .. } = self.phase {
            self.phase = Phase::Open;
            self.permit.go_on();
            if HAS_TOIL && let Some((_, cost)) = then {
                self.permit.give_back(self.door, self.peer.ip(), cost);
            }
        }
    }

    /// As whom the clerk of the door knows this connection. From now on he has to hear of its end.
    pub(in crate::engine) fn introduce_to_clerk(&mut self) -> (&'static str, Caller) {
        let fresh = || {
            let caller = Caller(CALLERS.fetch_add(1, Ordering::Relaxed));
            Box::new(Acquaintance { caller, held: Vec::new(), owed: 0 })
        };
        (self.door, self.clerk.get_or_insert_with(fresh).caller)
    }

    /// Takes what the clerk has to say, unasked.
    pub(in crate::engine) fn take_mail(&mut self, mail: Mail, turn: &Turn<'_>, out: &mut Output) {
        let Some(letters) = self.clerk.as_mut().filter(|_| HAS_CLERKS) else { return };
        let held: usize = letters.held.iter().map(|mail| mail.size).sum();
        // What is owed may be answers, too, which the peer has asked for: they do not count.
        let size = letters.owed.min(turn.owed) + held + mail.size;
        match self.phase {
            Phase::Open | Phase::Resting { .. } | Phase::Asking if size > OWED_LIMIT => {
                self.overrun(turn, out);
            }
            Phase::Open => {
                letters.owed = size;
                self.handle(Event::Mail(mail.paper), turn, out);
            }
            // It is older than the answer, and goes before it.
            Phase::Asking | Phase::Resting { .. } => letters.held.push(mail),
            _ => {}
        }
    }

    /// More is owed to the peer than it fetches.
    pub(in crate::engine) fn overrun(&mut self, turn: &Turn<'_>, out: &mut Output) {
        if let (true, Phase::Open | Phase::Resting { .. } | Phase::Asking) = (HAS_CLERKS, &self.phase) {
            let why = format!("it is owed more than {OWED_LIMIT} bytes of letters and does not fetch them");
            self.abandon(Fault::excess(Excess::Letters, why), turn, out);
        }
    }

    /// Ends the session, even if an ask is out.
    pub(super) fn abandon(&mut self, fault: Fault, turn: &Turn<'_>, out: &mut Output) {
        let asking = matches!(self.phase, Phase::Asking);
        self.fail(fault, turn, out);
        if asking {
            self.phase = Phase::Abandoned;
        }
    }

    /// Takes what came of the session's ask.
    pub(in crate::engine) fn take_reply(&mut self, reply: Reply, turn: &Turn<'_>, out: &mut Output) {
        match reply {
            Reply::Answer(answer) => {
                match answer {
                    Answer::Joined(member) => self.member = Some(member),
                    Answer::Left => self.member = None,
                    Answer::Toiled | Answer::Clerk(_) => {}
                }
                self.answer(Some(answer), turn, out);
            }
            Reply::Back(Returned { session, outcome, .. }) => {
                self.session = Some(session);
                self.answer((outcome == Toil::Done).then_some(Answer::Toiled), turn, out);
            }
        }
    }

    /// What the clerk said while an ask was out, which is said now.
    fn held(&mut self) -> Vec<Mail> {
        let Some(letters) = self.clerk.as_mut().filter(|_| HAS_CLERKS) else { return Vec::new() };
        letters.owed += letters.held.iter().map(|mail| mail.size).sum::<usize>();
        std::mem::take(&mut letters.held)
    }

    /// Goes on after an ask. Without an answer the daemon ends.
    fn answer(&mut self, answer: Option<Answer>, turn: &Turn<'_>, out: &mut Output) {
        match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Asking => {
                self.permit.go_on();
                for mail in self.held() {
                    self.handle(Event::Mail(mail.paper), turn, out);
                }
                let ends = turn.stage == Stage::Stopping || answer.is_none();
                answer.into_iter().for_each(|answer| self.handle(Event::Answer(answer), turn, out));
                if ends {
                    self.say_goodbye(Event::Shutdown, turn, out);
                }
                self.judge_unread(turn, out);
            }
            Phase::Leaving { farewell } => self.last_words(&farewell, turn, out),
            Phase::Abandoned => {
                self.dismiss(turn.now);
                self.phase = Phase::Over;
            }
            other => self.phase = other,
        }
    }

    /// Who is to be taken off the roll, now that the connection is ending: on every way out.
    pub(in crate::engine) fn take_leaver(&mut self) -> Option<Member> {
        match self.phase {
            Phase::Ending { .. } | Phase::Lingering { .. } | Phase::Over => self.member.take(),
            _ => None,
        }
    }

    /// As whom, and at which door, the clerk is to hear of the end, once that has come.
    pub(in crate::engine) fn take_goodbye(&mut self) -> Option<(&'static str, Caller)> {
        match self.phase {
            Phase::Ending { .. } | Phase::Lingering { .. } | Phase::Over => {
                self.clerk.take().map(|clerk| (self.door, clerk.caller))
            }
            _ => None,
        }
    }
}
