//! Changing who may log in, line by line.

use super::{Hash, Name, Users, UsersError, numbered, user, without_end};

/// The text of a valid users file. What is not changed stays as it is: comments, order, line ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    lines: Vec<Line>,
}

/// A line with its end, and whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    name: Option<Name>,
}

impl Draft {
    /// Takes the text of a users file.
    ///
    /// # Errors
    /// The first line that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        Users::parse(text)?;
        let line = |(_, line): (usize, &str)| {
            let name = user(line).ok().flatten().map(|(name, _)| name);
            Line { text: line.to_owned(), name }
        };
        Ok(Self { lines: numbered(text).map(line).collect() })
    }

    /// Gives a user another password, or adds a user at the end.
    pub fn set(&mut self, name: &Name, hash: &Hash) -> Outcome {
        let entry = format!("{name}:{}", hash.as_str());
        if let Some(line) = self.lines.iter_mut().find(|line| line.name.as_ref() == Some(name)) {
            let (_, end) = without_end(&line.text);
            line.text = entry + end;
            return Outcome::Changed;
        }
        if let Some(last) = self.lines.last_mut().filter(|last| !last.text.ends_with('\n')) {
            last.text.push('\n');
        }
        self.lines.push(Line { text: entry + "\n", name: Some(name.clone()) });
        Outcome::Added
    }

    /// Takes a user out. False if there was none of that name.
    pub fn remove(&mut self, name: &Name) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| line.name.as_ref() != Some(name));
        self.lines.len() < before
    }

    /// The users, in the order of their lines.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.lines.iter().filter_map(|line| line.name.as_ref())
    }

    /// The text as it is now.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }
}

/// What came of setting a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The user is new.
    Added,
    /// The user has another password than before.
    Changed,
}
