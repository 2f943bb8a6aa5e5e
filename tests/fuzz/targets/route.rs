//! The arguments that name a way, and what a proxy answers: no control byte passes, nothing that a shell
//! reads is filled into a command, and no answer is taken for a yes that is not 2xx (P33, P14).
#![no_main]

use ehlo::explain::failure::{Failure, diagnose};
use ehlo::explain::place::Place;
use ehlo::explain::route::{RouteFailure, Trouble};
use ehlo::net::command::Template;
use ehlo::net::dns::parse_server;
use ehlo::net::header::Header;
use ehlo::net::proxy::{Fault, Proxy, judge};
use ehlo_fuzz::{Input, assert_printable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (url, host) = (input.text(), input.text());
    match Proxy::parse(&url) {
        Ok(proxy) => {
            assert_printable(&proxy.to_string());
            assert!(proxy.port > 0 && !proxy.host.is_empty() && proxy.password.is_none());
        }
        Err(error) => assert_printable(&error),
    }
    if let Ok(Ok(line)) = Template::parse("%h").map(|template| template.fill(&host, 25)) {
        // The zone of an address (fe80::1%eth0) is part of it.
        let line = line.replacen('%', "", 1);
        assert!(!line.contains(|c: char| c.is_whitespace() || "$`'\"\\&|;<>()*?[]#~!{}%^".contains(c)), "{line}");
    }
    let _ = Template::parse(&url).map(|template| template.fill("mx.alt.test", 25));
    if let Ok(header) = Header::parse(&url) {
        let (bytes, words) = header.encode(None);
        assert!(bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
        assert_printable(&words);
    }
    let _ = parse_server(&url);
    match judge(data, false) {
        Ok(()) => assert!(data.starts_with(b"HTTP/1.") && data[9] == b'2'),
        Err(Fault::NotAProxy(head)) => {
            let failure = Failure::Route(RouteFailure { way: url, trouble: Trouble::NotAProxy(head) });
            assert_printable(&diagnose(&failure, &Place::new("mx.alt.test", 25)).headline);
        }
        Err(_) => {}
    }
});
