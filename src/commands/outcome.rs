//! What became of something, as an operator reads it: errors with hints, and the exit code of an order.

use crate::api::{AuthFault, Fault};
use crate::config::shell_word;
use crate::domain::{Order, Period, Ref, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::output::Printer;
use crate::stop::Signal;
use crate::topup::{Asked, Standing, Trouble, Unrecorded};

/// stdout can't be written.
pub(super) fn unprintable(error: std::io::Error) -> Error {
    Error::new(Kind::Internal, "output", "the result can't be written to stdout").because(error)
}

/// A ref as it is typed in a shell, behind a command's name.
pub(super) fn typed(reference: &Ref) -> String {
    let word = shell_word(reference.as_str());
    if reference.as_str().starts_with('-') {
        format!("-- {word}")
    } else {
        word
    }
}

/// Refuses a stretch of time that ends before it begins: an empty list would say that nothing was sold in it.
pub(super) fn refuse_no_time(period: Period) -> Result<()> {
    if period.length().is_zero() {
        let message = format!("there is no time from {period}");
        return Err(Error::usage("period", message).hint("`--since` comes before `--until`"));
    }
    Ok(())
}

/// How something has ended, and whether that could be shown: what is to be told of it weighs more than what could not be
/// shown.
pub(super) fn ended(printer: &Printer, shown: Result<()>, ended: Result<ExitCode>) -> Result<ExitCode> {
    match (ended, shown) {
        (Ok(ExitCode::Success), shown) => shown.map(|()| ExitCode::Success),
        (ended, shown) => {
            if let Err(unshown) = shown {
                printer.warn(&unshown.message);
            }
            ended
        }
    }
}

/// The ledger failed while an order was on its way: what is known is said, since nothing has stored it.
pub(super) fn unrecorded(failure: Unrecorded) -> Error {
    let Unrecorded {
        source,
        order,
        answered,
    } = failure;
    let mut error = Error::from(source);
    if let Some(order) = order {
        let reference = &order.intent.reference;
        if let Some(answered) = answered {
            error.message = format!(
                "{}; the order `{reference}` was sent, and the last word on it is: {answered}",
                error.message
            );
        }
        error = error
            .hint(format!(
                "once the ledger can be written, `oneclick ref check {}` settles it",
                typed(reference)
            ))
            .about(reference);
    }
    error
}

/// A question without an answer.
pub(super) fn asked_error(asked: Asked, what: &str) -> Error {
    match asked {
        Asked::Interrupted(signal) => interrupted(signal, "stopped; nothing was sent"),
        Asked::Fault(Fault::Auth(auth)) => auth_error(&auth),
        Asked::Fault(Fault::NotSent(why)) => Error::new(
            Kind::Unavailable,
            "no_connection",
            format!("can't {what}: no connection: {why}"),
        )
        .hint("check the network, the proxy and `base_url`; nothing was sent"),
        Asked::Fault(fault) => {
            let code = match &fault {
                Fault::Wait(_) => "rate_limited",
                Fault::NoRoute => "no_route",
                Fault::Refused { .. } => "refused",
                _ => "unavailable",
            };
            let error = Error::new(
                Kind::Unavailable,
                code,
                format!("can't {what}: {}", fault.describe()),
            );
            let hint = match &fault {
                Fault::NoRoute => "check `base_url` with `oneclick config show`; nothing was sent",
                _ => "try again in a moment; nothing was sent",
            };
            match fault {
                Fault::Refused { status, .. } => Error {
                    http_status: Some(status),
                    ..error
                },
                _ => error,
            }
            .hint(hint)
        }
    }
}

/// The key of the configuration was refused.
pub(super) fn auth_error(auth: &AuthFault) -> Error {
    refused_key(auth, "check the key with `oneclick config show`")
}

/// The key was refused; `mend` says what to do about a wrong one.
pub(super) fn refused_key(auth: &AuthFault, mend: &str) -> Error {
    let message = if auth.message.is_empty() {
        format!("the provider refuses the API key: `{}`", auth.code)
    } else {
        format!(
            "the provider refuses the API key: `{}`: {}",
            auth.code, auth.message
        )
    };
    let wrong = format!("{mend}; five bad tries lock this address out for 15 minutes");
    let hint = match auth.code.as_str() {
        "IP_BLOCKED" => "wait 15 minutes before the next command: too many bad keys came from this address",
        "IP_NOT_ALLOWED" => "add this machine's address to the key's list in the provider's dashboard",
        "API_DISABLED" => "switch the API on in the provider's dashboard",
        _ if auth.status == 403 => {
            "the key may not do this: check its scope (READ-WRITE) in the provider's dashboard"
        }
        _ => &wrong,
    };
    let left = auth
        .attempts_left
        .map(|left| format!("{left} tries are left before this address is locked out"));
    Error {
        http_status: Some(auth.status),
        request_id: auth.request_id.clone(),
        ..Error::new(Kind::Auth, auth.code.clone(), message)
    }
    .hint(hint)
    .maybe_hint(left)
}

pub(super) fn interrupted(signal: Signal, message: &str) -> Error {
    match signal {
        Signal::Interrupt => Error::new(Kind::Interrupted, "interrupted", message),
        Signal::Terminate => Error::new(Kind::Terminated, "terminated", message),
    }
}

/// The exit code and message that an order's standing deserves; none where it has reached its good end.
pub(super) fn verdict(standing: &Standing) -> Option<Error> {
    let order = &standing.order;
    let about = |error: Error| {
        Error {
            request_id: error.request_id.clone().or_else(|| order.request_id.clone()),
            ..error
        }
        .about(&order.intent.reference)
    };
    let error = match (order.state, &standing.trouble) {
        (State::Fulfilled, _) => return None,
        (_, Some(Trouble::Interrupted(signal))) => stopped(order, *signal),
        (State::Unknown | State::Sending, trouble) => unknown(order, trouble.as_ref()),
        (_, Some(Trouble::Auth(auth))) => auth_error(auth),
        (_, Some(Trouble::EmptyWallet { code, available })) => {
            let rest = available
                .map(|money| format!(": {} DZD are there", money.grouped()))
                .unwrap_or_default();
            let reference = shell_word(order.intent.reference.as_str());
            Error::new(
                Kind::Limit,
                code.clone(),
                format!("the balance does not cover it{rest}; nothing was made"),
            )
            .hint(format!(
                "put money on the account, then run the same command with `--ref {reference}`"
            ))
        }
        (State::Refunded, _) => refunded(order),
        (State::Rejected, trouble) => rejected(order, trouble.as_ref()),
        (State::Conflict, trouble) => conflict(order, trouble.as_ref()),
        (State::Cancelled, Some(Trouble::Unavailable(why))) => {
            Error::new(Kind::Unavailable, "not_sent", format!("{why}; nothing was sent")).hint(format!(
                "try again later with `--ref {}`",
                shell_word(order.intent.reference.as_str())
            ))
        }
        (State::Cancelled, _) => {
            Error::new(Kind::Refused, "cancelled", "the provider does not know the order").hint(format!(
                "`oneclick send … --ref {}` sends it under the same ref, which can't pay twice",
                shell_word(order.intent.reference.as_str())
            ))
        }
        (State::WrittenOff, _) => Error::new(Kind::Refused, "written_off", "the order has been written off"),
        (State::InReview, _) => in_review(order),
        (State::Planned | State::Accepted, _) => open(order),
    };
    Some(about(error))
}

/// The exit code of a standing.
pub(super) fn exit_code(standing: &Standing) -> ExitCode {
    verdict(standing).map_or(ExitCode::Success, |error| error.exit_code())
}

fn stopped(order: &Order, signal: Signal) -> Error {
    match order.state {
        State::Planned => {
            interrupted(signal, "stopped before anything was made").maybe_hint(sent_by_its_batch(order))
        }
        State::Cancelled | State::Rejected => interrupted(signal, "stopped before anything was made")
            .hint("the same command can be typed again"),
        state => {
            let message = format!("stopped; the order is `{state}` and may still be delivered");
            let reference = typed(&order.intent.reference);
            interrupted(signal, &message).hint(format!(
                "`oneclick ref check {reference}` shows what became of it"
            ))
        }
    }
}

fn unknown(order: &Order, trouble: Option<&Trouble>) -> Error {
    let reference = typed(&order.intent.reference);
    let why = match trouble {
        Some(Trouble::Busy) => {
            return Error::new(
                Kind::Unknown,
                "busy",
                "another process is sending this order just now",
            )
            .hint(format!("`oneclick ref wait {reference}` waits for its end"));
        }
        Some(Trouble::Unresolved(why)) => why.clone(),
        Some(Trouble::Auth(auth)) => {
            format!("the provider refuses the API key: {} {}", auth.code, auth.message)
        }
        _ => order
            .message
            .clone()
            .unwrap_or_else(|| "its answer was lost".to_owned()),
    };
    Error::new(Kind::Unknown, "outcome_unknown", format!("it is not known whether the top-up was made: {why}"))
        .hint("do not send it under another ref: it may have been paid")
        .hint(format!("`oneclick ref check {reference}` asks again; it never sends"))
        .hint(format!(
            "if the provider's support knows more: `oneclick ref settle {reference} --as fulfilled --because \"…\"`"
        ))
}

fn refunded(order: &Order) -> Error {
    let why = order
        .message
        .as_ref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    let error = Error::new(
        Kind::Refused,
        "refunded",
        format!("not delivered, and the money came back{why}"),
    );
    order.offers.iter().fold(error, |error, offer| {
        let amount = offer
            .amount
            .map(|amount| format!(" --amount {amount}"))
            .unwrap_or_default();
        let phone = &order.intent.phone;
        error.hint(format!(
            "the number takes `oneclick send --plan {} --phone {phone}{amount}`",
            shell_word(&offer.plan)
        ))
    })
}

fn rejected(order: &Order, trouble: Option<&Trouble>) -> Error {
    let said = order.message.clone().unwrap_or_default();
    let Some(Trouble::Rejected { code, field, status }) = trouble else {
        return Error::new(
            Kind::Refused,
            "rejected",
            format!("the provider refused it before it was made: {said}"),
        )
        .hint(format!(
            "mend it and send it again; `oneclick ref show {}` has the answer",
            typed(&order.intent.reference)
        ));
    };
    let named = field
        .as_ref()
        .map(|field| format!(" (field `{field}`)"))
        .unwrap_or_default();
    let hint = match field.as_deref() {
        Some("MSSIDN") => "check the phone number, and that it goes with the plan's operator",
        Some("amount") => "check the amount against `oneclick plans --refresh`",
        Some("plan_code") => "check the plan with `oneclick plans --refresh`",
        _ => "mend what it names, then send it again; nothing was made",
    };
    Error {
        http_status: Some(*status),
        ..Error::new(
            Kind::Refused,
            code.clone(),
            format!("the provider refuses the order{named}: {said}"),
        )
    }
    .hint(hint)
}

fn conflict(order: &Order, trouble: Option<&Trouble>) -> Error {
    let told = match trouble {
        Some(Trouble::Conflict(differences)) => differences
            .iter()
            .map(|d| format!("{} is `{}` there and `{}` here", d.field, d.theirs, d.ours))
            .collect::<Vec<_>>()
            .join(", "),
        _ => order.message.clone().unwrap_or_default(),
    };
    Error::new(
        Kind::Refused,
        "conflict",
        format!("the ref is another order's at the provider: {told}"),
    )
    .hint("nothing was made, unless this very order is shown there in another way: compare both before anything else is sent")
    .hint("a different top-up needs a ref of its own: leave `--ref` out or choose another")
}

fn in_review(order: &Order) -> Error {
    let said = order
        .message
        .as_ref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    Error::new(
        Kind::Open,
        "in_review",
        format!("the provider settles it by hand within 24 hours{said}"),
    )
    .hint("do not refund it and do not send it again: it may have been delivered")
    .hint(format!(
        "`oneclick ref check {}` shows its end",
        typed(&order.intent.reference)
    ))
}

fn open(order: &Order) -> Error {
    let reference = typed(&order.intent.reference);
    Error::new(
        Kind::Open,
        "not_final",
        format!("the order is `{}` and not at its end yet", order.state),
    )
    .hint(
        sent_by_its_batch(order)
            .unwrap_or_else(|| format!("`oneclick ref wait {reference}` waits for its end")),
    )
}

/// Who sends an order that is planned.
fn sent_by_its_batch(order: &Order) -> Option<String> {
    let batch = order.batch.as_ref().filter(|_| order.state == State::Planned)?;
    Some(format!(
        "it has not been sent: `oneclick batch` with the sheet of the batch `{batch}` goes on"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Account, Amount, Environment, Intent, Offer, Operator};
    use jiff::Timestamp;

    fn order(state: State) -> Order {
        let intent = Intent {
            reference: "r-1".parse().unwrap_or_else(|error| panic!("{error}")),
            phone: "0778037340".parse().unwrap_or_else(|error| panic!("{error}")),
            plan: "PREPAID_DJEZZY".parse().unwrap_or_else(|error| panic!("{error}")),
            amount: Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
        };
        Order {
            account: Account {
                username: "+213770000000".to_owned(),
                environment: Environment::Sandbox,
            },
            intent,
            operator: Operator::Djezzy,
            state,
            revision: 1,
            provider_status: None,
            topup_id: None,
            provider_ref: None,
            cost: None,
            batch: None,
            row: None,
            attempts: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            sent_at: None,
            message: None,
            offers: Vec::new(),
            request_id: None,
            settled_by: None,
            note: None,
            owner: None,
        }
    }

    fn code(state: State, trouble: Option<Trouble>) -> u8 {
        exit_code(&Standing {
            order: order(state),
            trouble,
            balance: None,
        })
        .number()
    }

    #[test]
    fn each_state_has_the_exit_code_of_the_contract() {
        for (state, expected) in [
            (State::Fulfilled, 0),
            (State::Refunded, 3),
            (State::Rejected, 3),
            (State::Conflict, 3),
            (State::Cancelled, 3),
            (State::WrittenOff, 3),
            (State::Unknown, 6),
            (State::Sending, 6),
            (State::Accepted, 8),
            (State::InReview, 8),
            (State::Planned, 8),
        ] {
            assert_eq!(code(state, None), expected, "{state}");
        }
    }

    #[test]
    fn what_stopped_it_counts_by_the_ranks_of_the_contract() {
        let auth = || {
            Trouble::Auth(AuthFault {
                code: "ERR_AUTH".to_owned(),
                message: String::new(),
                attempts_left: None,
                status: 401,
                request_id: None,
            })
        };
        let empty = Trouble::EmptyWallet {
            code: "NO_BALANCE".to_owned(),
            available: None,
        };
        assert_eq!(code(State::Rejected, Some(auth())), 4);
        assert_eq!(code(State::Accepted, Some(auth())), 4);
        assert_eq!(code(State::Unknown, Some(auth())), 6, "unknown outranks the key");
        assert_eq!(code(State::Rejected, Some(empty)), 9);
        assert_eq!(
            code(
                State::Cancelled,
                Some(Trouble::Unavailable("no connection".to_owned()))
            ),
            7
        );
        assert_eq!(code(State::Accepted, Some(Trouble::TimedOut)), 8);
        assert_eq!(
            code(State::Accepted, Some(Trouble::Interrupted(Signal::Interrupt))),
            130
        );
        assert_eq!(
            code(State::Unknown, Some(Trouble::Interrupted(Signal::Terminate))),
            143
        );
        assert_eq!(
            code(State::Fulfilled, Some(Trouble::Interrupted(Signal::Interrupt))),
            0,
            "it has its good end"
        );
    }

    #[test]
    fn what_others_have_written_is_one_word_of_the_command() {
        let offered = Order {
            offers: vec![Offer {
                name: "Izzy".to_owned(),
                plan: "IZZY; true `x`".to_owned(),
                amount: None,
            }],
            ..order(State::Refunded)
        };
        assert_eq!(
            refunded(&offered).hints,
            ["the number takes `oneclick send --plan 'IZZY; true `x`' --phone 0778037340`"]
        );
    }

    #[test]
    fn every_error_about_an_order_names_it_and_says_how_to_mend_it() {
        for state in State::ALL
            .into_iter()
            .filter(|state| !matches!(state, State::Fulfilled | State::Refunded))
        {
            let error = verdict(&Standing {
                order: order(state),
                trouble: None,
                balance: None,
            });
            let error = error.unwrap_or_else(|| panic!("{state}"));
            assert!(error.reference.is_some(), "{state}");
            assert!(!error.hints.is_empty() || state == State::WrittenOff, "{state}");
            assert!(!error.message.ends_with('.'), "{state}: {}", error.message);
        }
    }
}
