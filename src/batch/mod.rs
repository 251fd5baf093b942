//! A sheet of top-ups, from the file to settled orders.

pub mod sheet;
