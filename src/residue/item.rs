//! Log items: how they are read, and the line that each of them becomes ("Logs", "Log files").
