//! The whole house in one thread, driven by a seed: real sessions, loops, roll and journal, a clerk with his books, and
//! clients who come, talk, and get lost in every way; made-up are time, network, and the order in which threads get to
//! do something. After each step it is held against a model.
//!
//! `ROLLCALL_SEED` repeats one play, `ROLLCALL_SEEDS` says how many there are. What a door needs to take part is a
//! module here with clients of its own, who say what they find wrong: see [`Player`].

mod books;
#[cfg(feature = "chapp")]
mod chapp;
#[cfg(feature = "fmltp")]
mod fmltp;
#[cfg(feature = "chapp")]
mod ledger;
mod lekt;
mod play;
#[cfg(feature = "residue")]
mod residue;
mod scene;
mod trail;

use std::time::Duration;

use play::{Cast, Fate, Manner, Play};

/// How many plays there are if nobody says otherwise.
const SEEDS: u64 = 10_000;
/// How many threads play.
const THREADS: u64 = 2;

#[test]
fn whatever_happens_the_roll_is_as_everybody_is_told() {
    if let Some(seed) = number("ROLLCALL_SEED") {
        Play::new(seed, Cast::of(seed)).run();
        return;
    }
    let (seeds, first) =
        (number("ROLLCALL_SEEDS").unwrap_or(SEEDS), number("ROLLCALL_FIRST_SEED").unwrap_or(0));
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for seed in (first + thread..first + seeds).step_by(THREADS as usize) {
                    Play::new(seed, Cast::of(seed)).run();
                }
            });
        }
    });
    println!("{seeds} seeds in {:.1} s", began.elapsed().as_secs_f32());
}

#[test]
fn a_seed_plays_the_same_again() {
    for seed in (0..40).chain([number("ROLLCALL_SEED").unwrap_or(7)]) {
        let play = || Play::new(seed, Cast { fmltp: 1, ..Cast::of(seed) }).run();
        assert_eq!(play(), play(), "seed {seed}");
    }
}

/// For 100 days the clock of the process goes on, past 2^31 and 2^32 milliseconds, and the clock on the wall jumps by
/// years; nobody is missed who says a word now and then, nor who need not.
#[test]
fn who_stays_for_a_hundred_days_is_still_there() {
    for seed in 0..3 {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let cast = Cast {
            manner: Manner::Loyal,
            lekt: 3,
            chapp: 2 * usize::from(cfg!(feature = "chapp")),
            fmltp: usize::from(cfg!(feature = "fmltp")),
            residue: 0,
            fate: Fate::GoesOn,
            length: days(100),
            uptime: Duration::ZERO,
            journal: 4096,
        };
        Play::new(seed, cast).run();
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

const SECOND: Duration = Duration::from_secs(1);
