//! The log: standard error, one line an event.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Starts logging at `level`, unless `RUST_LOG` says otherwise. Under journald, which has a clock of its own,
/// lines carry no time.
pub(super) fn start(level: log::LevelFilter) {
    let under_journald = goes_to_journald();
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level).parse_default_env().format(move |line, record| {
        let level = record.level().as_str().to_ascii_lowercase();
        if under_journald {
            writeln!(line, "{level}: {}", record.args())
        } else {
            writeln!(line, "{} {level}: {}", utc(SystemTime::now()), record.args())
        }
    });
    // It fails only where a log is there already: then that one is used.
    let _ = builder.try_init();
}

/// Whether standard error is what the variable `JOURNAL_STREAM` names, and not just inherits it
/// (systemd.exec(5)).
fn goes_to_journald() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = std::io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let Ok(status) = stderr.and_then(|stderr| stderr.metadata()) else { return false };
    stream == format!("{}:{}", status.dev(), status.ino())
}

/// A time as `YYYY-MM-DDThh:mm:ssZ`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Days are counted from 1 March of the year 0, so that the leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_told_in_utc() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_234_567_890, "2009-02-13T23:31:30Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ];
        for (seconds, expected) in table {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
