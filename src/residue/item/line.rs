//! The line that an item becomes ("Log files").

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use super::Item;
use crate::residue::json::{self, Text, put_integer};

/// How the lines of log files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineFormat {
    /// Columns with one space between, the message the last of them.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// Appends the line of an item, its end included.
pub fn put_line(out: &mut Vec<u8>, item: &Item<'_>, format: LineFormat) {
    match format {
        LineFormat::Text => put_columns(out, item),
        LineFormat::Json => put_object(out, item),
    }
    out.push(b'\n');
}

/// How many bytes the line of an item has at the most: what its texts have when they are escaped, and a little more.
pub fn line_limit(item: &Item<'_>, format: LineFormat) -> usize {
    let length = |text: Text<'_>, within| {
        let mut length = 0;
        text.pieces(|piece| {
            length += match format {
                LineFormat::Text => text_length(piece, within),
                LineFormat::Json => json::escaped_length(piece),
            };
        });
        length
    };
    let columns = [item.application, item.file, item.function, item.thread];
    let columns: usize = columns.into_iter().map(|text| length(text, Within::Column)).sum();
    LINE_REST + columns + length(item.message, Within::Line)
}

/// More than all has in a line that is no text: the time, the level, the logger, numbers, keys and what stands between.
const LINE_REST: usize = 384;

fn put_columns(out: &mut Vec<u8>, item: &Item<'_>) {
    put_time(out, item.datetime);
    out.push(b' ');
    put_level(out, item);
    out.push(b' ');
    out.extend_from_slice(item.logger().as_bytes());
    out.push(b' ');
    put_column(out, item.application);
    out.push(b' ');
    put_place(out, item);
    out.push(b' ');
    put_column(out, item.function);
    out.push(b' ');
    put_column(out, item.thread);
    out.push(b' ');
    item.message.pieces(|piece| put_text(out, piece, Within::Line));
}

fn put_place(out: &mut Vec<u8>, item: &Item<'_>) {
    put_column(out, item.file);
    match item.line {
        Some(line) => {
            out.push(b':');
            put_integer(out, line);
        }
        None if item.file.is_empty() => {}
        None => out.extend_from_slice(b":-"),
    }
}

fn put_column(out: &mut Vec<u8>, text: Text<'_>) {
    if text.is_empty() {
        out.push(b'-');
    }
    text.pieces(|piece| put_text(out, piece, Within::Column));
}

/// What a text must not end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// At the next space.
    Column,
    Line,
}

/// Bytes that may have to be escaped, or begin a character that may.
const SUSPECT: [bool; 256] = {
    let mut suspect = [false; 256];
    let mut byte = 0;
    while byte <= 0x20 {
        suspect[byte] = true;
        byte += 1;
    }
    suspect[b'\\' as usize] = true;
    suspect[0x7f] = true;
    // U+0080 to U+00BF, U+2000 to U+2FFF.
    suspect[0xc2] = true;
    suspect[0xe2] = true;
    suspect
};

/// Appends text without what would end its column or line, or act on whoever prints it.
fn put_text(out: &mut Vec<u8>, text: &str, within: Within) {
    let mut start = 0;
    each_escaped(text, within, |at, character| {
        out.extend_from_slice(&text.as_bytes()[start..at]);
        put_escape(out, character);
        start = at + character.len_utf8();
    });
    out.extend_from_slice(&text.as_bytes()[start..]);
}

/// How many bytes that appends.
fn text_length(text: &str, within: Within) -> usize {
    let mut length = text.len();
    each_escaped(text, within, |_, character| length += escape_length(character) - character.len_utf8());
    length
}

/// Takes each character that has to be escaped, and where it begins.
fn each_escaped(text: &str, within: Within, mut take: impl FnMut(usize, char)) {
    let (bytes, mut at) = (text.as_bytes(), 0);
    while let Some(next) = bytes[at..].iter().position(|&byte| SUSPECT[usize::from(byte)]) {
        at += next;
        let Some(character) = text[at..].chars().next() else { break };
        let must_go = match character {
            ' ' => within == Within::Column,
            '\0'..' ' | '\\' | '\u{7f}'..'\u{a0}' | '\u{2028}' | '\u{2029}' => true,
            _ => false,
        };
        if must_go {
            take(at, character);
        }
        at += character.len_utf8();
    }
}

