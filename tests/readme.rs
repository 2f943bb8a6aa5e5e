//! Runs what README.md shows, and compares.
//!
//! - ```` ```console ````: each line `$ COMMAND` runs in a shell without a terminal; its standard output and standard
//!   error together are what stands below it.
//! - ```` ```console terminal ````: the one line `$ COMMAND` runs in a terminal of 80 columns, and what stands behind
//!   a prompt is typed there. The whole screen is compared. At `password>` the practice server's password is typed.
//! - ```` ```sh ```` is not run, but for `cargo run --release -- …`, which must work without a terminal.
//!
//! A line `...` stands for any lines. Ports, dates, times and message ids are compared by their form (`FORMS`).
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tempfile::TempDir;

const README: &str = include_str!("../README.md");
const PROGRAM: &str = env!("CARGO_BIN_EXE_ehlo");
const PASSWORD: &str = "My simple password";
/// Of the terminal: so many rows that nothing scrolls away.
const ROWS: NonZeroU16 = NonZeroU16::new(250).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(80).unwrap();
const DEADLINE: Duration = Duration::from_secs(30);

/// What differs from run to run: `#` is a number, `%` a hexadecimal one, `@` a word.
const FORMS: &[&str] = &[
    "127.0.0.1:#",
    "port #",
    "@, # @ # #:#:# +#",
    "@, # @ #",
    " #:#:# +#",
    "#-#-# #:#:#",
    "<#.%@",
    "<#.%",
    "in # ms",
    "after # ms",
    "after # s",
];

// ---- the blocks of the README ------------------------------------------------------------------

struct Block {
    kind: String,
    line: usize,
    lines: Vec<&'static str>,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in README.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(kind), None) => open = Some(Block { kind: kind.to_owned(), line: number + 1, lines: Vec::new() }),
            (None, Some(mut block)) => {
                block.lines.push(line);
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "README.md: a block is not closed");
    blocks
}

fn of_kind(kind: &str) -> Vec<Block> {
    let blocks: Vec<_> = blocks().into_iter().filter(|block| block.kind == kind).collect();
    assert!(!blocks.is_empty(), "README.md has no block of the kind {kind}");
    blocks
}

/// The commands of a block, each with the lines below it.
fn commands(block: &Block) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in &block.lines {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command, Vec::new())),
            None => commands.last_mut().expect("a block begins with a command").1.push(line),
        }
    }
    commands
}

// ---- comparing ---------------------------------------------------------------------------------

/// How much of `text` has this form.
fn length_of(form: &str, text: &str) -> Option<usize> {
    let mut rest = text;
    for sign in form.chars() {
        let fits: fn(char) -> bool = match sign {
            '#' => |c| c.is_ascii_digit(),
            '%' => |c| c.is_ascii_hexdigit(),
            '@' => |c| c.is_ascii_alphabetic(),
            _ => {
                rest = rest.strip_prefix(sign)?;
                continue;
            }
        };
        let after = rest.trim_start_matches(fits);
        if after.len() == rest.len() {
            return None;
        }
        rest = after;
    }
    Some(text.len() - rest.len())
}

/// The line with everything that differs from run to run replaced by its form.
fn formal(line: &str) -> String {
    let mut formal = String::new();
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        let found = FORMS.iter().find_map(|form| Some((form, length_of(form, rest)?)));
        if let Some((form, length)) = found {
            formal.push_str(form);
            rest = &rest[length..];
        } else {
            formal.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    formal.replace("after # ms", "after # s")
}

/// Whether the lines are the expected ones, of which `...` is any number of lines.
fn same(expected: &[&str], seen: &[&str]) -> bool {
    match expected.split_first() {
        None => seen.is_empty(),
        Some((&"...", rest)) => (0..=seen.len()).any(|skip| same(rest, &seen[skip..])),
        Some((first, rest)) => seen.split_first().is_some_and(|(line, seen)| formal(first) == formal(line) && same(rest, seen)),
    }
}

fn without_empty_end<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let end = lines.iter().rposition(|line| !line.trim_end().is_empty()).map_or(0, |last| last + 1);
    &lines[..end]
}

fn compare(block: &Block, command: &str, expected: &[&str], seen: &str) {
    let seen: Vec<_> = seen.lines().collect();
    let same = same(without_empty_end(expected), without_empty_end(&seen));
    assert!(same, "README.md, block of line {}: this is not what comes of\n$ {command}\n{}", block.line, seen.join("\n"));
}

// ---- running -----------------------------------------------------------------------------------

