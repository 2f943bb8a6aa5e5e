//! The parameters of MAIL and RCPT: which the server takes, and which values.

use crate::wire::encoding::from_xtext;

/// The longest ENVID, before decoding (RFC 3461 §4.4).
const LONGEST_ENVID: usize = 100;
/// The longest ORCPT, before decoding (RFC 3461 §4.2).
const LONGEST_ORCPT: usize = 500;
/// The most digits of SIZE (RFC 1870 §3).
const MOST_DIGITS: usize = 20;

/// A parameter that the practice server understands.
struct Row {
    verb: &'static str,
    name: &'static str,
    /// The EHLO keyword that offers it.
    keyword: &'static str,
    /// It may be given once only.
    once: bool,
    /// Reads its value; `None` when it was given without `=`.
    value: fn(Option<&str>) -> Value,
}

/// What a value is to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Good,
    /// Not of the parameter's syntax.
    Bad,
    /// A value that only this other keyword offers.
    NeedsKeyword(&'static str),
    /// A value, or its absence, that makes it another parameter, one that nobody offers.
    Unknown,
}

const ROWS: &[Row] = &[
    Row { verb: "MAIL", name: "SIZE", keyword: "SIZE", once: false, value: size },
    Row { verb: "MAIL", name: "BODY", keyword: "8BITMIME", once: false, value: body },
    Row { verb: "MAIL", name: "SMTPUTF8", keyword: "SMTPUTF8", once: false, value: nothing },
    Row { verb: "MAIL", name: "REQUIRETLS", keyword: "REQUIRETLS", once: false, value: nothing },
    Row { verb: "MAIL", name: "AUTH", keyword: "AUTH", once: false, value: submitter },
    Row { verb: "MAIL", name: "RET", keyword: "DSN", once: true, value: ret },
    Row { verb: "MAIL", name: "ENVID", keyword: "DSN", once: true, value: envid },
    Row { verb: "RCPT", name: "NOTIFY", keyword: "DSN", once: true, value: notify },
    Row { verb: "RCPT", name: "ORCPT", keyword: "DSN", once: true, value: original_recipient },
];

/// What is wrong with the parameters of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParameterError<'a> {
    /// The server does not offer it; as typed.
    NotOffered(&'a str),
    /// Its value is not of its syntax, or it was given twice; its name.
    BadValue(&'static str),
}

/// What MAIL declares of its message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Declared {
    /// SIZE, in octets; more than can be counted is the largest number.
    pub(super) size: u64,
    /// SMTPUTF8: addresses may hold characters beyond ASCII (RFC 6531 §3.4).
    pub(super) utf8: bool,
}

/// Reads the parameters behind the path of `verb`. `offers`: whether EHLO offers a keyword.
///
/// # Errors
/// The first parameter that is not offered or has a bad value.
pub(super) fn read<'a>(verb: &str, parameters: &'a str, offers: impl Fn(&str) -> bool) -> Result<Declared, ParameterError<'a>> {
    let mut declared = Declared::default();
    let mut given: Vec<&'static str> = Vec::new();
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').map_or((parameter, None), |(name, value)| (name, Some(value)));
        let row = ROWS.iter().find(|row| row.verb == verb && row.name.eq_ignore_ascii_case(name) && offers(row.keyword));
        let row = row.ok_or(ParameterError::NotOffered(parameter))?;
        match (row.value)(value) {
            Value::Good => {}
            Value::NeedsKeyword(keyword) if offers(keyword) => {}
            Value::NeedsKeyword(_) | Value::Unknown => return Err(ParameterError::NotOffered(parameter)),
            Value::Bad => return Err(ParameterError::BadValue(row.name)),
        }
        if row.once && given.contains(&row.name) {
            return Err(ParameterError::BadValue(row.name));
        }
        given.push(row.name);
        match row.name {
            "SIZE" => declared.size = value.and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX),
            "SMTPUTF8" => declared.utf8 = true,
            _ => {}
        }
    }
    Ok(declared)
}

const fn good_if(good: bool) -> Value {
    if good { Value::Good } else { Value::Bad }
}

fn is_xtext(text: &str) -> bool {
    from_xtext(text.as_bytes()).is_ok()
}

fn nothing(value: Option<&str>) -> Value {
    if value.is_none() { Value::Good } else { Value::Unknown }
}

