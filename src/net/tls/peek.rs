//! A stream that remembers its first bytes, to tell what answered in the place of TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::connection::Stream;

const REMEMBERED: usize = 128;

/// The first bytes, also after the stream is gone.
pub(super) struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The stream.
pub(super) struct Peek {
    inner: Box<dyn Stream>,
    head: Arc<Mutex<Vec<u8>>>,
    full: bool,
    quick: Quick,
}

/// Whether what comes is to be acknowledged at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quick {
    No,
    /// When something more was sent.
    AfterWrite,
    Now,
}

impl Peek {
    pub(super) fn new(inner: Box<dyn Stream>) -> (Self, Head) {
        let head = Arc::new(Mutex::new(Vec::new()));
        (Self { inner, head: Arc::clone(&head), full: false, quick: Quick::No }, Head(head))
    }

    /// The handshake is over: what comes before the reply to the next command is acknowledged at once.
    ///
    /// A TLS 1.3 server sends tickets then. One that waits for their acknowledgement before it sends more (Nagle's
    /// algorithm) would wait for the 40 ms by which a system delays it.
    pub(super) fn shaken_hands(&mut self) {
        self.quick = Quick::AfterWrite;
    }

    /// Nothing is there to be read.
    #[cfg(target_os = "linux")]
    fn waits(&mut self) {
        if self.quick == Quick::Now
            && let Some(tcp) = self.inner.as_ref().tcp()
        {
            // Where it cannot be had it is slower, and nothing else. A command that is sent undoes it, so it comes
            // behind one.
            let _ = tcp.set_quickack(true);
            self.quick = Quick::No;
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn waits(&mut self) {
        self.quick = Quick::No;
    }
}

impl AsyncRead for Peek {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        if !self.full {
            let new = &buffer.filled()[before..];
            let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
            let room = REMEMBERED - head.len();
            head.extend_from_slice(&new[..new.len().min(room)]);
            let full = head.len() == REMEMBERED;
            drop(head);
            self.full = full;
        }
        if result.is_pending() {
            self.waits();
        }
        result
    }
}

impl AsyncWrite for Peek {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.quick == Quick::AfterWrite {
            self.quick = Quick::Now;
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
