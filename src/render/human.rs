//! Replies, failures and explanations as rows for a person.

use std::fmt::Write as _;
use std::time::Duration;

use super::description;
use super::style::{Row, Sign};
use crate::explain::failure::Diagnosis;
use crate::explain::reply::{Fact, Situation};
use crate::host::shown_ip;
use crate::jobs::check::words;
use crate::net::dial::{Attempt, Cause};
use crate::sasl::Description;
use crate::session::dialogue::{Challenge, Question};
use crate::session::{Ending, Expected};
use crate::text::{printable, printable_str};
use crate::wire::code::Class;
use crate::wire::reply::Reply;

/// The rows of a reply: the server's lines, nothing else.
pub fn reply(reply: &Reply) -> Vec<Row> {
    let sign = match reply.class() {
        Some(Class::Transient) => Sign::ServerLater,
        Some(Class::Permanent) | None => Sign::ServerNo,
        Some(Class::Success | Class::Intermediate) => Sign::Server,
    };
    reply.lines.iter().map(|line| Row::new(sign, printable(line))).collect()
}

/// A line that is no reply.
pub fn stray(line: &[u8]) -> Row {
    Row::new(Sign::ServerNo, printable(line))
}

/// The three parts of a diagnosis below its headline.
pub fn diagnosis(diagnosis: &Diagnosis) -> Vec<Row> {
    let mut rows = vec![Row::warning(diagnosis.headline.clone()), Row::block("")];
    labelled(&mut rows, "What happened", std::slice::from_ref(&diagnosis.happened), false);
    labelled(&mut rows, "Likely", &diagnosis.likely, true);
    labelled(&mut rows, "Next", &diagnosis.next, false);
    rows.push(Row::block(""));
    rows
}

fn labelled(rows: &mut Vec<Row>, label: &str, items: &[String], numbered: bool) {
    for (at, item) in items.iter().enumerate() {
        let number = if numbered && items.len() > 1 { format!("{}. ", at + 1) } else { String::new() };
        rows.push(Row::field(&format!("{:<15}{number}", if at == 0 { label } else { "" }), item));
    }
}

/// A fact at length, as `:explain` shows it.
pub fn fact(fact: &Fact, situation: &Situation, reply: &Reply) -> Vec<Row> {
    let first = printable(reply.lines.first().unwrap_or_default()).into_owned();
    let place = if situation.verb.is_empty() { String::new() } else { format!("at {}", printable_str(&situation.verb)) };
    let gap = 77_usize.saturating_sub(first.chars().count() + place.len()).max(2);
    let mut rows = vec![Row::block(format!("{first}{}{place}", " ".repeat(gap))), Row::block("")];
    let mut section = |label: &str, items: Vec<String>, listed: bool| {
        for (at, item) in items.iter().enumerate() {
            let bullet = if listed && items.len() > 1 { "- " } else { "" };
            rows.push(Row::field(&format!("{:<9}{bullet}", if at == 0 { label } else { "" }), item));
        }
    };
    section("Meaning", vec![fact.meaning.to_owned()], false);
    section("Likely", fact.likely().map(str::to_owned).collect(), true);
    section("Next", fact.next().map(str::to_owned).collect(), true);
    section("Source", vec![fact.source.to_owned()], false);
    rows
}

/// What a challenge says and what is wanted now. `carried`: the answer is given for the operator.
pub fn challenge(mechanism: &str, challenge: &Challenge, said: Option<&Description>, carried: bool) -> Vec<Row> {
    let reading = challenge.decoded.as_ref().map(crate::explain::blob::describe);
    let is_usual = challenge.is_usual_text(mechanism);
    let is_question = !matches!(challenge.asks, Question::Base64 { .. });
    let mut rows = match (said, &reading) {
        _ if challenge.holds_secret => vec![Row::note("The challenge gives back what was sent, and is not shown.")],
        _ if is_usual => {
            vec![Row::note(format!(
                "\"{}\" is not base64, but a usual answer: the server waits for the first message.",
                printable(&challenge.raw)
            ))]
        }
        (Some(said), _) if !is_question => description::rows(said),
        (_, Ok(reading)) if reading.text.is_empty() && is_question => vec![Row::note("The server asks without words.")],
        (_, Ok(reading)) if reading.text.is_empty() => vec![Row::note("The server waits for the first message.")],
        (_, Ok(reading)) if reading.is_text => vec![Row::note(format!("The server asks \"{}\".", reading.text))],
        (_, Ok(reading)) => vec![Row::note(format!("The challenge is {}.", reading.text))],
        (_, Err(_)) => vec![Row::note(format!("The challenge is not base64: \"{}\".", printable(&challenge.raw)))],
    };
    let wants = if carried { "" } else { wanted(challenge.asks) };
    match rows.last_mut() {
        Some(row) if is_question && !wants.is_empty() => row.text = format!("{} {wants}", row.text),
        Some(_) if is_question => {}
        _ if carried => {}
        _ => {
            let name = printable_str(mechanism);
            let by_itself = if crate::sasl::lookup(mechanism).is_some() { ":answer goes on for you, " } else { "" };
            rows.push(Row::note(format!("{}{by_itself}* cancels; a line of base64 is sent as it is.", wants.replace("{name}", &name))));
        }
    }
    if let Ok(reading) = reading
        && !is_usual
    {
        rows.extend(reading.remarks.iter().map(|remark| Row::hint(format!("The server's base64 is odd: {remark}."))));
    }
    rows
}

