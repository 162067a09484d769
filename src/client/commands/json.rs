//! Clients and events as JSON.

use serde_json::{Map, Value, json};

use crate::client::clock::LocalTime;
use crate::lekt::wire::{Method, Object};

/// `{"address": "127.0.0.9", "methods": [{"name": "tcp", "port": 4242}]}`.
pub(super) fn client(client: &Object) -> Value {
    let methods: Vec<Value> = client
        .methods
        .iter()
        .map(|method| match method {
            Method::DirectTcp { port } => json!({"name": "tcp", "port": port}),
        })
        .collect();
    json!({"address": client.address.to_string(), "methods": methods})
}

/// An event with its time, `{"event": "arrived", "time": "2026-11-21T12:34:56+00:00", "unix": 1795264496, ...}`.
pub(super) fn event(name: &str, time: &LocalTime, about: Value) -> Value {
    let mut event = Map::new();
    event.insert("event".to_owned(), name.into());
    event.insert("time".to_owned(), time.rfc3339().into());
    event.insert("unix".to_owned(), time.unix().into());
    if let Value::Object(about) = about {
        event.extend(about);
    }
    Value::Object(event)
}
