//! What a reply means for what it answers (P48). The one table of it: state, exit status and reports follow.
//!
//! A command is done only by the class of reply that it needs, and the first digit decides (RFC 5321 §4.2.1). Two
//! codes are bound to their place: 220 greets or begins TLS, 221 says farewell. Anywhere else they answer something
//! that was not asked, and whoever counts them as success is one reply behind (P55).

use super::event::Expected;
use crate::wire::code::Class;
use crate::wire::command::Command;
use crate::wire::reply::Reply;
use crate::wire::verb;

/// What a reply means for what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// What was asked is done.
    Done,
    /// The server waits for more: the message after DATA, an answer within AUTH.
    Continue,
    /// The server says no: 4yz for now, 5yz for good.
    Refused,
    /// A reply, but none to what was asked: no later reply can be matched with its command either.
    OutOfStep,
    /// Not sound enough to be a reply of any kind (P2, P3).
    Malformed,
}

/// The positive replies that answer one thing.
struct Row {
    /// The first digit that means done; `None`: only the code below.
    done: Option<Class>,
    /// The code that means done, or that is usual for it.
    done_code: Option<u16>,
    /// The code that is usual for "go on"; `None`: nothing goes on here.
    continue_code: Option<u16>,
}

/// 2yz, whatever the other digits.
const ANY_SUCCESS: Row = Row { done: Some(Class::Success), done_code: None, continue_code: None };

impl Expected {
    fn row(&self) -> Row {
        match self {
            Self::Greeting => Row { done_code: Some(220), ..ANY_SUCCESS },
            Self::Command(Command::Quit) => Row { done_code: Some(221), ..ANY_SUCCESS },
            // Only this code begins TLS (RFC 3207 §4, P19).
            Self::Command(Command::StartTls) => Row { done: None, done_code: Some(220), continue_code: None },
            // Only this code ends a login well (RFC 4954 §6).
            Self::Command(Command::Auth { .. }) | Self::Answer(_) => Row { done: None, done_code: Some(235), continue_code: Some(334) },
            Self::Command(Command::Data) => Row { done: None, done_code: None, continue_code: Some(354) },
            Self::Raw => Row { continue_code: Some(354), ..ANY_SUCCESS },
            // Nothing else goes on there.
            Self::PrdrDot => Row { continue_code: Some(353), ..ANY_SUCCESS },
            Self::Command(_) | Self::FinalDot | Self::Verdict(_) => ANY_SUCCESS,
        }
    }

    /// What the reply means for this.
    pub fn judge(&self, reply: &Reply) -> Judgement {
        let row = self.row();
        let code = reply.code.number();
        match reply.class() {
            None => Judgement::Malformed,
            Some(Class::Transient | Class::Permanent) => Judgement::Refused,
            Some(Class::Intermediate) if *self == Self::PrdrDot && code != 353 => Judgement::OutOfStep,
            Some(Class::Intermediate) if row.continue_code.is_some() => Judgement::Continue,
            Some(Class::Intermediate) => Judgement::OutOfStep,
            Some(Class::Success) if row.done_code == Some(code) => Judgement::Done,
            Some(Class::Success) if row.done.is_none() || self.is_misplaced(code) => Judgement::OutOfStep,
            Some(Class::Success) => Judgement::Done,
        }
    }

    /// 220 and 221 where neither is due. A verb of which nothing is known may have any reply: XCLIENT is answered by a
    /// new greeting.
    fn is_misplaced(&self, code: u16) -> bool {
        let is_known = match self {
            Self::Command(Command::Other(name)) => verb::lookup(name).is_some(),
            Self::Command(_) | Self::FinalDot | Self::PrdrDot | Self::Verdict(_) => true,
            Self::Greeting => false,
            Self::Answer(_) | Self::Raw => false,
        };
        is_known && matches!(code, 220 | 221)
    }

