//! Where in the texts of a reply a secret stands, whatever the server did to it (P53).
//!
//! A server may give a secret back in another case, over several lines, cut off, with escapes, or in base64 at any
//! alignment. So the texts are read several ways, each a sequence of characters that know where they stand: as they
//! are, without what a line break adds, with escapes undone, and as base64.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::wire::base64;
use crate::wire::status::EnhancedStatus;

/// Shorter secrets are hidden only where they stand as a word of their own: they would be found everywhere.
const SHORTEST: usize = 3;
/// So many characters in a row that base64 of a secret has too are no accident.
const WINDOW: usize = 12;
/// Only every fourth window of a secret is remembered: whatever holds `WINDOW + STEP - 1` characters holds one.
const STEP: usize = 4;
/// Of longer secrets no beginnings and ends are looked for at the edges of lines; their windows do it.
const LONGEST_EDGE: usize = 256;
/// Base64 shorter than this must stand in one piece.
const SHORT_CODE: usize = 8;
/// A code of fewer characters says too little to be looked for.
const SHORTEST_CODE: usize = 4;

/// The secrets, in the forms in which they are looked for.
#[derive(Debug, Default)]
pub(super) struct Needles {
    /// Too short to be looked for within words.
    words: Vec<Secret<Vec<u8>>>,
    /// In lower case.
    plain: Vec<Secret<Vec<u8>>>,
    /// In lower case and without white space, where that is something else.
    squeezed: Vec<Secret<Vec<u8>>>,
    /// Base64 at the three alignments, and hexadecimal, in lower case.
    codes: Vec<Secret<Vec<u8>>>,
    /// Hashes of parts of what goes over the line as base64.
    windows: HashSet<u64>,
}

impl Needles {
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.plain.is_empty() && self.codes.is_empty()
    }

    /// A secret as it is typed.
    pub(super) fn add(&mut self, plain: &[u8]) {
        let bare = plain.trim_ascii();
        if bare.is_empty() {
            return;
        }
        let lower = lower_case(bare);
        if bare.len() < SHORTEST {
            add_to(&mut self.words, bare.to_vec());
        } else {
            self.add_windows(&code_of(secret_part(&lower)));
            let squeezed: Vec<u8> = lower.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            add_to(&mut self.squeezed, squeezed);
            add_to(&mut self.plain, lower);
            // A server or terminal in Latin-1.
            if let Some(latin) = latin_1(bare) {
                add_to(&mut self.plain, latin);
            }
        }
        for offset in 0..3 {
            let code = at_alignment(plain, offset);
            self.add_windows(&code);
            if code.len() >= SHORTEST_CODE {
                add_to(&mut self.codes, code);
            }
        }
        if plain.len() >= SHORTEST {
            let hex: Vec<u8> = plain.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
            add_to(&mut self.codes, hex);
        }
    }

    /// Base64 as it was sent.
    pub(super) fn add_code(&mut self, encoded: &[u8]) {
        let code = code_of(&encoded.to_ascii_lowercase());
        self.add_windows(&code);
        if code.len() >= SHORTEST_CODE {
            add_to(&mut self.codes, code.to_vec());
        }
    }

    fn add_windows(&mut self, code: &[u8]) {
        let windows = code.windows(WINDOW).step_by(STEP);
        // Its end may not be at a multiple.
        let last = code.len().checked_sub(WINDOW).map(|at| &code[at..]);
        self.windows.extend(windows.chain(last).filter(|part| !part.contains(&0)).map(hash));
    }

    /// The parts of `texts` that give a secret away, text by text: in order, apart from each other.
    ///
    /// `cut`: the last text broke off, so that even a short beginning of a secret at its end is one.
    pub(super) fn find(&self, texts: &[&[u8]], cut: bool) -> Vec<Vec<Range<usize>>> {
        let joined = Joined::new(texts);
        let mut hits = Hits(Vec::new());
        self.find_words(&joined, &mut hits);
        for undo in [false, true] {
            if undo && !joined.has_escapes() {
                continue;
            }
            let read = joined.read(undo);
            for secret in &self.plain {
                read.find_whole(secret.expose(), &mut hits);
                read.find_part(secret.expose(), &mut hits);
                read.find_at_edges(&joined, secret.expose(), cut, &mut hits);
            }
            let squeezed = read.without_breaks(&joined);
            for secret in &self.squeezed {
                squeezed.find_across(&joined, secret.expose(), &mut hits);
            }
            let code = squeezed.as_code();
            for secret in &self.codes {
                code.find_code(&joined, secret.expose(), &mut hits);
                code.find_at_edges(&joined, secret.expose(), cut, &mut hits);
            }
            code.find_windows(&self.windows, &joined, &mut hits);
        }
        hits.by_text(&joined)
    }

    fn find_words(&self, joined: &Joined, hits: &mut Hits) {
        if self.words.is_empty() {
            return;
        }
        for range in &joined.texts {
            let text = &joined.bytes[range.clone()];
            let is_edge = |byte: &u8| byte.is_ascii_whitespace() || b"\"'()<>[]{},;:?!=".contains(byte);
            let mut at = 0;
            for word in text.split(is_edge) {
                let bare = word.strip_suffix(b".").unwrap_or(word);
                if self.words.iter().any(|secret| secret.expose() == word || secret.expose() == bare) {
                    hits.0.push(range.start + at..range.start + at + word.len());
                }
                at += word.len() + 1;
            }
        }
    }
}

