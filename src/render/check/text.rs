//! For people: a host at length, or a list as a table. Server text stands behind the server's sign (P16).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Format, Wishes, Written, place, s, write_place};
use crate::explain::notice;
use crate::host::shown_ip;
use crate::jobs::check::report::{BadLine, Comparison, Level, NoticeKind, PhaseKind, Report, Summary};
use crate::jobs::check::words;
use crate::render::{Row, human, style, tls};
use crate::text::{self, printable_str};

/// Columns of the name of a host in a table; a longer one takes more.
const HOST: usize = 24;

/// Columns of the first one.
const LEVEL: usize = 8;

/// Columns of a time.
const TIME: usize = 7;

/// The phases whose times have a column, and its head.
const COLUMNS: [(PhaseKind, &str); 3] = [(PhaseKind::Connect, "CONNECT"), (PhaseKind::Greeting, "BANNER"), (PhaseKind::Handshake, "TLS")];

/// In a list of no more than this one looks at each failure.
const FEW: u64 = 10;

/// Columns of a bar that stands for all of the time, where there are so many.
const BAR: usize = 40;

/// What stands beside a bar: the gutter, the name of a phase, the time, and whether it failed.
const BESIDE_BAR: usize = 32;

/// On a terminal with fewer columns a table has a line for each field.
const NARROW: usize = 60;

/// The format.
pub struct Text {
    wishes: Wishes,
    /// The head of this round was written.
    headed: bool,
    /// A round is over.
    was_round: bool,
    /// What is to be done about the only endpoint of a list, if it failed.
    advice: Vec<Row>,
    /// A cell of the table under way.
    cell: String,
}

impl Text {
    /// Text for people.
    pub fn new(wishes: Wishes) -> Self {
        Self { wishes, headed: false, was_round: false, advice: Vec::new(), cell: String::new() }
    }

    fn rows(&self, rows: &[Row], out: &mut String) {
        rows.iter().for_each(|row| self.wishes.style.write(row, out));
    }

    /// Where all is done again and again: when this was.
    fn time(&self, report: &Report) -> String {
        if self.wishes.again { format!("{}  ", human::moment(report.began)) } else { String::new() }
    }

    /// A text of ours, wrapped to the terminal; its further lines are indented.
    fn lines(&self, words: &str, out: &mut String) {
        let width = self.wishes.style.width.unwrap_or(usize::MAX);
        if text::width(words) <= width {
            let _ = writeln!(out, "{words}");
            return;
        }
        for (at, row) in text::wrap(words, width.saturating_sub(2).max(20)).iter().enumerate() {
            let _ = writeln!(out, "{}{row}", if at == 0 { "" } else { "  " });
        }
    }

    /// `mail.contoso.test:25 (192.0.2.25)  ok`; what does not fit stands below.
    fn headline(&self, report: &Report, out: &mut String) {
        let address = report.address.filter(|address| report.target.address() != Some(address.ip())).map(|address| shown_ip(&address));
        let address = address.map(|ip| format!(" ({ip})")).unwrap_or_default();
        let place = format!("{}{}{address}", self.time(report), place(&report.target));
        let verdict = &report.verdict;
        let said = match verdict.level {
            Level::Ok => "ok".to_owned(),
            level => format!("{}: {}", level.word(), verdict.sentence),
        };
        let phase = report.failed_phase().map(|phase| format!(" ({}, {})", phase.kind.name(), human::duration(phase.took)));
        let behind = format!("{}{}", phase.unwrap_or_default(), change(report));
        let width = self.wishes.style.width.unwrap_or(usize::MAX);
        let painted = |words: &str| if self.wishes.style.color { style::painted(verdict.level, words) } else { words.to_owned() };
        if text::width(&place) + 2 + text::width(&said) + text::width(&behind) <= width {
            let _ = writeln!(out, "{place}  {}{behind}", painted(&said));
            return;
        }
        self.lines(&place, out);
        for row in text::wrap(&format!("{said}{behind}"), width.saturating_sub(2).max(20)) {
            let _ = writeln!(out, "  {}", painted(&row));
        }
    }

    /// One host at length.
    fn at_length(&self, report: &Report, out: &mut String) {
        self.headline(report, out);
        // What was told at length before and is as it was.
        let known = self.was_round && report.before.is_none();
        if !self.wishes.quiet && !known {
            self.rows(&self.details(report), out);
        }
    }

