//! AES: how packets of clients that have a key are sealed and opened ("Envelopes").
