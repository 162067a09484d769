//! Many packets at once: one write for each log, and yet each packet wholly or not at all.
//!
//! Packets whose lines go to logs that have a packet in common are written together, and what cannot be written is
//! taken back together; then they are tried one by one, since of those that are too long for what room is left some may
//! still fit. Packets that share no log do not hear of each other's trouble.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cabinet::{Cabinet, Remains};
use super::file::Stretch;

/// What a packet has for one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines<'a> {
    /// The log.
    pub(super) logger: &'a str,
    /// The lines, each with its end.
    pub(super) bytes: &'a [u8],
}

/// Writes packets, and says for each why it is not written, if it is not.
pub(super) fn append(cabinet: &mut Cabinet, packets: &[Vec<Lines<'_>>]) -> Vec<Result<(), String>> {
    let mut results = look_ahead(cabinet, packets);
    for group in groups(packets, &results) {
        match write(cabinet, packets, &group) {
            Ok(()) => {}
            Err(failed) if failed.remains == Remains::Some || group.len() == 1 => {
                group.iter().for_each(|&packet| results[packet] = Err(failed.why.clone()));
            }
            Err(_) => {
                for packet in group {
                    results[packet] = write(cabinet, packets, &[packet]).map_err(|failed| failed.why);
                }
            }
        }
    }
    results
}

/// Why packets failed, and whether anything is left of them.
struct Failed {
    why: String,
    remains: Remains,
}

/// Finds out which packets are for logs that cannot even be opened: nothing of them has to be taken back later.
fn look_ahead<'a>(cabinet: &mut Cabinet, packets: &[Vec<Lines<'a>>]) -> Vec<Result<(), String>> {
    let mut known: HashMap<&str, Result<(), String>> = HashMap::new();
    let mut reach = |lines: &Lines<'a>| {
        known.entry(lines.logger).or_insert_with_key(|logger| cabinet.reach(logger)).clone()
    };
    packets.iter().map(|packet| packet.iter().try_for_each(&mut reach)).collect()
}

/// The packets that are to be written, in groups that share no log; in each in their order.
fn groups(packets: &[Vec<Lines<'_>>], results: &[Result<(), String>]) -> Vec<Vec<usize>> {
    let mut leaders: Vec<usize> = (0..packets.len()).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    let sound = || (0..packets.len()).filter(|&packet| results[packet].is_ok());
    for packet in sound() {
        for lines in &packets[packet] {
            let other = *first.entry(lines.logger).or_insert(packet);
            let (one, other) = (leader(&mut leaders, packet), leader(&mut leaders, other));
            // The earlier one leads, so that groups come in the order of their first packets.
            leaders[one.max(other)] = one.min(other);
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); packets.len()];
    for packet in sound() {
        groups[leader(&mut leaders, packet)].push(packet);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Who leads the group of a packet.
fn leader(leaders: &mut [usize], packet: usize) -> usize {
    let mut at = packet;
    while leaders[at] != at {
        leaders[at] = leaders[leaders[at]];
        at = leaders[at];
    }
    at
}

/// Writes all of these packets or none.
fn write(cabinet: &mut Cabinet, packets: &[Vec<Lines<'_>>], group: &[usize]) -> Result<(), Failed> {
    let mut written: Vec<(&str, Stretch)> = Vec::new();
    for (logger, bytes) in by_logger(packets, group) {
        match cabinet.append(logger, &bytes) {
            Ok(stretch) => written.push((logger, stretch)),
            Err(trouble) => {
                let mut failed = Failed { why: trouble.why, remains: trouble.remains };
                for (logger, stretch) in written {
                    if let Err(left) = cabinet.take_back(logger, stretch) {
                        failed.why += &format!("; and {left}");
                        failed.remains = Remains::Some;
                    }
                }
                return Err(failed);
            }
        }
    }
    Ok(())
}

/// What these packets have for each log, in the order in which logs are first named.
fn by_logger<'a>(packets: &[Vec<Lines<'a>>], group: &[usize]) -> Vec<(&'a str, Cow<'a, [u8]>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<(&str, Cow<'_, [u8]>)> = Vec::new();
    for lines in group.iter().flat_map(|&packet| &packets[packet]) {
        let place = *places.entry(lines.logger).or_insert(all.len());
        match all.get_mut(place) {
            Some((_, bytes)) => bytes.to_mut().extend_from_slice(lines.bytes),
            None => all.push((lines.logger, Cow::Borrowed(lines.bytes))),
        }
    }
    all
}
