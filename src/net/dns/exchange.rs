//! A question to name servers and the message that answers it: over UDP, and over TCP where the answer does not fit
//! (RFC 1035 §4.2, RFC 7766). What the messages say is read elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::DnsError;
use crate::net::dial::system_words;
use crate::net::files;

/// How long a name server may take, however late the deadline is: a dead one is known by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same where there is another one to ask.
const PATIENCE_WITH_MORE: Duration = Duration::from_secs(2);

/// A datagram may be lost: so long after a question it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Longer datagrams than were asked for do come.
const LONGEST: usize = 4096;

/// The longest datagram that is asked for: it is not divided on its way (RFC 9715).
const MAX_PAYLOAD: u16 = 1232;

/// Asks one name server after the other until one knows. A name that does not exist is an answer.
pub(super) async fn ask(servers: &[SocketAddr], query: Query, dnssec_ok: bool, deadline: Instant) -> Result<Message, DnsError> {
    let mut result = Err(DnsError::TimedOut);
    for (at, server) in servers.iter().enumerate() {
        let patience = if at + 1 < servers.len() { PATIENCE_WITH_MORE } else { PATIENCE };
        let until = deadline.min(Instant::now() + patience);
        let asked = question(query.clone(), dnssec_ok);
        let mut answered = timeout_at(until, one(*server, &asked, until)).await;
        // A name server from before EDNS (RFC 6891 §7).
        if dnssec_ok && matches!(&answered, Ok(Ok(answer)) if is_at_a_loss(answer)) {
            answered = timeout_at(until, one(*server, &question(query.clone(), false), until)).await;
        }
        match answered {
            Ok(Ok(answer)) if is_final(&answer) => return Ok(answer),
            Ok(answered) => result = answered,
            // What an earlier one said tells more than that this one is silent.
            Err(_) => {}
        }
    }
    result
}

/// Whether no other name server is to be asked.
fn is_final(answer: &Message) -> bool {
    matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}

/// Whether it does not understand the question.
fn is_at_a_loss(answer: &Message) -> bool {
    matches!(answer.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp)
}

fn question(query: Query, dnssec_ok: bool) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(query);
    if dnssec_ok {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_PAYLOAD).set_dnssec_ok(true);
        message.set_edns(edns);
    }
    message
}

/// One name server. The deadline is only for the wait for an open file.
async fn one(server: SocketAddr, asked: &Message, deadline: Instant) -> Result<Message, DnsError> {
    let bytes = asked.to_vec().map_err(|_| DnsError::BadName)?;
    let unreachable = |error: io::Error| DnsError::Unreachable(system_words(&error));
    let answer = over_udp(server, &bytes, asked, deadline).await.map_err(unreachable)?;
    if answer.metadata.truncation { over_tcp(server, &bytes, asked).await } else { Ok(answer) }
}

async fn over_udp(server: SocketAddr, bytes: &[u8], asked: &Message, deadline: Instant) -> io::Result<Message> {
    let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let open = || {
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    };
    let socket = files::open(deadline, open).await?;
    // So that only its datagrams are taken, and that nobody listens there is seen.
    socket.connect(server).await?;
    let mut datagram = vec![0; LONGEST];
    loop {
        socket.send(bytes).await?;
        let again = Instant::now() + AGAIN;
        while let Ok(received) = timeout_at(again, socket.recv(&mut datagram)).await {
            // Anything else is not for us, or forged: it is waited on.
            if let Some(answer) = answer(&datagram[..received?], asked) {
                return Ok(answer);
            }
        }
    }
}

async fn over_tcp(server: SocketAddr, bytes: &[u8], asked: &Message) -> Result<Message, DnsError> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
        let mut received = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut received).await?;
        io::Result::Ok(received)
    };
    let received = exchange.await.map_err(|error| DnsError::Unreachable(format!("{} (over TCP)", system_words(&error))))?;
    answer(&received, asked).ok_or_else(|| DnsError::Other("the name server's answer over TCP is none".to_owned()))
}

/// The message, if it answers what was asked (RFC 5452 §9.1).
fn answer(bytes: &[u8], asked: &Message) -> Option<Message> {
    let message = Message::from_vec(bytes).ok()?;
    let is_answer = message.metadata.message_type == MessageType::Response && message.metadata.id == asked.metadata.id;
    (is_answer && (message.queries == asked.queries || (message.queries.is_empty() && !is_final(&message)))).then_some(message)
}
