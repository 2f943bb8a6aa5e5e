//! The three messages on the wire (MS-NLMP 2.2.1). Every offset and length is checked against the message.

use std::borrow::Cow;
use std::ops::Range;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// Where the MIC of an authenticate message stands.
pub(super) const MIC: Range<usize> = 72..88;
/// Milliseconds from 1601 to 1970.
const EPOCH: u64 = 11_644_473_600_000;

const NOT_NTLM: &str = "it does not begin with NTLMSSP";
const SHORT: &str = "it is cut short";
const OUTSIDE: &str = "a part of it lies outside of it";
const PAIRS: &str = "its target information runs past its end";

/// What the sides agree on (MS-NLMP 2.2.2.5), as far as the program acts on it.
pub(super) mod flag {
    pub(in crate::sasl::ntlm) const UNICODE: u32 = 0x1;
    pub(in crate::sasl::ntlm) const OEM: u32 = 0x2;
    pub(in crate::sasl::ntlm) const REQUEST_TARGET: u32 = 0x4;
    pub(in crate::sasl::ntlm) const NTLM: u32 = 0x200;
    pub(in crate::sasl::ntlm) const DOMAIN_SUPPLIED: u32 = 0x1000;
    pub(in crate::sasl::ntlm) const WORKSTATION_SUPPLIED: u32 = 0x2000;
    pub(in crate::sasl::ntlm) const ALWAYS_SIGN: u32 = 0x8000;
    pub(in crate::sasl::ntlm) const TARGET_DOMAIN: u32 = 0x1_0000;
    pub(in crate::sasl::ntlm) const SESSION_SECURITY: u32 = 0x8_0000;
    pub(in crate::sasl::ntlm) const TARGET_INFO: u32 = 0x80_0000;
    pub(in crate::sasl::ntlm) const VERSION: u32 = 0x200_0000;
}

/// What the target information holds (MS-NLMP 2.2.2.1).
pub(super) mod pair {
    pub(in crate::sasl::ntlm) const END: u16 = 0;
    pub(in crate::sasl::ntlm) const COMPUTER: u16 = 1;
    pub(in crate::sasl::ntlm) const DOMAIN: u16 = 2;
    pub(in crate::sasl::ntlm) const DNS_COMPUTER: u16 = 3;
    pub(in crate::sasl::ntlm) const DNS_DOMAIN: u16 = 4;
    pub(in crate::sasl::ntlm) const FOREST: u16 = 5;
    pub(in crate::sasl::ntlm) const FLAGS: u16 = 6;
    pub(in crate::sasl::ntlm) const TIME: u16 = 7;
    pub(in crate::sasl::ntlm) const SERVICE: u16 = 9;
    pub(in crate::sasl::ntlm) const BINDINGS: u16 = 10;
    /// In FLAGS: the message has a MIC.
    pub(in crate::sasl::ntlm) const FLAG_MIC: u32 = 2;
}

type Pairs<'a> = Vec<(u16, &'a [u8])>;

/// The first message.
#[derive(Debug)]
pub(super) struct Negotiate {
    pub(super) flags: u32,
    pub(super) domain: String,
    pub(super) workstation: String,
}

impl Negotiate {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let flags = kind(bytes, 1).and_then(|()| number(bytes, 12))?;
        let name = |supplied: u32, at| if flags & supplied == 0 { Ok(String::new()) } else { part(bytes, at).map(|name| text(name, 0)) };
        Ok(Self { flags, domain: name(flag::DOMAIN_SUPPLIED, 16)?, workstation: name(flag::WORKSTATION_SUPPLIED, 24)? })
    }
}

/// The second message.
#[derive(Debug)]
pub(super) struct Challenge<'a> {
    pub(super) flags: u32,
    pub(super) nonce: [u8; 8],
    /// The domain of its users, or the server's name where they are its own.
    pub(super) target: String,
    pub(super) pairs: Pairs<'a>,
    /// Major, minor and build number of the server's system.
    pub(super) system: Option<(u8, u8, u16)>,
}

