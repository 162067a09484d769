//! Golden bytes both ways, and what every prefix of a packet gives.

use super::*;

const ANY: Version = Version { major: 0, minor: 0, extra: 0 };

fn hello_of(methods: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    KnownMethods::of(methods.iter().copied()).put(&mut out, ANY);
    out
}

#[test]
fn a_handshake_has_golden_bytes() {
    assert_eq!(hello_of(&[]), b"LEKTH\0\0\0\0\0\0\0");
    assert_eq!(hello_of(&[1]), b"LEKTH\0\0\0\0\0\0\x01\0\0\0\x01");
    assert_eq!(hello_of(&[32, 33]), b"LEKTH\0\0\0\0\0\0\x21\x80\0\0\0\0\0\0\x01");
    for methods in [&[][..], &[1], &[7, 32, 33, 1024]] {
        let bytes = hello_of(methods);
        let mut reader = Reader::new(&bytes[HEADER..]);
        let known = KnownMethods::read(&mut reader).unwrap();
        assert!(reader.rest().is_empty());
        assert_eq!((0..2000).filter(|&method| known.knows(method)).collect::<Vec<_>>(), methods);
    }
}

#[test]
fn the_bitfield_holds_no_bit_beyond_its_number() {
    let table: [(&[u8], Problem); 3] = [
        (b"\0\0\x04\x01", Problem::Value(1025)),
        (b"\0\0\0\x01\0\0\0\x02", Problem::Value(2)),
        (b"\0\0\0\x21\xff\xff\xff\xff\0\0\0\x02", Problem::Value(2)),
    ];
    for (bytes, problem) in table {
        let error = KnownMethods::read(&mut Reader::new(bytes)).unwrap_err();
        assert_eq!((error.problem, error.at), (problem, bytes.len() - 4));
        let earlier = KnownMethods::read(&mut Reader::new(&bytes[..bytes.len() - 1])).unwrap_err();
        assert!(earlier.is_short(), "a count is judged with its fourth byte");
    }
}

#[test]
fn a_header_is_judged_at_its_eighth_byte() {
    for cut in 0..8 {
        assert!(header(&mut Reader::new(&b"GET / HT"[..cut])).unwrap_err().is_short());
    }
    let error = header(&mut Reader::new(b"GET / HT")).unwrap_err();
    assert_eq!((error.at, error.problem), (0, Problem::Constant(*b"GET ")));
    let header = header(&mut Reader::new(b"LEKTx\x01\x02\x03")).unwrap();
    assert_eq!(header, Header { kind: b'x', version: Version { major: 1, minor: 2, extra: 3 } });
}

#[test]
fn the_lower_version_is_spoken() {
    let version = |major, minor, extra| Version { major, minor, extra };
    let table = [
        (version(0, 0, 0), version(0, 3, 9), Some(version(0, 0, 0))),
        (version(1, 2, 0), version(1, 1, 255), Some(version(1, 1, 255))),
        (version(0, 0, 0), version(1, 0, 0), None),
    ];
    for (ours, theirs, agreed) in table {
        assert_eq!(ours.agreed(theirs), agreed);
    }
}

#[test]
fn setup_packets_have_golden_bytes() {
    let mut out = Vec::new();
    put_request(&mut out, ANY, 1);
    put_method(&mut out, ANY, Method::DirectTcp { port: 4242 });
    assert_eq!(out, b"LEKTT\0\0\0\0\0\0\x01LEKTT\0\0\0\0\0\0\x01\0\0\x10\x92");
    let read = |bytes: &[u8]| Method::read(1, &mut Reader::new(bytes));
    assert_eq!(read(b"\0\0\x10\x92"), Ok(Some(Method::DirectTcp { port: 4242 })));
    assert_eq!(read(b"\0\0\0\0").unwrap_err().problem, Problem::Value(0));
    assert_eq!(read(b"\0\x01\0\0").unwrap_err().problem, Problem::Value(65_536));
    assert_eq!(Method::read(2, &mut Reader::new(b"")), Ok(None), "not a method of ours");
}

#[test]
fn an_answer_has_golden_bytes() {
    let block = Block { time: -2, kind: BlockKind::Added, count: 0x01_0203 };
    let golden = b"LEKTH\0\0\0\xff\xff\xff\xff\xff\xff\xff\xfeA\x01\x02\x03";
    assert_eq!(&block.packet(ANY), golden);
    assert_eq!(Block::read(&mut Reader::new(&golden[HEADER..])), Ok(block));
    let block = Block { time: 1, kind: BlockKind::Removed, count: 1 };
    assert_eq!(Block::read(&mut Reader::new(&block.packet(ANY)[HEADER..])), Ok(block));
    let error = Block::read(&mut Reader::new(b"\0\0\0\0\0\0\0\0X\0\0\x01")).unwrap_err();
    assert_eq!(error.problem, Problem::Byte(b'X'));
}

#[test]
fn a_client_object_has_golden_bytes() {
    let address = Ipv4Addr::new(127, 0, 0, 9);
    let mut out = Vec::new();
    Object::put(&mut out, address, &[Method::DirectTcp { port: 80 }]);
    assert_eq!(out, b"\0\0\0\x0c\x7f\0\0\x09\0\0\0\x01\0\0\0\x50");
    Object::put(&mut out, address, &[]);
    let mut reader = Reader::new(&out);
    let first = Object { address, methods: vec![Method::DirectTcp { port: 80 }] };
    assert_eq!(Object::read(&mut reader), Ok(first));
    assert_eq!(Object::read(&mut reader), Ok(Object { address, methods: vec![] }));
    assert!(reader.rest().is_empty());
}

#[test]
fn a_client_object_is_fenced_by_its_size() {
    let unknown = b"\0\0\0\x10\x7f\0\0\x09\0\0\0\x02\x01\x02\x03\x04\x05\x06\x07\x08after";
    let mut reader = Reader::new(unknown);
    assert_eq!(Object::read(&mut reader).unwrap().methods, []);
    assert_eq!(reader.rest(), b"after", "the rest of the object is skipped");
    let table: [(&[u8], usize, Problem); 4] = [
        (b"\0\0\0\0", 0, Problem::Value(0)),
        (b"\0\0\0\x05", 0, Problem::Value(5)),
        (b"\0\x01\0\x04", 0, Problem::Value(65_540)),
        (b"\0\0\0\x08\x7f\0\0\x01\0\0\0\x01\0\0\0\x50", 12, Problem::Missing),
    ];
    for (bytes, at, problem) in table {
        let error = Object::read(&mut Reader::new(bytes)).unwrap_err();
        assert_eq!((error.at, error.problem), (at, problem));
    }
}

#[test]
fn strings_in_packets_say_something_and_fit() {
    let mut out = Vec::new();
    put_said(&mut out, kind::HELLO, ANY, "bob");
    assert_eq!(out, b"LEKTH\0\0\0bob\0");
    assert_eq!(said(&mut Reader::new(b"bob\0"), "nickname"), Ok("bob"));
    assert_eq!(said(&mut Reader::new(b"\0\0\0\0"), "nickname").unwrap_err().problem, Problem::Empty);
    out.clear();
    put_reject(&mut out, ANY, "");
    assert_eq!(out, b"LEKTR\0\0\0rejected\0\0\0\0");
}
