//! One switch for each thing that the provider's pages, samples and live captures disagree about.
//!
//! The defaults follow the live evidence. A switch is spelt `name=value`.

/// What a switch can be set to.
trait Choice: Sized {
    /// The values, for the help text: `prefixed|raw`.
    const VALUES: &'static str;

    /// Reads one of the values.
    fn read(word: &str) -> Option<Self>;
}

impl Choice for bool {
    const VALUES: &'static str = "on|off";

    fn read(word: &str) -> Option<Self> {
        match word {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
}

impl Choice for u32 {
    const VALUES: &'static str = "a whole number";

    fn read(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $kind:ident { $first:ident = $word:literal $(, $other:ident = $other_word:literal)+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $kind {
            $first,
            $($other),+
        }

        impl Choice for $kind {
            const VALUES: &'static str = concat!($word $(, "|", $other_word)+);

            fn read(word: &str) -> Option<Self> {
                match word {
                    $word => Some(Self::$first),
                    $($other_word => Some(Self::$other),)+
                    _ => None,
                }
            }
        }
    };
}

choice! {
    /// A ref as it was sent, or as the provider stores it: `API-<username>-<ref>`.
    RefForm { Prefixed = "prefixed", Raw = "raw" }
}
choice! {
    /// Which form of a ref finds an order.
    CheckRef { Both = "both", Raw = "raw", Prefixed = "prefixed", Missing = "missing" }
}
choice! {
    /// Whether a route exists.
    Route { Present = "present", Missing = "missing" }
}
choice! {
    /// How the code of a repeated ref is spelt.
    DuplicateCode { Hyphen = "hyphen", Underscore = "underscore" }
}
choice! {
    /// Bad keys in a row before the address is blocked.
    Attempts { Five = "5", Twenty = "20" }
}
choice! {
    /// The status of an answer to a call without a key.
    MissingToken { Unauthorized = "401", BadRequest = "400" }
}
choice! {
    /// What becomes of `amount` on a plan with a fixed price.
    FixedAmount { Required = "required", Ignored = "ignored" }
}
choice! {
    /// Where the pagination of a list is.
    Pagination { Data = "data", Meta = "meta" }
}
choice! {
    /// The code of an empty wallet.
    EmptyWallet { InsufficientBalance = "INSUFFICIENT_BALANCE", NoBalance = "NO_BALANCE" }
}
choice! {
    /// All documented fields, or the few that one page shows.
    Form { Full = "full", Short = "short" }
}
choice! {
    /// The order of a list.
    ListOrder { Newest = "newest", Oldest = "oldest" }
}
choice! {
    /// What `objid` of the account's transactions points to.
    Subject { Id = "id", Ref = "ref", Other = "other" }
}
choice! {
    /// The words for the state of an order.
    Statuses { English = "english", Arabic = "arabic", Odd = "odd" }
}
choice! {
    /// Which page the catalogue is taken from.
    CataloguePage { Reference = "reference", Guide = "guide" }
}
choice! {
    /// How `Retry-After` is written.
    RetryAfter { Seconds = "seconds", Date = "date", Missing = "missing", Huge = "huge" }
}
choice! {
    /// Where the id of a request is told.
    RequestId { Both = "both", Body = "body", Header = "header", None = "none" }
}
choice! {
    /// What the key may do.
    Scope { ReadWrite = "READ-WRITE", ReadOnly = "READ-ONLY" }
}
choice! {
    /// The body of a 429.
    RateBody { Envelope = "envelope", Bare = "bare", Html = "html" }
}

macro_rules! switches {
    ($($name:ident: $kind:ty = $default:expr, $word:literal, $meaning:literal;)+) => {
        /// Which reading of each contradiction holds.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Switches {
            $(#[doc = $meaning] pub(super) $name: $kind,)+
        }

        impl Default for Switches {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// Every switch: its name, its values, its default and what it decides.
        pub const SWITCHES: &[(&str, &str, &str, &str)] =
            &[$((stringify!($name), <$kind as Choice>::VALUES, $word, $meaning)),+];

        impl Switches {
            fn assign(&mut self, name: &str, value: &str) -> Result<(), SwitchError> {
                $(if name == stringify!($name) {
                    self.$name = read(name, value)?;
                    return Ok(());
                })+
                Err(SwitchError::Name(name.to_owned()))
            }
        }
    };
}

switches! {
    topup_ref: RefForm = RefForm::Prefixed, "prefixed", "the form of `topupRef` in the answer to a send";
    list_ref: RefForm = RefForm::Prefixed, "prefixed", "the form of `ref` in the rows of the list";
    check_shows_ref: RefForm = RefForm::Raw, "raw", "the form of `ref` in a check";
    check_ref: CheckRef = CheckRef::Both, "both", "the form of ref that `check-ref` finds, or no such route";
    check_id: Route = Route::Present, "present", "whether `check-id` is there";
    list: Route = Route::Present, "present", "whether the list is there";
    transactions: Route = Route::Present, "present", "whether the account's transactions are there";
    objid: Subject = Subject::Id, "id", "what `objid` of a transaction holds: the order's id, its ref, or something else";
    entry_form: Form = Form::Full, "full", "the fields of a transaction";
    duplicate_code: DuplicateCode = DuplicateCode::Hyphen, "hyphen", "`DUPLICATED-REF` or `DUPLICATED_REF`";
    duplicate_details: bool = false, "off", "whether a repeated ref is answered with `existingTopupId`";
    unique_refs: bool = true, "on", "whether a repeated ref is refused at all";
    bad_key_attempts: Attempts = Attempts::Five, "5", "bad keys in a row before the address is blocked";
    missing_token: MissingToken = MissingToken::Unauthorized, "401", "the status when no key is sent";
    scope: Scope = Scope::ReadWrite, "READ-WRITE", "what the key may do";
    key_enabled: bool = true, "on", "whether the key is enabled";
    validate: Form = Form::Full, "full", "the fields of the key in `/validate`";
    validate_meta: bool = false, "off", "whether `/validate` has `meta` and `requestId`";
    new_balance: bool = false, "off", "whether the answer to a send tells the balance";
    currency: bool = false, "off", "whether the balance tells its currency";
    empty_wallet_code: EmptyWallet = EmptyWallet::InsufficientBalance, "INSUFFICIENT_BALANCE", "the code of an empty wallet";
    fixed_amount: FixedAmount = FixedAmount::Required, "required", "`amount` on a plan with a fixed price";
    operator_check: bool = false, "off", "whether the number must fit the plan's operator";
    catalogue: CataloguePage = CataloguePage::Reference, "reference", "the price and range of `PREPAID_DJEZZY`";
    pagination: Pagination = Pagination::Data, "data", "where the pagination of a list is";
    list_order: ListOrder = ListOrder::Newest, "newest", "which row of a list comes first";
    statuses: Statuses = Statuses::English, "english", "`FULFILLED`/`REFUNDED`, `SUCCESS`/`FAILED`, or a word that no page names";
    check_form: Form = Form::Full, "full", "the fields of a check";
    request_id: RequestId = RequestId::Both, "both", "where the id of a request is told";
    retry_after: RetryAfter = RetryAfter::Seconds, "seconds", "how `Retry-After` is written";
    rate_429_body: RateBody = RateBody::Envelope, "envelope", "the body of a 429";
    order_seconds: u32 = 16, "16", "simulated seconds from acceptance to the end of an order";
    refund_after: u32 = 0, "0", "simulated seconds from `REFUNDED` until the money is back";
    review_hours: u32 = 24, "24", "simulated hours until `UNKNOWN_ERROR` settles";
    late_by: u32 = 5, "5", "simulated seconds that the fault `late_visibility` hides an order";
}

/// A switch that does not exist, or a value that it does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// Not `name=value`.
    #[error("`{0}` is no switch; a switch is spelt `name=value`")]
    Shape(String),
    /// No switch has this name.
    #[error("there is no switch `{0}`")]
    Name(String),
    /// The switch has no such value.
    #[error("the switch `{name}` cannot be `{value}`; it takes {values}")]
    Value {
        /// The switch.
        name: String,
        /// What was asked for.
        value: String,
        /// What it takes.
        values: &'static str,
    },
}

impl Switches {
    /// Sets one switch, spelt `name=value`.
    pub fn set(&mut self, spelling: &str) -> Result<(), SwitchError> {
        let (name, value) = spelling
            .split_once('=')
            .ok_or_else(|| SwitchError::Shape(spelling.to_owned()))?;
        self.assign(name.trim(), value.trim())
    }
}

fn read<C: Choice>(name: &str, value: &str) -> Result<C, SwitchError> {
    C::read(value).ok_or_else(|| SwitchError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        values: C::VALUES,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_the_defaults_and_values_that_hold() {
        for (name, values, default, _) in SWITCHES {
            let mut switches = Switches::default();
            let mut set = |value: &str| switches.set(&format!("{name}={value}"));
            set(default).unwrap_or_else(|error| panic!("{error}"));
            if values.contains('|') {
                for value in values.split('|') {
                    set(value).unwrap_or_else(|error| panic!("{error}"));
                }
                set(default).unwrap_or_else(|error| panic!("{error}"));
            }
            assert_eq!(switches, Switches::default(), "{name}");
        }
    }

    #[test]
    fn what_is_no_switch_is_refused_with_the_reason() {
        let mut switches = Switches::default();
        for (spelling, message) in [
            ("list", "`list` is no switch; a switch is spelt `name=value`"),
            ("lists=missing", "there is no switch `lists`"),
            (
                "list=gone",
                "the switch `list` cannot be `gone`; it takes present|missing",
            ),
            (
                "late_by=5s",
                "the switch `late_by` cannot be `5s`; it takes a whole number",
            ),
        ] {
            let error = switches.set(spelling).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(message));
        }
        assert_eq!(switches, Switches::default());
    }
}
