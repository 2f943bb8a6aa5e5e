//! Through a program whose standard input and output are the connection, such as `ssh -W [%h]:%p jump`.
//!
//! The program is ended and reaped when the connection is dropped, and what it started with it where this process has no
//! terminal. What it says on standard error is kept for whoever tells the operator why there is no conversation.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Join, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::files;
use crate::host::without_zone;
use crate::secret;

/// The most that is kept of what the program says; the newest stays.
const MAX_SAID: usize = 16 * 1024;

/// So many files a program holds open here while it runs: its three pipes and what tells of its end.
pub const FILES: u64 = 4;

/// So many more while it is started: the other ends of its pipes, and what tells that it has begun.
pub const FILES_AT_START: u64 = 6;

/// A command line with places for host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// Why a command was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The host holds what a shell would read as more than a name.
    OddHost,
    /// The shell cannot be started, in the system's words.
    NotStarted(String),
}

impl Template {
    /// Reads a command line: `%h` is the host, `%p` the port, `%%` a percent sign.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the command is empty".to_owned());
        }
        let mut letters = text.chars();
        while let Some(c) = letters.next() {
            if c == '%' && !matches!(letters.next(), Some('h' | 'p' | '%')) {
                return Err("%h stands for the host, %p for the port, and %% for a percent sign".to_owned());
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The command line for a host and a port.
    ///
    /// # Errors
    /// The host holds other letters than names and addresses have: whatever quotes the operator has
    /// written around `%h`, the shell must find nothing in it.
    pub fn fill(&self, host: &str, port: u16) -> Result<String, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        // The percent sign of a zone is nothing to a Unix shell; that of Windows reads more in it.
        let bare = if cfg!(unix) { without_zone(host) } else { host };
        if host.is_empty() || host.starts_with('-') || !bare.chars().all(plain) {
            return Err(Fault::OddHost);
        }
        let mut out = String::new();
        let mut letters = self.0.chars();
        while let Some(c) = letters.next() {
            match (c, if c == '%' { letters.next() } else { None }) {
                ('%', Some('h')) => out.push_str(host),
                ('%', Some('p')) => out.push_str(&port.to_string()),
                ('%', _) => out.push('%'),
                _ => out.push(c),
            }
        }
        Ok(out)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Starts a command line that is already filled in.
///
/// # Errors
/// [`Fault`]; that the program itself is not found is for the shell to say.
pub fn start(line: &str) -> Result<(CommandStream, Watch), Fault> {
    let mut command = shell(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    secret::VARIABLES.iter().for_each(|name| {
        command.env_remove(name);
    });
    own_group_without_terminal(&mut command);
    let mut child = command.spawn().map_err(|error| Fault::NotStarted(words(&error)))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(Fault::NotStarted("it has no pipes".to_owned()));
    };
    let said = Arc::new(Mutex::new(VecDeque::new()));
    let listening = tokio::spawn(listen(stderr, Arc::clone(&said)));
    let running = Arc::new(Running { child: tokio::sync::Mutex::new(child), said, listening: tokio::sync::Mutex::new(Some(listening)) });
    let stream = CommandStream { pipes: tokio::io::join(stdout, stdin), running: Arc::clone(&running) };
    Ok((stream, Watch(running)))
}

fn words(error: &io::Error) -> String {
    let words = super::dial::system_words(error);
    if files::are_used_up(error) { format!("{words} (ulimit -n)") } else { words }
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    // Ctrl-C is for the session, which can go on; a program that asks for a password hears it all the same.
    command.arg("-c").arg(format!("trap '' INT\n{}{line}", if is_simple(line) { "exec " } else { "" }));
    command
}

/// Where there is no terminal the program is in a process group of its own, which is ended as a whole. At a terminal it
/// stays in ours: from another one it could not ask for a password there (SIGTTIN would stop it). What the program has
/// started itself is then left to see the end of its input.
#[cfg(unix)]
pub(crate) fn own_group_without_terminal(command: &mut Command) {
    if !has_terminal() {
        command.process_group(0);
    }
}

#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[cfg(not(unix))]
pub(crate) fn own_group_without_terminal(_command: &mut Command) {}

/// Ends a program, and its group if it leads one. Its number is its own as long as it is not reaped.
pub(crate) fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(id) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        && rustix::process::getpgid(Some(id)) == Ok(id)
    {
        let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
    }
    let _ = child.start_kill();
}

#[cfg(windows)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd");
    command.arg("/C").raw_arg(line);
    command
}

/// One program alone takes the place of the shell, so that ending the one ends the other.
#[cfg(unix)]
fn is_simple(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    !line.contains(['\n', ';', '&', '|', '(', '{', '!']) && !first.contains('=') && first != "exec"
}

async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<VecDeque<u8>>>) {
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(&bytes[..count]);
        let surplus = said.len().saturating_sub(MAX_SAID);
        said.drain(..surplus);
    }
}

