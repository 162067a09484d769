//! What a packet is wrapped in ("Envelopes").
