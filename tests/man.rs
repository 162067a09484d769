//! The pages in man/ say what the programs do: every option, default and command, and every byte of an example.

#![cfg(test)]

mod common;
#[cfg(feature = "residue")]
mod man_residue;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

#[cfg(feature = "fmltp")]
use common::fmltp_keys::{Key, PublicKey, shared, small};
#[cfg(feature = "chapp")]
use rollcall::chapp::wire::{
    SEPARATOR, Status, request,
    told::{self, Outcome},
};
#[cfg(feature = "chapp")]
use rollcall::chapp::{message, name::Name};
#[cfg(feature = "fmltp")]
use rollcall::fmltp::{command, fernet, group, key, version::Greeting};
use rollcall::lekt::part::Part;
use rollcall::lekt::wire::{self, Block, BlockKind, KnownMethods, Method, Object, Version, kind};

const DAEMON: &str = env!("CARGO_BIN_EXE_rollcalld");
/// The client, where it is built.
const CLIENT: Option<&str> =
    if cfg!(feature = "client") { option_env!("CARGO_BIN_EXE_rollcall") } else { None };

#[test]
fn the_pages_are_clean_under_mandoc() {
    let pages = fs::read_dir(root().join("man")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<PathBuf> = pages.collect();
    assert!(
        pages.len() >= 6,
        "rollcalld(8), rollcall(1), lekt(7), fmltp(7), chapp(7) and residue(7), but found {pages:?}"
    );
    match Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(&pages).output() {
        Ok(lint) => assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout)),
        Err(error) => println!("not checked, because mandoc cannot be run: {error}"),
    }
}

#[test]
fn the_options_of_rollcalld_are_those_of_its_page() {
    compare(&help(DAEMON, &["--help"]), &page("rollcalld.8"), "rollcalld");
}

#[test]
fn the_commands_of_rollcall_and_their_options_are_those_of_its_page() {
    let Some(client) = CLIENT else {
        return println!("not checked, because the feature `client` is off");
    };
    let page = page("rollcall.1");
    let overview = help(client, &["--help"]);
    let commands = commands(&overview);
    assert!(commands.contains("list") && commands.contains("chat"), "no commands in:\n{overview}");
    let documented = subsections(&page, "COMMANDS").filter(|(command, _)| is_built_in(command));
    let documented: BTreeMap<String, String> = documented.collect();
    let sections = documented.keys().cloned().collect();
    assert_eq!(commands, sections, "commands in --help, and subsections of COMMANDS in rollcall(1)");
    let description = page.split("\n.Sh ").find(|section| section.starts_with("DESCRIPTION\n")).unwrap();
    compare(&overview, description, "rollcall");
    // The command `help` has no options: it prints what the others' --help does.
    for (command, section) in documented.iter().filter(|(command, _)| *command != "help") {
        compare(&help(client, &[command, "--help"]), section, &format!("rollcall {command}"));
    }
}

#[test]
fn the_readme_and_the_ci_run_the_same_tests() {
    let script = read(".ci/run");
    let (_, tests) = script.split_once("step \"tests\"\n").unwrap();
    let command = tests.lines().next().unwrap().strip_prefix("run ").unwrap();
    let shown =
        |line: &str| line.trim().trim_start_matches("$ ").split("  #").next().unwrap().trim() == command;
    assert!(read("README.md").lines().any(shown), "the README does not show the test command `{command}`");
}

