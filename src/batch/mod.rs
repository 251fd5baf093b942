//! A sheet of top-ups, from the file to settled orders.

mod draft;
mod line;
pub mod results;
pub mod retry;
