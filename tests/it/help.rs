//! The help texts, compared with files, and that they fit on a screen.

use std::path::Path;

use crate::support::run::ehlo;
use crate::support::updates;

#[track_caller]
fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    if updates() {
        std::fs::write(&path, text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, want, "{} differs: look, then EHLO_UPDATE_SNAPSHOTS=1", path.display());
}

#[test]
fn the_help_texts_are_as_they_were_looked_at() {
    let table: &[(&[&str], &str)] = &[
        (&["-h"], "help-short.txt"),
        (&["--help"], "help-long.txt"),
        (&["check", "-h"], "help-check.txt"),
        (&["check", "--help"], "help-check-long.txt"),
        (&["sandbox", "-h"], "help-sandbox.txt"),
        (&["decode", "-h"], "help-decode.txt"),
        (&["encode", "-h"], "help-encode.txt"),
        (&["sandbox", "--list"], "sandbox-list.txt"),
    ];
    for (args, name) in table {
        let done = ehlo(args.to_vec()).any_out().check();
        snapshot(name, &done.out());
    }
}

#[test]
fn help_fits_into_80_columns_of_ascii() {
    for args in [
        vec!["-h"],
        vec!["--help"],
        vec!["check", "-h"],
        vec!["check", "--help"],
        vec!["sandbox", "-h"],
        vec!["sandbox", "--help"],
        vec!["decode", "--help"],
        vec!["encode", "--help"],
        vec!["sandbox", "--list"],
    ] {
        for columns in ["200", "80"] {
            let done = ehlo(args.clone()).env("COLUMNS", columns).any_out().check();
            let wide = done.out().lines().filter(|line| line.chars().count() > 80).map(str::to_owned).collect::<Vec<_>>();
            assert!(wide.is_empty(), "{args:?}: {wide:#?}");
            assert!(done.out().is_ascii(), "{args:?}");
        }
    }
}

#[test]
fn the_short_help_fits_on_three_short_screens() {
    let done = ehlo(["-h"]).any_out().check();
    assert!(done.out().lines().count() <= 66, "{}", done.out().lines().count());
}

#[test]
fn the_environment_is_not_told_in_the_help() {
    let done = ehlo(["--help"]).env("EHLO_USER", "somebody-secret").env("EHLO_NAME", "name-secret").any_out().check();
    assert!(!done.out().contains("secret.") && !done.out().contains("somebody-secret") && !done.out().contains("name-secret"));
}

#[test]
fn the_version_is_one_line() {
    ehlo(["--version"]).stdout(format!("ehlo {}\n", env!("CARGO_PKG_VERSION"))).check();
}
