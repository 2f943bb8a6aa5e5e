//! One decision on colour, width and plainness for everything that is shown.

use std::io::IsTerminal as _;

use super::args::{OutputArgs, When};
use crate::render::Style;
use crate::repl::Terminal;

/// The style of standard output and of standard error.
pub(super) fn decide(output: &OutputArgs, raw: bool) -> (Style, Style) {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let plain = output.plain || dumb;
    let (out_terminal, err_terminal) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    let style = |terminal: bool| Style {
        color: !plain && color(output.color, terminal),
        plain,
        raw,
        width: if terminal && !plain { Some(Terminal::width().unwrap_or(80)) } else { None },
    };
    (style(out_terminal), style(err_terminal))
}

/// `--color` beats `NO_COLOR` beats `CLICOLOR_FORCE` beats `CLICOLOR` beats the terminal.
fn color(when: When, terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR") => false,
        When::Auto if std::env::var("CLICOLOR_FORCE").is_ok_and(|value| value != "0" && !value.is_empty()) => true,
        When::Auto if std::env::var("CLICOLOR").is_ok_and(|value| value == "0") => false,
        When::Auto => terminal,
    }
}
