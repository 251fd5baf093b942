//! Everything that reaches the two streams.
