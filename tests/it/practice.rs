//! The practice server: by itself, with a session on it, and with every fault that it knows.

use std::time::Duration;

use crate::support::run::{Done, Running, ehlo, ehlo_to};

/// `ehlo sandbox --serve` at work, and its port.
fn serving(args: &[&str]) -> (Running, u16) {
    let mut running = ehlo(["sandbox", "--serve"].iter().chain(args).copied().collect::<Vec<_>>()).open_stdin().start();
    let said = running.wait_out("ends it.");
    let port = said.split(" port ").nth(1).and_then(|rest| rest.split('.').next()).and_then(|port| port.parse().ok());
    (running, port.unwrap_or_else(|| panic!("no port in {said:?}")))
}

fn scenarios() -> Vec<String> {
    let done = ehlo(["sandbox", "--list"]).any_out().check();
    let list = done.out();
    let rows = list.split("--scenario").nth(1).unwrap().lines().skip(1);
    rows.map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
}

const SCRIPT: &str = "EHLO client.alt.test\nNOOP\nAUTH LOGIN\nlogon\nMy simple password\nMAIL FROM:<someone@alt.test>\nRCPT TO:<postmaster@contoso.test>\nDATA\nSubject: x\n\ntext\n.\nQUIT\n";

#[test]
fn a_message_can_be_delivered_to_either_server() {
    for kind in ["exchange", "postfix"] {
        let done = ehlo(["sandbox", "--as", kind]).stdin(SCRIPT).any().check();
        assert!(done.out().contains("235 2.7.0") && done.err().contains("1 message accepted"), "{}", done.all());
        assert!(!done.out().contains("simple"), "{}", done.out());
    }
}

#[test]
fn the_account_is_named_and_nothing_leaves_the_machine() {
    let done = ehlo(["sandbox"]).stdin("QUIT\n").any_out().err("logon / My simple password").err("Nothing leaves this").check();
    assert!(done.err().contains("on 127.0.0.1:"), "{}", done.err());
}

#[test]
fn every_scenario_ends_without_harm() {
    // P6 P7 P40
    let all = scenarios();
    assert!(all.len() >= 20, "{all:?}");
    let play = |name: &String| {
        let flags = ["sandbox", "--timeout", "8", "--keep-going", "--scenario", name];
        let done = ehlo(flags).stdin(SCRIPT).any().start().finish();
        let harmless = |done: &Done| done.status.is_some_and(|status| matches!(status, 0..=9)) && !done.all().contains("panicked at");
        assert!(harmless(&done), "{name}: {:?}\n{}", done.status, done.all());
        assert!(done.all().chars().all(|c| c == '\n' || !c.is_control()), "{name}: {:?}", done.all());
        assert!(done.memory < 64 * 1024, "{name}: {} KiB", done.memory);
        (name.clone(), done.status)
    };
    let ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            all.chunks(all.len().div_ceil(6)).map(|some| scope.spawn(move || some.iter().map(play).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|problem| std::panic::resume_unwind(problem))).collect()
    });
    let of = |name: &str| ends.iter().find(|(one, _)| one == name).and_then(|(_, status)| *status);
    for (name, status) in [
        ("no-greeting", 5),
        ("greeting-421", 9),
        ("greeting-554", 1),
        ("close-at-once", 6),
        ("mixed-codes", 6),
        ("endless-reply", 6),
        ("wrong-password", 8),
        ("full-disk", 9),
        ("close-after-rcpt", 6),
        ("refuse-data", 1),
        ("internal-name", 0),
        ("byte-by-byte", 0),
        ("bare-lf", 0),
        ("odd-prompts", 0),
    ] {
        assert_eq!(of(name), Some(status), "{name}");
    }
}

#[test]
fn the_server_serves_several_and_ends_on_a_signal() {
    let (running, port) = serving(&[]);
    for _ in 0..3 {
        ehlo_to(port, &[]).stdin("EHLO a\nQUIT\n").out("250-mail.contoso.test Hello").any_err().check();
    }
    #[cfg(unix)]
    {
        running.signal(rustix::process::Signal::INT);
        let done = running.finish();
        assert_eq!(done.status, Some(130), "{}", done.all());
        assert!(done.took < Duration::from_secs(20));
    }
    #[cfg(not(unix))]
    drop(running);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for args in [vec!["sandbox", "--serve", "-p", &port], vec!["sandbox", "-p", &port]] {
        let done = ehlo(args).any().start().finish();
        assert!(done.err().contains(&format!("cannot listen on port {port}")), "{}", done.err());
        assert_ne!(done.status, Some(0));
    }
}

#[test]
fn the_tour_walks_by_itself_where_nobody_types() {
    let done = ehlo(["sandbox", "--tour"]).stdin("").any().check();
    for step in 1..=12 {
        assert!(done.out().contains(&format!("[{step}/12]")), "step {step}: {}", done.out());
    }
    for words in ["550 5.7.1 Unable to relay", "235 2.7.0", "1 message accepted", "221 2.0.0"] {
        assert!(done.out().contains(words), "{words}: {}", done.out());
    }
}
