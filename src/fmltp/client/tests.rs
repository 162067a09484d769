//! The client against recorded, scripted and broken servers.

use super::*;
use crate::fmltp::fernet::Key;
use crate::fmltp::pem::{PemError, PemProblem};
use crate::fmltp::vectors::{Recorded, Side, WITH_USERS, WITHOUT_USERS};

const GREETING: &[u8] = b"FlexMusic,0.0.0\r\n";

fn client() -> Client {
    Client::new(Greeting::default())
}

fn input(bytes: &[u8], flow: Flow) -> Input<'_> {
    Input { bytes, flow, unix_time: 499_162_800 }
}

/// A server as a test plays it: what it has sent that was not taken yet, and what it got.
struct Script {
    client: Client,
    waiting: Vec<u8>,
    sent: Vec<u8>,
    events: Vec<Event>,
}

impl Script {
    fn new() -> Self {
        Self { client: client(), waiting: Vec::new(), sent: Vec::new(), events: Vec::new() }
    }

    /// Has the client take `bytes`, which come in pieces of `step`, and do all that it can.
    fn feed(&mut self, bytes: &[u8], step: usize) -> Result<(), Fault> {
        for piece in bytes.chunks(step.max(1)) {
            self.waiting.extend_from_slice(piece);
            self.run(Flow::Running)?;
        }
        Ok(())
    }

    fn run(&mut self, flow: Flow) -> Result<(), Fault> {
        loop {
            let (taken, event) = self.client.receive(input(&self.waiting, flow), &mut self.sent)?;
            if (taken, &event) == (0, &None) {
                return Ok(());
            }
            self.waiting.drain(..taken);
            self.events.extend(event);
        }
    }

    /// The last packet that the client has sent.
    fn last_block(&self) -> &[u8] {
        let text = std::str::from_utf8(&self.sent).unwrap();
        let start = text.rfind("-----BEGIN").unwrap();
        text[start..].trim_end().as_bytes()
    }

    /// A client that has agreed on a key with a server of ours, and that key.
    fn secured() -> (Self, Key) {
        let mut script = Self::new();
        script.feed(&[GREETING, group::parameters().as_bytes()].concat(), usize::MAX).unwrap();
        let agreed = key::agree(&key::PublicKey::parse(script.last_block()).unwrap());
        script.sent.clear();
        script.feed(agreed.public.to_pem().as_bytes(), usize::MAX).unwrap();
        script.events.clear();
        (script, agreed.key)
    }

    /// The same, after the server has said this.
    fn open(ready: &str) -> (Self, Key) {
        let (mut script, key) = Self::secured();
        script.feed(&sealed(&key, ready), usize::MAX).unwrap();
        (script, key)
    }
}

fn sealed(key: &Key, text: &str) -> Vec<u8> {
    key.seal(text.as_bytes(), 0, fernet::fresh_iv())
}

fn opened(key: &Key, token: &[u8]) -> String {
    let (end, text) = key.find(token, &mut Scan::default()).unwrap().unwrap();
    assert_eq!(end, token.len(), "one token and nothing after it");
    String::from_utf8(text.to_vec()).unwrap()
}

/// Plays a recorded server; the client takes the recorded secret in place of its own.
fn replay(recorded: &Recorded, step: usize) -> Vec<Event> {
    let mut script = Script::new();
    script.feed(recorded.greeting.as_bytes(), step).unwrap();
    assert_eq!(script.sent, b"FlexMusic,0.0.0\r\n");
    script.feed(recorded.parameters.as_bytes(), step).unwrap();
    let State::Key { secret, .. } = &mut script.client.state else { panic!("it has made a key") };
    let digits = format!("{:0>64}", recorded.secret);
    *secret = Zeroizing::new(U256::from_be_hex(&digits));
    script.sent.clear();
    let tokens = recorded.tokens_of(Side::Server).map(|(token, _)| token);
    let rest: String = std::iter::once(recorded.server_key).chain(tokens).collect();
    script.feed(rest.as_bytes(), step).unwrap();
    let State::Open { key, .. } = &script.client.state else { panic!("it is open") };
    assert_eq!(opened(key, &script.sent), recorded.greeting.trim_end(), "the challenge");
    script.events
}

