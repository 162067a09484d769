//! Sessions of all three ports and their clerk, on a fake clock, without a socket.

mod connect;
mod ends;
mod framing;
mod guest;
mod hello;
mod keys;
mod logs;
mod mutations;
mod room;
mod tokens;
mod vectors;
mod world;

use super::*;
use crate::session::{Door, Refusal, Standing};
use guest::{Asked, Client, Guest};
use keys::{CLIENT, LONGEST_PEM, SERVER, SMALL};
use world::World;

const INVALID: &str = r#"{"ack":0,"error_text":"Invalid connection request","status":1}"#;
const NOT_CONNECTED: &str = r#"{"ack":0,"error_text":"Client not connected yet","status":1}"#;

#[test]
fn the_defaults_are_those_of_the_manual() {
    let settings = Settings::default();
    assert_eq!((settings.tolerance, settings.bulk_limit, settings.flags.0), (120, 100, 501));
    assert_eq!(settings.ration.interval * 200, Duration::from_secs(1));
    assert_eq!(settings.ration.burst, 40 * 10);
    assert!(crate::residue::reply::is_label(&settings.licensee));
    assert!(crate::residue::reply::is_label(&settings.version));
}

#[test]
fn what_is_set_is_shown_without_the_key() {
    let settings = Settings { key: Some(Arc::clone(&SERVER)), ..Settings::default() };
    let shown = format!("{settings:?}");
    assert!(shown.contains("key: true") && shown.contains("managed: 0"), "{shown}");
    assert!(shown.len() < 400, "{shown}");
}

#[test]
fn each_door_says_in_its_own_words_that_there_is_no_room() {
    let settings = Arc::new(Settings::default());
    let refusals = [Refusal::Full, Refusal::Crowded, Refusal::CoolingDown(Duration::ZERO)];
    let doors: [(&dyn Door, &str, String); 3] = [
        (&ConnectDoor::new(Arc::clone(&settings)), "residue", format!("{NOT_CONNECTED}\r\n\r\n")),
        (
            &TokenDoor::new(Arc::clone(&settings)),
            "residue-token",
            "{\"error_text\":\"Client not connected yet\",\"status\":1}\r\n\r\n".to_owned(),
        ),
        (&LogDoor::new(Arc::clone(&settings)), "residue-log", "{\"r\":1}\r\n\r\n".to_owned()),
    ];
    for (door, name, told) in doors {
        assert_eq!(door.name(), name);
        assert!(door.toils());
        for why in refusals {
            assert_eq!(String::from_utf8(door.refusal(why)).unwrap(), told);
        }
    }
    assert_eq!(ConnectDoor::new(Arc::clone(&settings)).ration(), RATION);
    assert_eq!(LogDoor::new(Arc::clone(&settings)).ration(), Ration::NONE);
    assert_eq!(TokenDoor::new(settings).ration(), Ration::NONE);
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<session::Server>() <= 160, "{}", size_of::<session::Server>());
}
