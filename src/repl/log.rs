//! A log of the session: the transcript, written as it grows, flushed at every entry.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::history::private;
use crate::net::connection::Journal;
use crate::render::transcript;
use crate::session::transcript::Transcript;

/// An open log.
#[derive(Debug)]
pub(super) struct Log {
    /// Where it is.
    pub path: PathBuf,
    /// Shared with the connection, which writes what it is about to send (P51).
    writer: Arc<Mutex<Writer>>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    seen: u64,
    begun: bool,
    /// What failed while nobody could be told.
    failed: Option<io::Error>,
}

impl Log {
    /// Creates the file, readable by its owner only. An existing one is never touched: `-2`, `-3` … is
    /// added to the name (P41). A device is written to as it is.
    ///
    /// # Errors
    /// What the operating system says; or that it is a pipe or a socket, whose reader could hold up the session (P50).
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let special = std::fs::metadata(path).is_ok_and(|facts| !facts.is_file());
        let (file, path) = if special { (open_device(path)?, path.to_owned()) } else { create_new(path)? };
        Ok(Self { path, writer: Arc::new(Mutex::new(Writer { file, seen: 0, begun: false, failed: None })) })
    }

    /// Writes what is new in the transcript.
    ///
    /// # Errors
    /// What the operating system says, now or since the last call; a full disk must not go unnoticed.
    pub(super) fn update(&mut self, transcript: &Transcript) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        writer.failed.take().map_or(Ok(()), Err)?;
        writer.update(transcript)
    }

    /// Begins the part of a connection with its header; what was said on it so far stays out.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn begin(&mut self, header: &str, transcript: Option<&Transcript>) -> io::Result<()> {
        lock(&self.writer).begin(header, transcript)
    }

    /// What a connection calls before it writes: what is sent stands in the log before it is on the wire (P51).
    pub(super) fn journal(&self) -> Journal {
        let writer = Arc::clone(&self.writer);
        Box::new(move |transcript| {
            let mut writer = lock(&writer);
            if writer.failed.is_none() {
                writer.failed = writer.update(transcript).err();
            }
        })
    }
}

fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    fn update(&mut self, transcript: &Transcript) -> io::Result<()> {
        let (entries, seen) = transcript.since(self.seen);
        let mut text = String::new();
        entries.for_each(|entry| transcript::entry(entry, &mut text));
        self.seen = seen;
        if text.is_empty() { Ok(()) } else { self.file.write_all(text.as_bytes()) }
    }

    fn begin(&mut self, header: &str, transcript: Option<&Transcript>) -> io::Result<()> {
        self.seen = transcript.map_or(0, |transcript| transcript.since(u64::MAX).1);
        let gap = if std::mem::replace(&mut self.begun, true) { "\n" } else { "" };
        self.file.write_all(format!("{gap}{header}").as_bytes())
    }
}

/// Opens what is there and no regular file.
#[cfg(unix)]
fn open_device(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
    // Opening a pipe that nobody reads would wait for a reader.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let refuse = || io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a socket, whose reader could hold up the session");
    if std::fs::metadata(path)?.file_type().is_socket() {
        return Err(refuse());
    }
    let file = OpenOptions::new().append(true).custom_flags(flags).open(path);
    let is_pipe = |file: &File| file.metadata().map_or(true, |facts| facts.file_type().is_fifo());
    match file {
        Ok(file) if !is_pipe(&file) => {
            // Writing may wait: for a terminal, not for a reader.
            let flags = rustix::fs::fcntl_getfl(&file)?;
            rustix::fs::fcntl_setfl(&file, flags - rustix::fs::OFlags::NONBLOCK)?;
            Ok(file)
        }
        Ok(_) => Err(refuse()),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => Err(refuse()),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn open_device(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
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
            assert_eq!(lock(&log.writer).file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_no_log_whether_somebody_reads_it_or_not() {
        // P50
        use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        assert!(Log::create(&path).unwrap_err().to_string().contains("pipe"));
        let _reader = rustix::fs::open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        assert!(Log::create(&path).unwrap_err().to_string().contains("pipe"));
    }
}
