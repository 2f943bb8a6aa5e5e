//! The header that SCRAM and OAUTHBEARER begin with (RFC 5801 §4): `flag "," ["a=" authzid] ","`.

/// A name in a header or message: comma and equals sign would end it.
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The name again; `None` when an equals sign stands for nothing.
pub(super) fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let comma = part.strip_prefix("2C").map(|rest| (',', rest));
        let (c, rest) = comma.or_else(|| part.strip_prefix("3D").map(|rest| ('=', rest)))?;
        out.push(c);
        out.push_str(rest);
    }
    Some(out)
}

/// The header of a flag and an authorization identity, which may be empty.
pub(super) fn header(flag: &str, authzid: &str) -> String {
    match authzid {
        "" => format!("{flag},,"),
        name => format!("{flag},a={},", escape(name)),
    }
}

/// A header taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// `n`, `y` or `p=` with the type of channel binding.
    pub(super) flag: &'a str,
    pub(super) authzid: String,
    /// The header itself, with its last comma.
    pub(super) whole: &'a str,
    /// What follows it.
    pub(super) rest: &'a str,
}

/// Takes the header off a message.
pub(super) fn parse(text: &str) -> Option<Header<'_>> {
    let (flag, after) = text.split_once(',')?;
    let (authzid, rest) = after.split_once(',')?;
    let known = matches!(flag, "n" | "y") || flag.strip_prefix("p=").is_some_and(|name| !name.is_empty());
    let authzid = match authzid {
        "" => String::new(),
        name => unescape(name.strip_prefix("a=")?)?,
    };
    known.then_some(Header { flag, authzid, whole: &text[..text.len() - rest.len()], rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_made_and_read() {
        for (flag, authzid, want) in
            [("n", "", "n,,"), ("y", "a,b=c", "y,a=a=2Cb=3Dc,"), ("p=tls-exporter", "boss", "p=tls-exporter,a=boss,")]
        {
            assert_eq!(header(flag, authzid), want);
            let whole = format!("{want}n=user,x");
            assert_eq!(parse(&whole), Some(Header { flag, authzid: authzid.to_owned(), whole: want, rest: "n=user,x" }));
        }
        for text in ["", "n", "n,", "x,,", "p=,,", "n,b=x,", "n,a=x=2,", "n,a==,"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