struct Running {
    child: tokio::sync::Mutex<Child>,
    said: Arc<Mutex<VecDeque<u8>>>,
    listening: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        end(self.child.get_mut());
        // Something that the program started may hold its standard error open: nobody reads it any more.
        if let Some(listening) = self.listening.get_mut().take() {
            listening.abort();
        }
    }
}

/// The program's output and input as a stream.
pub struct CommandStream {
    pipes: Join<ChildStdout, ChildStdin>,
    running: Arc<Running>,
}

impl Drop for CommandStream {
    fn drop(&mut self) {
        // Only `Watch::ended` holds the lock, and it does so for a program that has ended or is about to.
        if let Ok(mut child) = self.running.child.try_lock() {
            end(&mut child);
            let _ = child.try_wait();
        }
    }
}

impl AsyncRead for CommandStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipes).poll_read(context, buffer)
    }
}

impl AsyncWrite for CommandStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipes).poll_shutdown(context)
    }
}

/// What became of the program.
#[derive(Clone)]
pub struct Watch(Arc<Running>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// What the program has said since the last call, line by line; a line that is not ended waits.
    pub fn said(&self) -> Vec<Vec<u8>> {
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = said.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        lines(&said.drain(..whole).collect::<Vec<u8>>())
    }

    /// How the program ended, and the rest of what it said; `None` when it still runs after this time.
    pub async fn ended(&self, patience: Duration) -> Option<(ExitStatus, Vec<Vec<u8>>)> {
        let status = timeout(patience, async { self.0.child.lock().await.wait().await }).await.ok()?.ok()?;
        if let Some(listening) = self.0.listening.lock().await.take() {
            // Something that it started may hold its standard error open.
            let _ = timeout(patience, listening).await;
        }
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        Some((status, lines(&said.drain(..).collect::<Vec<u8>>())))
    }
}

/// `exit status 255`, `signal 9`.
pub fn how_it_ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal}");
    }
    status.code().map_or_else(|| "no exit status".to_owned(), |code| format!("exit status {code}"))
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split(|&b| b == b'\n').map(|line| line.trim_ascii_end().to_vec()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn host_and_port_are_filled_in_and_nothing_else() {
        let fill = |text: &str, host: &str| Template::parse(text).unwrap().fill(host, 25);
        assert_eq!(fill("ssh -W [%h]:%p jump", "mx1.contoso.test").unwrap(), "ssh -W [mx1.contoso.test]:25 jump");
        assert_eq!(fill("ssh -W [%h]:%p jump", "2001:db8::1").unwrap(), "ssh -W [2001:db8::1]:25 jump");
        assert_eq!(fill("nc '%h' %p 100%%", "2001:db8::1").unwrap(), "nc '2001:db8::1' 25 100%");
        for text in ["", "  ", "nc %", "nc %r", "nc %%%"] {
            assert!(Template::parse(text).is_err(), "{text:?}");
        }
        #[cfg(unix)]
        assert_eq!(fill("ssh -W [%h]:%p jump", "fe80::1%eth0").unwrap(), "ssh -W [fe80::1%eth0]:25 jump");
        // P33: nothing that a shell reads, in quotes or out of them.
        for host in ["$(id)", "`id`", "a'b", "a&b", "a|b", "-oProxyCommand=id", "a%b", "fe80::1%$(id)", "a!b", "a*b", "ü", ""] {
            assert_eq!(fill("nc %h %p", host), Err(Fault::OddHost), "{host:?}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn input_and_output_of_the_program_are_the_connection() {
        let (mut stream, watch) = start("cat").unwrap();
        stream.write_all(b"NOOP\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut bytes = [0; 6];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"NOOP\r\n");
        assert!(watch.ended(Duration::from_millis(10)).await.is_none());
        drop(stream);
        let (status, said) = watch.ended(PATIENCE).await.unwrap();
        assert!(!status.success() && said.is_empty(), "{status:?} {said:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn how_the_program_ended_and_what_it_said_is_told() {
        let (mut stream, watch) = start("printf 'one\\ntwo\\n' >&2; printf three >&2; exit 7").unwrap();
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
        let (status, said) = watch.ended(PATIENCE).await.unwrap();
        assert_eq!((status.code(), said.concat()), (Some(7), b"onetwothree".to_vec()));
        let (_stream, watch) = start("yes 0123456789 | head -c 100000 >&2; printf '\\nlast\\n' >&2").unwrap();
        let (_, said) = watch.ended(PATIENCE).await.unwrap();
        assert_eq!(said.last().unwrap(), b"last");
        assert!(said.concat().len() <= MAX_SAID);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_listens_to_nothing_is_ended_with_the_connection() {
        let (stream, watch) = start("sleep 600").unwrap();
        drop(stream);
        assert!(watch.ended(PATIENCE).await.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_of_open_files_is_named_and_no_other_cause_is_taken_for_it() {
        let words_of = |errno: rustix::io::Errno| words(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert!(words_of(rustix::io::Errno::MFILE).ends_with(" (ulimit -n)"));
        assert!(!words_of(rustix::io::Errno::AGAIN).contains("ulimit"));
    }
}
