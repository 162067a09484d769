//! residue(7): its example, its tables and its texts are those of the library.

use std::collections::{BTreeMap, BTreeSet};

use super::{example, page, subsections, text};
use rollcall::residue::cipher::{Key, KeySize};
use rollcall::residue::client::{Client, Event, Settings};
use rollcall::residue::item::{self, Limits, LineFormat};
use rollcall::residue::pair::PrivateKey;
use rollcall::residue::reply::{self, ConnectError, Established, Flags, LogReply, TokenError};
use rollcall::residue::request::{self, Credential, LogItem};
use rollcall::residue::{clerk, envelope, json, packet, pair, room, server};
use zeroize::Zeroizing;

const TIME: i64 = 1_700_000_000;
const ID: &str = "abcdefghijklmnop";
const LOG: LogItem<'_> = LogItem {
    datetime: 1_700_000_000_123,
    logger: "app",
    message: "hi\nthere",
    level: 128,
    application: "demo",
    token: None,
};

#[test]
fn what_a_client_sends_in_the_example_of_residue_7_is_what_the_library_writes() {
    let page = page("residue.7");
    let mut hello = Vec::new();
    client().hello(TIME, &mut hello).unwrap();
    let [acknowledge, token, log] = requests();
    let [acknowledge, token, log] =
        [&acknowledge, &token, &log].map(|request| sealed(Some(ID), request.as_slice()));
    assert_eq!(example(&page, 'C', text), [hello, acknowledge, token, log].concat());
    assert_eq!(example(&page, 'c', plain), requests().concat());
}

#[test]
fn what_a_server_sends_in_the_example_of_residue_7_is_what_the_library_writes() {
    let page = page("residue.7");
    let sent = example(&page, 'S', text);
    let begin = sent.windows(4).position(|window| window == packet::DELIMITER).unwrap();
    let [hello, established, token] = replies();
    let ciphertext = envelope::decode_base64(&sent[..begin]).unwrap();
    assert_eq!(*pair().decrypt(&ciphertext), hello);
    let [second, third] = [&established, &token].map(|reply| sealed(None, reply));
    let last = LogReply::Taken.packet();
    assert_eq!(&sent[begin + 4..], [&second, &third, last].concat());
    assert_eq!(example(&page, 's', plain), [hello, established, token].concat());
}

#[test]
fn a_client_of_the_library_understands_the_server_in_the_example_of_residue_7() {
    let sent = example(&page("residue.7"), 'S', text);
    let (mut rest, mut client, mut out) = (&sent[..], client(), Vec::new());
    let mut hear = |client: &mut Client| {
        let (taken, event) = client.receive(rest).unwrap();
        rest = &rest[taken..];
        event.unwrap()
    };
    client.hello(TIME, &mut out).unwrap();
    assert!(matches!(hear(&mut client), Event::Greeted(terms) if &*terms.client_id == ID));
    client.acknowledge(TIME, &mut out).unwrap();
    assert!(matches!(hear(&mut client), Event::Established(terms) if terms.age == Some(259_200)));
    client.token(TIME, LOG.logger, Credential::AccessCode("default"), &mut out).unwrap();
    assert!(matches!(hear(&mut client), Event::Token(token) if token.life == 3_600));
    client.log(TIME, &LOG, &mut out).unwrap();
    assert_eq!(hear(&mut client), Event::Logged(LogReply::Taken));
}

#[test]
fn the_line_in_the_example_of_residue_7_is_what_becomes_of_the_log() {
    let [.., log] = requests();
    let items = item::parse(&log, &Limits { bulk: None, freshness: None }).unwrap();
    let mut line = Vec::new();
    item::put_line(&mut line, &items.valid[0], LineFormat::Text);
    assert_eq!([example(&page("residue.7"), 'F', plain), b"\n".to_vec()].concat(), line);
}

