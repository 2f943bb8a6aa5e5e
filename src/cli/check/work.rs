//! All targets, once or again and again, to the exit status.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::super::watchdog::{Watchdog, Watched};
use super::super::{complain, exit};
use super::paper::Paper;
use crate::jobs::check::group::{Board, Told};
use crate::jobs::check::input::{self, Item};
use crate::jobs::check::many::Many;
use crate::jobs::check::{Checker, Report, Summary, Verdict};
use crate::render::check::{Format, place};
use crate::repl::{Signal, Signals};

/// Output that is kept back for the sake of speed is not older than this, and the status line neither.
const TICK: Duration = Duration::from_millis(200);

/// What is to be done, and what was.
pub(super) struct Work {
    checker: Arc<Checker>,
    format: Box<dyn Format>,
    parallel: usize,
    watch: Option<Duration>,
    paper: Paper,
    /// What is under way is known by name: for who looks on, and where it is not many.
    keeps_board: bool,
    /// With `watch`: how each endpoint ended the last time.
    before: HashMap<String, Verdict>,
}

/// How a round ended.
struct End {
    summary: Summary,
    /// By a signal.
    signal: Option<Signal>,
}

impl Work {
    /// Nothing is done yet. `watch`: all of it again after so long.
    pub(super) fn new(checker: Checker, format: Box<dyn Format>, parallel: usize, watch: Option<Duration>, paper: Paper) -> Self {
        let keeps_board = paper.is_live();
        Self { checker: Arc::new(checker), format, parallel, watch, paper, keeps_board, before: HashMap::new() }
    }

    /// There are only a few targets: what is under way is known by name, also where nobody looks on.
    #[must_use]
    pub(super) fn of_few(self, few: bool) -> Self {
        Self { keeps_board: self.keeps_board || few, ..self }
    }

    /// Does it; gives the exit status.
    pub(super) async fn run(mut self, input: Receiver<Vec<Item>>) -> anyhow::Result<u8> {
        let watchdog = Watchdog::new();
        let mut signals = Signals::listen().context("signals cannot be handled")?;
        watchdog.watch(Watched { heard: signals.heard(), terminal: None, status: self.statuses_of_signals() });
        let Some(every) = self.watch else {
            let end = self.round(input, &mut signals).await;
            return Ok(self.status(&end));
        };
        let items = tokio::select! {
            items = all(input) => items,
            signal = signals.next_ending() => return Ok(exit::of_signal(signal)),
        };
        loop {
            let next = Instant::now() + every;
            let end = self.round(input::given(items.clone()), &mut signals).await;
            if end.signal.is_some() || self.paper.gone.is_some() || end.summary.checked() == 0 {
                return Ok(self.status(&end));
            }
            tokio::select! {
                () = sleep_until(next) => {}
                signal = signals.next_ending() => return Ok(exit::of_signal(signal)),
            }
        }
    }

    /// The exit status after a signal when nothing can be written any more.
    fn statuses_of_signals(&self) -> Box<dyn Fn(Signal) -> u8 + Send> {
        let of = |signal| self.format.unwritten(exit::of_signal(signal));
        let (interrupt, terminate, hangup) = (of(Signal::Interrupt), of(Signal::Terminate), of(Signal::Hangup));
        Box::new(move |signal| match signal {
            Signal::Interrupt => interrupt,
            Signal::Terminate => terminate,
            Signal::Hangup | Signal::Continue => hangup,
        })
    }

    fn status(&self, end: &End) -> u8 {
        // Who ends us by a signal knows why the output is not complete.
        if let Some(status) = self.paper.gone.filter(|_| end.signal.is_none()) {
            return self.format.unwritten(status);
        }
        if end.signal.is_none() && end.summary.checked() + end.summary.bad_lines == 0 {
            complain("there is no host in the list");
        }
        self.format.status(&end.summary)
    }