fn size(value: Option<&str>) -> Value {
    let is_number = |text: &str| (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    good_if(value.is_some_and(is_number))
}

/// RFC 6152 §2 and RFC 3030 §2.
fn body(value: Option<&str>) -> Value {
    match value.unwrap_or_default().to_ascii_uppercase().as_str() {
        "7BIT" | "8BITMIME" => Value::Good,
        "BINARYMIME" => Value::NeedsKeyword("BINARYMIME"),
        _ => Value::Unknown,
    }
}

/// RFC 4954 §5.
fn submitter(value: Option<&str>) -> Value {
    good_if(value.is_some_and(|text| text == "<>" || !text.is_empty() && is_xtext(text)))
}

/// RFC 3461 §4.3.
fn ret(value: Option<&str>) -> Value {
    good_if(value.is_some_and(|text| text.eq_ignore_ascii_case("FULL") || text.eq_ignore_ascii_case("HDRS")))
}

fn envid(value: Option<&str>) -> Value {
    good_if(value.is_some_and(|text| (1..=LONGEST_ENVID).contains(&text.len()) && is_xtext(text)))
}

/// NEVER alone, or a list of the other three (RFC 3461 §4.1).
fn notify(value: Option<&str>) -> Value {
    let value = value.unwrap_or_default().to_ascii_uppercase();
    good_if(value == "NEVER" || value.split(',').all(|event| matches!(event, "SUCCESS" | "FAILURE" | "DELAY")))
}

fn original_recipient(value: Option<&str>) -> Value {
    let of_syntax = |text: &str| {
        text.len() <= LONGEST_ORCPT
            && text.split_once(';').is_some_and(|(kind, address)| !kind.is_empty() && !address.is_empty() && is_xtext(address))
    };
    good_if(value.is_some_and(of_syntax))
}

#[cfg(test)]
mod tests {
    use super::ParameterError::{BadValue, NotOffered};
    use super::*;

    const OFFER: [&str; 6] = ["SIZE", "8BITMIME", "SMTPUTF8", "AUTH", "DSN", "REQUIRETLS"];

    // The answers of Postfix 3.7 to the same, but that it takes AUTH= and ORCPT=rfc822; too.
    #[test]
    fn parameters_are_read_as_real_servers_read_them() {
        let good = Ok(Declared::default());
        let table = [
            ("MAIL", "", good.clone()),
            ("MAIL", "SIZE=10", Ok(Declared { size: 10, utf8: false })),
            ("MAIL", "size=99999999999999999999 smtputf8", Ok(Declared { size: u64::MAX, utf8: true })),
            ("MAIL", "SIZE=1 SIZE=2", Ok(Declared { size: 2, utf8: false })),
            ("MAIL", "SIZE=abc", Err(BadValue("SIZE"))),
            ("MAIL", "SIZE=", Err(BadValue("SIZE"))),
            ("MAIL", "SIZE", Err(BadValue("SIZE"))),
            ("MAIL", "SIZE=-1", Err(BadValue("SIZE"))),
            ("MAIL", "SIZE=+1", Err(BadValue("SIZE"))),
            ("MAIL", "BODY=8BITMIME BODY=7bit", good.clone()),
            ("MAIL", "BODY=8BITMAIL", Err(NotOffered("BODY=8BITMAIL"))),
            ("MAIL", "BODY=BINARYMIME", Err(NotOffered("BODY=BINARYMIME"))),
            ("MAIL", "BODY", Err(NotOffered("BODY"))),
            ("MAIL", "SMTPUTF8=1", Err(NotOffered("SMTPUTF8=1"))),
            ("MAIL", "REQUIRETLS", good.clone()),
            ("MAIL", "AUTH=<>", good.clone()),
            ("MAIL", "AUTH=a+2Bb@alt.test", good.clone()),
            ("MAIL", "AUTH=a+zz", Err(BadValue("AUTH"))),
            ("MAIL", "RET=full ENVID=abc+2B", good.clone()),
            ("MAIL", "RET=ALL", Err(BadValue("RET"))),
            ("MAIL", "RET=HDRS RET=FULL", Err(BadValue("RET"))),
            ("MAIL", "ENVID=", Err(BadValue("ENVID"))),
            ("MAIL", "ENVID=a+b", Err(BadValue("ENVID"))),
            ("MAIL", "ENVID=a ENVID=b", Err(BadValue("ENVID"))),
            ("MAIL", "FOO=bar", Err(NotOffered("FOO=bar"))),
            ("MAIL", "=x", Err(NotOffered("=x"))),
            ("MAIL", "NOTIFY=NEVER", Err(NotOffered("NOTIFY=NEVER"))),
            ("RCPT", "NOTIFY=never", good.clone()),
            ("RCPT", "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@alt.test", good.clone()),
            ("RCPT", "NOTIFY=foo", Err(BadValue("NOTIFY"))),
            ("RCPT", "NOTIFY=", Err(BadValue("NOTIFY"))),
            ("RCPT", "NOTIFY=NEVER,SUCCESS", Err(BadValue("NOTIFY"))),
            ("RCPT", "NOTIFY=SUCCESS,", Err(BadValue("NOTIFY"))),
            ("RCPT", "NOTIFY=SUCCESS NOTIFY=DELAY", Err(BadValue("NOTIFY"))),
            ("RCPT", "ORCPT=foo", Err(BadValue("ORCPT"))),
            ("RCPT", "ORCPT=rfc822;a+zz", Err(BadValue("ORCPT"))),
            ("RCPT", "SIZE=1", Err(NotOffered("SIZE=1"))),
        ];
        for (verb, parameters, want) in table {
            assert_eq!(read(verb, parameters, |keyword| OFFER.contains(&keyword)), want, "{verb} {parameters}");
        }
        assert_eq!(read("MAIL", "SIZE=1", |_| false), Err(NotOffered("SIZE=1")));
        assert_eq!(read("MAIL", "BODY=BINARYMIME", |_| true), good);
    }
}
