//! Things worth noticing in replies that are no refusals (and a few in ones that are).

use std::net::IpAddr;

use crate::host::{is_loopback, is_private};
use crate::text::{lossy, printable, printable_str};
use crate::wire::code::ReplyCode;
use crate::wire::keyword::{Capabilities, Keyword};
use crate::wire::line_length::{LongLines, MAX_AUTH_LINE, MAX_COMMAND_LINE, MAX_TEXT_LINE};
use crate::wire::reply::{Oddity, Reply};

/// Remarks about the greeting. `host` is the server as the operator named it.
pub fn greeting(reply: &Reply, host: &str) -> Vec<String> {
    masked(reply).or_else(|| internal(reply, host)).into_iter().collect()
}

/// The greeting is masked.
pub fn masked(reply: &Reply) -> Option<String> {
    let text = reply.first_text();
    let stars = text.iter().filter(|&&b| b == b'*').count();
    (stars > 4 && stars * 2 > text.len()).then(|| {
        "The greeting is masked with asterisks: a firewall inspects SMTP here (Cisco ASA/PIX does this) and may hide STARTTLS and AUTH."
            .to_owned()
    })
}

/// EHLO is refused and HELO is taken: the server's words about EHLO.
pub fn only_helo(refusal: &Reply) -> String {
    format!("EHLO is refused and HELO is not: no TLS, no login, no size limit can be offered. {}", super::talk::said(refusal))
}

/// The greeting names what only the inside knows. To who called by a name of the inside that is no news.
pub fn internal(reply: &Reply, host: &str) -> Option<String> {
    let name = reply.first_text().split(|&b| b == b' ').next().unwrap_or_default();
    let text = lossy(name);
    let bare = text.trim_matches(['[', ']']);
    let named = is_internal_name(&text);
    // An address ends as no name does.
    let may_be_address = bare.ends_with(|last: char| last.is_ascii_hexdigit() || last == ':');
    let is_inside = named || may_be_address && bare.parse().is_ok_and(is_internal);
    let called_inside = || is_internal_name(host) || !host.contains(['.', ':']);
    if !is_inside || bare.eq_ignore_ascii_case(host) || called_inside() {
        return None;
    }
    let what = if named { "name" } else { "address" };
    Some(format!(
        "The greeting names {}, an internal {what}, but you called {}. Outside servers see it: set the FQDN of the receive connector (Set-ReceiveConnector -Fqdn) or myhostname.",
        printable(name),
        printable(host.as_bytes())
    ))
}

/// `localhost`, or a name under one of the ends that no public zone has.
fn is_internal_name(name: &str) -> bool {
    let ends = ["local", "lan", "internal", "corp", "home", "localdomain"];
    let last = name.rsplit_once('.').map(|(_, last)| last);
    name.eq_ignore_ascii_case("localhost") || last.is_some_and(|last| ends.iter().any(|end| last.eq_ignore_ascii_case(end)))
}

/// Private, link-local or loopback.
fn is_internal(address: IpAddr) -> bool {
    is_private(address) || is_loopback(address)
}

/// What an MX record says that names the machine of whoever follows it.
pub fn mx_names_own_machine(host: &str) -> String {
    format!(
        "The MX record names {}, which is the sender's own machine: each sender that follows it connects to itself, and the mail loops or bounces.",
        printable(host.as_bytes())
    )
}

/// What the address of a mail server that an MX record names is to others; `itself`: we have reached this machine
/// itself.
pub fn mx_address(host: &str, address: IpAddr, itself: bool) -> Option<String> {
    let host = printable(host.as_bytes());
    if is_loopback(address) {
        return Some(format!("{host} is {address}, a loopback address: who looks it up here reaches their own machine."));
    }
    if itself {
        return Some(format!("{host} is {address}, an address of this machine itself."));
    }
    is_private(address).then(|| format!("{host} is {address}, a private address: it cannot be reached from the internet."))
}

/// What stands behind a list of mail servers that is not whole.
pub fn mx_left_out(domain: &str, shown: usize, left_out: usize) -> String {
    format!(
        "{} has {} mail servers: only the first {shown} in order of preference are looked at, and {left_out} are left out.",
        printable(domain.as_bytes()),
        shown + left_out
    )
}

