//! Many packets at once: one write for each log, and yet each packet wholly or not at all.
//!
//! All logs that packets have to do with are open before the first of them is written to, and stay open until it is
//! decided what becomes of the packets: what has to be taken back is taken out of the file that it was written to,
//! whatever that is called by then. Where one log fails, only those packets are refused that it has no room for; what
//! they have in other logs is taken back, and the rest of that written again.

use std::collections::{HashMap, HashSet, VecDeque};

use super::cabinet::{Cabinet, Trouble};
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
    let mut results = vec![Ok(()); packets.len()];
    for share in shares(packets, cabinet.most_open()) {
        Writing { targets: targets(packets, &share), cabinet, packets, results: &mut results }.finish();
    }
    results
}

/// The packets, in shares that are written one after the other, each with no more logs than that, unless one packet has:
/// what shares a log with another one is in the same share, or in a later one.
fn shares(packets: &[Vec<Lines<'_>>], most_logs: usize) -> Vec<Vec<usize>> {
    let mut shares = Vec::new();
    for group in groups(packets) {
        let (mut share, mut logs) = (Vec::new(), HashSet::new());
        for packet in group {
            let more: HashSet<&str> = packets[packet].iter().map(|lines| lines.logger).collect();
            if !share.is_empty() && logs.union(&more).count() > most_logs {
                shares.push(std::mem::take(&mut share));
                logs.clear();
            }
            logs.extend(more);
            share.push(packet);
        }
        shares.push(share);
    }
    shares
}

/// The packets in groups that share no log; in each in their order.
fn groups(packets: &[Vec<Lines<'_>>]) -> Vec<Vec<usize>> {
    let mut leaders: Vec<usize> = (0..packets.len()).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (packet, all) in packets.iter().enumerate() {
        for lines in all {
            let other = *first.entry(lines.logger).or_insert(packet);
            let (one, other) = (leader(&mut leaders, packet), leader(&mut leaders, other));
            // The earlier one leads, so that groups come in the order of their first packets.
            leaders[one.max(other)] = one.min(other);
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); packets.len()];
    for packet in 0..packets.len() {
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

/// What a share has for one log.
struct Target<'a> {
    name: &'a str,
    /// Each with the packet that it is from, in their order.
    lines: Vec<(usize, &'a [u8])>,
    /// What stands in the file.
    written: Option<Stretch>,
}

/// In the order in which logs are first named.
fn targets<'a>(packets: &[Vec<Lines<'a>>], share: &[usize]) -> Vec<Target<'a>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut targets: Vec<Target<'_>> = Vec::new();
    for &packet in share {
        for lines in &packets[packet] {
            let place = *places.entry(lines.logger).or_insert(targets.len());
            match targets.get_mut(place) {
                Some(target) => target.lines.push((packet, lines.bytes)),
                None => {
                    let lines_of_it = vec![(packet, lines.bytes)];
                    targets.push(Target { name: lines.logger, lines: lines_of_it, written: None });
                }
            }
        }
    }
    targets
}

/// A share that is being written.
struct Writing<'a, 'b> {
    targets: Vec<Target<'a>>,
    cabinet: &'b mut Cabinet,
    packets: &'b [Vec<Lines<'a>>],
    /// Of all packets; those of the share that are right so far are still wanted.
    results: &'b mut [Result<(), String>],
}

impl Writing<'_, '_> {
    /// Writes what can be written.
    fn finish(mut self) {
        self.open();
        let mut waiting: VecDeque<usize> = (0..self.targets.len()).collect();
        while let Some(at) = waiting.pop_front() {
            let target = &self.targets[at];
            let wanted = target.lines.iter().filter(|(packet, _)| self.results[*packet].is_ok());
            let lines: Vec<&[u8]> = wanted.map(|(_, bytes)| *bytes).collect();
            if lines.is_empty() {
                continue;
            }
            match self.cabinet.append(target.name, &lines) {
                Ok(stretch) => self.targets[at].written = Some(stretch),
                Err(trouble) => {
                    waiting.extend(self.fail(at, &trouble));
                    // At once: whatever is written before it may take its room.
                    waiting.push_front(at);
                }
            }
        }
        self.cabinet.release();
    }

    /// Opens all logs, and refuses what it is known of by now that it cannot be written: nothing of that has to be taken
    /// back.
    fn open(&mut self) {
        for at in 0..self.targets.len() {
            let trouble = match self.cabinet.hold(self.targets[at].name) {
                Ok(()) => self.cabinet.known_trouble(self.targets[at].name),
                Err(trouble) => Some(trouble),
            };
            if let Some(trouble) = trouble {
                self.refuse(at, &trouble);
            }
        }
    }

    /// A log has failed: what it has no room for is not written, nor is what else is in the packets that this is of.
    /// Returns the logs that are to be written again.
    fn fail(&mut self, at: usize, trouble: &Trouble) -> Vec<usize> {
        let refused = self.refuse(at, trouble);
        let names = refused.iter().flat_map(|&packet| &self.packets[packet]).map(|lines| lines.logger);
        let names: HashSet<&str> = names.collect();
        let mut again = Vec::new();
        for (at, target) in
            self.targets.iter_mut().enumerate().filter(|(_, target)| names.contains(target.name))
        {
            let Some(stretch) = target.written.take() else { continue };
            match self.cabinet.take_back(target.name, stretch) {
                Ok(()) => again.push(at),
                // Then the lines of the others are there, too.
                Err(left) => {
                    target.written = Some(stretch);
                    let all = target.lines.iter().filter(|(packet, _)| refused.contains(packet));
                    for (packet, _) in all {
                        self.results[*packet] = Err(format!("{}; and {left}", trouble.why));
                    }
                }
            }
        }
        again
    }

    /// Refuses the packets that a log has no room for, which are all for which there is none after those before them.
    fn refuse(&mut self, at: usize, trouble: &Trouble) -> HashSet<usize> {
        let mut needs: Vec<(usize, u64)> = Vec::new();
        for &(packet, bytes) in
            self.targets[at].lines.iter().filter(|(packet, _)| self.results[*packet].is_ok())
        {
            match needs.last_mut() {
                Some((last, need)) if *last == packet => *need += bytes.len() as u64,
                _ => needs.push((packet, bytes.len() as u64)),
            }
        }
        let mut taken = 0;
        let mut refused = HashSet::new();
        for (packet, need) in needs {
            if trouble.room > 0 && taken + need <= trouble.room {
                taken += need;
            } else {
                self.results[packet] = Err(trouble.why.clone());
                refused.insert(packet);
            }
        }
        refused
    }
}
