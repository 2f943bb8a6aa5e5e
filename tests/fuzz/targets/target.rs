//! The arguments that name a server, an address or a command: no control byte passes (P33).
#![no_main]

use ehlo::target::{Target, parse_port};
use ehlo::wire::address;
use ehlo::wire::command::{self, Command};
use ehlo_fuzz::{Input, assert_printable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (host, port) = (String::from_utf8_lossy(input.bytes()).into_owned(), input.text());
    for port in [None, Some(port.as_str())] {
        match Target::parse(&host, port) {
            Ok(target) => {
                assert!(!target.host.is_empty() && target.port > 0);
                assert!(!target.host.contains(|c: char| c.is_control() || c.is_whitespace()));
                assert!(!target.socket.as_ref().is_some_and(|path| path.contains(char::is_control)));
                let again = Target::parse(&target.to_string(), None).expect("a target");
                assert_eq!((again.host, again.port), (target.host, target.port));
                assert_eq!((again.protocol, again.socket), (target.protocol, target.socket));
            }
            Err(error) => assert_printable(&error.to_string()),
        }
    }
    let _ = parse_port(&port);

    let text = String::from_utf8_lossy(data);
    for keyword in ["FROM", "TO"] {
        if let Some(path) = address::path(&text, keyword) {
            assert!(text.contains(path.address) && text.contains(path.parameters));
            let _ = address::domain(path.address);
        }
    }
    assert!(Command::parse(data).verb().len() <= 24 * 4);
    if let Some(shown) = command::without_secret(data) {
        assert!(matches!(Command::parse(data), Command::Auth { .. }));
        assert!(shown.ends_with(b" (hidden)"));
    }
});