    /// The positive replies that answer this, for a sentence: `354`, `235, or 334 to go on`, `2yz`.
    pub fn due(&self) -> String {
        let row = self.row();
        let code = |code: u16| code.to_string();
        match (row.done_code, row.continue_code) {
            (Some(done), Some(more)) => format!("{done}, or {more} to go on"),
            (Some(done), None) => code(done),
            (None, Some(more)) if *self != Self::PrdrDot => code(more),
            (None, _) => "2yz".to_owned(),
        }
    }

    /// The usual code, where this reply counts by its first digit although it has another one.
    pub fn usual_instead(&self, reply: &Reply) -> Option<u16> {
        let row = self.row();
        let usual = match self.judge(reply) {
            Judgement::Done => row.done_code,
            Judgement::Continue if *self != Self::Raw => row.continue_code,
            _ => None,
        };
        usual.filter(|usual| *usual != reply.code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::first_reply;

    fn reply(line: &str) -> Reply {
        first_reply(format!("{line}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn each_command_is_done_only_by_the_class_of_reply_that_it_needs() {
        use Judgement::{Continue, Done, Malformed, OutOfStep, Refused};
        // P48 P55
        let command = |line: &str| Expected::Command(Command::parse(line.as_bytes()));
        let codes = ["220", "221", "235", "250", "252", "334", "354", "352", "421", "571", "650"];
        let table = [
            (Expected::Greeting, [Done, Done, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("EHLO a"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("HELO a"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("MAIL FROM:<>"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("RCPT TO:<a@b>"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("DATA"), [OutOfStep, OutOfStep, OutOfStep, OutOfStep, OutOfStep, Continue, Continue, Continue]),
            (command("BDAT 3 LAST"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (Expected::PrdrDot, [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (Expected::Verdict("a@b".to_owned()), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (Expected::FinalDot, [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("RSET"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("NOOP"), [OutOfStep, OutOfStep, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("XCLIENT NAME=a"), [Done, Done, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (command("STARTTLS"), [Done, OutOfStep, OutOfStep, OutOfStep, OutOfStep, OutOfStep, OutOfStep, OutOfStep]),
            (command("AUTH LOGIN"), [OutOfStep, OutOfStep, Done, OutOfStep, OutOfStep, Continue, Continue, Continue]),
            (Expected::Answer("LOGIN".to_owned()), [OutOfStep, OutOfStep, Done, OutOfStep, OutOfStep, Continue, Continue, Continue]),
            (command("QUIT"), [OutOfStep, Done, Done, Done, Done, OutOfStep, OutOfStep, OutOfStep]),
            (Expected::Raw, [Done, Done, Done, Done, Done, Continue, Continue, Continue]),
        ];
        for (expected, positive) in table {
            let wants = positive.into_iter().chain([Refused, Refused, Malformed]);
            for (code, want) in codes.iter().zip(wants) {
                assert_eq!(expected.judge(&reply(&format!("{code} x"))), want, "{code} to {expected:?}");
            }
        }
        assert_eq!(Expected::PrdrDot.judge(&reply("353 x")), Continue);
    }

    #[test]
    fn a_code_that_only_its_first_digit_saves_is_worth_a_remark() {
        let command = |line: &str| Expected::Command(Command::parse(line.as_bytes()));
        let table = [
            (command("DATA"), "352 go", Some(354)),
            (command("DATA"), "354 go", None),
            (command("AUTH LOGIN"), "300 User?", Some(334)),
            (command("QUIT"), "250 ok", Some(221)),
            (command("QUIT"), "221 bye", None),
            (Expected::Greeting, "250 hi", Some(220)),
            (command("NOOP"), "299 fine", None),
            (command("DATA"), "550 no", None),
            (Expected::Raw, "300 x", None),
        ];
        for (expected, line, want) in table {
            assert_eq!(expected.usual_instead(&reply(line)), want, "{line} to {expected:?}");
        }
    }
}