#[test]
fn the_flags_are_those_of_residue_7() {
    let section = section("THE CONNECT PORT", "Flags");
    let flags = (0..u32::BITS).map(|bit| 1 << bit);
    let named = flags.filter_map(|flag| Some((flag.to_string(), Flags(flag).names().next()?.to_owned())));
    let documented: Vec<_> = rows(&section).collect();
    assert_eq!(documented, named.collect::<Vec<_>>());
    let default = format!("are {},", Flags::default().0);
    assert!(section.contains(&default), "not \"{default}\" in:\n{section}");
}

#[test]
fn the_levels_are_those_of_residue_7() {
    let section = section("THE LOGGING PORT", "Logs");
    let named = |level: u32| {
        let json = format!("{{\"datetime\":1,\"msg\":\"m\",\"level\":{level}}}");
        let items = item::parse(json.as_bytes(), &Limits { bulk: None, freshness: None }).unwrap();
        let mut line = Vec::new();
        item::put_line(&mut line, &items.valid[0], LineFormat::Text);
        String::from_utf8(line).unwrap().split(' ').nth(1).unwrap().to_owned()
    };
    let levels = (0..u32::BITS).map(|bit| 1 << bit).map(|level| (level.to_string(), named(level)));
    let levels: Vec<_> = levels.filter(|(number, name)| number != name).collect();
    let documented: Vec<_> = rows(&section).filter(|(number, _)| number.parse::<u32>().is_ok()).collect();
    assert_eq!(documented, levels);
}

#[test]
fn the_texts_of_errors_are_those_of_residue_7() {
    let connect = ConnectError::ALL.map(ConnectError::text);
    assert_eq!(
        tags(&section("THE CONNECT PORT", "Connection errors")),
        BTreeSet::from(connect.map(Into::into))
    );
    let token = TokenError::ALL.map(TokenError::text);
    assert_eq!(tags(&section("THE TOKEN PORT", "Tokens")), BTreeSet::from(token.map(Into::into)));
    let log = [LogReply::Taken, LogReply::NotTaken, LogReply::NoClient];
    let log = log.map(|reply| String::from_utf8(reply.packet().to_vec()).unwrap().trim_end().to_owned());
    assert_eq!(tags(&section("THE LOGGING PORT", "Logs")), BTreeSet::from(log));
}

