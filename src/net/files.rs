//! Open files, of which a process may have so many at the same time.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// So long after it failed for want of one, an attempt to open a file is made again.
const PAUSE: Duration = Duration::from_millis(50);

/// Whether a failure is that no more files may be open, in this process or on this machine.
#[cfg(unix)]
pub(in crate::net) fn are_used_up(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether a failure is that no more files may be open, in this process or on this machine.
#[cfg(not(unix))]
pub(in crate::net) fn are_used_up(_error: &io::Error) -> bool {
    false
}

/// Opens what takes a file, once there is one: others of this process are about to be closed.
///
/// # Errors
/// Those of `open`; that there is no file, when there still is none shortly before the deadline.
pub(in crate::net) async fn open<T>(deadline: Instant, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match open() {
            // In a box: it is rare, and would be a part of every attempt to connect.
            Err(error) if are_used_up(&error) && Instant::now() + PAUSE < deadline => Box::pin(sleep(PAUSE)).await,
            opened => return opened,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;

    use rustix::io::Errno;

    use super::*;

    #[tokio::test]
    async fn a_file_is_waited_for_and_not_without_end() {
        let (tries, free_at) = (Cell::new(0), Cell::new(3));
        let attempt = || {
            tries.set(tries.get() + 1);
            if tries.get() < free_at.get() { Err(Errno::MFILE.into()) } else { Ok(()) }
        };
        assert!(open(Instant::now() + Duration::from_secs(60), attempt).await.is_ok());
        assert_eq!(tries.replace(0), 3);
        free_at.set(u32::MAX);
        let error = open(Instant::now() + 2 * PAUSE, attempt).await.unwrap_err();
        assert!(are_used_up(&error) && (1..=2).contains(&tries.get()), "{error} {}", tries.get());
        assert_eq!(
            open(Instant::now(), || io::Result::<()>::Err(Errno::ACCESS.into())).await.unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
    }
}
