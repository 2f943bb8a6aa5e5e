//! What was said, with its times; secrets are never in it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::wire::reply::Reply;

/// How much text the transcript keeps; beyond it the oldest entries go.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// One thing that was said or happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Since the session began.
    pub at: Duration,
    /// What it was.
    pub what: What,
}

/// The kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A line that we sent, without its end, secrets replaced.
    Sent(Vec<u8>),
    /// A secret that we sent, by what stands in its place: `(password, hidden)`.
    SentSecret(String),
    /// A message, or a chunk of one, as it went over the wire.
    SentMessage {
        /// Octets on the wire, the lone dot that ends DATA left out.
        bytes: u64,
    },
    /// A reply, whether it was expected or not.
    Received(Reply),
    /// A line that is no reply.
    Stray(Vec<u8>),
    /// A fact: connected, closed.
    Note(String),
}

impl What {
    fn weight(&self) -> usize {
        64 + match self {
            Self::Sent(line) | Self::Stray(line) => line.len(),
            Self::Received(reply) => reply.length,
            Self::Note(text) => text.len(),
            Self::SentSecret(name) => name.len(),
            Self::SentMessage { .. } => 0,
        }
    }
}

/// The entries of a session, in their order.
#[derive(Debug, Default)]
pub struct Transcript {
    entries: VecDeque<Entry>,
    weight: usize,
    /// Entries that were dropped to stay within the limit.
    dropped: u64,
    /// Nothing is kept at all.
    off: bool,
}

impl Transcript {
    /// One that keeps nothing, for sessions that nobody will look back at.
    pub(super) fn off() -> Self {
        Self { off: true, ..Self::default() }
    }

    /// Adds what is only made when it is kept.
    pub(super) fn add_with(&mut self, at: Duration, what: impl FnOnce() -> What) {
        if !self.off {
            self.add(at, what());
        }
    }

    pub(super) fn add(&mut self, at: Duration, what: What) {
        if self.off {
            return;
        }
        self.weight += what.weight();
        self.entries.push_back(Entry { at, what });
        while self.weight > KEPT_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.weight -= oldest.what.weight();
            self.dropped += 1;
        }
    }

    /// The entries that are kept.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries behind the first `seen` ever added, and the number to pass next time.
    pub fn since(&self, seen: u64) -> (impl Iterator<Item = &Entry>, u64) {
        let skip = usize::try_from(seen.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        (self.entries.iter().skip(skip), self.dropped + self.entries.len() as u64)
    }

    /// How many of the oldest entries are gone.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transcript_is_bounded_and_counts_what_it_drops() {
        // P6
        let mut transcript = Transcript::default();
        for _ in 0..200 {
            transcript.add(Duration::ZERO, What::Stray(vec![b'x'; 100_000]));
        }
        assert!(transcript.weight <= KEPT_BYTES);
        let (new, seen) = transcript.since(199);
        assert_eq!((new.count(), seen), (1, 200));
        assert_eq!(transcript.dropped() + transcript.entries().count() as u64, 200);
    }
}
