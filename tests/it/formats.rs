//! What `ehlo check` writes for programs, read by what others wrote to read it.

use std::fmt::Write as _;

use openmetrics_parser::prometheus::parse_prometheus;
use serde_json::{Value, json};

use crate::check::FINE;
use crate::support::run::{Done, Run, ehlo};
use crate::support::scripted::{closed_port, serve};

/// A server with TLS and a certificate that nobody vouches for.
const SECURED: &str =
    "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\nC: EHLO a\nS: 250-mx\nS: 250 AUTH PLAIN\nC: QUIT\nhold";
/// A greeting that is no UTF-8, would clear the screen, and ends a label or the text of a plugin.
const HOSTILE: &str = "S! 220 mx.\\xff\\x1b[2J|\"}=\\r\\n\nC: EHLO a\nS: 550 5.7.1 no\nC: HELO a\nS: 550 no\nC: QUIT\nS: 221 bye";

fn check(format: &str, flags: &[&str], targets: &[&str]) -> Run {
    let fixed = ["check", "--ehlo", "a", "--format", format];
    ehlo(fixed.iter().chain(flags).chain(targets).map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

/// Every kind of end that a server alone can bring about, as one run.
fn all_kinds(format: &str) -> Done {
    let servers = [serve(FINE), serve(SECURED), serve(HOSTILE), serve("S: 421 busy\nclose")];
    let mut list: String = servers.iter().map(|server| format!("127.0.0.1:{}\n", server.port)).collect();
    let _ = writeln!(list, "127.0.0.1:{},{}\nnot a host\nno-such-host.invalid", closed_port(), closed_port());
    let done = check(format, &["-k", "-i", "-", "-j", "1"], &[]).stdin(list).status(if format == "nagios" { 2 } else { 10 }).any().check();
    servers.into_iter().for_each(|server| drop(server.end()));
    done
}

// ---- JSON --------------------------------------------------------------------------------------

/// The schema that the program shows, and in which nothing may be that it does not name.
fn strict_schema() -> Value {
    let shown = ehlo(["check", "--json-schema"]).env("EHLO_NAME", "a").any_out().check();
    let mut schema: Value = serde_json::from_str(&shown.out()).unwrap();
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn what_is_written_as_json_is_what_the_schema_says() {
    let schema = jsonschema::validator_for(&strict_schema()).unwrap();
    let done = all_kinds("json");
    let lines: Vec<Value> = done.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in ["check", "comparison", "bad-line", "result"] {
        assert!(lines.iter().any(|line| line["event"] == event), "{event}: {}", done.out());
    }
    assert!(lines.iter().any(|line| line["tls"]["certificate"]["days_left"].is_i64()), "{}", done.out());
    for line in &lines {
        let wrong: Vec<String> = schema.iter_errors(line).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{line:#}");
    }
    // The schema tells right from wrong.
    let mut wrong = lines[0].clone();
    wrong["verdict"] = json!("fine");
    assert!(!schema.is_valid(&wrong));
}

#[test]
fn as_json_each_host_is_an_object_on_a_line() {
    // P13, P14
    let fine = serve(FINE);
    let odd = serve("S! 220 mx\\xff\\x1b[2J\\r\\n\nC: EHLO a\nS: 550 5.7.1 no\nC: HELO a\nS: 550 no\nC: QUIT\nS: 221 bye");
    let closed = closed_port();
    let list = format!("127.0.0.1:{}\nnot a host\n127.0.0.1:{closed}\n127.0.0.1:{}\n", fine.port, odd.port);
    let done = ehlo(["check", "--ehlo", "a", "-i", "-", "-j", "1", "--json"]).stdin(list).status(10).any().check();
    let lines: Vec<Value> = done.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(done.out().bytes().all(|byte| byte == b'\n' || (32..127).contains(&byte)), "{}", done.out());
    assert!(lines.iter().all(|line| line["schema"] == "ehlo/1"), "{}", done.out());
    let checks: Vec<&Value> = lines.iter().filter(|line| line["event"] == "check").collect();
    let of = |port: u16| *checks.iter().find(|line| line["port"] == port).unwrap();
    let phase =
        |check: &Value, name: &str| check["phases"].as_array().unwrap().iter().find(|phase| phase["phase"] == name).cloned().unwrap();
    assert_eq!((&of(fine.port)["verdict"], &of(fine.port)["exit"]), (&json!("warn"), &json!(0)));
    assert_eq!(phase(of(fine.port), "banner")["reply"], json!({ "code": 220, "enhanced": null, "lines": ["mx.contoso.test ESMTP"] }));
    assert_eq!(of(fine.port)["offer"], json!([{ "keyword": "SIZE", "parameters": ["10"] }]));
    assert!(phase(of(fine.port), "connect")["ms"].is_f64() && of(fine.port)["notices"][0]["kind"] == "no-starttls");
    let refused = of(closed);
    assert_eq!((&refused["verdict"], &refused["failure"], &refused["exit"]), (&json!("failed"), &json!("connect"), &json!(4)));
    assert_eq!((&refused["attempts"][0]["cause"], &refused["phase"]), (&json!("refused"), &json!("connect")));
    // "mx", a byte that is no UTF-8, and a sequence that would clear the screen
    assert_eq!(phase(of(odd.port), "banner")["reply"]["lines_b64"], json!(["bXj/G1sySg=="]));
    assert_eq!((&of(odd.port)["phase"], &of(odd.port)["exit"]), (&json!("ehlo"), &json!(1)));
    assert!(lines.iter().any(|line| line["event"] == "bad-line" && line["line"] == 2));
    let result = lines.last().unwrap();
    assert_eq!((&result["event"], &result["exit"], &result["checked"]), (&json!("result"), &json!(10), &json!(3)));
    assert_eq!(result["failures"], json!({ "connect": 1, "refused": 1 }));
}

// ---- CSV ---------------------------------------------------------------------------------------

#[test]
fn as_csv_each_host_is_a_row_of_the_same_columns() {
    let done = all_kinds("csv");
    let mut reader = csv::Reader::from_reader(done.stdout.as_slice());
    let head = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |row: &csv::StringRecord, name: &str| {
        let at = head.iter().position(|column| column == name).unwrap_or_else(|| panic!("{name} in {head:?}"));
        row[at].to_owned()
    };
    assert_eq!(rows.len(), 7, "{}", done.out());
    let fine = rows.iter().find(|row| cell(row, "banner") == "mx.contoso.test ESMTP").unwrap();
    assert_eq!((cell(fine, "verdict"), cell(fine, "exit"), cell(fine, "notices")), ("warn".into(), "0".into(), "no STARTTLS".into()));
    assert!(cell(fine, "connect_ms").parse::<f64>().is_ok() && cell(fine, "tls_ms").is_empty(), "{fine:?}");
    let secured = rows.iter().find(|row| cell(row, "verified") == "false").unwrap();
    assert!(cell(secured, "days_left").parse::<i64>().is_ok() && cell(secured, "tls_version") == "TLS 1.3", "{secured:?}");
    let failures: Vec<String> = rows.iter().map(|row| cell(row, "failure")).filter(|word| !word.is_empty()).collect();
    for word in ["refused", "try-later", "connect", "dns"] {
        assert!(failures.iter().any(|failure| failure == word), "{word}: {failures:?}");
    }
    assert!(done.out().chars().all(|c| c == '\n' || !c.is_control()), "{}", done.out());
    // What is no row is told beside it.
    assert!(done.err().contains("line 6: ") && done.err().contains("each port is refused"), "{}", done.err());
}

#[test]
fn nothing_checked_is_not_ok() {
    let done = check("json", &["-i", "-"], &[]).stdin("# none\n").status(2).any().check();
    assert!(done.out().contains(r#""ok":false"#) && done.out().contains(r#""exit":2"#), "{}", done.out());
}

#[cfg(unix)]
#[test]
fn a_signal_has_its_status_in_each_format() {
    // P44
    use rustix::process::Signal;
    let table = [
        ("nagios", Signal::TERM, 3, "SMTP UNKNOWN - no result; interrupted while waiting for 127.0.0.1:"),
        ("json", Signal::TERM, 143, r#""exit":143"#),
        ("json", Signal::INT, 130, r#""exit":130"#),
        ("json", Signal::INT, 130, r#""waited_for":[{"ms":"#),
    ];
    for (format, signal, status, words) in table {
        let server = serve("hold");
        let running = check(format, &[], &[&format!("127.0.0.1:{}", server.port)]).start();
        server.wait_connected();
        running.signal(signal);
        let done = running.finish();
        assert_eq!(done.status, Some(status), "{}", done.all());
        assert!(done.out().contains(words), "{}", done.out());
        server.end();
    }
}

#[test]
fn what_is_no_reply_stands_beside_its_phase() {
    // P2 P13
    for (script, words) in [("S: hello\nhold", r#""came":["hello"]"#), ("S! 220-\\xff\\r\\n\nclose", r#""came_b64":["MjIwLf8="]"#)] {
        let server = serve(script);
        let done = check("json", &[], &[&format!("127.0.0.1:{}", server.port)]).status(6).any_out().check();
        assert!(done.out().contains(words), "{}", done.out());
        server.end();
    }
}

#[test]
fn a_list_without_hosts_has_a_head_all_the_same() {
    let done = check("csv", &["-i", "-"], &[]).stdin("# none\n").status(2).any().check();
    assert!(done.out().starts_with("time,host,port,") && done.out().lines().count() == 1, "{}", done.out());
}

// ---- Prometheus --------------------------------------------------------------------------------

#[test]
fn what_is_written_for_prometheus_is_read_by_a_strict_parser() {
    // P14
    let done = all_kinds("prometheus");
    let read = parse_prometheus(&done.out()).unwrap_or_else(|error| panic!("{error}\n{}", done.out()));
    let values = |name: &str| -> Vec<(String, f64)> {
        let family = read.families.get(name).unwrap_or_else(|| panic!("{name}\n{}", done.out()));
        assert!(!family.help.is_empty());
        let port =
            |sample: &openmetrics_parser::Sample<_>| sample.get_labelset().unwrap().get_label_value("port").unwrap_or_default().to_owned();
        family.iter_samples().map(|sample| (port(sample), number(&sample.value))).collect()
    };
    let success = values("ehlo_check_success");
    assert_eq!(success.len(), 7);
    assert_eq!(success.iter().filter(|(_, value)| *value > 0.5).count(), 2, "{success:?}");
    assert_eq!(values("ehlo_check_certificate_not_after_timestamp_seconds").len(), 1);
    assert!(values("ehlo_check_exit_status").iter().any(|(port, value)| port == "25" && (*value - 3.0).abs() < f64::EPSILON));
    assert_eq!(values("ehlo_check_hosts").len(), 3);
    assert!(done.err().contains("line 6: "), "{}", done.err());
}

fn number(value: &openmetrics_parser::PrometheusValue) -> f64 {
    match value {
        openmetrics_parser::PrometheusValue::Gauge(number) => number.as_f64(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_that_is_named_twice_is_one_series_and_tls_makes_another_one() {
    let server = serve(&format!("{FINE}\nagain\nS: 220 mx\nhold"));
    let place = format!("127.0.0.1:{}", server.port);
    let done = check("prometheus", &["-j", "1"], &[&place, &place, &format!("smtps://{place}")]).status(10).any().check();
    let samples = parse_prometheus(&done.out()).unwrap();
    assert!(!samples.families.is_empty());
    for protocol in ["smtp", "smtps"] {
        let labels = format!(r#"ehlo_check_success{{host="127.0.0.1",port="{}",protocol="{protocol}"}} "#, server.port);
        assert_eq!(done.out().matches(&labels).count(), 1, "{}", done.out());
    }
    drop(server);
}

// ---- Nagios ------------------------------------------------------------------------------------

/// A value of performance data as the guidelines write it: label, value with unit, and what follows it.
#[derive(Debug, PartialEq)]
struct Datum {
    label: String,
    value: String,
    rest: Vec<String>,
}

/// State, text and data of a plugin's first line.
fn plugin(line: &str) -> (String, String, Vec<Datum>) {
    let (text, data) = line.split_once(" | ").unwrap_or_else(|| panic!("no data: {line}"));
    assert!(!text.contains('|') && !data.contains('|'), "{line}");
    let (state, text) = text.strip_prefix("SMTP ").and_then(|text| text.split_once(" - ")).unwrap_or_else(|| panic!("{line}"));
    (state.to_owned(), text.to_owned(), measured(data))
}

fn measured(mut data: &str) -> Vec<Datum> {
    let mut all = Vec::new();
    while !data.is_empty() {
        let (label, after) = match data.strip_prefix('\'') {
            Some(quoted) => quoted.split_once("'=").unwrap(),
            None => data.split_once('=').unwrap(),
        };
        assert!(!label.contains(['\'', '=']), "{data}");
        let (values, next) = after.split_once(' ').unwrap_or((after, ""));
        let mut values = values.split(';').map(str::to_owned);
        let value = values.next().unwrap();
        let bare = value.trim_end_matches('s');
        assert!(bare == "U" || bare.parse::<f64>().is_ok(), "{data}");
        all.push(Datum { label: label.to_owned(), value, rest: values.collect() });
        data = next;
    }
    all
}

#[test]
fn the_exit_status_of_a_plugin_is_its_state() {
    let table: &[(&str, &[&str], i32, &str, &str)] = &[
        (FINE, &["--through", "ehlo"], 0, "OK", " in 0."),
        (FINE, &[], 1, "WARNING", ": no STARTTLS, in 0."),
        (FINE, &["--through", "ehlo", "-w", "0.000001"], 1, "WARNING", ": slow, in 0."),
        (FINE, &["--through", "ehlo", "-c", "0.000001"], 2, "CRITICAL", ": slow: "),
        (SECURED, &[], 2, "CRITICAL", "the certificate is self-signed (certificate, "),
        (SECURED, &["-k"], 1, "WARNING", ", TLS 1.3, cert "),
        (HOSTILE, &[], 2, "CRITICAL", ": EHLO refused (550"),
        ("S: 421 busy\nclose", &[], 2, "CRITICAL", ": greets with a refusal (421) (banner, "),
    ];
    for (script, flags, status, state, words) in table {
        let server = serve(script);
        let done = check("nagios", flags, &[&format!("127.0.0.1:{}", server.port)]).status(*status).any_out().check();
        let out = done.out();
        let (said, text, data) = plugin(out.lines().next().unwrap());
        assert_eq!(said, *state, "{out}");
        assert!(text.starts_with("127.0.0.1:") && text.contains(words), "{out}");
        assert_eq!(data[0].label, "time", "{out}");
        assert!(!out.lines().skip(1).any(|line| line.contains('|')), "{out}");
        drop(server);
    }
}

#[test]
fn limits_stand_beside_what_was_measured() {
    let server = serve(SECURED);
    let place = format!("127.0.0.1:{}", server.port);
    let done = check("nagios", &["-k", "-w", "1", "-c", "5.5", "--cert-days", "21,7"], &[&place]).status(1).any_out().check();
    let (_, _, data) = plugin(done.out().lines().next().unwrap());
    let of = |label: &str| data.iter().find(|datum| datum.label == label).unwrap_or_else(|| panic!("{label}: {}", done.out()));
    assert_eq!(of("time").rest, ["1", "5.5", "0"]);
    assert_eq!(of("cert_days").rest, ["21:", "7:"]);
    assert!(of("banner").value.ends_with('s') && of("tls").rest.is_empty());
    server.end();
}

#[test]
fn several_hosts_make_one_line_and_each_has_its_data() {
    let done = all_kinds("nagios");
    let out = done.out();
    let (state, text, data) = plugin(out.lines().next().unwrap());
    assert_eq!((state.as_str(), done.status), ("CRITICAL", Some(2)), "{out}");
    assert!(text.starts_with("7 hosts: 0 ok, 2 warn, 5 failed; 127.0.0.1:") && text.ends_with("; ...; 1 line not understood"), "{out}");
    assert_eq!(data.iter().filter(|datum| datum.label.contains(':')).count(), 7, "{out}");
    assert_eq!(data.iter().filter(|datum| datum.value == "U").count(), 5, "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("FAILED ")).count(), 5, "{out}");
    assert!(out.contains("\nline 6: ") && out.contains("each port is refused"), "{out}");
}

#[test]
fn a_plugin_tells_what_the_server_said() {
    let server = serve("S: 554 5.7.1 no|entry\nhold");
    let done = check("nagios", &[], &[&format!("127.0.0.1:{}", server.port)]).status(2).any_out().check();
    assert_eq!(done.out().lines().nth(1), Some("554 5.7.1 no/entry"), "{}", done.out());
    server.end();
}

#[test]
fn a_refusal_of_ehlo_is_not_forgotten_because_helo_was_tried_after_it() {
    // P44, P54
    const LINES: &str = "S: 550-5.7.1 Blocked: see\nS: 550 5.7.1 https://list.test/?ip";
    let schema = jsonschema::validator_for(&strict_schema()).unwrap();
    let table: &[(&str, i32, &str)] = &[
        ("C: HELO a\nclose", 1, "refused"),
        ("C: HELO a\nS: 550 5.7.1 no\nhold", 1, "refused"),
        ("C: HELO a\nS: 250 mx\nC: QUIT\nS: 221 bye", 0, "null"),
    ];
    for (rest, status, failure) in table {
        for format in ["text", "json", "csv", "nagios"] {
            let server = serve(&format!("S: 220 mx\nC: EHLO a\n{LINES}\n{rest}"));
            // A warning has a status of its own there.
            let status = if format == "nagios" { *status + 1 } else { *status };
            let done = check(format, &[], &[&format!("127.0.0.1:{}", server.port)]).status(status).any_out().check();
            for line in ["5.7.1 Blocked: see", "5.7.1 https://list.test/?ip"] {
                assert!(done.out().contains(line), "{format}: {line}\n{}", done.out());
            }
            if format == "json" {
                let line: Value = serde_json::from_str(done.out().lines().next().unwrap()).unwrap();
                assert!(schema.is_valid(&line), "{line:#}");
                assert_eq!(line["failure"].as_str().unwrap_or("null"), *failure, "{line:#}");
            }
            server.end();
        }
    }
    // For now: a status of its own, and HELO is not tried.
    let server = serve("S: 220 mx\nC: EHLO a\nS: 421-4.7.0 Too many\nS: 421 4.7.0 connections\nclose");
    check("text", &[], &[&format!("127.0.0.1:{}", server.port)]).status(9).out("<! 421-4.7.0 Too many\n<! 421 4.7.0 connections").check();
    server.finish();
}

#[cfg(unix)]
#[test]
fn a_socket_has_neither_host_nor_port() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("no-such");
    let target = format!("lmtp:unix:{}", path.display());
    let done = check("json", &[], &[&target]).status(4).any_out().check();
    assert!(done.out().contains(r#""host":null"#) && done.out().contains(r#""port":null"#), "{}", done.out());
}

#[test]
fn a_plugin_that_cannot_check_is_unknown() {
    let table: &[&[&str]] = &[
        &["check", "--format", "nagios"],
        &["check", "--format=nagios", "--nonsense", "x"],
        &["check", "--format", "nagios", "--watch", "1", "x"],
        &["check", "--format", "nagios", "--through", "rcpt", "x"],
        &["check", "--format", "nagios", "-i", "no-such-file"],
    ];
    for arguments in table {
        let done = ehlo(arguments.iter().copied()).status(3).any_out().check();
        assert!(done.out().starts_with("SMTP UNKNOWN - ") && done.out().lines().count() == 1, "{}", done.out());
    }
    let done = check("nagios", &["-i", "-"], &[]).stdin("# none\n").status(3).any().check();
    assert!(done.out().starts_with("SMTP UNKNOWN - 0 hosts"), "{}", done.out());
}
