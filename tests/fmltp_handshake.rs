//! FmLTP: from the greeting to the interpreter.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;

on_both_engines!(
    every_phase_has_its_packet,
    without_users_nobody_is_asked_who_he_is,
    the_code_says_how_the_versions_compare,
    the_name_and_version_can_be_set,
    any_name_that_starts_right_is_a_client,
    white_space_around_a_reply_is_ignored,
    every_connection_has_a_key_of_its_own,
    a_key_is_taken_in_all_forms_that_pem_allows,
    one_more_number_in_the_parameters_is_not_looked_at,
    public_keys_are_good_from_2_to_p_minus_2,
    a_big_secret_works_as_well,
    white_space_around_the_challenge_is_ignored,
    the_age_of_a_token_is_not_looked_at,
);

fn every_phase_has_its_packet(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::connect(&daemon);
    client.expect("FlexMusic,0.0.0\r\n");
    client.send("FlexMusic Python Client Library,0.0.0\r\n");
    client.expect(&group());
    let secret = small(3);
    client.send(PublicKey::of(&small(8)).pem());
    client.take_key(&secret);
    client.says("FlexMusic,0.0.0");
    client.hears("100 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.\r\n");
    client.says("AUTH alice correct-horse\r\n");
    client.hears("150 Authentication successful.\r\n");
    client.says("QUIT");
    client.hears("200 Goodbye.\r\n");
    client.expect_end();
}

fn without_users_nobody_is_asked_who_he_is(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut client = Fm::keyed(&daemon);
    client.says("FlexMusic,0.0.0");
    client.hears("100 FmLTP/1.0 Interpreter Ready.\r\n");
    client.asks("AUTH alice correct-horse", INVALID);
}

fn the_code_says_how_the_versions_compare(engine: Engine) {
    let daemon = start(engine, &["--fmltp-name", "FlexMusic Server,3.5.7"]);
    let table = [
        ("3.5.7", 100),
        ("3.5.8", 101),
        ("3.5.65535", 101),
        ("3.5.6", 102),
        ("3.6.7", 110),
        ("3.65535.65535", 111),
        ("3.10.0", 112),
        ("3.4.7", 120),
        ("3.0.8", 121),
        ("3.0.0", 122),
    ];
    for (version, code) in table {
        let mut client = Fm::connect(&daemon);
        client.expect("FlexMusic Server,3.5.7\r\n");
        client.send(format!("FlexMusic,{version}\r\n"));
        client.expect(&group());
        client.exchange_keys();
        client.says("FlexMusic Server,3.5.7");
        assert_eq!(client.take_text(), format!("{code} FmLTP/1.0 Interpreter Ready.\r\n"), "{version}");
    }
}

fn the_name_and_version_can_be_set(engine: Engine) {
    for name in ["FlexMusic,65535.65535.65535", "FlexMusic Größe,0.1.0", "FlexMusicBox 2.0,1.0.0"] {
        let daemon = start(engine, &["--fmltp-name", name]);
        let mut client = Fm::connect(&daemon);
        client.expect(&format!("{name}\r\n"));
        client.send(format!("FlexMusic,{}\n", name.split_once(',').unwrap().1));
        client.expect(&group());
        client.exchange_keys();
        client.says(name);
        client.hears(READY);
    }
}

fn any_name_that_starts_right_is_a_client(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    for name in ["FlexMusic", "FlexMusics", "FlexMusic ", "FlexMusic / 3.1 (äöü; 音楽)", "FlexMusicFlexMusic"]
    {
        let mut client = Fm::greeted(&daemon);
        client.send(format!("{name},0.65535.0\n"));
        client.expect(&group());
    }
}

fn white_space_around_a_reply_is_ignored(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let replies: [&[u8]; 6] = [
        b"FlexMusic,0.0.0\n",
        b"FlexMusic,0.0.0\r\n",
        b"FlexMusic,0.0.0 \t \r\n",
        b"FlexMusic,0.0.0\r\r\n",
        b"   \t FlexMusic,0.0.0\r\n",
        b"\r\n\n \r\n\x0b\x0cFlexMusic,0.0.0\x0b\x0c\r\n",
    ];
    for reply in replies {
        let mut client = Fm::greeted(&daemon);
        client.send(reply);
        client.expect(&group());
    }
}

