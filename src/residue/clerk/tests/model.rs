//! The clerk against a clerk who keeps everything in lists, and goes through all of them each time.

mod plain;

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{Known, Lot};
use super::*;
use crate::wire::random::Random;
use plain::Plain;

/// What somebody wants.
#[derive(Debug, Clone)]
struct Wish {
    from: u64,
    /// As whom, by which key; whoever only says hello has none of that.
    known: Option<Known>,
    mark: u64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Key(String),
    /// With the key that the book is thought to have, if it is managed.
    Hello(Option<(&'static str, u8)>),
    Acknowledge,
    Touch,
    Invalid(Port),
    AskToken(&'static str, Option<&'static str>),
    CheckToken(&'static str, String),
    Log(Vec<(&'static str, Option<String>, String)>),
}

/// How much time passes; most often none.
const SECONDS: [u64; 14] = [0, 1, 1, 60, 61, 120, 180, 299, 300, 301, 420, 520, 600, 601];
const MANAGED: [&str; 3] = ["manny", "molly", "mandy"];
const LOGGERS: [&str; 4] = ["network", "disk", "other", "default"];
const CODES: [Option<&str>; 5] = [None, Some("default"), Some("secret"), Some("for-ever"), Some("wrong")];

/// Where a connection comes from.
fn address(from: u64) -> SocketAddr {
    let hosts = [[127, 0, 0, 1], [192, 0, 2, 1], [192, 0, 2, 1], [192, 0, 2, 2]];
    SocketAddr::from((hosts[usize::try_from(from).unwrap() % 4], 4711))
}

impl Wish {
    fn question(&self) -> Question {
        let pass = self.known.as_ref().map(Known::pass);
        let mark = Mark(self.mark);
        match (&self.what, &pass) {
            (What::Key(id), _) => Question::Key { id: id.as_str().into() },
            (What::Hello(who), _) => who.map_or_else(unknown, |(id, key)| managed_by(id, key)),
            (What::Acknowledge, Some(pass)) => acknowledge_from(pass, mark, address(self.from)),
            (What::Touch, Some(pass)) => touch(pass, mark),
            (What::Invalid(port), Some(pass)) => invalid(pass, mark, *port),
            (What::AskToken(logger, code), Some(pass)) => ask_token(pass, mark, logger, *code),
            (What::CheckToken(logger, token), Some(pass)) => check_token(pass, mark, logger, token),
            (What::Log(lines), Some(pass)) => {
                let lines: Vec<_> = lines
                    .iter()
                    .map(|(logger, token, line)| (*logger, token.as_deref(), line.as_str()))
                    .collect();
                log(pass, mark, &lines)
            }
            (_, None) => unreachable!("{self:?}"),
        }
    }
}

/// All that was ever heard of: whoever asks has it from there.
#[derive(Default)]
struct Heard {
    passes: Vec<Known>,
    /// Whose they are, and for which logger.
    tokens: Vec<(Option<Known>, &'static str, String)>,
}

impl Heard {
    fn note(&mut self, told: &Told, wishes: &[Wish], to: u64) {
        match told {
            Told::Hello(known) if !self.passes.contains(known) => self.passes.push(known.clone()),
            Told::Token(token, _) => {
                // It may have been another one of the same connection: then it is a wrong token.
                let asked = wishes.iter().filter(|wish| wish.from == to).find_map(|wish| match wish.what {
                    What::AskToken(logger, _) => Some((wish.known.clone(), logger)),
                    _ => None,
                });
                self.tokens.extend(asked.map(|(known, logger)| (known, logger, token.clone())));
            }
            _ => {}
        }
    }

    /// Somebody wants something; the newer a client is, the likelier it is that one.
    fn wish(&self, random: &mut Random) -> Wish {
        let from = random.below(9) as u64;
        let mark = random.below(100) as u64;
        let reach = 1 + random.below(8);
        let back = random.below(reach) + 1;
        let known = self.passes.len().checked_sub(back).map(|index| self.passes[index].clone());
        let what = match (random.below(40), &known) {
            (0, Some(known)) => What::Key(known.id.clone()),
            (0..=2, _) | (_, None) => What::Hello(None),
            (3..=4, _) => What::Hello(Some((MANAGED[random.below(3)], 1 + u8::from(random.below(3) == 0)))),
            (5..=12, _) => What::Acknowledge,
            (13..=17, _) => What::Touch,
            (18, _) => What::Invalid([Port::Connect, Port::Token, Port::Log][random.below(3)]),
            (19..=23, _) => What::AskToken(LOGGERS[random.below(4)], CODES[random.below(5)]),
            (24..=25, Some(known)) => {
                let (logger, token) = self.token(random, known);
                What::CheckToken(logger, token.unwrap_or_default())
            }
            (_, Some(known)) => {
                What::Log((0..1 + random.below(3)).map(|_| self.line(random, known)).collect())
            }
        };
        Wish { from, known, mark, what }
    }

    fn line(&self, random: &mut Random, known: &Known) -> (&'static str, Option<String>, String) {
        let (logger, token) = self.token(random, known);
        (logger, token, format!("line {}", random.below(1000)))
    }

    /// A token and its logger, most often one of that client's.
    fn token(&self, random: &mut Random, known: &Known) -> (&'static str, Option<String>) {
        let is_own = |owner: &Option<Known>| owner.as_ref() == Some(known);
        let own: Vec<_> = self.tokens.iter().filter(|(owner, ..)| is_own(owner)).collect();
        let any = LOGGERS[random.below(4)];
        match (random.below(8), own.last(), self.tokens.last()) {
            (0, ..) => (any, None),
            (1, _, Some((_, _, token))) => (any, Some(token.clone())),
            (_, Some((_, logger, token)), _) => (*logger, Some(token.clone())),
            _ => (any, None),
        }
    }
}

#[test]
fn it_does_what_one_does_who_goes_through_all_of_it() {
    let mut counts = BTreeMap::new();
    for seed in 0..120 {
        play(seed, &mut counts);
    }
    // Nothing of what can happen is rare.
    assert_eq!(counts.len(), 24, "{counts:?}");
    assert!(counts.values().all(|count| *count > 20), "{counts:?}");
}

/// What somebody was told, without what is different each time.
fn kind(told: &Told) -> String {
    let text = format!("{told:?}");
    match told {
        Told::Refused(_) | Told::TokenRefused(_) => text,
        Told::Key(known) | Told::Changed(known) => format!("{} {}", &text[..3], known.is_some()),
        _ => text.split('(').next().unwrap_or_default().to_owned(),
    }
}

fn play(seed: u64, counts: &mut BTreeMap<String, usize>) {
    let mut random = Random::new(seed + 1);
    let settings = Settings {
        age: [0, 300, 400][random.below(3)],
        tolerance: [120, 120, 600][random.below(3)],
        require_token: random.below(3) == 0,
        default_code: random.below(4) != 0,
        clients_limit: 3 + random.below(5),
        clients_per_address: [0, 1, 2][random.below(3)],
        client_memory: 5 + random.below(30),
        memory_limit: 20 + random.below(60),
    };
    let mut world = World::with(settings.clone());
    let mut plain = Plain::new(settings);
    let mut heard = Heard::default();
    for step in 0..150 {
        let seconds = SECONDS[random.below(30).saturating_sub(16)];
        world.pass(seconds);
        if random.below(25) == 0 {
            let book: Vec<_> = MANAGED.iter().map(|id| (*id, 1 + u8::from(random.below(4) == 0))).collect();
            let book = &book[..random.below(4)];
            world.books.manage(book);
            plain.book = book.to_vec();
        }
        let is_dry = random.below(20) == 0;
        world.lot.look().is_dry = is_dry;
        plain.lot.look().is_dry = is_dry;
        let faults: Vec<bool> = (0..10).map(|_| random.below(6) != 0).collect();
        world.files.look().faults = faults.iter().copied().collect();

        let wishes: Vec<_> = (0..random.below(10)).map(|_| heard.wish(&mut random)).collect();
        let told = world.deal(wishes.iter().map(|wish| (wish.from, wish.question())).collect());
        let expected = plain.deal(world.now, world.unix_time, &wishes, &faults);
        assert_eq!(told, expected, "seed {seed}, step {step}: {wishes:?}");
        assert_eq!(world.hall.names(), plain.names(world.now), "seed {seed}, step {step}");
        assert_eq!(world.files.look().texts, plain.texts, "seed {seed}, step {step}");
        for (to, told) in &told {
            heard.note(told, &wishes, *to);
            *counts.entry(kind(told)).or_default() += 1;
        }
    }
    // In the end nobody is left.
    world.books.manage(&[]);
    if world.clerk.registry.settings().age != 0 {
        world.now += Duration::from_secs(3_000);
        world.deal(Vec::new());
        assert_eq!((world.hall.names(), world.clerk.registry.sizes()), (Vec::new(), (0, 0)), "seed {seed}");
    }
}
