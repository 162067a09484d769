//! What fuzzers and mutation tests call: every parser and every session as a function of bytes, which panics if a rule
//! is broken, and the golden bytes to begin with.
//!
//! It is no part of the library: it is built with the feature `fuzzing` only, and by tests that take the file along.

mod golden;
mod parsers;
mod ports;
mod residue;
mod sessions;

/// One thing to throw bytes at.
pub struct Target {
    /// As fuzz/fuzz_targets calls it.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Bytes that are as they should be.
    pub golden: fn() -> Vec<Vec<u8>>,
    /// How many times longer than a parser one run takes, about.
    pub effort: u64,
    /// How many bytes it takes whatever comes.
    pub memory: usize,
}

const fn target(name: &'static str, run: fn(&[u8]), golden: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, golden, effort: 1, memory: 0 }
}

/// What a clerk of Residue takes, or what inflates.
const INFLATER: usize = 64 << 10;

/// All of them. A door that comes adds its own.
pub const TARGETS: &[Target] = &[
    target("lekt_wire", parsers::lekt_wire, golden::lekt_both),
    target("lekt_client", parsers::lekt_client, golden::lekt_told),
    target("lekt_peer", parsers::lekt_peer, golden::lekt_call),
    target("lekt_message", parsers::lekt_message, golden::lekt_parts),
    target("lekt_session", sessions::lekt, golden::lekt_said),
    target("chapp_request", parsers::chapp_request, golden::chapp_said),
    target("chapp_told", parsers::chapp_told, golden::chapp_told),
    target("chapp_message", parsers::chapp_message, golden::chapp_messages),
    target("chapp_client", parsers::chapp_client, golden::chapp_told),
    target("chapp_session", sessions::chapp, golden::chapp_said),
    target("fmltp_version", parsers::fmltp_version, golden::fmltp_greetings),
    target("fmltp_pem", parsers::fmltp_pem, golden::fmltp_pem),
    target("fmltp_key", parsers::fmltp_key, golden::fmltp_der),
    target("fmltp_token", parsers::fmltp_token, golden::fmltp_tokens),
    target("fmltp_command", parsers::fmltp_command, golden::fmltp_commands),
    target("fmltp_users", parsers::fmltp_users, golden::fmltp_users),
    target("residue_packet", residue::packet, residue::packets),
    target("residue_request", residue::request, residue::requests),
    target("residue_item", residue::item, residue::items),
    Target { effort: 20, memory: INFLATER, ..target("residue_connect", ports::connect, ports::connect_said) },
    Target { effort: 10, memory: INFLATER, ..target("residue_token", ports::token, ports::token_said) },
    Target { effort: 20, memory: INFLATER, ..target("residue_log", ports::log, ports::log_said) },
    Target { effort: 50, ..target("fmltp_client", parsers::fmltp_client, golden::fmltp_told) },
    Target { effort: 50, ..target("fmltp_session", sessions::fmltp, golden::fmltp_said) },
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.map_or_else(|| panic!("there is no target {name}"), |target| (target.run)(bytes));
}
