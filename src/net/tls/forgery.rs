//! Forged certificates for the judge, made from any bytes: what the property test and the fuzz target share (P45).
//!
//! The bytes are choices. Most of them are the ordinary one, so that some chains are in order and the property is not
//! empty; the others copy subjects and keys of roots, sign with wrong keys or with noise, and change the encoding.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: what cannot go on fails")]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;

use super::certificate::Certificate;
use super::verdict::{Evidence, Proof, Trust};

/// The server that is meant.
const HOST: &str = "mail.contoso.test";
/// Seconds since 1970: the day on which certificates are judged, as a rule.
const NOW: i64 = 1_790_000_000;
const DAY: i64 = 86_400;
/// How many of the system's roots are copied.
const SYSTEM_ROOTS: usize = 24;

/// What became of a forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused, with at least one fault.
    Refused,
    /// Verified by a path to a root.
    Verified,
    /// Verified because this very certificate was given.
    Given,
}

/// Judges what these bytes make, and checks the judge against the library's own verifier.
///
/// # Panics
/// Where a server counts as verified that the library does not verify, or a refusal has no fault.
pub fn attempt(bytes: &[u8]) -> Outcome {
    let world = world();
    let mut choices = Choices(bytes);
    let chain = chain(&mut choices, world);
    let name = name(&mut choices);
    let now = *choices.pick(&[NOW, NOW + 400 * DAY, NOW - 400 * DAY, 0, NOW + 40_000 * DAY]);
    let proof = *choices.pick(&[Proof::Verified, Proof::Wrong, Proof::Unchecked]);
    let trusted = Trusted::choose(&mut choices, world, &chain);
    let read: Vec<Certificate> = chain.iter().map(Certificate::read).collect();
    let trust = Trust::reach(&Evidence {
        chain: &read,
        name: &name,
        roots: &trusted.store,
        given: &trusted.given,
        algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        now,
        proof,
    });
    let accepted = accepted(&chain, &name, &trusted.store, now);
    let given = trusted.given.iter().any(|given| chain.first() == Some(given));
    assert_eq!(trust.is_verified(), trust.faults().is_empty(), "{:?}", trust.faults());
    if !trust.is_verified() {
        return Outcome::Refused;
    }
    assert_eq!(proof, Proof::Verified, "the key was not proved");
    assert!(accepted || given && in_order(&chain[0], &name, now), "the library refuses it");
    if accepted { Outcome::Verified } else { Outcome::Given }
}

/// What the library's own verifier says: another way to it than the judge's.
fn accepted(chain: &[CertificateDer<'static>], name: &ServerName<'static>, store: &Arc<RootCertStore>, now: i64) -> bool {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::clone(store), provider).build() else { return false };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.cast_unsigned()));
    chain.split_first().is_some_and(|(leaf, issuers)| verifier.verify_server_cert(leaf, issuers, name, &[], now).is_ok())
}

/// What is asked of a certificate that was given: the library reads it, its name and its dates fit.
fn in_order(leaf: &CertificateDer<'static>, name: &ServerName<'static>, now: i64) -> bool {
    let fits = ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok());
    let parsed = x509_parser::parse_x509_certificate(leaf).unwrap().1;
    let validity = parsed.validity();
    fits && (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
}

/// Bytes as choices; behind their end everything is ordinary.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// The first is the ordinary one: six times in seven.
    fn pick<'t, T>(&mut self, table: &'t [T]) -> &'t T {
        let byte = usize::from(self.byte());
        if byte < 220 { &table[0] } else { &table[byte % table.len()] }
    }

    /// Any of them alike.
    fn any<'t, T>(&mut self, table: &'t [T]) -> &'t T {
        &table[usize::from(self.byte()) % table.len()]
    }
}

/// Somebody who can issue certificates, or whose certificate can be copied.
struct Party {
    /// The distinguished name, encoded.
    subject: Vec<u8>,
    /// The public key, encoded (`SubjectPublicKeyInfo`).
    public_key: Vec<u8>,
    /// `None` where nobody here has it: a root of the system.
    key: Option<KeyPair>,
    certificate: CertificateDer<'static>,
    /// Where its issuer stands in the list; itself for a root.
    issuer: usize,
}

/// What all forgeries are made from.
struct World {
    parties: Vec<Party>,
    /// The server's key, and that of the man in the middle.
    server: KeyPair,
    attacker: KeyPair,
    /// All roots; one of them; one that has issued nothing; none.
    stores: [Arc<RootCertStore>; 4],
}

