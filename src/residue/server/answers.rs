//! How a session goes on when an ask comes back.

use super::sealed::{Opening, Sealed, Trust};
use super::session::{Server, Turn, ours};
use super::state::{Encrypting, Learning, State, Subject};
use crate::residue::desk::{Pass, Verdict};
use crate::residue::pair::KeyError;
use crate::residue::reply::{self, ConnectError, LogReply};
use crate::session::{Answer, Fault};

impl Server {
    /// Goes on where an ask was put.
    pub(super) fn answered(&mut self, answer: Answer, turn: &mut Turn<'_>) -> Result<(), Fault> {
        match answer {
            Answer::Toiled => self.toiled(turn),
            Answer::Clerk(paper) => {
                let verdict = paper.downcast().map_err(|_| ours("what the clerk says is no verdict"))?;
                self.decided(*verdict, turn)
            }
            Answer::Joined(_) | Answer::Left => Err(ours("there is an answer to what was not asked")),
        }
    }

    /// What is slow is done.
    fn toiled(&mut self, turn: &mut Turn<'_>) -> Result<(), Fault> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Opening(opening) => {
                let Opening { packet, pass, trust, unix_time, pains, reading } = *opening;
                let reading = reading.ok_or_else(|| ours("a packet was not opened"))?;
                let packet = packet.into_vec().into();
                self.opened(Sealed { packet, pass, trust, unix_time, pains }, reading, turn)
            }
            State::Weighing(weighing) => match weighing.subject {
                Subject::Judged(judgement) => {
                    self.judged(judgement, turn);
                    Ok(())
                }
                Subject::Encrypted(..) => Err(ours("a hello was not decrypted")),
            },
            State::Encrypting(encrypting) => self.encrypted_to(*encrypting, turn),
            _ => Err(ours("nobody should have toiled")),
        }
    }

    /// The reply to a hello is there.
    fn encrypted_to(&mut self, encrypting: Encrypting, turn: &mut Turn<'_>) -> Result<(), Fault> {
        match encrypting.packet {
            Some(Ok(packet)) => {
                self.heard = turn.now;
                turn.out.bytes().extend_from_slice(&packet);
                self.said(turn);
                Ok(())
            }
            // A managed client has got a longer key before than it asks for now.
            Some(Err(KeyError::NoRoom { .. })) => {
                self.refuse(ConnectError::Invalid, turn);
                Ok(())
            }
            Some(Err(error)) => {
                let why = format!("the reply to a hello cannot be encrypted: {error}");
                Err(Fault { level: log::Level::Error, ..Fault::silent(why) })
            }
            None => Err(ours("the reply to a hello was not encrypted")),
        }
    }

    /// The clerk has decided.
    fn decided(&mut self, verdict: Verdict, turn: &mut Turn<'_>) -> Result<(), Fault> {
        match (std::mem::replace(&mut self.state, State::Idle), verdict) {
            (State::Learning(learning), Verdict::Key(pass)) => self.learned(*learning, pass, turn),
            (State::Misplaced, Verdict::Key(pass)) => {
                let error = pass.map_or(ConnectError::NoSuchClient, |_| ConnectError::Invalid);
                self.refuse(error, turn);
                Ok(())
            }
            (State::Greeting(welcome), Verdict::Hello(pass)) => {
                self.greet(welcome.key, pass, turn);
                Ok(())
            }
            (State::Greeting(welcome), Verdict::OtherKey(key)) => {
                self.judged(welcome.judge_anew(key), turn);
                Ok(())
            }
            (State::Greeting(_), Verdict::Full) => {
                self.note(&"there are too many clients");
                self.refuse(ConnectError::Invalid, turn);
                Ok(())
            }
            // It was opened by a key that is no more, and no other opens it.
            (State::Asking { .. }, Verdict::Changed(Some(pass))) => self.take_junk(pass, turn),
            (State::Asking { .. }, Verdict::Changed(None)) => {
                self.pass = None;
                self.tell_stranger(turn);
                Ok(())
            }
            (State::Asking { logger }, verdict) => {
                let pass =
                    self.pass.clone().ok_or_else(|| ours("there is a verdict, and nobody it is about"))?;
                self.tell(&pass, logger.as_deref(), verdict, turn)
            }
            _ => Err(ours("there is a verdict on what was not asked")),
        }
    }

    /// The clerk has said by what a packet is opened.
    fn learned(&mut self, learning: Learning, pass: Option<Pass>, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let Learning { packet, unix_time, tried } = learning;
        match pass {
            None => {
                self.tell_stranger(turn);
                Ok(())
            }
            Some(pass) if tried.is_some_and(|tried| tried.life == pass.life) => {
                self.note(&"a packet does not open");
                self.take_junk(pass, turn)
            }
            Some(pass) => self.open(packet.into_vec().into(), pass, Trust::Told, unix_time, turn),
        }
    }

    /// Tells the client what the clerk has decided about its packet.
    fn tell(
        &mut self,
        pass: &Pass,
        logger: Option<&str>,
        verdict: Verdict,
        turn: &mut Turn<'_>,
    ) -> Result<(), Fault> {
        if !matches!(verdict, Verdict::Noted | Verdict::Refused(_) | Verdict::NoClient) {
            self.heard = turn.now;
        }
        let log_reply = match verdict {
            Verdict::Noted => return self.tell_invalid(turn),
            Verdict::Refused(error) => return self.seal(turn, |out| reply::put_error(out, error)),
            Verdict::Established { date_created, age } => {
                return self.tell_established(pass, date_created, age, turn);
            }
            Verdict::Token { token, life } => {
                let logger = logger.unwrap_or_default();
                return self.seal(turn, |out| reply::put_token(out, life, logger, &token));
            }
            Verdict::TokenIsRight => return self.seal(turn, reply::put_token_ok),
            Verdict::TokenRefused(error) => {
                return self.seal(turn, |out| reply::put_token_error(out, error));
            }
            Verdict::Logged => LogReply::Taken,
            Verdict::NotLogged => LogReply::NotTaken,
            Verdict::NoClient => LogReply::NoClient,
            Verdict::Key(_)
            | Verdict::Hello(_)
            | Verdict::Full
            | Verdict::OtherKey(_)
            | Verdict::Changed(_) => {
                return Err(ours("this is no verdict on a packet"));
            }
        };
        self.tell_log(log_reply, turn);
        Ok(())
    }
}
