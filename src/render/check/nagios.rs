//! A monitoring plugin as Nagios, Icinga and their kin call it: one line with the state, performance data behind a
//! bar, more lines below, and an exit status from 0 to 3.
//!
//! Source: Monitoring Plugins Development Guidelines: states, `'label'=value[UOM];[warn];[crit];[min];[max]`, ranges.
//! The first line tells of all endpoints, so it is written at the end; what is kept until then is bounded.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Apart, Format, Limits, Written, place, s};
use crate::explain::place::Caller;
use crate::host::shown_ip;
use crate::jobs::check::report::{BadLine, Comparison, Level, PhaseKind, Report, Summary};
use crate::render::human;
use crate::text::printable_str;

/// Of so many endpoints each has its own performance data, and of so many that are not well each has its own line.
const FEW: usize = 20;

/// Of so many endpoints that are not well the first line tells.
const ON_FIRST_LINE: usize = 3;

/// The states, as exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// What could not be checked is worse than a warning: nobody knows what is behind it.
    fn of(summary: &Summary) -> Self {
        match summary {
            Summary { failed: 1.., .. } => Self::Critical,
            Summary { bad_lines: 1.., .. } | Summary { interrupted: Some(_), .. } => Self::Unknown,
            summary if summary.checked() == 0 => Self::Unknown,
            Summary { warned: 1.., .. } => Self::Warning,
            _ => Self::Ok,
        }
    }
}

/// The exit status of a check that could not be made.
pub const UNKNOWN: u8 = State::Unknown as u8;

/// The line of a check that could not be made.
pub fn unknown(words: &str) -> String {
    format!("SMTP UNKNOWN - {}\n", plain(words))
}

/// The format.
#[derive(Debug)]
pub struct Nagios {
    limits: Limits,
    apart: Apart,
    /// The first line only.
    quiet: bool,
    /// Several endpoints may come, so that the names of what is measured are those of several, however many come.
    is_list: bool,
    /// The only endpoint, at length.
    alone: Option<Told>,
    /// Performance data of the first endpoints.
    measured: Vec<String>,
    /// What is not well: the failures, and the warnings.
    failures: Vec<String>,
    warnings: Vec<String>,
    /// More lines.
    below: Vec<String>,
}

/// What is told in the end.
#[derive(Debug)]
struct Told {
    sentence: String,
    measured: String,
    below: Vec<String>,
}

impl Nagios {
    /// Nothing is known yet.
    pub fn new(limits: Limits, apart: Apart, quiet: bool, is_list: bool) -> Self {
        Self {
            limits,
            apart,
            quiet,
            is_list,
            alone: None,
            measured: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            below: Vec::new(),
        }
    }

    /// `time=0.289s;1;5;0`: what was measured, and the limits.
    fn time(&self, label: &str, took: Option<Duration>) -> String {
        let limit = |limit: Option<Duration>| limit.map(|limit| limit.as_secs_f64().to_string()).unwrap_or_default();
        let value = took.map_or_else(|| "U".to_owned(), |took| format!("{:.3}s", took.as_secs_f64()));
        format!("{label}={value};{};{};0", limit(self.limits.warn_after), limit(self.limits.fail_after))
    }

    fn alone(&self, report: &Report) -> Told {
        let mut measured = vec![self.time("time", time_of(report))];
        let steps = report.phases.iter().filter(|phase| phase.ok && phase.kind != PhaseKind::Certificate);
        measured.extend(steps.map(|phase| format!("{}={:.3}s", phase.kind.name(), phase.took.as_secs_f64())));
        if let Some(certificate) = report.certificate() {
            let limits = self.limits;
            // A range that is left when the value falls below it.
            let fail = limits.fail_days.map(|days| format!(";{days}:")).unwrap_or_default();
            measured.push(format!("cert_days={};{}:{fail}", certificate.days_left, limits.warn_days));
        }
        let mut below: Vec<String> = report.notices.iter().map(|notice| plain(&notice.text)).collect();
        below.splice(0..0, super::last_words(report).iter().map(|row| plain(&row.text)));
        if let Some(failure) = &report.verdict.failure {
            let rows = human::diagnosis(&super::diagnose(report, failure, Caller::Check));
            below.extend(rows.iter().skip(1).map(|row| plain(&row.text)).filter(|line| !line.is_empty()));
        }
        Told { sentence: self.sentence(report), measured: measured.join(" "), below }
    }