#[test]
fn the_limits_are_those_of_residue_7() {
    let page = page("residue.7");
    let limits = page.split("\n.Sh LIMITS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let documented: BTreeMap<String, String> = rows(limits).collect();
    let defaults = clerk::Settings::default();
    for (what, limit) in [
        ("packet on the connect and token ports", packet::CONNECT_LIMIT),
        ("packet on the logging port", packet::LOG_LIMIT),
        ("the same, without an end", packet::LOG_HARD_LIMIT),
        ("log, inflated", packet::INFLATED_LIMIT),
        ("reply of a server", reply::REPLY_LIMIT),
        ("reply, for a client", rollcall::residue::client::LIMIT),
        ("levels of JSON", json::DEPTH_LIMIT),
        ("clocks", usize::try_from(defaults.tolerance).unwrap()),
        ("age", usize::try_from(defaults.age).unwrap()),
        ("clients", defaults.clients_limit),
        ("clients of an address, not managed", defaults.clients_per_address),
        ("lines of one log", room::LINES_LIMIT),
        ("lines that wait to be written", room::ROOM),
        ("modulus of an RSA key", pair::LEAST_BITS),
        ("PEM of a key", pair::BLOCK_LIMIT),
        ("items in a log", item::BULK_LIMIT),
        ("packets remembered of a client", defaults.client_memory),
        ("packets remembered of all clients", defaults.memory_limit),
    ] {
        let limit = limit.to_string();
        let told = documented.get(what).unwrap_or_else(|| panic!("no \"{what}\""));
        assert_eq!(told.split([' ', ',']).next(), Some(limit.as_str()), "{what}");
    }
    let bits = format!("{} to {} bits", pair::LEAST_BITS, pair::MOST_BITS);
    assert_eq!(documented["modulus of an RSA key"], bits);
}

#[test]
fn what_the_objects_of_the_server_hold_is_in_residue_7() {
    let [hello, established, token] = replies();
    let item = br#"{"datetime":1,"msg":"m","level":64,"vlevel":1,"app":"a","file":"f","line":1,"func":"f","thread":"t"}"#;
    let items = item::parse(item, &Limits { bulk: None, freshness: None }).unwrap();
    let mut line = Vec::new();
    item::put_line(&mut line, &items.valid[0], LineFormat::Json);
    for (object, within, heading) in [
        (hello, "THE CONNECT PORT", "Hello"),
        (established, "THE CONNECT PORT", "Established"),
        (token, "THE TOKEN PORT", "Tokens"),
        (line, "THE LOGGING PORT", "Log files"),
    ] {
        let (section, object) = (section(within, heading), String::from_utf8(object).unwrap());
        let documented: Vec<Vec<&str>> = section.split('{').map(keys).collect();
        let documented = [&documented[..], &[keys(&section)]].concat();
        assert!(documented.contains(&keys(&object)), "{object} is not in \"{heading}\":\n{section}");
    }
}

/// The keys of a JSON object, in their order.
fn keys(text: &str) -> Vec<&str> {
    let quoted = text.split('"').collect::<Vec<_>>();
    quoted.windows(2).filter(|pair| pair[1].starts_with(':')).map(|pair| pair[0]).collect()
}

fn pair() -> PrivateKey {
    PrivateKey::from_pem(include_bytes!("../vectors/rsa1024.pem"), None).unwrap()
}

fn client() -> Client {
    let key_size = Some(KeySize::Bits128);
    Client::new(Settings { pair: pair(), client_id: None, server_key: None, key_size })
}

fn key() -> Key {
    Key::from_hex("000102030405060708090A0B0C0D0E0F").unwrap()
}

/// A packet with an IV that nobody should take.
fn sealed(id: Option<&str>, plain: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    envelope::put(&mut packet, &[0; 16], id, &key().seal(plain, [0; 16]));
    packet
}

/// What the client says, but for its hello.
fn requests() -> [Vec<u8>; 3] {
    let [mut acknowledge, mut token, mut log] = [const { Vec::new() }; 3];
    request::put_acknowledge(&mut acknowledge, TIME, ID);
    request::put_token(&mut token, TIME, LOG.logger, Credential::AccessCode("default"));
    request::put_item(&mut log, TIME, &LOG);
    [acknowledge, token, log]
}

/// What the server says, but for the reply to the log.
fn replies() -> [Vec<u8>; 3] {
    let [mut hello, mut established, mut token] = [const { Vec::new() }; 3];
    let (key, defaults) = (key(), server::Settings::default());
    reply::put_hello(&mut hello, ID, &key);
    let told = Established {
        client_id: ID,
        key: &key,
        age: 259_200,
        date_created: TIME,
        flags: defaults.flags,
        logging_port: 8779,
        token_port: 8778,
        max_bulk_size: defaults.bulk_limit,
        licensee: &defaults.licensee,
        version: "0.1.0",
    };
    reply::put_established(&mut established, &told);
    reply::put_token(&mut token, 3_600, LOG.logger, &Zeroizing::new("0123456789abcdef".to_owned()));
    [hello, established, token]
}

/// A subsection of residue(7).
fn section(section: &str, heading: &str) -> String {
    let page = page("residue.7");
    let found = subsections(&page, section).find(|(name, _)| name == heading);
    found.unwrap_or_else(|| panic!("no \"{heading}\" in \"{section}\"")).1
}

/// The first two columns of the tables in a text.
fn rows(text: &str) -> impl Iterator<Item = (String, String)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix(".It ")?.split_once(" Ta "));
    rows.map(|(first, row)| (first.to_owned(), row.split(" Ta ").next().unwrap().to_owned()))
}

/// What a text has a list of that stands there literally.
fn tags(text: &str) -> BTreeSet<String> {
    let tags = text.lines().filter_map(|line| line.strip_prefix(".It Li "));
    tags.map(|tag| tag.trim_matches('"').to_owned()).filter(|tag| !tag.is_empty()).collect()
}

/// Text, in which a backslash has a name.
fn plain(line: &str) -> Vec<u8> {
    line.replace("\\e", "\\").into_bytes()
}
