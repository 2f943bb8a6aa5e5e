//! The program run with pipes, as a script or a monitoring system runs it.
//!
//! What a test does not say about standard output or standard error must be empty: nothing is said
//! without somebody having looked at it.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::DEADLINE;

/// The program and what is expected of it.
pub(crate) struct Run {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Input,
    folder: TempDir,
    deadline: Duration,
    status: Option<i32>,
    stdout: Expect,
    stderr: Expect,
}

enum Input {
    Bytes(Vec<u8>),
    /// Nothing comes, and no end either, until the value goes.
    Open,
}

enum Expect {
    Exactly(String),
    Has(Vec<String>),
    Anything,
}

/// What the program did.
pub(crate) struct Done {
    /// The exit status; `None` when a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// How long it took.
    pub(crate) took: Duration,
    /// The most memory that it was seen to use, in KiB; 0 where that cannot be known.
    pub(crate) memory: u64,
    /// Its home and working folder.
    pub(crate) folder: TempDir,
}

/// The program at work.
pub(crate) struct Running {
    child: Child,
    started: Instant,
    deadline: Duration,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    stdin: Option<std::process::ChildStdin>,
    writer: Option<JoinHandle<()>>,
    folder: Option<TempDir>,
    memory: u64,
    out_so_far: Vec<u8>,
}

/// `ehlo ARGS`.
pub(crate) fn ehlo<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Run {
    Run {
        args: args.into_iter().map(Into::into).collect(),
        env: Vec::new(),
        stdin: Input::Bytes(Vec::new()),
        folder: TempDir::new().unwrap(),
        deadline: DEADLINE,
        status: None,
        stdout: Expect::Has(Vec::new()),
        stderr: Expect::Has(Vec::new()),
    }
}

/// `ehlo 127.0.0.1 PORT`, with the flags before it.
pub(crate) fn ehlo_to(port: u16, flags: &[&str]) -> Run {
    let port = port.to_string();
    ehlo(flags.iter().copied().chain(["127.0.0.1", port.as_str()]).map(OsString::from).collect::<Vec<_>>())
}

impl Run {
    /// What the program reads.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// Standard input stays open and silent.
    pub(crate) fn open_stdin(mut self) -> Self {
        self.stdin = Input::Open;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Its home and working folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn status(mut self, status: i32) -> Self {
        self.status = Some(status);
        self
    }

    /// All of standard output.
    pub(crate) fn stdout(mut self, text: impl Into<String>) -> Self {
        self.stdout = Expect::Exactly(text.into());
        self
    }

    /// Something that standard output holds.
    pub(crate) fn out(mut self, text: impl Into<String>) -> Self {
        self.stdout.also(text.into());
        self
    }

    /// Something that standard error holds.
    pub(crate) fn err(mut self, text: impl Into<String>) -> Self {
        self.stderr.also(text.into());
        self
    }

    /// Standard output may be anything: the test looks itself.
    pub(crate) fn any_out(mut self) -> Self {
        self.stdout = Expect::Anything;
        self
    }

    /// Standard error may be anything: the test looks itself.
    pub(crate) fn any_err(mut self) -> Self {
        self.stderr = Expect::Anything;
        self
    }

    /// Both may be anything.
    pub(crate) fn any(self) -> Self {
        self.any_out().any_err()
    }

    /// Starts the program.
    pub(crate) fn start(self) -> Running {
        self.begin().0
    }

    fn begin(self) -> (Running, Wanted) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ehlo"));
        command.args(&self.args).env_clear().current_dir(self.folder.path());
        for name in ["PATH", "SystemRoot", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.folder.path()).env("EHLO_HISTORY", "").env("LANG", "C.UTF-8");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = read_all(child.stdout.take().unwrap());
        let stderr = read_all(child.stderr.take().unwrap());
        let mut pipe = child.stdin.take().unwrap();
        let (writer, stdin) = match self.stdin {
            Input::Open => (None, Some(pipe)),
            Input::Bytes(bytes) => {
                // The program may end without having read all of it.
                let writer = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
                (Some(writer), None)
            }
        };
        let wanted = Wanted { args: self.args, status: self.status, stdout: self.stdout, stderr: self.stderr };
        let running = Running {
            child,
            started: Instant::now(),
            deadline: self.deadline,
            stdout,
            stderr,
            stdin,
            writer,
            folder: Some(self.folder),
            memory: 0,
            out_so_far: Vec::new(),
        };
        (running, wanted)
    }