/// The same of the addresses of a name.
pub fn addresses_left_out(host: &str, shown: usize, left_out: usize) -> String {
    format!("{} has {} addresses: only {shown} are looked at, and {left_out} are left out.", printable(host.as_bytes()), shown + left_out)
}

/// Keywords that a device on the way has overwritten.
pub fn overwritten(offer: &Capabilities) -> Vec<String> {
    let masked = offer.beginning("XXX").filter(|keyword| is_overwritten(keyword.name()));
    let sentence = |name: &str| {
        let twin = if name.len() == "STARTTLS".len() { "; it is as long as STARTTLS" } else { "" };
        format!("{} has been overwritten on the way{twin}.", printable(name.as_bytes()))
    };
    masked.map(|keyword| sentence(keyword.name())).collect()
}

/// One line that sums the offer of EHLO up, and remarks.
pub fn capabilities(offer: &Capabilities) -> (String, Vec<String>) {
    let mut parts = Vec::new();
    if offer.has("STARTTLS") {
        parts.push("TLS (STARTTLS)".to_owned());
    }
    let mechanisms = offer.mechanisms();
    if !mechanisms.is_empty() {
        let shown: Vec<_> = mechanisms.iter().take(8).map(|name| printable(name.as_bytes()).into_owned()).collect();
        let more = if mechanisms.len() > 8 { format!(" and {} more", mechanisms.len() - 8) } else { String::new() };
        parts.push(format!("login by {}{more}", join_or(&shown)));
    }
    match offer.size() {
        Some(0) => parts.push("messages of any size".to_owned()),
        Some(limit) => parts.push(format!("messages up to {}", crate::text::size(limit))),
        None => {}
    }
    let summary = if parts.is_empty() {
        "Offers neither TLS nor login nor a size limit.".to_owned()
    } else {
        format!("Offers {}.", parts.join(", "))
    };
    let mut remarks = overwritten(offer);
    remarks.extend(super::login::listed_elsewhere(offer));
    if let Some(size) = offer.get("SIZE")
        && offer.size().is_none()
        && size.parameters().next().is_some()
    {
        remarks.push(format!("The value of SIZE is odd: {}", printable(size.parameters().collect::<Vec<_>>().join(" ").as_bytes())));
    }
    (summary, remarks)
}

/// What EHLO offers inside TLS beside what it offered before; `None` when that is the same.
pub fn difference(before: &Capabilities, after: &Capabilities) -> Option<String> {
    let lines = |offer: &Capabilities| {
        // STARTTLS is never offered inside (RFC 3207 section 4.2): that it is gone is no news.
        let others = offer.keywords().filter(|keyword| !keyword.name().eq_ignore_ascii_case("STARTTLS"));
        others.flat_map(|keyword| line_or_mechanisms(&keyword)).collect::<Vec<_>>()
    };
    let (before, after) = (lines(before), lines(after));
    let only = |words: &str, one: &[String], other: &[String]| {
        let list: Vec<_> = one.iter().filter(|line| !other.contains(line)).map(|line| printable(line.as_bytes()).into_owned()).collect();
        if list.is_empty() { String::new() } else { format!(" {words}: {}.", list.join(", ")) }
    };
    let parts = only("New", &after, &before) + &only("Gone", &before, &after);
    (!parts.is_empty()).then(|| format!("Inside TLS the offer differs.{parts}"))
}

/// A keyword with its parameters; of AUTH each mechanism counts by itself.
fn line_or_mechanisms(keyword: &Keyword<'_>) -> Vec<String> {
    if keyword.name().eq_ignore_ascii_case("AUTH") {
        return keyword.parameters().map(|mechanism| format!("AUTH {mechanism}")).collect();
    }
    vec![keyword.words()]
}

/// Inside TLS the server says that it is another. Both texts begin with its name.
pub fn other_name(before: &str, after: &str) -> Option<String> {
    let name = |text: &str| printable(text.split(' ').next().unwrap_or_default().as_bytes()).into_owned();
    let (before, after) = (name(before), name(after));
    let same = before.eq_ignore_ascii_case(&after) || before.is_empty() || after.is_empty();
    (!same).then(|| {
        format!(
            "Inside TLS the server calls itself {after}, before it {before}: a proxy or load balancer answers for one of them, or the server has two configurations."
        )
    })
}

