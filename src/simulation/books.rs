//! What of a play outlives its daemon: the books of clerks, and what they have to say.

use std::sync::Arc;

use super::play::{Cast, Player};
use crate::session::{Clerk, Door};

type Clerks = Vec<(Vec<&'static str>, Box<dyn Clerk>)>;

/// The books of all doors that have any.
#[derive(Default)]
pub(super) struct Books {
    #[cfg(feature = "chapp")]
    maps: crate::chapp::clerk::tests::maps::Maps,
    #[cfg(feature = "chapp")]
    ledger: super::ledger::SharedLedger,
}

impl Books {
    /// The daemon is killed.
    pub(super) fn crash(&self) {
        #[cfg(feature = "chapp")]
        self.ledger.lock().forget_who_is_there();
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
    }
}
