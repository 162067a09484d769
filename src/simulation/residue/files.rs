//! The log files, and a clerk who can be killed while he writes.

use super::record::SharedRecord;
use crate::residue::clerk::ResidueClerk;
use crate::residue::store::{LogStore, Packet, StoreError};
use crate::roll::{Applicant, Member};
use crate::session::{Case, Clerk, Letter, Moment, Office};

/// The log files.
#[derive(Clone)]
pub(super) struct Files(pub(super) SharedRecord);

impl LogStore for Files {
    fn loggers(&mut self) -> Vec<Box<str>> {
        Vec::new()
    }

    fn append(&mut self, packets: &[Packet]) -> Vec<Result<(), StoreError>> {
        let mut record = self.0.lock();
        let outcomes = packets.iter().map(|packet| record.write(packet)).collect();
        record.outlive();
        outcomes
    }
}

/// A clerk who can be killed while he writes.
pub(super) struct Mortal {
    pub(super) clerk: ResidueClerk<Files>,
    pub(super) record: SharedRecord,
}

impl Clerk for Mortal {
    fn deal(&mut self, moment: Moment, cases: Vec<Case>, office: &mut dyn Office) {
        self.record.lock().now = moment.now;
        self.clerk.deal(moment, cases, &mut Ear { office, record: &self.record });
    }
}

/// Passes on what the clerk says as long as he lives.
struct Ear<'a> {
    office: &'a mut dyn Office,
    record: &'a SharedRecord,
}

impl Office for Ear<'_> {
    fn send(&mut self, letter: Letter) {
        if self.record.lock().is_heard() {
            self.office.send(letter);
        }
    }

    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member> {
        self.office.change(joins, leaves)
    }
}