const ROOTS: usize = 2;

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut parties = Vec::new();
        // (name, issuer, first and last day, may issue)
        let plan = [
            ("Root", 0, -3000, 3000, true),
            ("Second Root", 1, -3000, 3000, true),
            ("Issuing", 0, -1000, 1000, true),
            ("Second Issuing", 2, -1000, 1000, true),
            ("Expired Issuing", 1, -1000, -10, true),
            ("No Authority", 0, -1000, 1000, false),
        ];
        for (name, issuer, begin, end, may_issue) in plan {
            let key = KeyPair::generate().unwrap();
            let (subject, public_key) = (common_name(name), key.subject_public_key_info());
            let issued_by = parties.get(issuer).map_or(&subject, |party: &Party| &party.subject);
            let body = Body {
                version: 2,
                issuer: issued_by,
                subject: &subject,
                public_key: &public_key,
                dates: (NOW + begin * DAY, NOW + end * DAY),
                extensions: if may_issue { vec![extension(&[0x55, 0x1d, 19], true, &tlv(0x30, &[1, 1, 0xff]))] } else { Vec::new() },
                algorithm: ECDSA_SHA256,
            };
            let signer = parties.get(issuer).and_then(|party: &Party| party.key.as_ref()).unwrap_or(&key);
            let certificate = CertificateDer::from(body.signed(ECDSA_SHA256, |bytes| signer.sign(bytes).unwrap()));
            parties.push(Party { subject, public_key, key: Some(key), certificate, issuer });
        }
        let system = rustls_native_certs::load_native_certs().certs;
        for certificate in system.into_iter().take(SYSTEM_ROOTS) {
            let Ok((_, parsed)) = x509_parser::parse_x509_certificate(&certificate) else { continue };
            let (subject, public_key) = (parsed.subject().as_raw().to_vec(), parsed.public_key().raw.to_vec());
            let issuer = parties.len();
            parties.push(Party { subject, public_key, key: None, certificate: certificate.clone(), issuer });
        }
        let store = |chosen: &mut dyn Iterator<Item = &Party>| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(chosen.map(|party| party.certificate.clone()));
            Arc::new(store)
        };
        let is_root = |(at, party): &(usize, &Party)| party.issuer == *at;
        let stores = [
            store(&mut parties.iter().enumerate().filter(is_root).map(|(_, party)| party)),
            store(&mut parties[..1].iter()),
            store(&mut parties[1..ROOTS].iter()),
            store(&mut [].iter()),
        ];
        World { parties, server: KeyPair::generate().unwrap(), attacker: KeyPair::generate().unwrap(), stores }
    })
}

/// The roots that are trusted, and the certificates that were given besides.
struct Trusted {
    store: Arc<RootCertStore>,
    given: Vec<CertificateDer<'static>>,
}

impl Trusted {
    fn choose(choices: &mut Choices<'_>, world: &World, chain: &[CertificateDer<'static>]) -> Self {
        let store = Arc::clone(choices.pick(&world.stores));
        let likeness = || {
            let mut bytes = chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            CertificateDer::from(bytes)
        };
        let given = match choices.pick(&[0, 1, 2, 3]) {
            0 => return Self { store, given: Vec::new() },
            1 => chain.first().cloned().into_iter().collect(),
            2 => vec![world.parties[0].certificate.clone()],
            _ => vec![likeness()],
        };
        // As with --cacert: what is given stands among the roots too.
        let mut store = RootCertStore::clone(&store);
        store.add_parsable_certificates(given.iter().cloned());
        Self { store: Arc::new(store), given }
    }
}

