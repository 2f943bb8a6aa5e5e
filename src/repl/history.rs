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

    /// Reads the file and keeps it open for new lines. A link is not followed (P42).
    ///
    /// # Errors
    /// What the operating system says; the caller goes on without a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let is_first = !path.exists();
        let mut lines: Vec<String> = if is_first {
            Vec::new()
        } else {
            BufReader::new(private(OpenOptions::new().read(true)).open(path)?).lines().map_while(Result::ok).collect()
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

/// Where the history is kept: `EHLO_HISTORY`, or the platform's place for state; `None` switches it off.
pub fn default_path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("EHLO_HISTORY") {
        return (!path.is_empty()).then(|| PathBuf::from(path));
    }
    let strategy = etcetera::choose_app_strategy(etcetera::AppStrategyArgs {
        top_level_domain: String::new(),
        author: String::new(),
        app_name: "ehlo".to_owned(),
    })
    .ok()?;
    Some(strategy.in_state_dir("history").unwrap_or_else(|| strategy.in_data_dir("history")))
}

/// Options that make a file its owner's only, and do not follow a link.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default());
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
        }
    }
}
