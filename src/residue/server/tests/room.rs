//! How much the server bears of what is small as it is sent.

use super::logs::{NOT_TAKEN, TAKEN, compressed, item};
use super::*;
use crate::residue::desk::{Port, Question};
use crate::residue::room::{LINES_LIMIT, ROOM};
use crate::session::{Answer, Ask, Event, Output};

/// Sends a packet, and holds what is to go to the clerk.
fn hold(guest: &mut Guest, world: &World, packet: &[u8]) -> Question {
    let mut out = Output::default();
    guest.session.receive(world.now, packet, world, &mut out).unwrap();
    loop {
        match out.take_ask() {
            Some(Ask::Toil(_)) => {
                guest.session.toil();
                out = Output::default();
                guest.session.handle(world.now, Event::Answer(Answer::Toiled), world, &mut out).unwrap();
            }
            Some(Ask::Clerk(paper)) => return *paper.downcast().unwrap(),
            ask => panic!("{ask:?}"),
        }
    }
}

/// A connection to the logging port that knows the client.
fn known(world: &mut World, client: &mut Client) -> Guest {
    let mut guest = Guest::at(world, Port::Log);
    assert_eq!(guest.hears(world, &client.seal(&item("x", ""))), TAKEN);
    guest
}

#[test]
fn the_lines_of_a_packet_have_only_so_much_room() {
    for format in [LineFormat::Text, LineFormat::Json] {
        let mut world = World::with(|settings| settings.line_format = format, |_| {});
        let mut client = Client::acknowledged(&mut world);
        let mut guest = known(&mut world, &mut client);
        // Each of them is six bytes in the line.
        let bomb = |length: usize| compressed(&item(&"\u{7f}".repeat(length), ""));
        let (fits, bomb) = (client.seal(&bomb(LINES_LIMIT / 6 - 100)), client.seal(&bomb(LINES_LIMIT / 6)));
        assert!(bomb.len() < 16_384);
        for _ in 0..17 {
            assert_eq!(guest.hears(&mut world, &bomb), NOT_TAKEN);
        }
        assert_eq!(guest.hears(&mut world, &fits), TAKEN);
        let length = world.files.text("app").len();
        assert!((LINES_LIMIT - 1000..LINES_LIMIT + 100).contains(&length), "{length}");
        assert_eq!(world.settings.room.taken(), 0, "what is written takes no room");
    }
}

#[test]
fn all_that_waits_for_the_clerk_has_only_so_much_room() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut held = Vec::new();
    for _ in 0..9 {
        let mut guest = known(&mut world, &mut client);
        let packet = client.seal(&compressed(&item(&"\u{7f}".repeat(2_700_000), "")));
        held.push((hold(&mut guest, &world, &packet), guest, packet));
    }
    let size = |question: &Question| match question {
        Question::Log { lines, .. } => lines.text.capacity(),
        _ => 0,
    };
    let sizes: Vec<_> = held.iter().map(|(question, ..)| size(question)).collect();
    let sum: usize = sizes.iter().sum();
    assert!(sum <= ROOM && sizes.iter().filter(|size| **size == 0).count() == 5, "{sizes:?}");
    assert_eq!(world.settings.room.taken(), sum);

    // Whoever found no room is told so, and may come again when there is some.
    let (question, mut guest, packet) = held.pop().unwrap();
    let answer = world.ask(guest.caller, Box::new(question));
    guest.happens(&mut world, Event::Answer(Answer::Clerk(answer)));
    assert_eq!(guest.replies().last(), Some(&NOT_TAKEN));
    assert!(!guest.closed);
    held.clear();
    assert_eq!(world.settings.room.taken(), 0, "whoever is gone leaves no lines behind");
    assert_eq!(guest.hears(&mut world, &packet), TAKEN);
}

#[test]
fn what_is_written_stays_so_where_there_is_no_room() {
    let mut world = World::with(|settings| settings.room = crate::residue::room::Room::new(2_000), |_| {});
    let (mut client, mut fresh) = (Client::acknowledged(&mut world), Client::fresh(&mut world));
    let mut guest = known(&mut world, &mut client);
    let (before, after) = (client.seal(&item("before", "")), client.seal(&item("after", "")));
    assert_eq!(guest.hears(&mut world, &before), TAKEN);
    let everything = world.settings.room.take(2_000).unwrap();
    assert_eq!(guest.hears(&mut world, &before), TAKEN);
    assert_eq!(guest.hears(&mut world, &after), NOT_TAKEN);
    let packet = fresh.seal(&item("x", ""));
    assert_eq!(Guest::at(&mut world, Port::Log).hears(&mut world, &packet), r#"{"r":2}"#);
    drop(everything);
    assert_eq!(guest.hears(&mut world, &after), TAKEN);
    assert_eq!(world.files.text("app").matches("after").count(), 1);
}
