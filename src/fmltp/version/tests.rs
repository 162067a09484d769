//! Names and versions.

use super::*;

fn version(class: u16, stepping: u16, sub_stepping: u16) -> Version {
    Version { class, stepping, sub_stepping }
}

#[test]
fn the_code_says_who_is_higher() {
    let server = version(3, 5, 7);
    let table = [
        ((3, 5, 7), Some(100)),
        ((3, 5, 8), Some(101)),
        ((3, 5, 6), Some(102)),
        ((3, 6, 7), Some(110)),
        ((3, 6, 65535), Some(111)),
        ((3, 6, 0), Some(112)),
        ((3, 4, 7), Some(120)),
        ((3, 0, 8), Some(121)),
        ((3, 4, 6), Some(122)),
        ((2, 5, 7), None),
        ((4, 5, 7), None),
    ];
    for ((class, stepping, sub_stepping), expected) in table {
        let client = version(class, stepping, sub_stepping);
        assert_eq!(Version::readiness(server, client), expected, "client {client}");
    }
}

#[test]
fn a_greeting_is_shown_as_it_was_taken() {
    let texts = ["FlexMusic,0.0.0", "FlexMusic Python Client Library,0.10.65535", "é x ,1.2.3", " ,9.9.9"];
    for text in texts {
        assert_eq!(Greeting::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Greeting::default().to_string(), "FlexMusic,0.0.0");
    let longest = format!("{},1.2.3", "n".repeat(GREETING_LIMIT - 6));
    assert_eq!(Greeting::parse(&longest).unwrap().to_string(), longest);
}

#[test]
fn what_we_say_of_ourselves_leaves_room_for_a_line_end() {
    let of_length = |length| format!("{},1.2.3", "n".repeat(length - 6));
    let longest = of_length(GREETING_LIMIT - 2);
    assert_eq!(Greeting::parse_own(&longest).unwrap().to_string(), longest);
    let error = Greeting::parse_own(&of_length(GREETING_LIMIT - 1)).unwrap_err();
    assert_eq!(error, GreetingError { at: GREETING_LIMIT - 2, problem: GreetingProblem::TooLong });
}

#[test]
fn the_name_of_a_valid_program_starts_as_it_has_to() {
    let table = [("FlexMusic,0.0.0", true), ("FlexMusicX,0.0.0", true), ("flexmusic,0.0.0", false)];
    for (text, expected) in table {
        assert_eq!(Greeting::parse(text).unwrap().is_flexmusic(), expected, "{text}");
    }
    assert!(!Greeting::parse("My FlexMusic,0.0.0").unwrap().is_flexmusic());
}

#[test]
fn whatever_else_is_no_greeting_and_the_error_says_where() {
    use GreetingProblem::*;
    let long = format!("{},1.2.3", "n".repeat(GREETING_LIMIT - 5));
    let table = [
        ("", 0, NoComma),
        ("FlexMusic", 9, NoComma),
        (",0.0.0", 0, NoName),
        ("a\tb,0.0.0", 1, Control),
        ("a\u{85},0.0.0", 1, Control),
        ("a\0,0.0.0", 1, Control),
        ("a,", 2, Number),
        ("a,0", 4, Parts),
        ("a,0.0", 6, Parts),
        ("a,0.0.", 6, Number),
        ("a,0..0", 4, Number),
        ("a,0.0.0.", 7, Parts),
        ("a,0.0.0.0", 7, Parts),
        ("a,b,0.0.0", 2, Number),
        ("a,0.0.0,", 6, Number),
        ("a, 0.0.0", 2, Number),
        ("a,0.0.0 ", 6, Number),
        ("a,+1.0.0", 2, Number),
        ("a,0.-1.0", 4, Number),
        ("a,0.0.0x1", 6, Number),
        ("a,0.0.\u{661}", 6, Number),
        ("a,00.0.0", 2, LeadingZero),
        ("a,0.01.0", 4, LeadingZero),
        ("a,0.0.65536", 6, TooHigh),
        ("a,99999999999999999999.0.0", 2, TooHigh),
        (&long, 256, TooLong),
    ];
    for (text, at, problem) in table {
        assert_eq!(Greeting::parse(text), Err(GreetingError { at, problem }), "{text:?}");
    }
    assert_eq!(Version::parse("1.2.x"), Err(GreetingError { at: 4, problem: Number }));
}

#[test]
fn an_error_is_one_plain_line() {
    let error = Greeting::parse("\u{1b}[2J,0.0.0").unwrap_err();
    assert_eq!(error.to_string(), "a control character in the name (byte 0)");
}

#[test]
fn every_prefix_of_a_greeting_is_none_or_another_greeting() {
    let text = "FlexMusic,10.20.30";
    for cut in 0..text.len() {
        let taken = Greeting::parse(&text[..cut]).ok().map(|greeting| greeting.to_string());
        let expected = (cut == text.len() - 1).then(|| "FlexMusic,10.20.3".to_owned());
        assert_eq!(taken, expected, "{cut} bytes");
    }
}