/// What the operator can do at a challenge.
fn wanted(asks: Question) -> &'static str {
    match asks {
        Question::UserName => "Type it as it is; it goes out as base64.",
        Question::Password => "Your answer is not shown, logged or remembered.",
        Question::UserNameAndPassword => "User name and password go out in one base64 message.",
        Question::Base64 { binary: false } => "",
        Question::Base64 { binary: true } => "{name} is an exchange of binary messages: it cannot be typed by hand. ",
    }
}

/// Why an address did not answer.
pub fn attempt(attempt: &Attempt) -> Row {
    let words = match &attempt.cause {
        Cause::NoRoute if attempt.address.is_ipv6() => "no route (has this machine IPv6?)".to_owned(),
        Cause::TimedOut => format!("no answer within {}", duration(attempt.took)),
        other => words::cause(other),
    };
    Row::note(format!("{} port {}: {words}", shown_ip(&attempt.address), attempt.address.port()))
}

/// The end of a connection, in one sentence, behind what had come of a reply.
pub fn ending(ending: &Ending) -> Vec<Row> {
    let (partial, sentence) = match ending {
        Ending::ClosedByUs | Ending::Closed { announced: true, .. } => return Vec::new(),
        Ending::Closed { partial, awaited, .. } => {
            (partial.as_slice(), format!("The server closed the connection{}", while_waiting(awaited.as_ref())))
        }
        Ending::Lost { reason, partial, awaited, .. } => {
            (partial.as_slice(), format!("The connection is lost{}: {}", while_waiting(awaited.as_ref()), printable_str(reason)))
        }
        Ending::TimedOut { awaited: Some(awaited), after, partial } => (
            partial.as_slice(),
            format!(
                "No complete reply within {}: waited for {}; the connection is closed",
                duration(*after),
                printable_str(&awaited.describe())
            ),
        ),
        Ending::TimedOut { awaited: None, after, partial } => {
            (partial.as_slice(), format!("The server took nothing more for {}; the connection is closed", duration(*after)))
        }
        Ending::Flood => (&[][..], "The server sends line after line that nobody asked for; the connection is closed".to_owned()),
        Ending::TooLong { kind, partial } => {
            (partial.as_slice(), format!("The reply is too long ({}); the connection is closed", kind.describe()))
        }
    };
    let mut rows: Vec<Row> = partial.iter().map(|line| Row::new(Sign::ServerNo, printable(line))).collect();
    if !partial.is_empty() {
        rows.push(Row::note("The reply above is not complete."));
    }
    rows.push(Row::warning(format!("{sentence}.")));
    if ending.awaited().is_some_and(Expected::is_fate) {
        rows.push(Row::hint(
            "Outcome unknown: the server may have taken the message or not. Look for it before sending it again (RFC 1047).",
        ));
    }
    rows
}

fn while_waiting(awaited: Option<&Expected>) -> String {
    awaited.map(|what| format!(" instead of {}", printable_str(&what.describe()))).unwrap_or_default()
}

/// A duration for people: `38 ms`, `4.2 s`, `5 min`.
pub fn duration(duration: Duration) -> String {
    let mut out = String::new();
    write_duration(duration, &mut out);
    out
}

/// [`duration`] behind what stands in `out`.
pub fn write_duration(duration: Duration, out: &mut String) {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // Writing to a String cannot fail.
    let _ = match ms {
        0..1000 => write!(out, "{ms} ms"),
        1000..10_000 if ms % 1000 >= 100 => write!(out, "{}.{} s", ms / 1000, ms % 1000 / 100),
        1000..120_000 => write!(out, "{} s", ms / 1000),
        _ => write!(out, "{} min", ms / 60_000),
    };
}

/// A moment in milliseconds since 1970: `2026-11-23 15:20:11 UTC`.
pub fn moment(ms: u64) -> String {
    format!("{} UTC", utc_date(ms / 1000))
}

/// `2026-11-23 15:20:11`, from seconds since 1970.
pub fn utc_date(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(at) = date else { return format!("{seconds} s after 1970") };
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", at.year(), u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_iso_dates() {
        assert_eq!(moment(1_795_447_211_999), "2026-11-23 15:20:11 UTC");
        assert_eq!(moment(u64::MAX), "18446744073709551 s after 1970 UTC");
    }

    #[test]
    fn durations_are_for_people() {
        for (ms, shown) in [(0, "0 ms"), (38, "38 ms"), (4230, "4.2 s"), (5000, "5 s"), (41_900, "41 s"), (300_000, "5 min")] {
            assert_eq!(duration(Duration::from_millis(ms)), shown);
        }
    }

    #[test]
    fn the_end_says_what_was_awaited_and_what_had_come() {
        // P11
        let rows = ending(&Ending::Closed { partial: vec![b"250-mx\x1b".to_vec()], awaited: Some(Expected::FinalDot), announced: false });
        let text: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(text[0], r"250-mx\x1b");
        assert!(
            text.iter().any(|line| line.contains("instead of the reply to the message"))
                && text.iter().any(|line| line.contains("Outcome unknown")),
            "{text:?}"
        );
    }
}