impl<'a> Challenge<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let flags = kind(bytes, 2).and_then(|()| number(bytes, 20))?;
        let has = |what: u32| flags & what != 0;
        Ok(Self {
            flags,
            nonce: array(bytes, 24).ok_or(SHORT)?,
            target: text(part(bytes, 12)?, flags),
            pairs: if has(flag::TARGET_INFO) { read_pairs(part(bytes, 40)?)? } else { Vec::new() },
            system: array(bytes, 48)
                .filter(|_| has(flag::VERSION))
                .map(|[major, minor, low, high]| (major, minor, u16::from_le_bytes([low, high]))),
        })
    }

    /// The server's clock, in units of 100 ns since 1601.
    pub(super) fn time(&self) -> Option<u64> {
        find(&self.pairs, pair::TIME).and_then(|value| array(value, 0)).map(u64::from_le_bytes)
    }

    pub(super) fn pair_flags(&self) -> u32 {
        pair_flags(&self.pairs)
    }

    /// A name of the target information, empty if there is none.
    pub(super) fn name(&self, id: u16) -> String {
        find(&self.pairs, id).map(from_utf16).unwrap_or_default()
    }

    /// The message of these parts, but for the pairs, which come encoded.
    pub(super) fn encode(&self, info: &[u8]) -> Option<Vec<u8>> {
        let target = if self.flags & flag::UNICODE == 0 { self.target.clone().into_bytes() } else { utf16(&self.target) };
        let (major, minor, build) = self.system.unwrap_or_default();
        let [low, high] = build.to_le_bytes();
        let mut at = 56;
        let mut out = header(2);
        out.extend(place(&target, &mut at)?);
        out.extend(self.flags.to_le_bytes());
        out.extend(self.nonce);
        out.extend([0; 8]);
        out.extend(place(info, &mut at)?);
        out.extend([major, minor, low, high, 0, 0, 0, NTLM_REVISION]);
        out.extend(target);
        out.extend(info);
        Some(out)
    }
}

/// MS-NLMP 2.2.2.10.
const NTLM_REVISION: u8 = 15;

/// The third message.
#[derive(Debug, Default)]
pub(super) struct Authenticate<'a> {
    pub(super) flags: u32,
    pub(super) lm: Cow<'a, [u8]>,
    pub(super) nt: Cow<'a, [u8]>,
    pub(super) domain: String,
    pub(super) user: String,
    pub(super) workstation: String,
    pub(super) session_key: Cow<'a, [u8]>,
    pub(super) version: [u8; 8],
    /// Present where the response says so, or where it is to be made.
    pub(super) mic: Option<[u8; 16]>,
}

impl<'a> Authenticate<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let flags = kind(bytes, 3).and_then(|()| number(bytes, 60))?;
        let nt = part(bytes, 20)?;
        let mut read = Self {
            flags,
            lm: part(bytes, 12)?.into(),
            nt: nt.into(),
            domain: text(part(bytes, 28)?, flags),
            user: text(part(bytes, 36)?, flags),
            workstation: text(part(bytes, 44)?, flags),
            session_key: part(bytes, 52)?.into(),
            version: array(bytes, 64).unwrap_or_default(),
            mic: None,
        };
        if pair_flags(&response_pairs(nt)?) & pair::FLAG_MIC != 0 {
            read.mic = Some(array(bytes, MIC.start).ok_or(SHORT)?);
        }
        Ok(read)
    }

    /// The message of these parts; `None` when one is too long for it.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let coded = |text: &str| if self.flags & flag::UNICODE == 0 { text.as_bytes().to_vec() } else { utf16(text) };
        let names = [coded(&self.domain), coded(&self.user), coded(&self.workstation)];
        let mut at = if self.mic.is_some() { MIC.end } else { MIC.start };
        let [domain, user, workstation] = [place(&names[0], &mut at)?, place(&names[1], &mut at)?, place(&names[2], &mut at)?];
        let [lm, nt, key] = [place(&self.lm, &mut at)?, place(&self.nt, &mut at)?, place(&self.session_key, &mut at)?];
        let mut out = header(3);
        [lm, nt, domain, user, workstation, key].iter().for_each(|place| out.extend(place));
        out.extend(self.flags.to_le_bytes());
        out.extend(self.version);
        out.extend(self.mic.iter().flatten());
        names.iter().for_each(|name| out.extend(name));
        [&self.lm, &self.nt, &self.session_key].iter().for_each(|part| out.extend_from_slice(part));
        Some(out)
    }
}

