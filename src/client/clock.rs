//! The time of day where the user is.

use std::fmt;

use jiff::Zoned;

/// A moment, as a clock on the wall shows it: in the time zone of `TZ`, or else the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTime {
    time: Zoned,
}

impl LocalTime {
    /// Now.
    pub fn now() -> Self {
        Self { time: Zoned::now() }
    }

    /// Unix time in seconds.
    pub fn unix(&self) -> i64 {
        self.time.timestamp().as_second()
    }

    /// As RFC 3339 has it: `2026-11-21T12:34:56+01:00`.
    pub fn rfc3339(&self) -> String {
        self.time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

impl fmt::Display for LocalTime {
    /// `12:34:56`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.time.strftime("%H:%M:%S").fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, offset};

    #[test]
    fn a_moment_is_told_where_the_user_is() {
        let table =
            [(1, "01:00:00", "2026-11-21T01:00:00+01:00"), (-3, "21:00:00", "2026-11-20T21:00:00-03:00")];
        for (hours, clock, whole) in table {
            let time =
                Timestamp::from_second(1_795_219_200).unwrap().to_zoned(TimeZone::fixed(offset(hours)));
            let local = LocalTime { time };
            assert_eq!((local.to_string().as_str(), local.rfc3339().as_str()), (clock, whole));
        }
    }
}
