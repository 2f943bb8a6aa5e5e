//! The practice server with a client that is made up: any cut gives the same steps, and not too many.
#![no_main]

use ehlo::sasl::Channel;
use ehlo::session::server::character::CHARACTERS;
use ehlo::session::server::scenario::SCENARIOS;
use ehlo::session::server::{Facts, Server, Step, TlsFacts, auth};
use ehlo_fuzz::{Input, pieces};
use libfuzzer_sys::fuzz_target;

fn written(steps: &[Step]) -> usize {
    steps.iter().map(|step| if let Step::Write(bytes) = step { bytes.len() } else { 0 }).sum()
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let character = &CHARACTERS[usize::from(input.byte()) % CHARACTERS.len()];
    let scenario = SCENARIOS.get(usize::from(input.byte()) % (2 * SCENARIOS.len()));
    let seed = input.byte();
    let names: Vec<&str> = auth::playable().collect();
    let mechanism = usize::from(input.byte());
    // In TLS or not; what the character has, all that there is, or one of it.
    let encrypted = mechanism % 2 == 0;
    let offer = match mechanism / 2 % (names.len() + 2) {
        0 => None,
        1 => Some(names),
        at => Some(vec![names[at - 2]]),
    };
    let server = || {
        let facts = Facts {
            name: "mail.contoso.test".to_owned(),
            client: "[127.0.0.1]".to_owned(),
            date: "Mon, 23 Nov 2026 08:19:44 -0700".to_owned(),
            serial: u64::from(seed),
            now: 1_795_447_184_000,
            random: [seed; 32],
            token: "token".to_owned(),
        };
        let server = Server::new(character, scenario, facts);
        let mut server = if let Some(offer) = &offer { server.offering(offer.clone()) } else { server };
        if encrypted {
            let channel = Channel { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]), wanted: None };
            server.tls_started(TlsFacts { channel, certificate_user: Some("logon".to_owned()) });
        }
        server
    };
    let run = |pieces: &[&[u8]]| {
        let mut server = server();
        let mut steps = server.greet();
        pieces.iter().for_each(|piece| steps.extend(server.receive(piece)));
        (server, steps)
    };
    let (mut server, mut steps) = run(&[input.0]);
    assert_eq!(run(&pieces(input.0, seed)).1, steps);

    let lines = input.0.iter().filter(|&&b| b == b'\n').count();
    assert!(written(&steps) <= (lines + 2) * 4096 + 8 * input.0.len(), "{} bytes", written(&steps));
    assert!(steps.len() <= 4 * (lines + 2) + 4 * written(&steps));

    let more = server.more();
    assert!(written(&more) <= 1 << 16);
    steps.extend(more);
    steps.extend(server.idle());
    steps.extend(server.receive(b"NOOP\r\n"));
    let _ = server.idle_limit();
    let closed = steps.iter().position(|step| *step == Step::Close);
    assert!(closed.is_none_or(|at| at + 1 == steps.len()), "{steps:?}");
});