    /// All that there is to say below a headline or a row.
    fn details(&self, report: &Report) -> Vec<Row> {
        let verbose = self.wishes.verbose > 0;
        let mut rows = Vec::new();
        if verbose {
            rows.extend(waterfall(report, self.wishes.style.width));
        } else if !report.phases.is_empty() {
            rows.push(Row::block(times(report)));
        }
        rows.extend(attempts(report, verbose));
        if report.time(PhaseKind::Greeting).is_some()
            && let Some(reply) = report.reply(PhaseKind::Greeting)
        {
            rows.extend(human::reply(reply));
        }
        rows.extend(super::last_words(report));
        rows.extend(certificate(report, verbose));
        if let Some(offer) = report.last_offer().filter(|_| verbose) {
            rows.push(Row::block(notice::capabilities(offer).0));
        }
        if let Some(login) = report.login.as_ref().filter(|_| report.time(PhaseKind::Auth).is_some()) {
            rows.push(Row::block(format!("Logged in as {} by {}", printable_str(&login.user), login.mechanism)));
        }
        if let Some(tls) = &report.tls {
            rows.extend(tls.trust.faults().iter().map(|fault| Row::warning(tls::sentence(fault, super::today(report)))));
        }
        rows.extend(notices(report));
        if let Some(failure) = &report.verdict.failure {
            // What its headline says was said.
            rows.extend(human::diagnosis(&super::diagnose(report, failure, self.wishes.caller)).into_iter().skip(1));
        }
        rows
    }

    /// One line of a table.
    fn in_table(&mut self, report: &Report, out: &mut String) {
        if self.wishes.quiet {
            return self.headline(report, out);
        }
        let is_narrow = self.wishes.style.width.is_some_and(|width| width < NARROW);
        if !std::mem::replace(&mut self.headed, true) {
            if self.wishes.again {
                let _ = writeln!(out, "{}", human::moment(report.began));
            }
            if !is_narrow {
                let [(_, connect), (_, banner), (_, tls)] = COLUMNS;
                let _ = writeln!(out, "RESULT  {:<HOST$} {connect:>TIME$} {banner:>TIME$} {tls:>TIME$}  NOTE", "HOST");
            }
        }
        let verdict = report.verdict.level;
        let level = verdict.word();
        if self.wishes.style.color {
            out.push_str(&style::painted(verdict, level));
        } else {
            out.push_str(level);
        }
        spaces(LEVEL - level.len(), out);
        let from = out.len();
        write_place(&report.target, out);
        if is_narrow {
            self.fields(report, out);
        } else {
            self.columns(report, from, out);
        }
        if self.wishes.verbose > 0 {
            self.rows(&self.details(report), out);
        }
    }

    /// What stands behind the host, which begins at `from`.
    fn columns(&mut self, report: &Report, from: usize, out: &mut String) {
        spaces(HOST.saturating_sub(text::width(&out[from..])), out);
        for (kind, _) in COLUMNS {
            self.cell.clear();
            match report.time(kind) {
                Some(took) => human::write_duration(took, &mut self.cell),
                None => self.cell.push('-'),
            }
            spaces(1 + TIME.saturating_sub(self.cell.len()), out);
            out.push_str(&self.cell);
        }
        let used = text::width(&out[from..]) + LEVEL;
        let mut words = String::new();
        note(report, self.wishes.many_domains, &mut words);
        write_note(&words, used + 2, self.wishes.style.width, out);
    }

    /// The same where there is no room for columns: a line for each, below the host.
    fn fields(&self, report: &Report, out: &mut String) {
        for (kind, name) in COLUMNS {
            if let Some(took) = report.time(kind) {
                let _ = write!(out, "\n{:LEVEL$}{name:<TIME$} {}", "", human::duration(took));
            }
        }
        let mut words = String::new();
        note(report, self.wishes.many_domains, &mut words);
        // There is no room behind a host.
        write_note(&words, usize::MAX, self.wishes.style.width, out);
    }
}

impl Format for Text {
    fn report(&mut self, report: &Report, to: &mut Written) {
        // Of one failure, in case that it remains the only one.
        let wanted = self.wishes.is_list && self.wishes.verbose == 0 && self.advice.is_empty();
        if let Some(failure) = report.verdict.failure.as_ref().filter(|_| wanted) {
            self.advice = super::last_words(report);
            self.advice.extend(human::diagnosis(&super::diagnose(report, failure, self.wishes.caller)).into_iter().skip(1));
        }
        if self.wishes.is_list { self.in_table(report, &mut to.out) } else { self.at_length(report, &mut to.out) }
    }

