//! Runs the program in its script mode against a server of the lab, and looks at what it said, how
//! it ended, and what arrived in the mailboxes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing in the lab takes this long: 100 MB through a debug build are the slowest.
const DEADLINE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(5);

// ---- the lab -----------------------------------------------------------------------------------

/// The lab's state folder.
fn state() -> PathBuf {
    let state = std::env::var_os("EHLO_LAB").map(PathBuf::from);
    let state = state.expect("EHLO_LAB is not set: run `tests/lab/lab start`, then `eval \"$(tests/lab/lab env)\"`");
    assert!(state.join("pki/ca.crt").is_file(), "EHLO_LAB is {}, where no lab was started", state.display());
    state
}

/// The port of a server, from the table that the servers were configured from.
fn port(server: &str) -> &'static str {
    let mut rows = include_str!("ports").lines().map(str::split_whitespace);
    let row = rows.find_map(|mut row| (row.next() == Some(server)).then(|| row.next()));
    row.flatten().unwrap_or_else(|| panic!("no server {server} in tests/lab/ports"))
}

/// The certificate of the lab's own authority.
pub(crate) fn authority() -> String {
    state().join("pki/ca.crt").to_string_lossy().into_owned()
}

/// The client certificate of a user, and its key.
pub(crate) fn client_certificate(user: &str) -> (String, String) {
    let file = |kind: &str| state().join("pki").join(format!("{user}.{kind}")).to_string_lossy().into_owned();
    (file("crt"), file("key"))
}

/// The password of a user, from the table that the servers have theirs from. `DOMAIN\USER` is USER.
pub(crate) fn password_of(user: &str) -> String {
    let name = user.rsplit('\\').next().unwrap_or(user);
    let mut users = include_str!("users").lines().filter_map(|line| line.split_once(':'));
    users.find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no user {name} in tests/lab/users")).1.to_owned()
}

/// A token that the lab made when it started: `USER.valid`, `testuser.expired`, `testuser.audience`.
pub(crate) fn token(name: &str) -> String {
    fs::read_to_string(state().join("tokens").join(name)).unwrap().trim_end().to_owned()
}

/// An address of `testuser` that nobody else has: the mail to it can be told from all other mail.
pub(crate) fn own_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("testuser+{}-{now}-{}@contoso.test", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

// ---- the program -------------------------------------------------------------------------------

/// The program at work. It is killed when the value goes.
pub(crate) struct Ehlo {
    child: Child,
    stdin: Sender<Vec<u8>>,
    stdout: Stream,
    stderr: Stream,
    /// Its home folder: nothing of the user's is read or written.
    _home: TempDir,
}

impl Ehlo {
    /// Starts `ehlo FLAGS 127.0.0.1 PORT`.
    pub(crate) fn start(flags: &[&str], server: &str) -> Self {
        let kerberos = state().join("kdc");
        let home = TempDir::new().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ehlo"))
            .args(flags)
            .args(["127.0.0.1", port(server)])
            .env_clear()
            .env("HOME", home.path())
            .env("LC_ALL", "C.UTF-8")
            .env("KRB5_CONFIG", kerberos.join("krb5.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", kerberos.join("ccache").display()))
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let (stdin, lines) = mpsc::channel::<Vec<u8>>();
        // A program that has ended reads no more: what it said and its exit code tell why.
        thread::spawn(move || lines.iter().try_for_each(|text| pipe.write_all(&text)));
        let (stdout, stderr) = (Stream::collect(child.stdout.take().unwrap()), Stream::collect(child.stderr.take().unwrap()));
        Self { child, stdin, stdout, stderr, _home: home }
    }

    /// Puts text on its standard input, which stays open.
    pub(crate) fn type_in(&self, text: impl Into<Vec<u8>>) {
        // As above: one that has ended is looked at later.
        let _ = self.stdin.send(text.into());
    }

    /// Waits until standard output contains the text.
    pub(crate) fn wait_for(&self, text: &str) {
        assert!(self.stdout.wait_for(text), "{text:?} did not come\n{}\n{}", self.stdout.text(), self.stderr.text());
    }

    /// The most memory it had at any time so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the program has ended");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends its input, and waits for its end.
    pub(crate) fn finish(mut self) -> Outcome {
        self.stdin = mpsc::channel().0;
        self.ended()
    }

    /// Waits for its end, with its input left open.
    pub(crate) fn ended(mut self) -> Outcome {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < DEADLINE, "still running after {DEADLINE:?}\n{}\n{}", self.stdout.text(), self.stderr.text());
            thread::sleep(POLL);
        };
        Outcome { code: status.code(), stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }
}

