//! Comma-separated values (RFC 4180, with line feeds): one row for each endpoint, for a spreadsheet.
//!
//! Columns are only ever added, at the end. An empty cell is a value that there is not. A text that a spreadsheet
//! would compute stands behind an apostrophe.

use csv::Writer;

use super::{Format, Written, level, moment, ms, protocol};
use crate::explain::failure::Class;
use crate::host::shown_ip;
use crate::jobs::check::report::{PhaseKind, Report, Summary};
use crate::text::{printable, printable_str};
use crate::wire::reply::Reply;

/// A column: its name, and its cell for an endpoint.
type Column = (&'static str, fn(&Report) -> Option<String>);

/// The columns.
const COLUMNS: &[Column] = &[
    ("time", |report| Some(moment(report.began))),
    ("host", |report| Some(text(report.target.socket.as_deref().unwrap_or(&report.target.host)))),
    ("port", |report| report.target.socket.is_none().then(|| report.target.port.to_string())),
    ("protocol", |report| Some(protocol(&report.target).to_owned())),
    ("mail_domain", |report| report.domain.as_ref().map(|domain| text(&domain.name))),
    ("preference", |report| report.domain.as_ref().filter(|domain| !domain.implicit).map(|domain| domain.preference.to_string())),
    ("address", |report| report.address.as_ref().map(shown_ip)),
    ("verdict", |report| Some(level(report.verdict.level).to_owned())),
    ("failure", |report| report.verdict.class().map(|class| class.name().to_owned())),
    ("phase", |report| report.failed_phase().map(|phase| phase.kind.name().to_owned())),
    ("exit", |report| Some(report.verdict.class().map_or(0, Class::status).to_string())),
    ("sentence", |report| Some(text(&report.verdict.sentence))),
    ("notices", |report| Some(text(&notices(report))).filter(|words| !words.is_empty())),
    ("tries", |report| Some(report.tries.to_string())),
    ("ms", |report| Some(ms(report.took).to_string())),
    ("dns_ms", |report| took(report, PhaseKind::Resolve)),
    ("connect_ms", |report| took(report, PhaseKind::Connect)),
    ("proxy_ms", |report| took(report, PhaseKind::Proxy)),
    ("banner_ms", |report| took(report, PhaseKind::Greeting)),
    ("ehlo_ms", |report| took(report, PhaseKind::Hello)),
    ("starttls_ms", |report| took(report, PhaseKind::StartTls)),
    ("tls_ms", |report| took(report, PhaseKind::Handshake)),
    ("ehlo_tls_ms", |report| took(report, PhaseKind::HelloInTls)),
    ("auth_ms", |report| took(report, PhaseKind::Auth)),
    ("mail_ms", |report| took(report, PhaseKind::Mail)),
    ("rcpt_ms", |report| took(report, PhaseKind::Recipient)),
    ("banner", |report| report.reply(PhaseKind::Greeting).map(|reply| text(&printable(reply.first_text())))),
    ("tls_version", |report| report.tls.as_ref().map(|tls| tls.version.clone())),
    ("cipher", |report| report.tls.as_ref().map(|tls| tls.suite.clone())),
    ("verified", |report| report.tls.as_ref().map(|tls| tls.is_verified().to_string())),
    ("certificate", |report| report.certificate().map(|certificate| text(&certificate.name))),
    ("days_left", |report| report.certificate().map(|certificate| certificate.days_left.to_string())),
    ("refusal", |report| refusal(report).map(|reply| text(&said(reply)))),
];

/// The format.
#[derive(Debug, Default)]
pub struct Csv {
    headed: bool,
}

impl Csv {
    /// The head stands before the first row, also of several rounds.
    fn head(&mut self, to: &mut Written) {
        if !std::mem::replace(&mut self.headed, true) {
            row(COLUMNS.iter().map(|(name, _)| (*name).to_owned()), to);
        }
    }
}

impl Format for Csv {
    fn report(&mut self, report: &Report, to: &mut Written) {
        self.head(to);
        row(COLUMNS.iter().map(|(_, cell)| cell(report).unwrap_or_default()), to);
    }

    fn end(&mut self, _: &Summary, to: &mut Written) {
        self.head(to);
    }
}

fn row(cells: impl Iterator<Item = String>, to: &mut Written) {
    let mut writer = Writer::from_writer(Vec::new());
    let written = writer.write_record(cells).ok().and_then(|()| writer.into_inner().ok());
    // Neither writing to memory nor a row of its own can fail.
    to.out.push_str(&String::from_utf8_lossy(&written.unwrap_or_default()));
}

/// What acts on no terminal and is no formula.
fn text(text: &str) -> String {
    let shown = printable_str(text);
    let computed = shown.starts_with(['=', '+', '-', '@']);
    format!("{}{shown}", if computed { "'" } else { "" })
}

fn notices(report: &Report) -> String {
    report.notices.iter().map(|notice| notice.short.as_str()).collect::<Vec<_>>().join("; ")
}

/// The refusal that ended the check, or of EHLO where HELO was taken in its place.
fn refusal(report: &Report) -> Option<&Reply> {
    report.failed_phase().and_then(|phase| phase.reply.as_ref()).filter(|reply| reply.is_refusal()).or_else(|| report.hello_refusal())
}

/// All lines of a reply in one: `550-5.7.1 Not from / 550 5.7.1 your address`.
fn said(reply: &Reply) -> String {
    reply.lines.iter().map(|line| printable(line).into_owned()).collect::<Vec<_>>().join(" / ")
}

/// A step that went well.
fn took(report: &Report, kind: PhaseKind) -> Option<String> {
    report.time(kind).map(|took| ms(took).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // P14
    #[test]
    fn texts_act_on_no_terminal_and_are_no_formula() {
        let table = [
            ("mx.contoso.test", "mx.contoso.test"),
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("-1+1", "'-1+1"),
            ("a\x1b[2J", r"a\x1b[2J"),
        ];
        for (given, want) in table {
            assert_eq!(text(given), want);
        }
    }

    // P15
    #[test]
    fn a_row_stays_one_row() {
        let mut to = Written::default();
        row(["a,b", "say \"x\"", "", "c"].map(str::to_owned).into_iter(), &mut to);
        assert_eq!(to.out, "\"a,b\",\"say \"\"x\"\"\",,c\n");
    }

    #[test]
    fn every_step_that_takes_time_has_a_column() {
        for kind in PhaseKind::ALL.into_iter().filter(|kind| *kind != PhaseKind::Certificate) {
            let name = format!("{}_ms", kind.name().replace('-', "_"));
            assert!(COLUMNS.iter().any(|(column, _)| *column == name), "{name}");
        }
    }
}
