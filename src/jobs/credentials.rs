//! Who logs in, how, and where the password comes from. It is never an argument.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use zeroize::{Zeroize as _, Zeroizing};

use super::netrc;
use crate::net::dial::system_words;
use crate::sasl::{Binding, Mechanism};
use crate::secret::{self, PASSWORD, Secret};

/// The longest password or token that is taken.
const LONGEST: usize = 64 * 1024;

/// What is wished of a login.
#[derive(Debug, Clone, Default)]
pub struct LoginOptions {
    /// Log in as soon as the connection stands.
    pub is_wanted: bool,
    /// Who.
    pub user: Option<String>,
    /// Whose rights are wanted, unless they are the user's own.
    pub authzid: Option<String>,
    /// By which mechanism; the best one unless it is said.
    pub mechanism: Option<&'static Mechanism>,
    /// Which channel binding a mechanism with one is to use.
    pub binding: Option<Binding>,
    /// Where the password or token comes from.
    pub password: PasswordSource,
}

/// Where a password or token comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PasswordSource {
    /// The operator, at a hidden prompt.
    #[default]
    Prompt,
    /// The first line that a command prints.
    Command(String),
    /// The first line of a file.
    File(PathBuf),
    /// The first line of the input, before the script.
    Input,
    /// A `.netrc`.
    Netrc(PathBuf),
    /// [`secret::PASSWORD`].
    Environment,
}

/// A password, and what should be said about its source.
#[derive(Debug)]
pub struct Found {
    /// The password or token.
    pub secret: Secret<String>,
    /// A sentence for the operator.
    pub warning: Option<String>,
}

impl PasswordSource {
    /// Reads the password. `Ok(None)` where it has to be asked for or read elsewhere.
    ///
    /// # Errors
    /// A sentence that says what went wrong and holds nothing of the secret.
    pub fn read(&self, host: &str, user: &str) -> Result<Option<Found>, String> {
        match self {
            Self::Prompt | Self::Input => Ok(None),
            Self::Command(command) => run(command).map(Some),
            Self::File(path) => from_file(path).map(Some),
            Self::Netrc(path) => from_netrc(path, host, user).map(Some),
            Self::Environment => {
                let value = std::env::var(PASSWORD).map_err(|_| format!("the variable {PASSWORD} is not valid UTF-8"))?;
                Ok(Some(Found { secret: Secret::new(value), warning: None }))
            }
        }
    }
}

/// The user that a `.netrc` names for a host.
pub fn netrc_user(path: &Path, host: &str) -> Option<String> {
    let text = Zeroizing::new(std::fs::read_to_string(path).ok()?);
    netrc::find(&text, host, None).and_then(|entry| entry.user)
}

fn from_file(path: &Path) -> Result<Found, String> {
    let bytes =
        std::fs::read(path).map_err(|error| format!("the password file {} cannot be read: {}", path.display(), system_words(&error)))?;
    let secret = first_line(bytes).map_err(|words| format!("the password file {} {words}", path.display()))?;
    Ok(Found { secret, warning: open_to_others(path) })
}

fn from_netrc(path: &Path, host: &str, user: &str) -> Result<Found, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {}", path.display(), system_words(&error)))?;
    let text = Zeroizing::new(text);
    let password = netrc::find(&text, host, (!user.is_empty()).then_some(user)).and_then(|entry| entry.password);
    let secret = password.ok_or_else(|| format!("{} has no password for {host}", path.display()))?;
    Ok(Found { secret, warning: open_to_others(path) })
}

fn run(command: &str) -> Result<Found, String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut program = std::process::Command::new(shell);
    secret::VARIABLES.iter().for_each(|name| {
        program.env_remove(name);
    });
    let output = program
        .args([flag, command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("the password command cannot be run: {}", system_words(&error)))?;
    let mut bytes = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(format!("the password command failed ({})", output.status));
    }
    let secret = first_line(std::mem::take(&mut *bytes)).map_err(|words| format!("what the password command printed {words}"))?;
    Ok(Found { secret, warning: None })
}

/// The first line without its end, whatever follows it.
///
/// # Errors
/// The rest of a sentence that begins with what the bytes are.
pub fn first_line(mut bytes: Vec<u8>) -> Result<Secret<String>, &'static str> {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let result = match std::str::from_utf8(line) {
        Ok("") => Err("is empty"),
        Ok(text) if text.len() > LONGEST => Err("is longer than 64 KiB"),
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => Err("is not valid UTF-8"),
    };
    bytes.zeroize();
    result
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| format!("{} can be read by others: chmod 600 keeps it to you.", path.display()))
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_as_it_is() {
        let table: &[(&[u8], Result<&str, &str>)] = &[
            (b"secret", Ok("secret")),
            (b"secret\n", Ok("secret")),
            (b" two words \r\nmore", Ok(" two words ")),
            ("p\u{e4}ss\n".as_bytes(), Ok("p\u{e4}ss")),
            (b"", Err("is empty")),
            (b"\nsecret", Err("is empty")),
            (b"p\xe4ss\n", Err("is not valid UTF-8")),
        ];
        for (bytes, want) in table {
            assert_eq!(first_line(bytes.to_vec()).as_ref().map(|secret| secret.expose().as_str()).map_err(|words| *words), *want);
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_and_commands_give_passwords_and_say_what_is_wrong() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret\n").unwrap();
        for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = PasswordSource::File(path.clone()).read("mail", "logon").unwrap().unwrap();
            assert_eq!((found.secret.expose().as_str(), found.warning.is_some()), ("secret", warned), "{mode:o}");
        }
        let command = |text: &str| PasswordSource::Command(text.to_owned()).read("mail", "logon");
        assert_eq!(command("echo secret; echo more").unwrap().unwrap().secret.expose(), "secret");
        for (text, part) in [("exit 3", "exit status: 3"), ("true", "is empty"), ("printf 'p\\344'", "UTF-8")] {
            assert!(command(text).unwrap_err().contains(part), "{text}");
        }
        let missing = PasswordSource::File(folder.path().join("none")).read("mail", "logon").unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
