//! What a check brought, as text. Each output format is a file of its own here, and chosen in
//! `cli/check.rs`.

pub mod json;
pub mod text;

use crate::jobs::check::report::{BadLine, Comparison, Report, Summary};
use crate::render::Style;

/// What is to be written, and where.
#[derive(Debug, Default)]
pub struct Written {
    /// For standard output: results.
    pub out: String,
    /// For standard error: what is said about them.
    pub err: String,
}

/// What a format has to know beforehand.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// How rows look on standard output.
    pub style: Style,
    /// Several endpoints are to come, as far as that is known before.
    pub is_list: bool,
    /// More detail (`-v`).
    pub verbose: u8,
    /// Verdicts only (`-q`).
    pub quiet: bool,
    /// Seconds since 1970, for what depends on today.
    pub now: i64,
}

/// An output format. It is told what happens in the order in which it does.
pub trait Format {
    /// An endpoint was checked.
    fn report(&mut self, report: &Report, to: &mut Written);

    /// All endpoints that were named together were checked, and they tell something in common.
    fn compared(&mut self, comparison: &Comparison, to: &mut Written);

    /// A line of the list cannot be read.
    fn bad_line(&mut self, line: &BadLine, to: &mut Written);

    /// All was checked, for this round (`--watch`).
    fn end(&mut self, summary: &Summary, to: &mut Written);
}
