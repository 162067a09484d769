//! What a server said, in words and as facts.

use serde_json::{Value, json};

use crate::client::commands::probe::report::Told;
use crate::fmltp::client::{Answer, Authentication, GroupInfo, PrivateLength, Ready};
use crate::fmltp::version::Greeting;
use crate::wire::text::{Printable, truncate};

/// The most bytes that are shown of an answer, which is one line of two or three words where all is well.
const MOST: usize = 400;

pub(super) fn greeted(theirs: &Greeting, ours: &Greeting, expected: Option<u16>) -> Told {
    let odd = if theirs.is_flexmusic() { "" } else { ", which is no name of FlexMusic's" };
    let refused = if expected.is_none() { ": another class, which it should refuse" } else { "" };
    let shown = theirs.to_string();
    let about = format!("{}{odd}; we say {}{refused}", Printable(&shown), Printable(&ours.to_string()));
    let side = |greeting: &Greeting| json!({"name": greeting.name, "version": greeting.version.to_string()});
    Told::new(about, json!({"server": side(theirs), "client": side(ours), "expected": expected}))
}

pub(super) fn named(group: GroupInfo) -> Told {
    let generator = group.generator.map_or_else(|| "a large number".to_owned(), |number| number.to_string());
    let (length, fact) = match group.private_length {
        PrivateLength::Absent => ("no private value length".to_owned(), Value::Null),
        PrivateLength::Bits(bits) => (format!("private value length {bits}"), bits.into()),
        PrivateLength::Odd => ("a private value length that is none".to_owned(), "odd".into()),
    };
    let about = format!("{} bits, generator {generator}, {length}", group.bits);
    let facts = json!({"bits": group.bits, "generator": group.generator, "private_value_length": fact});
    Told::new(about, facts)
}

/// What is wrong with a server that is ready, if its code is not the one that the two versions make.
pub(super) fn misfit(code: u16, expected: Option<u16>) -> Option<String> {
    match expected {
        Some(expected) if expected == code => None,
        Some(expected) => Some(format!("it says {code}, {}, and should say {expected}", meaning(code))),
        None => Some("it is ready, and should refuse us: the versions are of different classes".to_owned()),
    }
}

pub(super) fn is_ready(ready: &Ready, expected: Option<u16>) -> Told {
    let Ready { code, authentication, text } = ready;
    let meaning = meaning(*code);
    let wants = match authentication {
        Authentication::None => "takes commands from anybody",
        Authentication::Required => "wants a user and a password",
    };
    let required = *authentication == Authentication::Required;
    let facts = json!({
        "code": code, "meaning": meaning, "expected": expected, "authentication": required, "text": text,
    });
    Told::new(format!("{code}, {meaning}; {wants}"), facts)
}

/// What a code says about the two versions.
fn meaning(code: u16) -> String {
    let side = |digit: u16, part: &str| match digit {
        0 => Some(String::new()),
        1 => Some(format!("our {part} is higher")),
        2 => Some(format!("the server's {part} is higher")),
        _ => None,
    };
    match (code / 100, side(code / 10 % 10, "stepping"), side(code % 10, "sub-stepping")) {
        (1, Some(stepping), Some(sub_stepping)) => {
            let both: Vec<_> = [stepping, sub_stepping].into_iter().filter(|said| !said.is_empty()).collect();
            if both.is_empty() { "the versions are the same".to_owned() } else { both.join(", ") }
        }
        _ => "which is no code of the handshake".to_owned(),
    }
}

/// An answer of one line.
pub(super) fn said(answer: &Answer) -> Told {
    let facts = json!({"code": answer.code, "text": answer.text});
    Told::new(Printable(&cut(&answer.text)).to_string(), facts)
}

/// What is shown of what a server says; it can be very long.
pub(super) fn cut(text: &str) -> String {
    match truncate(text, MOST) {
        whole if whole.len() == text.len() => whole.to_owned(),
        start => format!("{start}..."),
    }
}

/// The names in the lines `NAME - TEXT`.
pub(super) fn commands(help: &str) -> Vec<&str> {
    help.lines().filter_map(|line| line.split_once(" - ")).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_in_words() {
        for (code, expected) in [
            (100, "the versions are the same"),
            (101, "our sub-stepping is higher"),
            (112, "our stepping is higher, the server's sub-stepping is higher"),
            (120, "the server's stepping is higher"),
            (130, "which is no code of the handshake"),
            (199, "which is no code of the handshake"),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let [ours, theirs] = ["FlexMusic,0.0.0", "Flux\u{9b},1.0.0"].map(|text| {
            let (name, version) = text.split_once(',').unwrap();
            Greeting { name: name.into(), version: crate::fmltp::version::Version::parse(version).unwrap() }
        });
        let about = greeted(&theirs, &ours, None).about;
        let expected = r"Flux\u{9B},1.0.0, which is no name of FlexMusic's; we say FlexMusic,0.0.0: another class, which it should refuse";
        assert_eq!(about, expected);
        let table = [
            (110, Some(110), None),
            (110, Some(100), Some("it says 110, our stepping is higher, and should say 100")),
            (199, Some(100), Some("it says 199, which is no code of the handshake, and should say 100")),
            (100, None, Some("it is ready, and should refuse us: the versions are of different classes")),
        ];
        for (code, expected, told) in table {
            assert_eq!(misfit(code, expected).as_deref(), told);
        }
    }

    #[test]
    fn groups_are_told_with_what_is_odd_about_them() {
        for (generator, private_length, expected) in [
            (Some(2), PrivateLength::Absent, "1024 bits, generator 2, no private value length"),
            (Some(5), PrivateLength::Bits(175), "1024 bits, generator 5, private value length 175"),
            (
                None,
                PrivateLength::Odd,
                "1024 bits, generator a large number, a private value length that is none",
            ),
        ] {
            assert_eq!(named(GroupInfo { bits: 1024, generator, private_length }).about, expected);
        }
    }

    #[test]
    fn long_answers_are_cut() {
        assert_eq!(cut(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(cut(&format!("x{}", "é".repeat(200))), format!("x{}...", "é".repeat(199)));
    }

    #[test]
    fn commands_are_found_in_the_help() {
        let help =
            "200 Available commands:\r\nHELP - Displays help\r\nQUIT - Closes - it\r\nRun HELP <command>.";
        assert_eq!(commands(help), ["HELP", "QUIT"]);
    }
}
