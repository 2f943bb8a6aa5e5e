//! From a reply's template to steps: the values filled in, and what the scenario does to it.

use super::scenario::{At, Quirk};
use super::{MAX_RECIPIENTS, Mode, Server, Step};

impl Server {
    pub(super) fn syntax(&mut self, syntax: &str) {
        self.say(At::Other, self.character.words.syntax, &[("syntax", syntax)]);
    }

    pub(super) fn say(&mut self, at: At, template: &str, values: &[(&str, &str)]) {
        let reply = self.fill(template, values) + "\r\n";
        let quirks = self.quirks;
        for quirk in quirks {
            if let Quirk::Wait(when, time) = quirk
                && when.covers(at)
            {
                self.steps.push(Step::Pause(*time));
            }
        }
        if !self.is_silent() {
            self.write(reply.into_bytes());
        }
        for quirk in quirks {
            match quirk {
                Quirk::Append(when, bytes) if when.covers(at) => self.steps.push(Step::Write(bytes.to_vec())),
                Quirk::Close(when) if when.covers(at) => self.close(),
                Quirk::CutTls if self.tls.is_some() => self.end(Step::Cut),
                _ => {}
            }
        }
    }

    pub(super) fn write(&mut self, mut bytes: Vec<u8>) {
        let mut apart = None;
        for quirk in self.quirks {
            match quirk {
                Quirk::BareLf => bytes.retain(|&byte| byte != b'\r'),
                Quirk::ByteByByte(time) => apart = Some(*time),
                _ => {}
            }
        }
        match apart {
            None => self.steps.push(Step::Write(bytes)),
            Some(time) => {
                let single = bytes.into_iter().flat_map(|byte| [Step::Write(vec![byte]), Step::Pause(time)]);
                self.steps.extend(single);
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.end(Step::Close);
    }

    fn end(&mut self, last: Step) {
        if !matches!(std::mem::replace(&mut self.mode, Mode::Closed), Mode::Closed) {
            self.steps.push(last);
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.quirks.iter().any(|quirk| matches!(quirk, Quirk::Silent))
    }

    /// Puts values in the place of `{placeholders}`, in one pass: a value may hold braces. What
    /// the client sent cannot end the line.
    fn fill(&self, template: &str, values: &[(&str, &str)]) -> String {
        let mut out = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('{') {
            let (key, after) = behind.split_once('}').unwrap_or((behind, ""));
            out.push_str(before);
            match key {
                "name" => out.push_str(self.name()),
                "client" => out.push_str(&self.facts.client),
                "date" => out.push_str(&self.facts.date),
                "size" => out.push_str(&self.character.size.to_string()),
                "mechanisms" => out.push_str(&self.mechanisms().join(" ")),
                _ => {
                    let value = values.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value);
                    out.extend(value.chars().map(|c| if c.is_control() { '?' } else { c }));
                }
            }
            rest = after;
        }
        out + rest
    }

    /// What the scenario makes the server say instead of agreeing.
    pub(super) fn objection(&mut self, at: At, address: &str) -> Option<&'static str> {
        let quirks = self.quirks;
        quirks.iter().find_map(|quirk| match quirk {
            Quirk::Say(when, text) if when.covers(at) => Some(*text),
            Quirk::SayFirst(when, text) if when.covers(at) && self.puts_off(address) => Some(*text),
            _ => None,
        })
    }

    /// Whether this address is met for the first time.
    fn puts_off(&mut self, address: &str) -> bool {
        self.put_off.len() < MAX_RECIPIENTS && self.put_off.insert(address.to_ascii_lowercase())
    }
}
