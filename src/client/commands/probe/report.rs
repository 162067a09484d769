//! What a probe tells, as lines or as one JSON object.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::client::commands::Exit;
use crate::client::commands::screen::{self, Colours, Style};
use crate::client::error::Error;
use crate::wire::text;

/// How it is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// A line each step, as soon as it is over.
    Lines(Colours),
    /// One object, at the end.
    Json,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Skipped,
    Failed,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Done => Style::Good,
            Self::Skipped => Style::Dim,
            Self::Failed => Style::Bad,
        }
    }
}

/// What there is to tell of a step.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In words, of which those of others are printable.
    pub(super) about: String,
    /// As members of an object.
    pub(super) facts: Map<String, Value>,
}

impl Told {
    /// The members have to be those of an object.
    pub(super) fn new(about: impl Into<String>, facts: Value) -> Self {
        let facts = if let Value::Object(facts) = facts { facts } else { Map::new() };
        Self { about: about.into(), facts }
    }
}

/// What is told of a probe.
pub(super) struct Report {
    format: Format,
    door: &'static str,
    server: String,
    began: Instant,
    steps: Vec<Value>,
}

impl Report {
    pub(super) fn new(format: Format, door: &'static str, server: &str) -> Self {
        Self { format, door, server: server.to_owned(), began: Instant::now(), steps: Vec::new() }
    }

    /// Tells of a step that is over.
    pub(super) fn step(
        &mut self,
        name: &'static str,
        outcome: Outcome,
        took: Duration,
        told: Told,
    ) -> Result<(), Error> {
        match self.format {
            Format::Lines(colours) => screen::line(&line(colours, name, outcome, took, &told.about)),
            Format::Json => {
                let mut step = told.facts;
                step.insert("step".to_owned(), name.into());
                step.insert("result".to_owned(), outcome.name().into());
                step.insert("about".to_owned(), told.about.into());
                step.insert("ms".to_owned(), milliseconds(took).into());
                self.steps.push(step.into());
                Ok(())
            }
        }
    }

    /// Tells what there is to tell at the end; what went wrong, if anything did, is told by others as well.
    pub(super) fn end(self, error: Option<&Error>) -> Result<(), Error> {
        let Format::Json = self.format else { return Ok(()) };
        let result = match error.map(Exit::from) {
            None => "fine",
            Some(Exit::Rejected) => "rejected",
            Some(Exit::Unreachable) => "unreachable",
            Some(_) => "failed",
        };
        let whole = json!({
            "door": self.door,
            "server": self.server,
            "result": result,
            "error": error.map(ToString::to_string),
            "ms": milliseconds(self.began.elapsed()),
            "steps": self.steps,
        });
        screen::line(&printable(&whole))
    }
}

/// JSON in which nothing can act on a terminal: by itself it escapes less than that.
fn printable(value: &Value) -> String {
    let mut printable = String::new();
    for character in value.to_string().chars() {
        if text::acts(character) {
            // It stands in a string, for nothing else holds any, and four digits are enough for each of them.
            let _ = write!(printable, "\\u{:04x}", u32::from(character));
        } else {
            printable.push(character);
        }
    }
    printable
}

fn line(colours: Colours, name: &str, outcome: Outcome, took: Duration, about: &str) -> String {
    let outcome = colours.paint(outcome.style(), format_args!("{:<7}", outcome.name()));
    let took = colours.paint(Style::Dim, format_args!("{:>8.1} ms", milliseconds(took)));
    format!("{name:<11}  {outcome}  {took}  {about}").trim_end().to_owned()
}

/// With three digits behind the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_object_can_act_on_a_terminal_and_it_stays_the_same() {
        let object = json!({"text": "é\u{1b}[2J\u{7f}\u{9b}\u{202e}\"\\"});
        let text = printable(&object);
        assert_eq!(text, r#"{"text":"é\u001b[2J\u007f\u009b\u202e\"\\"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), object);
    }

    #[test]
    fn steps_stand_in_columns() {
        let line = |name, outcome, micros, about| {
            line(Colours::Off, name, outcome, Duration::from_micros(micros), about)
        };
        assert_eq!(line("connect", Outcome::Done, 240, "there"), "connect      done          0.2 ms  there");
        assert_eq!(
            line("server key", Outcome::Failed, 10_000_049, "x"),
            "server key   failed    10000.0 ms  x"
        );
        assert_eq!(line("login", Outcome::Skipped, 0, ""), "login        skipped       0.0 ms");
    }

    #[test]
    fn times_have_three_digits_behind_the_point() {
        assert_eq!(milliseconds(Duration::from_nanos(1_234_567)), 1.235);
    }
}
