//! Composing and sending a message: what is typed at `data>`, a sample, a file of any size.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use mail_builder::MessageBuilder;

/// A message, or part of one, that waits to be sent.
#[derive(Debug)]
pub(super) enum Body {
    /// In memory.
    Text(Vec<u8>),
    /// On disk.
    File {
        /// The file, at its beginning.
        file: File,
        /// Its length, if it has one.
        length: Option<u64>,
    },
}

/// Why a file cannot be sent.
#[derive(Debug)]
pub(super) enum BodyError {
    /// The operating system says.
    Io(io::Error),
    /// A folder.
    Folder,
    /// It holds a NUL at this offset.
    Nul(u64),
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&crate::net::dial::system_words(error)),
            Self::Folder => f.write_str("it is a folder"),
            Self::Nul(at) => {
                write!(f, "it holds a NUL byte (at offset {at}), which DATA cannot carry: encode it (base64) or use BDAT with BINARYMIME")
            }
        }
    }
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How much is read and sent at a time.
pub(super) const CHUNK: usize = 128 * 1024;

impl Body {
    /// Opens a file and makes sure that it can be sent whole before anything is said to the server.
    ///
    /// # Errors
    /// [`BodyError`] names the reason.
    pub(super) fn open(path: &Path) -> Result<Self, BodyError> {
        let mut file = File::open(path)?;
        let facts = file.metadata()?;
        if facts.is_dir() {
            return Err(BodyError::Folder);
        }
        if !facts.is_file() {
            return Ok(Self::File { file, length: None });
        }
        let mut chunk = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            if let Some(at) = memchr::memchr(0, &chunk[..count]) {
                return Err(BodyError::Nul(offset + at as u64));
            }
            offset += count as u64;
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(Self::File { file, length: Some(facts.len()) })
    }

    /// Its length in bytes, if it is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Text(bytes) => Some(bytes.len() as u64),
            Self::File { length, .. } => *length,
        }
    }
}

/// The sample message: what a mail program would write, and one line of text.
///
/// # Shape
/// Lines end with CRLF; there is no lone dot. `date` is seconds since 1970 UTC.
pub(super) fn sample(from: &str, to: &[String], host: &str, date: u64, title_date: &str) -> Vec<u8> {
    let id = format!("{date}.{:x}@{host}", std::process::id());
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut builder = MessageBuilder::new();
    if !from.is_empty() {
        builder = builder.from(from);
    }
    if !to.is_empty() {
        builder = builder.to(to);
    }
    builder = builder
        .date(i64::try_from(date).unwrap_or_default())
        .message_id(id)
        .subject(format!("ehlo test {title_date}"))
        .text_body(format!("Test message sent by ehlo from {host}.\r\n"));
    builder.write_to_vec().unwrap_or_default()
}

/// The message with From and To, when its header has neither; says whether they were added. One that
/// was composed before MAIL FROM could not know them.
pub(super) fn with_addresses(message: Vec<u8>, sender: Option<&str>, recipients: &[String]) -> (Vec<u8>, bool) {
    let text = String::from_utf8_lossy(&message);
    let has = |name: &str| {
        text.lines()
            .take_while(|line| !line.trim().is_empty())
            .any(|line| line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)))
    };
    let Some(sender) = sender.filter(|_| !has("From:") && !has("To:")) else { return (message, false) };
    let to = recipients.iter().map(|to| format!("<{to}>")).collect::<Vec<_>>().join(", ");
    let mut out = format!("From: <{sender}>\r\nTo: {to}\r\n").into_bytes();
    out.extend_from_slice(&message);
    (out, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_whole_message() {
        let message =
            sample("someone@alt.test", &["postmaster@contoso.test".to_owned()], "client.alt.test", 1_795_447_211, "2026-11-23 15:20:11");
        let text = String::from_utf8(message).unwrap();
        for part in [
            "From: <someone@alt.test>\r\n",
            "To: <postmaster@contoso.test>\r\n",
            "Date: ",
            "Message-ID: <",
            "Subject: ehlo test 2026-11-23 15:20:11\r\n",
            "\r\n\r\nTest message sent by ehlo from client.alt.test.\r\n",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn addresses_are_filled_in_only_where_there_are_none() {
        let to = ["c@d.test".to_owned()];
        let (message, added) = with_addresses(b"Subject: x\r\n\r\nFrom: here\r\n".to_vec(), Some("a@b.test"), &to);
        assert!(added && message.starts_with(b"From: <a@b.test>\r\nTo: <c@d.test>\r\nSubject: x\r\n"));
        let own = b"from: <x@y.test>\r\n\r\nhi".to_vec();
        assert_eq!(with_addresses(own.clone(), Some("a@b.test"), &to), (own, false));
    }

    #[test]
    fn a_file_that_cannot_be_sent_is_refused_before_anything_is_said() {
        // P30
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nul.eml");
        std::fs::write(&path, b"ab\0c").unwrap();
        assert!(matches!(Body::open(&path), Err(BodyError::Nul(2))));
        assert!(matches!(Body::open(folder.path()), Err(BodyError::Folder)));
        assert!(matches!(Body::open(&folder.path().join("none")), Err(BodyError::Io(_))));
    }
}
