//! What is answered to whom: the rows of the tables that are the clerk's.

use super::*;
use crate::residue::desk::Newcomer;
use world::Known;

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    Acknowledged,
    Lapsed,
    Dead,
}

const STAGES: [Stage; 4] = [Stage::Fresh, Stage::Acknowledged, Stage::Lapsed, Stage::Dead];

impl World {
    /// A client that has come so far; a managed one, if it has an ID.
    #[track_caller]
    fn client(&mut self, id: Option<&str>, stage: Stage) -> Pass {
        let pass = self.hello(id.map_or_else(unknown, managed));
        if matches!(stage, Stage::Acknowledged | Stage::Dead) {
            self.acknowledge(&pass);
        }
        match stage {
            Stage::Fresh | Stage::Acknowledged => {}
            Stage::Lapsed => self.pass(ACKNOWLEDGE_WITHIN + 1),
            Stage::Dead => self.pass(AGE + GRACE + 1),
        }
        pass
    }
}

#[test]
fn each_state_has_its_answer_to_an_acknowledgement_and_a_touch() {
    let refused = |error| Err(Told::Refused(error));
    let table = [
        (Stage::Fresh, None, Ok(()), refused(ConnectError::NotAcknowledged)),
        (Stage::Fresh, Some("manny"), Ok(()), refused(ConnectError::NotAcknowledged)),
        (Stage::Acknowledged, None, refused(ConnectError::AlreadyAcknowledged), Ok(())),
        (Stage::Acknowledged, Some("manny"), Ok(()), Ok(())),
        (Stage::Lapsed, None, refused(ConnectError::NotConnected), refused(ConnectError::Dead)),
        (Stage::Lapsed, Some("manny"), refused(ConnectError::NotConnected), refused(ConnectError::Dead)),
        (Stage::Dead, None, refused(ConnectError::NotConnected), refused(ConnectError::Dead)),
        (Stage::Dead, Some("manny"), refused(ConnectError::NotConnected), refused(ConnectError::Dead)),
    ];
    for (stage, id, to_acknowledge, to_touch) in table {
        let mut world = World::open();
        let pass = world.client(id, stage);
        let established = Told::Established(world.unix_time, AGE);
        let expected = to_touch.err().unwrap_or(established.clone());
        assert_eq!(world.try_with(|mark| touch(&pass, mark)), expected, "{stage:?} {id:?}");
        let expected = to_acknowledge.err().unwrap_or(established);
        assert_eq!(world.try_with(|mark| acknowledge(&pass, mark)), expected, "{stage:?} {id:?}");
        let is_there = expected != Told::Refused(ConnectError::NotConnected);
        assert_eq!(world.hall.names(), if is_there { vec![&*pass.id] } else { Vec::new() });
    }
}

#[test]
fn only_the_living_who_have_acknowledged_get_tokens_and_log() {
    for stage in STAGES {
        let mut world = World::open();
        let pass = world.client(None, stage);
        let is_served = stage == Stage::Acknowledged;
        let told = world.try_with(|mark| ask_token(&pass, mark, "disk", None));
        assert_eq!(matches!(told, Told::Token(_, 3600)), is_served, "{stage:?}: {told:?}");
        let checked = world.try_with(|mark| check_token(&pass, mark, "disk", "0000000000000001"));
        let error = if is_served { TokenError::Token } else { TokenError::Dead };
        assert_eq!(checked, Told::TokenRefused(error), "{stage:?}");
        assert!(is_served || told == checked, "{stage:?}: {told:?}");
        let told = world.try_with(|mark| log(&pass, mark, &[("disk", None, "line")]));
        assert_eq!(told, if is_served { Told::Logged } else { Told::NoClient }, "{stage:?}");
        assert_eq!(world.files.text("disk"), if is_served { "line\n" } else { "" }, "{stage:?}");
        let told = world.ask(Question::Unreadable { pass: pass.clone() });
        assert_eq!(told, if is_served { Told::Noted } else { Told::NoClient }, "{stage:?}");
    }
}

