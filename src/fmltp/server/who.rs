//! The answer to `WHO` ("Interpreter").

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::roll::{ClientId, Entry, Roll};
use crate::session::View;

/// The longest answer in bytes.
const WHO_LIMIT: usize = 32 << 10;
/// The shortest line, of which there can be no more than fit into an answer.
const SHORTEST: &str = "1 lekt [::]:1 -\r\n";
const MOST_LINES: usize = WHO_LIMIT / SHORTEST.len();

/// How many are on the roll, and as many of them as there is room for, by their numbers.
pub(super) fn who(view: &dyn View) -> String {
    let mut count = 0;
    let mut rows = Vec::new();
    view.read(&mut |roll| {
        count = roll.len();
        rows = lowest(roll).into_iter().map(Row::new).collect();
    });
    rows.sort_unstable_by_key(|row| row.id);
    listing(count, &rows)
}

/// One client, as the roll had it: the roll is not looked at while lines are written.
struct Row {
    id: ClientId,
    door: &'static str,
    address: SocketAddr,
    name: Option<Box<str>>,
}

impl Row {
    fn new(entry: &Entry) -> Self {
        let Entry { id, door, name, .. } = entry;
        Self { id: *id, door, address: entry.address(), name: name.clone() }
    }

    fn line(&self) -> String {
        let Self { id, door, address, name } = self;
        let masked = |c: char| if c.is_whitespace() || c.is_control() { '?' } else { c };
        let name: String = name.as_deref().unwrap_or_default().chars().map(masked).collect();
        let name = if name.is_empty() { "-" } else { &name };
        format!("{id} {door} {address} {name}\r\n")
    }
}

/// Those of the lowest numbers, in no order, and not more than can fit. Nothing is kept of the others, however
/// many there are.
fn lowest(roll: &Roll) -> Vec<&Entry> {
    let mut lowest: Vec<&Entry> = Vec::with_capacity(roll.len().min(2 * MOST_LINES));
    let cut = |lowest: &mut Vec<&Entry>| {
        if lowest.len() > MOST_LINES {
            lowest.select_nth_unstable_by_key(MOST_LINES, |entry| entry.id);
            lowest.truncate(MOST_LINES);
        }
    };
    for entry in roll.entries() {
        if lowest.len() == 2 * MOST_LINES {
            cut(&mut lowest);
        }
        lowest.push(entry);
    }
    cut(&mut lowest);
    lowest
}

/// The answer, of which `rows` are the first of `count` lines.
fn listing(count: usize, rows: &[Row]) -> String {
    let mut text = format!("200 {count} clients.\r\n");
    let mut left = count;
    for row in rows {
        let line = row.line();
        if text.len() + line.len() + more(left - 1).len() > WHO_LIMIT {
            break;
        }
        text += &line;
        left -= 1;
    }
    // Every line is longer than this one: where it does not fit, the lines would not have fit either.
    text += &more(left);
    text
}

/// The last line, where others have found no room.
fn more(left: usize) -> String {
    let mut line = String::new();
    if left > 0 {
        // Writing into a string cannot fail.
        let _ = write!(line, "... {left} more.\r\n");
    }
    line
}

#[cfg(test)]
mod tests;
