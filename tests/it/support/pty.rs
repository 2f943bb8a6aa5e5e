//! The program at a terminal: portable-pty is the terminal, vt100 keeps what a person would see.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, NativePtySystem, PtySize, PtySystem};
use tempfile::TempDir;

use super::DEADLINE;

/// Keys as a terminal sends them.
pub(crate) mod key {
    pub(crate) const CTRL_C: &str = "\x03";
    pub(crate) const CTRL_D: &str = "\x04";
    pub(crate) const BACKSPACE: &str = "\x7f";
    pub(crate) const UP: &str = "\x1b[A";
    pub(crate) const LEFT: &str = "\x1b[D";
    pub(crate) const HOME: &str = "\x1b[H";
    pub(crate) const TAB: &str = "\t";

    /// What a terminal sends when text is pasted and the program asked to be told.
    pub(crate) fn pasted(text: &str) -> String {
        format!("\x1b[200~{text}\x1b[201~")
    }
}

/// How the program is started.
pub(crate) struct Start {
    args: Vec<String>,
    env: Vec<(String, String)>,
    width: u16,
    height: u16,
    folder: TempDir,
}

/// `ehlo ARGS` at a terminal of 80 columns.
pub(crate) fn at_terminal<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Start {
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("history").to_string_lossy().into_owned();
    // An operator who has been here before: the welcome of a first start is not said.
    std::fs::write(folder.path().join("history"), "").unwrap();
    Start {
        args: args.into_iter().map(Into::into).collect(),
        env: vec![("EHLO_HISTORY".to_owned(), history)],
        width: 80,
        height: 50,
        folder,
    }
}

/// `ehlo FLAGS 127.0.0.1 PORT` at a terminal.
pub(crate) fn talk_to(port: u16, flags: &[&str]) -> Start {
    let port = port.to_string();
    at_terminal(flags.iter().copied().chain(["127.0.0.1", port.as_str()]).map(str::to_owned).collect::<Vec<_>>())
}

impl Start {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn width(mut self, columns: u16) -> Self {
        self.width = columns;
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it.
    pub(crate) fn start(self) -> Pty {
        let program = env!("CARGO_BIN_EXE_ehlo").to_owned();
        self.spawn(&program, &[])
    }

    /// Starts it from a shell that writes the terminal's modes down before and after, and prints the
    /// exit status: see [`Pty::assert_same_modes`].
    pub(crate) fn start_in_shell(self) -> Pty {
        let script = "trap : INT TERM HUP; stty -a >before; \"$@\"; echo EXIT=$?; stty -a >after; echo SHELL DONE";
        let head = ["-c", script, "sh", env!("CARGO_BIN_EXE_ehlo")].map(str::to_owned);
        self.spawn("sh", &head)
    }

    fn spawn(self, program: &str, head: &[String]) -> Pty {
        let size = PtySize { rows: self.height, cols: self.width, pixel_width: 0, pixel_height: 0 };
        let pair = NativePtySystem::default().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(head);
        command.args(&self.args);
        command.env_clear();
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.folder.path());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command.cwd(self.folder.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if send.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let (rows, columns) = (NonZeroU16::new(self.height).unwrap(), NonZeroU16::new(self.width).unwrap());
        Pty {
            master: pair.master,
            screen: vt100::Parser::new(rows, columns, 0),
            output,
            writer,
            child,
            raw: Vec::new(),
            folder: self.folder,
        }
    }
}

/// The program at its terminal. It is killed when the value goes.
pub(crate) struct Pty {
    master: Box<dyn MasterPty + Send>,
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    raw: Vec<u8>,
    folder: TempDir,
}

impl Pty {
    /// Presses keys.
    pub(crate) fn send(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).and_then(|()| self.writer.flush()).unwrap();
    }

    /// Types a line: waits until it stands on the screen, then presses Enter. So a prompt that is waited
    /// for next is not the one at which it was typed.
    #[track_caller]
    pub(crate) fn line(&mut self, line: &str) {
        let count = |screen: &str| screen.replace('\n', "").matches(line).count();
        let before = count(&self.shown());
        self.send(line);
        let hidden = ["password>", "password:", "token>"].iter().any(|prompt| self.shown().trim_end().ends_with(prompt));
        if !hidden && !line.is_empty() {
            self.wait(line, |screen| count(screen) > before);
        }
        self.send("\r");
    }

    /// Waits until the screen shows this text, however its rows are broken.
    #[track_caller]
    pub(crate) fn wait_for_words(&mut self, text: &str) {
        self.wait(text, |screen| screen.split_whitespace().collect::<Vec<_>>().join(" ").contains(text));
    }

    /// Waits until the screen shows this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait(text, |screen| screen.contains(text));
    }

    /// Waits until the row of the cursor is this one (trailing spaces left out).
    #[track_caller]
    pub(crate) fn wait_at(&mut self, row: &str) {
        self.wait(row, |screen| screen.trim_end().lines().last().unwrap_or_default().trim_end() == row.trim_end());
    }

    /// Waits until the last row begins with this.
    #[track_caller]
    pub(crate) fn wait_at_start(&mut self, start: &str) {
        self.wait(start, |screen| screen.trim_end().lines().last().unwrap_or_default().starts_with(start));
    }

    /// Waits for the password prompt, and until the terminal echoes nothing.
    #[track_caller]
    pub(crate) fn wait_hidden(&mut self) {
        use std::os::unix::fs::OpenOptionsExt as _;
        self.wait("the password prompt", |screen| {
            ["password>", "password:", "token>"].contains(&screen.trim_end().lines().last().unwrap_or_default().trim_end())
        });
        let name = self.master.tty_name().unwrap();
        let flags = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
        let terminal = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(name).unwrap();
        let end = Instant::now() + DEADLINE;
        while rustix::termios::tcgetattr(&terminal).unwrap().local_modes.contains(rustix::termios::LocalModes::ECHO) {
            assert!(Instant::now() < end, "the terminal still echoes");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until something holds for the screen.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            if holds(&self.shown()) {
                return;
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => panic!("{error}: waited for {what:?}; screen:\n{}", self.shown()),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
    }

    /// What a person sees now.
    pub(crate) fn shown(&self) -> String {
        self.screen.screen().contents()
    }

    /// All bytes that were written to the terminal.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for the end and gives the exit status.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> u32 {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.output.recv_timeout(Duration::from_millis(10)) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
                    self.take(&bytes);
                }
                let raw = self.raw();
                assert!(!raw.contains("panicked at"), "{raw}");
                return status.exit_code();
            }
            assert!(Instant::now() < end, "not ended; screen:\n{}", self.shown());
        }
    }

    /// After [`Start::start_in_shell`]: the exit status, when the terminal's modes are as they were
    /// before (P39).
    #[track_caller]
    pub(crate) fn exit_with_same_modes(&mut self) -> u32 {
        self.wait_for("SHELL DONE");
        let modes = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert_eq!(modes("after"), modes("before"));
        assert!(!self.screen.screen().bracketed_paste(), "bracketed paste is still on");
        assert!(!self.screen.screen().hide_cursor(), "the cursor is still hidden");
        let shown = self.shown();
        assert!(!self.raw().contains("panicked at"), "{shown}");
        let status = shown.lines().rev().find_map(|line| line.split_once("EXIT=").map(|(_, status)| status.trim().to_owned()));
        status.unwrap().parse().unwrap()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
