//! The house rules that a compiler does not check: who may import whom, what must not be named below the engine,
//! how long a file may be, and where unsafe code may stand.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each floor, and what it may import. `bin/...` is a program, `lib` the root of the library.
const FLOORS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("roll", &["wire"]),
    ("session", &["roll", "wire"]),
    ("lekt", &["session", "roll", "wire"]),
    ("fmltp", &["session", "roll", "wire"]),
    ("chapp", &["session", "roll", "wire"]),
    ("residue", &["session", "roll", "wire"]),
    ("engine", &["session", "roll", "wire"]),
    ("door", &["lekt", "fmltp", "chapp", "residue", "session", "roll", "wire"]),
    ("fuzz", &["lekt", "fmltp", "chapp", "residue", "session", "roll", "wire"]),
    ("simulation", &["engine", "lekt", "fmltp", "chapp", "residue", "session", "roll", "wire"]),
    ("client", &["lekt", "fmltp", "chapp", "residue", "wire"]),
    ("daemon", &["door", "engine", "fmltp", "chapp", "residue", "session", "roll", "wire"]),
    ("bin/rollcalld", &["daemon"]),
    ("bin/rollcall", &["client"]),
    ("lib", &[]),
];

/// The floors that know bytes and values, but no system.
const SANS_IO: &[&str] = &["wire", "roll", "session", "lekt", "fmltp", "chapp", "residue"];

/// What those must not name, outside their tests. Address values are fine.
const FORBIDDEN: &[&str] = &[
    "std::io",
    "std::thread",
    "std::process",
    "std::fs",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "mio::",
    "crossbeam",
    "parking_lot",
    "libc",
    "Mutex",
    "RwLock",
    "Condvar",
    "mpsc",
    "Instant::now",
    "SystemTime::now",
];

const MOST_LINES: usize = 500;

#[test]
fn each_floor_imports_only_from_below() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let floor = source.floor();
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == floor) else {
            wrong.push(format!("{}: {floor} is no floor of the table", source.path.display()));
            continue;
        };
        for name in source.imports() {
            if name != floor && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: {floor} imports {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_of_floors_has_no_circle() {
    for (index, (name, allowed)) in FLOORS.iter().enumerate() {
        for lower in *allowed {
            let below = FLOORS[..index].iter().any(|(floor, _)| floor == lower);
            assert!(below, "{name} may import {lower}, which does not stand above it in the table");
        }
    }
}

#[test]
fn below_the_engine_nothing_knows_the_system() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| SANS_IO.contains(&source.floor().as_str())) {
        let code = source.product_code();
        for name in FORBIDDEN.iter().filter(|name| names(&code, name)) {
            wrong.push(format!("{}: {name}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_stands_in_one_file() {
    // And in the allocators of tests, which count.
    let allowed = ["src/daemon/system.rs", "tests/lekt_idle.rs", "tests/mutations.rs"].map(Path::new);
    let wrong: Vec<_> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|root| sources(root))
        .filter(|source| !allowed.contains(&source.path.as_path()))
        .filter(|source| words(&source.code).any(|word| word == "unsafe"))
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_file_is_too_long() {
    let wrong: Vec<_> = ["src", "tests", "benches", "examples"]
        .iter()
        .flat_map(|root| sources(root))
        .filter(|source| source.lines > MOST_LINES)
        .map(|source| (source.path, source.lines))
        .collect();
    assert!(wrong.is_empty(), "more than {MOST_LINES} lines: {wrong:?}");
}

#[test]
fn the_checks_see_what_they_are_made_for() {
    let source = |path: &str, text: &str| Source::new(PathBuf::from(path), text);
    let imports = |path: &str, text: &str| source(path, text).imports().into_iter().collect::<Vec<_>>();

    assert_eq!(imports("src/wire/mod.rs", "use crate::roll::Entry;"), ["roll"]);
    assert_eq!(imports("src/wire/mod.rs", "use crate::{lekt::wire, roll};"), ["lekt", "roll"]);
    assert_eq!(
        imports("src/wire/mod.rs", "use crate::{\n  lekt::{self, peer},\n  door };"),
        ["door", "lekt"]
    );
    assert_eq!(imports("src/wire/mod.rs", "fn a() { crate::daemon::run() }"), ["daemon"]);
    assert_eq!(imports("src/bin/rollcall.rs", "use rollcall::client;"), ["client"]);
    assert_eq!(imports("src/wire/text.rs", "use super::super::roll::Entry;"), ["roll"]);
    assert_eq!(imports("src/wire/text.rs", "use super::reader;"), [""; 0]);
    assert_eq!(imports("src/door.rs", "use super::engine;"), ["engine"]);
    assert_eq!(imports("src/wire/mod.rs", "// crate::roll\n/* crate::door */ \"crate::lekt\""), [""; 0]);
    assert_eq!(imports("src/wire/mod.rs", "/// [`crate::roll`]\nfn quote() -> char { '\"' } // \""), [""; 0]);

    let code = "use std::{io, net::Ipv4Addr};\nfn now() { Instant::now() }";
    let seen = source("src/roll/mod.rs", code).product_code();
    assert!(names(&seen, "std::io") && names(&seen, "Instant::now") && !names(&seen, "std::thread"));
    let tested = source("src/roll/mod.rs", "fn a() {}\n#[cfg(test)]\nmod tests { use std::io; }");
    assert!(!names(&tested.product_code(), "std::io"));
    assert_eq!(source("src/a.rs", "fn unsafe_looking() { /* unsafe */ }").floor(), "a");
    assert!(!words("fn unsafe_looking() {}").any(|word| word == "unsafe"));
}

/// One file, with the comments and the contents of its strings blanked.
struct Source {
    path: PathBuf,
    code: String,
    lines: usize,
}

/// All Rust files below a directory of the package.
fn sources(root: &str) -> Vec<Source> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut directories = vec![package.join(root)];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source::new(path.strip_prefix(package).unwrap().to_owned(), &text));
            }
        }
    }
    assert!(root != "src" || !found.is_empty(), "no source at all");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