    fn compared(&mut self, comparison: &Comparison, to: &mut Written) {
        if !self.wishes.quiet {
            let rows: Vec<Row> = comparison.sentences.iter().map(Row::hint).collect();
            self.rows(&rows, &mut to.out);
        }
    }

    fn bad_line(&mut self, line: &BadLine, to: &mut Written) {
        self.lines(&format!("line {}: {}", line.number, line.words), &mut to.err);
    }

    fn end(&mut self, summary: &Summary, to: &mut Written) {
        let (known, advice) = (std::mem::replace(&mut self.was_round, true), std::mem::take(&mut self.advice));
        self.headed = false;
        if summary.interrupted.is_some() && summary.checked() == 0 && !self.wishes.again {
            let waited = super::waited_for(&summary.waited_for);
            let words = if waited.is_empty() { "nothing was done by then".to_owned() } else { format!("waiting for {waited}") };
            self.lines(&format!("interrupted: {words}"), &mut to.err);
        } else if self.wishes.is_list && !self.wishes.quiet && summary.checked() > 0 {
            self.lines(&sum(summary), &mut to.out);
            if known || summary.failed == 0 || self.wishes.verbose > 0 {
                return;
            }
            if summary.checked() == 1 {
                self.rows(&advice, &mut to.out);
            } else if summary.checked() <= FEW {
                self.rows(&[Row::hint("-v tells of each failure what happened, what is likely, and what to do.")], &mut to.out);
            }
        }
    }
}

/// With `--watch`: what it was before.
fn change(report: &Report) -> String {
    match &report.before {
        Some(before) if before.level == Level::Ok => "  [changed, was ok]".to_owned(),
        Some(before) => format!("  [changed, was {}: {}]", before.level.word(), before.sentence),
        None => String::new(),
    }
}

/// `dns 4 ms, connect 38 ms, banner 112 ms; total 154 ms`
fn times(report: &Report) -> String {
    let phases = report.phases.iter().filter(|phase| phase.kind != PhaseKind::Certificate);
    let list: Vec<String> = phases.map(|phase| format!("{} {}", phase.kind.name(), human::duration(phase.took))).collect();
    format!("{}; total {}", list.join(", "), human::duration(report.took))
}

/// The phases as bars below each other, on a terminal of this width.
fn waterfall(report: &Report, width: Option<usize>) -> Vec<Row> {
    let whole = width.map_or(BAR, |width| width.saturating_sub(BESIDE_BAR).clamp(4, BAR));
    let all = report.phases.iter().map(|phase| phase.start + phase.took).max().unwrap_or_default().max(Duration::from_micros(1));
    let column = |at: Duration| {
        let share = at.as_micros().saturating_mul(whole as u128) / all.as_micros();
        usize::try_from(share).unwrap_or(whole).min(whole)
    };
    let bar = |start: Duration, took: Duration| {
        let from = column(start).min(whole - 1);
        let to = column(start + took).max(from + 1);
        format!("{}{}{}", " ".repeat(from), "=".repeat(to - from), " ".repeat(whole - to))
    };
    let phases = report.phases.iter().filter(|phase| phase.kind != PhaseKind::Certificate);
    let mut rows: Vec<Row> = phases
        .map(|phase| {
            let failed = if phase.ok { "" } else { "  failed" };
            Row::block(format!("{:<9}|{}| {:>8}{failed}", phase.kind.name(), bar(phase.start, phase.took), human::duration(phase.took)))
        })
        .collect();
    rows.push(Row::block(format!("{:<9} {:whole$}  {:>8}", "total", "", human::duration(report.took))));
    rows
}

/// Addresses, where there were several or more detail is wanted. What is dead beside a live one is a notice.
fn attempts(report: &Report, verbose: bool) -> Vec<Row> {
    let reached = report.attempts.iter().any(|tried| tried.cause.is_none());
    let telling = !reached && report.attempts.len() > 1;
    if !verbose && !telling {
        return Vec::new();
    }
    let row = |tried: &crate::jobs::check::report::Tried| {
        let words = tried.cause.as_ref().map_or_else(|| "connected".to_owned(), words::cause);
        Row::block(format!("{} port {}: {words} ({})", shown_ip(&tried.address), tried.address.port(), human::duration(tried.took)))
    };
    let mut rows: Vec<Row> = report.attempts.iter().map(row).collect();
    let was_tried =
        |address: &SocketAddr| report.attempts.iter().any(|tried| tried.address == *address) || report.passed_over.contains(address);
    let others = report.addresses.iter().filter(|address| verbose && !was_tried(address));
    rows.extend(others.map(|address| Row::block(format!("{} port {}: not tried", shown_ip(address), address.port()))));
    rows
}

