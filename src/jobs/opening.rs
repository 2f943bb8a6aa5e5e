//! Opening a session: dial, greeting, and what is wrong when there is none.

use crate::explain::failure::Failure;
use crate::net::dial::{Cause, DialError};
use crate::session::{Ending, Event, Expected};
use crate::wire::code::Class;

/// Why dialling failed, for the operator. Of several addresses the most telling cause is taken.
pub fn dial_failure(error: &DialError, limit: std::time::Duration) -> Failure {
    match error {
        DialError::NoSuchName => Failure::NoSuchName,
        DialError::NoAddress { other_family } => Failure::NoAddress { other_family: *other_family },
        DialError::Resolver(words) => Failure::Resolver(words.clone()),
        DialError::ResolverSilent => Failure::ResolverSilent,
        DialError::Unreachable(attempts) => {
            let telling = |cause: &Cause| match cause {
                Cause::BadLocalAddress(_) => 5,
                Cause::Refused => 4,
                Cause::Prohibited => 3,
                Cause::TimedOut => 2,
                Cause::Other(_) => 1,
                Cause::NoRoute => 0,
            };
            match attempts.iter().map(|attempt| &attempt.cause).max_by_key(|cause| telling(cause)) {
                Some(Cause::Refused) => Failure::Refused,
                Some(Cause::TimedOut) => Failure::ConnectTimedOut(limit),
                Some(Cause::Prohibited) => Failure::Prohibited,
                Some(Cause::BadLocalAddress(words)) => Failure::BadLocalAddress(words.clone()),
                Some(Cause::Other(words)) => Failure::ConnectOther(words.clone()),
                Some(Cause::NoRoute) | None => Failure::NoRoute,
            }
        }
    }
}

/// The same failure of a server that had asked for our certificate and got none: that it insists it tells
/// only now.
pub fn without_certificate(failure: Failure) -> Failure {
    let how = match failure {
        Failure::GreetingLater(code) | Failure::GreetingRefused(code) => code.to_string(),
        Failure::TlsEnded(words) | Failure::LostAtOnce(words) => words,
        Failure::ClosedAtOnce { .. } => "it closed the connection".to_owned(),
        other => return other,
    };
    Failure::CertificateWanted(how)
}

/// What the first event on a new connection means for it: `None` when the server greeted as it should.
pub fn greeting_failure(event: &Event) -> Option<Failure> {
    match event {
        Event::Reply { reply, to: Expected::Greeting, .. } => match reply.class() {
            Some(Class::Success) => None,
            Some(Class::Transient) => Some(Failure::GreetingLater(reply.code.number())),
            Some(Class::Permanent) => Some(Failure::GreetingRefused(reply.code.number())),
            Some(Class::Intermediate) | None => Some(Failure::NotSmtp(None)),
        },
        Event::Stray { foreign, .. } => Some(Failure::NotSmtp(*foreign)),
        Event::Ended(ending) => match ending {
            Ending::Closed { partial, .. } => Some(foreign_or(partial, Failure::ClosedAtOnce { partial: !partial.is_empty() })),
            Ending::Lost { reason, by_tls: true, .. } => Some(Failure::TlsEnded(reason.clone())),
            Ending::Lost { reason, partial, .. } => Some(foreign_or(partial, Failure::LostAtOnce(reason.clone()))),
            Ending::TimedOut { after, partial, .. } => Some(foreign_or(partial, Failure::NoGreeting(*after))),
            Ending::TooLong { .. } | Ending::Flood => Some(Failure::TooLong),
            Ending::ClosedByUs => None,
        },
        Event::Reply { .. } | Event::Unsolicited(_) => None,
    }
}

/// Half a line may be enough to see that it is not SMTP: a TLS alert has no line end.
fn foreign_or(partial: &[Vec<u8>], otherwise: Failure) -> Failure {
    match partial.first().and_then(|line| crate::wire::foreign::guess(line)) {
        Some(foreign) => Failure::NotSmtp(Some(foreign)),
        None => otherwise,
    }
}
