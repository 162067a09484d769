//! Who is on record, and what the roll and the sessions have yet to hear of that.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Settings;
use super::client::{Client, Origin, Rank, Seat, State};
use super::marks::{Fate, Marks, Order};
use super::quiet::{Home, Quiet};
use crate::residue::books::Clients;
use crate::residue::cipher::{Key, Mark};
use crate::residue::desk::Pass;
use crate::roll::{Applicant, Member};
use crate::session::{Caller, Office};

/// How long nothing was heard of a client that gives way to another one while it is alive.
const QUIET: Duration = Duration::from_secs(600);

/// All clients on record, by their IDs.
///
/// Whatever changes the state of one goes through [`Registry::enter`] or [`Registry::remove`], so that the lists of
/// who is next agree with it.
pub(super) struct Registry {
    settings: Settings,
    clients: HashMap<Arc<str>, Client>,
    /// When each client is next something else than it is.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// Who gives way to others, the first one first.
    ranks: BTreeSet<(Rank, Instant, Arc<str>)>,
    /// Who gives way after all of these.
    quiet: Quiet,
    /// How many lives there have been.
    lives: u64,
    /// How many marks all of them have.
    remembered: usize,
    order: Order,
    news: News,
}

/// What others have yet to hear.
#[derive(Default)]
struct News {
    joins: Vec<(Pass, Applicant)>,
    leaves: Vec<Member>,
    /// Connections of clients that were not to die yet.
    closes: Vec<Caller>,
}

impl Registry {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clients: HashMap::new(),
            deadlines: BTreeSet::new(),
            ranks: BTreeSet::new(),
            quiet: Quiet::default(),
            lives: 0,
            remembered: 0,
            order: Order::new(),
            news: News::default(),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// What opens the packets of this client.
    pub(super) fn pass(&self, id: &str) -> Option<Pass> {
        self.clients.get_key_value(id).map(|(id, client)| client.pass(id))
    }

    /// The client whose life this is; none: it is over and forgotten.
    pub(super) fn owner(&mut self, pass: &Pass) -> Option<&mut Client> {
        self.clients.get_mut(&pass.id).filter(|client| client.life == pass.life)
    }

    /// What became of the packet of this client that has this mark, if one was seen.
    pub(super) fn fate(&self, pass: &Pass, mark: Mark) -> Option<Fate> {
        let client = self.clients.get(&pass.id).filter(|client| client.life == pass.life)?;
        client.marks.fate(&self.order, mark)
    }

    /// Begins a life. Whoever had that ID before is no more. None: there are too many clients, and nobody gives way.
    pub(super) fn begin(&mut self, now: Instant, id: &Arc<str>, key: Key, origin: Origin) -> Option<Pass> {
        self.remove(id);
        if self.clients.len() >= self.settings.clients_limit {
            let first = match self.ranks.first() {
                Some((_, _, first)) => Arc::clone(first),
                None => self.silence(now)?,
            };
            self.remove(&first);
        }
        self.lives += 1;
        let client = Client::new(now, self.lives, key, origin);
        let pass = client.pass(id);
        self.clients.insert(Arc::clone(id), client);
        self.list(id);
        Some(pass)
    }

    /// The age of a client begins, perhaps once more. Who is not on the roll is put there.
    pub(super) fn establish(&mut self, now: Instant, pass: &Pass, applicant: Option<Applicant>) {
        let Some(client) = self.owner(pass) else { return };
        let seat = match client.state {
            State::Acknowledged { seat, .. } => seat,
            _ => {
                if !client.is_managed() {
                    client.home = applicant.as_ref().and_then(|applicant| Home::of(applicant.address.ip()));
                    let home = client.home;
                    self.make_room_at(now, home);
                }
                self.news.joins.extend(applicant.map(|applicant| (pass.clone(), applicant)));
                Seat::Coming
            }
        };
        self.enter(&pass.id, State::Acknowledged { since: now, seat });
    }