fn every_connection_has_a_key_of_its_own(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(PublicKey::of(&small(2)).pem());
        let theirs = client.take_key(&small(1));
        assert!(!seen.contains(&theirs), "a key that was there before");
        seen.push(theirs);
    }
}

fn a_key_is_taken_in_all_forms_that_pem_allows(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let der = PublicKey::of(&small(2)).der();
    let whole = pem("PUBLIC KEY", &der);
    let mut forms: Vec<String> = [(64, "\n"), (64, "\r\n"), (1, "\n"), (76, "\r\n"), (5, "\n"), (8000, "\n")]
        .map(|(columns, end)| pem_in_lines("PUBLIC KEY", &der, columns, end))
        .to_vec();
    forms.push(whole.trim_end().to_owned());
    forms.push(format!(" \r\n\t\n{whole}\n\n"));
    forms.push(whole.replacen('\n', "\r\n", 3));
    for form in forms {
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(&form);
        client.take_key(&small(1));
    }
}

fn one_more_number_in_the_parameters_is_not_looked_at(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let huge = tlv(0x02, &[0x55; 3000]);
    for number in [integer(&small(175)), integer(&small(0)), tlv(0x02, &[0xff]), huge] {
        let mut key = PublicKey::of(&small(2));
        key.parameters.extend(number);
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(key.pem());
        client.take_key(&small(1));
    }
}

fn public_keys_are_good_from_2_to_p_minus_2(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    for number in [small(2), &*PRIME - 2_u8] {
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(PublicKey::of(&number).pem());
        // Nobody knows the secret of the second: the server's key is all there is.
        server_number(&client.take_pem());
    }
}

fn a_big_secret_works_as_well(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut client = Fm::in_key_exchange(&daemon);
    let secret = &*PRIME / 7_u8;
    client.send(PublicKey::of_secret(&secret).pem());
    client.take_key(&secret);
    client.says(GREETING);
    client.hears(READY);
}

fn white_space_around_the_challenge_is_ignored(engine: Engine) {
    let daemon = start(engine, &[]);
    for text in ["FlexMusic,0.0.0", "FlexMusic,0.0.0\r\n", "\x0b\x0c \t\r\n FlexMusic,0.0.0\n \x0c\x0b\t\r"] {
        let mut client = Fm::keyed(&daemon);
        client.says(text);
        client.hears(READY);
    }
}

fn the_age_of_a_token_is_not_looked_at(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut client = Fm::ready(&daemon, READY);
    for time in [0, 1, now() - 86_400, now() + 86_400, u64::MAX] {
        let token = client.key().seal_blocks(
            0x80,
            time,
            [7; 16],
            b"NOPE\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c\x0c",
        );
        client.send(token);
        client.hears(INVALID);
    }
}

/// The example of the public Fernet specification, so that the client itself is right.
#[test]
fn the_client_makes_the_tokens_of_the_specification() {
    // cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=
    let key = Key::new([
        0x73, 0x0f, 0xf4, 0xc7, 0xaf, 0x3d, 0x46, 0x92, 0x3e, 0x8e, 0xd4, 0x51, 0xee, 0x81, 0x3c, 0x87, 0xf7,
        0x90, 0xb0, 0xa2, 0x26, 0xbc, 0x96, 0xa9, 0x2d, 0xe4, 0x9b, 0x5e, 0x9c, 0x05, 0xe1, 0xee,
    ]);
    let iv = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let token = key.seal_blocks(0x80, 499_162_800, iv, b"hello\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b");
    let known = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    assert_eq!(String::from_utf8(token.clone()).unwrap(), known);
    assert_eq!(key.open(&token), Some((b"hello".to_vec(), 499_162_800)));
}