/// Ranges of the joined texts.
struct Hits(Vec<Range<usize>>);

impl Hits {
    fn by_text(mut self, joined: &Joined) -> Vec<Vec<Range<usize>>> {
        let mut out = vec![Vec::new(); joined.texts.len()];
        self.0.sort_unstable_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for hit in self.0 {
            match merged.last_mut() {
                Some(last) if hit.start <= last.end => last.end = last.end.max(hit.end),
                _ => merged.push(hit),
            }
        }
        let mut merged = merged.into_iter().peekable();
        for (text, out) in joined.texts.iter().zip(&mut out) {
            while let Some(hit) = merged.peek() {
                if hit.start >= text.end {
                    break;
                }
                let part = hit.start.max(text.start)..hit.end.min(text.end);
                if !part.is_empty() {
                    out.push(part.start - text.start..part.end - text.start);
                }
                if hit.end > text.end {
                    break;
                }
                merged.next();
            }
        }
        out
    }
}

/// The texts of the lines, one behind the other.
struct Joined {
    bytes: Zeroizing<Vec<u8>>,
    texts: Vec<Range<usize>>,
    /// The end of the enhanced status at the beginning of each text, white space included.
    bodies: Vec<usize>,
}

impl Joined {
    fn new(texts: &[&[u8]]) -> Self {
        let bytes = Zeroizing::new(texts.concat());
        let mut at = 0;
        let texts: Vec<Range<usize>> = texts
            .iter()
            .map(|text| {
                at += text.len();
                at - text.len()..at
            })
            .collect();
        let bodies = texts.iter().map(|range| range.start + status_length(&bytes[range.clone()])).collect();
        Self { bytes, texts, bodies }
    }

    fn has_escapes(&self) -> bool {
        self.bytes.iter().any(|byte| matches!(byte, b'%' | b'=' | b'+' | b'\\' | b'&'))
    }

    /// Which text holds the byte.
    fn text_at(&self, at: usize) -> usize {
        self.texts.partition_point(|range| range.end <= at)
    }

    /// Reads the texts in lower case; with `undo`, escapes are what they stand for.
    fn read(&self, undo: bool) -> Reading {
        let mut out = Reading::with_room(self.bytes.len());
        for range in &self.texts {
            let mut at = range.start;
            while at < range.end {
                let rest = &self.bytes[at..range.end];
                if undo && let Some((byte, length)) = escape(rest) {
                    if let Some(byte) = byte {
                        out.push(byte.to_ascii_lowercase(), at..at + length);
                    }
                    at += length;
                    continue;
                }
                let length = character(rest);
                if length == 1 {
                    out.push(rest[0].to_ascii_lowercase(), at..at + 1);
                } else {
                    for byte in lower_case(&rest[..length]) {
                        out.push(byte, at..at + length);
                    }
                }
                at += length;
            }
        }
        out
    }
}

/// Characters, and where each stands in the joined texts.
struct Reading {
    bytes: Zeroizing<Vec<u8>>,
    places: Vec<(u32, u32)>,
}

