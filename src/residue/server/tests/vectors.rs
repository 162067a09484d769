//! What clients of the Residue project have sent to other servers.

use zeroize::Zeroizing;

use super::*;
use crate::residue::cipher::{Key, KeySize};
use crate::residue::clerk::Source;
use crate::residue::desk::Port;
use crate::residue::random::RandomError;
use crate::residue::vectors::{all, key_pair, named, text};

/// Draws the ID and the key that somebody has had before, and whose packets they open.
struct Preset {
    id: &'static str,
    key: String,
}

impl Source for Preset {
    fn id(&mut self) -> Result<String, RandomError> {
        Ok(self.id.to_owned())
    }

    fn key(&mut self, _: KeySize) -> Result<Key, RandomError> {
        Ok(Key::from_hex(&self.key).unwrap())
    }

    fn token(&mut self) -> Result<Zeroizing<String>, RandomError> {
        Ok(Zeroizing::new("0123456789abcdef".to_owned()))
    }
}

/// A world in which every time is now, and a client that has said hello and got this ID and key.
fn world_of(id: &'static str, key: &str) -> (World, Client) {
    let source = Box::new(Preset { id, key: key.to_owned() });
    let mut world = World::drawing(|settings| settings.tolerance = u64::MAX, |_| {}, source);
    let client = Client::fresh(&mut world);
    assert_eq!((client.id.as_str(), client.key.to_lowercase()), (id, key.to_lowercase()));
    (world, client)
}

#[track_caller]
fn reply(world: &mut World, port: Port, packet: &str) -> String {
    Guest::at(world, port).hears(world, packet.as_bytes())
}

#[test]
fn what_node_clients_have_sent_is_served() {
    let acknowledgement = named("captured", "acknowledgement of the Node client 2.0.1 to the server 2.3.6");
    let (mut world, client) = world_of("maskesyecwysgemw", text(&acknowledgement, "key_hex"));
    let told = reply(&mut world, Port::Connect, text(&acknowledgement, "packet"));
    assert!(client.open(&told).starts_with(r#"{"ack":1,"age":259200,"client_id":"maskesyecwysgemw","#));

    let request = named("captured", "token request of the Node client 1.1.2");
    let (mut world, mut client) = world_of("cvqopybfuyrwoccz", text(&request, "key_hex"));
    client.acknowledges(&mut world);
    let told = reply(&mut world, Port::Token, text(&request, "packet"));
    let token = r#"{"life":60,"loggerId":"sample-app","status":0,"token":"0123456789abcdef"}"#;
    assert_eq!(client.open(&told), token);
    let log = named("captured", "log of the Node client 1.1.2, compressed");
    assert_eq!(reply(&mut world, Port::Log, text(&log, "packet")), r#"{"r":0}"#);
    let line = world.files.text("sample-app");
    assert!(
        line.starts_with("2026-11-21T") && line.ends_with(" Timeout._onTimeout - hello info\n"),
        "{line}"
    );
}

#[test]
fn each_hello_is_welcome() {
    let own = key_pair("client");
    for hello in all("hello") {
        let mut world = World::with(
            |settings| (settings.key, settings.tolerance) = (Some(Arc::new(key_pair("server"))), u64::MAX),
            |_| {},
        );
        let told = reply(&mut world, Port::Connect, text(&hello, "packet"));
        let is_managed = text(&hello, "plain").contains("known01");
        let client = Client::from_hello(&told, if is_managed { &CLIENT } else { &own });
        assert_eq!(client.id == "known01", is_managed);
    }
}

#[test]
fn each_request_and_each_log_is_served() {
    let vectors = all("aes");
    let sent = vectors.iter().filter(|vector| text(vector, "dir") == "C->S");
    let mut served = 0;
    for vector in sent.filter(|vector| text(vector, "packet").contains(":abcdefghijklmnop:")) {
        let (packet, name) = (text(vector, "packet"), text(vector, "name"));
        let (mut world, mut client) = world_of("abcdefghijklmnop", text(vector, "key_hex"));
        if name != "ack" {
            client.acknowledges(&mut world);
        }
        let (port, told) = match name {
            name if name.contains("log") || name.contains("bulk") => (Port::Log, r#"{"r":0}"#),
            name if name.contains("token") => (Port::Token, r#""status":0"#),
            name if name.contains("touch") || name == "ack" => (Port::Connect, r#""ack":1"#),
            _ => continue,
        };
        let reply = reply(&mut world, port, packet);
        let reply = if port == Port::Log { reply } else { client.open(&reply) };
        assert!(reply.contains(told), "{name}: {reply}");
        served += 1;
    }
    assert!(served >= 6, "{served}");
}

#[test]
fn what_clients_write_otherwise_is_served_and_what_is_wrong_is_not() {
    let key = named("aes", "ack");
    let fresh = || world_of("abcdefghijklmnop", text(&key, "key_hex"));
    for vector in all("tolerated") {
        let (mut world, client) = fresh();
        let told = reply(&mut world, Port::Connect, text(&vector, "packet"));
        assert!(client.open(&told).starts_with(r#"{"ack":1,"#), "{}", vector["name"]);
    }
    for vector in all("invalid") {
        let (mut world, client) = fresh();
        let told = reply(&mut world, Port::Connect, text(&vector, "packet"));
        let name = text(&vector, "name");
        match name {
            name if name.starts_with("ciphertext") => assert_eq!(client.open(&told), INVALID, "{name}"),
            "unknown client" => assert_eq!(told, NOT_CONNECTED),
            _ => assert_eq!(told, INVALID, "{name}"),
        }
        assert!(world.names().is_empty(), "{name}");
    }
}
