//! What a program logs, what it sends once more, and what it may hear of that.

use super::record::{Item, Known, Term};
use super::{Awaited, LOG, LOGGERS, Program};
use crate::engine::simulation::LineId;
use crate::residue::reply::LogReply;
use crate::residue::request::{self, LogItem};
use crate::simulation::play::{End, Stage};

/// A packet of logs that was sent.
#[derive(Clone, Copy)]
pub(super) struct Logged {
    pub(super) sheet: usize,
    was_written: bool,
    /// It was sent by somebody who was there for sure.
    was_there: bool,
    unix_time: i64,
    /// When it was sent, as scenes count.
    moment: usize,
}

impl Program {
    /// Sends one or more items.
    pub(super) fn log(&mut self, stage: &mut Stage<'_>) {
        // Who says hello once more has no key meanwhile.
        let id = self.who.as_ref().filter(|_| self.client.key_size().is_some());
        let Some(id) = id.map(|who| who.id.clone()) else { return };
        let line = self.log_line(stage);
        let count = [1, 1, 2, 5][stage.random.below(4)];
        let unix_time = self.clock(stage);
        let (mut items, mut texts) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (message, written) = self.message(stage);
            let (logger, token, term) = self.choose_logger(stage);
            let (token, message) = (token.as_deref(), &*message);
            let item = LogItem { datetime: 1, logger, message, level: 4, application: "a b", token };
            let mut text = Vec::new();
            request::put_item(&mut text, unix_time, &item);
            // Some say nothing at all, and do no harm to the others.
            let is_empty = stage.chance(10);
            let text = String::from_utf8(text).unwrap();
            texts.push(if is_empty { text.replace("\"msg\"", "\"massage\"") } else { text });
            items.push(Item { logger, message: written, term: term.filter(|_| !is_empty) });
        }
        let sheet = self.record.lock().post(&id, line, items);
        let text = if count == 1 { texts.concat() } else { format!("[{}]", texts.join(",")) };
        let mut out = Vec::new();
        self.client.say(text.as_bytes(), &mut out);
        self.note_sent(None, false, stage.now());
        let logged = self.logged(sheet, unix_time, stage);
        self.keep(LOG, &out, Some(logged));
        self.send(LOG, &out, Awaited::Sheet(logged), stage);
        // Some clients do not wait long for an answer.
        if stage.chance(4) {
            self.repeat(self.kept.len() - 1, stage);
        }
    }

    pub(super) fn logged(&self, sheet: usize, unix_time: i64, stage: &Stage<'_>) -> Logged {
        let was_there = self.record.lock().is_surely_there(sheet, stage.now());
        Logged { sheet, was_written: false, was_there, unix_time, moment: stage.scene.moment() }
    }

    /// Sends once more what was sent before.
    pub(super) fn repeat(&mut self, place: usize, stage: &mut Stage<'_>) {
        let kept = &self.kept[place];
        let (port, packet, logged) = (kept.port, kept.packet.clone(), kept.logged);
        let awaited = match logged {
            // Who comes first is served, and that is to be the one whose answer is looked at.
            None if self.errand.is_some() => return,
            None => Awaited::Again,
            Some(logged) => {
                let (was_written, was_there) = self.record.lock().post_again(logged.sheet, stage.now());
                Awaited::Sheet(Logged { was_written, was_there, ..logged })
            }
        };
        if stage.chance(2) {
            // Over another connection, and the one that there was is left to itself.
            self.part(port, stage, End::Finished);
        }
        self.send(port, &packet, awaited, stage);
    }

    /// What has become of a log.
    pub(super) fn hear_of(&mut self, logged: Logged, reply: LogReply, stage: &mut Stage<'_>) {
        let Logged { sheet, was_written, was_there, unix_time, moment } = logged;
        let tolerance = self.record.lock().rules.tolerance;
        let may_be_stale = stage.scene.was_off(moment, unix_time, tolerance);
        let is_stale = stage.scene.was_always_off(moment, unix_time, tolerance);
        assert!(!is_stale || was_written || reply != LogReply::Taken, "what is too old is taken");
        let known = Known { was_written, was_there, may_be_stale };
        self.record.lock().answer(sheet, reply, stage.now(), known);
        if reply == LogReply::NoClient && stage.chance(2) {
            self.forget();
        }
    }

    /// The line over which it logs.
    pub(super) fn log_line(&mut self, stage: &mut Stage<'_>) -> LineId {
        self.post(LOG, stage).line
    }

    /// Something that nobody has logged before; as it is sent, and as it will stand in the file.
    pub(super) fn message(&mut self, stage: &mut Stage<'_>) -> (String, String) {
        self.count += 1;
        // Long ones are opened elsewhere.
        let length = if stage.chance(60) { 9_000 } else { 20 * stage.random.below(2) };
        let padding = "x".repeat(length);
        let text = |space| format!("{}/{}{space}{padding}", self.number, self.count);
        (text("\n"), text("\\n"))
    }

    /// A logger, what may open it, and when.
    pub(super) fn choose_logger(
        &self,
        stage: &mut Stage<'_>,
    ) -> (&'static str, Option<String>, Option<Term>) {
        let logger = LOGGERS[stage.random.below(LOGGERS.len())];
        let ever = Term::new((stage.now(), stage.now()), None);
        let needs_token = self.record.lock().rules.needs_token;
        let chosen = self.tokens.get(stage.random.below(self.tokens.len() + 1));
        let logger = if stage.chance(8) { logger } else { chosen.map_or(logger, |token| token.logger) };
        let fits = chosen.filter(|token| token.logger == logger);
        let term = if needs_token { fits.map(|token| token.term) } else { Some(ever) };
        (logger, chosen.map(|token| token.text.clone()), term)
    }
}