/// The surroundings of a run: a home of its own, the program on the PATH.
fn surroundings(home: &Path) -> Vec<(&'static str, String)> {
    let folder = Path::new(PROGRAM).parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    vec![
        ("PATH", format!("{folder}:{path}")),
        ("HOME", home.display().to_string()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("TERM", "xterm".to_owned()),
        ("EHLO_NAME", "client.alt.test".to_owned()),
    ]
}

fn run(command: &str, home: &Path) -> std::process::Output {
    Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .env_clear()
        .envs(surroundings(home))
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What stands before and behind the sign of a prompt.
fn prompt_and_typed(line: &str) -> Option<(&str, &str)> {
    let (prompt, typed) = line.split_once('>')?;
    let is_prompt = prompt.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_prompt.then(|| (&line[..=prompt.len()], typed.trim_start()))
}

/// Types what the block shows behind its prompts, and gives the screen.
fn at_a_terminal(command: &str, expected: &[&str], home: &Path) -> String {
    let pty = native_pty_system().openpty(PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut builder = CommandBuilder::new("sh");
    builder.args(["-c", &format!("exec {command}")]);
    builder.env_clear();
    surroundings(home).into_iter().for_each(|(name, value)| builder.env(name, value));
    builder.cwd(home);
    let mut child = pty.slave.spawn_command(builder).unwrap();
    drop(pty.slave);
    let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let mut output = pty.master.try_clone_reader().unwrap();
    let reader = std::thread::spawn({
        let screen = Arc::clone(&screen);
        move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                screen.lock().unwrap().process(&bytes[..count]);
            }
        }
    });
    let mut keyboard = pty.master.take_writer().unwrap();
    let mut used = 0;
    let began = Instant::now();
    let contents = || screen.lock().unwrap().screen().contents();
    for (prompt, typed) in expected.iter().filter_map(|line| prompt_and_typed(line)) {
        while !waits_at(screen.lock().unwrap().screen(), prompt, &mut used) {
            assert!(began.elapsed() < DEADLINE, "no prompt {prompt} came:\n{}", contents());
            std::thread::sleep(Duration::from_millis(5));
        }
        let typed = if prompt == "password>" { PASSWORD } else { typed };
        write!(keyboard, "{typed}\r").unwrap();
    }
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() >= DEADLINE {
            child.kill().unwrap();
            panic!("the session does not end:\n{}", contents());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(keyboard);
    drop(pty.master);
    reader.join().unwrap();
    contents()
}

/// The cursor stands right behind this prompt, below the rows that were `used`; then they are.
fn waits_at(screen: &vt100::Screen, prompt: &str, used: &mut u16) -> bool {
    let (row, column) = screen.cursor_position();
    let line = screen.rows(0, COLUMNS.get()).nth(row.into()).unwrap_or_default();
    let waits = row >= *used && line.starts_with(prompt) && usize::from(column) == prompt.len() + 1;
    if waits {
        *used = row + 1;
    }
    waits
}

// ---- the tests ---------------------------------------------------------------------------------

#[test]
fn every_console_block_shows_what_the_program_does() {
    for block in of_kind("console") {
        let home = TempDir::new().unwrap();
        for (command, expected) in commands(&block) {
            let output = run(command, home.path());
            compare(&block, command, &expected, &String::from_utf8(output.stdout).unwrap());
        }
    }
}

#[test]
fn every_session_at_a_terminal_goes_as_shown() {
    for block in of_kind("console terminal") {
        let home = TempDir::new().unwrap();
        for (command, expected) in commands(&block) {
            let screen = at_a_terminal(command, &expected, home.path());
            compare(&block, command, &expected, &screen);
            let public = screen.lines().filter(|line| !line.contains("Account: "));
            assert!(public.into_iter().all(|line| !line.contains(PASSWORD)), "the password is on the screen:\n{screen}");
        }
    }
}

#[test]
fn the_first_command_is_the_practice_server_and_the_second_the_tests() {
    let first = blocks().into_iter().next().unwrap();
    assert_eq!(first.kind, "sh");
    let commands: Vec<_> = first.lines.iter().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(commands[..2], ["cargo run --release -- sandbox", "cargo test"]);
}

#[test]
fn what_cargo_is_told_to_run_runs() {
    for block in of_kind("sh") {
        let home = TempDir::new().unwrap();
        for arguments in block.lines.iter().filter_map(|line| line.strip_prefix("cargo run --release -- ")) {
            let output = run(&format!("ehlo {arguments}"), home.path());
            assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn every_environment_variable_of_ours_is_described() {
    let mut names = Vec::new();
    variables(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut names);
    assert!(names.iter().any(|name| name == "EHLO_NAME"), "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !README.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "README.md does not name {missing:?}");
}

/// The words `"EHLO_…"` in the sources below this folder.
fn variables(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            variables(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let found = text.split("\"EHLO_").skip(1).filter_map(|rest| Some(format!("EHLO_{}", rest.split_once('"')?.0)));
            names.extend(found.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = README.lines().count();
    assert!(lines <= 240, "README.md has {lines} lines");
}

#[test]
fn comparing_is_strict_but_for_forms() {
    assert!(same(&["*  on 127.0.0.1:25, port 3 in 4 ms"], &["*  on 127.0.0.1:46329, port 46329 in 0 ms"]));
    assert!(same(&["a", "...", "z"], &["a", "b", "c", "z"]));
    assert!(same(&["ready at Tue, 24 Nov 2026 02:53:38 +0000"], &["ready at Mon, 1 Dec 2031 12:00:00 +0100"]));
    assert!(!same(&["<  250 2.1.0 Ok"], &["<  550 2.1.0 Ok"]));
    assert!(!same(&["a", "...", "z"], &["a", "b"]));
    assert!(!same(&["a"], &["a", "b"]));
}