#[test]
fn a_packet_that_comes_again_is_refused_before_anything_else() {
    let invalid_request = Told::Refused(ConnectError::Invalid);
    for stage in STAGES {
        for first in [Port::Connect, Port::Token, Port::Log] {
            let mut world = World::open();
            let pass = world.client(None, stage);
            let mark = world.mark();
            let is_served = stage == Stage::Acknowledged;
            let noted = if first == Port::Log && !is_served { Told::NoClient } else { Told::Noted };
            assert_eq!(world.ask(invalid(&pass, mark, first)), noted);
            assert_eq!(world.ask(invalid(&pass, mark, first)), noted);
            assert_eq!(world.ask(acknowledge(&pass, mark)), invalid_request, "{stage:?}");
            assert_eq!(world.ask(touch(&pass, mark)), invalid_request, "{stage:?}");
            let no_logger = Told::TokenRefused(TokenError::NoLogger);
            assert_eq!(world.ask(ask_token(&pass, mark, "a", None)), no_logger, "{stage:?}");
            assert_eq!(world.ask(check_token(&pass, mark, "a", "b")), no_logger, "{stage:?}");
            // It was never written, and is not said to be.
            let told = world.ask(log(&pass, mark, &[("a", None, "line")]));
            assert_eq!(told, if is_served { Told::NotLogged } else { Told::NoClient }, "{stage:?}");
            assert_eq!(world.files.text("a"), "");
        }
    }
}

#[test]
fn whatever_was_answered_is_not_served_again() {
    let mut world = World::open();
    let pass = world.hello(unknown());
    let mark = world.mark();
    assert_eq!(world.ask(touch(&pass, mark)), Told::Refused(ConnectError::NotAcknowledged));
    assert_eq!(world.ask(acknowledge(&pass, mark)), Told::Refused(ConnectError::Invalid));
    world.acknowledge(&pass);
    for served in [touch, acknowledge, |pass: &Pass, mark| ask_token(pass, mark, "a", None)] {
        let mark = world.mark();
        let told = world.ask(served(&pass, mark));
        assert!(!matches!(told, Told::Refused(ConnectError::Invalid) | Told::TokenRefused(_)), "{told:?}");
        let told = world.ask(served(&pass, mark));
        let refusals = [Told::Refused(ConnectError::Invalid), Told::TokenRefused(TokenError::NoLogger)];
        assert!(refusals.contains(&told), "{told:?}");
    }
    // Another client's marks are its own.
    let other = world.acknowledged(unknown());
    assert!(matches!(world.ask(touch(&other, mark)), Told::Established(..)));
}

#[test]
fn a_new_client_gets_an_id_that_nobody_has() {
    let mut world = World::open();
    let first = world.hello(unknown());
    world.books.manage(&[("configuredconfig", 1)]);
    world.lot.look().ids.extend([first.id.to_string(), "configuredconfig".to_owned()]);
    let second = world.hello(unknown());
    assert!(second.id != first.id && &*second.id != "configuredconfig");
    assert!(second.life != first.life && second.key.to_hex() != first.key.to_hex());
    let known = [&first, &second].map(|pass| Told::Key(Some(Known::new(pass))));
    assert_eq!(world.ask(Question::Key { id: Box::from(&*first.id) }), known[0]);
    assert_eq!(world.ask(Question::Key { id: Box::from(&*second.id) }), known[1]);
    assert_eq!(world.ask(Question::Key { id: "manny".into() }), Told::Key(None));

    let taken = std::iter::repeat_n(first.id.to_string(), 100);
    world.lot.look().ids.extend(taken);
    assert_eq!(world.ask(unknown()), Told::Full, "there is an end to luck");
}

