//! The clerks: whoever keeps the books of a door has a thread, and what goes to and from him goes over its desk.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Vigil;
use super::published::unix_time;
use super::task::{Errand, Mail, Reply, Sender, Task};
use super::way::{Inlet, Look, Way, way};
use crate::session::{Answer, Caller, Case, Clerk, Letter, Matter};

/// How many errands may wait for a clerk.
const WAITING_LIMIT: usize = 4096;
/// How many cases he deals with in one go: enough that a thousand who come at once share what is slow about it.
const BATCH_LIMIT: usize = 1024;
/// How often he is told that it is time again while nobody comes.
const IDLE: Duration = Duration::from_secs(1);

/// Gives the clerk of a door a thread, and says how he is reached.
pub(super) fn open(door: &'static str, clerk: Box<dyn Clerk>, vigil: Vigil) -> io::Result<Way> {
    let (way, inlet) = way(WAITING_LIMIT, &Arc::default());
    let keeper = Keeper { clerk, inlet, callers: HashMap::new() };
    let keep = move || {
        keeper.run();
        // Not before his books are closed.
        drop(vigil);
    };
    thread::Builder::new().name(format!("clerk {door}")).spawn(keep)?;
    Ok(way)
}

/// A clerk on his thread.
struct Keeper {
    clerk: Box<dyn Clerk>,
    inlet: Inlet,
    /// Where everyone is reached whom he knows.
    callers: HashMap<Caller, Sender>,
}

impl Keeper {
    fn run(mut self) {
        loop {
            let first = match self.inlet.bell.wait_for(Some(IDLE), &mut || self.inlet.look()) {
                Look::Task(task) => Some(task),
                Look::Nothing => None,
                Look::Cut => return,
            };
            let (mut cases, mut gone) = (Vec::new(), Vec::new());
            let more = if first.is_some() { BATCH_LIMIT - 1 } else { 0 };
            for task in first.into_iter().chain(self.inlet.waiting().take(more)) {
                let Task::Errand(Errand { case, reply, .. }) = task else { continue };
                note(&mut self.callers, &mut gone, &case, reply);
                cases.push(case);
            }
            let callers = &self.callers;
            self.clerk.deal(unix_time(), cases, &mut |letter| send(callers, letter));
            for caller in gone {
                self.callers.remove(&caller);
            }
        }
    }
}

/// Remembers where somebody is reached, or that he is not any more.
fn note(callers: &mut HashMap<Caller, Sender>, gone: &mut Vec<Caller>, case: &Case, reply: Option<Sender>) {
    match (&case.matter, reply) {
        (Matter::Ask(_), Some(reply)) => {
            callers.insert(case.from, reply);
        }
        _ => gone.push(case.from),
    }
}

fn send(callers: &HashMap<Caller, Sender>, letter: Letter) {
    let Letter { to, paper, size, asked_for } = letter;
    let Some((mailbox, name)) = callers.get(&to) else { return };
    if asked_for {
        mailbox.post(*name, Reply::Answer(Answer::Clerk(paper)));
    } else {
        mailbox.mail(*name, Mail { paper, size });
    }
}
