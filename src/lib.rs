//! `oneclick`: prepaid mobile credit through the `OneClickDz` Flexy API v3, each top-up at most once.
//!
//! The rooms, from the street to the cellar; imports run one way, down:
//!
//! ```text
//! main -> cli -> commands -> { batch, reconcile } -> topup -> { api, ledger } -> domain
//!                   `-> output, config                        simulator stands apart
//! ```

pub mod api;
pub mod batch;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod domain;
pub mod error;
pub mod ledger;
pub mod output;
mod pipeline;
pub mod promise;
#[cfg(test)]
mod proof;
pub mod reconcile;
pub mod simulator;
pub mod stop;
pub mod topup;