fn name(choices: &mut Choices<'_>) -> ServerName<'static> {
    let name = *choices.pick(&[HOST, "MAIL.contoso.TEST", "other.contoso.test", "contoso.test", "192.0.2.1", "2001:db8::1", "alt.test"]);
    ServerName::try_from(name).unwrap()
}

/// A leaf and what the server sends behind it.
fn chain(choices: &mut Choices<'_>, world: &World) -> Vec<CertificateDer<'static>> {
    // The ordinary issuers, then all parties.
    let issuer = match choices.byte() {
        byte @ ..150 => [0, 2, 3][usize::from(byte) % 3],
        byte => usize::from(byte) % world.parties.len(),
    };
    let leaf = match choices.byte() {
        ..230 => built(choices, world, issuer),
        // A certificate that everybody can see, as it is.
        byte => world.parties[usize::from(byte) % world.parties.len()].certificate.to_vec(),
    };
    let mut chain = vec![mutated(choices, leaf)];
    let mut at = issuer;
    while world.parties[at].issuer != at {
        chain.push(world.parties[at].certificate.to_vec());
        at = world.parties[at].issuer;
    }
    let root = world.parties[at].certificate.to_vec();
    match choices.pick(&[0, 1, 2, 3, 4, 5, 6]) {
        0 => {}
        1 => chain.truncate(1),
        2 => chain.push(root),
        3 => chain[1..].reverse(),
        4 => {
            // Another leaf in the place of an issuer.
            let other = built(choices, world, issuer);
            chain.push(other);
        }
        5 => chain.insert(1, choices.any(&world.parties).certificate.to_vec()),
        _ => {
            if let Some(last) = chain.pop() {
                chain.push(mutated(choices, last));
            }
        }
    }
    chain.into_iter().map(CertificateDer::from).collect()
}

/// A certificate with a copied or a proper subject, key and signature.
fn built(choices: &mut Choices<'_>, world: &World, issuer: usize) -> Vec<u8> {
    let issuer = &world.parties[issuer];
    let host = common_name(HOST);
    let copied = choices.any(&world.parties);
    let subject = *choices.pick(&[&host, &issuer.subject, &copied.subject]);
    let (server, attacker) = (world.server.subject_public_key_info(), world.attacker.subject_public_key_info());
    let public_key = *choices.pick(&[&server, &attacker, &issuer.public_key, &copied.public_key]);
    let issued_by = *choices.pick(&[&issuer.subject, subject, &copied.subject]);
    let day = |days: i64| NOW + days * DAY;
    let dates = *choices.pick(&[
        (day(-10), day(80)),
        (day(-100), day(-1)),
        (day(1), day(90)),
        (day(90), day(-90)),
        (day(-10), day(20_000)),
        (0, day(500)),
    ]);
    let body = Body {
        version: *choices.pick(&[2, 0, 1, 3]),
        issuer: issued_by,
        subject,
        public_key,
        dates,
        extensions: extensions(choices),
        algorithm: choices.pick::<&[u8]>(&ALGORITHMS),
    };
    let outer = *choices.pick(&[&ALGORITHMS[0], &ALGORITHMS[1], &ALGORITHMS[2]]);
    let noise = choices.byte();
    // By the issuer, where its key is here; by the server itself, by the man in the middle, or by nobody.
    let signer = *choices.pick(&[issuer.key.as_ref(), Some(&world.server), Some(&world.attacker), None]);
    body.signed(outer, |bytes| match signer {
        Some(key) => key.sign(bytes).unwrap(),
        None => tlv(0x30, &[tlv(2, &[noise | 1; 32]), tlv(2, &[0x5a; 32])].concat()),
    })
}

fn extensions(choices: &mut Choices<'_>) -> Vec<Vec<u8>> {
    let dns = |name: &[u8]| tlv(0x82, name);
    let address = tlv(0x87, &[192, 0, 2, 1]);
    let names = match choices.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
        0 => dns(HOST.as_bytes()),
        1 => dns(b"*.contoso.test"),
        2 => dns(b"m*.contoso.test"),
        3 => dns(b"*.test"),
        4 => [dns(b"other.contoso.test"), dns(HOST.as_bytes()), address].concat(),
        5 => dns(b"mail.contoso.test\0.alt.test"),
        6 => address,
        7 => dns(b"*"),
        8 => dns(b"mail.contoso.test."),
        _ => Vec::new(),
    };
    let usage = |oids: &[u8]| oids.iter().flat_map(|last| tlv(6, &[0x2b, 6, 1, 5, 5, 7, 3, *last])).collect::<Vec<_>>();
    let usages = match choices.pick(&[0, 1, 2, 3, 4]) {
        0 => usage(&[1]),
        1 => usage(&[2]),
        2 => usage(&[2, 1]),
        3 => tlv(6, &[0x55, 0x1d, 0x25, 0]),
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    if !names.is_empty() {
        all.push(extension(&[0x55, 0x1d, 17], *choices.pick(&[false, true]), &tlv(0x30, &names)));
    }
    if !usages.is_empty() {
        all.push(extension(&[0x55, 0x1d, 37], false, &tlv(0x30, &usages)));
    }
    match choices.pick(&[0, 1, 2, 3, 4, 5]) {
        0 => {}
        1 => all.push(extension(&[0x55, 0x1d, 19], true, &tlv(0x30, &[1, 1, 0xff]))),
        2 => all.push(extension(&[0x55, 0x1d, 19], true, &tlv(0x30, &[]))),
        // Unknown, and critical or not.
        3 => all.push(extension(&[0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1], true, &[5, 0])),
        4 => all.push(extension(&[0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1], false, &[5, 0])),
        // Key usage: for certificates only.
        _ => all.push(extension(&[0x55, 0x1d, 15], true, &[3, 2, 2, 4])),
    }
    all
}

/// Some bytes changed, cut off or added; as a rule none.
fn mutated(choices: &mut Choices<'_>, mut der: Vec<u8>) -> Vec<u8> {
    match choices.pick(&[0, 1, 2, 3, 4]) {
        0 => {}
        1 => der.truncate(der.len().saturating_sub(usize::from(choices.byte()))),
        2 => der.push(choices.byte()),
        _ => {
            for _ in 0..=choices.byte() % 3 {
                let at = usize::from(choices.byte()) << 8 | usize::from(choices.byte());
                let (at, change) = (at % der.len().max(1), choices.byte() | 1);
                if let Some(byte) = der.get_mut(at) {
                    *byte ^= change;
                }
            }
        }
    }
    der
}

// ---- encoding (X.690, RFC 5280 §4.1) --------------------------------------------------------------------

/// ecdsa-with-SHA256, ecdsa-with-SHA1, sha256WithRSAEncryption.
const ALGORITHMS: [&[u8]; 3] = [
    ECDSA_SHA256,
    &[0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
    &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11, 5, 0],
];
const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// What is signed in a certificate.
struct Body<'a> {
    /// One less than is said: 2 is version 3.
    version: u8,
    issuer: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
    /// First and last second since 1970.
    dates: (i64, i64),
    extensions: Vec<Vec<u8>>,
    algorithm: &'a [u8],
}

impl Body<'_> {
    fn signed(&self, outer_algorithm: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut parts = Vec::new();
        if self.version > 0 {
            parts.push(tlv(0xa0, &[2, 1, self.version]));
        }
        parts.push(tlv(2, &[1]));
        parts.push(self.algorithm.to_vec());
        parts.push(self.issuer.to_vec());
        parts.push(tlv(0x30, &[date(self.dates.0), date(self.dates.1)].concat()));
        parts.push(self.subject.to_vec());
        parts.push(self.public_key.to_vec());
        if self.version > 1 && !self.extensions.is_empty() {
            parts.push(tlv(0xa3, &tlv(0x30, &self.extensions.concat())));
        }
        let body = tlv(0x30, &parts.concat());
        let signature = [vec![0], sign(&body)].concat();
        tlv(0x30, &[body, outer_algorithm.to_vec(), tlv(3, &signature)].concat())
    }
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(0x30, &[tlv(6, oid), critical.to_vec(), tlv(4, value)].concat())
}

