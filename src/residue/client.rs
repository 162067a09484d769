//! The client's side of all three ports ("Client").
