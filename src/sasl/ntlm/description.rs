//! What each message says.

use super::super::{Description, Party, Said};
use super::hash;
use super::message::{self, Authenticate, Challenge, Negotiate, flag, pair};

/// Beyond this a difference of clocks is worth a sentence: what Kerberos tolerates in the same domain.
const SKEW: u64 = 5 * 60 * 1000;

/// The flags by short names (MS-NLMP 2.2.2.5).
const FLAGS: &[(u32, &str)] = &[
    (flag::UNICODE, "Unicode"),
    (flag::OEM, "OEM"),
    (flag::REQUEST_TARGET, "request target"),
    (0x10, "sign"),
    (0x20, "seal"),
    (0x40, "datagram"),
    (0x80, "LM key"),
    (flag::NTLM, "NTLM"),
    (0x800, "anonymous"),
    (flag::DOMAIN_SUPPLIED, "domain supplied"),
    (flag::WORKSTATION_SUPPLIED, "workstation supplied"),
    (flag::ALWAYS_SIGN, "always sign"),
    (flag::TARGET_DOMAIN, "target is a domain"),
    (0x2_0000, "target is a server"),
    (flag::SESSION_SECURITY, "extended session security"),
    (0x10_0000, "identify"),
    (0x40_0000, "non-NT session key"),
    (flag::TARGET_INFO, "target information"),
    (flag::VERSION, "version"),
    (0x2000_0000, "128 bit"),
    (0x4000_0000, "key exchange"),
    (0x8000_0000, "56 bit"),
];

/// By what the message says it is. What the client sent in place of the third message stays hidden.
pub(super) fn describe(said: &Said<'_>) -> Option<Description> {
    if let Ok(challenge) = Challenge::read(said.bytes) {
        return Some(second(&challenge, said.now));
    }
    match said.from {
        Party::Server if said.bytes.starts_with(b"NTLMSSP\0") => None,
        Party::Server => Some(Description::new("NTLM: go ahead").open_if_any("text", &String::from_utf8_lossy(said.bytes))),
        Party::Client => match (Negotiate::read(said.bytes), Authenticate::read(said.bytes)) {
            (Ok(negotiate), _) => Some(first(&negotiate)),
            (_, Ok(authenticate)) => Some(third(&authenticate)),
            (_, Err(why)) if said.number > 0 || said.bytes.starts_with(b"NTLMSSP\0") => Some(
                Description::new("NTLM message, damaged").hidden("message", said.bytes).remark(format!("The message is damaged: {why}.")),
            ),
            _ => None,
        },
    }
}

fn first(negotiate: &Negotiate) -> Description {
    let title = Description::new("NTLM 1 of 3: negotiate").open("flags", names(negotiate.flags));
    title.open_if_any("domain", &negotiate.domain).open_if_any("workstation", &negotiate.workstation)
}

fn second(challenge: &Challenge<'_>, now: u64) -> Description {
    let fields = [
        ("target", challenge.target.clone()),
        ("server", challenge.name(pair::COMPUTER)),
        ("domain", challenge.name(pair::DOMAIN)),
        ("server in DNS", challenge.name(pair::DNS_COMPUTER)),
        ("domain in DNS", challenge.name(pair::DNS_DOMAIN)),
        ("forest", challenge.name(pair::FOREST)),
        ("system", system(challenge)),
        ("flags", names(challenge.flags)),
        ("server challenge", hash::hex(&challenge.nonce)),
    ];
    let mut described = Description::new(title(challenge));
    for (name, text) in &fields {
        described = described.open_if_any(name, text);
    }
    if let Some(server) = challenge.time().and_then(message::moment) {
        described = skewed(described.moment("time", server), server, now);
    }
    if challenge.pairs.is_empty() {
        described = described.remark("It carries no target information: only NTLMv1 can answer it, which is weak.");
    }
    described
}

/// `NTLM 2 of 3: challenge from CONTOSO, server MAIL01 (mail01.contoso.test), Windows build 20348`.
fn title(challenge: &Challenge<'_>) -> String {
    let mut title = String::from("NTLM 2 of 3: challenge");
    let server = match (challenge.name(pair::COMPUTER), challenge.name(pair::DNS_COMPUTER)) {
        (short, long) if short.is_empty() || long.is_empty() => short + &long,
        (short, long) => format!("{short} ({long})"),
    };
    for (before, text) in [(" from ", challenge.target.clone()), (", server ", server), (", ", system(challenge))] {
        if !text.is_empty() {
            title += before;
            title += &text;
        }
    }
    title
}

/// Servers that are not Windows leave the build number at 0.
fn system(challenge: &Challenge<'_>) -> String {
    match challenge.system {
        Some((_, _, build)) if build > 0 => format!("Windows build {build}"),
        _ => String::new(),
    }
}

fn skewed(described: Description, server: u64, now: u64) -> Description {
    if now == 0 || server.abs_diff(now) <= SKEW {
        return described;
    }
    let side = if server > now { "ahead of" } else { "behind" };
    described.remark(format!(
        "The server's clock is {} {side} this machine's: Kerberos in the same domain tolerates 5 minutes.",
        duration(server.abs_diff(now) / 60_000)
    ))
}

fn duration(minutes: u64) -> String {
    match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

fn third(message: &Authenticate<'_>) -> Description {
    let pairs = message::response_pairs(&message.nt).unwrap_or_default();
    let service = message::find(&pairs, pair::SERVICE).map(message::from_utf16).unwrap_or_default();
    let bound = message::find(&pairs, pair::BINDINGS).is_some_and(|hash| hash.iter().any(|&byte| byte != 0));
    let mut described = Description::new("NTLM 3 of 3: authenticate")
        .open("user", message.user.as_str())
        .open_if_any("domain", &message.domain)
        .open_if_any("workstation", &message.workstation)
        .open("response of", version(message))
        .open_if_any("service", &service)
        .open_if_any("channel binding", if bound { "tls-server-end-point" } else { "" })
        .open("flags", names(message.flags));
    let time = message.nt.get(24..).and_then(|rest| rest.first_chunk());
    if let Some(at) = time.copied().map(u64::from_le_bytes).and_then(message::moment) {
        described = described.moment("time", at);
    }
    let mic = message.mic.unwrap_or_default();
    let secrets: [(&str, &[u8]); 4] =
        [("LM response", &message.lm), ("NT response", &message.nt), ("session key", &message.session_key), ("MIC", &mic)];
    for (name, bytes) in secrets.into_iter().filter(|(_, bytes)| bytes.iter().any(|&byte| byte != 0)) {
        described = described.hidden(name, bytes);
    }
    described
}

fn version(message: &Authenticate<'_>) -> &'static str {
    match (message.nt.len(), message.flags & flag::SESSION_SECURITY) {
        (0, _) => "nobody",
        (24, 0) => "NTLMv1",
        (24, _) => "NTLMv1 with extended session security",
        _ => "NTLMv2",
    }
}

fn names(flags: u32) -> String {
    let names: Vec<&str> = FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    names.join(", ")
}
