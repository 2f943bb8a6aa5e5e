//! What an old server speaks: a `ClientHello` made by hand that offers what rustls has not, and a reader
//! of the answer's first bytes. No handshake is completed.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::net::connection::Stream;

/// How much of an answer is read.
const MAX_ANSWER: usize = 16 * 1024;

/// Cipher suites of before TLS 1.3 that servers were seen to insist on (the IANA registry's names).
pub const SUITES: &[(u16, &str)] = &[
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
    (0x0009, "TLS_RSA_WITH_DES_CBC_SHA"),
    (0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"),
];

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server chose.
    Hello {
        /// As on the wire: 0x0301 is TLS 1.0.
        version: u16,
        /// As on the wire.
        suite: u16,
    },
    /// The server refuses this too, by this alert.
    Alert(u8),
    /// Not TLS.
    NotTls,
    /// Closed or silent.
    Nothing,
}

impl Answer {
    /// Version and suite in words: `TLS 1.0`, `TLS_RSA_WITH_3DES_EDE_CBC_SHA`.
    pub fn describe(&self) -> Option<(String, String)> {
        let Self::Hello { version, suite } = self else { return None };
        let version = match version {
            0x0300 => "SSL 3.0".to_owned(),
            0x0301 => "TLS 1.0".to_owned(),
            0x0302 => "TLS 1.1".to_owned(),
            0x0303 => "TLS 1.2".to_owned(),
            other => format!("version {other:#06x}"),
        };
        let suite =
            SUITES.iter().find(|(number, _)| number == suite).map_or_else(|| format!("suite {suite:#06x}"), |(_, name)| (*name).to_owned());
        Some((version, suite))
    }

    /// Whether the server chose a version before TLS 1.2.
    pub fn version_is_old(&self) -> bool {
        matches!(self, Self::Hello { version, .. } if *version < 0x0303)
    }
}

/// Offers the old suites and reads what the server makes of it.
pub async fn ask(mut stream: Box<dyn Stream>, server_name: Option<&str>) -> Answer {
    let mut random = [0; 32];
    if rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut random).is_err()
        || stream.write_all(&client_hello(&random, server_name)).await.is_err()
    {
        return Answer::Nothing;
    }
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        if let Some(answer) = read_answer(&bytes) {
            return answer;
        }
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 && bytes.len() < MAX_ANSWER => bytes.extend_from_slice(&chunk[..count]),
            _ => return Answer::Nothing,
        }
    }
}

/// A `ClientHello` of TLS 1.2 (RFC 5246 §7.4.1.2) in one record.
pub fn client_hello(random: &[u8; 32], server_name: Option<&str>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(random);
    body.push(0);
    let suites: Vec<u8> = SUITES.iter().flat_map(|(number, _)| number.to_be_bytes()).collect();
    put16(&mut body, &suites);
    body.extend_from_slice(&[1, 0]);
    put16(&mut body, &extensions(server_name));
    let mut handshake = vec![1];
    handshake.extend_from_slice(&u32::try_from(body.len()).unwrap_or_default().to_be_bytes()[1..]);
    handshake.extend_from_slice(&body);
    // Version 3.1 on the record, as old servers expect (RFC 5246 appendix E.1).
    let mut record = vec![22, 3, 1];
    put16(&mut record, &handshake);
    record
}

fn extensions(server_name: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut extension = |kind: u16, data: &[u8]| {
        out.extend_from_slice(&kind.to_be_bytes());
        put16(&mut out, data);
    };
    if let Some(name) = server_name {
        let mut entry = vec![0];
        put16(&mut entry, name.as_bytes());
        let mut list = Vec::new();
        put16(&mut list, &entry);
        extension(0, &list);
    }
    // Groups: x25519, P-256, P-384, P-521. Point format: uncompressed.
    extension(10, &[0, 8, 0, 29, 0, 23, 0, 24, 0, 25]);
    extension(11, &[1, 0]);
    // Signatures: RSA and ECDSA with SHA-512 down to SHA-1, RSA-PSS.
    extension(13, &[0, 20, 6, 1, 6, 3, 5, 1, 5, 3, 4, 1, 4, 3, 8, 4, 8, 5, 2, 1, 2, 3]);
    out
}

