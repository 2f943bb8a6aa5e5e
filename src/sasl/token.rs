//! What XOAUTH2 and OAUTHBEARER share: a message of `key=value` pairs that carries an OAuth 2.0 access token,
//! an error in JSON where the token does not please, and what a token says of itself (RFC 7519).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Client, Description, Host, Login, Server, Trouble, Turn, hash};
use crate::secret::Secret;

/// Longer tokens are not opened.
const MAX_TOKEN: usize = 64 * 1024;
/// So many characters of a claim are kept.
const MAX_TEXT: usize = 200;
/// So many entries of a list are kept.
const MAX_ENTRIES: usize = 20;

/// What a token says of itself, where it is a JWT. Nothing of it is verified, and the signature is not looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// For whom it is (`aud`).
    pub audience: Vec<String>,
    /// Who made it (`iss`).
    pub issuer: Option<String>,
    /// The user's name (`upn`, `preferred_username` or `unique_name`).
    pub user: Option<String>,
    /// The user's identifier at the issuer (`sub`).
    pub subject: Option<String>,
    /// The application that asked for it (`appid`).
    pub application: Option<String>,
    /// What it allows (`scp`, `scope` and `roles`).
    pub scopes: Vec<String>,
    /// `iat`, in milliseconds since 1970.
    pub issued: Option<u64>,
    /// `nbf`, in milliseconds since 1970.
    pub not_before: Option<u64>,
    /// `exp`, in milliseconds since 1970.
    pub expires: Option<u64>,
}

/// The claims of a token; `None` when it is not a signed JWT: it may be good all the same.
pub fn claims(token: &[u8]) -> Option<Claims> {
    let token = std::str::from_utf8(token).ok().filter(|token| token.len() <= MAX_TOKEN)?;
    let mut parts = token.trim().split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (_, all) = (object(header)?, object(payload)?);
    let text = |name: &str| all.get(name).and_then(short);
    let moment = |name: &str| all.get(name).and_then(seconds).map(|seconds| seconds.saturating_mul(1000));
    let mut scopes: Vec<String> = ["scp", "scope", "roles"].iter().filter_map(|name| all.get(*name)).flat_map(list).collect();
    scopes.truncate(MAX_ENTRIES);
    Some(Claims {
        audience: all.get("aud").map(list).unwrap_or_default(),
        issuer: text("iss"),
        user: text("upn").or_else(|| text("preferred_username")).or_else(|| text("unique_name")),
        subject: text("sub"),
        application: text("appid"),
        scopes,
        issued: moment("iat"),
        not_before: moment("nbf"),
        expires: moment("exp"),
    })
}

/// A part of a JWT.
fn object(part: &str) -> Option<Map<String, Value>> {
    let text = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A text or number, not too long.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.chars().take(MAX_TEXT).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// One text or several.
fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(entries) => entries.iter().filter_map(short).take(MAX_ENTRIES).collect(),
        one => short(one).into_iter().collect(),
    }
}

/// A `NumericDate` (RFC 7519 §2).
fn seconds(value: &Value) -> Option<u64> {
    let fraction = || Duration::try_from_secs_f64(value.as_f64()?).ok().map(|since| since.as_secs());
    value.as_u64().or_else(fraction)
}

/// A token by itself, laid open; `None` when it is not a signed JWT.
pub fn describe(token: &[u8], now: u64) -> Option<Description> {
    claims(token)?;
    Some(describe_token(Description::new("OAuth 2.0 access token (JWT)"), token, now))
}

/// Adds the token, hidden, and what it says of itself.
fn describe_token(out: Description, token: &[u8], now: u64) -> Description {
    let mut out = out.hidden("token", token);
    let Some(claims) = claims(token) else { return out };
    let texts = [
        ("token user", claims.user),
        ("token subject", claims.subject),
        ("token audience", Some(claims.audience.join(", "))),
        ("token scope", Some(claims.scopes.join(" "))),
        ("token issuer", claims.issuer),
        ("application", claims.application),
    ];
    for (name, text) in texts {
        out = out.open_if_any(name, &text.unwrap_or_default());
    }
    for (name, at) in [("issued", claims.issued), ("valid from", claims.not_before), ("expires", claims.expires)] {
        out = at.into_iter().fold(out, |out, at| out.moment(name, at));
    }
    let late = claims.expires.filter(|at| now > 0 && *at <= now);
    let early = claims.not_before.filter(|at| now > 0 && *at > now);
    let out = late.iter().fold(out, |out, at| out.remark(format!("The token expired {} ago.", span(now - at))));
    early
        .iter()
        .fold(out, |out, at| out.remark(format!("The token becomes valid in {} only, if this machine's clock is right.", span(at - now))))
}

