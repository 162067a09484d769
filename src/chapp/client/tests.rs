//! The client on a clock of the test's own, against scripted, hostile and broken servers.

mod hostile;

use super::*;
use crate::chapp::message;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// M, as bob posts it to ann.
fn kept(text: &str) -> String {
    let bytes = message::render("2026-11-21 06:59:13", text, &name("bob"), &name("ann"));
    String::from_utf8(bytes.into()).unwrap()
}

fn read(text: &str) -> Message {
    Message::parse(&kept(text)).unwrap()
}

/// What a server says to a client that it calls `username`, with these messages in its list.
fn welcome(about: u64, username: &str, texts: &[&str]) -> String {
    let list: Vec<_> = texts.iter().map(|text| kept(text)).collect();
    let list = list.join(", ");
    format!(
        "RESPONSE\tserver->{username}|ID:9|for: {about}|status: 100|username: {username}|messages: [{list}]|"
    )
}

fn refusal(about: i64, status: Status) -> String {
    let (code, reason) = (status.code(), status.reason());
    format!("RESPONSE\tserver->unknown|ID:9|for: {about}|status: {code}|reason: {reason}|")
}

fn delivery(text: &str) -> String {
    format!("POST\tbob->ann|ID:77|id: 77|message: {}|", kept(text))
}

/// A client as a test plays with it: `|` stands for a separator in all that is said.
struct Script {
    client: Client,
    now: Instant,
    waiting: Vec<u8>,
    sent: Vec<u8>,
}

impl Script {
    fn new(wanted: Option<&str>) -> Self {
        let client = Client::new(Settings::default(), wanted.map(name));
        Self { client, now: Instant::now(), waiting: Vec::new(), sent: Vec::new() }
    }

    /// One that has just connected.
    fn connected(wanted: Option<&str>) -> Self {
        let mut script = Self::new(wanted);
        script.connects();
        script
    }

    /// One that is in the chat as ann, after one CONNECT.
    fn present() -> Self {
        let mut script = Self::connected(Some("ann"));
        script.says(&welcome(1, "ann", &["old"])).unwrap();
        script.forget();
        script
    }

    fn connects(&mut self) {
        assert!(self.client.dial(self.now), "a connection is due");
        self.waiting.clear();
        self.client.connected(self.now, &mut self.sent);
    }

    fn says(&mut self, text: &str) -> Result<(), Fault> {
        self.feed(text.replace('|', "\\\n").as_bytes(), usize::MAX)
    }

    fn feed(&mut self, bytes: &[u8], step: usize) -> Result<(), Fault> {
        for piece in bytes.chunks(step.max(1)) {
            self.waiting.extend_from_slice(piece);
            while !self.waiting.is_empty() {
                let taken = self.client.receive(self.now, &self.waiting, &mut self.sent)?;
                self.waiting.drain(..taken);
                if taken == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn passes(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.client.tick(self.now, &mut self.sent);
    }

    /// What was sent since the last time.
    fn sent(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.sent)).unwrap().replace("\\\n", "|")
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.next_event()).collect()
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.events();
    }

    fn post(&mut self, message: &str) -> Result<Option<u64>, Unsendable> {
        self.client.post(self.now, &name("bob"), message, &mut self.sent)
    }
}

fn asked(errand: Errand, id: u64, attempt: u32) -> Event {
    Event::Asked { errand, id, attempt }
}

fn entered(username: &str, texts: &[&str]) -> Event {
    Event::Entered { name: name(username), messages: texts.iter().map(|text| read(text)).collect() }
}

const CONNECT: &str = "CONNECT\t->server|";

#[test]
fn who_is_known_is_in_the_chat_at_once() {
    for (wanted, username) in [(None, ""), (Some("ann"), "username: ann|")] {
        let mut script = Script::connected(wanted);
        assert_eq!(script.sent(), format!("{CONNECT}ID:1|{username}|"));
        script.says(&welcome(1, "ann", &["one", "two"])).unwrap();
        assert_eq!(script.events(), [asked(Errand::Connect, 1, 1), entered("ann", &["one", "two"])]);
        assert_eq!((script.sent().as_str(), script.client.deadline()), ("", None));
    }
}

#[test]
fn who_is_not_known_introduces_itself_and_connects_again() {
    let mut script = Script::connected(Some("ann"));
    script.says(&refusal(1, Status::ClientNotFound)).unwrap();
    assert_eq!(script.sent(), format!("{CONNECT}ID:1|username: ann||INTRODUCE\tann->server|ID:2||"));
    script.says(&welcome(2, "ann", &["one"])).unwrap();
    assert_eq!(script.sent(), format!("{CONNECT}ID:3|username: ann||"));
    // What comes in between is in the list that comes with the last reply.
    script.says(&delivery("two")).unwrap();
    script.says(&welcome(3, "ann", &["one", "two"])).unwrap();
    script.says(&delivery("three")).unwrap();
    let expected = [
        asked(Errand::Connect, 1, 1),
        Event::NotKnown,
        asked(Errand::Introduce, 2, 1),
        Event::Introduced(name("ann")),
        asked(Errand::Connect, 3, 1),
        entered("ann", &["one", "two"]),
        Event::Delivered(read("three")),
    ];
    assert_eq!(script.events(), expected);
}

