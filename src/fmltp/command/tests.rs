//! Every row of the interpreter's table.

use super::*;

/// What comes of a text, in words that can be compared.
fn outcome(mode: Mode, text: &[u8]) -> String {
    match Command::parse(mode, text) {
        Ok(Command::Auth { name, password }) => format!("AUTH {name:?} {password:?}"),
        Ok(Command::Help) => "HELP".to_owned(),
        Ok(Command::HelpOn(topic)) => format!("HELP {}", topic.word),
        Ok(Command::Quit) => "QUIT".to_owned(),
        Ok(Command::Who) => "WHO".to_owned(),
        Err(error) => error.to_string(),
    }
}

const UNKNOWN: &str = "400 Invalid command or operative.\r\n";
const TOO_MANY: &str = "410 Too many arguments passed.\r\n";
const TOO_FEW: &str = "411 Too few arguments passed.\r\n";

#[test]
fn before_somebody_is_known_he_can_say_who_he_is() {
    let table: &[(&[u8], &str)] = &[
        (b"AUTH alice secret", "AUTH \"alice\" \"secret\""),
        (b" \t\x0b\x0cAUTH alice secret\r\n", "AUTH \"alice\" \"secret\""),
        (b"AUTH alice\tx secret", "AUTH \"alice\\tx\" \"secret\""),
        (b"AUTH  secret", "AUTH \"\" \"secret\""),
        (b"AUTH \xc3\xa9 \xc3\xa9", "AUTH \"é\" \"é\""),
        (b"AUTH", TOO_FEW),
        (b"AUTH ", TOO_FEW),
        (b"AUTH alice", TOO_FEW),
        (b"AUTH alice \r\n", TOO_FEW),
        (b"AUTH alice secret more", TOO_MANY),
        (b"AUTH alice  secret", TOO_MANY),
        (b"AUTH  alice secret", TOO_MANY),
        (b"AUTH alice secret \xff", UNKNOWN),
        (b"HELP", "HELP"),
        (b"HELP\r\n", "HELP"),
        (b"HELP ", "HELP"),
        (b"HELP AUTH", "HELP AUTH"),
        (b"HELP HELP", "HELP HELP"),
        (b"HELP QUIT", "HELP QUIT"),
        (b"HELP WHO", "420 Command WHO not found.\r\n"),
        (b"HELP auth", "420 Command auth not found.\r\n"),
        (b"HELP \xc3\xa9\r\nx", "420 Command é\r\nx not found.\r\n"),
        (b"HELP AUTH now", TOO_MANY),
        (b"HELP  AUTH", TOO_MANY),
        (b"QUIT", "QUIT"),
        (b"QUIT ", "QUIT"),
        (b"QUIT now", TOO_MANY),
        (b"QUIT  now", TOO_MANY),
        (b"WHO", UNKNOWN),
        (b"WHO is there", UNKNOWN),
        (b"", UNKNOWN),
        (b" \r\n", UNKNOWN),
        (b"auth alice secret", UNKNOWN),
        (b"AUTHENTICATE", UNKNOWN),
        (b"AUTH\talice\tsecret", UNKNOWN),
        (b"\xa0QUIT", UNKNOWN),
        (b"\0QUIT", UNKNOWN),
        (b"\xff", UNKNOWN),
    ];
    for &(text, expected) in table {
        assert_eq!(outcome(Mode::Lockdown, text), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn whoever_is_known_can_ask_who_else_is_there() {
    let table: &[(&[u8], &str)] = &[
        (b"WHO", "WHO"),
        (b"WHO is there", TOO_MANY),
        (b"who", UNKNOWN),
        (b"AUTH alice secret", UNKNOWN),
        (b"AUTH", UNKNOWN),
        (b"HELP", "HELP"),
        (b"HELP WHO", "HELP WHO"),
        (b"HELP AUTH", "420 Command AUTH not found.\r\n"),
        (b"HELP  ", "HELP"),
        (b"HELP  X", TOO_MANY),
        (b"QUIT", "QUIT"),
        (b"QUIT now", TOO_MANY),
        (b"", UNKNOWN),
    ];
    for &(text, expected) in table {
        assert_eq!(outcome(Mode::Normal, text), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn help_has_golden_texts() {
    let lockdown = "200 Available commands:\r\n\
        AUTH - Authenticates with the server\r\n\
        HELP - Displays help\r\n\
        QUIT - Closes connection to server\r\n\
        Run HELP <command> for more information.\r\n";
    assert_eq!(Mode::Lockdown.help(), lockdown);
    let normal = "200 Available commands:\r\n\
        HELP - Displays help\r\n\
        QUIT - Closes connection to server\r\n\
        WHO - Lists the clients on the roll\r\n\
        Run HELP <command> for more information.\r\n";
    assert_eq!(Mode::Normal.help(), normal);
    let auth = "200 Help for AUTH:\r\nUsage: AUTH <username> <password>\r\n\
        Authenticates with the server\r\n";
    assert_eq!(AUTH.to_string(), auth);
    assert_eq!(QUIT.to_string(), "200 Help for QUIT:\r\nUsage: QUIT\r\nCloses connection to server\r\n");
}

#[test]
fn no_command_is_a_beginning_of_another_text() {
    let text = b"AUTH alice secret";
    for cut in 0..text.len() {
        let expected = match cut {
            0..4 => UNKNOWN.to_owned(),
            4..12 => TOO_FEW.to_owned(),
            _ => format!("AUTH \"alice\" {:?}", &"secret"[..cut - 11]),
        };
        assert_eq!(outcome(Mode::Lockdown, &text[..cut]), expected, "{cut} bytes");
    }
}