fn common_name(name: &str) -> Vec<u8> {
    let attribute = tlv(0x30, &[tlv(6, &[0x55, 4, 3]), tlv(12, name.as_bytes())].concat());
    tlv(0x30, &tlv(0x31, &attribute))
}

/// `UTCTime` until 2049, `GeneralizedTime` behind it (RFC 5280 §4.1.2.5).
fn date(seconds: i64) -> Vec<u8> {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let rest = format!("{:02}{:02}{:02}{:02}{:02}Z", u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second());
    if at.year() < 2050 {
        tlv(23, format!("{:02}{rest}", at.year() % 100).as_bytes())
    } else {
        tlv(24, format!("{:04}{rest}", at.year()).as_bytes())
    }
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        ..128 => out.push(u8::try_from(length).unwrap()),
        128..256 => out.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            out.push(0x82);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // P45: no faults means that the library verifies it. PROPTEST_CASES=100000 looks longer.
        #[test]
        fn what_is_verified_is_verified_by_the_library(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            attempt(&bytes);
        }
    }

    /// A number from the environment.
    fn wished(name: &str, otherwise: u64) -> u64 {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// The next bytes of a sequence (splitmix64).
    fn fill(state: &mut u64, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }

    /// As many as `FORGERIES` says, from the seed `FORGERY_SEED`: faster than the test above, and counted.
    #[test]
    fn forgeries_are_many_and_some_certificates_are_in_order() {
        let (count, seed) = (wished("FORGERIES", 3000), wished("FORGERY_SEED", 1));
        let (mut state, mut verified, mut given) = (seed, 0, 0);
        let mut bytes = [0; 96];
        for done in 1..=count {
            fill(&mut state, &mut bytes);
            match attempt(&bytes) {
                Outcome::Refused => {}
                Outcome::Verified => verified += 1,
                Outcome::Given => given += 1,
            }
            if done % 1_000_000 == 0 || done == count {
                eprintln!("{done} forgeries from seed {seed}: {verified} verified by a root, {given} given, the others refused");
            }
        }
        assert!(verified * 100 > count && given * 10_000 > count, "{verified} verified and {given} given of {count}");
    }
}
