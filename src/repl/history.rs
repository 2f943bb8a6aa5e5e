//! The history file: verbs and local commands of earlier sessions, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use etcetera::AppStrategy as _;

/// How many lines are kept.
pub(super) const KEPT: usize = 1000;

/// The lines, and the file behind them if there is one.
#[derive(Debug)]
pub struct History {
    lines: Vec<String>,
    file: Option<File>,
    /// There was no file before: the operator is new.
    pub is_first: bool,
}

impl History {
    /// No file: lines are kept for this session only.
    pub fn without_file() -> Self {
        Self { lines: Vec::new(), file: None, is_first: false }
    }

    /// Reads the file and keeps it open for new lines. A link is not followed (P42), and a pipe is not waited for (P50).
    ///
    /// # Errors
    /// What the operating system says, or that it is no regular file; the caller goes on without a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let is_first = !path.exists();
        let mut lines: Vec<String> = if is_first {
            Vec::new()
        } else {
            let file = private(OpenOptions::new().read(true)).open(path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
            }
            BufReader::new(file).lines().map_while(Result::ok).collect()
        };
        let on_disk = lines.len();
        keep_last(&mut lines);
        if on_disk > 2 * KEPT {
            let mut file = private(OpenOptions::new().write(true).truncate(true)).open(path)?;
            file.write_all((lines.join("\n") + "\n").as_bytes())?;
        }
        let file = private(OpenOptions::new().create(true).append(true)).open(path)?;
        restrict(&file)?;
        Ok(Self { lines, file: Some(file), is_first })
    }

    /// The lines, the oldest first.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Adds a line; a repetition of the last one is left out. Says whether it was added.
    pub fn add(&mut self, line: String) -> bool {
        if self.lines.last() == Some(&line) {
            return false;
        }
        self.lines.retain(|known| *known != line);
        if let Some(file) = &mut self.file
            && file.write_all(format!("{line}\n").as_bytes()).is_err()
        {
            // A full disk costs the history of later sessions, not this one.
            self.file = None;
        }
        self.lines.push(line);
        true
    }
}

/// Of equal lines the last one stays, and of all the newest.
fn keep_last(lines: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    lines.reverse();
    lines.retain(|line| seen.insert(line.clone()));
    lines.truncate(KEPT);
    lines.reverse();
}

/// Where the history is kept: `EHLO_HISTORY`, or the platform's place for state; `None` when that is empty or `/dev/null`.
pub fn default_path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("EHLO_HISTORY") {
        // The usual way to say "nowhere".
        let is_none = path.is_empty() || path == "/dev/null";
        return (!is_none).then(|| PathBuf::from(path));
    }
    let strategy = etcetera::choose_app_strategy(etcetera::AppStrategyArgs {
        top_level_domain: String::new(),
        author: String::new(),
        app_name: "ehlo".to_owned(),
    })
    .ok()?;
    Some(strategy.in_state_dir("history").unwrap_or_else(|| strategy.in_data_dir("history")))
}

/// Options that make a file its owner's only, do not follow a link, and do not wait for the other end of a pipe.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    options
}

fn restrict(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_the_file_is_private() {
        // P42
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/history");
        let mut history = History::open(&path).unwrap();
        assert!(history.is_first);
        assert!(history.add("EHLO a".to_owned()));
        assert!(!history.add("EHLO a".to_owned()));
        assert!(history.add("QUIT".to_owned()));
        let again = History::open(&path).unwrap();
        assert_eq!((again.lines(), again.is_first), (&["EHLO a".to_owned(), "QUIT".to_owned()][..], false));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert!(History::open(&link).is_err());
            // P50
            let pipe = folder.path().join("pipe");
            rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
            assert!(History::open(&pipe).unwrap_err().to_string().contains("not a regular file"));
        }
    }
}