impl Drop for Ehlo {
    fn drop(&mut self) {
        // Both fail when it has ended, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a whole script, handed over in one piece.
pub(crate) fn run(flags: &[&str], server: &str, script: impl Into<Vec<u8>>) -> Outcome {
    let ehlo = Ehlo::start(flags, server);
    ehlo.type_in(script);
    ehlo.finish()
}

/// What comes out of a pipe, read as it comes.
struct Stream {
    shared: Arc<(Mutex<Seen>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::<(Mutex<Seen>, Condvar)>::default();
        let seen = Arc::clone(&shared);
        let reader = thread::spawn(move || {
            let mut piece = [0; 8192];
            loop {
                let length = pipe.read(&mut piece).unwrap_or(0);
                let mut now = seen.0.lock().unwrap();
                now.bytes.extend_from_slice(&piece[..length]);
                now.ended = length == 0;
                seen.1.notify_all();
                if now.ended {
                    return;
                }
            }
        });
        Self { shared, reader: Some(reader) }
    }

    /// Waits until the text was seen; false when it cannot come any more, or did not in time.
    fn wait_for(&self, text: &str) -> bool {
        let found = |seen: &Seen| String::from_utf8_lossy(&seen.bytes).contains(text);
        let open = |seen: &mut Seen| !seen.ended && !found(seen);
        found(&self.shared.1.wait_timeout_while(self.shared.0.lock().unwrap(), DEADLINE, open).unwrap().0)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.0.lock().unwrap().bytes).into_owned()
    }

    fn whole(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.text()
    }
}

// ---- what it said ------------------------------------------------------------------------------

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The exit code must be this one.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "exit code\n{}", self.all());
        self
    }

    /// The exit code must tell of a failure.
    #[track_caller]
    pub(crate) fn fails(&self) -> &Self {
        assert!(self.code.is_some_and(|code| code != 0), "exit code {:?}\n{}", self.code, self.all());
        self
    }

    /// Standard output must be this conversation. A line `...` stands for any lines, or none; at the
    /// end of a line the three dots stand for the rest of it. Indentation does not count.
    #[track_caller]
    pub(crate) fn conversation(&self, want: &str) -> &Self {
        let want: Vec<&str> = want.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
        let said: Vec<&str> = self.stdout.lines().collect();
        if let Err(fault) = same_conversation(&want, &said) {
            panic!("{fault}\n{}", self.all());
        }
        self
    }

    /// Does a line of standard output begin like this?
    pub(crate) fn has_line(&self, start: &str) -> bool {
        self.stdout.lines().any(|line| line.starts_with(start))
    }

    /// A line of standard output must begin like this.
    #[track_caller]
    pub(crate) fn shows(&self, start: &str) -> &Self {
        assert!(self.has_line(start), "no line {start:?}\n{}", self.all());
        self
    }

    /// No line of standard output may begin like this.
    #[track_caller]
    pub(crate) fn never_shows(&self, start: &str) -> &Self {
        assert!(!self.has_line(start), "a line {start:?}\n{}", self.all());
        self
    }

    /// The password must be in no output, neither as it is nor in a form in which it was sent.
    #[track_caller]
    pub(crate) fn keeps_secret(&self, user: &str, password: &str) -> &Self {
        let forms = [password.to_owned(), base64(password.as_bytes()), base64(format!("\0{user}\0{password}").as_bytes())];
        for form in forms {
            assert!(!self.stdout.contains(&form) && !self.stderr.contains(&form), "{form:?} was shown\n{}", self.all());
        }
        self
    }

    /// Something that is said about the conversation, on standard error.
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "{words:?} was not said\n{}", self.all());
        self
    }

    /// All that it said, and how it ended.
    pub(crate) fn all(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}--- exit code {:?}", self.stdout, self.stderr, self.code)
    }
}