    /// Remembers a packet that was not seen before. If nothing more fits into the client's memory, it dies.
    pub(super) fn remember(&mut self, now: Instant, pass: &Pass, mark: Mark, fate: Fate) {
        let limit = self.settings.client_memory;
        let Some(client) = self.clients.get_mut(&pass.id).filter(|client| client.life == pass.life) else {
            return;
        };
        // Who is dead is not served again under this key: nothing has to be told from what comes again.
        if client.marks.len() >= limit && !client.is_alive() {
            return;
        }
        let before = client.marks.len();
        client.marks.add(&self.order, mark, fate);
        let count = client.marks.len();
        self.remembered += count - before;
        if count >= limit {
            log::info!("residue: client {} has sent as many packets as a life can have", pass.id);
            self.kill(now, &pass.id);
        }
    }

    /// Lets time pass: who has reached his age is dead, and who is dead for long enough is forgotten.
    pub(super) fn pass_time(&mut self, now: Instant) {
        while let Some((deadline, id)) =
            self.deadlines.first().filter(|(deadline, _)| *deadline < now).cloned()
        {
            match self.clients.get(&id).map(|client| client.state) {
                Some(State::Fresh { .. }) => self.enter(&id, State::Lapsed { since: deadline }),
                Some(State::Acknowledged { .. }) => self.enter(&id, State::Dead { since: deadline }),
                Some(State::Lapsed { .. } | State::Dead { .. }) => self.remove(&id),
                None => {
                    debug_assert!(false, "nobody has a deadline who is not on record");
                    self.deadlines.pop_first();
                }
            }
        }
    }

    /// Whoever is managed and stands in this book no more, or with another key, dies ("Managed clients").
    pub(super) fn follow(&mut self, now: Instant, book: &Clients) {
        let is_off = |(id, client): (&Arc<str>, &Client)| match &client.origin {
            Origin::Managed(key) if client.is_alive() && book.key(id) != Some(key) => Some(Arc::clone(id)),
            _ => None,
        };
        let mut off: Vec<_> = self.clients.iter().filter_map(is_off).collect();
        // The table has no order that would be the same each time.
        off.sort_unstable();
        for id in off {
            log::info!("residue: the managed client {id} is not in the book any more as it was");
            self.kill(now, &id);
        }
    }

    /// Makes room if all clients together have too many packets remembered: whoever has most of them forgets them all,
    /// the dead before the living. Who lives dies of it.
    pub(super) fn press(&mut self, now: Instant) {
        while self.remembered > self.settings.memory_limit {
            let remembering = self.clients.iter().filter(|(_, client)| client.marks.len() > 0);
            let weight = |client: &Client| (!client.is_alive(), client.marks.len(), client.life);
            let most = remembering.max_by_key(|(_, client)| weight(client));
            let Some(id) = most.map(|(id, _)| Arc::clone(id)) else { return };
            log::info!("residue: too many packets are remembered: client {id} has to begin anew");
            self.kill(now, &id);
            self.forget_marks(&id);
        }
    }

    /// Has the roll follow.
    pub(super) fn settle(&mut self, office: &mut dyn Office) {
        let mut joins = std::mem::take(&mut self.news.joins);
        let leaves = std::mem::take(&mut self.news.leaves);
        // Who has died in the meantime need not come.
        joins.retain(|(pass, _)| self.owner(pass).is_some_and(|client| client.is_acknowledged()));
        if joins.is_empty() && leaves.is_empty() {
            return;
        }
        let (passes, applicants): (Vec<_>, Vec<_>) = joins.into_iter().unzip();
        let members = office.change(applicants, leaves);
        debug_assert_eq!(members.len(), passes.len(), "everybody is let in");
        for (pass, member) in passes.iter().zip(members) {
            let state = self.owner(pass).map(|client| &mut client.state);
            if let Some(State::Acknowledged { seat, .. }) = state {
                *seat = Seat::Taken(member);
            }
        }
    }

    /// The connections that are to be closed.
    pub(super) fn take_closes(&mut self) -> Vec<Caller> {
        std::mem::take(&mut self.news.closes)
    }

