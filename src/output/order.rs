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
        state_cell(order),
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

/// The state; people see too where it is somebody's word and not the provider's.
fn state_cell(order: &Order) -> Cell {
    let cell = Cell::state(order.state);
    match order.settled_by {
        Some(SettledBy::Operator) => cell.shown_as(format!("{}, by hand", order.state)),
        Some(SettledBy::Provider) | None => cell,
    }
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

/// The JSON array for scripts. For people the code comes first: it sets the direction of the line, whatever the
/// script of the name.
fn offers_cell(offers: &[Offer]) -> Cell {
    if offers.is_empty() {
        return Cell::none();
    }
    let one = |offer: &Offer| match offer.amount {
        Some(amount) => format!("{} for {amount} DZD ({})", offer.plan, offer.name),
        None => format!("{} ({})", offer.plan, offer.name),
    };
    let shown: Vec<String> = offers.iter().map(one).collect();
    Cell::foreign(offers_json(offers).to_string()).shown_as(shown.join(", "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Account, Amount, Environment, Intent, Operator, State};
    use crate::output::paint::Paint;

    const PLAIN: Paint = Paint::of(false);

    /// The keys that scripts rely on (design, section 3). They may be added to, never changed.
    const CONTRACT: [&str; 19] = [
        "ref",
        "state",
        "provider_status",
        "topup_id",
        "plan",
        "operator",
        "phone",
        "amount",
        "cost",
        "batch",
        "row",
        "attempts",
        "created_at",
        "updated_at",
        "message",
        "suggested_offers",
        "request_id",
        "settled_by",
        "note",
    ];

    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> T {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// An order of which only the least is known.
    pub(in crate::output) fn planned(reference: &str) -> Order {
        Order {
            account: Account {
                username: "+213665983439".to_owned(),
                environment: Environment::Sandbox,
            },
            intent: Intent {
                reference: read(reference),
                phone: read("0778037340"),
                plan: read("PREPAID_DJEZZY"),
                amount: Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
            },
            operator: Operator::Djezzy,
            state: State::Planned,
            revision: 1,
            provider_status: None,
            topup_id: None,
            provider_ref: None,
            cost: None,
            batch: None,
            row: None,
            attempts: 0,
            created_at: read("2026-11-24T20:05:10.5Z"),
            updated_at: read("2026-11-24T20:05:10.5Z"),
            sent_at: None,
            message: None,
            offers: Vec::new(),
            request_id: None,
            settled_by: None,
            note: None,
            owner: None,
        }
    }

    /// An order of which all is known.
    pub(in crate::output) fn refunded(reference: &str) -> Order {
        Order {
            state: State::Refunded,
            provider_status: Some(ProviderStatus::Refunded),
            topup_id: TopupId::new("6901616fe9e88196b4eb64b0"),
            cost: Some(read("496.5")),
            batch: Some("november".to_owned()),
            row: Some(7),
            attempts: 1,
            updated_at: read("2026-11-24T20:05:12Z"),
            message: Some("العرض غير متوفر لهذا الرقم\u{202e}\u{1b}[31m, =cmd".to_owned()),
            offers: vec![
                Offer {
                    name: "عرض 100".to_owned(),
                    plan: "GETMENU_Djezzy".to_owned(),
                    amount: Some(read("100.50")),
                },
                Offer {
                    name: "Izzy".to_owned(),
                    plan: "IZZY".to_owned(),
                    amount: None,
                },
            ],
            request_id: Some("req-7".to_owned()),
            settled_by: Some(SettledBy::Provider),
            note: Some("=SUM(A1)".to_owned()),
            ..planned(reference)
        }
    }

    #[test]
    fn json_records_and_tables_have_the_keys_of_the_contract() {
        for order in [planned("oc-1"), refunded("oc-2")] {
            let json = order_json(&order);
            let keys: Vec<&String> = json
                .as_object()
                .into_iter()
                .flat_map(|object| object.keys())
                .collect();
            assert_eq!(keys, CONTRACT);
            let record = order_record(&order);
            assert_eq!(
                record.fields.iter().map(|field| field.key).collect::<Vec<_>>(),
                CONTRACT
            );
            let table = orders_table(&[order]);
            assert_eq!(
                table.columns.iter().map(|column| column.key).collect::<Vec<_>>(),
                CONTRACT
            );
        }
    }

    #[test]
    fn json_has_the_types_of_the_contract() {
        let line = order_json(&refunded("oc-2")).to_string();
        assert_eq!(
            line,
            concat!(
                r#"{"ref":"oc-2","state":"refunded","provider_status":"REFUNDED","#,
                r#""topup_id":"6901616fe9e88196b4eb64b0","plan":"PREPAID_DJEZZY","operator":"Djezzy","#,
                r#""phone":"0778037340","amount":500,"cost":"496.50","batch":"november","row":7,"attempts":1,"#,
                r#""created_at":"2026-11-24T20:05:10.500Z","updated_at":"2026-11-24T20:05:12.000Z","#,
                "\"message\":\"العرض غير متوفر لهذا الرقم\u{202e}\\u001b[31m, =cmd\",",
                r#""suggested_offers":[{"typename":"عرض 100","plan_code":"GETMENU_Djezzy","amount":100.50},"#,
                r#"{"typename":"Izzy","plan_code":"IZZY","amount":null}],"request_id":"req-7","#,
                r#""settled_by":"provider","note":"=SUM(A1)"}"#,
            )
        );
        let bare = order_json(&planned("oc-1"));
        for key in [
            "provider_status",
            "topup_id",
            "cost",
            "batch",
            "row",
            "message",
            "settled_by",
            "note",
        ] {
            assert!(bare[key].is_null(), "{key}");
        }
        assert_eq!(bare["suggested_offers"], json!([]));
    }

    #[test]
    fn the_cells_agree_with_the_json() {
        let order = refunded("oc-2");
        let json = order_json(&order);
        for (property, cell) in PROPERTIES.iter().zip(cells(&order)) {
            let expected = match &json[property.column.key] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell.plain, expected, "{}", property.column.key);
        }
    }

    #[test]
    fn people_see_of_one_order_what_is_there() {
        assert_eq!(
            order_record(&planned("oc-1")).for_people(80, PLAIN),
            "\
Ref      oc-1
State    planned
Plan     PREPAID_DJEZZY (Djezzy)
Phone    0778037340
Amount   500 DZD
Created  2026-11-24 21:05:10
Updated  2026-11-24 21:05:10
"
        );
        let shown = order_record(&refunded("oc-2")).for_people(80, PLAIN);
        assert!(shown.contains("Cost        496.50 DZD\n"), "{shown}");
        assert!(
            shown.contains(
                "Offers      \u{2068}GETMENU_Djezzy for 100.50 DZD (عرض 100), IZZY (Izzy)\u{2069}\n"
            ),
            "{shown}"
        );
    }

    #[test]
    fn lists_keep_to_what_tells_orders_apart() {
        let quiet = orders_table(&[planned("oc-1")]).for_people(100, PLAIN);
        assert_eq!(
            quiet,
            "\
Ref   State    Plan            Phone       Amount  Cost  Created
───── ──────── ─────────────── ─────────── ─────── ───── ────────────────────
oc-1  planned  PREPAID_DJEZZY  0778037340     500     -  2026-11-24 21:05:10
"
        );
        let mut failed = refunded("oc-2");
        failed.message = Some("the number does not take this plan, try another one".to_owned());
        let listed = orders_table(&[failed]);
        assert!(
            listed
                .for_people(160, PLAIN)
                .contains("the number does not take this plan, try…\n")
        );
        assert!(listed.for_tabs().contains("try another one"));
    }
}
