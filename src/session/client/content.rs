//! The content of a message on its way: DATA up to the lone dot, chunks of BDAT by their size, and the replies that
//! decide its fate: one, or one for each recipient (LMTP, PRDR).

use std::time::Duration;

use super::{Session, Stage, Transaction};
use crate::session::event::Expected;
use crate::session::judgement::Judgement;
use crate::session::transcript::What;
use crate::wire::command::Command;
use crate::wire::dot::{Changes, NulByte};
use crate::wire::line_length::LongLines;

/// The octets that a BDAT has announced (RFC 3030 §2).
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) command: Command,
    pub(super) size: u64,
    pub(super) left: u64,
    pub(super) since: Duration,
}

/// The replies to a message, as far as they belong together.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// 353 has announced a reply for each recipient and one for all.
    in_parts: bool,
    /// How many recipients the message was taken for.
    taken: u32,
}

impl Session {
    /// Appends the wire form of a piece of the message to `out`.
    ///
    /// # Errors
    /// [`NulByte`] when the piece holds a NUL, which DATA cannot carry.
    pub fn body(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), NulByte> {
        let before = out.len();
        if let Some(stuffer) = &mut self.stuffer {
            stuffer.push(piece, out)?;
            self.line_lengths.push(piece);
        }
        self.body_bytes += (out.len() - before) as u64;
        Ok(())
    }

    /// Part of what was queued is about to go out: of a message or chunk whose end is not queued yet, the transcript says
    /// that it has begun. One that goes out in one piece has its one entry at its end.
    pub fn record_content(&mut self, now: Duration) {
        let begun = self.stuffer.is_some() && self.body_bytes > 0 || self.chunk_is_begun();
        if begun && !std::mem::replace(&mut self.content_recorded, true) {
            self.note(now, "the message is being sent");
        }
    }

    /// Appends the end of the message: the lone dot goes out with it.
    pub fn end_body(&mut self, now: Duration, out: &mut Vec<u8>) -> Changes {
        let Some(stuffer) = self.stuffer.take() else { return Changes::default() };
        let before = out.len();
        let changes = stuffer.finish(out);
        // The lone dot and its line end are no part of the message.
        let bytes = (self.body_bytes + (out.len() - before) as u64).saturating_sub(3);
        self.transcript.add(now, What::SentMessage { bytes });
        self.content_recorded = false;
        self.stage = Stage::Ready;
        self.expect_fate(now, Expected::FinalDot);
        changes
    }

    /// BDAT was said: so many octets are due before the server answers.
    pub(super) fn begin_chunk(&mut self, now: Duration, command: Command, size: u64) {
        if self.stage == Stage::Closed {
            return;
        }
        self.chunk = Some(Chunk { command, size, left: size, since: now });
        self.stage = Stage::Chunk;
    }

    /// Appends octets of the chunk that is due to `out`, exactly as they are, and none beyond its end. Returns how many.
    pub fn chunk(&mut self, now: Duration, octets: &[u8], out: &mut Vec<u8>) -> usize {
        let Some(chunk) = &mut self.chunk else { return 0 };
        let count = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(octets.len());
        out.extend_from_slice(&octets[..count]);
        self.line_lengths.push(&octets[..count]);
        chunk.left -= count as u64;
        if chunk.left == 0 {
            self.transcript.add(now, What::SentMessage { bytes: chunk.size });
            self.content_recorded = false;
            self.end_chunk(now);
        }
        count
    }

    /// The server is to answer the chunk now.
    pub(super) fn end_chunk(&mut self, now: Duration) {
        let Some(chunk) = self.chunk.take() else { return };
        self.stage = self.resting_stage();
        self.expect_command(now, chunk.command, b"");
    }

    /// The lines of the message under way, or of the last one, that are too long.
    pub fn long_lines(&self) -> Option<LongLines> {
        self.line_lengths.found()
    }

    /// How many octets of a chunk are due; `None` when none are.
    pub fn chunk_left(&self) -> Option<u64> {
        self.chunk.as_ref().map(|chunk| chunk.left)
    }

    /// Whether octets of the chunk that is due are on their way already: it cannot be taken back.
    pub fn chunk_is_begun(&self) -> bool {
        self.chunk.as_ref().is_some_and(|chunk| chunk.left < chunk.size)
    }

    /// A complete message is out. `reply`: what is expected where one reply decides.
    pub(super) fn expect_fate(&mut self, now: Duration, reply: Expected) {
        self.fate = Fate::default();
        let recipients = &self.transaction.accepted;
        if self.lmtp && !recipients.is_empty() {
            // LMTP answers once for each recipient that it took (RFC 2033 §4.2, §4.3).
            for recipient in recipients.clone() {
                self.expect(now, Expected::Verdict(recipient));
            }
        } else {
            self.expect(now, if self.transaction.prdr { Expected::PrdrDot } else { reply });
        }
    }

    /// A reply that decides about a message.
    pub(super) fn apply_fate(&mut self, now: Duration, to: &Expected, judgement: Judgement) {
        let done = judgement == Judgement::Done;
        if let Expected::Verdict(_) = to {
            self.fate.taken += u32::from(done);
            if !self.lmtp {
                // The reply for all is still to come.
                return;
            }
            // Taken for one recipient, the message is taken.
            self.messages_accepted += u32::from(done && self.fate.taken == 1);
            if !self.awaited.iter().any(|awaited| matches!(awaited.what, Expected::Verdict(_))) {
                self.transaction = Transaction::default();
            }
        } else if judgement == Judgement::Continue {
            self.fate.in_parts = true;
            for recipient in self.transaction.accepted.clone() {
                self.expect(now, Expected::Verdict(recipient));
            }
            self.expect(now, Expected::FinalDot);
        } else {
            let for_anybody = !self.fate.in_parts || self.fate.taken > 0;
            self.messages_accepted += u32::from(done && for_anybody);
            self.transaction = Transaction::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bdat_on_a_closed_connection_does_not_open_it() {
        let mut session = Session::new();
        session.close(Duration::ZERO);
        session.send(Duration::ZERO, b"BDAT 3 LAST", &mut Vec::new());
        assert!(!session.is_open() && session.chunk_left().is_none());
        assert_eq!(session.chunk(Duration::ZERO, b"abc", &mut Vec::new()), 0);
    }
}
