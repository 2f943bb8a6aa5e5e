//! What the tests stand on: the program run with pipes, the program at a terminal, and servers that
//! follow a text.

#[cfg(feature = "dns")]
pub(crate) mod dns;
#[cfg(unix)]
pub(crate) mod pty;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod scripted;

use std::time::Duration;

/// Nothing in these tests takes this long; a loaded machine is given the time all the same.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Whether the files that a test compares with are to be written anew.
pub(crate) fn updates() -> bool {
    std::env::var_os("EHLO_UPDATE_SNAPSHOTS").is_some()
}

/// `\r \n \t \0 \\ \e \xNN` become bytes; all else stays as it is.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let (byte, taken) = match (first, tail) {
            (b'\\', [b'r', ..]) => (b'\r', 1),
            (b'\\', [b'n', ..]) => (b'\n', 1),
            (b'\\', [b't', ..]) => (b'\t', 1),
            (b'\\', [b'0', ..]) => (0, 1),
            (b'\\', [b'e', ..]) => (0x1b, 1),
            (b'\\', [b'\\', ..]) => (b'\\', 1),
            (b'\\', [b'x', high, low, ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                (u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("\\x{digits} is no byte")), 3)
            }
            _ => (*first, 0),
        };
        out.push(byte);
        rest = &rest[taken..];
    }
    out
}

/// The text without what differs from run to run: ports, times, the program's version.
pub(crate) fn normal(text: &str, port: u16) -> String {
    let text = text.replace(&port.to_string(), "PORT").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let mut out = String::new();
    for line in text.lines() {
        // Only said when a reply was slow, which a loaded machine makes it.
        if line.trim_start_matches("*  ").starts_with("(reply after ") {
            continue;
        }
        out.push_str(&without_times(line));
        out.push('\n');
    }
    out
}

/// `in 38 ms` and `after 1.2 s` lose their numbers.
fn without_times(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches(['.', ';', ',']);
        if matches!(unit, "ms" | "s")
            && words[at - 1].chars().all(|c| c.is_ascii_digit() || c == '.')
            && at > 1
            && matches!(words[at - 2], "in" | "after")
        {
            words[at - 1] = "N";
            words[at] = if words[at].len() > unit.len() { "ms." } else { "ms" };
        }
    }
    words.join(" ")
}
