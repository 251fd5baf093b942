//! The thin HTTP module: the only room that names reqwest. One call in, one [`Exchange`] out; what an
//! answer means is decided by [`classify_send`] and [`read_data`], once, for every command.
//!
//! It knows nothing of orders, retries of a POST or the ledger: a POST is sent once, by whoever wrote it down.

mod answer;
mod client;
mod entries;
mod fault;
mod limiter;
mod part;
mod redact;
mod sending;
#[cfg(test)]
pub(crate) mod stage;
mod wire;

pub use answer::{Answer, Envelope, ErrorBody, Exchange, Outcome};
pub use client::{CallCounts, Client, ClientError, ClientOptions, Endpoint};
pub use entries::{EntryPage, read_entries};
pub use fault::{AuthFault, Fault, read_data};
pub use limiter::{Limiter, Rate};
pub use part::Part;
pub use redact::withhold;
pub use redact::without_key;
pub(crate) use sending::refuses_the_request;
pub use sending::{SendAnswer, classify_send};
pub use wire::{
    Identity, Page, catalogue_json, read_balance, read_catalogue, read_identity, read_page, read_seen,
};
