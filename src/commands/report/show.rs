//! A report for people, for scripts and for the accountant.

use std::io;

use serde_json::{Map, Value, json};

use super::sums::{Label, Part, Sums};
use super::{By, Closing};
use crate::domain::{Money, day_in_algiers, group_thousands, in_algiers};
use crate::output::{Cell, Chart, Column, Format, Printer, Record, Shown, Table, Tone};

/// The most bars of a chart of days; a longer time has a bar for each month.
const DAY_BARS_MAX: u64 = 62;

impl Closing {
    pub(super) fn show(&self, printer: &Printer, excel: bool) -> io::Result<()> {
        let is_for_people = printer.format() == Format::Table && printer.terminal().stdout_is_terminal;
        match printer.format() {
            _ if excel => printer.excel(&self.table(false)),
            Format::Json => printer.json(&self.json()),
            Format::Jsonl => self.lines().iter().try_for_each(|line| printer.json(line)),
            Format::Table if is_for_people && !self.collected.groups.is_empty() => {
                printer.list(self.table(true))?;
                printer.raw(b"\n")?;
                printer.record(self.remarks())?;
                printer.chart(&self.chart())
            }
            Format::Table if is_for_people => {
                printer.list(self.table(false))?;
                printer.record(self.remarks())
            }
            Format::Table | Format::Csv => printer.list(self.table(false)),
        }
    }

    fn columns(&self) -> Vec<Column> {
        let has_states = self.by.contains(&By::State);
        // Where states have rows of their own, these say the same once more.
        let counted = if has_states {
            Shown::OffTerminal
        } else {
            Shown::WhenFilled
        };
        let group = self.by.iter().map(|by| match by {
            By::Operator => Column::left("operator", "Operator"),
            By::Plan => Column::left("plan", "Plan"),
            By::Batch => Column::left("batch", "Batch"),
            By::State => Column::left("state", "State"),
            By::Day => Column::left("day", "Day"),
        });
        let hidden = |key| Column::right(key, "").shown(Shown::OffTerminal);
        group
            .chain([
                Column::right("orders", "Orders"),
                Column::right("sold", "Sold").shown(counted),
                Column::right("face", "Face"),
                Column::right("cost", "Cost"),
                Column::right("margin", "Margin"),
                Column::right("refunded", "Refunded").shown(Shown::WhenFilled),
                hidden("refunded_face"),
                hidden("refunded_cost"),
                Column::right("open", "Open").shown(Shown::WhenFilled),
                hidden("open_face"),
                hidden("open_cost"),
                Column::right("written_off", "Written off").shown(counted),
                hidden("written_off_face"),
                hidden("written_off_cost"),
                Column::right("not_made", "Not made").shown(counted),
                hidden("costs_unknown"),
                hidden("by_hand"),
            ])
            .collect()
    }

    fn table(&self, with_total: bool) -> Table {
        let empty = format!("no order was sent: {}", self.period);
        let mut table = Table::new(self.columns(), empty);
        for (labels, sums) in &self.collected.groups {
            let cells = labels.iter().map(cell_of).chain(cells(sums, with_total));
            table.push(cells.collect(), Value::Null);
        }
        if with_total && (self.collected.groups.len() > 1 || self.by.is_empty()) {
            let title = |place| {
                if place == 0 {
                    Cell::text("all").tone(Tone::Strong)
                } else {
                    Cell::none()
                }
            };
            let total = (0..self.by.len()).map(title);
            let cells = total.chain(cells(&self.collected.total, true));
            table.push(cells.collect(), Value::Null);
        }
        table
    }

