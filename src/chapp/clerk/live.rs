//! Who is there: the connections that have a name now, and what was changed about them since it was last settled.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::chapp::name::Name;
use crate::session::Caller;

/// The connections that have a name. Each has one at the most, and each name has one connection at the most.
#[derive(Default)]
pub(super) struct Live {
    by_name: BTreeMap<Name, Caller>,
    by_caller: HashMap<Caller, Name>,
    /// What can be undone, the newest last.
    steps: Vec<Step>,
}

enum Step {
    Bound(Name, Caller),
    Unbound(Name, Caller),
}

/// A moment to which [`Live::undo_to`] goes back.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize);

impl Live {
    /// The connection that has this name.
    pub(super) fn caller(&self, name: &Name) -> Option<Caller> {
        self.by_name.get(name).copied()
    }

    /// The name of this connection.
    pub(super) fn name(&self, caller: Caller) -> Option<&Name> {
        self.by_caller.get(&caller)
    }

    /// The names that come after this one, in their order.
    pub(super) fn after(&self, name: Option<&Name>) -> impl Iterator<Item = &Name> {
        let first = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_name.range::<Name, _>((first, Bound::Unbounded)).map(|(name, _)| name)
    }

    /// Gives the name to the connection, which leaves the one it had; and whoever had this one has none.
    pub(super) fn bind(&mut self, caller: Caller, name: &Name) {
        self.unbind(caller);
        self.caller(name).into_iter().for_each(|other| self.unbind(other));
        self.insert(name.clone(), caller);
        self.steps.push(Step::Bound(name.clone(), caller));
    }

    /// Takes its name from the connection, if it has one.
    pub(super) fn unbind(&mut self, caller: Caller) {
        if let Some(name) = self.by_caller.remove(&caller) {
            self.by_name.remove(&name);
            self.steps.push(Step::Unbound(name, caller));
        }
    }

    /// Now.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.steps.len())
    }

    /// Undoes what was changed since then.
    pub(super) fn undo_to(&mut self, mark: Mark) {
        for step in self.steps.split_off(mark.0).into_iter().rev() {
            match step {
                Step::Bound(name, caller) => {
                    self.by_name.remove(&name);
                    self.by_caller.remove(&caller);
                }
                Step::Unbound(name, caller) => self.insert(name, caller),
            }
        }
    }

    /// From now on nothing that was changed before can be undone.
    pub(super) fn settle(&mut self) {
        self.steps.clear();
    }

    fn insert(&mut self, name: Name, caller: Caller) {
        self.by_caller.insert(caller, name.clone());
        self.by_name.insert(name, caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_settled_is_undone() {
        let [ann, bob] = ["ann", "bob"].map(|name| Name::parse(name).unwrap());
        let [one, two] = [1, 2].map(Caller);
        let mut live = Live::default();
        live.bind(one, &ann);
        live.settle();
        let start = live.mark();
        live.bind(two, &bob);
        let later = live.mark();
        live.bind(two, &ann);
        live.bind(one, &bob);
        assert_eq!((live.caller(&ann), live.caller(&bob)), (Some(two), Some(one)));
        live.undo_to(later);
        assert_eq!((live.caller(&ann), live.caller(&bob)), (Some(one), Some(two)));
        assert_eq!((live.name(one), live.name(two)), (Some(&ann), Some(&bob)));
        live.unbind(one);
        live.undo_to(start);
        assert_eq!((live.caller(&ann), live.caller(&bob)), (Some(one), None));
        assert_eq!((live.name(one), live.name(two)), (Some(&ann), None));
        assert!(live.after(None).eq([&ann]) && live.after(Some(&ann)).next().is_none());
    }
}