#[test]
fn recorded_servers_are_understood_whole_and_in_pieces() {
    let name = "FlexMusic Pre-Alpha Development Server".into();
    let info = GroupInfo { bits: 1024, generator: Some(2), private_length: PrivateLength::Bits(175) };
    let begin = [
        Event::Greeted(Greeting { name, version: Default::default() }),
        Event::GroupNamed(info),
        Event::KeySent,
        Event::KeyCame,
        Event::ChallengeSent,
    ];
    for (recorded, authentication) in
        [(WITH_USERS, Authentication::Required), (WITHOUT_USERS, Authentication::None)]
    {
        let mut texts = recorded.tokens_of(Side::Server).map(|(_, text)| text.trim_end().to_owned());
        let ready = Event::Ready(Ready { code: 100, authentication, text: texts.next().unwrap() });
        let answers = texts.map(|text| Event::Answered(Answer { code: text[..3].parse().unwrap(), text }));
        let expected: Vec<Event> = begin.iter().cloned().chain([ready]).chain(answers).collect();
        for step in [1, 2, 7, 64, 100, usize::MAX] {
            assert_eq!(replay(&recorded, step), expected, "step {step}");
        }
    }
}

#[test]
fn all_of_it_works_with_a_server_of_ours() {
    let (mut script, key) = Script::open("112 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.\r\n");
    assert_eq!(opened(&key, &script.sent), "FlexMusic,0.0.0");
    let text = "112 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.".to_owned();
    let ready = Ready { code: 112, authentication: Authentication::Required, text };
    assert_eq!(script.events, [Event::Ready(ready)]);
    script.sent.clear();
    assert!(script.client.command(b"AUTH user password\r\n", 7, &mut script.sent));
    assert_eq!(opened(&key, &script.sent), "AUTH user password\r\n");
    script.events.clear();
    script.feed(&sealed(&key, "150 Authentication successful.\r\n"), 1).unwrap();
    let text = "150 Authentication successful.".to_owned();
    assert_eq!(script.events, [Event::Answered(Answer { code: 150, text })]);
    assert_eq!(script.client.phase(), Phase::Open);
}

#[test]
fn commands_are_sent_when_the_server_is_ready_and_not_before() {
    let mut script = Script::new();
    assert!(!script.client.command(b"HELP", 0, &mut script.sent));
    let (script, _) = Script::secured();
    assert_eq!(script.client.phase(), Phase::Ready);
    let mut out = Vec::new();
    assert!(!script.client.command(b"HELP", 0, &mut out) && out.is_empty());
}

#[test]
fn an_answer_may_be_as_long_as_the_roll() {
    let (mut script, key) = Script::open("100 ready");
    script.events.clear();
    let roll = format!("200 {}", "x".repeat(32 * 1024));
    script.feed(&sealed(&key, &roll), 4096).unwrap();
    assert_eq!(script.events, [Event::Answered(Answer { code: 200, text: roll })]);
    let endless = vec![b'A'; LIMIT];
    assert!(matches!(script.feed(&endless, 4096), Err(Fault::Token(_))));
}

#[test]
fn a_refusal_is_understood_in_every_phase() {
    let refusal = b"400 Try again in 300 s.\r\n";
    let expected = Event::Refused("400 Try again in 300 s.".to_owned());
    let stages: [fn() -> Script; 5] = [
        Script::new,
        || {
            let mut script = Script::new();
            script.feed(GREETING, usize::MAX).unwrap();
            script
        },
        || {
            let mut script = Script::new();
            script.feed(&[GREETING, group::parameters().as_bytes()].concat(), usize::MAX).unwrap();
            script
        },
        || Script::secured().0,
        || Script::open("100 ready").0,
    ];
    for stage in stages {
        for step in [1, usize::MAX] {
            let mut script = stage();
            let phase = script.client.phase();
            script.feed(refusal, step).unwrap();
            assert_eq!(script.events.last(), Some(&expected), "{phase:?}");
            assert_eq!(script.client.phase(), Phase::Over);
            script.feed(b"what follows is not read", step).unwrap();
            assert_eq!(script.waiting, b"");
        }
        let mut script = stage();
        script.feed(refusal.trim_ascii_end(), 1).unwrap();
        assert_ne!(script.events.last(), Some(&expected), "it may go on");
        script.run(Flow::Still).unwrap();
        assert_eq!(script.events.last(), Some(&expected), "it does not");
    }
}

#[test]
fn a_refusal_in_a_token_is_one_where_the_server_should_be_ready() {
    for text in ["400 Wrong challenge.\r\n", "200 Goodbye.", "999"] {
        let (script, _) = Script::open(text);
        assert_eq!(script.events, [Event::Refused(text.trim_end().to_owned())]);
    }
    let (mut script, key) = Script::open("100 ready");
    script.events.clear();
    let text = "400 Invalid command or operative.".to_owned();
    script.feed(&sealed(&key, &text), 1).unwrap();
    assert_eq!(script.events, [Event::Answered(Answer { code: 400, text })], "later it is an answer");
}

