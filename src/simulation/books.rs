//! What of a play outlives its daemon: the books of clerks, and what they have to say.

use std::sync::Arc;

use super::play::{Cast, Player};
use super::scene::Scene;
use crate::session::{Clerk, Door};

type Clerks = Vec<(Vec<&'static str>, Box<dyn Clerk>)>;

/// The books of all doors that have any.
pub(super) struct Books {
    #[cfg(feature = "chapp")]
    maps: crate::chapp::clerk::tests::maps::Maps,
    #[cfg(feature = "chapp")]
    ledger: super::ledger::SharedLedger,
    #[cfg(feature = "residue")]
    residue: super::residue::House,
}

impl Books {
    /// Empty ones for the play of this seed.
    pub(super) fn new(_seed: u64, _pace: u32) -> Self {
        Self {
            #[cfg(feature = "chapp")]
            maps: crate::chapp::clerk::tests::maps::Maps::default(),
            #[cfg(feature = "chapp")]
            ledger: super::ledger::SharedLedger::default(),
            #[cfg(feature = "residue")]
            residue: super::residue::House::new(_seed, _pace),
        }
    }

    /// The daemon is about to be killed in the middle of something.
    pub(super) fn sicken(&self) {
        #[cfg(feature = "residue")]
        self.residue.sicken();
    }

    /// What has to be so after each step.
    pub(super) fn check(&self, _scene: &Scene) {
        #[cfg(feature = "residue")]
        self.residue.check(_scene);
    }

    /// The daemon is killed.
    pub(super) fn crash(&self) {
        #[cfg(feature = "chapp")]
        self.ledger.lock().forget_who_is_there();
        #[cfg(feature = "residue")]
        self.residue.crash();
    }

    /// Nobody is there any more, of which the clerks have heard.
    pub(super) fn close(&self) {
        #[cfg(feature = "chapp")]
        assert!(self.ledger.lock().is_nobody_there(), "the clerk still takes somebody for present");
    }

    /// Adds the doors besides LEKT's, and says who keeps their books.
    pub(super) fn open(&self, doors: &mut Vec<Arc<dyn Door>>) -> Clerks {
        let mut clerks: Clerks = Vec::new();
        #[cfg(feature = "chapp")]
        {
            use crate::chapp::server::ChappDoor;
            doors.push(Arc::new(ChappDoor));
            let witness = super::ledger::Witness::new(self.maps.clone(), Arc::clone(&self.ledger), 12);
            clerks.push((vec![ChappDoor::NAME], Box::new(witness)));
        }
        #[cfg(feature = "fmltp")]
        {
            use crate::fmltp::server::{FmltpDoor, Settings};
            // Everybody may be slow here.
            let step_limit = std::time::Duration::from_secs(60);
            doors.push(Arc::new(FmltpDoor::new(Settings { step_limit, ..Settings::default() })));
        }
        #[cfg(feature = "residue")]
        clerks.push(self.residue.open(doors));
        clerks
    }

    /// Who comes to them.
    pub(super) fn players(&self, cast: &Cast, players: &mut Vec<Box<dyn Player>>) {
        #[cfg(feature = "chapp")]
        for number in 0..cast.chapp {
            players.push(Box::new(super::chapp::Person::new(number, Arc::clone(&self.ledger))));
        }
        #[cfg(feature = "fmltp")]
        for _ in 0..cast.fmltp {
            players.push(Box::new(super::fmltp::Listener::new()));
        }
        #[cfg(feature = "residue")]
        for number in 0..cast.residue {
            players.push(Box::new(super::residue::Program::new(number, &self.residue)));
        }
    }
}
