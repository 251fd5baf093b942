//! The mobile endpoints: plans, checks and the list. Sending has a file of its own.

use serde_json::{Value, json};

use super::answers::{Answer, number, present};
use super::books::Books;
use super::call::Call;
use super::catalogue;
use super::clock::{Millis, iso};
use super::options::Options;
use super::order::{Fate, Order, Status};
use super::page::Page;
use super::switches::{CheckRef, Form, ListOrder, RefForm, Statuses};

pub(super) use super::send::send;

/// What the provider tells the end user when a number does not take an offer.
const NOT_ACCEPTED: &str = "هذا رقم الهاتف لا يقبل العرض المرسل، الرجاء إرسال أحد العروض التالية";
const REFUNDED: &str = "تعذر إرسال الرصيد إلى هذا الرقم، تم إرجاع المبلغ";
const IN_REVIEW: &str = "حدث خطأ غير معروف، سيتم التحقق من العملية يدويا";

/// `GET /v3/mobile/plans`.
pub(super) fn plans(options: &Options) -> Answer {
    Answer::ok(catalogue::listing(options.switches.catalogue))
}

/// `GET /v3/mobile/check-ref/{ref}`.
pub(super) fn check_ref(
    books: &Books,
    options: &Options,
    reference: &str,
    now: Millis,
) -> Result<Answer, Answer> {
    let raw = || books.by_ref(reference);
    let prefixed = || {
        reference
            .strip_prefix(&prefix(options))
            .and_then(|raw| books.by_ref(raw))
    };
    let order = match options.switches.check_ref {
        CheckRef::Both => raw().or_else(prefixed),
        CheckRef::Raw => raw(),
        CheckRef::Prefixed => prefixed(),
        CheckRef::Missing => None,
    };
    let missing = format!("Top-up with reference '{reference}' not found");
    shown(books, order, options, now).ok_or_else(|| Answer::refuse(404, "NOT_FOUND", &missing))
}

/// `GET /v3/mobile/check-id/{id}`.
pub(super) fn check_id(
    books: &Books,
    options: &Options,
    topup_id: &str,
    now: Millis,
) -> Result<Answer, Answer> {
    let missing = format!("Top-up with ID '{topup_id}' not found");
    shown(books, books.by_id(topup_id), options, now)
        .ok_or_else(|| Answer::refuse(404, "NOT_FOUND", &missing))
}

fn shown(books: &Books, order: Option<&Order>, options: &Options, now: Millis) -> Option<Answer> {
    let order = order.filter(|order| is_visible(books, order, now))?;
    let data = match options.switches.check_form {
        Form::Full => row(books, order, options, options.switches.check_shows_ref, now),
        Form::Short => json!({
            "status": word(order.status(now), options.switches.statuses),
            "MSSIDN": order.phone,
            "topup_amount": order.amount,
        }),
    };
    Some(Answer::ok(data))
}

/// `GET /v3/mobile/list`.
pub(super) fn list(books: &Books, options: &Options, call: &Call, now: Millis) -> Result<Answer, Answer> {
    let page = Page::read(call)?;
    let switches = &options.switches;
    let orders = page.window(books.orders(), |order| order.course.created_ms);
    let mut seen: Vec<_> = orders
        .iter()
        .filter(|order| is_visible(books, order, now))
        .filter(|order| !books.mask(order).is_some_and(|mask| mask.is_unlisted))
        .collect();
    if switches.list_order == ListOrder::Newest {
        seen.reverse();
    }
    let rows = page
        .cut(&seen)
        .iter()
        .map(|order| row(books, order, options, switches.list_ref, now))
        .collect();
    Ok(page.answer(rows, seen.len(), switches))
}

fn is_visible(books: &Books, order: &Order, now: Millis) -> bool {
    order.course.visible_ms <= now && !books.mask(order).is_some_and(|mask| mask.is_gone)
}

/// An order as checks and lists show it, in the order of keys of the provider's sample.
fn row(books: &Books, order: &Order, options: &Options, form: RefForm, now: Millis) -> Value {
    let mask = books.mask(order).cloned().unwrap_or_default();
    let status = order.status(now);
    let offers = status == Status::Refunded && order.course.fate == Fate::Offered;
    let word = word(status, options.switches.statuses);
    let word = mask.status.as_deref().unwrap_or(word);
    let cost = if word == "REFUNDED" || (mask.status.is_none() && status == Status::Refunded) {
        0.into()
    } else {
        number(mask.cost.unwrap_or(order.cost))
    };
    let phone = mask.phone.as_deref().unwrap_or(&order.phone);
    present([
        ("ref", shape_ref(&order.reference, form, options).into()),
        ("status", word.into()),
        ("plan_code", order.plan_code.as_str().into()),
        ("MSSIDN", phone.into()),
        ("topup_amount", order.amount.into()),
        ("balance_amount", cost),
        ("created_at", iso(order.course.created_ms).into()),
        ("_id", order.topup_id.as_str().into()),
        ("refund_message", message(status, offers).into()),
        (
            "suggested_offers",
            if offers { catalogue::offers() } else { Value::Null },
        ),
    ])
}

fn message(status: Status, offers: bool) -> Option<&'static str> {
    match status {
        Status::Refunded if offers => Some(NOT_ACCEPTED),
        Status::Refunded => Some(REFUNDED),
        Status::UnknownError => Some(IN_REVIEW),
        Status::Pending | Status::Handling | Status::Fulfilled => None,
    }
}

fn word(status: Status, words: Statuses) -> &'static str {
    match (words, status) {
        (Statuses::Arabic, Status::Fulfilled) => "SUCCESS",
        (Statuses::Arabic, Status::Refunded) => "FAILED",
        (Statuses::Odd, Status::Fulfilled | Status::Refunded) => "ARCHIVED",
        _ => status.word(),
    }
}

fn prefix(options: &Options) -> String {
    format!("API-{}-", options.username)
}

/// A ref as it was sent, or as the provider stores it.
pub(super) fn shape_ref(reference: &str, form: RefForm, options: &Options) -> String {
    match form {
        RefForm::Prefixed => format!("{}{reference}", prefix(options)),
        RefForm::Raw => reference.to_owned(),
    }
}