#[test]
fn the_example_of_a_session_in_lekt_7_is_what_the_library_writes() {
    let page = page("lekt.7");
    let version = Version::OURS;
    let (mut client, mut server) = (Vec::new(), Vec::new());
    KnownMethods::of([Method::DIRECT_TCP]).put(&mut client, version);
    wire::put_accept(&mut server, version);
    wire::put_request(&mut server, version, Method::DIRECT_TCP);
    wire::put_method(&mut client, version, Method::DirectTcp { port: 5000 });
    wire::put_request(&mut server, version, 0);
    for (time, count) in [(1_700_000_000, 1), (1_700_000_010, 0)] {
        wire::put_heartbeat(&mut client, version, time);
        server.extend_from_slice(&Block { time, kind: BlockKind::Added, count }.packet(version));
        if count == 1 {
            Object::put(&mut server, Ipv4Addr::new(192, 0, 2, 7), &[Method::DirectTcp { port: 6000 }]);
        }
    }
    assert_eq!(example(&page, 'C', words), client);
    assert_eq!(example(&page, 'S', words), server);
}

#[test]
fn the_example_of_a_call_in_lekt_7_is_what_the_library_writes() {
    let page = page("lekt.7");
    let version = Version::OURS;
    let (mut caller, mut called) = (Vec::new(), Vec::new());
    wire::put_said(&mut caller, kind::HELLO, version, "alice");
    wire::put_said(&mut called, kind::ACCEPT, version, "bob");
    wire::put_accept(&mut caller, version);
    caller.extend_from_slice(&Part { id: 0, number: 0, length: 2 }.header());
    caller.extend_from_slice(b"hi\0\0");
    caller.extend_from_slice(&Part { id: 0, number: 1, length: 0 }.header());
    assert_eq!(example(&page, 'A', words), caller);
    assert_eq!(example(&page, 'B', words), called);
}

#[cfg(feature = "fmltp")]
#[test]
fn the_example_of_a_session_in_fmltp_7_is_what_the_library_writes() {
    let page = page("fmltp.7");
    // The library makes no keys of secrets that are known: others do, and it reads them.
    let [clients, servers] = [3, 5].map(|secret| {
        let block = PublicKey::of_secret(&small(secret)).pem();
        key::PublicKey::parse(block.as_bytes()).unwrap().to_pem()
    });
    let agreed = Key::from_shared(&shared(&small(3), &small(1 << 5)));
    let digits: String = agreed.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(example(&page, 'K', text), digits.as_bytes());

    let key = fernet::Key::new(agreed.bytes().try_into().unwrap());
    let token = |text: &str| key.seal(text.as_bytes(), 1_700_000_000, [0; 16]);
    let greeting = Greeting::default().to_string();
    let line = format!("{greeting}\r\n").into_bytes();
    let ready = "100 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.\r\n";
    let auth = token("AUTH alice correct-horse");
    assert_eq!(
        example(&page, 'C', text),
        [line.clone(), clients.into_bytes(), token(&greeting), auth].concat()
    );
    let parameters = group::parameters().as_bytes().to_vec();
    assert_eq!(
        example(&page, 'S', text),
        [line, parameters, servers.into_bytes(), token(ready), token(command::AUTHENTICATED)].concat()
    );
}

#[cfg(feature = "fmltp")]
#[test]
fn what_help_says_of_the_commands_is_in_fmltp_7() {
    let page = page("fmltp.7");
    for mode in [command::Mode::Lockdown, command::Mode::Normal] {
        let help = mode.help();
        for (name, text) in help.lines().filter_map(|line| line.split_once(" - ")) {
            let asked = format!("HELP {name}");
            let topic = command::Command::parse(mode, asked.as_bytes());
            let Ok(command::Command::HelpOn(topic)) = topic else { panic!("no help on {name}") };
            let topic = topic.to_string();
            let arguments =
                topic.lines().find_map(|line| line.strip_prefix(&format!("Usage: {name}"))).unwrap();
            let row = format!(".It {name} Ta{arguments} Ta {text}");
            assert!(page.lines().any(|line| line == row), "no \"{row}\" in fmltp(7)");
        }
    }
}

