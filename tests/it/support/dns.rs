//! A name server that knows the names of a text.
//!
//! ```text
//! contoso.test       MX 10 mx1.contoso.test     also A, AAAA, PTR, CNAME; "MX 0 ." takes no mail
//! _25._tcp.mx1.test  TLSA 3 1 1 ab01
//! known.test         NODATA                     the name exists and has nothing
//! broken.test        SERVFAIL
//! closed.test        REFUSED
//! silent.test        SILENT                     no answer; SILENT AAAA: none for this kind
//! old.test           FORMERR EDNS               what is asked with EDNS is not understood
//! large.test         TCP                        its other records come over TCP only
//! ```
//!
//! Every other name does not exist. Names of CNAME records are followed, as a resolver does.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// The name server at work; it ends with the value.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    questions: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl NameServer {
    /// How many questions came so far.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts a name server for these names.
pub(crate) fn name_server(zone: &str) -> NameServer {
    let (socket, listener) = sockets();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let rows: Vec<Vec<String>> =
        zone.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).filter(|row| row.len() > 1).collect();
    let (questions, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, stopped) = (Arc::clone(&questions), Arc::clone(&stop));
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while !stopped.load(Ordering::Relaxed) {
            if let Ok((stream, _)) = listener.accept() {
                over_tcp(stream, &rows);
            }
            let Ok((length, peer)) = socket.recv_from(&mut packet) else { continue };
            count.fetch_add(1, Ordering::Relaxed);
            if let Some(reply) = answer(&packet[..length], &rows, false) {
                socket.send_to(&reply, peer).unwrap();
            }
        }
    });
    NameServer { address, questions, stop }
}

/// The same port for both.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
            return (socket, listener);
        }
    }
}

fn over_tcp(mut stream: TcpStream, rows: &[Vec<String>]) {
    stream.set_nonblocking(false).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut packet).unwrap();
    let reply = answer(&packet, rows, true).unwrap_or_default();
    stream.write_all(&u16::try_from(reply.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&reply).unwrap();
}

/// The reply to a packet, `None` to say nothing (RFC 1035 §4.1).
fn answer(packet: &[u8], rows: &[Vec<String>], tcp: bool) -> Option<Vec<u8>> {
    let (name, end) = read_name(packet);
    let kind = u16::from_be_bytes([packet[end], packet[end + 1]]);
    let (mut code, mut answers) = (3, Vec::new());
    let mut name = name;
    let mut truncated = 0;
    for _ in 0..8 {
        let known: Vec<&Vec<String>> = rows.iter().filter(|row| row[0].eq_ignore_ascii_case(&name)).collect();
        if known.is_empty() {
            code = 3;
            break;
        }
        code = 0;
        let word = |word: &str| known.iter().any(|row| row[1] == word);
        let silent = |row: &&Vec<String>| row[1] == "SILENT" && (row.len() < 3 || row[2] == "AAAA" && kind == 28);
        if known.iter().any(silent) {
            return None;
        }
        if word("SERVFAIL") || word("REFUSED") {
            code = if word("SERVFAIL") { 2 } else { 5 };
            break;
        }
        // An additional record is that of EDNS.
        if word("FORMERR") && packet[11] > 0 {
            code = 1;
            break;
        }
        if word("TCP") && !tcp {
            truncated = 2;
            break;
        }
        let of_kind = known.iter().filter(|row| type_number(&row[1]) == kind);
        answers.extend(of_kind.map(|row| record(&name, row)));
        match known.iter().find(|row| row[1] == "CNAME") {
            Some(row) => {
                answers.push(record(&name, row));
                name.clone_from(&row[2]);
            }
            None => break,
        }
    }
    // The identifier; a response with recursion; one question, the answers.
    let mut reply = packet[..2].to_vec();
    reply.extend([0x81 | truncated, 0x80 | code, 0, 1]);
    reply.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&packet[12..end + 4]);
    reply.extend(answers.concat());
    Some(reply)
}

/// The name in the question and where it ends.
fn read_name(packet: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while packet[at] != 0 {
        let length = usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(&packet[at + 1..=at + length]).into_owned());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}

fn write_name(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn type_number(word: &str) -> u16 {
    match word {
        "A" => 1,
        "CNAME" => 5,
        "PTR" => 12,
        "MX" => 15,
        "AAAA" => 28,
        "TLSA" => 52,
        _ => 0,
    }
}

fn record(name: &str, row: &[String]) -> Vec<u8> {
    let number = |text: &str| text.parse::<u8>().unwrap();
    let data = match (row[1].as_str(), &row[2..]) {
        ("MX", [preference, host]) => [vec![0, number(preference)], write_name(host)].concat(),
        ("CNAME" | "PTR", [host]) => write_name(host),
        ("A" | "AAAA", [address]) => match address.parse().unwrap() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        },
        ("TLSA", [usage, selector, matching, hex]) => {
            let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
            [number(usage), number(selector), number(matching)].into_iter().chain(bytes).collect()
        }
        (kind, data) => panic!("{kind} {data:?} is no record"),
    };
    let mut out = write_name(name);
    out.extend(type_number(&row[1]).to_be_bytes());
    // The class IN, and a minute to live.
    out.extend([0, 1, 0, 0, 0, 60]);
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}
