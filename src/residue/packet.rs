//! Where a packet ends ("Framing").
