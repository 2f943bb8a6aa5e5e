//! A relay that keeps what the client says, and knows what of a login is secret.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ehlo::wire::base64;

/// Between the program and a server, for as many connections as come.
pub(crate) struct Relay {
    pub(crate) port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

/// Starts a relay to a server on this machine.
pub(crate) fn relay_to(server: u16) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&said);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, upstream) = (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            let (mut back, mut answers) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut answers, &mut back);
                let _ = back.shutdown(std::net::Shutdown::Both);
            });
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || forward(client, upstream, &lines));
        }
    });
    Relay { port, said }
}

fn forward(client: TcpStream, mut upstream: TcpStream, lines: &Mutex<Vec<String>>) {
    for line in BufReader::new(client).split(b'\n') {
        let Ok(line) = line else { break };
        lines.lock().unwrap().push(String::from_utf8_lossy(&line).trim_end().to_owned());
        if upstream.write_all(&[line.as_slice(), b"\n"].concat()).is_err() {
            break;
        }
    }
    let _ = upstream.shutdown(std::net::Shutdown::Write);
}

impl Relay {
    /// What was secret in the login by this mechanism, in every form in which it could be met again.
    pub(crate) fn secrets(&self, mechanism: &str) -> Vec<String> {
        let lines = self.said.lock().unwrap().clone();
        let begun = lines.iter().position(|line| line.starts_with("AUTH")).unwrap_or_else(|| panic!("{mechanism}: no AUTH in {lines:?}"));
        let initial = lines[begun].split(' ').nth(2).map(str::to_owned);
        let answers: Vec<String> = initial.into_iter().chain(lines[begun + 1..].iter().cloned()).collect();
        let line = &answers[secret_answer(mechanism)];
        let message = base64::decode(line.as_bytes()).unwrap_or_else(|_| panic!("{mechanism}: {answers:?}")).bytes;
        let mut secrets = vec![line.clone()];
        let derived = derived(mechanism, &message);
        if let Ok(text) = String::from_utf8(derived.clone()) {
            secrets.push(text);
        }
        secrets.push(base64::encode(&derived));
        secrets.push(derived.iter().map(|byte| format!("{byte:02x}")).collect());
        secrets
    }
}

/// Which answer of the client is the secret one.
fn secret_answer(mechanism: &str) -> usize {
    match mechanism {
        "LOGIN" | "NTLM" => 1,
        name if name.starts_with("SCRAM") => 1,
        _ => 0,
    }
}

/// The part of it from which the password can be had, or found by trying.
fn derived(mechanism: &str, message: &[u8]) -> Vec<u8> {
    let behind = |mark: &[u8]| {
        let at = message.windows(mark.len()).rposition(|window| window == mark).unwrap_or_else(|| panic!("{mechanism}: {message:?}"));
        message[at + mark.len()..].to_vec()
    };
    match mechanism {
        "PLAIN" => behind(b"\0"),
        "LOGIN" => message.to_vec(),
        "CRAM-MD5" => behind(b" "),
        "DIGEST-MD5" => behind(b"response=")[..32].to_vec(),
        "XOAUTH2" | "OAUTHBEARER" => behind(b"Bearer ").into_iter().take_while(|&byte| byte != 1).collect(),
        // The NT response: its length and place stand at byte 20 (MS-NLMP section 2.2.1.3).
        "NTLM" => {
            let number = |at: usize| usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
            message[number(24)..number(24) + number(20)].to_vec()
        }
        name if name.starts_with("SCRAM") => behind(b"p="),
        other => panic!("what is secret in {other}?"),
    }
}
