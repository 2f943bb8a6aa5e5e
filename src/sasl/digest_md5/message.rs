//! The messages of DIGEST-MD5 and what is computed over them.

use crate::sasl::hash::{hex, md5};

/// Longer messages are not read (RFC 2831 §2.1.2).
const MAX_MESSAGE: usize = 4096;

/// Takes a message apart: `key=value` or `key="quoted value"`, apart by commas (RFC 2831 §7.1). Keys come in
/// small letters.
pub(super) fn directives(message: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut rest = (message.len() <= MAX_MESSAGE).then_some(message)?;
    let mut out = Vec::new();
    loop {
        let start = rest.iter().position(|byte| !b" \t\r\n,".contains(byte));
        let Some(start) = start else { return (!out.is_empty()).then_some(out) };
        rest = &rest[start..];
        let at = rest.iter().position(|&byte| byte == b'=')?;
        let key = std::str::from_utf8(&rest[..at]).ok()?.trim_end().to_ascii_lowercase();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return None;
        }
        let (value, length) = value(&rest[at + 1..])?;
        rest = &rest[at + 1 + length..];
        out.push((key, value));
    }
}

/// The value in front, and how many bytes it takes.
fn value(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let spaces = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let Some(inside) = text[spaces..].strip_prefix(b"\"") else {
        let end = text.iter().position(|&byte| byte == b',').unwrap_or(text.len());
        let bare = text[..end].trim_ascii();
        return (!bare.contains(&b'"')).then(|| (bare.to_vec(), end));
    };
    let mut out = Vec::new();
    let mut bytes = inside.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => {
                let after = &inside[at + 1..];
                let more = after.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(after.len());
                let end = spaces + at + 2 + more;
                return matches!(text.get(end), None | Some(b',')).then_some((out, end));
            }
            b'\\' => out.push(*bytes.next()?.1),
            _ => out.push(byte),
        }
    }
    None
}

fn quoted(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}

/// The server's challenge.
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) realms: Vec<Vec<u8>>,
    pub(super) nonce: Vec<u8>,
    pub(super) utf8: bool,
    pub(super) stale: bool,
    pub(super) offers_auth: bool,
}

impl Challenge {
    /// Reads a challenge; the error says what is wrong with it.
    pub(super) fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let all = directives(message).ok_or("it is no list of directives")?;
        let values = |name: &str| all.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect::<Vec<_>>();
        let is = |name: &str, wanted: &str| values(name).iter().any(|value| value.eq_ignore_ascii_case(wanted.as_bytes()));
        let [nonce] = <[Vec<u8>; 1]>::try_from(values("nonce")).map_err(|_| "it must have one nonce")?;
        if !is("algorithm", "md5-sess") {
            return Err("its algorithm is not md5-sess");
        }
        let qop = values("qop");
        let auth = |list: &Vec<u8>| list.split(|&byte| byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(b"auth"));
        let offers_auth = qop.is_empty() || qop.iter().any(auth);
        Ok(Self { realms: values("realm"), nonce, utf8: is("charset", "utf-8"), stale: is("stale", "true"), offers_auth })
    }
}

/// The client's answer without its digest.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) user: String,
    pub(super) realm: Option<Vec<u8>>,
    pub(super) nonce: Vec<u8>,
    pub(super) cnonce: Vec<u8>,
    pub(super) count: Vec<u8>,
    pub(super) uri: Vec<u8>,
    pub(super) authzid: Option<Vec<u8>>,
    /// Names are in UTF-8, else in Latin-1.
    pub(super) utf8: bool,
}

impl Answer {
    /// Reads an answer and its digest.
    pub(super) fn parse(message: &[u8]) -> Option<(Self, Vec<u8>)> {
        let all = directives(message)?;
        let value = |name: &str| all.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let utf8 = value("charset").is_some_and(|charset| charset.eq_ignore_ascii_case(b"utf-8"));
        let user = value("username")?;
        let user = if utf8 { String::from_utf8(user).ok()? } else { user.into_iter().map(char::from).collect() };
        let (realm, nonce, cnonce, count) = (value("realm"), value("nonce")?, value("cnonce")?, value("nc")?);
        if value("qop").is_some_and(|qop| !qop.eq_ignore_ascii_case(b"auth")) {
            return None;
        }
        Some((Self { user, realm, nonce, cnonce, count, uri: value("digest-uri")?, authzid: value("authzid"), utf8 }, value("response")?))
    }

    /// The message; the digest's directive is put in where the RFC's example has it.
    pub(super) fn compose(&self, digest: &str) -> Vec<u8> {
        let user = self.bytes(&self.user);
        let mut parts = Vec::new();
        if self.utf8 {
            parts.push(b"charset=utf-8".to_vec());
        }
        let mut add = |name: &str, value: &[u8]| parts.push([name.as_bytes(), b"=", value].concat());
        add("username", &quoted(&user));
        if let Some(realm) = &self.realm {
            add("realm", &quoted(realm));
        }
        add("nonce", &quoted(&self.nonce));
        add("nc", &self.count);
        add("cnonce", &quoted(&self.cnonce));
        add("digest-uri", &quoted(&self.uri));
        add("response", digest.as_bytes());
        add("qop", b"auth");
        if let Some(authzid) = &self.authzid {
            add("authzid", &quoted(authzid));
        }
        parts.join(&b","[..])
    }

    /// The client's digest.
    pub(super) fn response(&self, password: &str) -> String {
        self.digest(password, "AUTHENTICATE")
    }

    /// The server's digest (RFC 2831 §2.1.3).
    pub(super) fn rspauth(&self, password: &str) -> String {
        self.digest(password, "")
    }

    /// A name or password as it is sent and hashed. RFC 2831 §2.1.2.1 wants Latin-1 in the hash wherever that
    /// can be, even under charset=utf-8: Dovecot does not do so, Cyrus SASL tries both ways, so that what was
    /// sent is what both take.
    fn bytes(&self, text: &str) -> Vec<u8> {
        latin_1(text).filter(|_| !self.utf8).unwrap_or_else(|| text.as_bytes().to_vec())
    }

    /// RFC 2831 §2.1.2.1.
    fn digest(&self, password: &str, method: &str) -> String {
        let password = crate::secret::Secret::new(self.bytes(password));
        let secret = md5(&[&self.bytes(&self.user), b":", self.realm.as_deref().unwrap_or_default(), b":", password.expose()]);
        let mut a1 = vec![&secret[..], b":", &self.nonce, b":", &self.cnonce];
        if let Some(authzid) = &self.authzid {
            a1.extend([&b":"[..], authzid]);
        }
        let (a1, a2) = (hex(&md5(&a1)), hex(&md5(&[method.as_bytes(), b":", &self.uri])));
        hex(&md5(&[a1.as_bytes(), b":", &self.nonce, b":", &self.count, b":", &self.cnonce, b":auth:", a2.as_bytes()]))
    }
}

/// The text in Latin-1, where that can be.
pub(super) fn latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
