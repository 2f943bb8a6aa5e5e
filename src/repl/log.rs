//! A log of the session: the transcript, written as it grows, flushed at every entry.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::history::private;
use crate::render::transcript;
use crate::session::transcript::Transcript;

/// An open log.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// Where it is.
    pub path: PathBuf,
    seen: u64,
    begun: bool,
}

impl Log {
    /// Creates the file, readable by its owner only. An existing one is never touched: `-2`, `-3` … is
    /// added to the name (P41). A device or a pipe is written to as it is.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let special = std::fs::metadata(path).is_ok_and(|facts| !facts.is_file());
        let (file, path) = if special { (OpenOptions::new().append(true).open(path)?, path.to_owned()) } else { create_new(path)? };
        Ok(Self { file, path, seen: 0, begun: false })
    }

    /// Writes what is new in the transcript.
    ///
    /// # Errors
    /// What the operating system says; a full disk must not go unnoticed.
    pub(super) fn update(&mut self, transcript: &Transcript) -> io::Result<()> {
        let (entries, seen) = transcript.since(self.seen);
        let mut text = String::new();
        entries.for_each(|entry| transcript::entry(entry, &mut text));
        self.seen = seen;
        if text.is_empty() { Ok(()) } else { self.file.write_all(text.as_bytes()) }
    }

    /// Begins the part of a connection with its header; what was said on it so far stays out.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn begin(&mut self, header: &str, transcript: Option<&Transcript>) -> io::Result<()> {
        self.seen = transcript.map_or(0, |transcript| transcript.since(u64::MAX).1);
        let gap = if std::mem::replace(&mut self.begun, true) { "\n" } else { "" };
        self.file.write_all(format!("{gap}{header}").as_bytes())
    }
}

/// Creates a file that is not there yet, trying `name`, `name-2`, `name-3` …
///
/// # Errors
/// What the operating system says.
pub(super) fn create_new(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 1..1000 {
        let path = if number == 1 { path.to_owned() } else { numbered(path, number) };
        match private(OpenOptions::new().write(true).create_new(true)).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{number}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_never_emptied() {
        // P41
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.txt");
        std::fs::write(&path, "precious").unwrap();
        let mut log = Log::create(&path).unwrap();
        log.begin("# head\n", None).unwrap();
        assert_eq!(log.path, folder.path().join("session-2.txt"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&log.path).unwrap(), "# head\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(log.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
