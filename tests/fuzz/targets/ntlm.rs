//! NTLM messages, made up and changed: no side panics, and no login passes but the one that was made (P27).
#![no_main]

use ehlo::sasl::{self, Host, Login, Party, Said, Turn, lookup};
use ehlo::secret::Secret;
use ehlo_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fn login() -> Login {
    let (user, secret) = ("CONTOSO\\logon".to_owned(), Some(Secret::new("q7Zk0wXv".to_owned())));
    Login { user, secret, host: "mail.contoso.test".to_owned(), ..Login::default() }
}

fn host() -> Host {
    let (users, password) = (vec!["logon".to_owned()], Secret::new("q7Zk0wXv".to_owned()));
    Host { name: "mail.contoso.test".to_owned(), users, password, now: 1_700_000_000_000, ..Host::default() }
}

/// What stands in place of `message`: itself with bytes changed and its end cut, or something else.
fn damaged(message: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.byte();
    if kind % 4 == 0 {
        return input.bytes().to_vec();
    }
    let mut out = message.to_vec();
    for _ in 0..kind % 8 {
        let at = usize::from(input.byte()) | usize::from(input.byte() & 1) << 8;
        let byte = input.byte();
        if let Some(place) = out.get_mut(at) {
            *place = byte;
        }
    }
    if kind > 200 {
        out.truncate(input.byte().into());
    }
    out
}

fn describe(bytes: &[u8]) {
    for (from, number) in [(Party::Client, 0), (Party::Client, 1), (Party::Server, 0), (Party::Server, 1)] {
        let said = Said { from, number, bytes, answering: None, now: 1_700_000_000_000 };
        let described = sasl::describe("NTLM", &said);
        // What the client says after its first message is shown in parts or not at all.
        assert!(described.is_some() || from == Party::Server || number == 0);
    }
}

fuzz_target!(|data: &[u8]| {
    let ntlm = lookup("NTLM").expect("NTLM");
    let (login, host) = (login(), host());
    describe(data);
    let mut client = (ntlm.client)();
    let _ = client.adopt(data, None);
    let _ = (client.step(Some(data), &login), client.step(Some(data), &login));
    let mut server = ntlm.server.expect("server")();
    let _ = (server.step(None, &host), server.step(Some(data), &host), server.step(Some(data), &host));

    let mut input = Input(data);
    let (mut client, mut server) = ((ntlm.client)(), ntlm.server.expect("server")());
    let negotiate = client.step(None, &login).expect("negotiate");
    let negotiate = damaged(negotiate.expose(), &mut input);
    describe(&negotiate);
    let Turn::Challenge(challenge) = server.step(Some(&negotiate), &host) else { return };
    let asked = damaged(&challenge, &mut input);
    describe(&asked);
    let Ok(answer) = client.step(Some(&asked), &login) else { return };
    let given = damaged(answer.expose(), &mut input);
    describe(&given);
    if let Turn::Accept(user) = server.step(Some(&given), &host) {
        // NTLMv1, to which a changed challenge leads, seals nothing but the password.
        let sealed = given[20] != 24;
        assert!(!sealed || user == "logon" && &given == answer.expose());
    }
});
