//! Who is on the roll, and how many of them there is room for.

use super::*;
use crate::roll::{Applicant, Sequence};

struct World(Roll);

impl View for World {
    fn unix_time(&self) -> i64 {
        0
    }

    fn sequence(&self) -> Sequence {
        self.0.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.0);
    }
}

fn world(clients: &[(&'static str, &str, Option<&str>)]) -> World {
    let mut roll = Roll::new(1);
    for &(door, address, name) in clients {
        let (address, name) = (address.parse().unwrap(), name.map(Into::into));
        roll.join(Applicant { door, address, name, listing: None, since: 0 });
    }
    World(roll)
}

#[test]
fn everybody_is_told_by_number_whatever_the_door() {
    let world = world(&[
        ("lekt", "10.0.0.1:7890", None),
        ("fmltp", "[2001:db8::1]:1", Some("alice")),
        ("chapp", "[::ffff:10.0.0.2]:65535", Some("a b\tc\u{a0}\u{2003}\u{85}\0é")),
        ("residue", "127.0.0.1:5", Some("")),
    ]);
    let expected = "200 4 clients.\r\n\
        1 lekt 10.0.0.1:7890 -\r\n\
        2 fmltp [2001:db8::1]:1 alice\r\n\
        3 chapp 10.0.0.2:65535 a?b?c????é\r\n\
        4 residue 127.0.0.1:5 -\r\n";
    assert_eq!(who(&world), expected);
    assert_eq!(who(&World(Roll::new(1))), "200 0 clients.\r\n");
}

#[test]
fn whoever_took_the_place_of_another_stands_by_his_own_number() {
    let mut world = world(&[]);
    let mut join = |port: u16| {
        let address = SocketAddr::from(([10, 0, 0, 1], port));
        world.0.join(Applicant { door: "fmltp", address, name: None, listing: None, since: 0 })
    };
    let (first, _) = (join(1), join(2));
    world.0.leave(first);
    let address = SocketAddr::from(([10, 0, 0, 1], 3));
    world.0.join(Applicant { door: "fmltp", address, name: None, listing: None, since: 0 });
    assert_eq!(who(&world), "200 2 clients.\r\n2 fmltp 10.0.0.1:2 -\r\n3 fmltp 10.0.0.1:3 -\r\n");
}

/// As many lines as fit, found in the plainest way: for every number of lines, whether they fit.
fn plainest(world: &World) -> String {
    let mut rows: Vec<Row> = world.0.entries().map(Row::new).collect();
    rows.sort_by_key(|row| row.id);
    let count = rows.len();
    let lines: Vec<String> = rows.iter().take(2000).map(Row::line).collect();
    let text =
        |shown: usize| format!("200 {count} clients.\r\n{}{}", lines[..shown].concat(), more(count - shown));
    (0..=lines.len()).rev().map(text).find(|text| text.len() <= WHO_LIMIT).unwrap()
}

#[test]
fn the_answer_ends_at_32_kib_with_the_number_of_those_left_out() {
    for count in [1160, 1170, 1180, 1190, 1200, 2000, 20_000] {
        let mut world = world(&[]);
        for port in 0..count {
            let address = SocketAddr::from(([10, 0, 0, 1], 10_000 + port));
            world.0.join(Applicant { door: "fmltp", address, name: None, listing: None, since: 0 });
        }
        let text = who(&world);
        assert!(text.len() <= WHO_LIMIT, "{count} clients: {} bytes", text.len());
        assert!(text == plainest(&world), "{count} clients");
        assert_eq!(text.ends_with(" more.\r\n"), text.lines().count() < 1 + usize::from(count));
    }
}

/// At the edge, byte by byte: the last name grows until it, and then the one before it, has to go.
#[test]
fn not_a_byte_is_wasted_and_not_one_too_many_is_sent() {
    for length in 1..200 {
        let long = "n".repeat(32_500);
        let name = "x".repeat(length);
        let world = world(&[
            ("fmltp", "1.1.1.1:1", Some(&long)),
            ("lekt", "1.1.1.1:1", None),
            ("fmltp", "1.1.1.1:1", Some(&name)),
            ("fmltp", "1.1.1.1:1", Some(&name)),
        ]);
        let text = who(&world);
        assert!(text.len() <= WHO_LIMIT);
        assert!(text == plainest(&world), "{length} bytes");
    }
}

#[test]
fn a_name_that_fits_nowhere_is_left_out_with_all_behind_it() {
    let world = world(&[("fmltp", "1.1.1.1:1", Some(&"n".repeat(40_000))), ("lekt", "1.1.1.1:1", None)]);
    assert_eq!(who(&world), "200 2 clients.\r\n... 2 more.\r\n");
}

#[test]
fn no_line_is_shorter_than_the_shortest() {
    let world = world(&[("lekt", "[::]:1", None)]);
    assert_eq!(who(&world), format!("200 1 clients.\r\n{SHORTEST}"));
}
