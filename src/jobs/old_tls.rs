//! After a handshake that failed for want of anything in common: a second, short connection that finds
//! out what the server does speak.

use std::time::Duration;

use crate::net::dial::{DialOptions, dial};
use crate::net::tls::probe::{Answer, ask};
use crate::net::tls::{TlsCause, TlsFailure, TlsOptions};
use crate::net::{Connection, Limits};
use crate::session::{Event, Expected};
use crate::target::Target;
use crate::wire::command::Command;

/// The limit for all of it.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether the failure may come from a server that is too old.
pub fn may_be_old(failure: &TlsFailure, options: &TlsOptions) -> bool {
    if options.is_narrowed() {
        // Our own wishes explain it better.
        return false;
    }
    match &failure.cause {
        TlsCause::Alert(name) => matches!(
            name.as_str(),
            "protocol_version" | "handshake_failure" | "insufficient_security" | "illegal_parameter" | "inappropriate_fallback"
        ),
        TlsCause::Incompatible(_) | TlsCause::Closed | TlsCause::Reset => true,
        _ => false,
    }
}

/// Whether the answer explains the failure: a server that just hangs up may do so for other reasons, and
/// is old only if its version is.
pub fn explains(answer: &Answer, failure: &TlsFailure) -> bool {
    let Answer::Hello { version, .. } = answer else { return false };
    !matches!(failure.cause, TlsCause::Closed | TlsCause::Reset) || *version < 0x0303
}

/// Connects again and asks. `None` when the server answers nothing of use within ten seconds.
pub async fn what_it_speaks(target: &Target, options: &DialOptions, hello_name: &str, server_name: Option<&str>) -> Option<Answer> {
    let asking = async {
        let stream = dial(target, options, &mut |_| {}).await.ok()?.stream;
        let hello = format!("{} {hello_name}", target.protocol.hello());
        let stream = if target.implicit_tls { stream } else { through_starttls(stream, &hello).await? };
        Some(ask(stream, server_name).await)
    };
    tokio::time::timeout(LIMIT, asking).await.ok().flatten().filter(|answer| matches!(answer, Answer::Hello { .. }))
}

/// Greeting, EHLO, STARTTLS; then the stream is ready for a handshake.
async fn through_starttls(stream: Box<dyn crate::net::connection::Stream>, hello: &str) -> Option<Box<dyn crate::net::connection::Stream>> {
    let mut connection = Connection::new(stream, Limits::new(Some(LIMIT)));
    loop {
        match connection.next().await {
            Event::Reply { reply, to, .. } if reply.is_success() => match to {
                Expected::Greeting => connection.send(hello.as_bytes()),
                Expected::Command(Command::Ehlo) => connection.send(b"STARTTLS"),
                _ => return Some(connection.into_stream()),
            },
            _ => return None,
        }
    }
}