    /// Makes room for one more from an address.
    fn make_room_at(&mut self, now: Instant, home: Option<Home>) {
        let limit = self.settings.clients_per_address;
        let Some(home) = home.filter(|home| limit > 0 && self.quiet.count(*home) >= limit) else { return };
        if let Some((_, id)) = self.quietest(Some(home)) {
            log::debug!("residue: client {id} gives way: there are too many of its address");
            self.kill(now, &id);
        }
    }

    /// Ends the life of which nothing was heard for longest, if that is long enough.
    fn silence(&mut self, now: Instant) -> Option<Arc<str>> {
        let (_, id) =
            self.quietest(None).filter(|(heard, _)| now.saturating_duration_since(*heard) >= QUIET)?;
        log::debug!("residue: client {id} gives way: there are too many");
        self.kill(now, &id);
        Some(id)
    }

    /// Of whom nothing was heard for longest, of all or of those of an address, and since when.
    fn quietest(&mut self, home: Option<Home>) -> Option<(Instant, Arc<str>)> {
        loop {
            let (listed, id) = self.quiet.first(home)?.clone();
            let client = self.clients.get_mut(&id)?;
            if client.heard == listed {
                return Some((listed, id));
            }
            // It was heard since it was put there.
            client.listed = client.heard;
            self.quiet.remove(listed, &id, client.home);
            self.quiet.add(client.heard, &id, client.home);
        }
    }

    /// Ends a life before its time. Its connections are closed, so that it begins anew.
    fn kill(&mut self, now: Instant, id: &Arc<str>) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let state = match client.state {
            State::Fresh { .. } => State::Lapsed { since: now },
            State::Acknowledged { .. } => State::Dead { since: now },
            State::Lapsed { .. } | State::Dead { .. } => return,
        };
        self.news.closes.extend(client.take_carriers());
        self.enter(id, state);
    }

    /// Gives a client another state.
    fn enter(&mut self, id: &Arc<str>, state: State) {
        self.unlist(id);
        if let Some(client) = self.clients.get_mut(id) {
            let old = std::mem::replace(&mut client.state, state);
            if !client.is_alive() {
                client.tokens = super::tokens::Tokens::default();
            }
            if !client.is_acknowledged() {
                self.vacate(old);
            }
        }
        self.list(id);
    }

    /// Takes a client off the record.
    fn remove(&mut self, id: &Arc<str>) {
        self.unlist(id);
        self.forget_marks(id);
        if let Some(client) = self.clients.remove(id) {
            self.vacate(client.state);
        }
    }

    fn forget_marks(&mut self, id: &Arc<str>) {
        if let Some(client) = self.clients.get_mut(id) {
            self.remembered -= client.marks.len();
            client.marks = Marks::default();
        }
    }

    /// Who was in this state is so no more. Who is still to come to the roll is looked at when it is his turn.
    fn vacate(&mut self, state: State) {
        if let State::Acknowledged { seat: Seat::Taken(member), .. } = state {
            self.news.leaves.push(member);
        }
    }

    fn list(&mut self, id: &Arc<str>) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if client.may_be_too_quiet() {
            client.listed = client.heard;
            self.quiet.add(client.listed, id, client.home);
        }
        self.deadlines.extend(client.deadline(&self.settings).map(|at| (at, Arc::clone(id))));
        self.ranks.extend(client.rank().map(|(rank, since)| (rank, since, Arc::clone(id))));
    }

    fn unlist(&mut self, id: &Arc<str>) {
        let Some(client) = self.clients.get(id) else { return };
        if client.may_be_too_quiet() {
            self.quiet.remove(client.listed, id, client.home);
        }
        if let Some(at) = client.deadline(&self.settings) {
            self.deadlines.remove(&(at, Arc::clone(id)));
        }
        if let Some((rank, since)) = client.rank() {
            self.ranks.remove(&(rank, since, Arc::clone(id)));
        }
    }
}

#[cfg(test)]
impl Registry {
    /// How many clients are on record, and how much is kept because of them.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let kept = self.deadlines.len() + self.ranks.len() + self.quiet.size() + self.remembered;
        (self.clients.len(), kept)
    }
}
