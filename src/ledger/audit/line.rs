//! A line of the log: its number, a body that is made of one row, and the hash of the line before.

use sha2::{Digest, Sha256};

use crate::domain::hex;

const START: &[u8] = b"{\"n\":";
const BEFORE_HASH: &[u8] = b",\"prev\":\"";
const END: &[u8] = b"\"}";
const HASH_LENGTH: usize = 64;

/// Writes a line, without its end.
pub(super) fn render(line: &mut Vec<u8>, n: i64, body: &[u8], previous: &str) {
    line.clear();
    line.extend_from_slice(START);
    line.extend_from_slice(n.to_string().as_bytes());
    line.push(b',');
    line.extend_from_slice(body);
    line.extend_from_slice(BEFORE_HASH);
    line.extend_from_slice(previous.as_bytes());
    line.extend_from_slice(END);
}

/// What the next line carries: the hash of this one's bytes, without its end.
pub(super) fn hash(line: &[u8]) -> String {
    hex(Sha256::digest(line).iter())
}

/// The parts of a line that looks like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Its number.
    pub n: i64,
    /// What it says.
    pub body: &'a [u8],
    /// The hash that it carries.
    pub previous: &'a [u8],
}

/// Takes a line apart. None where it does not look like one.
pub(super) fn parts(line: &[u8]) -> Option<Parts<'_>> {
    let rest = line.strip_prefix(START)?;
    let digits = rest.iter().position(|byte| *byte == b',')?;
    let n = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    let rest = rest.get(digits + 1..)?.strip_suffix(END)?;
    let (rest, previous) = rest.split_at_checked(rest.len().checked_sub(HASH_LENGTH)?)?;
    Some(Parts {
        n,
        body: rest.strip_suffix(BEFORE_HASH)?,
        previous,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_as_it_was_put_together() {
        let (mut line, previous) = (Vec::new(), "ab".repeat(32));
        render(&mut line, 7, br#""at":"now""#, &previous);
        assert_eq!(
            String::from_utf8_lossy(&line),
            format!(r#"{{"n":7,"at":"now","prev":"{previous}"}}"#)
        );
        let taken = parts(&line);
        assert_eq!(
            taken,
            Some(Parts {
                n: 7,
                body: br#""at":"now""#,
                previous: previous.as_bytes()
            })
        );
        assert_eq!(parts(b"{\"n\":7}"), None);
        assert_eq!(parts(b""), None);
    }
}
