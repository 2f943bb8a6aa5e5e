//! What a server speaks that this program's TLS library does not: versions before TLS 1.2, and the suites of TLS 1.2
//! without forward secrecy or with a cipher that is no AEAD.

use crate::text::printable_str;

/// Version and suite that a server chose when it was offered old ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldTls {
    /// `TLS 1.2`.
    pub version: String,
    /// By its name in the IANA registry: `TLS_RSA_WITH_AES_256_CBC_SHA`.
    pub suite: String,
    /// The version is before TLS 1.2 (RFC 8996); else the suite is what is not in common.
    pub version_is_old: bool,
}

impl OldTls {
    /// `TLS 1.2 with TLS_RSA_WITH_AES_256_CBC_SHA`
    pub fn spoken(&self) -> String {
        printable_str(&format!("{} with {}", self.version, self.suite)).into_owned()
    }

    /// What that is, and why this program does not speak it.
    pub fn meaning(&self) -> String {
        if self.version_is_old {
            return "TLS before 1.2 is broken (RFC 8996), and this program speaks TLS 1.2 and 1.3 only.".to_owned();
        }
        let what = properties(&self.suite);
        let what = if what.is_empty() { String::new() } else { format!("This suite has {}. ", what.join(" and ")) };
        format!(
            "{what}TLS 1.2 is up to date, but this program's TLS library speaks it only with ECDHE and AES-GCM or ChaCha20-Poly1305, which RFC 9325 recommends."
        )
    }

    /// What is usually behind it.
    pub fn likely(&self) -> &'static str {
        if self.version_is_old {
            "The server's software or its settings are old (Exchange: Schannel)."
        } else {
            "The server's software or its settings leave the newer suites out: Windows Server 2012 R2 has none of them for an RSA certificate."
        }
    }

    /// What to do on the server.
    pub fn next(&self) -> &'static str {
        if self.version_is_old {
            "Update the server or its settings."
        } else {
            "Update the server, or enable suites with ECDHE and AES-GCM there."
        }
    }
}

/// What a suite has that newer ones do not, read from its registered name.
fn properties(suite: &str) -> Vec<&'static str> {
    let key_exchange =
        [("TLS_RSA_WITH_", "RSA key exchange, without forward secrecy"), ("TLS_DHE_", "Diffie-Hellman in finite fields (DHE)")];
    let cipher = [
        ("_RC4_", "the broken cipher RC4 (RFC 7465)"),
        ("_3DES_", "the weak cipher 3DES in CBC mode"),
        ("_DES_", "the broken cipher DES"),
        ("_CBC_", "a cipher in CBC mode"),
    ];
    let first = key_exchange.into_iter().find(|(part, _)| suite.starts_with(part));
    let second = cipher.into_iter().find(|(part, _)| suite.contains(part));
    first.into_iter().chain(second).map(|(_, words)| words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_told_by_what_it_has() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", &["CBC mode"], &["forward secrecy", "finite"]),
            ("TLS_RSA_WITH_AES_256_GCM_SHA384", &["without forward secrecy"], &["CBC"]),
            ("TLS_RSA_WITH_AES_256_CBC_SHA", &["without forward secrecy and a cipher in CBC mode"], &["broken"]),
            ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", &["(DHE)"], &["CBC"]),
            ("TLS_RSA_WITH_RC4_128_SHA", &["RFC 7465"], &["CBC"]),
            ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", &["3DES"], &["broken"]),
            ("suite 0x1234", &["AES-GCM"], &["This suite"]),
        ];
        for (suite, there, missing) in table {
            let old = OldTls { version: "TLS 1.2".to_owned(), suite: (*suite).to_owned(), version_is_old: false };
            let words = [old.spoken(), old.meaning(), old.likely().to_owned(), old.next().to_owned()].join("\n");
            assert!(words.contains(suite) && there.iter().all(|text| words.contains(text)), "{words}");
            // TLS 1.2 is not what RFC 8996 is about.
            assert!(!words.contains("RFC 8996") && !missing.iter().any(|text| words.contains(text)), "{words}");
        }
    }

    #[test]
    fn an_old_version_is_told_as_such() {
        let suite = "TLS_RSA_WITH_AES_256_CBC_SHA".to_owned();
        let old = OldTls { version: "TLS 1.0".to_owned(), suite, version_is_old: true };
        assert!(old.meaning().contains("RFC 8996") && !old.meaning().contains("CBC"));
    }
}
