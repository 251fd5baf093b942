//! The configuration: layers with origin.