/// STARTTLS is offered inside TLS.
pub const STARTTLS_AGAIN: &str = "STARTTLS is offered inside TLS again, which RFC 3207 section 4.2 forbids: TLS may end at a proxy before the server, and what lies behind is in clear.";

/// `XXXXXXXA` and the like, of three X at least: what a firewall makes of keywords that it does not know.
fn is_overwritten(name: &str) -> bool {
    let head = name.trim_end_matches(['A', 'B', 'C', 'D']);
    head.bytes().all(|b| b == b'X')
}

fn join_or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// Whether a refusal is about the length of a line.
pub fn is_about_line_length(reply: &Reply) -> bool {
    let text = reply.texts().map(|text| lossy(text).to_lowercase()).collect::<Vec<_>>().join(" ");
    let has = |words: &[&str]| text.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
    has(&["line", "lines"]) && has(&["long", "longer", "length", "exceeds", "exceeded", "limit"])
}

/// Which lines of a message are too long.
pub fn long_lines(lines: LongLines) -> String {
    let LongLines { first, length, count } = lines;
    let more = match count {
        0 | 1 => String::new(),
        2 => " 1 more line is too long.".to_owned(),
        count => format!(" {} more lines are too long.", count - 1),
    };
    format!("Line {first} of the message has {length} octets; {MAX_TEXT_LINE} are allowed (RFC 5321 section 4.5.3.1.6).{more}")
}

/// How long a command line was that the server finds too long. `length` counts its CRLF.
pub fn long_command(verb: &str, length: usize) -> String {
    let (most, source) = match verb {
        "AUTH" => (MAX_AUTH_LINE, "RFC 4954 section 4"),
        _ => (MAX_COMMAND_LINE, "RFC 5321 section 4.5.3.1.4"),
    };
    let verdict = if length > most { format!("{most} are allowed") } else { format!("{most} are allowed, so the server's limit is lower") };
    format!("The line has {length} octets with its CRLF; {verdict} ({source}).")
}

/// A reply that cannot answer what it came for (P48). `what` was sent, a verb or `the message`; `due`: the codes that
/// answer it.
pub fn out_of_step(code: ReplyCode, what: &str, due: &str) -> String {
    let what = printable_str(what);
    if code.number() == 220 {
        return format!(
            "220 is a greeting, but the reply to {what} is due: the server is out of step, and later replies may answer earlier commands."
        );
    }
    format!("{code} does not answer {what} ({due} does): the server is out of step, and this counts as no answer.")
}

/// A positive reply to AUTH that is not 235 (RFC 4954 §6): it is no refusal either.
pub fn login_not_ended(code: ReplyCode) -> String {
    format!("Only 235 ends a login well: after {code} it is not known whether you are logged in.")
}

/// A reply that counts by its first digit only (RFC 5321 §4.2.1). `usual`: the code to expect there.
pub fn unusual(code: ReplyCode, usual: u16, what: &str) -> String {
    format!("{code} is unusual for {} ({usual} is the code); its first digit decides.", printable_str(what))
}

