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
}

impl Peek {
    pub(super) fn new(inner: Box<dyn Stream>) -> (Self, Head) {
        let head = Arc::new(Mutex::new(Vec::new()));
        (Self { inner, head: Arc::clone(&head), full: false }, Head(head))
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
        result
    }
}

impl AsyncWrite for Peek {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
