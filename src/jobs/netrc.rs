//! `.netrc`: user names and passwords by machine, as ftp, curl and others read it.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// What the file says of a machine.
#[derive(Debug)]
pub(super) struct Entry {
    /// `login`.
    pub(super) user: Option<String>,
    /// `password`.
    pub(super) password: Option<Secret<String>>,
}

/// The entry for a machine; of several the first that fits the user, else `default`.
///
/// # Shape
/// Words between white space, or in double quotes with `\` before a quote; `macdef` ends at an empty line.
pub(super) fn find(text: &str, machine: &str, user: Option<&str>) -> Option<Entry> {
    let words = words(text);
    let mut words = words.iter().map(|word| word.as_str());
    let mut entries: Vec<(bool, Entry)> = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "machine" => {
                let here = words.next().is_some_and(|name| name.eq_ignore_ascii_case(machine));
                entries.push((here, Entry { user: None, password: None }));
            }
            "default" => entries.push((true, Entry { user: None, password: None })),
            "login" => {
                if let (Some(name), Some((_, entry))) = (words.next(), entries.last_mut()) {
                    entry.user = Some(name.to_owned());
                }
            }
            "password" => {
                if let (Some(password), Some((_, entry))) = (words.next(), entries.last_mut()) {
                    entry.password = Some(Secret::new(password.to_owned()));
                }
            }
            _ => {}
        }
    }
    let fits = |entry: &Entry| user.is_none_or(|user| entry.user.as_deref().is_none_or(|login| login == user));
    entries.into_iter().find(|(here, entry)| *here && fits(entry)).map(|(_, entry)| entry)
}

fn words(text: &str) -> Vec<Zeroizing<String>> {
    let mut words = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, behind) = word(rest);
            in_macro |= word.as_str() == "macdef";
            words.push(word);
            rest = behind.trim_start();
        }
    }
    words
}

/// The first word of a text, and what follows it.
fn word(text: &str) -> (Zeroizing<String>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (Zeroizing::new(text[..end].to_owned()), &text[end..]);
    };
    let mut word = Zeroizing::new(String::new());
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return (word, &quoted[at + 1..]),
            '\\' if !escaped => escaped = true,
            c => {
                word.push(c);
                escaped = false;
            }
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mail\nmachine mail.contoso.test login logon password \"My \\\"simple\\\" password\"\n\
        machine mail.contoso.test\n  login other\n  password second\nmacdef init\nmachine evil login x password y\n\n\
        machine empty.test login nobody\ndefault login anonymous password guest\n";

    #[test]
    fn entries_are_found_by_machine_and_user() {
        let table = [
            ("mail.contoso.test", None, Some("logon"), Some("My \"simple\" password")),
            ("MAIL.contoso.test", Some("other"), Some("other"), Some("second")),
            ("evil", None, Some("anonymous"), Some("guest")),
            ("empty.test", Some("nobody"), Some("nobody"), None),
            ("else.test", None, Some("anonymous"), Some("guest")),
        ];
        for (machine, user, want, password) in table {
            let entry = find(FILE, machine, user).unwrap();
            assert_eq!(
                (entry.user.as_deref(), entry.password.as_ref().map(|secret| secret.expose().as_str())),
                (want, password),
                "{machine}"
            );
        }
        assert!(find("machine a login b", "c", None).is_none());
        for broken in ["machine", "login", "machine a login", "\"", "machine \"a", "password x"] {
            let _ = find(broken, "a", None);
        }
    }
}
