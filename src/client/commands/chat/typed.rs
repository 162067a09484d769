//! What is typed in a chat.

/// A line that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// Text for the current conversation.
    Text(String),
    /// `/who`
    Who,
    /// `/call WHOM`
    Call(String),
    /// `/accept [WHOM]`
    Accept(Option<String>),
    /// `/reject [WHOM [WHY]]`
    Reject(Option<String>, String),
    /// `/msg WHOM [TEXT]`: without text the conversation becomes the current one.
    Message(String, Option<String>),
    /// `/hangup [WHOM]`
    Hangup(Option<String>),
    /// `/help`
    Help,
    /// `/quit`
    Quit,
    /// Nothing at all.
    Nothing,
    /// A command that there is not, or that lacks something: what to type.
    Wrong(String),
}

/// What `/help` says.
pub(super) const HELP: &[&str] = &[
    "/who                  who is on the roll, who calls, whom you are talking to",
    "/call WHOM            call by number or name in /who, or by ADDR:PORT",
    "/accept [WHOM]        accept who calls",
    "/reject [WHOM [WHY]]  reject who calls",
    "/msg WHOM [TEXT]      say something to one of several, or make it the one you talk to",
    "/hangup [WHOM]        end a conversation",
    "/quit                 hang up all and leave",
    "anything else is said to whom you are talking to; // says a line that begins with /",
];

impl Typed {
    pub(super) fn parse(line: &str) -> Self {
        let line = line.trim_end_matches(['\r', '\n']);
        let Some(command) = line.strip_prefix('/') else {
            return if line.is_empty() { Self::Nothing } else { Self::Text(line.to_owned()) };
        };
        if command.starts_with('/') {
            return Self::Text(command.to_owned());
        }
        let (command, rest) = word(command);
        let (first, more) = rest.map_or((None, None), |rest| {
            let (first, more) = word(rest);
            (Some(first.to_owned()).filter(|first| !first.is_empty()), more.map(str::to_owned))
        });
        match (command, first) {
            ("who", _) => Self::Who,
            ("call", Some(whom)) => Self::Call(whom),
            ("call", None) => Self::Wrong("type /call WHOM, as /who shows it, or /call ADDR:PORT".to_owned()),
            ("accept", whom) => Self::Accept(whom),
            ("reject", whom) => Self::Reject(whom, more.unwrap_or_default()),
            ("msg", Some(whom)) => Self::Message(whom, more),
            ("msg", None) => Self::Wrong("type /msg WHOM TEXT".to_owned()),
            ("hangup", whom) => Self::Hangup(whom),
            ("help", _) => Self::Help,
            ("quit", _) => Self::Quit,
            (other, _) => {
                Self::Wrong(format!("there is no command /{other}; /help shows those that there are"))
            }
        }
    }
}

/// The first word, and what follows if anything does.
fn word(text: &str) -> (&str, Option<&str>) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, Some(rest.trim_start()).filter(|rest| !rest.is_empty())),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_text_or_commands() {
        let some = |text: &str| Some(text.to_owned());
        let table = [
            ("hello  there ", Typed::Text("hello  there ".to_owned())),
            ("", Typed::Nothing),
            ("\r\n", Typed::Nothing),
            ("//etc", Typed::Text("/etc".to_owned())),
            ("/who", Typed::Who),
            ("/call  bob ", Typed::Call("bob".to_owned())),
            ("/accept", Typed::Accept(None)),
            ("/accept bob", Typed::Accept(some("bob"))),
            ("/reject", Typed::Reject(None, String::new())),
            ("/reject bob not now", Typed::Reject(some("bob"), "not now".to_owned())),
            ("/msg bob hello  you", Typed::Message("bob".to_owned(), some("hello  you"))),
            ("/msg bob", Typed::Message("bob".to_owned(), None)),
            ("/hangup", Typed::Hangup(None)),
            ("/help me", Typed::Help),
            ("/quit", Typed::Quit),
        ];
        for (line, typed) in table {
            assert_eq!(Typed::parse(line), typed, "{line:?}");
        }
        for wrong in ["/call", "/call ", "/msg", "/", "/nonsense"] {
            assert!(matches!(Typed::parse(wrong), Typed::Wrong(_)), "{wrong:?}");
        }
    }
}
