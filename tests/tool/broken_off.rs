//! Whoever is killed, whatever is wrong with the source or the store: nothing is half restored, and what is wrong is said.

use super::{FAILED, command, counts, differences, filled, said, succeed, tool};
use crate::support::server::Setup;
use crate::support::store::{check_store, files};
use crate::support::{Kind, Rng, env_number};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

/// How often the tool is killed.
const ROUNDS: u64 = 12;

/// JSON lines of so many keys.
fn many(file: &Path, keys: usize) {
    let mut out = File::create(file).expect("a new file");
    for n in 0..keys {
        let value = "x".repeat(n % 200);
        writeln!(
            out,
            "{{\"key\":\"many:{n}\",\"type\":\"hash\",\"value\":[[\"f\",\"{value}\"],[\"g\",\"{n}\"]]}}"
        )
        .expect("a writable file");
    }
}

/// Begins to restore a file, and is killed after this time.
fn kill_restore(file: &Path, data: &Path, after: Duration) {
    let arguments = [
        "restore".as_ref(),
        file.as_os_str(),
        data.as_os_str(),
        "-q".as_ref(),
    ];
    let mut child = command(&arguments)
        .stderr(Stdio::null())
        .spawn()
        .expect("redkeep-tool");
    std::thread::sleep(after);
    child.kill().expect("a process");
    child.wait().expect("its end");
}

#[test]
fn a_restore_that_is_killed_leaves_all_of_it_or_nothing() {
    let home = filled();
    let (data, file) = (home.path().join("data"), home.path().join("many.jsonl"));
    let (before, after) = (home.path().join("before.jsonl"), home.path().join("after"));
    many(&file, 20_000);
    succeed(&["dump".as_ref(), data.as_os_str(), before.as_os_str()]);
    succeed(&["restore".as_ref(), before.as_os_str(), after.as_os_str()]);
    let begin = std::time::Instant::now();
    succeed(&["restore".as_ref(), file.as_os_str(), after.as_os_str()]);
    let whole = begin.elapsed();
    let mut random = Rng::new(7);
    let (mut killed, mut through) = (0, 0);
    for round in 0..env_number("REDKEEP_TEST_KILLS", ROUNDS) {
        kill_restore(&file, &data, whole.mul_f64(random.between(1, 130) as f64 / 100.0));
        let is_through = differences(&data, &after, &[]).is_empty();
        if is_through {
            through += 1;
            // Once more from the beginning.
            fs::remove_dir_all(&data).expect("a directory");
            succeed(&["restore".as_ref(), before.as_os_str(), data.as_os_str()]);
        } else {
            killed += 1;
            assert_eq!(differences(&data, &before, &[]), "", "round {round}");
        }
        check_store(&data);
    }
    assert!(killed > 0, "{killed} were killed in time, {through} went through");
    // What the killed ones left is no hindrance, and goes.
    assert_eq!(counts(&data, &[9]), [2]);
    assert!(!data.join(".restoring").exists());
}

#[test]
fn a_new_store_is_never_half_there() {
    let home = TempDir::with_prefix("redkeep-tool-").expect("a temporary directory");
    let file = home.path().join("many.jsonl");
    many(&file, 20_000);
    for part in [5, 20, 60, 100, 150, 250, 400] {
        let data = home.path().join(format!("data-{part}"));
        kill_restore(&file, &data, Duration::from_millis(part));
        let keys = counts(&data, &[0])[0];
        assert!(keys == 0 || keys == 20_000, "{keys}");
    }
}

