//! The floors of the program: a module names only modules of lower floors, and the core (F0 to F2) knows
//! neither network, files, clock nor `async`. Read from the sources, so that a wrong arrow fails here.
//! Test code below `#[cfg(test)]` is exempt.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules, their floors, and what a module may not name although its floor is lower or the same.
const FLOORS: &[(&str, u8, &[&str])] = &[
    ("secret", 0, &["text", "target", "host"]),
    ("host", 0, &["secret", "text", "target"]),
    ("text", 0, &["secret", "target", "host"]),
    // `target` shows what it refuses through `text`.
    ("target", 0, &["secret"]),
    ("wire", 1, &["sasl", "target"]),
    ("sasl", 1, &["wire", "target", "text"]),
    ("session", 2, &["explain"]),
    ("explain", 2, &["session", "secret", "target"]),
    ("net", 3, &["sasl", "explain"]),
    ("jobs", 4, &[]),
    ("render", 5, &["secret"]),
    ("repl", 6, &[]),
    ("cli", 7, &[]),
];

/// What the core may not name.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "rustls",
    "rustyline",
    "rustix",
    "rpassword",
    "clap",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::env",
    "std::thread",
    "std::process",
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "async fn",
    "async {",
    "async move",
];

struct Source {
    module: &'static str,
    floor: u8,
    path: PathBuf,
    /// So many `super::` lead out of the top module.
    depth: usize,
    /// Lines of code: neither comments, nor texts, nor tests.
    lines: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let mut sources = Vec::new();
    for path in files {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let name = first.trim_end_matches(".rs");
        if matches!(name, "main" | "lib") || is_test_file(&path) {
            continue;
        }
        let known = FLOORS.iter().find(|(module, ..)| *module == name);
        let (module, floor, _) = known.unwrap_or_else(|| panic!("{} stands on no floor: add it to FLOORS", inside.display()));
        let lines = code(&fs::read_to_string(&path).unwrap());
        let depth = inside.components().count() - usize::from(inside.ends_with("mod.rs"));
        sources.push(Source { module, floor: *floor, path, depth, lines });
    }
    sources
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// `tests.rs` that its module declares under `#[cfg(test)]`.
fn is_test_file(path: &Path) -> bool {
    let parent = path.with_file_name("mod.rs");
    path.file_name().is_some_and(|name| name == "tests.rs")
        && fs::read_to_string(parent).is_ok_and(|text| text.contains("#[cfg(test)]\nmod tests;"))
}

/// The code before the module of tests, without comments and without the inside of texts.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut after_test_mark = false;
    for (number, line) in text.lines().enumerate() {
        if after_test_mark && line.starts_with("mod ") {
            break;
        }
        after_test_mark = line == "#[cfg(test)]";
        let bare = without_texts(line);
        let bare = bare.split("//").next().unwrap_or_default();
        lines.push((number + 1, bare.to_owned()));
    }
    lines
}

fn without_texts(line: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            '"' if !escaped => inside = !inside,
            _ if inside => {}
            _ => out.push(c),
        }
        escaped = inside && c == '\\' && !escaped;
    }
    out
}

/// The modules that a line names as `crate::x` or within `use crate::{x, y}`.
fn named(line: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(top_level(list).iter().map(|one| word(one.trim()))),
            None => names.push(word(rest)),
        }
    }
    names
}

/// The modules that a line names by so many `super::` that it leaves its own top module.
fn climbed_to(line: &str, depth: usize) -> Vec<String> {
    let climb = "super::".repeat(depth);
    let rest = |at: usize| line[at..].trim_start_matches("super::");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    line.match_indices(&climb).map(|(at, _)| word(rest(at))).collect()
}

/// The parts of `a::{b, c}, d}` up to the closing brace, split at the outer commas.
fn top_level(list: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    parts
}

#[test]
fn a_module_names_only_lower_floors() {
    let mut wrong = Vec::new();
    for source in sources() {
        let (_, _, not) = FLOORS.iter().find(|(module, ..)| *module == source.module).unwrap();
        for (number, line) in &source.lines {
            for name in named(line).into_iter().chain(climbed_to(line, source.depth)) {
                let Some((other, floor, _)) = FLOORS.iter().find(|(module, ..)| *module == name) else { continue };
                let within_floor_zero = source.floor == 0 && *floor == 0 && !not.contains(other);
                let allowed = *other == source.module || (*floor < source.floor || within_floor_zero) && !not.contains(other);
                if !allowed {
                    wrong.push(format!("{}:{number}: {} may not name {other}: {}", source.path.display(), source.module, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_has_neither_network_files_clock_nor_async() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.floor <= 2) {
        for (number, line) in &source.lines {
            let net = line.contains("std::net") && !line.contains("IpAddr") && !line.contains("Ipv4Addr") && !line.contains("Ipv6Addr");
            let awaits = line.split(".await").skip(1).any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
            if awaits {
                wrong.push(format!("{}:{number}: .await: {}", source.path.display(), line.trim()));
            } else if let Some(what) = NOT_IN_CORE.iter().find(|what| line.contains(**what)) {
                wrong.push(format!("{}:{number}: {what}: {}", source.path.display(), line.trim()));
            } else if net {
                wrong.push(format!("{}:{number}: std::net beyond addresses: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_writes_to_the_standard_streams_by_macro() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in &source.lines {
            if ["println!", "eprintln!", "print!(", "eprint!(", "dbg!"].iter().any(|what| line.contains(what)) && source.module != "cli" {
                wrong.push(format!("{}:{number}: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_sources_finds_what_it_looks_for() {
    assert_eq!(named("use crate::{net::{Connection, Limits}, text};"), ["net", "text"]);
    assert_eq!(climbed_to("use super::super::session::client;", 2), ["session"]);
    assert_eq!(climbed_to("use super::session;", 2), [""; 0]);
    assert_eq!(named("let x = crate::repl::Outcome::Done;"), ["repl"]);
    let text = "use std::fs; // crate::cli\nlet a = \"tokio \\\" x\";\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    let lines: Vec<String> = code(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["use std::fs; ", "let a = ;", "#[cfg(test)]"]);
}
