//! The client against recorded, scripted and broken servers.

use serde_json::json;

use super::*;
use crate::residue::cipher::{CipherError, Inflated, inflate};
use crate::residue::envelope::Envelope;
use crate::residue::item;
use crate::residue::reply::{self, ConnectError, Established, ReplyError, TokenError};
use crate::residue::request::{Request, RequestKind, TokenRequest};
use crate::residue::vectors;

const TIME: i64 = 1_504_663_925;
const ID: &str = "abcdefghijklmnop";
const HEX: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
const OTHER_HEX: &str = "FF0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

fn settings() -> Settings {
    Settings { pair: vectors::key_pair("client"), client_id: None, server_key: None, key_size: None }
}

fn client() -> Client {
    Client::new(settings())
}

fn key() -> Key {
    Key::from_hex(HEX).unwrap()
}

/// A client that has said hello.
fn greeting(settings: Settings) -> Client {
    let mut client = Client::new(settings);
    client.hello(TIME, &mut Vec::new()).unwrap();
    client
}

/// A client that a server has given the key.
fn present() -> Client {
    let mut client = greeting(settings());
    let hello = encrypted(&hello_json(HEX));
    assert!(matches!(client.receive(&hello), Ok((taken, Some(Event::Greeted(_)))) if taken == hello.len()));
    client
}

/// One that has asked for this since.
fn asking(ask: impl FnOnce(&mut Client, &mut Vec<u8>) -> Result<(), Unsent>) -> Client {
    let mut client = present();
    ask(&mut client, &mut Vec::new()).unwrap();
    client
}

fn acknowledging() -> Client {
    asking(|client, out| client.acknowledge(TIME, out))
}

fn hello_json(hex: &str) -> String {
    format!(r#"{{"ack":0,"client_id":"{ID}","key":"{hex}","status":0}}"#)
}

/// What only the client reads.
fn encrypted(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    envelope::put_base64(&mut out, &vectors::key_pair("client").public().encrypt(text.as_bytes()).unwrap());
    out
}

/// What only they read who have the key.
fn sealed(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    envelope::put(&mut out, &[7; 16], None, &key().seal(text.as_ref(), [7; 16]));
    out
}

fn plain(text: &str) -> Vec<u8> {
    [text.as_bytes(), DELIMITER].concat()
}

/// What a server reads in a packet that the client has sealed.
fn opened(packet: &[u8]) -> Zeroizing<Vec<u8>> {
    let packet = packet.strip_suffix(DELIMITER).unwrap();
    let Envelope::Aes(sealed) = envelope::read(packet) else { panic!("{}", packet.escape_ascii()) };
    assert_eq!(sealed.id, ID.as_bytes());
    key().open(&sealed).unwrap().plain
}

fn said(client: &mut Client, bytes: &[u8]) -> Event {
    let (taken, event) = client.receive(bytes).unwrap();
    assert_eq!(taken, bytes.len());
    event.unwrap()
}

fn established(key: &Key) -> Vec<u8> {
    let mut out = Vec::new();
    let told = Established {
        client_id: ID,
        key,
        age: 300,
        date_created: TIME,
        flags: Flags::default(),
        logging_port: 8779,
        token_port: 8778,
        max_bulk_size: 100,
        licensee: "licensee",
        version: "version",
    };
    reply::put_established(&mut out, &told);
    out
}

fn item() -> LogItem<'static> {
    LogItem {
        datetime: TIME * 1000,
        logger: "probe",
        message: "a \"quoted\" message",
        level: 128,
        application: "rollcall",
        token: Some("96028078"),
    }
}

#[test]
fn a_hello_goes_in_plain_or_to_the_key_of_the_server() {
    let mut out = Vec::new();
    client().hello(TIME, &mut out).unwrap();
    let request = Request::parse(out.strip_suffix(DELIMITER).unwrap()).unwrap();
    assert_eq!((request.time, request.kind), (Some(TIME), Some(RequestKind::Connect)));
    let theirs = PublicKey::parse(&request.public_key.unwrap()).unwrap();
    assert!(theirs == vectors::key_pair("client").public());

    let server = vectors::key_pair("server");
    let settings = Settings {
        client_id: Some("known01".into()),
        server_key: Some(server.public()),
        key_size: Some(KeySize::Bits128),
        ..settings()
    };
    let mut out = Vec::new();
    Client::new(settings).hello(TIME, &mut out).unwrap();
    let ciphertext = envelope::decode_base64(out.strip_suffix(DELIMITER).unwrap()).unwrap();
    let expected = r#"{"_t":1504663925,"type":1,"client_id":"known01","key_size":128}"#;
    assert_eq!(server.decrypt(&ciphertext).as_slice(), expected.as_bytes());
}