impl Reading {
    fn with_room(room: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(room)), places: Vec::with_capacity(room) }
    }

    fn push(&mut self, byte: u8, at: Range<usize>) {
        // A reply has 256 KiB at most.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.bytes.push(byte);
        self.places.push((place(at.start), place(at.end)));
    }

    /// Where these characters stand.
    fn span(&self, range: Range<usize>) -> Range<usize> {
        let (first, last) = (self.places[range.start], self.places[range.end - 1]);
        first.0 as usize..last.1 as usize
    }

    fn hit(&self, range: Range<usize>, hits: &mut Hits) {
        // What lies between, a line break with its status, is not hidden with it.
        let mut from = range.start;
        for at in range.start + 1..=range.end {
            if at == range.end || self.places[at].0 != self.places[at - 1].1 && self.places[at] != self.places[at - 1] {
                hits.0.push(self.span(from..at));
                from = at;
            }
        }
    }

    fn find_whole(&self, secret: &[u8], hits: &mut Hits) {
        for at in memmem::find_iter(&self.bytes, secret) {
            self.hit(at..at + secret.len(), hits);
        }
    }

    /// Two thirds of a secret, from its beginning or to its end: a server may cut it off.
    fn find_part(&self, secret: &[u8], hits: &mut Hits) {
        let least = (secret.len() * 2).div_ceil(3).max(6);
        if least >= secret.len() {
            return;
        }
        let mut done = 0;
        for at in memmem::find_iter(&self.bytes, &secret[..least]) {
            if at >= done {
                done = at + common(&self.bytes[at..], secret);
                self.hit(at..done, hits);
            }
        }
        let rest = secret.len() - least;
        for at in memmem::find_iter(&self.bytes, &secret[rest..]) {
            let more = self.bytes[..at].iter().rev().zip(secret[..rest].iter().rev()).take_while(|(a, b)| a == b).count();
            self.hit(at - more..at + least, hits);
        }
    }

    /// The beginning of a secret at the end of a text, and its end at the beginning of one.
    fn find_at_edges(&self, joined: &Joined, secret: &[u8], cut: bool, hits: &mut Hits) {
        if secret.len() > LONGEST_EDGE {
            return;
        }
        let least = secret.len().div_ceil(2).max(4);
        for (number, range) in joined.texts.iter().enumerate() {
            let from = self.places.partition_point(|place| (place.0 as usize) < range.start);
            let to = self.places.partition_point(|place| (place.1 as usize) <= range.end);
            if from >= to {
                continue;
            }
            let text = &self.bytes[from..to];
            let body = self.places.partition_point(|place| (place.0 as usize) < joined.bodies[number]).clamp(from, to);
            let is_cut = cut && number + 1 == joined.texts.len();
            let most = text.len().min(secret.len() - 1);
            let shortest = if is_cut { SHORTEST.min(secret.len() - 1) } else { least };
            if let Some(length) = (shortest..=most).rev().find(|length| text.ends_with(&secret[..*length])) {
                self.hit(to - length..to, hits);
            }
            let text = &self.bytes[body..to];
            let most = text.len().min(secret.len() - 1);
            if let Some(length) = (least..=most).rev().find(|length| text.starts_with(&secret[secret.len() - length..])) {
                self.hit(body..body + length, hits);
            }
        }
    }

    /// The same without white space, and without the enhanced status that each line of a reply repeats.
    fn without_breaks(&self, joined: &Joined) -> Self {
        let mut out = Self::with_room(self.bytes.len());
        let mut text = 0;
        for (byte, place) in self.bytes.iter().zip(&self.places) {
            let at = place.0 as usize;
            while text + 1 < joined.texts.len() && at >= joined.texts[text].end {
                text += 1;
            }
            if !byte.is_ascii_whitespace() && at >= joined.bodies[text] {
                out.bytes.push(*byte);
                out.places.push(*place);
            }
        }
        out
    }

    /// Whatever begins in one text and ends in another.
    fn find_across(&self, joined: &Joined, secret: &[u8], hits: &mut Hits) {
        for at in memmem::find_iter(&self.bytes, secret) {
            let span = self.span(at..at + secret.len());
            if joined.text_at(span.start) != joined.text_at(span.end - 1) {
                self.hit(at..at + secret.len(), hits);
            }
        }
    }

    /// The same as base64: one alphabet, no padding, and a NUL for what belongs to neither.
    fn as_code(&self) -> Self {
        let mut out = Self::with_room(self.bytes.len());
        for (byte, place) in self.bytes.iter().zip(&self.places) {
            if let Some(byte) = code_character(*byte) {
                out.bytes.push(byte);
                out.places.push(*place);
            }
        }
        out
    }

    fn find_code(&self, joined: &Joined, secret: &[u8], hits: &mut Hits) {
        let mut done = 0;
        for at in memmem::find_iter(&self.bytes, secret) {
            let range = at..at + secret.len();
            let is_one_piece = self.span(range.clone()).len() == secret.len();
            if at >= done && (secret.len() >= SHORT_CODE || is_one_piece) {
                done = self.hit_code(range, joined, hits);
            }
        }
    }

    fn find_windows(&self, windows: &HashSet<u64>, joined: &Joined, hits: &mut Hits) {
        if windows.is_empty() {
            return;
        }
        let mut at = 0;
        while at + WINDOW <= self.bytes.len() {
            let part = &self.bytes[at..at + WINDOW];
            if let Some(other) = part.iter().rposition(|byte| *byte == 0) {
                at += other + 1;
            } else if windows.contains(&hash(part)) {
                at = self.hit_code(at..at + WINDOW, joined, hits).max(at + 1);
            } else {
                at += 1;
            }
        }
    }

    /// Hides these characters and the base64 around them, whose bits are of the same bytes; says where that ends.
    fn hit_code(&self, range: Range<usize>, joined: &Joined, hits: &mut Hits) -> usize {
        let goes_on = |a: usize, b: usize| self.bytes[b] != 0 && self.bytes[a] != 0 && self.places[a].1 == self.places[b].0;
        let in_one_text = |a: usize, b: usize| joined.text_at(self.places[a].0 as usize) == joined.text_at(self.places[b].0 as usize);
        let mut range = range;
        while range.start > 0 && goes_on(range.start - 1, range.start) && in_one_text(range.start - 1, range.start) {
            range.start -= 1;
        }
        while range.end < self.bytes.len() && goes_on(range.end - 1, range.end) && in_one_text(range.end - 1, range.end) {
            range.end += 1;
        }
        self.hit(range.clone(), hits);
        // Its padding.
        let end = self.span(range.clone()).end;
        let text = joined.text_at(end - 1);
        let padding = joined.bytes[end..joined.texts[text].end].iter().take_while(|byte| **byte == b'=').count();
        if padding > 0 {
            hits.0.push(end..end + padding);
        }
        range.end
    }
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn add_to(needles: &mut Vec<Secret<Vec<u8>>>, needle: Vec<u8>) {
    let needle = Secret::new(needle);
    if !needle.expose().is_empty() && !needles.iter().any(|known| known.expose() == needle.expose()) {
        needles.push(needle);
    }
}

