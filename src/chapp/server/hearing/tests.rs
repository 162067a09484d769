use super::*;
use crate::chapp::wire::Status;

/// How many times the text that has begun was judged and that came to nothing.
fn judged(hearing: &Hearing) -> u32 {
    match hearing.text {
        Text::Nothing => 0,
        Text::Some { judged, .. } => judged,
    }
}

/// Listens as an engine does to one more byte after the other, each so late that the text is judged before,
/// until that ends the text. Gives how many times it was judged, and what came of it.
fn trickle(hearing: &mut Hearing, text: &[u8], more: u8) -> (u32, Option<Status>) {
    let mut bytes = text.to_vec();
    let mut now = Instant::now();
    for _ in 0..1000 {
        let before = judged(hearing);
        assert!(matches!(hearing.hear(now, &bytes), Heard::Nothing), "a byte ends nothing");
        now = hearing.deadline().unwrap();
        match hearing.hear(now, &bytes) {
            Heard::Nothing => assert_eq!(judged(hearing), before + 1),
            Heard::Request(request, _) => {
                return (before + 1, request.err().map(|complaint| complaint.status));
            }
            Heard::EmptyLines(_) | Heard::TooLong(_) => panic!("it is one text of some bytes"),
        }
        bytes.push(more);
    }
    panic!("it was judged {} times", judged(hearing));
}

#[test]
fn late_bytes_have_a_text_judged_anew_only_so_many_times() {
    for manner in [Manner::Unknown, Manner::Quiet] {
        let mut hearing = Hearing { manner, ..Hearing::new() };
        let without_end = b"POST\ta->b\\\nID:1\\\nmessag";
        assert_eq!(trickle(&mut hearing, without_end, b'e'), (23, Some(Status::UnparsableField)));
        let without_id = b"GOODBYE\ta->b\\\nx:";
        assert_eq!(trickle(&mut hearing, without_id, b'y'), (23, Some(Status::MalformedIdLine)), "and again");
    }
}

#[test]
fn who_is_late_some_times_is_answered_after_the_same_quiet() {
    let mut hearing = Hearing::new();
    let mut now = Instant::now();
    let text = b"POST\ta->b\\\nID:1\\\nmessage:";
    for length in text.len() - 15..=text.len() {
        assert!(matches!(hearing.hear(now, &text[..length]), Heard::Nothing));
        assert_eq!(hearing.deadline(), Some(now + QUIET));
        now += QUIET;
        let whole = matches!(hearing.hear(now, &text[..length]), Heard::Request(Ok(_), _));
        assert_eq!(whole, length == text.len());
    }
}

#[test]
fn who_marks_its_ends_has_a_text_judged_once_in_two_seconds() {
    let mut hearing = Hearing { manner: Manner::EmptyLines, ..Hearing::new() };
    let mut bytes = b"GOODBYE\ta->b\\\nID:1\\\nx:".to_vec();
    let mut now = Instant::now();
    for times in 1..100 {
        assert!(matches!(hearing.hear(now, &bytes), Heard::Nothing));
        assert_eq!(hearing.deadline(), Some(now + PATIENCE));
        now += PATIENCE;
        assert!(matches!(hearing.hear(now, &bytes), Heard::Nothing));
        assert_eq!(judged(&hearing), times);
        bytes.push(b'y');
    }
}
