use super::*;
use crate::residue::vectors;
use crate::wire::random::Random;

const ACK: &[u8] = b"000102030405060708090a0b0c0d0e0f:abcdefghijklmnop:QUJD";

fn sealed(packet: &[u8]) -> Sealed<'_> {
    match read(packet) {
        Envelope::Aes(sealed) => sealed,
        Envelope::Other(_) => panic!("{}", packet.escape_ascii()),
    }
}

#[test]
fn a_sealed_packet_has_three_parts() {
    let expected = Sealed {
        iv: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        id: b"abcdefghijklmnop",
        base64: b"QUJD",
    };
    assert_eq!(sealed(ACK), expected);
    assert_eq!(sealed(&ACK.to_ascii_uppercase()).iv, expected.iv);
    // What a client that ends its base64 in CRLF leaves before its next packet.
    assert_eq!(sealed(&[b"\r\n", ACK].concat()), expected);
}

#[test]
fn ids_and_base64_may_be_anything() {
    let iv = "00".repeat(16);
    let table: [(&str, &str, &str); 6] = [
        ("a:", "a", ""),
        ("known@01.-_#:x", "known@01.-_#", "x"),
        ("\u{e9}\0\r\n :\0", "\u{e9}\0\r\n ", "\0"),
        ("a:b:c", "a", "b:c"),
        ("a::", "a", ":"),
        (" :x", " ", "x"),
    ];
    for (rest, id, base64) in table {
        let packet = format!("{iv}:{rest}");
        let sealed = sealed(packet.as_bytes());
        assert_eq!((sealed.id, sealed.base64), (id.as_bytes(), base64.as_bytes()), "{rest:?}");
    }
}

#[test]
fn all_else_is_no_sealed_packet() {
    let digits = "0".repeat(32);
    let table = [
        String::new(),
        "{\"type\":1}".to_owned(),
        "kWtL".to_owned(),
        digits.clone(),
        format!("{digits}:"),
        format!("{digits}:abc"),
        format!("{digits}::abc"),
        format!("{digits}:QUJD=="),
        format!("{}:a:b", &digits[1..]),
        format!("{digits}0:a:b"),
        format!("{}g:a:b", &digits[1..]),
        format!("{}\u{660}:a:b", &digits[2..]),
        format!("+{}:a:b", &digits[1..]),
        format!("{digits} :a:b"),
        format!("{digits};a:b"),
    ];
    for packet in table {
        assert_eq!(read(packet.as_bytes()), Envelope::Other(packet.as_bytes()), "{packet}");
    }
    assert_eq!(read(b" \r\n\t{} "), Envelope::Other(b"{} "));
    assert_eq!(read(b" \r\n"), Envelope::Other(b""));
}

