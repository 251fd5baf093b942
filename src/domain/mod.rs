//! The nouns: pure, no I/O.
