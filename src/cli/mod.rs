//! What was typed: clap types only.