#[test]
fn an_interrupted_restore_and_dump_leave_nothing() {
    let home = filled();
    let (data, file) = (home.path().join("data"), home.path().join("many.jsonl"));
    many(&file, 200_000);
    let before = files(&data);
    let child = command(&["restore".as_ref(), file.as_os_str(), data.as_os_str()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("redkeep-tool");
    std::thread::sleep(Duration::from_millis(300));
    // SAFETY: a plain system call; the child is ours, and not waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().expect("its end");
    let text = said(&output);
    assert_eq!(output.status.code(), FAILED, "{text}");
    assert!(
        text.contains("it was interrupted") && text.contains("has changed"),
        "{text}"
    );
    assert!(files(&data) == before, "something was touched");
    assert!(!data.join(".restoring").exists());
}

#[test]
fn what_is_cut_off_or_damaged_is_not_restored() {
    let home = filled();
    let data = home.path().join("data");
    for (name, flag) in [
        ("d.jsonl", "json"),
        ("d.jsonl.zst", "json"),
        ("d.jsonl.gz", "json"),
        ("d.rdb", "rdb"),
        ("d.resp", "commands"),
    ] {
        let file = home.path().join(name);
        let target: &[&str] = if flag == "rdb" { &["--for", "redis-8"] } else { &[] };
        let mut arguments = vec![
            "dump",
            data.to_str().unwrap(),
            file.to_str().unwrap(),
            "--format",
            flag,
        ];
        arguments.extend(target);
        succeed(&arguments);
        let whole = fs::read(&file).expect("the dump");
        let end = whole.len();
        // Also where a line, or a command, ends.
        let line = whole[..end - 2]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(end / 2, |at| at + 1);
        for cut in [end / 3, line, end - 1] {
            fs::write(&file, &whole[..cut]).expect("a writable file");
            let back = home.path().join("back");
            let output = tool(&["restore".as_ref(), file.as_os_str(), back.as_os_str()]);
            let text = said(&output);
            // Without its last line's end a text is whole.
            if cut == end - 1 && name == "d.jsonl" {
                assert!(output.status.success(), "{text}");
                fs::remove_dir_all(&back).expect("a directory");
                continue;
            }
            assert_eq!(output.status.code(), FAILED, "{name} {cut} of {end}: {text}");
            assert!(
                fs::read_dir(&back).map_or(0, Iterator::count) == 0,
                "{name}: something is there"
            );
        }
    }
}

#[test]
fn stores_that_cannot_be_had_are_told_apart() {
    let home = filled();
    let data = home.path().join("data");
    let refused = |arguments: &[&str], why: &str| {
        let output = tool(arguments);
        assert_eq!(output.status.code(), FAILED, "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
    };
    let dir = data.to_str().unwrap();
    let server = Setup::new(Kind::Redkeep, &[]).data(&data).start();
    for action in ["dump", "stat", "check"] {
        refused(&[action, dir], "in use by another process");
    }
    let file = home.path().join("few.jsonl");
    many(&file, 3);
    refused(
        &["restore", file.to_str().unwrap(), dir],
        "in use by another process",
    );
    drop(server);
    let foreign = home.path().join("foreign");
    fs::create_dir(&foreign).expect("a new directory");
    fs::write(foreign.join("notes.txt"), "mine").expect("a writable file");
    refused(
        &["restore", file.to_str().unwrap(), foreign.to_str().unwrap()],
        "notes.txt",
    );
    refused(&["dump", foreign.to_str().unwrap()], "not a data directory");
    refused(
        &["dump", home.path().join("none").to_str().unwrap()],
        "No such file",
    );
    let newer = home.path().join("newer.jsonl");
    fs::write(&newer, "{\"redkeep\":\"json-lines\",\"version\":99}\n").expect("a writable file");
    refused(
        &[
            "restore",
            newer.to_str().unwrap(),
            home.path().join("x").to_str().unwrap(),
        ],
        "a newer one can read it",
    );
    fs::write(
        &newer,
        "{\"key\":\"a\",\"type\":\"set\",\"value\":[\"m\",\"m\"]}\n",
    )
    .expect("a writable file");
    refused(
        &[
            "restore",
            newer.to_str().unwrap(),
            home.path().join("x").to_str().unwrap(),
        ],
        "is there twice",
    );
}
