//! What `:set`, `:timing`, `:keepalive` change.

use std::time::Duration;

/// How much is explained after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explain {
    /// Nothing.
    Off,
    /// Its first sentence.
    Short,
    /// In full once, then its first sentence.
    Full,
}

/// The settings of a session.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) explain: Explain,
    pub(super) hints: bool,
    pub(super) timing: bool,
    /// Answers within AUTH are sent as typed.
    pub(super) raw_answers: bool,
    /// The prompt shows the port always.
    pub(super) full_prompt: bool,
    /// NOOP after this much silence at the prompt.
    pub(super) keepalive: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { explain: Explain::Full, hints: true, timing: false, raw_answers: false, full_prompt: false, keepalive: None }
    }
}

/// A setting that `:set` knows: one row each.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) values: &'static [&'static str],
    pub(super) summary: &'static str,
    pub(super) show: fn(&Settings) -> &'static str,
    pub(super) change: fn(&mut Settings, &str),
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// All settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "explain",
        values: &["off", "short", "full"],
        summary: "explanations after a refusal",
        show: |settings| match settings.explain {
            Explain::Off => "off",
            Explain::Short => "short",
            Explain::Full => "full",
        },
        change: |settings, value| {
            settings.explain = match value {
                "off" => Explain::Off,
                "short" => Explain::Short,
                _ => Explain::Full,
            };
        },
    },
    Setting {
        name: "hints",
        values: &["on", "off"],
        summary: "the syntax as a ghost behind what is typed",
        show: |settings| on_off(settings.hints),
        change: |settings, value| settings.hints = value == "on",
    },
    Setting {
        name: "timing",
        values: &["on", "off"],
        summary: "the time of every reply",
        show: |settings| on_off(settings.timing),
        change: |settings, value| settings.timing = value == "on",
    },
    Setting {
        name: "auth",
        values: &["text", "raw"],
        summary: "answers within AUTH: plain text is encoded, or all as typed",
        show: |settings| if settings.raw_answers { "raw" } else { "text" },
        change: |settings, value| settings.raw_answers = value == "raw",
    },
    Setting {
        name: "prompt",
        values: &["short", "full"],
        summary: "the port in the prompt: unless it is usual, or always",
        show: |settings| if settings.full_prompt { "full" } else { "short" },
        change: |settings, value| settings.full_prompt = value == "full",
    },
];
