//! The time of day where the user is, from the system's time zone files (tzfile(5)).
//!
//! The offset that holds at a moment is that of the last transition before it; after the last transition in
//! the file it is what the rule at its end says, such as `CET-1CEST,M3.5.0,M10.5.0/3`.

use std::fmt;
use std::path::PathBuf;

use super::server::unix_time;
use crate::wire::{Reader, WireError};

/// The most bytes of a time zone file; real ones have fewer than 4,000.
const FILE_LIMIT: usize = 1 << 20;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A moment, as a clock on the wall shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    unix: i64,
    /// Seconds east of Greenwich.
    offset: i64,
}

impl LocalTime {
    /// Now, in the time zone of the user: that of `TZ`, or else the system's.
    pub fn now() -> Self {
        let unix = unix_time();
        Self { unix, offset: zone_file().and_then(|file| offset_at(&file, unix)).unwrap_or(0) }
    }

    /// Unix time in seconds.
    pub fn unix(&self) -> i64 {
        self.unix
    }

    /// As RFC 3339 has it: `2026-11-21T12:34:56+01:00`.
    pub fn rfc3339(&self) -> String {
        let (year, month, day) = civil((self.unix + self.offset).div_euclid(DAY));
        let (sign, minutes) =
            if self.offset < 0 { ('-', -self.offset / 60) } else { ('+', self.offset / 60) };
        let (hours, minutes) = (minutes / 60, minutes % 60);
        format!("{year:04}-{month:02}-{day:02}T{self}{sign}{hours:02}:{minutes:02}")
    }
}

impl fmt::Display for LocalTime {
    /// `12:34:56`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.unix + self.offset).rem_euclid(DAY);
        write!(f, "{:02}:{:02}:{:02}", seconds / HOUR, seconds / 60 % 60, seconds % 60)
    }
}

/// The time zone file that is in force; none means UTC.
fn zone_file() -> Option<Vec<u8>> {
    let path = match std::env::var("TZ") {
        Ok(zone) => match zone.strip_prefix(':').unwrap_or(&zone) {
            "" => return None,
            zone if zone.starts_with('/') => PathBuf::from(zone),
            zone if zone.contains("..") => return None,
            zone => PathBuf::from("/usr/share/zoneinfo").join(zone),
        },
        Err(_) => PathBuf::from("/etc/localtime"),
    };
    std::fs::read(path).ok().filter(|file| file.len() <= FILE_LIMIT)
}

/// The offset from UTC at `unix` by the time zone `file`; none if it is not one.
fn offset_at(file: &[u8], unix: i64) -> Option<i64> {
    let mut reader = Reader::new(file);
    let first = Counts::read(&mut reader).ok()?;
    // The first block has 32-bit times; the second one, of version 2, has all.
    reader.bytes("block", first.length(4)).ok()?;
    let second = Counts::read(&mut reader).ok()?;
    let mut block = reader.sub("block", second.length(8)).ok()?;
    let rule = reader.rest().trim_ascii();
    let times: Result<Vec<i64>, WireError> = (0..second.times).map(|_| block.i64("time")).collect();
    let times = times.ok()?;
    let kinds = block.bytes("kinds", second.times).ok()?;
    let before = times.partition_point(|&time| time <= unix);
    if before == times.len() && !rule.is_empty() {
        return std::str::from_utf8(rule).ok().and_then(|rule| Rule::parse(rule)?.offset_at(unix));
    }
    let kind = before.checked_sub(1).map_or(0, |last| usize::from(kinds[last]));
    let kinds = block.bytes("offsets", 6 * second.kinds).ok()?;
    Reader::new(kinds.get(6 * kind..)?).u32("offset").ok().map(|offset| i64::from(offset.cast_signed()))
}

/// The counts in the header of a block.
struct Counts {
    times: usize,
    kinds: usize,
    others: [usize; 4],
}

impl Counts {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let magic = reader.word("magic")?;
        if &magic != b"TZif" {
            return Err(reader.error("magic", crate::wire::Problem::Constant(magic)));
        }
        reader.bytes("version", 16)?;
        let mut counts = [0; 6];
        for count in &mut counts {
            *count = reader.u32_in("count", 0..=0xffff)? as usize;
        }
        let [ut, standard, leap, times, kinds, letters] = counts;
        Ok(Self { times, kinds, others: [ut, standard, leap, letters] })
    }

    /// The bytes of the block, whose times have `size` bytes.
    fn length(&self, size: usize) -> usize {
        let [ut, standard, leap, letters] = self.others;
        self.times * (size + 1) + self.kinds * 6 + letters + leap * (size + 4) + standard + ut
    }
}

/// What holds after the last transition in the file.
struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

struct Summer {
    offset: i64,
    begins: Turn,
    ends: Turn,
}

/// Week 1 to 5 (the last) of a month, day of the week from Sunday, seconds after midnight.
struct Turn {
    month: i64,
    week: i64,
    weekday: i64,
    time: i64,
}

impl Rule {
    fn parse(rule: &str) -> Option<Self> {
        let mut fields = rule.split(',');
        let (standard, rest) = offset(name(fields.next()?)?)?;
        if rest.is_empty() {
            return Some(Self { standard: -standard, summer: None });
        }
        let rest = name(rest)?;
        let ahead = if rest.is_empty() { HOUR - standard } else { -offset(rest)?.0 };
        let begins = Turn::parse(fields.next()?)?;
        let ends = Turn::parse(fields.next()?)?;
        Some(Self { standard: -standard, summer: Some(Summer { offset: ahead, begins, ends }) })
    }

