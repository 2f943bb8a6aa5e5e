//! The offer of EHLO, and what is said of it.
#![no_main]

use ehlo::explain::notice;
use ehlo::wire::keyword::Capabilities;
use ehlo_fuzz::{assert_printable, replies};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Vec::new();
    for line in data.split(|&b| b == b'\n') {
        bytes.extend_from_slice(b"250-");
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"250 HELP\r\n");
    let found = replies(&bytes).into_iter().chain(replies(data));
    for reply in found {
        let offer = Capabilities::from_reply(&reply);
        assert!(offer.keywords().count() < reply.lines.len());
        for keyword in offer.keywords() {
            assert!(offer.has(keyword.name()) && offer.has(&keyword.name().to_ascii_lowercase()));
            assert!(keyword.parameters().all(|word| !word.is_empty()));
        }
        let mechanisms = offer.mechanisms();
        for (at, name) in mechanisms.iter().enumerate() {
            assert!(*name == name.to_ascii_uppercase() && !mechanisms[..at].contains(name));
        }
        let (summary, remarks) = notice::capabilities(&offer);
        assert_printable(&summary);
        remarks.iter().chain(&notice::greeting(&reply, "mail.contoso.test")).for_each(|text| assert_printable(text));
        reply.oddities.iter().for_each(|&oddity| assert_printable(&notice::oddity(oddity, &reply)));
    }
});
