//! JSON Lines `ehlo/1`: one object a line, each with `schema` and `event`, as soon as it is known.
//!
//! Within `ehlo/1` members are only ever added: whoever reads them passes over those that are not known.
//! Times are milliseconds with a fraction, moments RFC 3339 in UTC. A text of the server that is not UTF-8
//! stands in base64 under a name that ends in `_b64`. What could act on a terminal is escaped (P14, P15).

use serde_json::{Map, Value, json};

use super::{Format, Written, level, moment, ms, protocol};
use crate::explain::failure::Class;
use crate::host::shown_ip;
use crate::jobs::check::report::{BadLine, Comparison, Notice, Phase, Report, ServerCertificate, Summary, Tls, Tried, Waiting};
use crate::net::dial::Cause;
use crate::net::tls::verdict::Fault;
use crate::render::{human, tls};
use crate::text;
use crate::wire::base64;
use crate::wire::keyword::Capabilities;
use crate::wire::reply::Reply;

/// The name of this form.
const SCHEMA: &str = "ehlo/1";

/// This form as a JSON Schema (draft 2020-12).
pub const SCHEMA_TEXT: &str = include_str!("schema.json");

/// The format.
#[derive(Debug)]
pub struct Json;

impl Json {
    fn write(event: &str, members: Value, to: &mut Written) {
        let mut line = Map::from_iter([("schema".to_owned(), json!(SCHEMA)), ("event".to_owned(), json!(event))]);
        if let Value::Object(members) = members {
            line.extend(members);
        }
        to.out.push_str(&text::json(&Value::Object(line).to_string()));
        to.out.push('\n');
    }
}

impl Format for Json {
    fn report(&mut self, report: &Report, to: &mut Written) {
        Self::write("check", check(report), to);
    }

    fn compared(&mut self, comparison: &Comparison, to: &mut Written) {
        Self::write("comparison", json!({ "name": comparison.name, "sentences": comparison.sentences }), to);
    }

    fn bad_line(&mut self, line: &BadLine, to: &mut Written) {
        Self::write("bad-line", json!({ "line": line.number, "text": line.words }), to);
    }

    fn end(&mut self, summary: &Summary, to: &mut Written) {
        let classes: Map<String, Value> = summary.classes.iter().map(|(class, count)| (class.name().to_owned(), json!(count))).collect();
        let members = json!({
            "ok": summary.status() == 0,
            "exit": summary.status(),
            "checked": summary.checked(),
            "well": summary.ok,
            "warned": summary.warned,
            "failed": summary.failed,
            "failures": classes,
            "bad_lines": summary.bad_lines,
            "duplicates": summary.duplicates,
            "interrupted": summary.interrupted.is_some(),
            "under_way": summary.under_way,
            "waited_for": summary.waited_for.iter().map(waiting).collect::<Vec<_>>(),
            "ms": ms(summary.took),
        });
        Self::write("result", members, to);
    }
}

fn waiting(one: &Waiting) -> Value {
    json!({ "name": one.name, "phase": one.phase.name(), "ms": ms(one.since) })
}