#[cfg(feature = "chapp")]
#[test]
fn the_example_of_a_conversation_in_chapp_7_is_what_the_library_writes() {
    let page = page("chapp.7");
    let [ann, bob] = ["ann", "bob"].map(|name| Name::parse(name).unwrap());
    let first = message::render("2026-11-21 16:45:44", "hi bob", &ann, &bob);
    let second = message::render("2026-11-21 16:45:45", "hi \"ann\"", &bob, &ann);
    let named = |username, messages| Outcome::Named { username, messages };

    let (mut asked, mut told) = (Vec::new(), Vec::new());
    request::put_connect(&mut asked, 1, None);
    told::put_reply(&mut told, 0, None, Some(1), Outcome::Failed(Status::ClientNotFound));
    request::put_introduce(&mut asked, 2, &ann);
    told::put_reply(&mut told, 1, Some(&ann), Some(2), named(&ann, b"[]"));
    request::put_connect(&mut asked, 3, Some(&ann));
    told::put_reply(&mut told, 2, Some(&ann), Some(3), named(&ann, b"[]"));
    request::put_post(&mut asked, 4, &ann, &bob, "hi bob").unwrap();
    told::put_reply(&mut told, 3, Some(&ann), Some(4), Outcome::Kept { message: &first });
    told::put_delivery(&mut told, &bob, &ann, 1, &second);
    assert_eq!(example(&page, 'A', lines), asked);
    assert_eq!(example(&page, 'a', lines), told);

    let (mut asked, mut told) = (Vec::new(), Vec::new());
    let list = [b"[", &*first, b"]"].concat();
    request::put_introduce(&mut asked, 0, &bob);
    end_in_nothing(&mut asked);
    told::put_reply(&mut told, 0, Some(&bob), Some(0), named(&bob, &list));
    request::put_post(&mut asked, 1, &bob, &ann, "hi \"ann\"").unwrap();
    end_in_nothing(&mut asked);
    told::put_reply(&mut told, 1, Some(&bob), Some(1), Outcome::Kept { message: &second });
    request::put_goodbye(&mut asked, 2, &bob);
    end_in_nothing(&mut asked);
    told::put_reply(&mut told, 2, Some(&bob), Some(2), Outcome::Done);
    assert_eq!(example(&page, 'B', lines), asked);
    assert_eq!(example(&page, 'b', lines), told);
}

/// Takes the empty line from the end of a request, as the public client does.
#[cfg(feature = "chapp")]
fn end_in_nothing(asked: &mut Vec<u8>) {
    let end = [SEPARATOR, SEPARATOR].concat();
    asked.truncate(asked.strip_suffix(&end[..]).unwrap().len());
}

#[cfg(feature = "chapp")]
#[test]
fn the_statuses_are_those_of_chapp_7() {
    let page = page("chapp.7");
    let rows = page.lines().filter_map(|line| line.strip_prefix(".It ")?.split_once(" Ta "));
    let rows = rows.filter_map(|(code, row)| Some((code.parse().ok()?, row.split(" Ta ").next()?.trim())));
    let documented: Vec<(u16, &str)> = rows.collect();
    let reason = |status: Status| if status == Status::Success { "\\&" } else { status.reason() };
    let all: Vec<_> = Status::ALL.iter().map(|status| (status.code(), reason(*status))).collect();
    assert_eq!(documented, all);
}

#[test]
fn the_headings_that_comments_refer_to_are_in_the_pages_of_the_protocols() {
    for protocol in ["lekt", "fmltp", "chapp", "residue"] {
        let page = page(&format!("{protocol}.7"));
        let headings: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix(".Ss ")).collect();
        let referred: Vec<_> =
            sources(&root().join("src").join(protocol)).iter().flat_map(references).collect();
        assert!(!referred.is_empty(), "the comments in src/{protocol} refer to no heading");
        for (path, heading) in referred {
            assert!(headings.contains(heading.as_str()), "{path}: no \"{heading}\" in {protocol}(7)");
        }
    }
}