fn put16(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(&u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(data);
}

/// Reads as much of an answer as is needed; `None` asks for more bytes.
pub fn read_answer(bytes: &[u8]) -> Option<Answer> {
    let (&kind, rest) = bytes.split_first()?;
    if !(20..=24).contains(&kind) || rest.first().is_some_and(|&major| major != 3) {
        return Some(Answer::NotTls);
    }
    let length = usize::from(u16::from_be_bytes([*bytes.get(3)?, *bytes.get(4)?]));
    let content = bytes.get(5..)?;
    match kind {
        21 => Some(Answer::Alert(*content.get(1)?)),
        22 => server_hello(&content[..content.len().min(length)], length),
        _ => Some(Answer::NotTls),
    }
}

/// Version, 32 random bytes, session, suite (RFC 5246 §7.4.1.3).
fn server_hello(content: &[u8], length: usize) -> Option<Answer> {
    let whole = content.len() == length;
    let short = || if whole { Some(Answer::NotTls) } else { None };
    let Some((&2, rest)) = content.split_first() else { return if content.is_empty() { short() } else { Some(Answer::NotTls) } };
    let field = |at: usize| Some(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
    let read = || {
        let version = field(3)?;
        let session = usize::from(*rest.get(3 + 2 + 32)?);
        Some(Answer::Hello { version, suite: field(3 + 2 + 32 + 1 + session)? })
    };
    read().or_else(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: u16, suite: u16, session: u8) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend_from_slice(&[7; 32]);
        body.push(session);
        body.extend(vec![9; usize::from(session)]);
        body.extend_from_slice(&suite.to_be_bytes());
        body.push(0);
        let mut handshake = vec![2, 0, 0, u8::try_from(body.len()).unwrap()];
        handshake.extend(body);
        let mut record = vec![22, 3, 1];
        put16(&mut record, &handshake);
        record
    }

    #[test]
    fn answers_are_read_at_any_cut() {
        let table = [
            (hello(0x0301, 0x000a, 0), Answer::Hello { version: 0x0301, suite: 0x000a }),
            (hello(0x0303, 0x002f, 32), Answer::Hello { version: 0x0303, suite: 0x002f }),
            (vec![21, 3, 1, 0, 2, 2, 40], Answer::Alert(40)),
            (b"500 what".to_vec(), Answer::NotTls),
            (vec![22, 3, 1, 0, 4, 2, 0, 0, 0], Answer::NotTls),
            (vec![22, 3, 1, 0, 0], Answer::NotTls),
        ];
        for (bytes, want) in table {
            let first = (0..=bytes.len()).find_map(|cut| read_answer(&bytes[..cut]));
            assert_eq!(first.as_ref(), Some(&want));
            assert_eq!(read_answer(&bytes), Some(want));
        }
    }

    #[test]
    fn the_offer_is_one_record_with_the_name() {
        let record = client_hello(&[1; 32], Some("mail.contoso.test"));
        assert_eq!(usize::from(u16::from_be_bytes([record[3], record[4]])), record.len() - 5);
        assert!(memchr::memmem::find(&record, b"mail.contoso.test").is_some());
    }

    #[test]
    fn the_choice_is_put_in_words() {
        let answer = Answer::Hello { version: 0x0301, suite: 0x000a };
        let words = |version: &str, suite: &str| Some((version.to_owned(), suite.to_owned()));
        assert_eq!(answer.describe(), words("TLS 1.0", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"));
        let unknown = Answer::Hello { version: 0x0303, suite: 0x1234 };
        assert_eq!(unknown.describe(), words("TLS 1.2", "suite 0x1234"));
        assert!(answer.version_is_old() && !unknown.version_is_old());
    }
}
