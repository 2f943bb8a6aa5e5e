//! Golden dialogues: each file under `tests/dialogues` holds what the server does, what the program is
//! given, and all that it says. Every one is played twice: as it stands, and with every byte of the
//! server's in a segment of its own; both must give the same (P4).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::run::{Done, ehlo_to};
use crate::support::{normal, scripted, unescape, updates};

/// A file, taken apart.
struct Golden {
    path: PathBuf,
    /// What is shown, with its promise.
    title: String,
    flags: String,
    server: String,
    input: String,
    stdout: String,
    stderr: String,
    status: String,
}

impl Golden {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap();
        let (title, rest) = text.split_once("--- ").unwrap_or_else(|| panic!("{}: no section", path.display()));
        let mut golden = Self {
            title: title.to_owned(),
            path,
            flags: String::new(),
            server: String::new(),
            input: String::new(),
            stdout: String::new(),
            stderr: String::new(),
            status: String::new(),
        };
        for section in rest.trim_end_matches('\n').split("\n--- ") {
            let (name, body) = section.split_once('\n').unwrap_or((section, ""));
            // The line end before the next section's mark belongs to the body.
            let body = format!("{body}\n");
            match name.trim() {
                "flags" => golden.flags = body,
                "server" => golden.server = body,
                "input" => golden.input = body,
                "stdout" => golden.stdout = body,
                "stderr" => golden.stderr = body,
                "status" => golden.status = body,
                other => panic!("{}: section {other}", golden.path.display()),
            }
        }
        golden
    }

    fn play(&self, bytewise: bool) -> Done {
        let server = scripted::serve(&format!("{}\n{}", if bytewise { "bytewise" } else { "" }, self.server));
        let flags: Vec<&str> = self.flags.split_whitespace().collect();
        let run = ehlo_to(server.port, &flags).stdin(unescape(&self.input)).any();
        let mut done = run.start().finish();
        done.stdout = normal(&done.out(), server.port).into_bytes();
        done.stderr = normal(&done.err(), server.port).into_bytes();
        let played = server.finish();
        // One segment for one command.
        for segment in &played.segments {
            assert_eq!(
                segment.iter().filter(|&&byte| byte == b'\n').count(),
                1,
                "{}: {:?}",
                self.path.display(),
                String::from_utf8_lossy(segment)
            );
        }
        done
    }

    fn check(&self) {
        let name = self.path.file_name().unwrap().to_string_lossy();
        let whole = self.play(false);
        for byte in whole.stdout.iter().chain(&whole.stderr) {
            // P14
            assert!(*byte == b'\n' || *byte >= 0x20 && *byte != 0x7f, "{name}: byte {byte:#x} in {:?}", whole.all());
        }
        let status = whole.status.map_or("killed".to_owned(), |status| status.to_string());
        if updates() {
            self.write(&whole.out(), &whole.err(), &status);
        } else {
            assert_eq!(whole.out(), self.stdout, "{name}: standard output\n--- stderr\n{}", whole.err());
            assert_eq!(whole.err(), self.stderr, "{name}: standard error");
            assert_eq!(status, self.status.trim(), "{name}: exit status");
        }
        let slow = self.play(true);
        // P4
        assert_eq!((slow.out(), slow.err(), slow.status), (whole.out(), whole.err(), whole.status), "{name}: byte by byte it differs");
    }

    fn write(&self, stdout: &str, stderr: &str, status: &str) {
        let mut text = self.title.clone();
        let sections = [
            ("flags", self.flags.as_str()),
            ("server", &self.server),
            ("input", &self.input),
            ("stdout", stdout),
            ("stderr", stderr),
            ("status", status),
        ];
        for (name, body) in sections.into_iter().filter(|(_, body)| !body.is_empty()) {
            let end = if body.ends_with('\n') { "" } else { "\n" };
            let _ = write!(text, "--- {name}\n{body}{end}");
        }
        std::fs::write(&self.path, text).unwrap();
    }
}

fn golden() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    paths.into_iter().map(Golden::read).collect()
}

#[test]
fn every_dialogue_is_told_as_its_file_says_however_its_bytes_are_cut() {
    let all = golden();
    assert!(!all.is_empty());
    std::thread::scope(|scope| {
        let quarters: Vec<_> = all.chunks(all.len().div_ceil(4)).map(|some| scope.spawn(|| some.iter().for_each(Golden::check))).collect();
        for quarter in quarters {
            quarter.join().unwrap_or_else(|problem| std::panic::resume_unwind(problem));
        }
    });
}