#[test]
fn a_hello_that_does_not_fit_into_the_key_of_the_server_is_told() {
    // The key of the client alone is longer.
    let small = Settings { server_key: Some(vectors::key_pair("client").public()), ..settings() };
    let mut out = Vec::new();
    let unsent = Client::new(small).hello(TIME, &mut out).unwrap_err();
    assert_eq!(unsent, Unsent::NoRoom { length: 650, room: 245 });
    assert!(out.is_empty());
    let large = Settings { server_key: Some(vectors::key_pair("server").public()), ..settings() };
    Client::new(large).hello(TIME, &mut out).unwrap();
}

#[test]
fn replies_of_the_public_servers_are_understood() {
    for vector in vectors::all("hello_reply") {
        let mut client = greeting(settings());
        let packet = vectors::text(&vector, "packet").as_bytes();
        for end in 0..packet.len() {
            assert!(matches!(client.receive(&packet[..end]), Ok((0, None))), "{end}");
        }
        let Event::Greeted(terms) = said(&mut client, packet) else { panic!("{}", vector["name"]) };
        assert_eq!(&*terms.client_id, ID);
    }
    for vector in vectors::all("aes") {
        let name = vectors::text(&vector, "name");
        let packet = vectors::text(&vector, "packet").as_bytes();
        if name.starts_with("established") {
            let Event::Established(terms) = said(&mut acknowledging(), packet) else { panic!("{name}") };
            assert!(terms.is_acknowledged && terms.logging_port.is_some() && terms.flags.is_some());
        }
    }
    let asking = || asking(|client, out| client.token(TIME, "a", Credential::AccessCode("b"), out));
    let given = vectors::named("aes", "token response");
    let token = Token { text: Zeroizing::new("96028078".to_owned()), life: 60 };
    assert_eq!(said(&mut asking(), vectors::text(&given, "packet").as_bytes()), Event::Token(token));
    let refused = vectors::named("aes", "token error");
    assert_eq!(
        said(&mut asking(), vectors::text(&refused, "packet").as_bytes()),
        Event::Refused("Invalid access code".to_owned())
    );
}

#[test]
fn requests_of_the_client_are_those_of_the_public_clients() {
    for vector in vectors::all("aes") {
        let mut client = present();
        let mut out = Vec::new();
        match vectors::text(&vector, "name") {
            "ack" => client.acknowledge(TIME, &mut out).unwrap(),
            "touch" => client.touch(TIME, &mut out).unwrap(),
            "token request" => {
                client.token(TIME, "sample-app", Credential::AccessCode("a2dcb"), &mut out).unwrap();
            }
            _ => continue,
        }
        assert_eq!(opened(&out).as_slice(), vectors::text(&vector, "plain").as_bytes());
    }
}

