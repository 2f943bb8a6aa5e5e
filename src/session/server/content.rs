//! The message as it comes in: counted, not kept; only its Message-ID is read.

/// The longest header line that is read (RFC 5322 §2.1.1: 998 characters).
const MAX_HEADER_LINE: usize = 998;
/// The longest Message-ID that is repeated to the client.
const MAX_MESSAGE_ID: usize = 250;
const FIELD: &[u8] = b"message-id:";

/// A message of which only the size and the Message-ID are remembered.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Bytes so far.
    pub(super) size: u64,
    line: Vec<u8>,
    /// The header is over, or the field was found.
    done: bool,
    /// The last line was `Message-ID:` with nothing behind it: the value is on the next.
    folded: bool,
    message_id: Vec<u8>,
}

impl Content {
    /// Takes the next piece, cut anywhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let mut rest = bytes;
        while !self.done && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            let room = MAX_HEADER_LINE.saturating_sub(self.line.len()).min(piece.len());
            self.line.extend_from_slice(&piece[..room]);
            if end.is_some() {
                self.header_line();
            }
            rest = end.map_or(&[], |at| &rest[at + 1..]);
        }
    }

    /// The value of the Message-ID field, when it looks like one.
    pub(super) fn message_id(&self) -> Option<String> {
        let id = self.message_id.as_slice();
        let sound = id.len() <= MAX_MESSAGE_ID && id.starts_with(b"<") && id.ends_with(b">") && id.iter().all(u8::is_ascii_graphic);
        sound.then(|| String::from_utf8_lossy(id).into_owned())
    }

    fn header_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let folded = std::mem::take(&mut self.folded);
        let text = line.trim_ascii();
        if text.is_empty() {
            self.done = true;
        } else if folded && matches!(line[0], b' ' | b'\t') {
            self.message_id = text.to_vec();
        } else if line.len() >= FIELD.len() && line[..FIELD.len()].eq_ignore_ascii_case(FIELD) {
            self.message_id = line[FIELD.len()..].trim_ascii().to_vec();
            self.folded = self.message_id.is_empty();
        }
        self.done |= !self.message_id.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_id_is_found_in_the_header_only() {
        let table = [
            ("Message-ID: <a@b>\r\n\r\n", Some("<a@b>")),
            ("Subject: x\r\nMESSAGE-id:<a@b>\r\n", Some("<a@b>")),
            ("Message-ID:\r\n <a@b>\r\n", Some("<a@b>")),
            ("Message-ID:\r\n\t<a@b>\r\n", Some("<a@b>")),
            ("Message-ID:\r\nSubject: <a@b>\r\n", None),
            ("Subject: x\r\n <a@b>\r\n\t<a@b>\r\n", None),
            ("Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", None),
            ("Message-ID: a@b\r\n", None),
            ("Message-ID: <a b>\r\n", None),
            ("Message-ID: <a\x1b@b>\r\n", None),
            ("Message-ID: <a@b>", None),
        ];
        for (text, want) in table {
            let (mut whole, mut single) = (Content::default(), Content::default());
            whole.push(text.as_bytes());
            for byte in text.as_bytes().chunks(1) {
                single.push(byte);
            }
            assert_eq!(whole.message_id().as_deref(), want, "{text:?}");
            assert_eq!(single.message_id().as_deref(), want, "{text:?}");
            assert_eq!((whole.size, single.size), (text.len() as u64, text.len() as u64));
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let (mut content, piece) = (Content::default(), vec![b'a'; 10_000]);
        for _ in 0..1000 {
            content.push(&piece);
        }
        assert_eq!((content.size, content.line.len()), (10_000_000, MAX_HEADER_LINE));
    }
}
