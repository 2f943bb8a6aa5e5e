//! `check`: is a server reachable, how far does a session come, and where does it stop? Nothing is sent as mail.

pub mod report;

pub use report::{Comparison, Level, Notice, NoticeKind, Phase, PhaseKind, Report, Summary, Verdict};
