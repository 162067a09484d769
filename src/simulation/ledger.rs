//! What the clerk of chapp has to know, and a witness who sees that he does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::chapp::clerk::tests::maps::{Fault, Maps};
use crate::chapp::clerk::{ChappClerk, Settings};
use crate::chapp::desk::{Question, Verdict};
use crate::chapp::message::Message;
use crate::chapp::name::Name;
use crate::roll::{Applicant, Member};
use crate::session::{Caller, Case, Clerk, Letter, Matter, Moment, Office};

/// Whose names are, who is there, and all messages to each name, as plainly as it can be said.
#[derive(Default)]
pub(super) struct Ledger {
    owners: BTreeMap<Name, IpAddr>,
    live: BTreeMap<Name, Caller>,
    messages: BTreeMap<Name, Vec<String>>,
}

pub(super) type SharedLedger = Arc<Mutex<Ledger>>;

impl Ledger {
    /// The texts of all messages to this name, oldest first.
    pub(super) fn messages(&self, name: &Name) -> &[String] {
        self.messages.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether nobody has a name now.
    pub(super) fn is_nobody_there(&self) -> bool {
        self.live.is_empty()
    }

    /// The daemon begins anew.
    pub(super) fn forget_who_is_there(&mut self) {
        self.live.clear();
    }

    fn leave(&mut self, caller: Caller) {
        self.live.retain(|_, other| *other != caller);
    }

    fn become_(&mut self, caller: Caller, name: &Name, messages: &[u8]) {
        self.leave(caller);
        self.live.insert(name.clone(), caller);
        let told = Message::parse_list(std::str::from_utf8(messages).unwrap()).unwrap();
        let told: Vec<_> = told.iter().map(|message| &*message.text).collect();
        assert_eq!(told, self.messages(name), "the messages to {name:?}");
    }

    fn is_owner(&self, name: &Name, address: IpAddr) -> bool {
        self.owners.get(name) == Some(&address)
    }

    /// Sees whether the verdict is right.
    fn judge(&mut self, from: Caller, question: Question, verdict: &Verdict) {
        match (question, verdict) {
            (Question::Connect { address, username }, Verdict::Connected { name, messages }) => {
                assert!(
                    self.is_owner(name, address) && username.is_none_or(|wanted| wanted == *name),
                    "{name:?}"
                );
                self.become_(from, name, messages);
            }
            (Question::Connect { address, username }, Verdict::NotFound) => {
                let found = username.map_or_else(
                    || self.owners.values().any(|owner| *owner == address),
                    |name| self.is_owner(&name, address),
                );
                assert!(!found, "a name was not found that was on file");
            }
            (Question::Introduce { address, .. }, Verdict::Introduced { name, messages }) => {
                let owner = *self.owners.entry(name.clone()).or_insert(address);
                assert_eq!(owner, address, "{name:?} is somebody else's");
                assert!(
                    self.live.get(name).is_none_or(|caller| *caller == from),
                    "{name:?} is somebody else"
                );
                self.become_(from, name, messages);
            }
            (Question::Introduce { address, name }, Verdict::Refused) => {
                let is_others = self.owners.get(&name).is_some_and(|owner| *owner != address);
                let is_there = self.live.get(&name).is_some_and(|caller| *caller != from);
                assert!(is_others || is_there, "{name:?} was to be had");
            }
            (Question::Post { from: sender, to, message, .. }, Verdict::Posted { .. }) => {
                assert_eq!(self.live.get(&sender), Some(&from), "{sender:?} is somebody else");
                self.messages.entry(to).or_default().push(message.into());
            }
            (Question::Goodbye { .. }, Verdict::Gone) => self.leave(from),
            (_, Verdict::Failed) => {}
            (question, verdict) => panic!("{verdict:?} is no answer to {question:?}"),
        }
    }
}

/// A clerk whom somebody watches, and whose books fail now and then.
pub(super) struct Witness {
    clerk: ChappClerk<Maps>,
    ledger: SharedLedger,
    maps: Maps,
    dealt: u64,
    /// One in so many transactions fails.
    fails: u64,
}

impl Witness {
    pub(super) fn new(maps: Maps, ledger: SharedLedger, fails: u64) -> Self {
        let settings =
            Settings { name_days: 0, message_days: u32::MAX, ..Settings::new(|_| "now".to_owned()) };
        Self { clerk: ChappClerk::new(settings, maps.clone()), ledger, maps, dealt: 0, fails }
    }
}

impl Clerk for Witness {
    fn deal(&mut self, moment: Moment, cases: Vec<Case>, office: &mut dyn Office) {
        self.dealt += 1;
        if !cases.is_empty() && self.dealt.is_multiple_of(self.fails) {
            self.maps.fail(Fault::Commit);
        }
        let note = |case: &Case| match &case.matter {
            Matter::Ask(paper) => (case.from, paper.downcast_ref::<Question>().cloned()),
            Matter::Gone => (case.from, None),
        };
        let asked: Vec<_> = cases.iter().map(note).collect();
        let mut ear = Ear { office, verdicts: Vec::new() };
        self.clerk.deal(moment, cases, &mut ear);
        self.maps.fail(Fault::None);
        let mut verdicts = ear.verdicts.into_iter();
        let mut ledger = self.ledger.lock();
        for (from, question) in asked {
            match question {
                None => ledger.leave(from),
                Some(question) => {
                    let (to, verdict) = verdicts.next().expect("everybody is answered");
                    assert_eq!(to, from, "somebody else is answered");
                    ledger.judge(from, question, &verdict);
                }
            }
        }
        assert!(verdicts.next().is_none(), "somebody is answered who has not asked");
    }
}

/// Hears what the clerk says.
struct Ear<'a> {
    office: &'a mut dyn Office,
    verdicts: Vec<(Caller, Verdict)>,
}

impl Office for Ear<'_> {
    fn send(&mut self, letter: Letter) {
        if letter.asked_for {
            let verdict = letter.paper.downcast_ref::<Verdict>().expect("a verdict");
            self.verdicts.push((letter.to, verdict.clone()));
        }
        self.office.send(letter);
    }

    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member> {
        self.office.change(joins, leaves)
    }
}