    /// One endpoint among several.
    fn among_others(&mut self, report: &Report) {
        if self.measured.len() < FEW {
            let label = label(&self.name(report));
            let label = self.free(label);
            let time = self.time(&label, time_of(report));
            self.measured.push(time);
        }
        let sentence = self.sentence(report);
        let worse = match report.verdict.level {
            Level::Ok => return,
            Level::Warn => &mut self.warnings,
            Level::Failed => &mut self.failures,
        };
        if worse.len() < FEW {
            worse.push(sentence);
        }
    }

    /// A label that no other has: a host may be there for two domains.
    fn free(&self, label: String) -> String {
        let taken = |label: &str| self.measured.iter().any(|known| known.starts_with(&format!("{label}=")));
        if !taken(&label) {
            return label;
        }
        let bare = label.trim_matches('\'');
        let mut numbered = (2..).map(|number| format!("'{bare} {number}'"));
        numbered.find(|label| !taken(label)).unwrap_or(label)
    }

    /// `mx.contoso.test:25 in 0.289 s, TLS 1.3, cert 71 days`, or what is wrong.
    fn sentence(&self, report: &Report) -> String {
        let verdict = &report.verdict;
        let mut line = plain(&self.name(report));
        if verdict.level != Level::Ok {
            let _ = write!(line, ": {}", plain(&verdict.sentence));
        }
        if let Some(phase) = report.failed_phase() {
            let _ = write!(line, " ({}, {})", phase.kind.name(), human::duration(phase.took));
            return line;
        }
        let _ = write!(line, "{} in {:.3} s", if verdict.level == Level::Ok { "" } else { "," }, report.took.as_secs_f64());
        if let Some(tls) = &report.tls {
            let _ = write!(line, ", {}", tls.version);
        }
        if let Some(certificate) = report.certificate() {
            let _ = write!(line, ", cert {} days", certificate.days_left);
        }
        line
    }

    /// Host and port; the mail domain and its address too where that is what tells it from others.
    fn name(&self, report: &Report) -> String {
        let domain = report.domain.as_ref().filter(|domain| self.apart.by_domain && domain.name != report.target.host);
        let domain = domain.map(|domain| format!("{} ", domain.name)).unwrap_or_default();
        let address = report.address.filter(|_| self.apart.by_address).map(|address| format!(" ({})", shown_ip(&address)));
        format!("{domain}{}{}", place(&report.target), address.unwrap_or_default())
    }

    fn of_several(&self, summary: &Summary) -> Told {
        let checked = summary.checked();
        let mut sentence = format!("{checked} host{}: {} ok, {} warn, {} failed", s(checked), summary.ok, summary.warned, summary.failed);
        let first: Vec<&str> = self.failures.iter().chain(&self.warnings).take(ON_FIRST_LINE).map(String::as_str).collect();
        if !first.is_empty() {
            let more = if summary.failed + summary.warned > ON_FIRST_LINE as u64 { "; ..." } else { "" };
            let _ = write!(sentence, "; {}{more}", first.join("; "));
        }
        let mut measured = vec![format!("hosts={checked} ok={} warn={} failed={}", summary.ok, summary.warned, summary.failed)];
        measured.push(format!("total={:.3}s", summary.took.as_secs_f64()));
        measured.extend(self.measured.iter().cloned());
        let mut below = worse("FAILED", &self.failures, summary.failed);
        below.extend(worse("warn", &self.warnings, summary.warned));
        Told { sentence, measured: measured.join(" "), below }
    }
}

