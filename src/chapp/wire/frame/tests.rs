use super::*;

const NO_END: [&[u8]; 8] = [
    b"POST\ta->b",
    b"POST\ta->b\\\nID:1",
    b"POST\ta->b\\\nID:1\\\nmessage: POST\ta->b",
    b"POST\ta->b\\\nID:1\\\nmessage: hi\n\n\\",
    b"POST\ta->b\\\nPOSTS\tx",
    b"POST\ta->b\\\n POST\tx",
    b"POST\ta->b\\\nPOST",
    b"POST\ta->b\\\n\\",
];

#[test]
fn an_end_is_an_empty_line_or_the_next_action_line() {
    for bytes in NO_END {
        assert!(matches!(frame(bytes, 0), Frame::Open(_)), "{bytes:?}");
    }
    let whole = |text, length, end| Frame::Whole { text, length, end };
    let table: [(&[u8], Frame); 9] = [
        (b"\\\n", Frame::EmptyLines(2)),
        (b"\\\n\\\n\\\nPOST", Frame::EmptyLines(6)),
        (b"\\\n\\", Frame::EmptyLines(2)),
        (b"GET\\\n\\\n", whole(3, 7, End::EmptyLine)),
        (b"a\\\nb\\\n\\\n\\\nc", whole(4, 8, End::EmptyLine)),
        (b"a\\\\\n\\\n", whole(2, 6, End::EmptyLine)),
        (b"a\\\npOsT\t", whole(1, 3, End::ActionLine)),
        (b"a\\\nb\\\nRESPONSE\tx->y", whole(4, 6, End::ActionLine)),
        (b"a\\\nb\\\nCONNECT\t\\\n\\\n", whole(4, 6, End::ActionLine)),
    ];
    for (bytes, expected) in table {
        assert_eq!(frame(bytes, 0), expected, "{bytes:?}");
    }
}

/// Whatever is there, looking at it byte by byte finds the end that looking once finds, as soon as it shows.
#[test]
fn where_it_was_searched_needs_no_searching_again() {
    let ends: [&[u8]; 8] = [
        b"\\\n\\\n",
        b"\\\nPOST\t",
        b"\\\nconnect\t",
        b"\\\nPOS\\\n\\\n",
        b"\\\n\\x\\\n\\\n",
        b"\\\nCONNECT:\\\nGOODBYE\t",
        b"\\\\\n\\\n",
        b"\\\nINTRODUCED\t\\\nINTRODUCE\t",
    ];
    for (text, end) in NO_END.iter().flat_map(|text| ends.iter().map(move |end| (*text, *end))) {
        let bytes = [text, end].concat();
        let mut searched = 0;
        let found = (1..=bytes.len()).find_map(|length| match frame(&bytes[..length], searched) {
            Frame::Open(least) => {
                assert!((searched..=length).contains(&least));
                searched = least;
                None
            }
            found => Some(found),
        });
        let found = found.unwrap_or_else(|| panic!("{bytes:?} has no end"));
        assert_eq!(found, frame(&bytes, 0), "{bytes:?}");
    }
}

#[test]
fn a_text_ends_at_the_limit_or_is_too_long() {
    let text = [b"x\\\nm:".to_vec(), vec![b'y'; REQUEST_LIMIT - 5]].concat();
    let with = |end: &[u8]| frame(&[&text[..], end].concat(), 0);
    for end in [&b""[..], b"\\", b"\\\n", b"\\\n\\", b"\\\nPOST", b"\\\nI"] {
        assert_eq!(with(end), Frame::Open(REQUEST_LIMIT), "{end:?} may become an end");
    }
    for end in [&b"\\\n\\\n"[..], b"\\\nPOST\t"] {
        assert!(matches!(with(end), Frame::Whole { text: REQUEST_LIMIT, .. }), "{end:?}");
    }
    for end in
        [&b"y"[..], b"\\y", b"\\\ny", b"\\\n\\y", b"\\\nPOSTS", b"y\\\n\\\n", b"\\\\\n\\\n", b"y\\\nPOST\t"]
    {
        assert_eq!(with(end), Frame::TooLong, "{end:?}");
    }
}

#[test]
fn one_separator_may_stand_at_the_end_of_a_text() {
    assert_eq!(as_it_stands(b"a\\\n"), b"a");
    assert_eq!(as_it_stands(b"a\\\\\n"), b"a\\", "a message that ends in a backslash");
    assert_eq!(as_it_stands(b"a\\"), b"a\\");
    assert_eq!(as_it_stands(b"a\n"), b"a\n");
}