#[test]
fn a_whole_conversation_goes_its_way() {
    let mut client = present();
    let mut out = Vec::new();
    client.acknowledge(TIME, &mut out).unwrap();
    assert_eq!(Request::parse(&opened(&out)).unwrap().kind, Some(RequestKind::Acknowledge));
    let Event::Established(terms) = said(&mut client, &sealed(established(&key()))) else { panic!() };
    assert_eq!((terms.age, terms.token_port), (Some(300), Some(8778)));

    out.clear();
    client.touch(TIME, &mut out).unwrap();
    assert_eq!(Request::parse(&opened(&out)).unwrap().client_id.as_deref(), Some(ID));
    assert!(matches!(said(&mut client, &sealed(established(&key()))), Event::Established(_)));

    out.clear();
    client.token(TIME, "probe", Credential::Token("96028078"), &mut out).unwrap();
    let request = TokenRequest::parse(&opened(&out)).unwrap();
    assert_eq!(request.token.unwrap().as_str(), "96028078");
    assert_eq!(said(&mut client, &sealed(r#"{"status":0}"#)), Event::TokenValid);

    out.clear();
    client.log(TIME, &item(), &mut out).unwrap();
    let Inflated::Text(log) = inflate(&opened(&out)) else { panic!("the server inflates") };
    let limits = item::Limits { bulk: None, freshness: None };
    let items = item::parse(&log, &limits).unwrap();
    let mut line = Vec::new();
    item::put_line(&mut line, &items.valid[0], item::LineFormat::Text);
    assert_eq!(line, b"2017-09-06T02:12:05.000Z INFO probe rollcall - - - a \"quoted\" message\n");
    assert_eq!(items.valid[0].token().unwrap().as_str(), "96028078");
    for (packet, expected) in
        [("{\"r\":0}", LogReply::Taken), ("{r:1}", LogReply::NotTaken), ("{r:2}", LogReply::NoClient)]
    {
        client.log(TIME, &item(), &mut out).unwrap();
        assert_eq!(said(&mut client, &plain(packet)), Event::Logged(expected));
    }
}

#[test]
fn a_log_is_compressed_only_where_the_server_inflates() {
    let mut client = acknowledging();
    let two_three = vectors::named("aes", "established, 2.3.x");
    said(&mut client, vectors::text(&two_three, "packet").as_bytes());
    let mut out = Vec::new();
    client.log(TIME, &item(), &mut out).unwrap();
    assert!(matches!(inflate(&opened(&out)), Inflated::Text(_)));

    let mut client = acknowledging();
    let terms = json!({"ack":1, "client_id":ID, "key":HEX, "flags":1, "status":0});
    said(&mut client, &sealed(terms.to_string()));
    out.clear();
    client.log(TIME, &item(), &mut out).unwrap();
    assert!(opened(&out).starts_with(b"{\"_t\":1504663925,\"datetime\":1504663925000,"));
}

#[test]
fn the_key_of_the_established_reply_is_final() {
    let mut client = acknowledging();
    said(&mut client, &sealed(established(&Key::from_hex(OTHER_HEX).unwrap())));
    let mut out = Vec::new();
    client.touch(TIME, &mut out).unwrap();
    let Envelope::Aes(sealed) = envelope::read(out.strip_suffix(DELIMITER).unwrap()) else { panic!() };
    assert!(Key::from_hex(OTHER_HEX).unwrap().open(&sealed).is_ok());
}

#[test]
fn refusals_come_in_plain_sealed_or_encrypted_and_change_nothing() {
    let text = r#"{"ack":0,"error_text":"Client not connected yet","status":1}"#;
    let refused = || Event::Refused(ConnectError::NotConnected.text().to_owned());
    for packet in [plain(text), encrypted(text)] {
        let mut client = greeting(settings());
        assert_eq!(said(&mut client, &packet), refused());
        client.hello(TIME, &mut Vec::new()).unwrap();
        assert!(matches!(said(&mut client, &encrypted(&hello_json(HEX))), Event::Greeted(_)));
    }
    for packet in [plain(text), sealed(text), encrypted(text)] {
        let mut client = acknowledging();
        assert_eq!(said(&mut client, &packet), refused());
        client.touch(TIME, &mut Vec::new()).unwrap();
        assert!(matches!(said(&mut client, &sealed(established(&key()))), Event::Established(_)));
    }
    // A touch by nobody, as the public servers have it.
    assert_eq!(said(&mut acknowledging(), &plain("{r:1}")), Event::Refused("r 1".to_owned()));
    let mut told = Vec::new();
    reply::put_token_error(&mut told, TokenError::Token);
    let mut client = asking(|client, out| client.token(TIME, "a", Credential::Token("b"), out));
    assert_eq!(said(&mut client, &sealed(told)), Event::Refused("Invalid token".to_owned()));
}

#[test]
fn a_managed_client_is_nobody_else() {
    let managed = Settings { client_id: Some("known01".into()), ..settings() };
    let other = greeting(managed).receive(&encrypted(&hello_json(HEX))).err();
    assert_eq!(other, Some(Fault::OtherClient));
    let terms = json!({"ack":1, "client_id":"somebody", "key":HEX, "status":0}).to_string();
    assert_eq!(acknowledging().receive(&sealed(terms)).err(), Some(Fault::OtherClient));
    for id in ["a:b", "a\r\n\r\nb"] {
        let hello = json!({"ack":0, "client_id":id, "key":HEX, "status":0}).to_string();
        assert_eq!(greeting(settings()).receive(&encrypted(&hello)).err(), Some(Fault::ClientId));
    }
}

#[test]
fn what_a_broken_server_says_is_told() {
    let stranger = |bits: usize| {
        let pair = PrivateKey::generate(bits).unwrap();
        let mut out = Vec::new();
        envelope::put_base64(&mut out, &pair.public().encrypt(b"{\"status\":0}").unwrap());
        out
    };
    let hello: [(Vec<u8>, Fault); 8] = [
        (stranger(2048), Fault::NotDecrypted),
        (stranger(1024), Fault::Length { found: 128, expected: 256 }),
        (plain(""), Fault::Length { found: 0, expected: 256 }),
        (plain("AAAA"), Fault::Length { found: 3, expected: 256 }),
        (encrypted("junk"), Fault::NotDecrypted),
        (encrypted("{}"), Fault::NotDecrypted),
        (plain(&hello_json(HEX)), Fault::BareKey),
        (plain("{}"), Fault::Reply(ReplyError::Lacks("client_id"))),
    ];
    for (packet, fault) in hello {
        assert_eq!(greeting(settings()).receive(&packet).err(), Some(fault), "{}", packet.escape_ascii());
    }
    for junk in ["HTTP/1.1 400 Bad Request", "SSH-2.0-OpenSSH", "\0\u{1}\u{2}", "ÿ", "0:1"] {
        let fault = greeting(settings()).receive(&plain(junk)).err();
        assert!(matches!(fault, Some(Fault::NoEnvelope(_))), "{junk:?}: {fault:?}");
    }
    let mut foreign = Vec::new();
    let other = Key::from_hex(OTHER_HEX).unwrap();
    envelope::put(&mut foreign, &[7; 16], None, &other.seal(b"{\"status\":0}", [7; 16]));
    let cut = [&sealed("{}")[..50], DELIMITER].concat();
    type IsRight = fn(&Fault) -> bool;
    let answers: [(Vec<u8>, IsRight); 6] = [
        (foreign, |fault| matches!(fault, Fault::NotOpened(CipherError::Padding) | Fault::Reply(_))),
        (cut, |fault| matches!(fault, Fault::NotOpened(_))),
        (sealed("junk"), |fault| matches!(fault, Fault::Reply(ReplyError::Json(_)))),
        (sealed("{}"), |fault| matches!(fault, Fault::Reply(ReplyError::Lacks(_)))),
        (sealed(hello_json("00")), |fault| matches!(fault, Fault::Reply(ReplyError::NoKey))),
        (plain("x"), |fault| matches!(fault, Fault::NoEnvelope(_))),
    ];
    for (packet, is_right) in answers {
        let fault = acknowledging().receive(&packet).err().unwrap();
        assert!(is_right(&fault), "{}: {fault}", packet.escape_ascii());
    }
    let mut client = asking(|client, out| client.log(TIME, &item(), out));
    assert_eq!(client.receive(&plain("{\"r\":17}")).err(), Some(Fault::NoLogReply));
}

#[test]
fn a_server_that_never_ends_is_given_up() {
    let endless = vec![b'x'; LIMIT];
    let mut client = greeting(settings());
    assert!(matches!(client.receive(&endless[..LIMIT - 1]), Ok((0, None))));
    assert_eq!(client.receive(&endless).err(), Some(Fault::TooLong));
    // Its end does not help where it comes too late.
    let late = [&endless[..LIMIT - 3], DELIMITER].concat();
    assert_eq!(greeting(settings()).receive(&late).err(), Some(Fault::TooLong));
    let huge = plain(&format!("{{\"error_text\":\"{}\",\"status\":1}}", "x".repeat(LIMIT - 40)));
    assert!(matches!(greeting(settings()).receive(&huge), Ok((_, Some(Event::Refused(_))))));
    let nested = plain(&format!("{{\"a\":{}", "[".repeat(60_000)));
    assert!(matches!(greeting(settings()).receive(&nested), Err(Fault::Reply(_))));
}

#[test]
fn a_server_speaks_when_it_is_asked_and_once() {
    assert_eq!(client().receive(&plain("{\"r\":0}")).err(), Some(Fault::Unasked));
    assert_eq!(present().receive(&plain("{\"r\":0}")).err(), Some(Fault::Unasked));
    assert!(matches!(client().receive(b""), Ok((0, None))));
    // Of two replies the first is taken.
    let mut client = acknowledging();
    let reply = sealed(established(&key()));
    let (taken, event) = client.receive(&[&reply[..], &reply].concat()).unwrap();
    assert!(taken == reply.len() && matches!(event, Some(Event::Established(_))));
    assert_eq!(client.receive(&reply).err(), Some(Fault::Unasked));
}

#[test]
fn nothing_can_be_asked_for_without_a_key() {
    let mut client = client();
    let mut out = Vec::new();
    assert_eq!(client.acknowledge(TIME, &mut out), Err(Unsent::NoKey));
    client.hello(TIME, &mut Vec::new()).unwrap();
    assert_eq!(client.touch(TIME, &mut out), Err(Unsent::NoKey));
    assert_eq!(client.log(TIME, &item(), &mut out), Err(Unsent::NoKey));
    assert!(out.is_empty());
    // The hello is still out.
    assert!(matches!(said(&mut client, &encrypted(&hello_json(HEX))), Event::Greeted(_)));
}

#[test]
fn a_token_does_not_show_itself() {
    let token = Event::Token(Token { text: Zeroizing::new("secret".to_owned()), life: 60 });
    assert_eq!(format!("{token:?}"), "Token(Token { life: 60, .. })");
}