fn same_conversation(want: &[&str], said: &[&str]) -> Result<(), String> {
    let fits = |want: &str, said: &str| want.strip_suffix("...").map_or(want == said, |start| said.starts_with(start));
    let mut at = 0;
    let mut skipping = false;
    for line in want {
        if *line == "..." {
            skipping = true;
            continue;
        }
        match said[at..].iter().position(|said| fits(line, said)) {
            Some(0) => at += 1,
            Some(further) if skipping => at += further + 1,
            _ => return Err(format!("wanted {line:?}, got {:?}", said.get(at).unwrap_or(&"the end"))),
        }
        skipping = false;
    }
    if at < said.len() && !skipping {
        return Err(format!("wanted the end, got {:?}", said[at]));
    }
    Ok(())
}

/// RFC 4648, written again here: the program's own is under test.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for piece in bytes.chunks(3) {
        let bits = piece.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - piece.len()));
        for digit in 0..4 {
            out.push(if digit <= piece.len() { char::from(DIGITS[bits >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    out
}

// ---- what arrived ------------------------------------------------------------------------------

/// A message in a mailbox. Its file is deleted when the value goes.
pub(crate) struct Mail {
    path: PathBuf,
}

impl Mail {
    /// Waits for the message to this address, below `mail/` in the lab's state folder.
    pub(crate) fn wait(folder: &str, address: &str) -> Self {
        let folder = state().join("mail").join(folder);
        let start = Instant::now();
        loop {
            if let Some(path) = addressed_to(&folder, address).pop() {
                return Self { path };
            }
            assert!(start.elapsed() < DEADLINE, "nothing for {address} in {} after {DEADLINE:?}", folder.display());
            thread::sleep(POLL);
        }
    }

    /// The message as it was sent: what follows the fields that the server put on top, of which
    /// `Received` is the last.
    pub(crate) fn open(&self) -> BufReader<File> {
        let mut file = BufReader::new(File::open(&self.path).unwrap());
        let mut line = Vec::new();
        while !line.starts_with(b"Received:") {
            line.clear();
            assert_ne!(file.read_until(b'\n', &mut line).unwrap(), 0, "no Received field in {}", self.path.display());
        }
        while matches!(file.fill_buf().unwrap().first(), Some(b'\t' | b' ')) {
            file.read_until(b'\n', &mut line).unwrap();
        }
        file
    }

    /// The message as it was sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.open().read_to_end(&mut bytes).unwrap();
        bytes
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        // It may be gone already; what is left over does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// How many messages to this address there are at this moment.
pub(crate) fn count_mail(folder: &str, address: &str) -> usize {
    addressed_to(&state().join("mail").join(folder), address).len()
}

/// The messages whose fields on top, which name the recipient in one way or other, have the address.
fn addressed_to(folder: &Path, address: &str) -> Vec<PathBuf> {
    // A mailbox is made when its first message comes.
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let has_address = |path: &PathBuf| {
        let mut top = Vec::new();
        // Another test may have deleted it since.
        File::open(path).and_then(|file| file.take(300).read_to_end(&mut top)).is_ok() && String::from_utf8_lossy(&top).contains(address)
    };
    entries.map(|entry| entry.unwrap().path()).filter(has_address).collect()
}

/// What a mailbox should hold of a message: its lines, each ended by LF.
pub(crate) fn as_kept(message: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(message.len() + 1);
    for &byte in message {
        if byte == b'\n' && kept.last() == Some(&b'\r') {
            kept.pop();
        }
        kept.push(byte);
    }
    if kept.last().is_some_and(|&last| last != b'\n') {
        kept.push(b'\n');
    }
    kept
}

/// Two streams must hold the same bytes; a difference is shown with what surrounds it.
#[track_caller]
pub(crate) fn assert_same(name: &str, mut got: impl Read, mut want: impl Read) {
    const PIECE: usize = 1 << 20;
    let mut offset = 0;
    loop {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        got.by_ref().take(PIECE as u64).read_to_end(&mut ours).unwrap();
        want.by_ref().take(PIECE as u64).read_to_end(&mut theirs).unwrap();
        if ours != theirs {
            let at = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            panic!("{name}: differs at byte {}: got {}, want {}", offset + at, around(&ours, at), around(&theirs, at));
        }
        if ours.is_empty() {
            return;
        }
        offset += ours.len();
    }
}

fn around(bytes: &[u8], at: usize) -> String {
    format!("\"{}\"", bytes[at.saturating_sub(20)..bytes.len().min(at + 20)].escape_ascii())
}
