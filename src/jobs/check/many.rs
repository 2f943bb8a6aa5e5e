//! A list, worked off with a bound on what is in flight: targets are read as places become free, and results
//! are told as they come. Of what is done only a number for each target stays, to know it again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::Checker;
use super::group::{Board, Shared, Told, or_panic, run};
use super::input::Item;
use crate::target::Target;

/// A list under way.
pub struct Many {
    shared: Shared,
    /// What waits is told before more is begun: it is never more than what was in flight.
    told: UnboundedReceiver<Told>,
    input: Receiver<Vec<Item>>,
    batch: std::vec::IntoIter<Item>,
    /// The list has no more lines.
    read: bool,
    running: JoinSet<()>,
    parallel: usize,
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Targets that were begun so far.
    pub begun: u64,
    /// Targets that were named again, and passed over.
    pub duplicates: u64,
}

impl Many {
    /// Begins. So many endpoints are checked at the same time; the board says which.
    pub fn new(checker: Arc<Checker>, input: Receiver<Vec<Item>>, parallel: usize, board: Option<Arc<Board>>) -> Self {
        let (out, told) = unbounded_channel();
        let parallel = parallel.max(1);
        Self {
            shared: Shared { checker, permits: Arc::new(Semaphore::new(parallel)), board, out },
            told,
            input,
            batch: Vec::new().into_iter(),
            read: false,
            running: JoinSet::new(),
            parallel,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            begun: 0,
            duplicates: 0,
        }
    }

    /// How many targets there are, once the list was read to its end.
    pub fn total(&self) -> Option<u64> {
        (self.read && self.batch.len() == 0).then_some(self.begun)
    }

    /// How many endpoints, or names that are looked up for them, are begun and not finished.
    pub fn under_way(&self) -> u64 {
        self.parallel.saturating_sub(self.shared.permits.available_permits()) as u64
    }

    /// The next thing to tell; `None` when all was told. Can be dropped and called again without loss.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Ok(told) = self.told.try_recv() {
                return Some(told);
            }
            while let Some(ended) = self.running.try_join_next() {
                or_panic(ended);
            }
            if let Some(told) = self.begin() {
                return Some(told);
            }
            let room = self.running.len() < self.parallel;
            if room && self.read && self.running.is_empty() {
                return self.told.try_recv().ok();
            }
            tokio::select! {
                biased;
                Some(told) = self.told.recv() => return Some(told),
                batch = self.input.recv(), if room && !self.read => match batch {
                    Some(items) => self.batch = items.into_iter(),
                    None => self.read = true,
                },
                Some(ended) = self.running.join_next() => { or_panic(ended); }
            }
        }
    }

    /// What waits to be told, without beginning more.
    pub fn waiting(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }

    /// Gives up what is under way. What is done is still told by [`Many::next`], and then it ends.
    pub async fn give_up(&mut self) {
        self.running.shutdown().await;
        self.batch = Vec::new().into_iter();
        self.read = true;
    }

    /// Begins as many targets as there are places; a line that cannot be read is told at once.
    fn begin(&mut self) -> Option<Told> {
        while self.running.len() < self.parallel {
            match self.batch.next()? {
                Item::Bad(line) => return Some(Told::Bad(line)),
                Item::Named(mut targets) => {
                    targets.retain(|target| self.is_new(target));
                    if !targets.is_empty() {
                        self.begun += targets.len() as u64;
                        // A task is moved around whole some ten times: a pointer then, and not kilobytes.
                        self.running.spawn(Box::pin(run(self.shared.clone(), targets)));
                    }
                }
            }
        }
        None
    }

    fn is_new(&mut self, target: &Target) -> bool {
        let mut hasher = self.hasher.build_hasher();
        let has_capitals = target.host.bytes().any(|byte| byte.is_ascii_uppercase());
        let lower = if has_capitals { Cow::Owned(target.host.to_ascii_lowercase()) } else { Cow::Borrowed(&target.host) };
        hasher.write(lower.as_bytes());
        (0xff_u8, target.port, target.implicit_tls, target.protocol as u8, &target.socket).hash(&mut hasher);
        let new = self.seen.insert(hasher.finish());
        self.duplicates += u64::from(!new);
        new
    }
}
