//! What a server said, in words and as facts.

use serde_json::json;

use super::dialogue::shown;
use crate::client::commands::probe::report::Told;
use crate::residue::cipher::KeySize;
use crate::residue::client::Token;
use crate::residue::reply::Terms;

pub(super) fn greeted(terms: &Terms, size: Option<KeySize>) -> Told {
    let bits = size.map(KeySize::bits);
    let key = bits.map_or_else(|| "a key".to_owned(), |bits| format!("a key of {bits} bits"));
    let known = if terms.is_acknowledged { ", and are acknowledged" } else { "" };
    let about = format!("we are {}, with {key}{known}", shown(&terms.client_id));
    let facts =
        json!({"client_id": terms.client_id, "key_bits": bits, "acknowledged": terms.is_acknowledged});
    Told::new(about, facts)
}

pub(super) fn established(terms: &Terms) -> Told {
    let server = match (&terms.version, &terms.licensee) {
        (Some(version), Some(licensee)) => format!("{} of {}", shown(version), shown(licensee)),
        (Some(one), None) | (None, Some(one)) => shown(one),
        (None, None) => "a server without a name".to_owned(),
    };
    let alive = match terms.age {
        Some(0) => "alive for ever".to_owned(),
        Some(age) => format!("alive for {age} s"),
        None => "alive for as long as it likes".to_owned(),
    };
    let port = |port: Option<u16>| port.map_or_else(|| "off".to_owned(), |port| port.to_string());
    let about = format!(
        "{server}; {alive}; tokens at {}, logs at {}{}{}",
        port(terms.token_port),
        port(terms.logging_port),
        terms.max_bulk_size.map(|size| format!(", up to {size} at once")).unwrap_or_default(),
        terms.flags.map(|flags| format!("; flags {}", flags.0)).unwrap_or_default(),
    );
    let facts = json!({
        "version": terms.version,
        "licensee": terms.licensee,
        "age": terms.age,
        "date_created": terms.date_created,
        "token_port": terms.token_port,
        "logging_port": terms.logging_port,
        "max_bulk_size": terms.max_bulk_size,
        "flags": terms.flags.map(|flags| flags.0),
        "flag_names": terms.flags.map(|flags| flags.names().collect::<Vec<_>>()),
    });
    Told::new(about, facts)
}

/// The token itself is nobody's business.
pub(super) fn token(token: &Token, logger: &str, address: &str) -> Told {
    let life = match token.life {
        0 => "for ever".to_owned(),
        life => format!("for {life} s"),
    };
    let about = format!("good for {} {life}, from {address}", shown(logger));
    Told::new(about, json!({"logger": logger, "life": token.life, "address": address}))
}

pub(super) fn logged(logger: &str, address: &str) -> Told {
    let about = format!("taken for {} by {address}", shown(logger));
    Told::new(about, json!({"logger": logger, "address": address}))
}