/// A departure from the grammar, in words.
pub fn oddity(oddity: Oddity, reply: &Reply) -> String {
    match oddity {
        Oddity::CodeOutOfRange => format!("{} is no code of SMTP (200 to 599): this is not an SMTP reply.", reply.code),
        Oddity::CodeChanged { to } => {
            format!("The code changes within the reply, from {} to {to}: a protocol error, and neither counts.", reply.code)
        }
        Oddity::MissingSpace => "No space behind the code: this is not an SMTP reply.".to_owned(),
        Oddity::LineWithoutCode => "A line inside the reply has no code: a protocol error.".to_owned(),
        Oddity::BareLf => "Lines end with LF alone; SMTP wants CRLF.".to_owned(),
        Oddity::ExtraCr => "Lines end with more than one CR.".to_owned(),
        Oddity::CrInside => "A CR stands inside a line.".to_owned(),
        Oddity::BlankLine => "An empty line stands inside the reply.".to_owned(),
        Oddity::LongLine => "A line is longer than 512 octets (RFC 5321 section 4.5.3.1.5).".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::{Received, ReplyParser};

    fn reply(text: &str) -> Reply {
        let mut parser = ReplyParser::default();
        parser.push(text.replace('\n', "\r\n").as_bytes());
        match parser.next_received() {
            Ok(Some(Received::Reply(reply))) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn masked_and_internal_greetings_are_noticed() {
        let table = [
            ("220 **************************0*2******\n", "masked with asterisks"),
            ("220 myserver.contoso.local Microsoft ESMTP\n", "an internal name"),
            ("220 [192.168.1.5] ESMTP\n", "an internal address"),
            ("220 localhost ESMTP\n", "an internal name"),
            ("220 [192.0.2.25] ESMTP\n", ""),
            ("220 mail.contoso.test ESMTP\n", ""),
            ("220\n", ""),
        ];
        for (text, want) in table {
            let remarks = greeting(&reply(text), "mail.contoso.test").join(" ");
            assert!(remarks.contains(want) && want.is_empty() == remarks.is_empty(), "{text}: {remarks}");
        }
    }

    #[test]
    fn what_changes_inside_tls_is_told() {
        let offer = |text: &str| Capabilities::from_reply(&reply(text));
        let before = offer("250-mx.contoso.test\n250-SIZE 100\n250-AUTH A\n250 STARTTLS\n");
        let table = [
            ("250-mx.contoso.test\n250-SIZE 100\n250 AUTH A\n", None),
            ("250-mx.contoso.test\n250-SIZE 100\n250 AUTH A B\n", Some("Inside TLS the offer differs. New: AUTH B.")),
            (
                "250-mx.contoso.test\n250-size 100\n250-AUTH A\n250 STARTTLS\n",
                Some("Inside TLS the offer differs. New: size 100. Gone: SIZE 100."),
            ),
            (
                "250-mx.contoso.test\n250-SIZE 200\n250 AUTH PLAIN\n",
                Some("Inside TLS the offer differs. New: SIZE 200, AUTH PLAIN. Gone: SIZE 100, AUTH A."),
            ),
        ];
        for (after, want) in table {
            assert_eq!(difference(&before, &offer(after)).as_deref(), want, "{after}");
        }
        for (before, after, told) in [
            ("mx.contoso.test ESMTP", "MX.contoso.test Hello [127.0.0.1]", false),
            ("mx.contoso.test ESMTP", "", false),
            ("mx.contoso.test ESMTP", "back\x1bend.contoso.test", true),
        ] {
            let text = other_name(before, after);
            assert_eq!(text.is_some(), told, "{text:?}");
            assert!(text.is_none_or(|text| text.contains(r"calls itself back\x1bend.contoso.test, before it mx.contoso.test")));
        }
    }

    #[test]
    fn refusals_about_long_lines_are_known() {
        let table = [
            ("500 5.0.0: Line too long\n", true),
            ("500 5.5.2 line length exceeded\n", true),
            ("552 Message has lines longer than 998\n", true),
            ("500 Error: line too long.\n", true),
            ("554 5.6.0 maximum line length is 1000\n", true),
            ("552 5.3.4 message too long\n", false),
            ("550 belongs to an online account\n", false),
            ("550 5.1.1 no such user\n", false),
        ];
        for (text, want) in table {
            assert_eq!(is_about_line_length(&reply(text)), want, "{text}");
        }
        let long = |first, length, count| long_lines(LongLines { first, length, count });
        assert_eq!(long(4, 1500, 1), "Line 4 of the message has 1500 octets; 998 are allowed (RFC 5321 section 4.5.3.1.6).");
        assert!(long(4, 1500, 2).ends_with(" 1 more line is too long.") && long(4, 1500, 3).ends_with(" 2 more lines are too long."));
        assert_eq!(long_command("NOOP", 600), "The line has 600 octets with its CRLF; 512 are allowed (RFC 5321 section 4.5.3.1.4).");
        assert!(long_command("AUTH", 600).contains("12288 are allowed, so the server's limit is lower"));
    }

    #[test]
    fn the_offer_is_summed_up() {
        let offer = Capabilities::from_reply(&reply("250-mx\n250-SIZE 37748736\n250-STARTTLS\n250 AUTH NTLM LOGIN\n"));
        assert_eq!(capabilities(&offer).0, "Offers TLS (STARTTLS), login by NTLM or LOGIN, messages up to 36 MiB.");
        let masked = Capabilities::from_reply(&reply("250-mx\n250 XXXXXXXA\n"));
        assert_eq!(capabilities(&masked).1, ["XXXXXXXA has been overwritten on the way; it is as long as STARTTLS."]);
    }
}
