//! What the targets of mechanisms share: both sides against anybody who does not know the password.

use ehlo::sasl::{Channel, Host, Login, Party, Proof, Said, Turn, lookup};
use ehlo::secret::Secret;

use crate::contains;

/// Nobody guesses it.
pub const PASSWORD: &str = "q7Zk0wXv-5tGb2NmJ8uYc3Lp";

fn channel() -> Channel {
    Channel { exporter: Some(vec![7; 32]), server_end_point: Some(vec![9; 32]), wanted: None }
}

/// Messages apart by LF, as challenges for the client, as answers for the server, and described: nobody is let in,
/// no server is believed, and no password is shown (P24, P26, P27).
pub fn play(name: &str, data: &[u8], readable: bool) {
    // libFuzzer sees what is compared; whoever knows the password proves nothing.
    if contains(data, PASSWORD.as_bytes()) {
        return;
    }
    let mechanism = lookup(name).expect("a mechanism of the table");
    let messages: Vec<&[u8]> = data.split(|&byte| byte == b'\n').take(8).collect();
    describe(name, &messages);

    let password = || Secret::new(PASSWORD.to_owned());
    let login = Login {
        user: "logon".to_owned(),
        secret: Some(password()),
        host: "mx".to_owned(),
        port: 25,
        channel: channel(),
        ..Login::default()
    };
    let mut client = (mechanism.client)();
    if data.len() % 2 == 0 {
        let _ = client.adopt(messages[0], None);
    } else if mechanism.client_first {
        client.step(None, &login).expect("a first message");
    }
    for message in &messages {
        let Ok(made) = client.step(Some(message), &login) else { continue };
        assert!(readable || !contains(made.expose(), PASSWORD.as_bytes()));
        let said = Said { from: Party::Client, number: 1, bytes: made.expose(), answering: Some(message), now: 1 };
        let described = format!("{:?}", (mechanism.describe)(&said).expect("a message of the mechanism"));
        assert!(!described.contains(PASSWORD));
    }
    assert!(client.proof() != Proof::Given && client.remarks().len() <= 2 * messages.len());

    let host = Host { users: vec!["logon".to_owned()], password: password(), token: password(), channel: channel(), ..Host::default() };
    let mut server = mechanism.server.expect("a server's side")();
    if !mechanism.client_first {
        server.step(None, &host);
    }
    for message in &messages {
        assert!(!matches!(server.step(Some(message), &host), Turn::Accept(_)));
    }
}

fn describe(name: &str, messages: &[&[u8]]) {
    for (number, bytes) in messages.iter().enumerate() {
        for from in [Party::Client, Party::Server] {
            let described = ehlo::sasl::describe(name, &Said { from, number, bytes, answering: None, now: 1_700_000_000_000 });
            assert!(described.is_none_or(|out| !out.title.is_empty() && out.fields.len() <= bytes.len() + 20));
        }
    }
}