/// `TLS 1.3, certificate mail.contoso.test verified, 71 days left`
fn certificate(report: &Report, verbose: bool) -> Vec<Row> {
    let Some(tls) = &report.tls else { return Vec::new() };
    let session = match (verbose, tls.group.is_empty()) {
        (false, _) => tls.version.clone(),
        (true, true) => format!("{}, {}", tls.version, tls.suite),
        (true, false) => format!("{}, {}, {}", tls.version, tls.suite, tls.group),
    };
    let Some(certificate) = &tls.certificate else { return vec![Row::block(format!("{session}, no certificate that can be read"))] };
    let verified = if tls.is_verified() { "verified" } else { "not verified" };
    let left = match certificate.days_left {
        ..=-1 => "expired".to_owned(),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    };
    let mut rows = vec![Row::block(format!("{session}, certificate {} {verified}, {left}", printable_str(&certificate.name)))];
    if verbose {
        let names = certificate.names.iter().take(10).map(|name| printable_str(name).into_owned()).collect::<Vec<_>>().join(", ");
        rows.push(Row::field("Names  ", names));
        rows.push(Row::field("Issuer ", printable_str(&certificate.issuer)));
    }
    rows
}

fn notices(report: &Report) -> Vec<Row> {
    // Faults of the certificate are told in whole sentences.
    let told = |kind: NoticeKind| kind == NoticeKind::Certificate;
    report
        .notices
        .iter()
        .filter(|notice| !told(notice.kind))
        .map(|notice| if notice.is_warning() { Row::hint(&notice.text) } else { Row::note(&notice.text) })
        .collect()
}

/// The last column of the table.
fn note(report: &Report, many_domains: bool, out: &mut String) {
    let from = out.len();
    let mut add = |words: &str| {
        let separator = if out.len() > from { "; " } else { "" };
        if !out[from..].split("; ").any(|known| known == words) {
            out.push_str(separator);
            out.push_str(words);
        }
    };
    match &report.domain {
        Some(domain) if domain.implicit => add("no MX record"),
        Some(domain) if many_domains => add(&format!("MX {} of {}", domain.preference, printable_str(&domain.name))),
        Some(domain) => add(&format!("MX {}", domain.preference)),
        None => {}
    }
    if let Some(address) = report.address.filter(|address| report.target.address() != Some(address.ip())) {
        add(&shown_ip(&address));
    }
    match report.verdict.level {
        Level::Ok => {
            if let Some(certificate) = report.certificate() {
                add(&format!("cert {} d", certificate.days_left));
            }
            report.notices.iter().for_each(|notice| add(&notice.short));
        }
        Level::Warn => add(&report.verdict.sentence),
        Level::Failed => {
            add(&report.verdict.sentence);
            report.notices.iter().filter(|notice| notice.is_warning()).for_each(|notice| add(&notice.short));
        }
    }
    out.push_str(&change(report));
}

/// So many spaces, no more than the widest column.
fn spaces(count: usize, out: &mut String) {
    const ALL: &str = "                        ";
    const { assert!(ALL.len() == HOST) }
    out.push_str(&ALL[..count.min(HOST)]);
}

/// Behind the columns, or below them where a terminal has too little room there.
fn write_note(words: &str, used: usize, width: Option<usize>, out: &mut String) {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(used));
    if words.is_empty() || text::width(words) <= room {
        if !words.is_empty() {
            out.push_str("  ");
            out.push_str(words);
        }
        out.push('\n');
        return;
    }
    let below = width.unwrap_or(usize::MAX).saturating_sub(LEVEL).max(20);
    for row in text::wrap(words, below) {
        let _ = write!(out, "\n{:LEVEL$}{row}", "");
    }
    out.push('\n');
}

/// `12 hosts: 8 ok, 2 warn, 2 failed in 31 s`
pub fn sum(summary: &Summary) -> String {
    let checked = summary.checked();
    let mut line = format!("{checked} host{}: {} ok, {} warn, {} failed", s(checked), summary.ok, summary.warned, summary.failed);
    if summary.classes.len() > 1 || summary.classes.iter().any(|(_, count)| *count > 1) {
        let list: Vec<String> = summary.classes.iter().map(|(class, count)| format!("{count} {}", class.name())).collect();
        let _ = write!(line, " ({})", list.join(", "));
    }
    let _ = write!(line, " in {}", human::duration(summary.took));
    if summary.bad_lines > 0 {
        let _ = write!(line, "; {} line{} not understood", summary.bad_lines, s(summary.bad_lines));
    }
    if summary.duplicates > 0 {
        let _ = write!(line, "; {} named again and passed over", summary.duplicates);
    }
    if summary.interrupted.is_some() {
        let waited = super::waited_for(&summary.waited_for);
        let which = if waited.is_empty() { String::new() } else { format!(": {waited}") };
        let _ = write!(line, "; interrupted, with {} under way{which}", summary.under_way);
    }
    line
}

