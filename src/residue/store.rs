//! What the clerk needs of the log files.