impl Source {
    fn new(path: PathBuf, text: &str) -> Self {
        Self { path, code: blanked(text), lines: text.lines().count() }
    }

    /// The modules from the root of the crate to this file.
    fn modules(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src").unwrap_or(&self.path).with_extension("");
        let mut modules: Vec<_> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if modules.last().is_some_and(|last| last == "mod" || last == "lib") {
            modules.pop();
        }
        modules
    }

    fn floor(&self) -> String {
        let modules = self.modules();
        match modules.as_slice() {
            [] => "lib".to_owned(),
            [bin, program, ..] if bin == "bin" => format!("bin/{program}"),
            [floor, ..] => floor.clone(),
        }
    }

    /// The floors whose names stand behind `crate::`, `rollcall::`, or as many `super::` as lead to the root.
    fn imports(&self) -> BTreeSet<String> {
        let code = packed(&self.code);
        let program = self.path.starts_with("src/bin");
        let up = "super::".repeat(self.modules().len());
        let mut roots = vec!["crate::"];
        if program {
            roots = vec!["rollcall::"];
        } else if !up.is_empty() {
            roots.push(&up);
        }
        let mut found: BTreeSet<String> = roots.iter().flat_map(|root| after(&code, root)).collect();
        // A module inside the file counts a `super` of its own: only names of floors are meant then.
        found.retain(|name| {
            FLOORS.iter().any(|(floor, _)| floor == name) || code.contains(&format!("crate::{name}"))
        });
        found
    }

    /// The code without its tests.
    fn product_code(&self) -> String {
        let file = self.path.file_stem().is_some_and(|stem| stem == "tests");
        if file || self.path.iter().any(|part| part == "tests") {
            return String::new();
        }
        self.code.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
    }
}

/// The first names behind each `root`: one, or those of a group in braces.
fn after(code: &str, root: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(root) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + root.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names
                .extend(words(rest).next().map(str::to_owned).filter(|word| rest.starts_with(word.as_str())));
            continue;
        };
        let mut depth = 0_usize;
        let mut fresh = true;
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                _ if fresh && depth == 0 && !c.is_whitespace() => {
                    names.extend(words(&group[index..]).next().map(str::to_owned));
                    fresh = false;
                }
                _ => (),
            }
        }
    }
    names
}

/// Whether the code names this: as it stands, or `std::x` within a group behind `std::`.
fn names(code: &str, name: &str) -> bool {
    let code = packed(code);
    let grouped =
        name.strip_prefix("std::").is_some_and(|part| after(&code, "std::").iter().any(|n| n == part));
    grouped || code.contains(name)
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The code with the space around `::` and `{` taken out.
fn packed(code: &str) -> String {
    let mut packed = code.to_owned();
    for mark in ["::", "{"] {
        packed = packed.split(mark).map(str::trim).collect::<Vec<_>>().join(mark);
    }
    packed
}

/// The text with comments and what stands in quotes replaced by spaces.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => until(&chars, at, |rest| rest[0] == '\n'),
            ('/', Some('*')) => until(&chars, at + 2, |rest| rest.starts_with(&['*', '/'])) + 2,
            ('"', _) => string_end(&chars, at),
            ('r', Some('"' | '#')) if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                raw_string_end(&chars, at)
            }
            ('\'', Some('\\')) => until(&chars, at + 3, |rest| rest[0] == '\'') + 1,
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end.min(chars.len())].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// The first place from `at` on where `here` holds, or the end.
fn until(chars: &[char], at: usize, here: impl Fn(&[char]) -> bool) -> usize {
    (at..chars.len()).find(|&index| here(&chars[index..])).unwrap_or(chars.len())
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of `r"..."` or `r#"..."#`; the start itself where it is neither.
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return start;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    until(chars, start + 2 + hashes, |rest| rest.starts_with(&close)) + close.len()
}
