//! An order as data: one list of properties from which JSON, records and tables are made (design, section 3).

use serde_json::{Number, Value, json};

use super::cell::{Cell, exact_time};
use super::paint::Tone;
use super::record::{Field, Record};
use super::table::{Column, Shown, Table};
use crate::domain::{Offer, Order, ProviderStatus, SettledBy, TopupId};

/// The most characters of a message in a list; `ref show` and pipes get all of it.
const LISTED_MESSAGE_CHARACTERS_MAX: usize = 40;

/// One property: its column in lists, and its title in the record of a single order, where people see it.
struct Property {
    column: Column,
    title: Option<&'static str>,
}

const fn both(column: Column) -> Property {
    Property {
        title: Some(column.title),
        column,
    }
}

const fn in_record(key: &'static str, title: &'static str) -> Property {
    Property {
        column: Column::left(key, title).shown(Shown::OffTerminal),
        title: Some(title),
    }
}

const fn for_scripts(key: &'static str) -> Property {
    Property {
        column: Column::left(key, "").shown(Shown::OffTerminal),
        title: None,
    }
}

/// Every property of an order, in the order of the contract.
const PROPERTIES: [Property; 19] = [
    both(Column::left("ref", "Ref")),
    both(Column::left("state", "State")),
    in_record("provider_status", "Status"),
    in_record("topup_id", "Id"),
    both(Column::left("plan", "Plan")),
    for_scripts("operator"),
    both(Column::left("phone", "Phone")),
    both(Column::right("amount", "Amount")),
    both(Column::right("cost", "Cost")),
    in_record("batch", "Batch"),
    in_record("row", "Row"),
    for_scripts("attempts"),
    both(Column::left("created_at", "Created")),
    in_record("updated_at", "Updated"),
    both(Column::left("message", "Message").shown(Shown::WhenFilled)),
    in_record("suggested_offers", "Offers"),
    in_record("request_id", "Request id"),
    in_record("settled_by", "Settled by"),
    in_record("note", "Note"),
];

/// An order in JSON. Keys are only ever added.
pub fn order_json(order: &Order) -> Value {
    json!({
        "ref": order.intent.reference.as_str(),
        "state": order.state.word(),
        "provider_status": order.provider_status.as_ref().map(ProviderStatus::word),
        "topup_id": order.topup_id.as_ref().map(TopupId::as_str),
        "plan": order.intent.plan.as_str(),
        "operator": order.operator.name(),
        "phone": order.intent.phone.as_str(),
        "amount": order.intent.amount.dinars(),
        "cost": order.cost.map(|cost| cost.to_string()),
        "batch": order.batch,
        "row": order.row,
        "attempts": order.attempts,
        "created_at": exact_time(order.created_at),
        "updated_at": exact_time(order.updated_at),
        "message": order.message,
        "suggested_offers": offers_json(&order.offers),
        "request_id": order.request_id,
        "settled_by": order.settled_by.map(SettledBy::word),
        "note": order.note,
    })
}

/// One order: all of it for scripts, and for people what is there.
pub fn order_record(order: &Order) -> Record {
    let fields = PROPERTIES
        .iter()
        .zip(cells(order))
        .map(|(property, cell)| Field {
            key: property.column.key,
            title: property.title,
            cell: match property.column.key {
                "plan" => cell.shown_as(format!("{} ({})", order.intent.plan, order.operator)),
                "amount" | "cost" if !cell.is_none() => {
                    let dinars = format!("{} DZD", cell.shown);
                    cell.shown_as(dinars)
                }
                _ => cell,
            },
        })
        .collect();
    Record {
        fields,
        json: order_json(order),
    }
}

/// A list of orders: all of each for scripts, and for people what tells them apart.
pub fn orders_table(orders: &[Order]) -> Table {
    let columns = PROPERTIES.iter().map(|property| property.column).collect();
    let mut table = Table::new(columns, "no orders");
    for order in orders {
        let listed = cells(order).into_iter().zip(&PROPERTIES).map(|(cell, property)| {
            if property.column.key == "message" {
                cell.shortened(LISTED_MESSAGE_CHARACTERS_MAX)
            } else {
                cell
            }
        });
        table.push(listed.collect(), order_json(order));
    }
    table
}

/// A cell for each of the properties.
fn cells(order: &Order) -> [Cell; PROPERTIES.len()] {
    let foreign = |text: &Option<String>| Cell::maybe(text.as_ref(), Cell::foreign);
    [
        Cell::foreign(order.intent.reference.as_str()).tone(Tone::Strong),
        Cell::state(order.state),
        Cell::maybe(order.provider_status.as_ref(), |status| {
            Cell::foreign(status.word())
        }),
        Cell::maybe(order.topup_id.as_ref(), |id| Cell::foreign(id.as_str())),
        Cell::foreign(order.intent.plan.as_str()),
        Cell::foreign(order.operator.name()),
        Cell::text(order.intent.phone.as_str()),
        Cell::amount(order.intent.amount),
        Cell::maybe(order.cost, Cell::money),
        foreign(&order.batch),
        Cell::maybe(order.row, Cell::number),
        Cell::number(order.attempts),
        Cell::time(order.created_at),
        Cell::time(order.updated_at),
        foreign(&order.message),
        offers_cell(&order.offers),
        foreign(&order.request_id),
        Cell::maybe(order.settled_by, |by| Cell::text(by.word())),
        foreign(&order.note),
    ]
}

fn offers_json(offers: &[Offer]) -> Value {
    let one = |offer: &Offer| {
        // A decimal is written with the very digits it has, never by way of a float.
        let amount = offer
            .amount
            .and_then(|amount| amount.to_string().parse::<Number>().ok());
        json!({"typename": offer.name, "plan_code": offer.plan, "amount": amount})
    };
    offers.iter().map(one).collect()
}

/// The JSON array for scripts; names, codes and amounts for people.
fn offers_cell(offers: &[Offer]) -> Cell {
    if offers.is_empty() {
        return Cell::none();
    }
    let one = |offer: &Offer| match offer.amount {
        Some(amount) => format!("{} ({}, {amount} DZD)", offer.name, offer.plan),
        None => format!("{} ({})", offer.name, offer.plan),
    };
    let shown: Vec<String> = offers.iter().map(one).collect();
    Cell::foreign(offers_json(offers).to_string()).shown_as(shown.join(", "))
}
