//! Which messages were shown already: whoever comes back to the chat gets the whole list again.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use crate::chapp::message::Message;

/// How many messages a server keeps for a name, so that a list is no longer.
const LIST: usize = 1000;

/// The last messages that were shown, in order. Of each only a mark is kept, however long it is.
#[derive(Default)]
pub(super) struct Seen {
    marks: VecDeque<u64>,
    hasher: RandomState,
}

impl Seen {
    /// Those of a list that were not shown before. They count as shown from now on.
    ///
    /// A list is the end of a history of which we have seen the beginning, and may lack some of that.
    pub(super) fn news<'a>(&mut self, list: &'a [Message]) -> &'a [Message] {
        let marks: Vec<u64> = list.iter().map(|message| self.mark(message)).collect();
        let longest = marks.len().min(self.marks.len());
        let is_known = |&count: &usize| {
            let last = self.marks.iter().skip(self.marks.len() - count);
            last.eq(&marks[..count])
        };
        let known = (0..=longest).rev().find(is_known).unwrap_or(0);
        marks[known..].iter().for_each(|&mark| self.push(mark));
        &list[known..]
    }

    /// This message was shown.
    pub(super) fn note(&mut self, message: &Message) {
        self.push(self.mark(message));
    }

    fn push(&mut self, mark: u64) {
        if self.marks.len() == LIST {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    fn mark(&self, message: &Message) -> u64 {
        let Message { timestamp, text, from, to } = message;
        self.hasher.hash_one((timestamp, text, from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chapp::name::Name;

    fn list(texts: &str) -> Vec<Message> {
        let name = |text| Name::parse(text).unwrap();
        let message = |text: char| Message {
            timestamp: "".into(),
            text: text.to_string().into(),
            from: name("bob"),
            to: name("ann"),
        };
        texts.chars().map(message).collect()
    }

    fn text(messages: &[Message]) -> String {
        messages.iter().map(|message| &*message.text).collect()
    }

    #[test]
    fn a_message_is_shown_once_however_often_it_is_listed() {
        for (shown, delivered, listed, expected) in [
            ("", "", "abc", "abc"),
            ("abc", "", "abc", ""),
            ("abc", "de", "abcdef", "f"),
            ("abc", "", "", ""),
            ("abc", "", "cde", "de"),
            ("aa", "a", "aaaa", "a"),
            ("abab", "", "ababab", "ab"),
            // The server has lost its books.
            ("abc", "", "xyz", "xyz"),
        ] {
            let mut seen = Seen::default();
            assert_eq!(text(seen.news(&list(shown))), shown);
            list(delivered).iter().for_each(|message| seen.note(message));
            assert_eq!(text(seen.news(&list(listed))), expected, "{shown} {delivered} {listed}");
            assert_eq!(text(seen.news(&list(listed))), "", "{shown} {delivered} {listed}");
        }
    }

    #[test]
    fn so_much_is_remembered_as_a_list_can_hold() {
        let mut seen = Seen::default();
        let long = "x".repeat(LIST - 1) + "yz";
        assert_eq!(seen.news(&list(&long)).len(), LIST + 1);
        assert_eq!(seen.marks.len(), LIST);
        assert_eq!(text(seen.news(&list(&(long[2..].to_owned() + "new")))), "new");
    }
}