    fn offset_at(&self, unix: i64) -> Option<i64> {
        let Some(summer) = &self.summer else {
            return Some(self.standard);
        };
        let (year, ..) = civil((unix + self.standard).div_euclid(DAY));
        let begins = summer.begins.in_year(year) - self.standard;
        let ends = summer.ends.in_year(year) - summer.offset;
        let is_summer =
            if begins < ends { (begins..ends).contains(&unix) } else { !(ends..begins).contains(&unix) };
        Some(if is_summer { summer.offset } else { self.standard })
    }
}

impl Turn {
    fn parse(field: &str) -> Option<Self> {
        let (day, time) = field.split_once('/').unwrap_or((field, "2"));
        let mut numbers = day.strip_prefix('M')?.split('.').map(|number| number.parse::<i64>().ok());
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let in_range = (1..=12).contains(&month) && (1..=5).contains(&week) && (0..=6).contains(&weekday);
        in_range.then_some(Self { month, week, weekday, time: offset(time)?.0 })
    }

    /// Seconds since 1970 on the clock on the wall.
    fn in_year(&self, year: i64) -> i64 {
        let first = days(year, self.month, 1);
        // 1970 began on a Thursday.
        let first_weekday = (first + 4).rem_euclid(7);
        let mut day = first + (self.weekday - first_weekday).rem_euclid(7) + 7 * (self.week - 1);
        let next_month = if self.month == 12 { days(year + 1, 1, 1) } else { days(year, self.month + 1, 1) };
        while day >= next_month {
            day -= 7;
        }
        day * DAY + self.time
    }
}

/// What follows the name of a zone: letters, or anything between `<` and `>`.
fn name(rule: &str) -> Option<&str> {
    match rule.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>').map(|(_, rest)| rest),
        None => Some(rule.trim_start_matches(|letter: char| letter.is_ascii_alphabetic())),
    }
}

/// Hours, and minutes and seconds if there are any, as seconds; and what follows.
fn offset(rule: &str) -> Option<(i64, &str)> {
    let (sign, digits) = match rule.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, rule.strip_prefix('+').unwrap_or(rule)),
    };
    let end = digits.find(|digit: char| !digit.is_ascii_digit() && digit != ':').unwrap_or(digits.len());
    let mut seconds = 0;
    for (number, unit) in digits[..end].split(':').zip([HOUR, 60, 1]) {
        seconds += number.parse::<i64>().ok().filter(|number| *number <= 167)? * unit;
    }
    Some((sign * seconds, &digits[end..]))
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of so many days since 1970-01-01.
fn civil(since: i64) -> (i64, i64, i64) {
    let since = since + 719_468;
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(1969, 12, 31)), (0, 11_017, -1));
        for since in (-800_000..800_000).step_by(13) {
            let (year, month, day) = civil(since);
            assert_eq!(days(year, month, day), since);
        }
    }

    #[test]
    fn rules_say_what_holds_when() {
        // Moments around the turns of 2026 and their offsets, as date(1) gives them.
        let table = [
            ("UTC0", 1_767_225_600, 0),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_745_999, 3600),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_746_000, 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_792_889_999, 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_792_890_000, 3600),
            ("EST5EDT,M3.2.0,M11.1.0", 1_772_953_199, -18_000),
            ("EST5EDT,M3.2.0,M11.1.0", 1_772_953_200, -14_400),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_767_225_600, 39_600),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_780_000_000, 36_000),
            ("<+0530>-5:30", 1_780_000_000, 19_800),
        ];
        for (rule, unix, expected) in table {
            assert_eq!(
                Rule::parse(rule).and_then(|rule| rule.offset_at(unix)),
                Some(expected),
                "{rule} {unix}"
            );
        }
        for broken in ["", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,J60,J300", "A-999"] {
            assert!(Rule::parse(broken).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn files_are_read_up_to_their_end_and_beyond() {
        let header = |counts: [u32; 6]| {
            let mut bytes = b"TZif2".to_vec();
            bytes.resize(20, 0);
            counts.iter().for_each(|count| bytes.extend(count.to_be_bytes()));
            bytes
        };
        let mut file = header([0; 6]);
        file.extend(header([0, 0, 0, 2, 2, 8]));
        file.extend([100_i64.to_be_bytes(), 200_i64.to_be_bytes()].concat());
        file.extend([1, 0]);
        file.extend([&3600_i32.to_be_bytes()[..], &[0, 0], &7200_i32.to_be_bytes(), &[1, 4]].concat());
        file.extend(b"CET\0CES\0\nEET-2\n");
        for (unix, expected) in [(0, 3600), (100, 7200), (199, 7200), (200, 7200), (i64::MAX / 2, 7200)] {
            assert_eq!(offset_at(&file, unix), Some(expected), "{unix}");
        }
        for cut in 0..file.len() - 6 {
            let _ = offset_at(&file[..cut], 150);
        }
        assert_eq!(offset_at(b"not a zone file", 0), None);
    }

    #[test]
    fn times_are_shown_as_clocks_and_standards_do() {
        let time = LocalTime { unix: 1_774_746_000, offset: -12_600 };
        assert_eq!(time.to_string(), "21:30:00");
        assert_eq!(time.rfc3339(), "2026-03-28T21:30:00-03:30");
    }
}
