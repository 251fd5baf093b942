//! CSV after RFC 4180, with `\n` at the end of each record.

/// One record of fields that hold no line break.
pub(super) fn record<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = fields.into_iter().map(quote).collect();
    quoted.join(",") + "\n"
}

/// Foreign text that a spreadsheet would run as a formula gets an apostrophe in front.
pub(super) fn neutralise(text: &str) -> String {
    if text.trim_start().starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn quote(field: &str) -> String {
    let padded = field.starts_with(' ') || field.ends_with(' ');
    if padded || field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_needed() {
        assert_eq!(
            record(["a", "b,c", "d\"e", " f", ""]),
            "a,\"b,c\",\"d\"\"e\",\" f\",\n"
        );
    }

    #[test]
    fn formulas_are_neutralised() {
        assert_eq!(neutralise("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(neutralise(" @SUM(1)"), "' @SUM(1)");
        assert_eq!(neutralise("500 - 3"), "500 - 3");
    }
}
