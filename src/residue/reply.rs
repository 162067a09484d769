//! What the server says ("Hello", "Established", "Connection errors", "Tokens", "Logs").
