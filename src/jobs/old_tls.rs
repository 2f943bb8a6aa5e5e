//! After a handshake that failed for want of anything in common: a second, short connection that finds
//! out what the server does speak.

use std::time::Duration;

use crate::explain::old_tls::OldTls;
use crate::net::dial::{DialOptions, dial};
use crate::net::tls::probe::{Answer, ask};
use crate::net::tls::{TlsCause, TlsFailure, TlsOptions};
use crate::net::{Connection, Limits};
use crate::session::{Event, Expected, Judgement};
use crate::target::Target;
use crate::wire::command::Command;

/// The limit for all of it.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether the failure may come from a server that is too old.
pub fn may_be_old(failure: &TlsFailure, options: &TlsOptions) -> bool {
    // Our own wishes explain it better, and so does the certificate that it asked for: by then it had agreed
    // to a version and a suite.
    if options.is_narrowed() || failure.client_certificate_asked {
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
fn explains(answer: &Answer, failure: &TlsFailure) -> bool {
    let hung_up = matches!(failure.cause, TlsCause::Closed | TlsCause::Reset);
    matches!(answer, Answer::Hello { .. }) && (!hung_up || answer.version_is_old())
}

/// Connects again and asks. `None` when the server answers nothing within
/// ten seconds that would explain the failure.
pub async fn what_it_speaks(
    failure: &TlsFailure,
    target: &Target,
    options: &DialOptions,
    hello_name: &str,
    server_name: Option<&str>,
) -> Option<OldTls> {
    let asking = async {
        let stream = dial(target, options, &mut |_| {}).await.ok()?.stream;
        let hello = format!("{} {hello_name}", target.protocol.hello());
        let stream = if target.implicit_tls { stream } else { through_starttls(stream, &hello).await? };
        Some(ask(stream, server_name).await)
    };
    let answer = tokio::time::timeout(LIMIT, asking).await.ok().flatten()?;
    let (version, suite) = answer.describe().filter(|_| explains(&answer, failure))?;
    Some(OldTls { version, suite, version_is_old: answer.version_is_old() })
}

/// Greeting, EHLO, STARTTLS; then the stream is ready for a handshake.
async fn through_starttls(stream: Box<dyn crate::net::connection::Stream>, hello: &str) -> Option<Box<dyn crate::net::connection::Stream>> {
    let mut connection = Connection::new(stream, Limits::new(Some(LIMIT)));
    loop {
        match connection.next().await {
            Event::Reply { to, judgement: Judgement::Done, .. } => match to {
                Expected::Greeting => connection.send(hello.as_bytes()),
                Expected::Command(Command::Ehlo) => connection.send(b"STARTTLS"),
                _ => return Some(connection.into_stream()),
            },
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::Version;

    fn failed(cause: TlsCause, client_certificate_asked: bool) -> TlsFailure {
        TlsFailure { cause, client_certificate_asked }
    }

    fn alert(name: &str) -> TlsCause {
        TlsCause::Alert(name.to_owned())
    }

    #[test]
    fn only_what_age_can_explain_is_asked_again() {
        let (any, at_most_12) = (TlsOptions::default(), TlsOptions { max: Some(Version::Tls12), ..TlsOptions::default() });
        let at_least_12 = TlsOptions { min: Some(Version::Tls12), ..TlsOptions::default() };
        let table = [
            (alert("protocol_version"), false, &any, true),
            (alert("handshake_failure"), false, &any, true),
            (alert("handshake_failure"), false, &at_least_12, true),
            (alert("handshake_failure"), false, &at_most_12, false),
            // It had agreed to version and suite before it asked for our certificate.
            (alert("handshake_failure"), true, &any, false),
            (alert("unrecognized_name"), false, &any, false),
            (TlsCause::Closed, false, &any, true),
            (TlsCause::NotTls(b"220 mx".to_vec()), false, &any, false),
        ];
        for (cause, asked, options, want) in table {
            let failure = failed(cause, asked);
            assert_eq!(may_be_old(&failure, options), want, "{failure:?}");
        }
    }

    #[test]
    fn a_server_that_hangs_up_is_old_only_if_its_version_is() {
        let speaks = |version| Answer::Hello { version, suite: 0xc028 };
        let table = [
            (TlsCause::Closed, speaks(0x0301), true),
            (TlsCause::Closed, speaks(0x0303), false),
            (TlsCause::Reset, speaks(0x0303), false),
            (alert("handshake_failure"), speaks(0x0303), true),
            (alert("handshake_failure"), Answer::Alert(40), false),
            (alert("handshake_failure"), Answer::Nothing, false),
        ];
        for (cause, answer, want) in table {
            assert_eq!(explains(&answer, &failed(cause.clone(), false)), want, "{cause:?} {answer:?}");
        }
    }
}