#[test]
fn another_name_than_the_wanted_one_leads_to_an_introduction() {
    let mut script = Script::connected(Some("ann"));
    script.says(&welcome(1, "ann2", &[])).unwrap();
    assert_eq!(script.sent(), format!("{CONNECT}ID:1|username: ann||INTRODUCE\tann->server|ID:2||"));
    let other = |errand| Event::OtherName { errand, name: name("ann2") };
    let expected = [asked(Errand::Connect, 1, 1), other(Errand::Connect), asked(Errand::Introduce, 2, 1)];
    assert_eq!(script.events(), expected);
    script.says(&welcome(2, "ann2", &[])).unwrap();
    assert_eq!(script.events(), [other(Errand::Introduce), asked(Errand::Connect, 3, 1)]);
}

#[test]
fn it_starts_over_five_times_at_the_most() {
    let mut script = Script::connected(Some("ann"));
    let mut others = 0;
    for id in 1..100 {
        script.says(&welcome(id, "ann2", &[])).unwrap();
        let events = script.events();
        others += events.iter().filter(|event| matches!(event, Event::OtherName { .. })).count();
        if events.last() == Some(&Event::GaveUp(Why::Unsettled)) {
            assert_eq!((id, others), (11, 11));
            assert_eq!(script.sent().matches("INTRODUCE").count(), 5);
            return;
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn a_refused_name_is_replaced_by_another_and_introduced() {
    let mut script = Script::connected(Some("ann"));
    script.says(&refusal(1, Status::ClientNotFound)).unwrap();
    script.says(&refusal(2, Status::InvalidUsername)).unwrap();
    assert_eq!(script.events().pop(), Some(Event::NameRefused(name("ann"))));
    assert_eq!(script.client.deadline(), None, "people take their time");
    script.passes(100_000);
    script.sent();
    assert!(script.client.rename(script.now, name("eve"), &mut script.sent));
    assert_eq!(script.sent(), "INTRODUCE\teve->server|ID:3||");
    assert!(!script.client.rename(script.now, name("zoe"), &mut script.sent), "none is needed");
    script.says(&welcome(3, "eve", &[])).unwrap();
    assert_eq!(script.sent(), format!("{CONNECT}ID:4|username: eve||"));
}

#[test]
fn who_has_no_name_and_is_not_known_needs_one() {
    let mut script = Script::connected(None);
    script.says(&refusal(1, Status::ClientNotFound)).unwrap();
    assert_eq!(script.events().pop(), Some(Event::NotKnown));
    // The connection is lost while somebody thinks of one.
    script.client.lost(script.now);
    script.passes(1_000);
    script.sent();
    assert!(script.client.rename(script.now, name("ann"), &mut script.sent));
    assert_eq!((script.sent().as_str(), script.client.dial(script.now)), ("", false));
    script.passes(1_000);
    script.connects();
    assert_eq!(script.sent(), format!("{CONNECT}ID:2|username: ann||"));
}

#[test]
fn what_is_not_answered_is_asked_again_under_a_new_id() {
    let mut script = Script::connected(Some("ann"));
    for attempt in 1..=5 {
        let id = u64::from(attempt);
        assert_eq!(script.sent(), format!("{CONNECT}ID:{id}|username: ann||"));
        assert_eq!(script.events(), [asked(Errand::Connect, id, attempt)]);
        script.passes(1_999);
        assert_eq!((script.sent().as_str(), script.events()), ("", vec![]));
        assert_eq!(script.client.deadline(), Some(script.now + Duration::from_millis(1)));
        script.passes(1);
    }
    assert_eq!((script.sent().as_str(), script.events()), ("", vec![Event::GaveUp(Why::Unreachable)]));
    assert_eq!(script.client.deadline(), None);
}

#[test]
fn introductions_and_farewells_are_sent_again_as_well() {
    let mut script = Script::connected(Some("ann"));
    script.says(&refusal(1, Status::ClientNotFound)).unwrap();
    script.forget();
    script.passes(2_000);
    assert_eq!(script.sent(), "INTRODUCE\tann->server|ID:3||");
    assert_eq!(script.events(), [asked(Errand::Introduce, 3, 2)]);

    let mut script = Script::present();
    assert!(script.client.goodbye(script.now, &mut script.sent));
    script.passes(2_000);
    assert_eq!(script.sent(), "GOODBYE\tann->server|ID:2||GOODBYE\tann->server|ID:3||");
    // The first one was heard: the second comes from somebody without a name.
    script.says("RESPONSE\tserver->ann|ID:9|for: 2|status: 100|").unwrap();
    script.says(&refusal(3, Status::NotIntroduced)).unwrap();
    assert_eq!(script.events()[2..], [Event::Late { about: 2 }, Event::Left]);
}

#[test]
fn a_reply_that_comes_too_late_is_ignored_by_its_id() {
    let mut script = Script::connected(Some("ann"));
    script.passes(2_000);
    script.forget();
    script.says(&refusal(1, Status::ClientNotFound)).unwrap();
    assert_eq!((script.sent().as_str(), script.events()), ("", vec![Event::Late { about: 1 }]));
    // It does not give the attempt in progress more time either.
    script.passes(2_000);
    assert_eq!(script.events(), [asked(Errand::Connect, 3, 3)]);
    script.says(&welcome(2, "eve", &[])).unwrap();
    script.says(&welcome(3, "ann", &["x"])).unwrap();
    script.says(&welcome(4, "ann", &["y"])).unwrap();
    assert_eq!(script.events(), [Event::Late { about: 2 }, entered("ann", &["x"]), Event::Late { about: 4 }]);
}

#[test]
fn a_refused_or_lost_connection_is_one_attempt() {
    let mut script = Script::new(Some("ann"));
    let start = script.now;
    let due = |script: &Script| script.client.deadline().map(|at| (at - start).as_millis());
    assert!(script.client.dial(script.now) && !script.client.dial(script.now), "one at a time");
    script.client.lost(script.now);
    assert_eq!((script.events().len(), due(&script)), (1, Some(2_000)));
    assert!(!script.client.dial(script.now), "attempts are not made faster than answers are waited for");
    script.passes(2_000);
    script.connects();
    assert_eq!(script.sent(), format!("{CONNECT}ID:1|username: ann||"));
    assert_eq!(script.events(), [asked(Errand::Connect, 1, 2)]);
    script.passes(500);
    script.client.lost(script.now);
    let at = start + Duration::from_secs(4);
    assert_eq!(script.events(), [Event::Lost { attempt: 3, at }]);
    script.passes(1_500);
    script.connects();
    script.passes(2_000);
    assert_eq!(script.events(), [asked(Errand::Connect, 2, 3), asked(Errand::Connect, 3, 4)]);
    script.passes(1_000);
    script.client.lost(script.now);
    script.passes(1_000);
    assert!(script.client.dial(script.now));
    script.events();
    script.client.lost(script.now);
    assert_eq!(script.events(), [Event::GaveUp(Why::Unreachable)]);
    assert!(!script.client.dial(script.now));
}

#[test]
fn who_loses_the_connection_comes_back_by_its_name() {
    let mut script = Script::connected(None);
    script.says(&welcome(1, "ann", &["old"])).unwrap();
    script.forget();
    script.passes(60_000);
    // What came of a message is lost with the connection.
    script.feed(b"POST\tbob->ann\\\nID:1", usize::MAX).unwrap();
    script.client.lost(script.now);
    assert_eq!(script.events(), [Event::Lost { attempt: 1, at: script.now }], "at once");
    script.connects();
    assert_eq!(script.sent(), format!("{CONNECT}ID:2|username: ann||"));
    script.says(&welcome(2, "ann", &["old", "new"])).unwrap();
    assert_eq!(script.events()[1..], [entered("ann", &["old", "new"])]);
    // One that does not last is not made again at once.
    script.client.lost(script.now);
    assert!(!script.client.dial(script.now));
    script.passes(2_000);
    assert!(script.client.dial(script.now));
}

#[test]
fn a_connection_that_is_lost_on_the_way_in_begins_with_connect() {
    let mut script = Script::connected(Some("ann"));
    script.says(&refusal(1, Status::ClientNotFound)).unwrap();
    script.client.lost(script.now);
    script.forget();
    script.passes(2_000);
    script.connects();
    // The server may take the old connection for alive: only CONNECT takes its place.
    assert_eq!(script.sent(), format!("{CONNECT}ID:3|username: ann||"));
    assert_eq!(script.events(), [asked(Errand::Connect, 3, 2)]);
}

#[test]
fn who_is_replaced_stays_out() {
    for mut script in [Script::present(), Script::connected(Some("ann"))] {
        script.says(&refusal(-1, Status::Replaced)).unwrap();
        assert_eq!(script.events().pop(), Some(Event::GaveUp(Why::Replaced)));
        script.client.lost(script.now);
        assert!(script.events().is_empty() && !script.client.dial(script.now));
    }
}

#[test]
fn what_a_server_does_not_want_is_not_asked_again() {
    for (status, errand, id) in [
        (Status::ServerError, Errand::Connect, 1),
        (Status::InvalidAction, Errand::Connect, 1),
        (Status::InvalidUsername, Errand::Connect, 1),
        (Status::ServerError, Errand::Introduce, 2),
        (Status::ClientNotFound, Errand::Introduce, 2),
    ] {
        let mut script = Script::connected(Some("ann"));
        if errand == Errand::Introduce {
            script.says(&refusal(1, Status::ClientNotFound)).unwrap();
        }
        script.says(&refusal(id, status)).unwrap();
        let verdict = Verdict { status: status.code(), reason: Some(status.reason().into()) };
        assert_eq!(verdict.to_string(), format!("{} {}", status.code(), status.reason()));
        assert_eq!(script.events().pop(), Some(Event::GaveUp(Why::Refused(errand, verdict))));
    }
}

#[test]
fn complaints_about_nothing_change_nothing() {
    let mut script = Script::connected(Some("ann"));
    script.says(&refusal(-1, Status::ServerError)).unwrap();
    assert!(matches!(script.events().pop(), Some(Event::Complaint(Verdict { status: 400, .. }))));
    script.says(&welcome(1, "ann", &[])).unwrap();
    assert_eq!(script.events(), [entered("ann", &[])]);
}

#[test]
fn a_message_is_posted_and_its_reply_tells_what_was_kept() {
    let mut script = Script::present();
    assert_eq!(script.post("hi\nbob\\"), Ok(Some(2)));
    assert_eq!(script.sent(), "POST\tann->bob|ID:2|message: hi\nbob\\||");
    assert_eq!(script.post("at once"), Ok(None), "one after the other");
    let reply = format!("RESPONSE\tserver->ann|ID:9|for: 2|status: 100|message: {}|", kept("hi"));
    script.says(&(delivery("meanwhile") + &reply)).unwrap();
    let message = read("hi");
    assert_eq!(script.events(), [Event::Delivered(read("meanwhile")), Event::Posted { id: 2, message }]);
    assert_eq!(script.post("next"), Ok(Some(3)));
    script.says(&refusal(3, Status::ServerError)).unwrap();
    let verdict = Verdict { status: 400, reason: Some("SERVER_ERROR".into()) };
    assert_eq!(script.events(), [Event::NotPosted { id: 3, verdict }]);
}

#[test]
fn what_cannot_be_sent_is_not_sent() {
    let mut script = Script::present();
    assert_eq!(script.post("a\\\nb"), Err(Unsendable::Separator(1)));
    assert!(matches!(script.post(&"x".repeat(65_536)), Err(Unsendable::TooLong(_))));
    assert_eq!((script.sent().as_str(), script.post("x")), ("", Ok(Some(2))));
    let mut script = Script::connected(Some("ann"));
    script.sent();
    assert_eq!((script.post("x"), script.sent().as_str()), (Ok(None), ""), "not in the chat");
    assert!(!script.client.goodbye(script.now, &mut script.sent));
}

#[test]
fn a_message_is_never_sent_twice() {
    let mut script = Script::present();
    script.post("hi").unwrap();
    script.sent();
    script.passes(9_999);
    assert_eq!(script.events(), []);
    script.passes(1);
    assert_eq!(script.events(), [Event::PostUnknown { id: 2 }]);
    let reply = format!("RESPONSE\tserver->ann|ID:9|for: 2|status: 100|message: {}|", kept("hi"));
    script.says(&reply).unwrap();
    assert_eq!(script.events(), [Event::Late { about: 2 }]);
    script.post("more").unwrap();
    script.sent();
    script.client.lost(script.now);
    assert_eq!(script.events()[0], Event::PostUnknown { id: 3 });
    script.connects();
    assert_eq!(script.sent(), format!("{CONNECT}ID:4|username: ann||"));
}

#[test]
fn a_farewell_is_over_as_soon_as_it_is_heard() {
    for reply in ["for: 2|status: 100|", "status: 100|for: 2|", "for: 2|status: 100|RESP"] {
        let mut script = Script::present();
        assert!(script.client.goodbye(script.now, &mut script.sent));
        assert_eq!(script.sent(), "GOODBYE\tann->server|ID:2||");
        let text = format!("RESPONSE\tserver->ann|ID:9|{reply}").replace('|', "\\\n");
        let last = script.feed(text.as_bytes(), 1);
        assert_eq!((last, script.events().pop()), (Ok(()), Some(Event::Left)), "{reply}");
        assert!(!script.client.dial(script.now));
    }
    let mut script = Script::present();
    script.client.goodbye(script.now, &mut script.sent);
    script.client.lost(script.now);
    assert_eq!(script.events().pop(), Some(Event::Left), "it is gone either way");
}