/// A span of milliseconds in its largest unit.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The error that a server sends in the place of its refusal (RFC 7628 §3.2.2).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// `status`: a word of RFC 6750 §3.1, or an HTTP status.
    pub status: String,
    /// `schemes`: what the server would take.
    pub schemes: Option<String>,
    /// `scope`: what the token must allow.
    pub scope: Option<String>,
    /// `openid-configuration`: where tokens are to be had.
    pub configuration: Option<String>,
}

/// Reads an error; `None` when it is not JSON with a status.
pub fn refused(challenge: &[u8]) -> Option<Refused> {
    let all: Map<String, Value> = serde_json::from_slice(challenge).ok()?;
    let text = |name: &str| all.get(name).and_then(short);
    Some(Refused { status: text("status")?, schemes: text("schemes"), scope: text("scope"), configuration: text("openid-configuration") })
}

impl Refused {
    /// The status as a sentence.
    pub fn sentence(&self) -> &'static str {
        match self.status.as_str() {
            "401" | "invalid_token" => {
                "The server does not take the token: it has expired or was withdrawn, or it is for another audience or another user."
            }
            "403" | "insufficient_scope" => "The token is good, but does not allow to send mail here.",
            "400" | "invalid_request" => "The server could not read the message, or misses something in it.",
            _ => "The server does not take the token.",
        }
    }
}

/// What a server's message says.
pub(super) fn describe_challenge(bytes: &[u8]) -> Option<Description> {
    if bytes.is_empty() {
        return Some(Description::new("go ahead"));
    }
    let error = refused(bytes)?;
    let sentence = error.sentence();
    let mut out = Description::new("OAuth error").open("status", error.status);
    for (name, text) in [("schemes", error.schemes), ("scope", error.scope), ("openid-configuration", error.configuration)] {
        out = out.open_if_any(name, &text.unwrap_or_default());
    }
    Some(out.remark(sentence))
}

/// The client's message, taken apart.
#[derive(Debug)]
pub(super) struct Parts {
    /// Empty where the message leaves it to the token.
    pub(super) user: String,
    /// In front of the token: `Bearer`.
    pub(super) scheme: String,
    pub(super) token: Secret<Vec<u8>>,
    /// The other pairs.
    pub(super) others: Vec<(String, Secret<Vec<u8>>)>,
    /// It ends as it must, with two bytes 01.
    pub(super) ends: bool,
}

impl Parts {
    /// Reads the pairs behind what names the user. The token is all that follows the scheme.
    pub(super) fn read(user: String, pairs: &[u8]) -> Option<Self> {
        let ends = pairs.ends_with(b"\x01\x01");
        let mut token = None;
        let mut others = Vec::new();
        for pair in pairs.split(|&byte| byte == 1).filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(0);
            let (key, value) = (String::from_utf8_lossy(&pair[..at]).into_owned(), pair.get(at + 1..).unwrap_or_default());
            if key == "auth" {
                token = Some(value);
            } else {
                others.push((key, Secret::new(value.to_vec())));
            }
        }
        let token = token?;
        let space = token.iter().position(|&byte| byte == b' ');
        let (scheme, token) = space.map_or((&b""[..], token), |at| (&token[..at], &token[at + 1..]));
        let scheme = String::from_utf8_lossy(scheme).into_owned();
        Some(Self { user, scheme, token: Secret::new(token.to_vec()), others, ends })
    }

    pub(super) fn describe(self, title: &str, now: u64) -> Description {
        let mut out = Description::new(title).open_if_any("user", &self.user);
        for (key, value) in &self.others {
            // What nobody knows may be anything.
            out = match key.as_str() {
                "host" | "port" => out.open_bytes(key, value.expose()),
                _ => out.hidden("another part", value.expose()),
            };
        }
        let mut out = describe_token(out.open_if_any("scheme", &self.scheme), self.token.expose(), now);
        if !self.scheme.eq_ignore_ascii_case("Bearer") {
            out = out.remark("The token must stand behind the word Bearer and a space.");
        }
        if !self.ends {
            out = out.remark("The message must end with two bytes 01.");
        }
        out
    }
}

