//! One login as a row of a table: `ehlo HOST PORT --auth MECHANISM -u USER --password-file FILE </dev/null`,
//! and what must come of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Outcome, authority, base64, client_certificate, password_of, run, token};

/// How the server is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// With STARTTLS, the certificate verified.
    Starttls,
    /// With TLS from the first byte, the certificate verified.
    Tls,
    /// In clear, which the user allows.
    Clear,
    /// In clear, which the user does not allow.
    Guarded,
}

/// What the password file holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    /// The user's own password.
    Right,
    Wrong,
    /// The token of `tokens/NAME`.
    Token(&'static str),
    /// There is no such file.
    Nothing,
}

/// What must come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// Exit status 0, and a line of standard output that begins like this.
    In(&'static str),
    /// Exit status 8, and a line of standard output that begins like this.
    Out(&'static str),
    /// Exit status 8, these words on standard error, and no password went out.
    Held(&'static str),
    /// Any failure: whether the client or the server refuses is not said here.
    Fails,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) server: &'static str,
    pub(crate) how: How,
    pub(crate) mechanism: &'static str,
    pub(crate) user: &'static str,
    pub(crate) given: Given,
    /// The user whose client certificate is shown, with its key.
    pub(crate) certificate: Option<&'static str>,
    /// What else is said on the command line.
    pub(crate) flags: &'static [&'static str],
    pub(crate) expect: Expect,
}

impl Row {
    /// Runs it; the fault, if there is one, with all that the program said.
    fn fault(&self) -> Option<String> {
        let folder = TempDir::new().unwrap();
        let secret = self.secret();
        let file = folder.path().join("password");
        if let Some(secret) = &secret {
            write_private(&file, secret);
        }
        let flags = self.flags(secret.as_ref().map(|_| file.to_string_lossy().into_owned()));
        let outcome = run(&flags.iter().map(String::as_str).collect::<Vec<_>>(), self.server, "");
        let fault = self.judge(&outcome).or_else(|| secret.and_then(|secret| shown(&secret, &outcome)))?;
        Some(format!("{self:?}\n{fault}\n{}", outcome.all()))
    }

    fn secret(&self) -> Option<String> {
        match self.given {
            Given::Right => Some(password_of(self.user)),
            Given::Wrong => Some("wr0ng-passw0rd".to_owned()),
            Given::Token(name) => Some(token(name)),
            Given::Nothing => None,
        }
    }

    fn flags(&self, file: Option<String>) -> Vec<String> {
        let secured = || vec!["--cacert".to_owned(), authority(), "--servername".to_owned(), "mail.contoso.test".to_owned()];
        let mut flags = match self.how {
            How::Starttls => [vec!["-S".to_owned()], secured()].concat(),
            How::Tls => [vec!["--tls".to_owned()], secured()].concat(),
            How::Clear => vec!["--allow-cleartext".to_owned()],
            How::Guarded => Vec::new(),
        };
        flags.extend(["-u", self.user, "--auth", self.mechanism].map(str::to_owned));
        flags.extend(self.flags.iter().map(|&flag| flag.to_owned()));
        if let Some(file) = file {
            flags.extend(["--password-file".to_owned(), file]);
        }
        if let Some(name) = self.certificate {
            let (certificate, key) = client_certificate(name);
            flags.extend(["--cert".to_owned(), certificate, "--key".to_owned(), key]);
        }
        flags
    }

    fn judge(&self, outcome: &Outcome) -> Option<String> {
        let (status, says) = match self.expect {
            Expect::In(line) => (0, outcome.has_line(line)),
            Expect::Out(line) => (8, outcome.has_line(line)),
            Expect::Held(words) => (8, outcome.stderr.contains(words) && !outcome.has_line("<  235")),
            Expect::Fails => return (!refused_somehow(outcome)).then(|| "it must fail".to_owned()),
        };
        (outcome.code != Some(status))
            .then(|| format!("exit status {status} was expected"))
            .or_else(|| (!says).then(|| "the answer is not there".to_owned()))
    }
}

/// It ended with a failure, and not because its command line was not understood at all.
fn refused_somehow(outcome: &Outcome) -> bool {
    outcome.code.is_some_and(|code| code != 0) && !outcome.has_line("<  235") && !outcome.stderr.contains("unexpected argument")
}

/// Readable for its owner alone, and ended by a line end as an editor leaves it.
fn write_private(file: &Path, secret: &str) {
    fs::write(file, format!("{secret}\n")).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

/// Is the secret in what the program said, as it is or anywhere within a base64 blob?
fn shown(secret: &str, outcome: &Outcome) -> Option<String> {
    let said = [outcome.stdout.as_str(), &outcome.stderr];
    // Of three bytes, four digits are made: which three, depends on what stands before the secret.
    let shifted = (0..3).filter_map(|shift| secret.as_bytes().get(shift..)).map(|bytes| &bytes[..bytes.len() / 3 * 3]);
    let forms = shifted.filter(|bytes| bytes.len() >= 6).map(base64).chain([secret.to_owned()]);
    forms.into_iter().find(|form| said.iter().any(|text| text.contains(form.as_str()))).map(|form| format!("{form:?} was shown"))
}

/// Runs all rows, and tells of all that went wrong.
#[track_caller]
pub(crate) fn check(rows: &[Row]) {
    assert!(!rows.is_empty());
    let faults: Vec<String> = rows.iter().filter_map(Row::fault).collect();
    assert!(faults.is_empty(), "{} of {} rows:\n{}", faults.len(), rows.len(), faults.join("\n\n"));
}
