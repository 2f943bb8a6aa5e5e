//! Whatever is stuck, a signal ends the program within a second (P50), and a limit of the system is an error that is
//! told and no end without a word (P52).

use std::fs::File;
use std::io::{PipeReader, Read as _, Write as _, pipe};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::fs::{CWD, Mode, OFlags, fcntl_getfl, fcntl_setfl, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::DEADLINE;
use crate::support::pty::talk_to;
use crate::support::run::{ehlo, ehlo_to};
use crate::support::scripted::serve;

/// A pipe that takes nothing more, and whose reader does not read.
fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer.into())
}

fn program(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ehlo"));
    command.env_clear().env("HOME", folder.path()).env("EHLO_HISTORY", "").current_dir(folder.path());
    command
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// Waits until the program is stuck in writing to a pipe. Where the system does not tell where a program waits, until it
/// takes the signal.
fn wait_stuck(child: &Child, signal: Signal) {
    let until = Instant::now() + DEADLINE;
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let process = std::path::PathBuf::from(format!("/proc/{}", child.id()));
    let places = || {
        let tasks = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        tasks.map(|task| read(task.path().join("wchan"))).collect::<Vec<_>>()
    };
    let takes_signal = || {
        let status = read(process.join("status"));
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
        u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & (1 << (signal.as_raw() - 1)) != 0)
    };
    // `0` is also what a running thread shows; its signal then comes before it is stuck, and counts all the same.
    let tells = |places: &[String]| places.iter().any(|place| !matches!(place.as_str(), "" | "0"));
    loop {
        let places = places();
        if takes_signal() && (places.iter().any(|place| place.contains("pipe")) || !tells(&places)) {
            return;
        }
        assert!(Instant::now() < until, "it never wrote");
        std::thread::yield_now();
    }
}

/// Ends a stuck program by a signal.
#[track_caller]
fn end(mut child: Child, signal: Signal) -> ExitStatus {
    wait_stuck(&child, signal);
    let began = Instant::now();
    kill_process(pid(&child), signal).unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("deaf to {signal:?}");
        }
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_script_whose_output_nobody_reads_ends_by_each_signal() {
    // P50
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for which in ["stdout", "stderr"] {
            let server = serve("S: 220 mx\nhold");
            let folder = TempDir::new().unwrap();
            let (reader, full) = full_pipe();
            let mut command = program(&folder);
            command.args(["127.0.0.1", &server.port.to_string()]).stdin(Stdio::piped());
            // A note stands on standard error before the greeting is waited for.
            let command = match which {
                "stdout" => command.stdout(full).stderr(Stdio::null()),
                _ => command.args(["-v", "-l", "session.txt"]).stdout(Stdio::null()).stderr(full),
            };
            let ended = end(command.spawn().unwrap(), signal);
            assert_eq!((ended.code(), ended.signal()), (Some(status), None), "{which} {signal:?}");
            drop(reader);
            server.end();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_check_whose_output_nobody_reads_ends_with_the_status_of_its_format() {
    // P50
    for (format, signal, status) in [("text", Signal::TERM, 143), ("nagios", Signal::INT, 3), ("json", Signal::HUP, 129)] {
        let server = serve("S: 220 mx\nC: *\nS: 250 mx\nC: QUIT\nS: 221 bye");
        let folder = TempDir::new().unwrap();
        let (reader, full) = full_pipe();
        let target = format!("127.0.0.1:{}", server.port);
        let child = program(&folder).args(["check", &target, "--format", format]).stdout(full).stderr(Stdio::null()).spawn().unwrap();
        let ended = end(child, signal);
        // Results that could not be told are no success, whichever of the two it was.
        assert!(ended.code().is_some_and(|code| code == status || code == 1), "{format}: {ended:?}");
        drop(reader);
        server.end();
    }
}

#[test]
fn a_log_never_waits_for_the_reader_of_a_pipe() {
    // P50
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let run = ehlo_to(server.port, &["-l", "pipe"]);
    mkfifoat(CWD, run.folder().join("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let words = "The log pipe cannot be written: it is a pipe or a socket, whose reader could hold up the session.";
    run.stdin("QUIT\n").status(1).err(words).check();
    server.end();
}

#[test]
fn a_history_never_waits_for_the_other_end_of_a_pipe() {
    // P50
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let start = talk_to(server.port, &[]);
    let path = start.folder().join("pipe");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let mut pty = start.env("EHLO_HISTORY", path.to_str().unwrap()).start();
    pty.wait_for("going on without: it is not a regular file");
    pty.wait_at(&format!("127.0.0.1:{}>", server.port));
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0);
    server.finish();
}

#[test]
fn what_is_sent_stands_in_the_log_before_it_is_on_the_wire() {
    // P51
    let server = serve(
        "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 334 UGFzc3dvcmQ6\nhold",
    );
    let mut running = ehlo_to(server.port, &["--allow-cleartext", "-l", "session.txt"]).open_stdin().start();
    ["EHLO a", "AUTH LOGIN", "logon", "hunter22"].into_iter().for_each(|line| running.line(line));
    server.wait_segments(4);
    running.kill();
    let done = running.finish();
    let text = std::fs::read_to_string(done.folder.path().join("session.txt")).unwrap();
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(last, ">  (password, hidden)", "{text}");
    server.end();
}

#[test]
fn a_message_that_has_begun_stands_in_the_log_before_its_end_does() {
    // P51
    let server = serve("S: 220 mx\nC: DATA\nS: 354 go\nhold");
    let mut running = ehlo_to(server.port, &["-l", "session.txt"]).open_stdin().start();
    ["DATA", "Subject: x", "", "half of it"].into_iter().for_each(|line| running.line(line));
    server.wait_segments(2);
    running.kill();
    let done = running.finish();
    let text = std::fs::read_to_string(done.folder.path().join("session.txt")).unwrap();
    assert_eq!(text.lines().last(), Some("*  the message is being sent"), "{text}");
    server.end();
}

#[test]
fn a_non_blocking_standard_output_loses_nothing() {
    // P50
    let replies = "S: 250-".to_owned() + &"x".repeat(900) + "\n";
    let server = serve(&format!("S: 220 mx\nC: NOOP\n{}S: 250 end of it\nC: QUIT\nS: 221 bye", replies.repeat(200)));
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("script"), "NOOP\nQUIT\n").unwrap();
    let (mut reader, writer) = pipe().unwrap();
    fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap() | OFlags::NONBLOCK).unwrap();
    let script = File::open(folder.path().join("script")).unwrap();
    let port = server.port.to_string();
    let mut command = program(&folder);
    let mut child = command.args(["127.0.0.1", &port]).stdin(script).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    // The other end of the pipe.
    drop(command);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.matches("xxx\n").count() == 200 && out.contains("250 end of it") && out.contains("221 bye"), "{}", out.len());
    server.finish();
}