/// What the last line of a terminal says while something is waited for. Some columns stay free, for the `^C` that a
/// terminal writes.
pub fn waiting(summary: &Summary, total: Option<u64>, oldest: (&str, PhaseKind, Duration), width: usize) -> String {
    let (name, phase, since) = oldest;
    let done = match total {
        Some(0 | 1) => String::new(),
        Some(total) => format!("{} of {total} done, {} failed; ", summary.checked(), summary.failed),
        None => format!("{} done, {} failed; ", summary.checked(), summary.failed),
    };
    let behind = format!(" ({}, {} s)", phase.name(), since.as_secs());
    let width = width.saturating_sub(4);
    let fits = text::width(&done) + text::width(&behind) + 30 <= width;
    let before = format!("... {}waiting for ", if fits { &done } else { "" });
    let room = width.saturating_sub(text::width(&before) + text::width(&behind));
    let name = printable_str(name);
    let name = if text::width(&name) > room { format!("{}~", text::cut(&name, room.saturating_sub(1))) } else { name.into_owned() };
    text::cut(&format!("{before}{name}{behind}"), width).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::place::Caller;
    use crate::jobs::check::Endpoint;
    use crate::jobs::check::report::{Phase, Verdict};
    use crate::render::Style;
    use crate::target::Target;

    #[test]
    fn the_line_of_waiting_keeps_to_its_width_and_tells_the_phase() {
        let summary = Summary { failed: 1, ..Summary::default() };
        let line = |total, name, width| waiting(&summary, total, (name, PhaseKind::Greeting, Duration::from_secs(4)), width);
        let table = [
            (line(Some(3), "mx.contoso.test:25", 80), "... 1 of 3 done, 1 failed; waiting for mx.contoso.test:25 (banner, 4 s)"),
            (line(Some(3), "mx.contoso.test:25", 60), "... waiting for mx.contoso.test:25 (banner, 4 s)"),
            (
                line(Some(3), "a-name-that-is-long.contoso.test:25", 80),
                "... 1 of 3 done, 1 failed; waiting for a-name-that-is-long.co~ (banner, 4 s)",
            ),
            (line(None, "mx:25", 80), "... 1 done, 1 failed; waiting for mx:25 (banner, 4 s)"),
            (line(Some(1), "mx.contoso.test:25", 40), "... waiting for mx.co~ (banner, 4 s)"),
        ];
        for (line, want) in table {
            assert_eq!(line, want);
        }
        assert!((0..80).all(|width| text::width(&line(None, "mx.contoso.test:25", width)) <= width));
    }

    #[test]
    fn a_narrow_terminal_has_a_line_for_each_field() {
        let style = Style { color: false, plain: false, raw: false, width: Some(50) };
        let wishes = Wishes { style, is_list: true, many_domains: false, again: false, verbose: 0, quiet: false, caller: Caller::Check };
        let (mut text, mut to) = (Text::new(wishes), Written::default());
        let mut report = Report::of(&Endpoint::new(Target::new("mx.contoso.test", 25)));
        report.phases.push(Phase::timed(PhaseKind::Connect, Duration::ZERO, Duration::from_millis(38), true));
        report.verdict = Verdict { level: Level::Warn, sentence: "no STARTTLS".to_owned(), failure: None };
        text.report(&report, &mut to);
        assert_eq!(to.out, "warn    mx.contoso.test:25\n        CONNECT 38 ms\n        no STARTTLS\n");
        let widest = waterfall(&report, Some(50)).into_iter().map(|row| text::width(&row.text) + 3).max();
        assert!(widest.is_some_and(|columns| columns <= 50), "{widest:?}");
    }

    #[test]
    fn a_note_without_room_stands_below() {
        let written = |width| {
            let mut out = "FAILED  x".to_owned();
            write_note("one two three four five six", 11, width, &mut out);
            out
        };
        assert_eq!(written(None), "FAILED  x  one two three four five six\n");
        assert_eq!(written(Some(38)), "FAILED  x  one two three four five six\n");
        assert_eq!(written(Some(30)), "FAILED  x\n        one two three four\n        five six\n");
    }
}