fn check(report: &Report) -> Value {
    json!({
        "t": moment(report.began),
        "host": report.target.socket.is_none().then_some(&report.target.host),
        "port": report.target.socket.is_none().then_some(report.target.port),
        "socket": report.target.socket,
        "protocol": protocol(&report.target),
        "mail_domain": report.domain.as_ref().map(|domain| json!({
            "name": domain.name,
            "preference": domain.preference,
            "implicit": domain.implicit,
            "left_out": domain.left_out,
            "ms": ms(domain.took),
        })),
        "address": report.address.as_ref().map(shown_ip),
        "attempts": report.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "passed_over": report.passed_over.iter().map(shown_ip).collect::<Vec<_>>(),
        "addresses": report.addresses.iter().map(shown_ip).collect::<Vec<_>>(),
        "addresses_left_out": report.addresses_left_out,
        "aliases": report.aliases,
        "phases": report.phases.iter().map(phase).collect::<Vec<_>>(),
        "offer": report.offer.as_ref().map(offer),
        "offer_in_tls": report.offer_in_tls.as_ref().map(offer),
        "tls": report.tls.as_ref().map(|tls| secured(tls, super::today(report))),
        "login": report.login.as_ref().map(|login| json!({ "mechanism": login.mechanism, "user": login.user })),
        "reverse_names": report.reverse_names,
        "notices": report.notices.iter().map(notice).collect::<Vec<_>>(),
        "verdict": level(report.verdict.level),
        "sentence": report.verdict.sentence,
        "failure": report.verdict.class().map(Class::name),
        "exit": report.verdict.class().map_or(0, Class::status),
        "phase": report.failed_phase().map(|phase| phase.kind.name()),
        "tries": report.tries,
        "before": report.before.as_ref().map(|verdict| level(verdict.level)),
        "ms": ms(report.took),
    })
}

fn attempt(tried: &Tried) -> Value {
    let (cause, words) = match &tried.cause {
        None => (None, None),
        Some(Cause::Refused) => (Some("refused"), None),
        Some(Cause::NoRoute) => (Some("no-route"), None),
        Some(Cause::HostUnreachable) => (Some("host-unreachable"), None),
        Some(Cause::Reset) => (Some("reset"), None),
        Some(Cause::Unusable(words)) => (Some("unusable"), Some(words)),
        Some(Cause::TimedOut) => (Some("timeout"), None),
        Some(Cause::Prohibited) => (Some("prohibited"), None),
        Some(Cause::BadLocalAddress(words)) => (Some("bad-local-address"), Some(words)),
        Some(Cause::Other(words)) => (Some("other"), Some(words)),
    };
    json!({ "address": shown_ip(&tried.address), "port": tried.address.port(), "cause": cause, "text": words, "ms": ms(tried.took) })
}

fn phase(phase: &Phase) -> Value {
    let mut members = json!({
        "phase": phase.kind.name(),
        "ok": phase.ok,
        "start_ms": ms(phase.start),
        "ms": ms(phase.took),
        "reply": phase.reply.as_ref().map(reply),
    });
    let Some(object) = members.as_object_mut() else { return members };
    if let Some(refusal) = &phase.refused {
        object.insert(if phase.ok { "ehlo_refused" } else { "helo_refused" }.to_owned(), reply(refusal));
    }
    if !phase.came.is_empty() {
        let (name, came) = texts("came", &phase.came);
        object.insert(name, came);
    }
    members
}

fn reply(reply: &Reply) -> Value {
    let mut members = Map::new();
    members.insert("code".to_owned(), json!(reply.code.number()));
    members.insert("enhanced".to_owned(), json!(reply.status().map(|status| status.to_string())));
    let (name, lines) = texts("lines", &reply.texts().collect::<Vec<_>>());
    members.insert(name, lines);
    Value::Object(members)
}

/// Texts of the server under their name; where one is not UTF-8, all in base64.
fn texts(name: &str, lines: &[impl AsRef<[u8]>]) -> (String, Value) {
    match lines.iter().map(|line| std::str::from_utf8(line.as_ref())).collect::<Result<Vec<_>, _>>() {
        Ok(texts) => (name.to_owned(), json!(texts)),
        Err(_) => (format!("{name}_b64"), json!(lines.iter().map(|line| base64::encode(line.as_ref())).collect::<Vec<_>>())),
    }
}

/// Each keyword and its parameters, in the order of the reply.
fn offer(offer: &Capabilities) -> Value {
    offer.keywords().map(|keyword| json!({ "keyword": keyword.name(), "parameters": keyword.parameters().collect::<Vec<_>>() })).collect()
}

