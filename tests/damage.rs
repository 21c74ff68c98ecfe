//! Stores that are not whole, or not there: the start says what is wrong and touches nothing, `redkeep-tool check` names it
//! and changes nothing, `redkeep-tool repair` goes on from what there is. (Every kind of file in every way:
//! `src/disk/damage_tests.rs`.)

use crate::support::server::Setup;
use crate::support::store::files;
use crate::support::{Kind, Server, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const KEYS: usize = 300;

/// A store that `kill -9` left.
fn killed(keys: usize) -> TempDir {
    let home = TempDir::with_prefix("redkeep-damage-").expect("a temporary directory");
    let mut server = Setup::new(Kind::Redkeep, &[]).data(home.path()).start();
    let sets: Vec<Vec<String>> = (0..keys)
        .map(|n| vec!["SET".into(), format!("key:{n}"), "v".repeat(100)])
        .collect();
    server.client().pipeline(&sets).expect("the server answers");
    server.kill9();
    home
}

/// The largest of the files with this extension.
fn largest(dir: &Path, extension: &str) -> PathBuf {
    let files = files(dir)
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|e| e == extension));
    files.max_by_key(|(_, bytes)| bytes.len()).expect("such a file").0
}

fn flip_the_middle(path: &Path) {
    let mut bytes = fs::read(path).expect("a readable file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("a writable file");
}

fn tool(action: &str, dir: &Path) -> Output {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_redkeep-tool"));
    tool.arg(action).arg(dir).output().expect("redkeep-tool")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Starts a server that has to leave at once, in a shell that has run `before`. What it said.
fn refusal(dir: &Path, before: &str, flags: &[&str]) -> String {
    let server = env!("CARGO_BIN_EXE_redkeep-server");
    let mut command = Command::new("timeout");
    command.args(["20", "sh", "-c", &format!("{before} exec \"$0\" \"$@\""), server]);
    // Any free port, as it never gets so far.
    command
        .args(["--port", "0", "--unixsocket"])
        .arg(dir.with_extension("socket"));
    command.arg("--dir").arg(dir).args(flags);
    let output = command.output().expect("a server");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    said(&output)
}

#[test]
fn a_flipped_byte_in_the_middle_of_the_log_is_no_end() {
    let home = killed(KEYS);
    flip_the_middle(&largest(home.path(), "log"));
    let before = files(home.path());
    for _ in 0..2 {
        let text = refusal(home.path(), "", &[]);
        assert!(
            text.contains(".log is damaged at byte") && text.contains("would be lost"),
            "{text}"
        );
        let checked = tool("check", home.path());
        assert!(
            said(&checked).contains(".log is damaged at byte"),
            "{}",
            said(&checked)
        );
        assert_eq!(checked.status.code(), Some(1));
        assert!(files(home.path()) == before, "something was touched");
    }
    let repaired = tool("repair", home.path());
    assert!(
        repaired.status.success() && said(&repaired).contains("given up: "),
        "{}",
        said(&repaired)
    );
    let server = Setup::new(Kind::Redkeep, &[]).data(home.path()).start();
    let mut client = server.client();
    let kept = client.run(&["DBSIZE"]).integer();
    assert!(kept < KEYS as i64, "{kept}");
    client.ok(&["SET", "new", "v"]);
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let home = killed(KEYS);
    fs::remove_file(largest(home.path(), "log")).expect("a log");
    let before = files(home.path());
    let text = refusal(home.path(), "", &[]);
    assert!(text.contains(".log is missing"), "{text}");
    assert!(said(&tool("check", home.path())).contains(".log is missing"));
    assert!(files(home.path()) == before, "something was touched");
}

#[test]
fn a_store_without_its_current_file_is_not_destroyed_by_the_second_start() {
    let home = killed(KEYS);
    let mut server = Setup::new(Kind::Redkeep, &[]).data(home.path()).start();
    server.terminate();
    fs::remove_file(home.path().join("CURRENT")).expect("CURRENT");
    let before = files(home.path());
    for _ in 0..3 {
        let text = refusal(home.path(), "", &[]);
        assert!(text.contains("CURRENT is missing"), "{text}");
        assert!(files(home.path()) == before, "something was touched");
    }
}

#[test]
fn a_check_changes_nothing() {
    let home = killed(KEYS);
    let before = files(home.path());
    let checked = tool("check", home.path());
    let text = said(&checked);
    assert!(
        checked.status.success() && text.contains(&format!("db0: {KEYS} keys")),
        "{text}"
    );
    assert!(files(home.path()) == before, "something was touched");
}

#[test]
fn a_flipped_byte_of_any_table_is_found_by_a_check() {
    let home = killed(20_000);
    let mut server = Setup::new(Kind::Redkeep, &[]).data(home.path()).start();
    server.terminate();
    let whole = files(home.path());
    let tables: Vec<&PathBuf> = whole
        .keys()
        .filter(|path| path.extension().is_some_and(|e| e == "sst"))
        .collect();
    assert!(tables.len() > 1, "{tables:?}");
    for table in tables {
        flip_the_middle(table);
        let checked = tool("check", home.path());
        assert!(
            !checked.status.success(),
            "{}: {}",
            table.display(),
            said(&checked)
        );
        fs::write(table, &whole[table]).expect("a writable file");
    }
    assert!(tool("check", home.path()).status.success());
}

#[test]
fn a_lock_file_that_was_removed_lets_no_second_server_in() {
    let home = TempDir::with_prefix("redkeep-damage-").expect("a temporary directory");
    let server = Setup::new(Kind::Redkeep, &[]).data(home.path()).start();
    let mut client = server.client();
    client.ok(&["SET", "k", "v"]);
    fs::remove_file(home.path().join("LOCK")).expect("LOCK");
    let text = refusal(home.path(), "", &[]);
    assert!(text.contains("in use by another process"), "{text}");
    assert!(said(&tool("check", home.path())).contains("in use by another process"));
    assert_eq!(client.run(&["GET", "k"]), Value::bulk("v"));
}

#[test]
fn no_store_is_made_among_the_files_of_others_or_where_one_is_required() {
    let home = TempDir::with_prefix("redkeep-damage-").expect("a temporary directory");
    let text = refusal(home.path(), "", &["--require-existing-store", "yes"]);
    assert!(text.contains("there is no store"), "{text}");
    // It would be lost with the first SAVE.
    fs::write(home.path().join("dump.rdb"), b"REDIS0011").expect("a file");
    let text = refusal(home.path(), "", &[]);
    assert!(
        text.contains("dump.rdb") && text.contains("empty directory") && text.contains("--load"),
        "{text}"
    );
    assert_eq!(files(home.path()).len(), 1);
}

#[test]
fn a_limit_of_open_files_that_is_too_low_is_named() {
    let home = TempDir::with_prefix("redkeep-damage-").expect("a temporary directory");
    let text = refusal(home.path(), "ulimit -n 20;", &[]);
    assert!(text.contains("the limit of open files is 20"), "{text}");
}

/// Redis itself is of no use here.
#[test]
fn the_store_names_what_keeps_it_from_writing() {
    let server = Server::start(Kind::Redkeep, &[]);
    let info = server.client().run(&["INFO", "persistence"]);
    assert!(format!("{info:?}").contains("store_error:"), "{info:?}");
}