fn put_escape(out: &mut Vec<u8>, character: char) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    match character {
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let code = u32::from(character);
            let digits = if code > 0xff { &[12, 8, 4, 0][..] } else { &[4, 0][..] };
            out.extend_from_slice(b"\\u{");
            out.extend(digits.iter().map(|shift| HEX[(code >> shift & 15) as usize]));
            out.push(b'}');
        }
    }
}

/// How many bytes that appends.
fn escape_length(character: char) -> usize {
    match character {
        '\\' | '\n' | '\r' | '\t' => 2,
        _ if u32::from(character) > 0xff => 8,
        _ => 6,
    }
}

/// Appends a time in milliseconds since 1970, as `2026-11-21T17:54:07.034Z`. Beyond the year 9999 it is what `date -d`
/// takes: `@253402300800.000`.
fn put_time(out: &mut Vec<u8>, milliseconds: i64) {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let start = out.len();
    let printed = Timestamp::from_millisecond(milliseconds)
        .and_then(|timestamp| PRINTER.print_timestamp(&timestamp, &mut *out));
    if printed.is_err() {
        out.truncate(start);
        out.push(b'@');
        put_integer(out, milliseconds.div_euclid(1000));
        // A thousand has all the digits, and one more for the point.
        let point = out.len();
        put_integer(out, 1000 + milliseconds.rem_euclid(1000));
        out[point] = b'.';
    }
}

fn put_level(out: &mut Vec<u8>, item: &Item<'_>) {
    let (name, number) = level(item);
    match name {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => put_integer(out, number),
    }
    if number == VERBOSE
        && let Some(verbosity) = item.verbosity
    {
        out.push(b'(');
        put_integer(out, verbosity);
        out.push(b')');
    }
}

const WARNING: i64 = 32;
const VERBOSE: i64 = 64;

/// Its name, if it has one, and its number.
fn level(item: &Item<'_>) -> (Option<&'static str>, i64) {
    // What a client of Node warns of comes without a level.
    let number = item.level.unwrap_or(WARNING);
    let name = match number {
        2 => "TRACE",
        4 => "DEBUG",
        8 => "FATAL",
        16 => "ERROR",
        WARNING => "WARNING",
        VERBOSE => "VERBOSE",
        128 => "INFO",
        _ => return (None, number),
    };
    (Some(name), number)
}

/// What is missing is left out.
fn put_object(out: &mut Vec<u8>, item: &Item<'_>) {
    out.extend_from_slice(b"{\"time\":\"");
    put_time(out, item.datetime);
    out.extend_from_slice(b"\",\"level\":");
    match level(item) {
        (Some(name), _) => {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        }
        (None, number) => put_integer(out, number),
    }
    if level(item).1 == VERBOSE {
        put_number(out, b",\"vlevel\":", item.verbosity);
    }
    out.extend_from_slice(b",\"logger\":\"");
    out.extend_from_slice(item.logger().as_bytes());
    out.push(b'"');
    put_member(out, b",\"app\":\"", item.application);
    put_member(out, b",\"file\":\"", item.file);
    put_number(out, b",\"line\":", item.line);
    put_member(out, b",\"func\":\"", item.function);
    put_member(out, b",\"thread\":\"", item.thread);
    put_member(out, b",\"msg\":\"", item.message);
    out.push(b'}');
}

fn put_number(out: &mut Vec<u8>, key: &[u8], number: Option<i64>) {
    if let Some(number) = number {
        out.extend_from_slice(key);
        put_integer(out, number);
    }
}

fn put_member(out: &mut Vec<u8>, key: &[u8], text: Text<'_>) {
    if !text.is_empty() {
        out.extend_from_slice(key);
        text.pieces(|piece| json::put_escaped(out, piece));
        out.push(b'"');
    }
}