/// The first message, with nothing but flags.
pub(super) fn negotiate(flags: u32) -> Vec<u8> {
    let mut out = header(1);
    out.extend(flags.to_le_bytes());
    // Neither domain nor workstation nor version.
    out.extend([0; 24]);
    out
}

/// The pairs that an NTLMv2 response repeats (MS-NLMP 2.2.2.7, 2.2.2.8); none in an NTLMv1 response.
pub(super) fn response_pairs(nt: &[u8]) -> Result<Pairs<'_>, &'static str> {
    nt.get(44..).map_or(Ok(Vec::new()), read_pairs)
}

/// The value of a pair.
pub(super) fn find<'a>(pairs: &Pairs<'a>, id: u16) -> Option<&'a [u8]> {
    pairs.iter().find(|(known, _)| *known == id).map(|(_, value)| *value)
}

fn pair_flags(pairs: &Pairs<'_>) -> u32 {
    find(pairs, pair::FLAGS).and_then(|value| array(value, 0)).map_or(0, u32::from_le_bytes)
}

/// Encodes pairs with their end; `None` when one is too long.
pub(super) fn pairs(pairs: &[(u16, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (id, value) in pairs {
        out.extend(id.to_le_bytes());
        out.extend(u16::try_from(value.len()).ok()?.to_le_bytes());
        out.extend(value);
    }
    out.extend([0; 4]);
    Some(out)
}

fn read_pairs(mut rest: &[u8]) -> Result<Pairs<'_>, &'static str> {
    let mut out = Vec::new();
    while let Some(head) = array::<4>(rest, 0) {
        let (id, length) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        if id == pair::END {
            break;
        }
        let (value, behind) = rest[4..].split_at_checked(length.into()).ok_or(PAIRS)?;
        out.push((id, value));
        rest = behind;
    }
    Ok(out)
}

/// What [`utf16`] made.
pub(super) fn from_utf16(bytes: &[u8]) -> String {
    text(bytes, flag::UNICODE)
}

/// In UTF-16, little endian.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn text(bytes: &[u8], flags: u32) -> String {
    if flags & flag::UNICODE == 0 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// Milliseconds since 1970, in units of 100 ns since 1601.
pub(super) fn file_time(now: u64) -> u64 {
    now.saturating_add(EPOCH).saturating_mul(10_000)
}

/// The other way; `None` before 1970.
pub(super) fn moment(file_time: u64) -> Option<u64> {
    (file_time / 10_000).checked_sub(EPOCH)
}

fn header(kind: u32) -> Vec<u8> {
    [&SIGNATURE[..], &kind.to_le_bytes()].concat()
}

/// Length, room and offset of a part that stands at `at`, which moves behind it.
fn place(part: &[u8], at: &mut usize) -> Option<[u8; 8]> {
    let length = u16::try_from(part.len()).ok()?.to_le_bytes();
    let offset = u32::try_from(*at).ok()?.to_le_bytes();
    *at += part.len();
    let mut place = [0; 8];
    place[..2].copy_from_slice(&length);
    place[2..4].copy_from_slice(&length);
    place[4..].copy_from_slice(&offset);
    Some(place)
}

fn kind(bytes: &[u8], want: u32) -> Result<(), &'static str> {
    if !bytes.starts_with(SIGNATURE) {
        return Err(NOT_NTLM);
    }
    if number(bytes, 8)? == want { Ok(()) } else { Err("it is another of the three messages") }
}

/// The part whose length and offset stand at `at`.
fn part(bytes: &[u8], at: usize) -> Result<&[u8], &'static str> {
    let [low, high] = array(bytes, at).ok_or(SHORT)?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    let offset = usize::try_from(number(bytes, at + 4)?).map_err(|_| OUTSIDE)?;
    if length == 0 {
        return Ok(&[]);
    }
    offset.checked_add(length).and_then(|end| bytes.get(offset..end)).ok_or(OUTSIDE)
}

fn number(bytes: &[u8], at: usize) -> Result<u32, &'static str> {
    array(bytes, at).map(u32::from_le_bytes).ok_or(SHORT)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
