//! `:check`: how far a session comes, on connections of its own.

use std::sync::Arc;
use std::time::Instant;

use crate::explain::place::Caller;
use crate::jobs::check::group::{Board, Told};
use crate::jobs::check::input::{self, Item};
use crate::jobs::check::many::Many;
use crate::jobs::check::options::{TIMEOUT, WARN_DAYS};
use crate::jobs::check::{Checker, Options, Summary, Through};
use crate::render::check::text::Text;
use crate::render::check::{Format, Wishes, Written, waited_for};
use crate::repl::{Outcome, Repl, Signal};
use crate::target::Target;
use crate::text::printable_str;

/// Ports at the same time.
const PARALLEL: usize = 8;

impl Repl {
    /// `:check [HOST[:PORT,PORT]]`
    pub(super) async fn check_command(&mut self, arguments: &str) {
        let mut named = arguments.split_ascii_whitespace();
        let targets = match named.next() {
            None => vec![self.target.clone()],
            Some(host) => match Target::parse_ports(host, named.next()) {
                Ok(targets) => targets,
                Err(error) => return self.local_error(&format!("{error} (:check [HOST[:PORT]])")),
            },
        };
        if let Some(more) = named.next() {
            return self.local_error(&format!("'{}' is one word too many (:check [HOST[:PORT]])", printable_str(more)));
        }
        let is_list = targets.len() > 1;
        // The practice server has a name of its own; whoever else is named has not.
        let practice = self.options.practice.filter(|_| targets.iter().all(|target| *target == self.target));
        let checker = Arc::new(Checker::new(self.check_options()).practising(practice));
        let board = Arc::new(Board::default());
        let mut many = Many::new(checker, input::given(vec![Item::Named(targets)]), PARALLEL, Some(Arc::clone(&board)));
        let wishes = Wishes {
            style: self.screen.style,
            is_list,
            many_domains: false,
            again: false,
            // There is no other way to ask what became of one of several.
            verbose: self.options.verbose.max(u8::from(is_list)),
            quiet: self.screen.quiet,
            caller: Caller::CheckInSession,
        };
        let mut format = Text::new(wishes);
        let (mut summary, began) = (Summary::default(), Instant::now());
        while let Some(told) = self.next_told(&mut many, &board).await {
            let mut written = Written::default();
            match told {
                Told::Report(report) => {
                    summary.add(&report.verdict);
                    format.report(&report, &mut written);
                    if let Some(failure) = report.verdict.failure.filter(|_| !self.is_terminal() && !self.options.keep_going) {
                        self.outcome.get_or_insert(Outcome::NotOpened(failure));
                    }
                }
                Told::Compared(comparison) => format.compared(&comparison, &mut written),
                Told::Bad(line) => format.bad_line(&line, &mut written),
            }
            self.show(&written);
        }
        summary.took = began.elapsed();
        let mut written = Written::default();
        format.end(&summary, &mut written);
        self.show(&written);
    }

    fn show(&mut self, written: &Written) {
        if !written.out.is_empty() {
            self.screen.result(written.out.strip_suffix('\n').unwrap_or(&written.out));
        }
    }

    /// The next thing to tell. Ctrl-C gives the check up: what is done is told, and the session goes on.
    async fn next_told(&mut self, many: &mut Many, board: &Board) -> Option<Told> {
        loop {
            let signal = tokio::select! {
                biased;
                told = many.next() => return told,
                signal = self.signals.next() => signal,
            };
            match signal {
                Signal::Continue => {}
                Signal::Interrupt if self.is_terminal() => {
                    let waited = waited_for(&board.under_way());
                    self.screen
                        .note(format!("The check was given up{}{waited}.", if waited.is_empty() { "" } else { " while waiting for " }));
                    many.give_up().await;
                }
                signal => {
                    let interrupted = signal == Signal::Interrupt;
                    self.outcome = Some(if interrupted { Outcome::Interrupted } else { Outcome::Signalled(signal) });
                    return None;
                }
            }
        }
    }

    fn check_options(&self) -> Options {
        let timeout = TIMEOUT.min(self.options.limits.reply);
        let mut dial = self.options.dial.clone();
        dial.timeout = dial.timeout.min(timeout);
        Options {
            through: Through::Tls,
            tls_required: false,
            dial,
            timeout,
            hello_name: self.options.hello_name.clone(),
            tls: self.options.tls.clone(),
            insecure: self.options.insecure,
            login: None,
            allow_cleartext: false,
            sender: String::new(),
            recipient: String::new(),
            warn_days: WARN_DAYS,
            relay_test: false,
            fail_days: None,
            warn_after: None,
            fail_after: None,
            reverse: None,
            retries: 0,
            all_addresses: false,
            mx: None,
        }
    }
}
