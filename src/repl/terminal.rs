//! The terminal's modes: saved at the start, restored whatever happens.

#[cfg(unix)]
pub use unix::Terminal;
#[cfg(not(unix))]
pub use windows::Terminal;

#[cfg(unix)]
mod unix {
    use std::io::Write as _;

    use rustix::termios::{
        ControlModes, InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcgetwinsize,
        tcsetattr,
    };

    /// The terminal that the operator sits at, and its modes as they were found.
    #[derive(Debug, Clone)]
    pub struct Terminal {
        saved: Termios,
    }

    /// A terminal that rustyline cannot draw on.
    fn is_dumb() -> bool {
        std::env::var("TERM").is_ok_and(|term| matches!(term.as_str(), "dumb" | "cons25" | "emacs"))
    }

    impl Terminal {
        /// The terminal on standard input; `None` when it is none.
        pub fn open() -> Option<Self> {
            tcgetattr(std::io::stdin()).ok().map(|saved| Self { saved })
        }

        /// The mode between two prompts: what is typed ahead is echoed, no length is too much for the
        /// kernel's line buffer (4096 bytes in its line mode), and Ctrl-C is a signal.
        pub fn between_prompts(&self) {
            if is_dumb() {
                // There the kernel edits the line.
                self.as_found();
                return;
            }
            let mut modes = self.saved.clone();
            modes.local_modes.remove(LocalModes::ICANON);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &modes);
        }

        /// Echo off, before the prompt of a password is seen; what was typed ahead is dropped.
        pub fn hidden(&self) {
            let mut modes = self.saved.clone();
            // As rpassword has it a moment later: a Ctrl-C in between is a key, not a signal.
            modes.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &modes);
        }

        /// The modes as they were found.
        pub fn as_found(&self) {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.saved);
        }

        /// The mode in which a line is edited, as rustyline sets it. After Ctrl-Z and `fg` the shell has
        /// put another one in its place, and rustyline does not notice.
        pub fn editing(&self) {
            let mut modes = self.saved.clone();
            modes.input_modes.remove(InputModes::BRKINT | InputModes::ICRNL | InputModes::INPCK | InputModes::ISTRIP | InputModes::IXON);
            modes.control_modes.insert(ControlModes::CS8);
            modes.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &modes);
        }

        /// The modes as they were found; also ends bracketed paste.
        pub fn restore(&self) {
            self.as_found();
            if std::io::IsTerminal::is_terminal(&std::io::stdout()) && std::env::var_os("TERM").is_some_and(|term| term != "dumb") {
                let mut out = std::io::stdout();
                let _ = out.write_all(b"\x1b[?2004l").and_then(|()| out.flush());
            }
        }

        /// The same for an end that waits for nothing: where nobody reads the terminal, the end of bracketed paste may
        /// be lost.
        pub fn restore_at_once(&self) {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.saved);
            let terminal = self.clone();
            drop(std::thread::Builder::new().spawn(move || terminal.restore()));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }

        /// Throws away what was typed ahead; says whether there was any.
        pub fn drop_type_ahead() -> bool {
            let any = rustix::io::ioctl_fionread(std::io::stdin()).is_ok_and(|count| count > 0);
            let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
            any
        }

        /// Columns of the terminal on standard output.
        pub fn width() -> Option<usize> {
            let size = tcgetwinsize(std::io::stdout()).ok()?;
            (size.ws_col > 0).then_some(usize::from(size.ws_col))
        }
    }
}

#[cfg(not(unix))]
mod windows {
    /// The console; rustyline keeps its modes.
    #[derive(Debug, Clone)]
    pub struct Terminal;

    impl Terminal {
        /// The console on standard input; `None` when it is none.
        pub fn open() -> Option<Self> {
            std::io::IsTerminal::is_terminal(&std::io::stdin()).then_some(Self)
        }

        /// Nothing to do: the console has no line buffer of the kernel's.
        pub fn between_prompts(&self) {}

        /// Nothing to do: rpassword switches the echo off.
        pub fn hidden(&self) {}

        /// Nothing to do: rustyline restores the console.
        pub fn as_found(&self) {}

        /// Nothing to do: the console has no job control.
        pub fn editing(&self) {}

        /// Nothing to do: rustyline restores the console.
        pub fn restore(&self) {}

        /// Not known here.
        pub fn drop_type_ahead() -> bool {
            false
        }

        /// Columns, as the environment tells them.
        pub fn width() -> Option<usize> {
            std::env::var("COLUMNS").ok()?.parse().ok().or(Some(80))
        }
    }
}