impl Format for Nagios {
    fn report(&mut self, report: &Report, _: &mut Written) {
        if !self.is_list {
            self.alone = Some(self.alone(report));
        }
        self.among_others(report);
    }

    fn compared(&mut self, comparison: &Comparison, _: &mut Written) {
        self.below.extend(comparison.sentences.iter().take(FEW.saturating_sub(self.below.len())).map(|sentence| plain(sentence)));
    }

    fn bad_line(&mut self, line: &BadLine, _: &mut Written) {
        if self.below.len() < FEW {
            self.below.push(plain(&format!("line {}: {}", line.number, line.words)));
        }
    }

    fn end(&mut self, summary: &Summary, to: &mut Written) {
        let told = match self.alone.take() {
            Some(alone) => alone,
            // Given up before there was anything to tell.
            None if !self.is_list => Told { sentence: "no result".to_owned(), measured: self.time("time", None), below: Vec::new() },
            None => self.of_several(summary),
        };
        let mut line = format!("SMTP {} - {}", State::of(summary).name(), told.sentence);
        if summary.bad_lines > 0 {
            let _ = write!(line, "; {} line{} not understood", summary.bad_lines, s(summary.bad_lines));
        }
        if summary.interrupted.is_some() {
            let waited = plain(&super::waited_for(&summary.waited_for));
            let _ = write!(line, "; interrupted{}{waited}", if waited.is_empty() { "" } else { " while waiting for " });
        }
        let _ = writeln!(to.out, "{line} | {}", told.measured);
        if !self.quiet {
            for line in told.below.iter().chain(&self.below) {
                let _ = writeln!(to.out, "{line}");
            }
        }
        *self = Self::new(self.limits, self.apart, self.quiet, self.is_list);
    }

    fn status(&self, summary: &Summary) -> u8 {
        State::of(summary) as u8
    }

    fn unwritten(&self, _: u8) -> u8 {
        UNKNOWN
    }
}

/// How long it took to come as far as was wanted.
fn time_of(report: &Report) -> Option<Duration> {
    report.failed_phase().is_none().then_some(report.took)
}

/// Those that are not well, and how many more there are.
fn worse(word: &str, lines: &[String], count: u64) -> Vec<String> {
    let mut below: Vec<String> = lines.iter().map(|line| format!("{word} {line}")).collect();
    match count.saturating_sub(lines.len() as u64) {
        0 => {}
        more => below.push(format!("{word} and {more} more")),
    }
    below
}

/// The label of a value: in quotes, without what ends it.
fn label(name: &str) -> String {
    format!("'{}'", plain(name).replace(['\'', '='], "_"))
}

/// A bar divides text from data, so there is none in a text.
fn plain(text: &str) -> String {
    printable_str(text).replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_the_state() {
        let all = |ok, warned, failed, bad_lines| Summary { ok, warned, failed, bad_lines, ..Summary::default() };
        let table = [
            (all(1, 0, 0, 0), State::Ok),
            (all(1, 1, 0, 0), State::Warning),
            (all(1, 1, 1, 0), State::Critical),
            (all(1, 1, 0, 1), State::Unknown),
            (all(0, 0, 1, 1), State::Critical),
            (all(0, 0, 0, 0), State::Unknown),
            (Summary { interrupted: Some(130), ..all(1, 0, 0, 0) }, State::Unknown),
        ];
        for (summary, state) in table {
            assert_eq!(State::of(&summary), state, "{summary:?}");
        }
    }

    // P14, P15
    #[test]
    fn no_text_ends_a_line_or_begins_the_data() {
        assert_eq!(plain("a|b\nc"), r"a/b\x0ac");
        assert_eq!(label("it's=x|y"), "'it_s_x/y'");
        assert_eq!(unknown("no\nhost"), "SMTP UNKNOWN - no\\x0ahost\n");
    }
}
