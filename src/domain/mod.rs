//! The nouns: phone, amount, money, plan, ref, state, order, account. Pure, no I/O, parsed once at the edge.

mod account;
mod amount;
mod cell;
mod entry;
pub mod foreign;
mod label;
mod money;
mod order;
mod period;
mod phone;
mod plan;
mod reference;
mod span;
mod state;
mod when;

pub use account::{Account, Environment, EnvironmentError, KeyFingerprint, hex};
pub use amount::{Amount, AmountError, AmountNote, AmountReading};
pub use cell::{CellNote, as_text, is_turned, shown};
pub use entry::{Direction, Entry, EntryKind};
pub use label::{Label, LabelError, RowRefs};
pub use money::{Money, MoneyError, Multiplier, group_thousands};
pub use order::{Difference, Intent, Offer, Order, ProviderStatus, Seen, SettledBy, TopupId, Verdict};
pub use period::{Month, MonthError, Period};
pub use phone::{Phone, PhoneError, PhoneNote, PhoneReading};
pub use plan::{Catalogue, Operator, Plan, PlanCode, PlanCodeError, Price, PriceError};
pub use reference::{NONCE_LENGTH, Ref, RefError, RefPrefix};
pub use span::{Span, SpanError, in_words};
pub use state::{IllegalMove, SettledAs, State, StateError};
pub use when::{When, WhenError, day_in_algiers, in_algiers, start_of_day};