#[test]
fn the_server_does_not_name_itself() {
    let expected = Sealed { iv: [0xfe; 16], id: b"", base64: b"QUJD" };
    let packet = format!("{}:QUJD", "fE".repeat(16));
    assert_eq!(read_reply(packet.as_bytes()), Some(expected));
    assert_eq!(read_reply(format!("\r\n{packet}").as_bytes()), Some(expected));
    for other in ["", "{\"ack\":0}", "QUJD", &packet[1..], &packet[..32]] {
        assert_eq!(read_reply(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn what_is_put_is_read_again() {
    let mut random = Random::new(3);
    for length in 0..200 {
        let ciphertext: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        let iv = std::array::from_fn(|_| random.byte());
        let mut packet = b"before".to_vec();
        put(&mut packet, &iv, Some("known01"), &ciphertext);
        let packet = packet.strip_prefix(b"before").unwrap().strip_suffix(DELIMITER).unwrap();
        let read = sealed(packet);
        assert_eq!((read.iv, read.id), (iv, &b"known01"[..]));
        assert_eq!(decode_base64(read.base64), Ok(ciphertext.clone()));

        let mut reply = Vec::new();
        put(&mut reply, &iv, None, &ciphertext);
        let read = read_reply(reply.strip_suffix(DELIMITER).unwrap()).unwrap();
        assert_eq!(decode_base64(read.base64), Ok(ciphertext.clone()));

        let mut plain = Vec::new();
        put_base64(&mut plain, &ciphertext);
        assert_eq!(decode_base64(plain.strip_suffix(DELIMITER).unwrap()), Ok(ciphertext));
    }
}

#[test]
fn base64_is_decoded_wherever_it_is_wrapped() {
    let table: [(&[u8], &[u8]); 10] = [
        (b"", b""),
        (b" \r\n", b""),
        (b"QQ==", b"A"),
        (b"QUI=", b"AB"),
        (b"QUJD", b"ABC"),
        (b"QU\r\nJD\n", b"ABC"),
        (b"\tQ U J D ", b"ABC"),
        (b"QQ=\n=\n", b"A"),
        (b"+/+/", b"\xfb\xff\xbf"),
        (b"QUJD\x0cQUJD", b"ABCABC"),
    ];
    for (text, expected) in table {
        assert_eq!(decode_base64(text).as_deref(), Ok(expected), "{}", text.escape_ascii());
    }
}

#[test]
fn what_is_wrong_with_base64_is_said_and_where() {
    use Base64Problem::{Character, Length, UnusedBits};
    let table: [(&[u8], usize, Base64Problem); 14] = [
        (b"QUJ", 3, Length),
        (b"Q", 1, Length),
        (b"QQ", 2, Length),
        (b"QQ=", 3, Length),
        (b"QUJD\n\nQ\n", 8, Length),
        (b"QUJ*", 3, Character),
        (b"Q\nU\nJ*", 5, Character),
        (b"QQ==QUJD", 2, Character),
        (b"-_-_", 0, Character),
        (b"\n\n-_-_", 2, Character),
        (b"QUJD\x0b", 4, Character),
        (b"QUJD\xff\xff\xff\xff", 4, Character),
        (b"QR==", 1, UnusedBits),
        (b"\nQ\nR==", 3, UnusedBits),
    ];
    for (text, at, problem) in table {
        assert_eq!(decode_base64(text), Err(Base64Error { at, problem }), "{}", text.escape_ascii());
    }
}

#[test]
fn hexadecimal_digits_come_in_pairs() {
    for byte in 0..=u8::MAX {
        let mut read = [0];
        assert_eq!(from_hex(format!("{byte:02x}").as_bytes(), &mut read), Some(()));
        assert_eq!(read, [byte]);
        assert_eq!(from_hex(format!("{byte:02X}").as_bytes(), &mut read), Some(()));
        assert_eq!(read, [byte]);
        assert_eq!(from_hex(&[byte, b'0'], &mut read).is_some(), byte.is_ascii_hexdigit(), "{byte}");
        assert_eq!(from_hex(&[b'0', byte], &mut read).is_some(), byte.is_ascii_hexdigit(), "{byte}");
    }
    for (digits, length) in [("0", 1), ("000", 1), ("00", 0), ("0000", 1), ("00", 2), ("0", 0)] {
        assert_eq!(from_hex(digits.as_bytes(), &mut vec![0; length]), None, "{digits} {length}");
    }
}

#[test]
fn recorded_packets_are_told_apart() {
    for vector in vectors::all("aes") {
        let packet = vectors::packet(&vector);
        let is_from_client = vectors::text(&vector, "dir") == "C->S";
        assert_eq!(matches!(read(packet), Envelope::Aes(_)), is_from_client, "{}", vector["name"]);
        let sealed = if is_from_client { sealed(packet) } else { read_reply(packet).unwrap() };
        assert_eq!(sealed.iv.as_slice(), vectors::hex(vectors::text(&vector, "iv_hex")));
        assert_eq!(decode_base64(sealed.base64), Ok(vectors::hex(vectors::text(&vector, "cipher_hex"))));
        // And written, they are what they were.
        let mut written = Vec::new();
        let id = is_from_client.then(|| std::str::from_utf8(sealed.id).unwrap());
        put(&mut written, &sealed.iv, id, &decode_base64(sealed.base64).unwrap());
        assert_eq!(written, vectors::text(&vector, "packet").as_bytes());
    }
    for vector in vectors::all("hello") {
        assert!(matches!(read(vectors::packet(&vector)), Envelope::Other(_)), "{}", vector["name"]);
    }
    let no_id = vectors::named("invalid", "no client id");
    let short_iv = vectors::named("invalid", "IV 31 hex digits (treated as plain text)");
    for vector in [no_id, short_iv] {
        assert!(matches!(read(vectors::packet(&vector)), Envelope::Other(_)), "{}", vector["name"]);
    }
}

#[test]
fn prefixes_and_damaged_packets_are_no_reason_to_panic() {
    let mut random = Random::new(11);
    for end in 0..ACK.len() {
        let is_sealed = end > ACK.len() - 5;
        assert_eq!(matches!(read(&ACK[..end]), Envelope::Aes(_)), is_sealed, "{end}");
    }
    for _ in 0..20_000 {
        let packet = random.mutate(ACK);
        match read(&packet) {
            Envelope::Aes(sealed) => {
                assert!(!sealed.id.is_empty() && !sealed.id.contains(&b':'));
                match decode_base64(sealed.base64) {
                    Ok(decoded) => assert!(decoded.len() <= packet.len()),
                    Err(error) => assert!(error.at <= sealed.base64.len()),
                }
            }
            Envelope::Other(rest) => assert!(packet.ends_with(rest)),
        }
        read_reply(&packet);
    }
}

#[test]
fn a_large_packet_takes_no_longer_than_its_bytes() {
    let spaces = vec![b' '; 1 << 20];
    assert_eq!(read(&spaces), Envelope::Other(b""));
    assert_eq!(decode_base64(&spaces), Ok(Vec::new()));
    let mut text = vec![b'A'; 1 << 20];
    assert_eq!(decode_base64(&text).unwrap().len(), 3 << 18);
    let last = text.len() - 1;
    text[last] = b'*';
    assert_eq!(decode_base64(&text).unwrap_err().at, last);
    text[0] = b'\n';
    assert_eq!(decode_base64(&text).unwrap_err().at, last);
    let colons = vec![b':'; 1 << 20];
    assert_eq!(read(&colons), Envelope::Other(&colons));
    let mut no_second_colon = vec![b'0'; 1 << 20];
    no_second_colon[32] = b':';
    assert_eq!(read(&no_second_colon), Envelope::Other(&no_second_colon));
}
