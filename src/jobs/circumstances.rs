//! What a session knows when a command is refused, for the one who explains the refusal.

use crate::explain::hello::greets_as_lmtp;
use crate::explain::line::Sent;
use crate::session::Session;
use crate::wire::keyword::Keyword;

/// The command that the last reply answers, and what was known when it was sent.
pub fn of(session: &Session) -> Sent {
    let offered = session.capabilities().map(|offer| offer.keywords().map(|keyword: Keyword<'_>| keyword.name().to_owned()).collect());
    Sent {
        line: session.answered_line().to_vec(),
        hello: session.hello_name().map(str::to_owned),
        offered,
        in_transaction: session.transaction().is_begun(),
        declared_utf8: session.transaction().declares_utf8,
        greeted_before_tls: session.greeted_before_tls(),
        greeted_as_lmtp: session.greeting().is_some_and(greets_as_lmtp),
    }
}