#[test]
fn a_greeting_without_line_end_is_whole_once_nothing_more_comes() {
    let mut script = Script::new();
    script.feed(b"  FlexMusic \xc3\xa9,1.20.300", 1).unwrap();
    assert_eq!((script.events.len(), script.sent.len()), (0, 0));
    script.run(Flow::Still).unwrap();
    let Some(Event::Greeted(greeting)) = script.events.first() else { panic!("it has greeted") };
    assert_eq!(greeting.to_string(), "FlexMusic \u{e9},1.20.300");
    script.run(Flow::Still).unwrap();
    assert_eq!(script.client.phase(), Phase::Group, "nothing is nothing, however long it lasts");
}

#[test]
fn what_breaks_the_rules_is_told_in_each_phase() {
    let long = vec![b'x'; 256];
    let pem = |at, problem| PemError { at, problem };
    let table: [(&[u8], Fault); 7] = [
        (&long, Fault::LongGreeting),
        (b"\xff\xfe,0.0.0\n", Fault::NotText),
        (b"-----BEGIN DH PARAMETERS-----\n", Fault::Greeting(Greeting::parse("x").unwrap_err())),
        (b"HTTP/1.1 400 Bad Request\r\n", Fault::Greeting(Greeting::parse("x").unwrap_err())),
        (b"FlexMusic,0.0.0\r\nHTTP", Fault::Group(GroupError::Pem(pem(0, PemProblem::Begin)))),
        (b"FlexMusic,0.0.0\r\n-----BEGIN PUBLIC", Fault::Group(GroupError::Pem(pem(11, PemProblem::Begin)))),
        (&[b"400 ", &[b'x'; 2000][..]].concat(), Fault::LongRefusal),
    ];
    for (bytes, expected) in table {
        for step in [1, usize::MAX] {
            let mut script = Script::new();
            let found = script.feed(bytes, step).unwrap_err();
            let same = match (found, expected) {
                (Fault::Greeting(one), Fault::Greeting(other)) => one.problem == other.problem,
                _ => found == expected,
            };
            assert!(same, "{found:?} {expected:?}");
            assert_eq!(script.client.phase(), Phase::Over);
        }
    }
}

#[test]
fn keys_and_tokens_of_others_are_told() {
    let mut script = Script::new();
    script.feed(&[GREETING, group::parameters().as_bytes()].concat(), usize::MAX).unwrap();
    let fault = script.feed(WITH_USERS.server_key.as_bytes(), usize::MAX);
    assert_eq!(fault, Err(Fault::Key(KeyError::Group)));
    let (mut script, _) = Script::secured();
    let foreign = sealed(&Key::new([7; fernet::KEY]), "100 ready");
    assert!(matches!(script.feed(&foreign, usize::MAX), Err(Fault::Token(_))));
    let (mut script, key) = Script::secured();
    assert_eq!(script.feed(&sealed(&key, "ready"), usize::MAX), Err(Fault::NoCode));
    for text in ["", "+10 x", "10 x", "1000 x"] {
        let (mut script, key) = Script::open("100");
        assert_eq!(script.feed(&sealed(&key, text), usize::MAX), Err(Fault::NoCode), "{text:?}");
    }
    let (mut script, key) = Script::open("100");
    let token = key.seal(b"200 \xff", 0, fernet::fresh_iv());
    assert_eq!(script.feed(&token, usize::MAX), Err(Fault::NotText));
}

#[test]
fn mutated_servers_never_panic_and_tell_the_same_in_pieces() {
    let seed = 0x00c0_ffee_u64;
    println!("seed {seed:#x}");
    let mut random = crate::wire::random::Random::new(seed);
    let bytes = [WITH_USERS.greeting, WITH_USERS.parameters, WITH_USERS.server_key].concat();
    let told = |bytes: &[u8], step| {
        let mut script = Script::new();
        let fault = script.feed(bytes, step).err();
        (script.events, fault)
    };
    for _ in 0..300 {
        let mutated = random.mutate(bytes.as_bytes());
        let step = 1 + random.below(99);
        assert_eq!(told(&mutated, step), told(&mutated, usize::MAX), "seed {seed:#x}");
    }
}
