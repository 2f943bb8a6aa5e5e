//! Where lines come from: the editor at a terminal, or a script on standard input.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::ahead::Wanted;
use super::editor::{Editor, Given, Look};
use super::screen::Print;
use super::script::{Script, stdin_is_ready};
use super::snapshot::Snapshot;

/// A source of lines.
pub enum Source {
    /// The operator at a terminal.
    #[doc(hidden)]
    Terminal {
        /// The editor's side.
        editor: Box<Editor>,
        /// What completion sees.
        snapshot: Arc<Mutex<Snapshot>>,
    },
    /// Bytes that were prepared.
    #[doc(hidden)]
    Script(Box<Script>),
}

impl Source {
    /// The operator's terminal. Also returns the way to print above a line being edited.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn terminal(color: bool, on_screen: bool, history: Vec<String>) -> std::io::Result<(Self, Option<Sender<Print>>)> {
        let snapshot = Arc::new(Mutex::new(Snapshot::default()));
        let (editor, print) = Editor::start(Look { color, on_screen }, Arc::clone(&snapshot), history)?;
        Ok((Self::Terminal { editor: Box::new(editor), snapshot }, print))
    }

    /// A script on standard input.
    pub fn script() -> Self {
        Self::Script(Box::new(Script::new(std::io::stdin(), stdin_is_ready)))
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        if let Self::Terminal { snapshot, .. } = self {
            change(&mut snapshot.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(super) fn ask_line(&mut self, prompt: String, styled: String) {
        if let Self::Terminal { editor, .. } = self {
            editor.ask_line(prompt, styled);
        }
    }

    pub(super) fn ask_password(&mut self, prompt: String) {
        if let Self::Terminal { editor, .. } = self {
            editor.ask_password(prompt);
        }
    }

    /// What a script gives next is no line but what lies ahead of it.
    pub(super) fn look_for(&mut self, wanted: Wanted) {
        if let Self::Script(script) = self {
            script.look_for(wanted);
        }
    }

    /// Whether no line waits that was given before: the operator at a terminal gives one at a time.
    pub(super) fn is_drained(&self) -> bool {
        match self {
            Self::Terminal { .. } => true,
            Self::Script(script) => script.is_drained(),
        }
    }

    /// Whether a password is being read.
    pub(super) fn asks_password(&self) -> bool {
        matches!(self, Self::Terminal { editor, .. } if editor.asks_password())
    }

    /// Lines of a message that are here already, up to its lone dot.
    pub(super) fn body(&mut self) -> &[u8] {
        match self {
            Self::Terminal { .. } => &[],
            Self::Script(script) => script.body(),
        }
    }

    pub(super) fn remember(&self, line: &str) {
        if let Self::Terminal { editor, .. } = self {
            editor.remember(line);
        }
    }

    pub(super) async fn given(&mut self) -> Given {
        match self {
            Self::Terminal { editor, .. } => editor.given().await,
            Self::Script(script) => script.given().await,
        }
    }
}