    /// Runs the program to its end and looks whether it did what was expected.
    #[track_caller]
    pub(crate) fn check(self) -> Done {
        let (running, wanted) = self.begin();
        let done = running.finish();
        wanted.hold(&done);
        done
    }
}

struct Wanted {
    args: Vec<OsString>,
    status: Option<i32>,
    stdout: Expect,
    stderr: Expect,
}

impl Wanted {
    #[track_caller]
    fn hold(&self, done: &Done) {
        let (out, err) = (done.out(), done.err());
        let all = format!("ehlo {:?}\nstatus {:?}\n--- stdout\n{out}--- stderr\n{err}---", self.args, done.status);
        // P40
        assert!(!err.contains("panicked at") && !out.contains("panicked at"), "{all}");
        self.stdout.hold(&out, "standard output", &all);
        self.stderr.hold(&err, "standard error", &all);
        assert_eq!(done.status, Some(self.status.unwrap_or(0)), "exit status\n{all}");
    }
}

impl Expect {
    fn also(&mut self, text: String) {
        match self {
            Self::Has(parts) => parts.push(text),
            Self::Exactly(_) | Self::Anything => *self = Self::Has(vec![text]),
        }
    }

    #[track_caller]
    fn hold(&self, text: &str, which: &str, all: &str) {
        match self {
            Self::Anything => {}
            Self::Exactly(want) => assert_eq!(text, want, "{which}\n{all}"),
            Self::Has(parts) if parts.is_empty() => assert_eq!(text, "", "{which} should be empty\n{all}"),
            Self::Has(parts) => {
                for part in parts {
                    assert!(text.contains(part.as_str()), "{which} lacks {part:?}\n{all}");
                }
            }
        }
    }
}

impl Done {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Both streams.
    pub(crate) fn all(&self) -> String {
        self.out() + &self.err()
    }
}

impl Running {
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it handles Ctrl-C itself (SIGINT is the second bit of what it catches).
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub(crate) fn wait_catches_interrupt(&self) {
        let end = Instant::now() + self.deadline;
        loop {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
            if u64::from_str_radix(caught, 16).unwrap() & 2 != 0 {
                return;
            }
            assert!(Instant::now() < end, "it does not handle Ctrl-C");
            std::thread::yield_now();
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Gives it a line, when its input was left open.
    pub(crate) fn line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush()).unwrap();
    }

    /// Waits until standard output holds this, and gives all of it so far.
    #[track_caller]
    pub(crate) fn wait_out(&mut self, text: &str) -> String {
        let end = Instant::now() + self.deadline;
        loop {
            let so_far = String::from_utf8_lossy(&self.out_so_far).into_owned();
            if so_far.contains(text) {
                return so_far;
            }
            match self.stdout.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.out_so_far.extend(bytes),
                Err(error) => panic!("{error}: standard output never held {text:?}: {so_far}"),
            }
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Done {
        let end = self.started + self.deadline;
        let status = loop {
            self.memory = self.memory.max(memory(self.child.id()));
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                let out: Vec<u8> = self.out_so_far.drain(..).chain(self.stdout.try_iter().flatten()).collect();
                let err: Vec<u8> = self.stderr.try_iter().flatten().collect();
                panic!("not ended after {:?}\n{}---\n{}", self.deadline, String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
        let mut stdout = std::mem::take(&mut self.out_so_far);
        stdout.extend(self.stdout.iter().flatten());
        let stderr = self.stderr.iter().flatten().collect();
        Done { status: status.code(), stdout, stderr, took, memory: self.memory, folder: self.folder.take().unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or not wanted any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            if send.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receive
}

/// The most memory that the process had so far, in KiB.
fn memory(id: u32) -> u64 {
    // The parent of a vfork goes on shortly before the child has its own memory: until then that of the tests is seen.
    let program = std::fs::read_link(format!("/proc/{id}/exe"));
    if program.is_ok_and(|program| std::fs::canonicalize(env!("CARGO_BIN_EXE_ehlo")).is_ok_and(|ehlo| ehlo != program)) {
        return 0;
    }
    let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}
