//! Which encoding a sheet is in. Deterministic: the same bytes are always read the same way.

use std::path::Path;

use super::error::SheetError;
use super::show;
use super::survey::Survey;

/// The encodings that spreadsheets in Algeria write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
    Windows1256,
}

impl Encoding {
    /// Its name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
            Self::Windows1252 => "Windows-1252",
            Self::Windows1256 => "Windows-1256",
        }
    }

    /// A decoder that starts afresh and leaves byte order marks to us.
    pub(super) fn decoder(self) -> encoding_rs::Decoder {
        let encoding = match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
            Self::Windows1256 => encoding_rs::WINDOWS_1256,
        };
        encoding.new_decoder_without_bom_handling()
    }

    /// How many bytes of byte order mark a file that begins with `head` has in this encoding.
    pub(super) fn mark_bytes(self, head: &[u8]) -> usize {
        let mark: &[u8] = match self {
            Self::Utf8 => b"\xEF\xBB\xBF",
            Self::Utf16Le => b"\xFF\xFE",
            Self::Utf16Be => b"\xFE\xFF",
            Self::Windows1252 | Self::Windows1256 => return 0,
        };
        if head.starts_with(mark) { mark.len() } else { 0 }
    }
}

/// What the bytes alone can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Known(Encoding),
    /// Windows-1252 or Windows-1256: the header decides, then the letters.
    Legacy,
}

/// Text has hardly any control characters: at most two, and one in a hundred bytes.
const CONTROLS_FREE: u64 = 2;

/// Decides by byte order mark, NULs and validity, or refuses what is no text.
pub(super) fn choose(path: &Path, survey: &Survey) -> Result<Choice, SheetError> {
    let marked = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be]
        .into_iter()
        .find(|encoding| encoding.mark_bytes(&survey.head) > 0);
    if let Some(encoding @ (Encoding::Utf16Le | Encoding::Utf16Be)) =
        marked.or_else(|| unmarked_utf16(survey))
    {
        return Ok(Choice::Known(encoding));
    }
    refuse_binary(path, survey)?;
    let path = show(path);
    let is_utf8 = !survey.utf8.broken && !survey.utf8.cut;
    if is_utf8 {
        return Ok(Choice::Known(Encoding::Utf8));
    }
    if !survey.utf8.broken && survey.utf8.wide {
        return Err(SheetError::Cut { path });
    }
    match marked {
        // Reading it finds the line that is broken.
        Some(encoding) => Ok(Choice::Known(encoding)),
        None => Ok(Choice::Legacy),
    }
}

/// UTF-16 without a mark: digits and separators have a NUL in every second byte, and none on the other side.
fn unmarked_utf16(survey: &Survey) -> Option<Encoding> {
    let pairs = survey.length / 2;
    let many = |nuls: u64| pairs > 0 && nuls * 4 >= pairs;
    match survey.nuls {
        [0, odd] if many(odd) => Some(Encoding::Utf16Le),
        [even, 0] if many(even) => Some(Encoding::Utf16Be),
        _ => None,
    }
}

fn refuse_binary(path: &Path, survey: &Survey) -> Result<(), SheetError> {
    let refuse = |line, what| {
        let path = show(path);
        Err(SheetError::Binary { path, line, what })
    };
    if let Some(line) = survey.first_nul_line {
        return refuse(line, "a NUL byte");
    }
    match survey.first_control_line {
        Some(line) if survey.controls * 100 > survey.length + CONTROLS_FREE * 100 => {
            refuse(line, "control characters")
        }
        _ => Ok(()),
    }
}

/// What the neighbours of high bytes say. The lower-case letters of French are the same in both encodings; the
/// others stand among Latin letters in Windows-1252, and beside each other in Windows-1256.
#[derive(Debug, Default)]
pub(super) struct Letters {
    arabic: u64,
    latin: u64,
    /// Bytes that Windows-1252 does not have.
    undefined: u64,
    last: u8,
}

impl Letters {
    /// Takes the next bytes of the file.
    pub(super) fn take(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            let (before, here) = (is_arabic(self.last), is_arabic(byte));
            if before && here {
                self.arabic += 1;
            } else if (before && byte.is_ascii_alphabetic()) || (here && self.last.is_ascii_alphabetic()) {
                self.latin += 1;
            }
            self.undefined += u64::from(matches!(byte, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D));
            self.last = byte;
        }
    }

    /// The same for bytes that are all ASCII: only their ends have a neighbour that may say something.
    pub(super) fn pass(&mut self, chunk: &[u8]) {
        if let [first, .., last] = chunk {
            self.take(&[*first]);
            self.last = *last;
        } else {
            self.take(chunk);
        }
    }

    /// The encoding that they speak for.
    pub(super) fn encoding(&self) -> Encoding {
        if self.arabic > self.latin || (self.undefined > 0 && self.latin == 0) {
            Encoding::Windows1256
        } else {
            Encoding::Windows1252
        }
    }
}

/// An Arabic letter in Windows-1256 that is something else in Windows-1252.
fn is_arabic(byte: u8) -> bool {
    matches!(byte, 0xC0..=0xD6 | 0xD8..=0xDB | 0xDD..=0xDF | 0xE1 | 0xE3..=0xE6 | 0xEC | 0xED)
        || matches!(byte, 0x81 | 0x8D..=0x90 | 0x98 | 0x9A | 0x9F | 0xAA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(bytes: &[u8]) -> Encoding {
        let mut letters = Letters::default();
        // Byte by byte, as a chunk may end anywhere.
        for byte in bytes {
            letters.take(&[*byte]);
        }
        letters.encoding()
    }

    #[test]
    fn letters_tell_french_from_arabic() {
        for text in ["Numéro", "NUMÉRO ÉTÉ", "N°", "Crédit à 500", "España", "ÇA"] {
            let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(text);
            assert_eq!(letters(&bytes), Encoding::Windows1252, "{text}");
        }
        for text in ["رقم", "المبلغ", "Client: محمد", "هاتف;مبلغ"] {
            let (bytes, _, _) = encoding_rs::WINDOWS_1256.encode(text);
            assert_eq!(letters(&bytes), Encoding::Windows1256, "{text}");
        }
    }

    #[test]
    fn a_byte_that_one_encoding_lacks_speaks_for_the_other() {
        assert_eq!(letters(b";\x90;"), Encoding::Windows1256);
        assert_eq!(letters(b""), Encoding::Windows1252);
    }
}
