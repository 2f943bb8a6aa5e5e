//! Paths of MAIL FROM and RCPT TO, read as leniently as servers do.

/// The address and what follows it in the argument of MAIL or RCPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// Without angle brackets; empty for `<>`.
    pub address: &'a str,
    /// The parameters behind the address, as typed.
    pub parameters: &'a str,
    /// Whether it stood in angle brackets, as RFC 5321 §4.1.2 demands.
    pub bracketed: bool,
}

/// Reads `FROM:<address> PARAMETERS`, the colon and what stands before it included.
pub fn path<'a>(argument: &'a str, keyword: &str) -> Option<Path<'a>> {
    let (head, rest) = argument.split_once(':')?;
    if !head.trim().eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('<') {
        let end = closing_bracket(inner)?;
        return Some(Path { address: &inner[..end], parameters: inner[end + 1..].trim(), bracketed: true });
    }
    let (address, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Path { address, parameters: parameters.trim(), bracketed: false })
}

/// The `>` that ends the path; one inside a quoted local part does not.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(at, c)| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !was_escaped => escaped = true,
            '"' if !was_escaped => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
        None
    })
}

/// The domain of an address.
pub fn domain(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain).filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_servers_read_them() {
        let table = [
            ("FROM:<a@b.test> SIZE=1", Some(("a@b.test", "SIZE=1", true))),
            ("from: <a@b.test>", Some(("a@b.test", "", true))),
            ("FROM: someone@alt.test", Some(("someone@alt.test", "", false))),
            ("FROM:<>", Some(("", "", true))),
            ("FROM:<\"a>\\\"b\"@c.test> BODY=8BITMIME", Some(("\"a>\\\"b\"@c.test", "BODY=8BITMIME", true))),
            ("FROM:<a@b", None),
            ("TO:<a@b>", None),
            ("a@b", None),
        ];
        for (text, want) in table {
            let got = path(text, "FROM").map(|p| (p.address, p.parameters, p.bracketed));
            assert_eq!(got, want, "{text}");
        }
    }
}
