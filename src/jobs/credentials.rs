//! Who logs in, how, and where the password comes from. It is never an argument.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::netrc;
use crate::net::command::{end, own_group_without_terminal};
use crate::net::dial::system_words as os_message;
use crate::sasl::{Binding, Mechanism};
use crate::secret::{self, PASSWORD, Secret};

/// The longest password or token that is taken.
const LONGEST: usize = 64 * 1024;
/// How long is waited for more of a command that has ended and whose output is still open.
const LEFT_BEHIND: Duration = Duration::from_millis(200);

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
    /// AUTH is said alone, and the first message only when the server asks for it.
    pub no_initial_response: bool,
    /// NTLM may answer in its first version.
    pub ntlm_v1: bool,
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
    /// Reads the password; `limit`: how long a command, a pipe or a device may take. `Ok(None)` where it has to be asked
    /// for or read elsewhere. A command is ended when this is dropped.
    ///
    /// # Errors
    /// A sentence that says what went wrong and holds nothing of the secret.
    pub async fn read(&self, host: &str, user: &str, limit: Duration) -> Result<Option<Found>, String> {
        match self {
            Self::Prompt | Self::Input => Ok(None),
            Self::Command(command) => run(command, limit).await.map(Some),
            Self::File(path) => from_file(path, limit).await.map(Some),
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
    netrc::find(&read_netrc(path).ok()?, host, None).and_then(|entry| entry.user)
}

async fn from_file(path: &Path, limit: Duration) -> Result<Found, String> {
    let shown = path.display();
    let file = file::open(path).map_err(|error| format!("the password file {shown} cannot be read: {}", os_message(&error)))?;
    let bytes = match tokio::time::timeout(limit, file::read_line(file, LONGEST)).await {
        Ok(read) => read.map_err(|error| format!("the password file {shown} cannot be read: {}", os_message(&error)))?,
        Err(_) => return Err(format!("the password file {shown} gave no line within {}", words_for(limit))),
    };
    let secret = first_line(bytes).map_err(|words| format!("the password file {shown} {words}"))?;
    Ok(Found { secret, warning: open_to_others(path) })
}

fn from_netrc(path: &Path, host: &str, user: &str) -> Result<Found, String> {
    let text = read_netrc(path)?;
    let password = netrc::find(&text, host, (!user.is_empty()).then_some(user)).and_then(|entry| entry.password);
    let secret = password.ok_or_else(|| format!("{} has no password for {host}", path.display()))?;
    Ok(Found { secret, warning: open_to_others(path) })
}

fn read_netrc(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let file = file::open(path).map_err(|error| format!("{shown} cannot be read: {}", os_message(&error)))?;
    if !file.metadata().is_ok_and(|known| known.is_file()) {
        return Err(format!("{shown} is not a regular file"));
    }
    let bytes = file::read_up_to(file, LONGEST + 1).map_err(|error| format!("{shown} cannot be read: {}", os_message(&error)))?;
    if bytes.len() > LONGEST {
        return Err(format!("{shown} is longer than 64 KiB"));
    }
    text_of(&bytes).map_err(|words| format!("{shown} {words}"))
}

async fn run(command: &str, limit: Duration) -> Result<Found, String> {
    match tokio::time::timeout(limit, PasswordCommand::start(command)?.output()).await {
        Ok(printed) => {
            let secret = first_line(printed?).map_err(|words| format!("what the password command printed {words}"))?;
            Ok(Found { secret, warning: None })
        }
        Err(_) => Err(format!("the password command did not end within {}, and was stopped", words_for(limit))),
    }
}

/// A duration for a sentence.
fn words_for(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

/// A command that prints a password. It is ended, with all that it has started where that can be told, when this is
/// dropped.
struct PasswordCommand {
    child: tokio::process::Child,
}

impl PasswordCommand {
    fn start(line: &str) -> Result<Self, String> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut program = tokio::process::Command::new(shell);
        secret::VARIABLES.iter().for_each(|name| {
            program.env_remove(name);
        });
        program.args([flag, line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        own_group_without_terminal(&mut program);
        let child = program.spawn().map_err(|error| format!("the password command cannot be run: {}", os_message(&error)))?;
        Ok(Self { child })
    }

    /// What it prints, once it has ended well.
    async fn output(mut self) -> Result<Vec<u8>, String> {
        let Some(mut stdout) = self.child.stdout.take() else { return Err("the password command has no output".to_owned()) };
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
        let mut status = None;
        loop {
            let ended = status.is_some();
            let mut more = (&mut stdout).take((LONGEST + 1 - bytes.len()) as u64);
            tokio::select! {
                biased;
                count = more.read_buf(&mut *bytes) => match count {
                    Ok(0) if bytes.len() > LONGEST => return Err("the password command printed more than 64 KiB, and was stopped".to_owned()),
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => return Err(format!("the password command cannot be read: {}", os_message(&error))),
                },
                known = self.child.wait(), if !ended => status = Some(known),
                // Something that it left behind holds its output open.
                () = tokio::time::sleep(LEFT_BEHIND), if ended => break,
            }
        }
        let status = match status {
            Some(known) => known,
            None => self.child.wait().await,
        };
        match status {
            Ok(status) if status.success() => Ok(std::mem::take(&mut *bytes)),
            Ok(status) => Err(format!("the password command failed ({status})")),
            Err(error) => Err(format!("the password command failed: {}", os_message(&error))),
        }
    }
}

impl Drop for PasswordCommand {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The first line without its end, whatever follows it. A byte order mark is no part of it, and UTF-16 is understood
/// where it has one: so Windows writes text files.
///
/// # Errors
/// The rest of a sentence that begins with what the bytes are.
pub fn first_line(mut bytes: Vec<u8>) -> Result<Secret<String>, &'static str> {
    let result = text_of_line(&bytes).and_then(|text| {
        let line = text.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            "" => Err("is empty"),
            line if line.len() > LONGEST => Err("is longer than 64 KiB"),
            line if line.contains('\0') => Err("holds a NUL byte, which no password can have"),
            line => Ok(Secret::new(line.to_owned())),
        }
    });
    bytes.zeroize();
    result
}

/// [`text_of`] of the first line alone: what follows may be of any encoding.
fn text_of_line(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    if end > LONGEST + 2 || end == bytes.len() && end > LONGEST && !bytes.ends_with(b"\n") {
        return Err("is longer than 64 KiB");
    }
    text_of(if has_wide_mark(bytes) { bytes } else { &bytes[..end] })
}

fn has_wide_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// A text file in UTF-8, or in UTF-16 with a byte order mark, which is left out.
///
/// # Errors
/// The rest of a sentence that begins with what the bytes are.
fn text_of(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).collect::<Result<String, _>>().map(Zeroizing::new).map_err(|_| "is not valid UTF-16")
    };
    if bytes.starts_with(b"\xff\xfe") {
        return wide(u16::from_le_bytes);
    }
    if bytes.starts_with(b"\xfe\xff") {
        return wide(u16::from_be_bytes);
    }
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Letters of ASCII in UTF-16: every second byte is 0, and the others are not.
    let is_zero = |from: usize| bare.len() > from && bare.iter().skip(from).step_by(2).take(8).all(|byte| *byte == 0);
    if is_zero(0) != is_zero(1) {
        return Err("seems to be UTF-16 without a byte order mark: save it as UTF-8");
    }
    std::str::from_utf8(bare).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| "is not valid UTF-8")
}

