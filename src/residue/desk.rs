//! What sessions and their clerk write to each other: the papers that go over the desk between them.
