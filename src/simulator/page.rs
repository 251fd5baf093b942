//! Pages of a list: `page`, `pageSize`, `from` and `to`, read as strictly as the provider's validator does.

use serde_json::{Value, json};

use super::answers::Answer;
use super::call::Call;
use super::clock::{Millis, read_iso};
use super::switches::{Pagination, Switches};

/// Which rows are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    number: usize,
    size: usize,
    span: Option<(Millis, Millis)>,
}

impl Page {
    /// Reads the query; both ends of the span or neither, both included.
    pub(super) fn read(call: &Call) -> Result<Self, Answer> {
        let span = match (instant(call, "from")?, instant(call, "to")?) {
            (Some(from), Some(to)) => Some((from, to)),
            (None, None) => None,
            (Some(_), None) => return Err(lone("to")),
            (None, Some(_)) => return Err(lone("from")),
        };
        Ok(Self {
            number: positive(call, "page", 1, usize::MAX)?,
            size: positive(call, "pageSize", 20, 100)?,
            span,
        })
    }

    /// The rows inside the span. They must be in order of time.
    pub(super) fn window<'a, T>(&self, rows: &'a [T], time: impl Fn(&T) -> Millis) -> &'a [T] {
        let Some((from, to)) = self.span else {
            return rows;
        };
        let begin = rows.partition_point(|row| time(row) < from);
        let end = rows.partition_point(|row| time(row) <= to);
        rows.get(begin..end).unwrap_or_default()
    }

    /// The rows of this page.
    pub(super) fn cut<'a, T>(&self, rows: &'a [T]) -> &'a [T] {
        let begin = (self.number - 1).saturating_mul(self.size).min(rows.len());
        let end = begin.saturating_add(self.size).min(rows.len());
        rows.get(begin..end).unwrap_or_default()
    }

    /// The answer, with the pagination where the switch wants it.
    pub(super) fn answer(&self, rows: Vec<Value>, total: usize, switches: &Switches) -> Answer {
        let pagination = json!({
            "page": self.number,
            "pageSize": self.size,
            "totalPages": total.div_ceil(self.size),
            "totalResults": total,
        });
        let mut data = json!({});
        data["items"] = rows.into();
        match switches.pagination {
            Pagination::Data => {
                data["pagination"] = pagination;
                Answer::ok(data)
            }
            Pagination::Meta => Answer::ok(data).meta("pagination", pagination),
        }
    }
}

fn refuse(field: &str, value: impl Into<Value>, rule: &str) -> Answer {
    Answer::invalid(field, value.into(), &format!("querystring/{field} {rule}"))
}

fn lone(missing: &str) -> Answer {
    Answer::invalid(
        missing,
        Value::Null,
        "Both 'from' and 'to' must be provided together",
    )
}

fn instant(call: &Call, field: &str) -> Result<Option<Millis>, Answer> {
    call.parameter(field)
        .map(|text| read_iso(&text).ok_or_else(|| refuse(field, text, "must match format \"date-time\"")))
        .transpose()
}

fn positive(call: &Call, field: &str, default: usize, max: usize) -> Result<usize, Answer> {
    let Some(text) = call.parameter(field) else {
        return Ok(default);
    };
    match text.parse::<usize>() {
        Ok(0) => Err(refuse(field, text, "must be >= 1")),
        Ok(number) if number > max => Err(refuse(field, text, &format!("must be <= {max}"))),
        Ok(number) => Ok(number),
        Err(_) if text.starts_with('-') => Err(refuse(field, text, "must be >= 1")),
        Err(_) => Err(refuse(field, text, "must be integer")),
    }
}