/// Reads the first line and not much more, bounded: the rest of `input` is left.
///
/// # Errors
/// Those of reading.
pub fn read_line(input: impl std::io::BufRead) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(1024);
    input.take(LONGEST as u64 + 2).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// Files that may be pipes and devices: opening and reading them never blocks.
mod file {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read as _};
    use std::path::Path;

    use zeroize::Zeroizing;

    pub(super) fn open(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // Without it, opening a FIFO waits for whoever writes into it.
            options.custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits().cast_signed());
        }
        options.open(path)
    }

    pub(super) fn read_up_to(file: File, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A line, and one byte more than `longest` at most. Of a regular file what follows is read too, as far.
    pub(super) async fn read_line(mut file: File, longest: usize) -> io::Result<Vec<u8>> {
        if file.metadata()?.is_file() {
            return read_up_to(file, longest + 1).map(|mut bytes| std::mem::take(&mut *bytes));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(longest + 1));
        let mut chunk = Zeroizing::new([0; 4096]);
        while bytes.len() <= longest && !ends_line(&bytes) {
            if !is_ready(&file) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            }
            let room = (longest + 1 - bytes.len()).min(chunk.len());
            match file.read(&mut chunk[..room]) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
            // A device that always has more must not keep the others from their turn.
            tokio::task::yield_now().await;
        }
        Ok(std::mem::take(&mut *bytes))
    }

    fn ends_line(bytes: &[u8]) -> bool {
        if super::has_wide_mark(bytes) {
            return bytes.chunks_exact(2).any(|unit| matches!(unit, [b'\n', 0] | [0, b'\n']));
        }
        bytes.contains(&b'\n')
    }

    /// Whether something can be read, or the end was reached. A FIFO into which nobody writes yet has neither.
    #[cfg(unix)]
    fn is_ready(file: &File) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut wanted = [PollFd::new(file, PollFlags::IN)];
        poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_or(true, |count| count > 0)
    }

    #[cfg(not(unix))]
    fn is_ready(_file: &File) -> bool {
        true
    }
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

    // P52: PowerShell and Notepad write such files.
    #[test]
    fn a_byte_order_mark_is_no_part_of_a_password() {
        let wide = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (little, big) = (|text: &str| wide(text, u16::to_le_bytes), |text: &str| wide(text, u16::to_be_bytes));
        let without = Err("seems to be UTF-16 without a byte order mark: save it as UTF-8");
        let table: &[(Vec<u8>, Result<&str, &str>)] = &[
            (b"\xef\xbb\xbfsecret\r\n".to_vec(), Ok("secret")),
            (b"\xef\xbb\xbf\r\nsecret".to_vec(), Err("is empty")),
            (little("\u{feff}secret\r\nmore"), Ok("secret")),
            (big("\u{feff}p\u{e4}ss\u{1f511}\n"), Ok("p\u{e4}ss\u{1f511}")),
            // \u{a05} has a line feed for one of its bytes.
            (little("\u{feff}\u{a05}x\r\n"), Ok("\u{a05}x")),
            // Cut within a character, behind the line feed.
            (b"\xff\xfes\0\n".to_vec(), Ok("s")),
            (b"\xff\xfe\x00\xd8\n\0".to_vec(), Err("is not valid UTF-16")),
            (little("secret\r\n"), without),
            (big("secret\r\n"), without),
            (b"sec\0ret\n".to_vec(), Err("holds a NUL byte, which no password can have")),
            (vec![0; 100], Err("holds a NUL byte, which no password can have")),
            (vec![b'x'; LONGEST + 1], Err("is longer than 64 KiB")),
        ];
        for (bytes, want) in table {
            let got = first_line(bytes.clone());
            assert_eq!(got.as_ref().map(|secret| secret.expose().as_str()).map_err(|words| *words), *want, "{bytes:?}");
        }
    }

    /// Long enough for whatever is expected to end.
    const PATIENCE: Duration = Duration::from_secs(20);

    // P52
    #[cfg(unix)]
    #[tokio::test]
    async fn commands_and_devices_are_bounded_in_time_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let command = |text: &str| PasswordSource::Command(text.to_owned());
        let file = |path: &str| PasswordSource::File(path.into());
        let short = Duration::from_millis(300);
        let table = [
            (command("yes"), PATIENCE, "printed more than 64 KiB"),
            (command("cat /dev/zero"), PATIENCE, "printed more than 64 KiB"),
            (command("sleep 30; echo secret"), short, "did not end within 0.3 s, and was stopped"),
            (file("/dev/zero"), PATIENCE, "is longer than 64 KiB"),
            (PasswordSource::File(fifo.clone()), short, "gave no line within 0.3 s"),
            (PasswordSource::Netrc("/dev/zero".into()), PATIENCE, "is not a regular file"),
            (PasswordSource::Netrc(fifo), PATIENCE, "is not a regular file"),
        ];
        for (source, limit, want) in table {
            let began = std::time::Instant::now();
            let words = source.read("mail", "logon", limit).await.unwrap_err();
            assert!(words.contains(want), "{source:?}: {words}");
            assert!(began.elapsed() < PATIENCE / 2, "{source:?}: {:?}", began.elapsed());
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_pipe_gives_a_password_when_somebody_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let path = fifo.clone();
        let writing = std::thread::spawn(move || std::fs::write(path, "secret\n"));
        let found = PasswordSource::File(fifo).read("mail", "logon", PATIENCE).await.unwrap().unwrap();
        assert_eq!(found.secret.expose(), "secret");
        writing.join().unwrap().unwrap();
        // What a command leaves behind may hold its output open.
        let found = PasswordSource::Command("sleep 30 & echo secret".to_owned()).read("mail", "logon", PATIENCE).await.unwrap().unwrap();
        assert_eq!(found.secret.expose(), "secret");
    }

    // P50: what was started does not outlive whoever waits for it.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_command_ends_when_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        let source = PasswordSource::Command(format!("echo $$ >{0}.new; mv {0}.new {0}; sleep 60; echo secret", file.display()));
        let reading = tokio::spawn(async move { source.read("mail", "logon", PATIENCE).await.map(|_| ()) });
        let id = loop {
            if let Ok(id) = std::fs::read_to_string(&file) {
                break id.trim().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        reading.abort();
        let _ = reading.await;
        let began = std::time::Instant::now();
        // Ended; it may still wait to be reaped.
        while std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(began.elapsed() < PATIENCE, "{id} still runs");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn files_and_commands_give_passwords_and_say_what_is_wrong() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret\n").unwrap();
        for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = PasswordSource::File(path.clone()).read("mail", "logon", PATIENCE).await.unwrap().unwrap();
            assert_eq!((found.secret.expose().as_str(), found.warning.is_some()), ("secret", warned), "{mode:o}");
        }
        let command = async |text: &str| PasswordSource::Command(text.to_owned()).read("mail", "logon", PATIENCE).await;
        assert_eq!(command("echo secret; echo more").await.unwrap().unwrap().secret.expose(), "secret");
        for (text, part) in [("exit 3", "exit status: 3"), ("true", "is empty"), ("printf 'p\\344'", "UTF-8")] {
            assert!(command(text).await.unwrap_err().contains(part), "{text}");
        }
        let missing = PasswordSource::File(folder.path().join("none")).read("mail", "logon", PATIENCE).await.unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