#[test]
fn a_limit_for_the_size_of_files_is_told_and_does_not_kill() {
    // P52
    let folder = TempDir::new().unwrap();
    let script = format!(r#"ulimit -f 1; exec '{}' "$@" >out"#, env!("CARGO_BIN_EXE_ehlo"));
    let long = "x".repeat(6000);
    for arguments in [vec!["encode", &long], vec!["check", "--json", "127.0.0.1:1", "--ehlo", "a.alt.test"]] {
        let mut command = Command::new("sh");
        command.env("EHLO_HISTORY", "").args(["-c", &script, "sh"]).args(&arguments).current_dir(folder.path());
        // More than the limit is there already.
        std::fs::write(folder.path().join("out"), "").unwrap();
        let done = command.output().unwrap();
        if arguments[0] == "encode" {
            let words = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(1), "{:?} {words}", done.status);
            assert!(words.contains("the output cannot be written: it is at the limit for the size of files"), "{words}");
        }
        assert!(done.status.signal().is_none(), "{:?}", done.status);
    }
}

#[test]
fn a_log_beyond_the_limit_for_files_is_told() {
    // P52
    let reply = format!("S: 250-{}\n", "x".repeat(900));
    let server = serve(&format!("S: 220 mx\nC: NOOP\n{}S: 250 ok\nC: *\nS: 221 bye\nhold", reply.repeat(4)));
    let folder = TempDir::new().unwrap();
    let script = format!(r"ulimit -f 1; printf 'NOOP\nQUIT\n' | '{}' -l log 127.0.0.1 {}", env!("CARGO_BIN_EXE_ehlo"), server.port);
    let done = Command::new("sh").env("EHLO_HISTORY", "").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{:?} {words}", done.status);
    assert!(words.contains("cannot be written on: it is at the limit for the size of files"), "{words}");
    server.end();
}

#[test]
fn an_editor_keeps_its_ctrl_c() {
    // P38 P50: the editor has the terminal, and its Ctrl-C is not ours.
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
    let start = talk_to(server.port, &[]);
    let path = start.folder().join("editor");
    std::fs::write(&path, "#!/bin/sh\ntrap 'echo caught; exit 0' INT\necho ready\nwhile :; do sleep 0.05; done\n").unwrap();
    let editor = format!("sh {}", path.display());
    let mut pty = start.env("VISUAL", &editor).start();
    pty.wait_at(&format!("127.0.0.1:{}>", server.port));
    pty.line(":edit");
    pty.wait_for("ready");
    pty.send("\x03");
    pty.wait_for("caught");
    pty.wait_for("composed");
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0);
    server.finish();
}

#[test]
fn a_closed_standard_output_is_a_quiet_end() {
    // P40
    let done = ehlo(["decode", "VXNlcm5hbWU6"]).any_out().check();
    assert!(done.out().contains("Username:"), "{}", done.out());
    let folder = TempDir::new().unwrap();
    let script = format!("'{}' decode VXNlcm5hbWU6 >&-", env!("CARGO_BIN_EXE_ehlo"));
    let done = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}
