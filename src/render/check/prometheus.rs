//! Metrics in the text format of Prometheus 0.0.4, for the textfile collector of its node exporter.
//!
//! All samples of one metric stand together, so they are kept until the end. A label that changes from one run to
//! the next would make another series of it: the address is one only where each address is checked.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use super::{Apart, Format, Written, protocol};
use crate::explain::failure::Class;
use crate::host::shown_ip;
use crate::jobs::check::report::{Level, PhaseKind, Report, Summary};
use crate::text::printable_str;

/// A metric: its name without what all begin with, and its help.
type Metric = (&'static str, &'static str);

/// What all names begin with.
const PREFIX: &str = "ehlo_check_";

const SUCCESS: Metric = ("success", "Whether the check came as far as it should (1) or failed (0).");
const WARNINGS: Metric = ("warnings", "How many things should be seen to although it works.");
const EXIT_STATUS: Metric = ("exit_status", "The exit status of ehlo for this host: 0, or one for each kind of failure.");
const FAILURE: Metric = ("failure_info", "What kind of failure it was, and in which phase; only there after a failure.");
const DURATION: Metric = ("duration_seconds", "How long all phases took.");
const PHASE_DURATION: Metric = ("phase_duration_seconds", "How long a phase took that went well.");
const REPLY_CODE: Metric = ("reply_code", "The code of the reply in a phase.");
const TLS: Metric = ("tls", "Whether the session came to speak TLS.");
const TLS_INFO: Metric = ("tls_info", "Version and cipher suite of TLS.");
const VERIFIED: Metric = ("certificate_verified", "Whether chain, name and dates of the certificate are all in order.");
const NOT_AFTER: Metric = ("certificate_not_after_timestamp_seconds", "When the certificate ends, in seconds since 1970.");
const BEGAN: Metric = ("began_timestamp_seconds", "When the check began, in seconds since 1970.");
const HOSTS: Metric = ("hosts", "How many hosts ended how.");
const BAD_LINES: Metric = ("bad_lines", "Lines of the list that could not be read.");
const RUN_DURATION: Metric = ("run_duration_seconds", "How long all of the list took.");

/// The metrics, in the order in which they are written.
const METRICS: [Metric; 15] = [
    SUCCESS,
    WARNINGS,
    EXIT_STATUS,
    FAILURE,
    DURATION,
    PHASE_DURATION,
    REPLY_CODE,
    TLS,
    TLS_INFO,
    VERIFIED,
    NOT_AFTER,
    BEGAN,
    HOSTS,
    BAD_LINES,
    RUN_DURATION,
];

/// The format.
#[derive(Debug)]
pub struct Prometheus {
    apart: Apart,
    /// The samples of each metric, as they will be written.
    samples: [String; METRICS.len()],
}

impl Prometheus {
    /// Nothing is known yet.
    pub fn new(apart: Apart) -> Self {
        Self { apart, samples: Default::default() }
    }

    fn add(&mut self, metric: Metric, labels: &str, value: impl Display) {
        let Some(at) = METRICS.iter().position(|known| *known == metric) else { return };
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.samples[at], "{PREFIX}{}{braces} {value}", metric.0);
    }

    /// What tells an endpoint from all others, so that no series is there twice; the same names for each.
    fn labels(&self, report: &Report) -> String {
        let target = &report.target;
        let (host, port) = match &target.socket {
            Some(socket) => (socket.as_str(), String::new()),
            None => (target.host.as_str(), target.port.to_string()),
        };
        let mut labels = vec![label("host", host), label("port", &port), label("protocol", protocol(target))];
        if self.apart.by_domain {
            labels.push(label("mail_domain", report.domain.as_ref().map_or(host, |domain| &domain.name)));
        }
        if self.apart.by_address {
            labels.push(label("address", &report.address.as_ref().map(shown_ip).unwrap_or_default()));
        }
        labels.join(",")
    }

    fn steps(&mut self, report: &Report, labels: &str) {
        for phase in &report.phases {
            let labels = format!("{labels},{}", label("phase", phase.kind.name()));
            if phase.ok && phase.kind != PhaseKind::Certificate {
                self.add(PHASE_DURATION, &labels, seconds(phase.took));
            }
            if let Some(reply) = &phase.reply {
                self.add(REPLY_CODE, &labels, reply.code.number());
            }
        }
    }

    fn tls(&mut self, report: &Report, labels: &str) {
        self.add(TLS, labels, u8::from(report.tls.is_some()));
        let Some(tls) = &report.tls else { return };
        let info = format!("{labels},{},{}", label("version", &tls.version), label("cipher", &tls.suite));
        self.add(TLS_INFO, &info, 1);
        self.add(VERIFIED, labels, u8::from(tls.is_verified()));
        if let Some(certificate) = &tls.certificate {
            self.add(NOT_AFTER, labels, certificate.not_after);
        }
    }
}

impl Format for Prometheus {
    fn report(&mut self, report: &Report, _: &mut Written) {
        let labels = self.labels(report);
        self.add(SUCCESS, &labels, u8::from(report.verdict.level != Level::Failed));
        self.add(WARNINGS, &labels, report.notices.iter().filter(|notice| notice.is_warning()).count());
        self.add(EXIT_STATUS, &labels, report.verdict.class().map_or(0, Class::status));
        if let Some(class) = report.verdict.class() {
            let phase = report.failed_phase().map_or("", |phase| phase.kind.name());
            self.add(FAILURE, &format!("{labels},{},{}", label("failure", class.name()), label("phase", phase)), 1);
        }
        self.add(DURATION, &labels, seconds(report.took));
        self.add(BEGAN, &labels, seconds(Duration::from_millis(report.began)));
        self.steps(report, &labels);
        self.tls(report, &labels);
    }

    fn end(&mut self, summary: &Summary, to: &mut Written) {
        for (verdict, count) in [("ok", summary.ok), ("warn", summary.warned), ("failed", summary.failed)] {
            self.add(HOSTS, &label("verdict", verdict), count);
        }
        self.add(BAD_LINES, "", summary.bad_lines);
        self.add(RUN_DURATION, "", seconds(summary.took));
        for ((name, help), samples) in METRICS.iter().zip(&self.samples).filter(|(_, samples)| !samples.is_empty()) {
            let _ = write!(to.out, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} gauge\n{samples}");
        }
        self.samples = Default::default();
    }
}

/// `name="value"`; in a value, backslash, quote and line feed are escaped.
fn label(name: &str, value: &str) -> String {
    let value = printable_str(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_and_a_sentence() {
        for (at, (name, help)) in METRICS.iter().enumerate() {
            assert!(!METRICS[..at].iter().any(|(known, _)| known == name), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\\', '\n']), "{help}");
        }
    }

    // P14, P15
    #[test]
    fn a_value_stays_inside_its_quotes() {
        assert_eq!(label("host", "a\"} 1\n\\\x1b"), r#"host="a\"} 1\\x0a\\\\x1b""#);
    }
}
