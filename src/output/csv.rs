//! CSV after RFC 4180, with `\n` at the end of each record; and as a spreadsheet in French wants it.

/// One record of fields that hold no line break.
pub(super) fn record<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = fields.into_iter().map(|field| quote(field, ',')).collect();
    quoted.join(",") + "\n"
}

/// The same between `;`, with the line end that spreadsheets write.
pub(super) fn excel_record<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = fields.into_iter().map(|field| quote(field, ';')).collect();
    quoted.join(";") + "\r\n"
}

fn quote(field: &str, separator: char) -> String {
    let padded = field.starts_with(' ') || field.ends_with(' ');
    if padded || field.contains([separator, '"', '\n', '\r']) {
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
}