    /// What the table can't say in a row.
    fn remarks(&self) -> Record {
        let total = &self.collected.total;
        let open = (total.open.orders > 0).then(|| {
            let open = total.open;
            let cost = open.cost().map_or_else(
                || "not known".to_owned(),
                |cost| format!("{} DZD", cost.grouped()),
            );
            format!(
                "{}, face {} DZD, cost {cost}: neither sold nor failed",
                orders(open.orders),
                thousands(open.face),
            )
        });
        let unknown = (total.unknown() > 0).then(|| {
            format!(
                "of {} (`?`): in no sum of costs and in no margin",
                orders(total.unknown())
            )
        });
        let by_hand = (total.by_hand > 0).then(|| format!("{}, with `ref settle`", orders(total.by_hand)));
        let lines = [
            ("open", "Open", open, Tone::Warning),
            ("costs_unknown", "Cost not known", unknown, Tone::Warning),
            ("by_hand", "Settled by hand", by_hand, Tone::Plain),
            ("came_back_earlier", "Came back", self.told_earlier(), Tone::Plain),
            ("balance", "From the balance", self.told_balance(), Tone::Plain),
        ];
        lines
            .into_iter()
            .fold(Record::new(Value::Null), |record, (key, title, text, tone)| {
                record.field(key, title, Cell::maybe(text, |text| Cell::text(text).tone(tone)))
            })
    }

    fn told_earlier(&self) -> Option<String> {
        let earlier = self.earlier;
        let unknown = match earlier.unknown {
            0 => String::new(),
            count => format!(" (of {} it is not known how much)", orders(count)),
        };
        (earlier.orders > 0).then(|| {
            format!(
                "{} DZD for {} of earlier days{unknown}",
                earlier.cost.grouped(),
                orders(earlier.orders)
            )
        })
    }

    fn told_balance(&self) -> Option<String> {
        let (taken, unsure) = (self.collected.total.taken, self.collected.total.unsure);
        let back = self.collected.back + self.earlier.cost;
        let more = if unsure == Money::ZERO {
            String::new()
        } else {
            format!("; {} DZD more may be taken", unsure.grouped())
        };
        let has_moved = [taken, unsure, back].iter().any(|money| *money != Money::ZERO);
        has_moved.then(|| {
            format!(
                "{} DZD taken, {} DZD came back{more}",
                taken.grouped(),
                back.grouped()
            )
        })
    }

    /// What has left the balance for sure, less what came back.
    fn cash(&self) -> Money {
        self.collected.total.taken - self.collected.back - self.earlier.cost
    }

    fn json(&self) -> Value {
        json!({
            "account": self.account.username,
            "environment": self.account.environment.word(),
            "period": self.period.to_string(),
            "from": format!("{:.3}", self.period.from),
            "to": format!("{:.3}", self.period.to),
            "by": self.by.iter().map(|by| by.key()).collect::<Vec<_>>(),
            "rows": self.rows(),
            "totals": object(&self.collected.total),
            "balance": self.balance(),
        })
    }

    /// How the orders of the period, and refunds of earlier ones, have moved the balance.
    fn balance(&self) -> Value {
        let collected = &self.collected;
        json!({
            "taken": collected.total.taken.to_string(),
            "may_be_taken": collected.total.unsure.to_string(),
            "came_back": collected.back.to_string(),
            "came_back_earlier": self.earlier.cost.to_string(),
            "came_back_earlier_orders": self.earlier.orders,
            "came_back_earlier_unknown": self.earlier.unknown,
            "net": self.cash().to_string(),
        })
    }

    fn rows(&self) -> Vec<Value> {
        let row = |(labels, sums): (&Vec<Label>, &Sums)| {
            let labels = self
                .by
                .iter()
                .zip(labels)
                .map(|(by, label)| (by.key().to_owned(), value_of(label)));
            Value::Object(labels.chain(object(sums)).collect())
        };
        self.collected.groups.iter().map(row).collect()
    }

    /// Each row with its type, then the whole without its rows.
    fn lines(&self) -> Vec<Value> {
        let typed = |kind: &str, value: Value| {
            let mut typed = Map::from_iter([("type".to_owned(), json!(kind))]);
            if let Value::Object(fields) = value {
                typed.extend(fields);
            }
            Value::Object(typed)
        };
        let mut whole = self.json();
        if let Value::Object(fields) = &mut whole {
            fields.shift_remove("rows");
        }
        let rows = self.rows().into_iter().map(|row| typed("row", row));
        rows.chain([typed("summary", whole)]).collect()
    }