#[test]
fn keys_have_the_size_that_was_asked_for() {
    let mut world = World::open();
    let Question::Hello { who: manny, .. } = managed("manny") else { unreachable!() };
    for (who, id) in [(manny, true), (Newcomer::Unknown, false)] {
        for size in [KeySize::Bits128, KeySize::Bits192, KeySize::Bits256] {
            let pass = world.hello(Question::Hello { who: who.clone(), size });
            // A managed client that is alive has its key already.
            let expected = if id { KeySize::Bits128 } else { size };
            assert_eq!(pass.key.size(), expected, "{id} {size:?}");
        }
    }
}

#[test]
fn a_managed_client_keeps_its_key_while_it_lives() {
    let mut world = World::open();
    let first = world.hello(managed("manny"));
    world.pass(ACKNOWLEDGE_WITHIN - 1);
    assert_eq!(Known::new(&world.hello(managed("manny"))), Known::new(&first), "not acknowledged yet");
    world.acknowledge(&first);
    world.pass(AGE + GRACE);
    assert_eq!(Known::new(&world.hello(managed("manny"))), Known::new(&first));
    assert_eq!(world.hall.names(), ["manny"], "nothing else changes");
    world.pass(1);
    assert_eq!(world.try_with(|mark| touch(&first, mark)), Told::Refused(ConnectError::Dead));
    let second = world.hello(managed("manny"));
    assert_ne!(second.key.to_hex(), first.key.to_hex());
    assert_eq!(world.hall.names(), [""; 0]);

    // Whoever still has the old key hears of the new life.
    let changed = Told::Changed(Some(Known::new(&second)));
    assert_eq!(world.try_with(|mark| touch(&first, mark)), changed);
    assert_eq!(world.try_with(|mark| acknowledge(&first, mark)), changed);
    assert_eq!(world.try_with(|mark| invalid(&first, mark, Port::Log)), changed);
    assert_eq!(world.try_with(|mark| ask_token(&first, mark, "a", None)), changed);
    assert_eq!(world.try_with(|mark| check_token(&first, mark, "a", "b")), changed);
    assert_eq!(world.try_with(|mark| log(&first, mark, &[("a", None, "line")])), changed);
    world.acknowledge(&second);
    assert_eq!(world.hall.names(), ["manny"]);
}

#[test]
fn who_is_managed_no_more_dies_at_once() {
    let mut world = World::open();
    let passes = ["manny", "molly"].map(|id| world.acknowledged(managed(id)));
    let other = world.acknowledged(unknown());
    let mark = world.mark();
    assert_eq!(world.deal(vec![(7, invalid(&passes[0], mark, Port::Log))]), [(7, Told::Noted)]);
    // The same again, read from the files once more.
    world.books.manage(&[("manny", 1), ("molly", 2)]);
    world.tick();
    assert_eq!(world.hall.names().len(), 3);
    // One is taken out, and one has another key.
    world.books.manage(&[("molly", 1)]);
    let mut told = world.deal(Vec::new());
    told.sort_by_key(|(caller, _)| *caller);
    assert_eq!(told, [1, 1, 7].map(|caller| (caller, Told::CloseNow)));
    assert_eq!(world.hall.names(), [&*other.id]);
    for pass in &passes {
        assert_eq!(world.try_with(|mark| touch(pass, mark)), Told::Refused(ConnectError::Dead));
    }
    assert_eq!(world.ask(managed("manny")), Told::OtherKey(None));
    // Whoever has the key that was taken away gets nothing, even if the session has found it in the old book.
    assert_eq!(world.ask(managed_by("molly", 2)), Told::OtherKey(Some(1)));
    let again = world.hello(managed_by("molly", 1));
    assert_eq!(world.ask(managed_by("molly", 2)), Told::OtherKey(Some(1)));
    assert_ne!(again.key.to_hex(), passes[1].key.to_hex());
}