/// The headings that the comments of a file refer to, each with the file's name.
fn references(path: &PathBuf) -> Vec<(String, String)> {
    let source = fs::read_to_string(path).unwrap();
    let comments = source.lines().filter(|line| line.trim().starts_with("//"));
    let quoted = comments.filter_map(|line| line.split_once("(\"")?.1.split_once("\")"));
    let headings = quoted.flat_map(|(quoted, _)| quoted.split("\", \""));
    headings.map(|heading| (path.display().to_string(), heading.to_owned())).collect()
}

/// Whether this build has an option or a command: some are there with a feature only.
fn is_built_in(name: &str) -> bool {
    match name {
        "probe" => cfg!(any(feature = "chapp", feature = "fmltp", feature = "residue")),
        "keygen" => cfg!(feature = "residue"),
        "give-way" => cfg!(feature = "residue"),
        "passwd" => cfg!(feature = "fmltp"),
        "inbox" | "introduce" | "post" => cfg!(feature = "chapp"),
        "slow-workers" => cfg!(feature = "toil"),
        "data" => cfg!(feature = "clerks"),
        "no-sandbox" => cfg!(feature = "sandbox"),
        _ if name.starts_with("fmltp") => cfg!(feature = "fmltp"),
        _ if name.starts_with("chapp") => cfg!(feature = "chapp"),
        _ if name.starts_with("residue") => cfg!(feature = "residue"),
        _ => true,
    }
}

/// Holds the options that `--help` prints against the page, or the section of it, that documents `what`.
fn compare(help: &str, page: &str, what: &str) {
    let (told, documented) = (helped(help), items(page, what));
    assert!(
        told.iter().any(|option| option.name == "help"),
        "no --help among the options of {what}:\n{help}"
    );
    let names = |options: &[Entry]| -> BTreeSet<String> {
        options.iter().map(|option| option.name.clone()).filter(|name| name != "help").collect()
    };
    assert_eq!(names(&told), names(&documented), "{what}: options in --help, and in its manual page");
    for option in &told {
        let (Some(default), Some(item)) =
            (&option.default, documented.iter().find(|item| item.name == option.name))
        else {
            continue;
        };
        assert_eq!(item.default.as_ref(), Some(default), "{what}: default of --{} in its page", option.name);
    }
}

/// An option, as the help or a page tells of it.
struct Entry {
    name: String,
    default: Option<String>,
}

/// The long options of a help text. Every option begins a line; what follows up to the next is about it.
fn helped(help: &str) -> Vec<Entry> {
    let mut texts: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let first = line.trim_start();
        let long = first.split([' ', ',', '=']).find_map(|word| word.strip_prefix("--"));
        match long.filter(|name| first.starts_with('-') && !name.is_empty()) {
            Some(name) => texts.push((name.to_owned(), line.to_owned())),
            None => texts.iter_mut().last().into_iter().for_each(|(_, text)| {
                text.push(' ');
                text.push_str(first);
            }),
        }
    }
    texts.into_iter().map(|(name, text)| Entry { name, default: default_in(&text) }).collect()
}

/// Whether this build has a door that a probe can have this option for.
fn is_probed(name: &str) -> bool {
    const RESIDUE: [&str; 8] =
        ["access-code", "client-id", "client-key", "key-size", "log", "logger", "server-key", "touch"];
    (cfg!(feature = "fmltp") || name != "user") && (cfg!(feature = "residue") || !RESIDUE.contains(&name))
}

