//! The doors of Residue, their clerk, and by which rules they go.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::MANAGED;
use super::files::{Files, Mortal};
use super::record::{Record, Rules, SharedRecord};
use crate::residue::books::{ClientBook, Clients, CodeBook, Codes};
use crate::residue::clerk::{self, Desk, ResidueClerk, SystemSource};
use crate::residue::pair::PrivateKey;
use crate::residue::reply::Flags;
use crate::residue::server::{ConnectDoor, LogDoor, RATION, Settings, TokenDoor};
use crate::session::{Clerk, Door, Ration};
use crate::simulation::scene::Scene;
use crate::wire::random::Random;

/// The key of everybody: to find another one each time would take longer than to play.
pub(super) static PAIR: LazyLock<PrivateKey> = LazyLock::new(|| {
    PrivateKey::from_pem(include_bytes!("../../../tests/vectors/rsa1024.pem"), None).unwrap()
});

/// What of Residue outlives the daemon.
pub(in crate::simulation) struct House {
    pub(super) record: SharedRecord,
    shelf: Arc<Shelf>,
    settings: Settings,
}

/// The books of managed clients and of access codes.
struct Shelf {
    clients: Arc<Clients>,
    codes: Arc<Codes>,
}

impl ClientBook for Shelf {
    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients)
    }
}

impl CodeBook for Shelf {
    fn codes(&self) -> Arc<Codes> {
        Arc::clone(&self.codes)
    }
}

impl House {
    /// A house in which all that takes time takes so many times longer than in others.
    pub(in crate::simulation) fn new(seed: u64, pace: u32) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) + 3);
        let slow = u64::from(pace);
        let rules = Rules {
            age: [0, 3, 6][random.below(3)] * slow,
            grace: [0, 1][random.below(2)] * slow,
            memory: [usize::MAX, usize::MAX, 12][random.below(3)],
            needs_token: random.below(3) == 0,
            default_code: random.below(2) == 0,
            short_life: 2 * slow,
            tolerance: [u64::MAX, u64::MAX, 300][random.below(3)],
            idle: crate::simulation::SECOND * pace,
        };
        let mut clients = Clients::default();
        MANAGED.iter().for_each(|id| clients.add(id, PAIR.public()).unwrap());
        let codes = format!("network secret\ndisk code {}", rules.short_life);
        let shelf =
            Arc::new(Shelf { clients: Arc::new(clients), codes: Arc::new(Codes::parse(&codes).unwrap()) });
        let mut flags = Flags::default().0;
        flags ^= if random.below(2) == 0 { Flags::COMPRESSION } else { 0 };
        flags |= if rules.needs_token { Flags::REQUIRES_TOKEN } else { 0 };
        let scarce = Ration { interval: Duration::from_millis(50), burst: 20 };
        let settings = Settings {
            key: Some(Arc::new(PAIR.clone())),
            clients: Arc::clone(&shelf) as Arc<dyn ClientBook>,
            flags: Flags(flags),
            tolerance: rules.tolerance,
            ration: [RATION, scarce][random.below(2)],
            ..Settings::default()
        };
        let record = Arc::new(parking_lot::Mutex::new(Record::new(seed, rules, Instant::now())));
        Self { record, shelf, settings }
    }

    pub(in crate::simulation) fn sicken(&self) {
        self.record.lock().sicken();
    }

    pub(in crate::simulation) fn crash(&self) {
        self.record.lock().crash();
    }

    pub(in crate::simulation) fn check(&self, scene: &Scene) {
        self.record.lock().check(scene);
    }

    /// Adds the doors, in this order, and says which they are, and who keeps their books.
    pub(in crate::simulation) fn open(
        &self,
        doors: &mut Vec<Arc<dyn Door>>,
    ) -> (Vec<&'static str>, Box<dyn Clerk>) {
        let settings = Arc::new(self.settings.clone());
        doors.push(Arc::new(ConnectDoor::new(Arc::clone(&settings))));
        doors.push(Arc::new(TokenDoor::new(Arc::clone(&settings))));
        doors.push(Arc::new(LogDoor::new(settings)));
        let desk = Desk {
            clients: Arc::clone(&self.shelf) as Arc<dyn ClientBook>,
            codes: Arc::clone(&self.shelf) as Arc<dyn CodeBook>,
            source: Box::new(SystemSource),
        };
        let rules = &self.record.lock().rules;
        let settings = clerk::Settings {
            age: rules.age,
            tolerance: rules.grace,
            require_token: rules.needs_token,
            default_code: rules.default_code,
            client_memory: rules.memory,
            ..clerk::Settings::default()
        };
        let clerk = ResidueClerk::new(settings, desk, Files(Arc::clone(&self.record)));
        let mortal = Mortal { clerk, record: Arc::clone(&self.record) };
        (vec![ConnectDoor::NAME, TokenDoor::NAME, LogDoor::NAME], Box::new(mortal))
    }
}