    fn chart(&self) -> Chart {
        let of_a_day = self.period.is_a_day();
        let with_days = self.period.length().as_secs() <= DAY_BARS_MAX * 86_400;
        let title = match (of_a_day, with_days) {
            (true, _) => "Sold by hour, DZD",
            (false, true) => "Sold by day, DZD",
            (false, false) => "Sold by month, DZD",
        };
        let mut chart = Chart::new(title);
        for (time, sums) in self.collected.each_time() {
            let label = match (of_a_day, with_days) {
                (true, _) => in_algiers(time).split_off(11),
                (false, true) => day_in_algiers(time),
                (false, false) => day_in_algiers(time).chars().take(7).collect(),
            };
            chart.add(label, sums.sold.face, sums.open.orders);
        }
        chart
    }
}

fn orders(count: u64) -> String {
    match count {
        1 => "1 order".to_owned(),
        more => format!("{} orders", thousands(more)),
    }
}

fn thousands(number: u64) -> String {
    group_thousands(&number.to_string())
}

fn cell_of(label: &Label) -> Cell {
    match label {
        Label::None => Cell::none(),
        Label::Text(text) => Cell::foreign(text.clone()),
        Label::State(state) => Cell::state(*state),
    }
}

fn value_of(label: &Label) -> Value {
    match label {
        Label::None => Value::Null,
        Label::Text(text) => json!(text),
        Label::State(state) => json!(state.word()),
    }
}

/// The cells behind the labels. People see nothing where there is none; a script sees 0.
fn cells(sums: &Sums, for_people: bool) -> Vec<Cell> {
    let count = |number: u64| {
        if for_people && number == 0 {
            Cell::none()
        } else {
            Cell::number(number).shown_as(thousands(number))
        }
    };
    let money = |part: Part, money: Option<Money>| match money {
        _ if for_people && part.orders == 0 => Cell::none(),
        None => Cell::none().shown_as("?"),
        Some(money) if part.unknown > 0 => Cell::money(money).shown_as(format!("{}+?", money.grouped())),
        Some(money) => Cell::money(money),
    };
    vec![
        count(sums.orders()),
        count(sums.sold.orders),
        count(sums.sold.face),
        money(sums.sold, sums.sold.cost()),
        money(sums.sold, sums.sold.margin()),
        count(sums.refunded.orders),
        count(sums.refunded.face),
        money(sums.refunded, sums.refunded.cost()),
        count(sums.open.orders).tone(if sums.open.orders > 0 {
            Tone::Warning
        } else {
            Tone::Muted
        }),
        count(sums.open.face),
        money(sums.open, sums.open.cost()),
        count(sums.written_off.orders),
        count(sums.written_off.face),
        money(sums.written_off, sums.written_off.cost()),
        count(sums.not_made.orders),
        count(sums.unknown()),
        count(sums.by_hand),
    ]
}

/// The sums in JSON, with the keys of the columns.
fn object(sums: &Sums) -> Map<String, Value> {
    let exact = |money: Option<Money>| money.map(|money| money.to_string());
    let fields = json!({
        "orders": sums.orders(),
        "sold": sums.sold.orders,
        "face": sums.sold.face,
        "cost": exact(sums.sold.cost()),
        "margin": exact(sums.sold.margin()),
        "refunded": sums.refunded.orders,
        "refunded_face": sums.refunded.face,
        "refunded_cost": exact(sums.refunded.cost()),
        "open": sums.open.orders,
        "open_face": sums.open.face,
        "open_cost": exact(sums.open.cost()),
        "written_off": sums.written_off.orders,
        "written_off_face": sums.written_off.face,
        "written_off_cost": exact(sums.written_off.cost()),
        "not_made": sums.not_made.orders,
        "costs_unknown": sums.unknown(),
        "by_hand": sums.by_hand,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
