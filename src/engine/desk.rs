//! The clerks: whoever keeps the books of a door has a thread, and what goes to and from him goes over its desk.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::Vigil;
use super::published::unix_time;
use super::rehearsal::{Scene, rehearse};
use super::task::{Change, Errand, Mail, Mailbox, Name, Reply, RollTask, Sender, Task};
use super::way::{Inlet, Look, Way, way};
use crate::roll::{Applicant, Member};
use crate::session::{Answer, Caller, Case, Clerk, Letter, Matter, Moment, Office};

/// How many errands may wait for a clerk.
const WAITING_LIMIT: usize = 4096;
/// How many cases he deals with in one go: enough that a thousand who come at once share what is slow about it.
const BATCH_LIMIT: usize = 1024;
/// How often he is told that it is time again while nobody comes.
const IDLE: Duration = Duration::from_millis(500);

/// Gives the clerk of a door a thread, and says how he is reached. What he changes about the roll goes along `roll`.
pub(super) fn open(door: &'static str, clerk: Box<dyn Clerk>, roll: Way, vigil: Vigil) -> io::Result<Way> {
    let (way, keeper) = Keeper::new(clerk, roll);
    let keep = move || {
        keeper.run();
        // Not before his books are closed.
        drop(vigil);
    };
    thread::Builder::new().name(format!("clerk {door}")).spawn(keep)?;
    Ok(way)
}

/// A clerk on his thread.
pub(super) struct Keeper {
    pub(super) clerk: Box<dyn Clerk>,
    pub(super) inlet: Inlet,
    pub(super) room: Room,
}

/// What he has at hand.
pub(super) struct Room {
    /// Where everyone is reached whom he knows.
    callers: HashMap<Caller, Sender>,
    roll: Way,
}

impl Keeper {
    /// The way to the desk of this clerk, and who sits behind it.
    pub(super) fn new(clerk: Box<dyn Clerk>, roll: Way) -> (Way, Self) {
        let (way, inlet) = way(WAITING_LIMIT, &Arc::default());
        (way, Self { clerk, inlet, room: Room { callers: HashMap::new(), roll } })
    }

    fn run(mut self) {
        loop {
            let first = match self.inlet.bell.wait_for(Some(IDLE), &mut || self.inlet.look()) {
                Look::Task(task) => Some(task),
                Look::Nothing => None,
                Look::Cut => return,
            };
            let (cases, gone) = self.take(first);
            let moment = Moment { now: Instant::now(), unix_time: unix_time() };
            self.clerk.deal(moment, cases, &mut self.room);
            self.forget(&gone);
        }
    }

    /// The cases that wait, `first` among them, and who will not be reached any more after them.
    pub(super) fn take(&mut self, first: Option<Task>) -> (Vec<Case>, Vec<Caller>) {
        let (mut cases, mut gone) = (Vec::new(), Vec::new());
        let more = if first.is_some() { BATCH_LIMIT - 1 } else { 0 };
        for task in first.into_iter().chain(self.inlet.waiting().take(more)) {
            let Task::Errand(Errand { case, reply, .. }) = task else { continue };
            rehearse(Scene::Clerk);
            note(&mut self.room.callers, &mut gone, &case, reply);
            cases.push(case);
        }
        (cases, gone)
    }

    /// Forgets where they were reached.
    pub(super) fn forget(&mut self, gone: &[Caller]) {
        for caller in gone {
            self.room.callers.remove(caller);
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

impl Office for Room {
    fn send(&mut self, letter: Letter) {
        let Letter { to, paper, size, asked_for } = letter;
        let Some((mailbox, name)) = self.callers.get(&to) else { return };
        if asked_for {
            mailbox.post(*name, Reply::Answer(Answer::Clerk(paper)));
        } else {
            mailbox.mail(*name, Mail { paper, size });
        }
    }

    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member> {
        let (replies, replied) = bounded(joins.len() + leaves.len());
        let mailbox: Arc<dyn Mailbox> = Arc::new(Tray(replies));
        let leaves = leaves.into_iter().map(Change::Leave);
        let changes = leaves.chain(joins.into_iter().map(Change::Join));
        for (slot, change) in (0..).zip(changes) {
            let reply = Some((Arc::clone(&mailbox), Name { slot, generation: 0 }));
            self.roll.put(Task::Roll(RollTask { change, reply }));
        }
        drop(mailbox);
        members(&replied)
    }
}

/// Where the workers leave what came of a clerk's changes: there is room for all of it, so that they never wait.
struct Tray(crossbeam_channel::Sender<(u32, Answer)>);

impl Mailbox for Tray {
    fn post(&self, name: Name, reply: Reply) {
        if let Reply::Answer(answer) = reply {
            // He waits for it.
            let _ = self.0.send((name.slot, answer));
        }
    }

    fn mail(&self, _: Name, _: Mail) {}
}

/// Waits until all changes have been carried out, and says who joined, in the order in which it was asked for.
fn members(replied: &Receiver<(u32, Answer)>) -> Vec<Member> {
    let joined = replied.iter().filter_map(|(slot, answer)| match answer {
        Answer::Joined(member) => Some((slot, member)),
        _ => None,
    });
    let mut joined: Vec<_> = joined.collect();
    joined.sort_unstable_by_key(|(slot, _)| *slot);
    joined.into_iter().map(|(_, member)| member).collect()
}