/// The client's side of both mechanisms.
#[derive(Debug)]
pub(super) struct Bearing {
    /// The only message, of login, user name and token.
    compose: fn(&Login, &str, &str) -> String,
    /// What answers an error, to fetch the refusal.
    acknowledge: &'static str,
    state: State,
    remarks: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    /// In the line of AUTH, where some servers do not look: an empty challenge asks for it once more.
    ShownAtOnce,
    Shown,
    Refused,
}

impl Bearing {
    pub(super) fn new(compose: fn(&Login, &str, &str) -> String, acknowledge: &'static str) -> Self {
        Self { compose, acknowledge, state: State::Begin, remarks: Vec::new() }
    }

    fn show(&self, login: &Login) -> Result<String, Trouble> {
        let (user, token) = login.known()?;
        if [user, token, &login.authzid, &login.host].iter().any(|text| text.contains('\u{1}')) {
            return Err(Trouble::Impossible("user name or token holds a byte 01, which ends it in the message".to_owned()));
        }
        Ok((self.compose)(login, user, token))
    }

    fn refuse(&mut self, challenge: &[u8]) {
        self.state = State::Refused;
        let sentence =
            refused(challenge).map_or("The server does not take the token, and its error cannot be read.", |error| error.sentence());
        self.remarks.push(sentence.to_owned());
    }
}