/// The long options of this build that a page, or the section of it about `what`, has a list item for.
fn items(page: &str, what: &str) -> Vec<Entry> {
    let mut texts: Vec<(Option<String>, String)> = Vec::new();
    for line in page.lines() {
        if line.starts_with(".It ") || line.starts_with(".El") || line.starts_with(".S") {
            let name = line.split_once("Fl Fl ").map(|(_, rest)| rest.split(' ').next().unwrap().to_owned());
            texts.push((name.filter(|_| line.starts_with(".It ")), String::new()));
        } else if let Some((_, text)) = texts.last_mut() {
            let words = line.strip_prefix('.').and_then(|line| line.split_once(' '));
            text.push_str(words.map_or(line, |(_, words)| words));
            text.push(' ');
        }
    }
    let named = texts.into_iter().filter_map(|(name, text)| name.map(|name| (name, text)));
    let is_there = |name: &str| what != "rollcall probe" || is_probed(name);
    let named = named.filter(|(name, _)| is_built_in(name) && is_there(name));
    named
        .map(|(name, text)| Entry {
            name,
            default: default_in(&text.replace("Fl ", "--").replace(" .", ".")),
        })
        .collect()
}

/// What stands behind "default" in a text: in parentheses in a help, a sentence in a page.
fn default_in(text: &str) -> Option<String> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (behind, end) = match (words.split_once("(default "), words.split_once("The default is ")) {
        (Some((_, behind)), _) => (behind, behind.find(')')?),
        (None, Some((_, behind))) => (behind, behind.find(". ").unwrap_or(behind.len())),
        (None, None) => return None,
    };
    Some(behind[..end].trim_end_matches('.').to_lowercase())
}

/// The commands that an overview lists: the first words of the lines below `Commands:`.
fn commands(overview: &str) -> BTreeSet<String> {
    let lines = overview.lines().skip_while(|line| !line.eq_ignore_ascii_case("commands:")).skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The subsections of a section: heading and text.
fn subsections<'a>(page: &'a str, section: &str) -> impl Iterator<Item = (String, String)> + use<'a> {
    let start = page.find(&format!("\n.Sh {section}\n")).map_or(page.len(), |at| at + 1);
    let text = page[start..].split("\n.Sh ").next().unwrap_or_default();
    text.split("\n.Ss ").skip(1).map(|text| {
        let (heading, text) = text.split_once('\n').unwrap();
        (heading.to_owned(), text.to_owned())
    })
}

/// The bytes that `sender` sends in the examples of a page. A line holds the sender or nothing, and what `read` makes
/// bytes of.
fn example(page: &str, sender: char, read: fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut from = ' ';
    let mut sent = Vec::new();
    let text = page.split("\n.Sh EXAMPLES\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    for block in text.split("\n.Bd -literal").skip(1) {
        for line in block.split("\n.Ed").next().unwrap().lines().skip(1) {
            from = line.chars().next().filter(|&first| first != ' ').unwrap_or(from);
            if from == sender {
                sent.extend(read(line[1..].trim_start()));
            }
        }
    }
    assert!(!sent.is_empty(), "no bytes from {sender} in the examples");
    sent
}

/// Bytes as two hexadecimal digits or a character each, then, behind four blanks, a remark.
fn words(line: &str) -> Vec<u8> {
    let byte = |word: &str| match word.as_bytes() {
        &[character] => character,
        _ => u8::from_str_radix(word, 16).unwrap(),
    };
    line.split("    ").next().unwrap().split_whitespace().map(byte).collect()
}

/// Text, in which CR and LF are named.
#[cfg(any(feature = "fmltp", feature = "residue"))]
fn text(line: &str) -> Vec<u8> {
    line.replace("\\er", "\r").replace("\\en", "\n").into_bytes()
}

/// Lines that end in a backslash, and LF behind it, in which TAB is named; what does not goes on with the next one.
#[cfg(feature = "chapp")]
fn lines(line: &str) -> Vec<u8> {
    let (line, end) = line.strip_suffix("\\e").map_or((line, ""), |line| (line, "\\\n"));
    // A blank that stands in front has a backslash before it.
    let line = line.replace("\\et", "\t").replace("\\ ", " ").replace("\\e", "\\");
    [line.as_bytes(), end.as_bytes()].concat()
}

fn help(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn page(name: &str) -> String {
    read(&format!("man/{name}"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