    /// All targets once.
    async fn round(&mut self, input: Receiver<Vec<Item>>, signals: &mut Signals) -> End {
        let began = Instant::now();
        let board = self.keeps_board.then(|| Arc::new(Board::default()));
        let mut many = Many::new(Arc::clone(&self.checker), input, self.parallel, board.clone());
        let mut summary = Summary::default();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        let signal = loop {
            let mut is_due = false;
            tokio::select! {
                biased;
                signal = signals.next_ending() => break Some(signal),
                told = many.next() => match told {
                    Some(told) => {
                        self.tell(told, &mut summary);
                        // Some more at once: to listen for signals and the clock costs as much as to tell one.
                        while !self.paper.is_full() && let Some(told) = many.waiting() {
                            self.tell(told, &mut summary);
                        }
                    }
                    None => break None,
                },
                _ = tick.tick() => is_due = true,
            }
            if is_due || self.paper.is_full() {
                let signal = self.paper.flush(signals).await;
                if signal.is_some() || self.paper.gone.is_some() {
                    break signal;
                }
            }
            if is_due {
                self.paper.draw(&summary, many.total(), board.as_deref());
            }
        };
        if let Some(signal) = signal {
            self.paper.hurried = true;
            summary.interrupted = Some(exit::of_signal(signal));
            summary.under_way = many.under_way();
            summary.waited_for = board.as_deref().map(Board::under_way).unwrap_or_default();
            many.give_up().await;
            while let Some(told) = many.next().await {
                self.tell(told, &mut summary);
            }
        }
        summary.duplicates = many.duplicates;
        summary.took = began.elapsed();
        self.format.end(&summary, &mut self.paper.written);
        let late = if self.paper.gone.is_none() { self.paper.end(signals).await } else { None };
        if let Some(late) = late {
            summary.interrupted.get_or_insert(exit::of_signal(late));
        }
        End { summary, signal: signal.or(late) }
    }

    fn tell(&mut self, told: Told, summary: &mut Summary) {
        let written = &mut self.paper.written;
        match told {
            Told::Report(mut report) => {
                summary.add(&report.verdict);
                if self.watch.is_some() {
                    mark(&mut self.before, &mut report, self.checker.options.all_addresses);
                }
                self.format.report(&report, written);
            }
            Told::Compared(comparison) => self.format.compared(&comparison, written),
            Told::Bad(line) => {
                summary.bad_lines += 1;
                self.format.bad_line(&line, written);
            }
        }
    }
}

/// Takes all of a list.
async fn all(mut input: Receiver<Vec<Item>>) -> Vec<Item> {
    let mut items = Vec::new();
    while let Some(more) = input.recv().await {
        items.extend(more);
    }
    items
}

/// Keeps how it ended, and notes in the report how it ended before, if that was different.
/// Which of its addresses answers may change from one time to the next, and it is the same host.
fn mark(before: &mut HashMap<String, Verdict>, report: &mut Report, by_address: bool) {
    let key = format!("{} {:?}", place(&report.target), report.address.filter(|_| by_address).map(|address| address.ip()));
    let old = before.insert(key, report.verdict.clone());
    let changed = |old: &Verdict| old.level != report.verdict.level || old.class() != report.verdict.class();
    report.before = old.filter(changed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::failure::Failure;
    use crate::jobs::check::{Endpoint, Level};
    use crate::target::Target;

    #[test]
    fn a_host_is_known_again_whichever_of_its_addresses_answers() {
        let report = |scheme: &str, address: &str, failure: Option<Failure>| {
            let target = Target::parse(&format!("{scheme}mx.contoso.test:2525"), None).unwrap();
            let mut report = Report::of(&Endpoint::new(target));
            report.address = address.parse().ok();
            let level = if failure.is_some() { Level::Failed } else { Level::Ok };
            report.verdict = Verdict { level, sentence: String::new(), failure };
            report
        };
        let table = [
            ("", "192.0.2.1:2525", None, None),
            ("", "192.0.2.2:2525", Some(Failure::Refused), Some(Level::Ok)),
            ("smtps://", "192.0.2.1:2525", None, None),
            ("", "", Some(Failure::NoRoute), None),
            ("smtps://", "", Some(Failure::Refused), Some(Level::Ok)),
        ];
        let mut known = HashMap::new();
        for (scheme, address, failure, before) in table {
            let mut report = report(scheme, address, failure);
            mark(&mut known, &mut report, false);
            assert_eq!(report.before.map(|verdict| verdict.level), before, "{scheme} {address}");
        }
    }
}