impl Client for Bearing {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let at_once = challenge.is_none();
        let challenge = challenge.unwrap_or_default();
        let text = match self.state {
            State::Begin | State::ShownAtOnce if challenge.is_empty() => {
                let text = self.show(login)?;
                self.state = if at_once { State::ShownAtOnce } else { State::Shown };
                text
            }
            State::Begin => return Err(Trouble::BadChallenge("the client speaks first, so it should be empty")),
            State::ShownAtOnce | State::Shown => {
                self.refuse(challenge);
                self.acknowledge.to_owned()
            }
            State::Refused => return Err(Trouble::BadChallenge("after its error, the refusal should follow")),
        };
        Ok(Secret::new(text.into_bytes()))
    }

    fn adopt(&mut self, _sent: &[u8], answering: Option<&[u8]>) -> Result<(), Trouble> {
        match self.state {
            State::Begin => self.state = if answering.is_none() { State::ShownAtOnce } else { State::Shown },
            State::ShownAtOnce | State::Shown | State::Refused => self.refuse(answering.unwrap_or_default()),
        }
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

/// The server's side of both mechanisms.
#[derive(Debug)]
pub(super) struct Judging {
    parse: fn(&[u8]) -> Option<Parts>,
    error: fn(&Host) -> Value,
    refused: bool,
}

impl Judging {
    pub(super) fn new(parse: fn(&[u8]) -> Option<Parts>, error: fn(&Host) -> Value) -> Self {
        Self { parse, error, refused: false }
    }
}

impl Server for Judging {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        let Some(message) = message else { return Turn::Challenge(Vec::new()) };
        if self.refused {
            return Turn::Refuse;
        }
        let Some(parts) = (self.parse)(message).filter(|parts| parts.ends) else { return Turn::Malformed };
        // Without a name, the token says who it is.
        let user = if parts.user.is_empty() { host.users.first().cloned().unwrap_or_default() } else { parts.user };
        let right = parts.scheme.eq_ignore_ascii_case("Bearer") && hash::same(parts.token.expose(), host.token.expose().as_bytes());
        match host.judge(&user, right) {
            Turn::Refuse => {
                self.refused = true;
                Turn::Challenge((self.error)(host).to_string().into_bytes())
            }
            turn => turn,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A JWT with these claims and a signature that means nothing.
    pub(crate) fn jwt(claims: &str) -> String {
        format!("{}.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_what_it_is_for() {
        let text = r#"{"aud":"https://outlook.office365.com","iss":"https://sts.contoso.test/","iat":1700000000,"nbf":1700000000,
            "exp":1700003600.5,"appid":"7f59","scp":"SMTP.Send offline","roles":["SMTP.SendAsApp"],"unique_name":"logon@contoso.test","sub":"AAx"}"#;
        let read = claims(jwt(text).as_bytes()).unwrap();
        let want = Claims {
            audience: vec!["https://outlook.office365.com".to_owned()],
            issuer: Some("https://sts.contoso.test/".to_owned()),
            user: Some("logon@contoso.test".to_owned()),
            subject: Some("AAx".to_owned()),
            application: Some("7f59".to_owned()),
            scopes: vec!["SMTP.Send offline".to_owned(), "SMTP.SendAsApp".to_owned()],
            issued: Some(1_700_000_000_000),
            not_before: Some(1_700_000_000_000),
            expires: Some(1_700_003_600_000),
        };
        assert_eq!(read, want);
    }

    #[test]
    fn what_is_no_jwt_is_not_opened() {
        let long = format!("e30.{}.x", "A".repeat(MAX_TOKEN));
        for token in ["", "ya29.opaque", "a.b.c", "e30.W10.x", "e30.e30", "e30.e30.x.y", "e30.e30=.x\u{1}.", "\u{ff}.e30.", long.as_str()] {
            assert_eq!(claims(token.as_bytes()), None, "{token}");
        }
        let odd = r#"{"aud":["a",1,null,{}],"exp":-5,"nbf":1e300,"iat":"soon","iss":{},"scp":["x","y"]}"#;
        let want =
            Claims { audience: vec!["a".to_owned(), "1".to_owned()], scopes: vec!["x".to_owned(), "y".to_owned()], ..Claims::default() };
        assert_eq!(claims(jwt(odd).as_bytes()), Some(want));
    }

    #[test]
    fn claims_are_kept_within_bounds() {
        let text =
            format!(r#"{{"iss":"{}","aud":[{entries}"x"],"scope":[{entries}"x"]}}"#, "a".repeat(5000), entries = "\"a\",".repeat(1000));
        let read = claims(jwt(&text).as_bytes()).unwrap();
        assert_eq!((read.issuer.unwrap().len(), read.audience.len(), read.scopes.len()), (MAX_TEXT, MAX_ENTRIES, MAX_ENTRIES));
    }

    #[test]
    fn a_token_out_of_its_time_is_noticed() {
        let token = jwt(r#"{"nbf":1000,"exp":2000}"#);
        let remarks = |now| describe_token(Description::new(""), token.as_bytes(), now).remarks;
        let table = [
            (0, ""),
            (1_500_000, ""),
            (2_000_000, "The token expired 0 seconds ago."),
            (2_061_000, "The token expired 1 minute ago."),
            (9_200_000, "The token expired 2 hours ago."),
            (999_000, "The token becomes valid in 1 second only, if this machine's clock is right."),
            (174_800_000, "The token expired 2 days ago."),
        ];
        for (now, want) in table {
            assert_eq!(remarks(now).join(" "), want, "{now}");
        }
    }

    // P24
    #[test]
    fn neither_token_nor_signature_is_open() {
        let token = jwt(r#"{"exp":2000,"iss":"x"}"#);
        let described = describe_token(Description::new(""), token.as_bytes(), 0);
        assert_eq!(described.secrets().next().unwrap().expose(), token.as_bytes());
        let seen = format!("{described:?}");
        assert!(!token.split('.').any(|part| seen.contains(part)) && !seen.contains("signature"));
    }

    #[test]
    fn errors_are_read_and_put_into_words() {
        let google = br#"{"status":"401","schemes":"bearer","scope":"https://mail.contoso.test/"}"#;
        let described = describe_challenge(google).unwrap();
        assert_eq!((described.text("status"), described.text("scope")), (Some("401"), Some("https://mail.contoso.test/")));
        // RFC 7628 §4.2.
        let rfc = br#"{"status":"invalid_token","scope":"example_scope","openid-configuration":"https://example.com/.well-known/openid-configuration"}"#;
        assert_eq!(
            describe_challenge(rfc).unwrap().text("openid-configuration"),
            Some("https://example.com/.well-known/openid-configuration")
        );
        for (status, words) in [("401", "expired"), ("insufficient_scope", "allow"), ("400", "read"), ("teapot", "not take")] {
            assert!(refused(format!(r#"{{"status":"{status}"}}"#).as_bytes()).unwrap().sentence().contains(words));
        }
        assert_eq!(refused(br#"{"status":401}"#).unwrap().status, "401");
        for text in [&b"401"[..], b"[]", b"{\"status\":", b"{\"status\":null}", b"{}"] {
            assert!(refused(text).is_none());
        }
    }
}