#[test]
fn an_id_that_becomes_managed_is_not_its_who_was_given_it() {
    let mut world = World::open();
    let given = world.acknowledged(unknown());
    world.books.manage(&[(&given.id, 1)]);
    let pass = world.hello(managed(&given.id));
    assert!(pass.life != given.life && pass.key.to_hex() != given.key.to_hex());
    assert_eq!(world.hall.names(), [""; 0]);
    assert_eq!(world.try_with(|mark| touch(&given, mark)), Told::Changed(Some(Known::new(&pass))));
}

#[test]
fn codes_give_tokens_for_their_loggers() {
    use TokenError::{AccessCode, NoLogger};
    let table = [
        (true, "any", None, Ok(3600)),
        (true, "any", Some(""), Ok(3600)),
        (true, "any", Some("default"), Ok(3600)),
        (true, "any", Some("Default"), Err(AccessCode)),
        (true, "any", Some("secret"), Err(AccessCode)),
        (true, "network", Some("secret"), Ok(3600)),
        (true, "network", Some("secret "), Err(AccessCode)),
        (true, "network", Some("for-ever"), Ok(0)),
        (true, "disk", Some("default"), Ok(3600)),
        (true, "not/a name", None, Err(NoLogger)),
        (false, "any", None, Err(AccessCode)),
        (false, "any", Some(""), Err(AccessCode)),
        (false, "any", Some("default"), Err(AccessCode)),
        (false, "network", Some(""), Err(AccessCode)),
        (false, "network", Some("for-ever"), Ok(0)),
        (false, "disk", Some("default"), Ok(60)),
        (false, "disk", Some("secret"), Err(AccessCode)),
    ];
    for (default_code, logger, code, expected) in table {
        let mut world = World::with(Settings { default_code, ..settings() });
        let pass = world.acknowledged(unknown());
        let told = world.try_with(|mark| ask_token(&pass, mark, logger, code));
        match expected {
            Err(error) => assert_eq!(told, Told::TokenRefused(error), "{logger} {code:?}"),
            Ok(life) => {
                let Told::Token(token, given) = told else { panic!("{logger} {code:?}: {told:?}") };
                assert_eq!(given, life, "{logger} {code:?}");
                let told = world.try_with(|mark| check_token(&pass, mark, logger, &token));
                assert_eq!(told, Told::TokenIsRight);
            }
        }
    }
}

#[test]
fn a_token_is_good_for_its_client_and_logger_and_time() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    let other = world.acknowledged(unknown());
    let token = world.token(&pass, "network", "secret");
    let wrong = Told::TokenRefused(TokenError::Token);
    let check = |world: &mut World, pass: &Pass, logger, token: &str, expected: &Told| {
        assert_eq!(world.try_with(|mark| check_token(pass, mark, logger, token)), *expected, "{logger}");
    };
    check(&mut world, &pass, "network", &token, &Told::TokenIsRight);
    check(&mut world, &pass, "disk", &token, &wrong);
    check(&mut world, &other, "network", &token, &wrong);
    check(&mut world, &pass, "network", "", &wrong);
    check(&mut world, &pass, "network", &token[..15], &wrong);
    world.pass(3600);
    check(&mut world, &pass, "network", &token, &Told::TokenIsRight);
    world.pass(1);
    check(&mut world, &pass, "network", &token, &wrong);
}

#[test]
fn without_random_bytes_nobody_gets_anything_new() {
    let mut world = World::open();
    let pass = world.acknowledged(managed("manny"));
    world.lot.look().is_dry = true;
    assert_eq!(world.ask(unknown()), Told::Full);
    assert_eq!(world.ask(managed("molly")), Told::Full);
    let told = world.try_with(|mark| ask_token(&pass, mark, "a", None));
    assert_eq!(told, Told::TokenRefused(TokenError::AccessCode));
    assert_eq!(Known::new(&world.hello(managed("manny"))), Known::new(&pass));
    world.lot.look().is_dry = false;
    world.hello(unknown());
}