fn secured(secured: &Tls, now: i64) -> Value {
    json!({
        "implicit": secured.implicit,
        "version": secured.version,
        "cipher": secured.suite,
        "group": secured.group,
        "verified": secured.is_verified(),
        "faults": secured.trust.faults().iter().map(|fault| json!({ "fault": name(fault), "text": tls::sentence(fault, now) })).collect::<Vec<_>>(),
        "certificate": secured.certificate.as_ref().map(certificate),
        "client_certificate_asked": secured.client_certificate_asked,
    })
}

fn certificate(certificate: &ServerCertificate) -> Value {
    json!({
        "name": certificate.name,
        "names": certificate.names,
        "issuer": certificate.issuer,
        "not_before": seconds(certificate.not_before),
        "not_after": seconds(certificate.not_after),
        "days_left": certificate.days_left,
        "sha256": certificate.sha256,
    })
}

/// A fault in one word.
fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Unreadable(_) => "unreadable",
        Fault::Expired { .. } => "expired",
        Fault::NotYetValid { .. } => "not-yet-valid",
        Fault::IssuerExpired(_) => "issuer-expired",
        Fault::WrongName { .. } => "wrong-name",
        Fault::SelfSigned => "self-signed",
        Fault::UnknownIssuer { .. } => "unknown-issuer",
        Fault::MissingIntermediate { .. } => "missing-intermediate",
        Fault::CaAsServer => "ca-as-server",
        Fault::OldVersion(_) => "old-version",
        Fault::WeakKey(_) => "weak-key",
        Fault::WeakSignature(_) => "weak-signature",
        Fault::WrongUsage => "wrong-usage",
        Fault::WronglySigned { .. } => "wrongly-signed",
        Fault::BadSignature => "bad-signature",
        Fault::Unproven => "unproven-key",
        Fault::Other(_) => "other",
    }
}

fn notice(notice: &Notice) -> Value {
    json!({ "kind": notice.kind.name(), "warning": notice.is_warning(), "text": notice.text })
}

/// Before 1970 there were no certificates: what claims to be from then stands as a number.
fn seconds(at: i64) -> Value {
    u64::try_from(at).map_or_else(|_| json!(at), |at| json!(format!("{}Z", human::utc_date(at).replacen(' ', "T", 1))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jobs::check::report::PhaseKind;

    #[test]
    fn times_and_moments_have_one_form() {
        assert_eq!(json!(ms(Duration::from_micros(38_250))).to_string(), "38.25");
        assert_eq!(moment(1_795_447_211_042), "2026-11-23T15:20:11.042Z");
        assert_eq!(seconds(1_795_447_211), json!("2026-11-23T15:20:11Z"));
        assert_eq!(seconds(-1), json!(-1));
    }

    #[test]
    fn the_schema_names_every_phase() {
        let schema: Value = serde_json::from_str(SCHEMA_TEXT).unwrap();
        let names: Vec<&str> = PhaseKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(schema["$defs"]["phase_name"]["enum"], json!(names));
    }

    // P13, P14
    #[test]
    fn bytes_of_a_server_are_exact_and_act_on_no_terminal() {
        use crate::wire::reply::{Received, ReplyParser};
        let read = |bytes: &[u8]| {
            let mut parser = ReplyParser::default();
            parser.push(bytes);
            let Ok(Some(Received::Reply(reply))) = parser.next_received() else { panic!() };
            reply
        };
        let utf8 = reply(&read("220 a\x1b[2J\u{9b}31m\u{202e}\u{e0001}\r\n".as_bytes())).to_string();
        let shown = text::json(&utf8);
        assert!(shown.contains(r"a\u001b[2J\u009b31m\u202e\udb40\udc01"), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), serde_json::from_str::<Value>(&utf8).unwrap());
        assert_eq!(reply(&read(b"550 5.1.1 \xff\r\n")), json!({ "code": 550, "enhanced": "5.1.1", "lines_b64": ["NS4xLjEg/w=="] }));
    }
}
