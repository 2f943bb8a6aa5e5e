//! What a check brought, as text. Each output format is a file of its own here, and chosen in
//! `cli/check.rs`.

pub mod csv;
pub mod json;
pub mod nagios;
pub mod prometheus;
pub mod text;

use std::fmt::Write as _;
use std::time::Duration;

use crate::explain::failure::{self, Diagnosis, Failure};
use crate::explain::place::Caller;
use crate::host::in_url;
use crate::jobs::check::report::{BadLine, Comparison, Level, Report, Summary, Waiting};
use crate::jobs::opening;
use crate::render::{Row, Style, human};
use crate::target::{Protocol, SUBMISSIONS, Target};
use crate::text::printable_str;

/// What is to be written, and where.
#[derive(Debug, Default)]
pub struct Written {
    /// For standard output: results.
    pub out: String,
    /// For standard error: what is said about them.
    pub err: String,
}

/// What a format has to know beforehand.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// How rows look on standard output.
    pub style: Style,
    /// Several endpoints are to come, as far as that is known before.
    pub is_list: bool,
    /// The hosts are those of several mail domains.
    pub many_domains: bool,
    /// All is checked again and again (`--watch`).
    pub again: bool,
    /// More detail (`-v`).
    pub verbose: u8,
    /// Verdicts only (`-q`).
    pub quiet: bool,
    /// How the advice names what can be called.
    pub caller: Caller,
}

/// What tells endpoints apart beside host and port.
#[derive(Debug, Clone, Copy, Default)]
pub struct Apart {
    /// Each address of a host is checked.
    pub by_address: bool,
    /// The hosts are the mail servers of domains.
    pub by_domain: bool,
}

/// From where on what was measured is a warning or a failure, for formats that write the limits beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// A warning when all takes longer.
    pub warn_after: Option<Duration>,
    /// A failure when all takes longer.
    pub fail_after: Option<Duration>,
    /// A warning when the certificate ends within so many days.
    pub warn_days: i64,
    /// A failure when it does.
    pub fail_days: Option<i64>,
}

/// A failure at length.
fn diagnose(report: &Report, failure: &Failure, caller: Caller) -> Diagnosis {
    failure::diagnose(failure, &opening::place(&report.target).for_caller(caller))
}

/// The server's refusal of EHLO where HELO was tried after it, and what it said in the phase that failed: its reply,
/// or the beginning of what is none.
fn last_words(report: &Report) -> Vec<Row> {
    const LINES: usize = 5;
    const BYTES: usize = 400;
    let mut rows: Vec<Row> = report.hello_refusal().into_iter().flat_map(human::reply).collect();
    let Some(phase) = report.failed_phase() else { return rows };
    let beside = phase.refused.iter().filter(|refusal| phase.reply.as_ref().is_none_or(|reply| reply.lines != refusal.lines));
    rows.extend(phase.reply.iter().chain(beside).flat_map(human::reply));
    rows.extend(phase.came.iter().take(LINES).map(|line| human::stray(&line[..line.len().min(BYTES)])));
    rows
}

/// An output format. It is told what happens in the order in which it does.
pub trait Format {
    /// An endpoint was checked.
    fn report(&mut self, report: &Report, to: &mut Written);

    /// All endpoints that were named together were checked, and they tell something in common.
    /// A format without a place for that says it on standard error.
    fn compared(&mut self, comparison: &Comparison, to: &mut Written) {
        for sentence in &comparison.sentences {
            let _ = writeln!(to.err, "{sentence}");
        }
    }

    /// A line of the list cannot be read.
    fn bad_line(&mut self, line: &BadLine, to: &mut Written) {
        let _ = writeln!(to.err, "line {}: {}", line.number, line.words);
    }

    /// All was checked, for this round (`--watch`).
    fn end(&mut self, summary: &Summary, to: &mut Written);

    /// The exit status after all of it.
    fn status(&self, summary: &Summary) -> u8 {
        summary.status()
    }

    /// The exit status when what was written reaches nobody, for which `status` is the usual one.
    fn unwritten(&self, status: u8) -> u8 {
        status
    }
}

/// `mx:25 (banner, 2 s), mx:587 (connect, 2 s)`: what was waited for when a signal came.
pub fn waited_for(under_way: &[Waiting]) -> String {
    let one = |one: &Waiting| format!("{} ({}, {})", printable_str(&one.name), one.phase.name(), human::duration(one.since));
    under_way.iter().map(one).collect::<Vec<_>>().join(", ")
}

// ---- what several formats write alike ------------------------------------------------------------

/// Host and port, with the scheme where the port does not say it; or the socket.
pub fn place(target: &Target) -> String {
    let mut out = String::new();
    write_place(target, &mut out);
    out
}

fn write_place(target: &Target, out: &mut String) {
    if target.socket.is_some() {
        out.push_str(&printable_str(&target.to_string()));
        return;
    }
    let host = printable_str(&target.host);
    // Plain SMTP says nothing, and neither does TLS on the port of TLS.
    if target.protocol != Protocol::Smtp || target.implicit_tls != (target.port == SUBMISSIONS) {
        let _ = write!(out, "{}://{}:{}", protocol(target), in_url(&host), target.port);
        return;
    }
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    let _ = write!(out, "{open}{host}{close}:{}", target.port);
}

/// The ending of so many hosts or lines.
fn s(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A level in a word, for programs.
fn level(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Failed => "failed",
    }
}

/// The protocol in a word, for programs: the scheme of a URL.
fn protocol(target: &Target) -> &'static str {
    match (target.protocol, target.implicit_tls) {
        (Protocol::Smtp, false) => "smtp",
        (Protocol::Smtp, true) => "smtps",
        (Protocol::Lmtp, false) => "lmtp",
        (Protocol::Lmtp, true) => "lmtps",
    }
}

/// Milliseconds, to the microsecond.
fn ms(time: Duration) -> f64 {
    // Exact up to 285 years.
    #[allow(clippy::cast_precision_loss, reason = "microseconds of a check are few")]
    let micros = time.as_micros() as f64;
    micros / 1000.0
}

/// Seconds since 1970 at the beginning: what is told of dates is told as of then.
fn today(report: &Report) -> i64 {
    i64::try_from(report.began / 1000).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC, from milliseconds since 1970.
fn moment(ms: u64) -> String {
    format!("{}.{:03}Z", human::utc_date(ms / 1000).replacen(' ', "T", 1), ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_target_leads_there_again() {
        let shown = [
            ("mx.contoso.test", "mx.contoso.test:25"),
            ("mx.contoso.test:465", "mx.contoso.test:465"),
            ("smtps://mx.contoso.test:25", "smtps://mx.contoso.test:25"),
            ("smtp://mx.contoso.test:465", "smtp://mx.contoso.test:465"),
            ("lmtp://[::1]", "lmtp://[::1]:24"),
            ("[fe80::1%lo]:2525", "[fe80::1%lo]:2525"),
            ("smtps://[fe80::1%25lo]:25", "smtps://[fe80::1%25lo]:25"),
            ("lmtps://mx.contoso.test", "lmtps://mx.contoso.test:24"),
            ("lmtp:unix:/run/lmtp", "lmtp:unix:/run/lmtp"),
        ];
        for (given, want) in shown {
            let target = Target::parse(given, None).unwrap();
            assert_eq!(place(&target), want);
            assert_eq!(Target::parse(want, None), Ok(target), "{given}");
        }
    }
}