fn hash(part: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}

/// What of a secret, in lower case, must not be seen in parts either. Of a token with claims (JWT, RFC 7519) that is its
/// signature: what stands before it names issuer, audience and scope, which a server's own words may name too.
fn secret_part(lower: &[u8]) -> &[u8] {
    let mut parts = lower.split(|byte| *byte == b'.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(_), Some(signature), None) if header.starts_with(b"eyj") => signature,
        _ => lower,
    }
}

/// In lower case where that has as many bytes.
fn lower_case(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut lower = c.to_lowercase();
            let same = lower.next().filter(|first| lower.next().is_none() && first.len_utf8() == c.len_utf8());
            out.extend_from_slice(same.unwrap_or(c).encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// The same text in Latin-1 and lower case, where that is another.
fn latin_1(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|c| u8::try_from(u32::from(c)).ok().map(|byte| byte.to_ascii_lowercase())).collect()
}

/// The length of the first character: 1 where it is none of UTF-8.
fn character(bytes: &[u8]) -> usize {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if bytes.get(..length).is_some_and(|part| std::str::from_utf8(part).is_ok()) { length } else { 1 }
}

/// The length of an enhanced status at the beginning of a text, and of the white space behind it.
fn status_length(text: &[u8]) -> usize {
    if EnhancedStatus::parse(text).is_none() {
        return text.len() - text.trim_ascii_start().len();
    }
    let word = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    text.len() - text[word..].trim_ascii_start().len()
}

/// A character of base64 in lower case and in the first alphabet, NUL for one of neither, nothing for padding.
fn code_character(byte: u8) -> Option<u8> {
    match byte {
        b'=' | b'"' | b'\'' => None,
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        byte if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') => Some(byte.to_ascii_lowercase()),
        _ => Some(0),
    }
}

/// A text in lower case as it reads as base64.
fn code_of(lower: &[u8]) -> Zeroizing<Vec<u8>> {
    let kept = lower.iter().filter(|byte| !byte.is_ascii_whitespace());
    Zeroizing::new(kept.filter_map(|byte| code_character(*byte)).collect())
}

/// The characters of base64, in lower case, that are those of `plain` alone when `offset` bytes stand before it.
fn at_alignment(plain: &[u8], offset: usize) -> Vec<u8> {
    let padded = Zeroizing::new([&[0; 2][..offset], plain].concat());
    let encoded = Zeroizing::new(base64::encode(&padded).into_bytes());
    // Six bits a character: what holds bits of a neighbour is left out.
    let (from, to) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    encoded.get(from..to).unwrap_or_default().to_ascii_lowercase()
}

/// What an escape at the beginning stands for (nothing for a soft line break), and its length.
///
/// # Source
/// RFC 3986 §2.1 (`%41`), RFC 2045 §6.7 (`=41`), RFC 3461 §4 (`+41`), C (`\x41`, `\101`, `\"`), HTML (`&#65;`, `&amp;`).
fn escape(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    let hex = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
    let two = |at: usize| {
        let digits = bytes.get(at..at + 2)?;
        if digits.iter().all(u8::is_ascii_hexdigit) { hex(digits) } else { None }
    };
    match bytes[0] {
        b'=' if bytes.len() == 1 => Some((None, 1)),
        b'%' | b'=' | b'+' => Some((Some(two(1)?), 3)),
        b'\\' if bytes.get(1) == Some(&b'x') => Some((Some(two(2)?), 4)),
        b'\\' => {
            let octal = bytes.get(1..4).filter(|digits| digits.iter().all(|digit| matches!(digit, b'0'..=b'7')));
            let value = octal.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|text| u8::from_str_radix(text, 8).ok());
            match value {
                Some(byte) => Some((Some(byte), 4)),
                None => Some((Some(*bytes.get(1)?), 2)),
            }
        }
        b'&' => {
            let end = bytes.iter().take(8).position(|byte| *byte == b';')?;
            let byte = match &bytes[1..end] {
                b"amp" => b'&',
                b"lt" => b'<',
                b"gt" => b'>',
                b"quot" => b'"',
                b"apos" => b'\'',
                [b'#', b'x' | b'X', digits @ ..] => hex(digits)?,
                [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
                _ => return None,
            };
            Some((Some(byte), end + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_base64_has_of_a_text_alone_is_found_at_each_alignment() {
        for (before, after) in [("", ""), ("a", "b"), ("ab", ""), ("abc", "x"), ("\0logon\0", "yz")] {
            let encoded = base64::encode(format!("{before}hunter22{after}").as_bytes()).to_ascii_lowercase();
            let found = (0..3).any(|offset| {
                let code = at_alignment(b"hunter22", offset);
                code.len() >= 9 && memmem::find(encoded.as_bytes(), &code).is_some()
            });
            assert!(found, "{encoded}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        type Case = (&'static [u8], Option<(Option<u8>, usize)>);
        let table: &[Case] = &[
            (b"%41b", Some((Some(b'A'), 3))),
            (b"=3D", Some((Some(b'='), 3))),
            (b"+2B", Some((Some(b'+'), 3))),
            (b"=", Some((None, 1))),
            (b"\\x41", Some((Some(b'A'), 4))),
            (b"\\101", Some((Some(b'A'), 4))),
            (b"\\\"x", Some((Some(b'"'), 2))),
            (b"&amp;", Some((Some(b'&'), 5))),
            (b"&#65;", Some((Some(b'A'), 5))),
            (b"&#x41;", Some((Some(b'A'), 6))),
            (b"%4", None),
            (b"=+1", None),
            (b"&nothing here", None),
            (b"\\", None),
        ];
        for (text, want) in table {
            assert_eq!(escape(text), *want, "{:?}", String::from_utf8_lossy(text));
        }
    }
}
