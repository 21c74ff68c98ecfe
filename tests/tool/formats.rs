//! What is dumped comes back, from each format into each, by way of a Redis too; and what is chosen, and only that.

use super::{FAILED, FOUND, command, counts, differences, fill, filled, said, succeed, tool};
use crate::support::server::{Setup, redis_is_installed};
use crate::support::store::{check_store, files};
use crate::support::{Client, Kind};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

fn path(dir: &TempDir, name: &str) -> std::path::PathBuf {
    dir.path().join(name)
}

#[test]
fn what_is_dumped_comes_back_from_every_format() {
    let home = filled();
    let data = path(&home, "data");
    let before = files(&data);
    for name in [
        "a.jsonl",
        "b.jsonl.gz",
        "c.jsonl.zst",
        "d.rdb",
        "e.rdb.zst",
        "f.resp",
    ] {
        let (file, back) = (path(&home, name), path(&home, &format!("{name}-back")));
        let target: &[&str] = if name.contains("rdb") {
            &["--for", "redis-8"]
        } else {
            &[]
        };
        let mut arguments = vec![
            "dump".to_owned(),
            data.display().to_string(),
            file.display().to_string(),
        ];
        arguments.extend(target.iter().map(|flag| (*flag).to_owned()));
        succeed(&arguments);
        // Commands do not say when a consumer was seen.
        let flags: &[&str] = if name == "f.resp" {
            &["--ignore-times"]
        } else {
            &[]
        };
        assert_eq!(differences(&data, &file, flags), "", "{name}");
        succeed(&["restore".as_ref(), file.as_os_str(), back.as_os_str()]);
        assert_eq!(differences(&data, &back, flags), "", "{name}");
        check_store(&back);
    }
    assert!(files(&data) == before, "something was touched");
    assert_eq!(
        counts(&path(&home, "a.jsonl-back"), &[0, 9]),
        counts(&data, &[0, 9])
    );
}

#[test]
fn a_redis_loads_what_is_dumped_and_what_it_saves_is_restored() {
    if !redis_is_installed() {
        return;
    }
    let home = TempDir::with_prefix("redkeep-tool-").expect("a temporary directory");
    let data = path(&home, "data");
    let mut server = Setup::new(Kind::Redkeep, &[]).data(&data).start();
    fill(&mut server.client(), false);
    server.terminate();
    let redis = path(&home, "redis");
    fs::create_dir(&redis).expect("a new directory");
    let dump = redis.join("dump.rdb");
    succeed(&[
        &"dump",
        &data.to_str().unwrap(),
        &dump.to_str().unwrap(),
        &"--for",
        &"redis-7.0",
    ]);
    let mut server = Setup::new(Kind::Redis, &["--dbfilename", "dump.rdb"])
        .data(&redis)
        .start();
    let mut client = server.client();
    client.ok(&["SELECT", "9"]);
    assert_eq!(client.run(&["GET", "nine"]).text().as_deref(), Some("9"));
    client.ok(&["SELECT", "0"]);
    client.ok(&["SAVE"]);
    assert_eq!(differences(&data, &dump, &["--ignore-times"]), "");
    pipe_commands(&data, &mut client);
    client.ok(&["SAVE"]);
    server.terminate();
    assert_eq!(differences(&data, &dump, &["--ignore-times"]), "");
    let back = path(&home, "back");
    succeed(&["restore".as_ref(), dump.as_os_str(), back.as_os_str()]);
    assert_eq!(differences(&data, &back, &["--ignore-times"]), "");
}

/// Empties the server, and sends it all commands of a dump.
fn pipe_commands(data: &Path, client: &mut Client) {
    client.ok(&["FLUSHALL"]);
    client.ok(&["FUNCTION", "FLUSH"]);
    let output = tool(&[
        "dump".as_ref(),
        data.as_os_str(),
        "-".as_ref(),
        "--format".as_ref(),
        "commands".as_ref(),
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let commands = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"*"))
        .count();
    client.send(&output.stdout).expect("the server takes them");
    let mut replies = 0;
    loop {
        let reply = client.receive().expect("a reply");
        assert!(!reply.is_error(), "{reply:?}");
        replies += 1;
        if reply.text().is_some_and(|text| text == "redkeep-tool dump ends") {
            break;
        }
    }
    // Lines of values may begin with a star, too.
    assert!(replies > 3000 && replies <= commands, "{replies}");
}

#[test]
fn an_aof_of_redis_is_restored() {
    if !redis_is_installed() {
        return;
    }
    let home = TempDir::with_prefix("redkeep-tool-").expect("a temporary directory");
    let redis = path(&home, "redis");
    let flags = [
        "--appendonly",
        "yes",
        "--dbfilename",
        "dump.rdb",
        "--auto-aof-rewrite-percentage",
        "0",
    ];
    let mut server = Setup::new(Kind::Redis, &flags).data(&redis).start();
    let mut client = server.client();
    client.ok(&["SET", "in the base", "1"]);
    client.run(&["BGREWRITEAOF"]);
    crate::support::wait_for("the base", std::time::Duration::from_secs(20), || {
        let info = client.run(&["INFO", "persistence"]).text().unwrap_or_default();
        info.contains("aof_rewrite_in_progress:0").then_some(())
    });
    fill(&mut client, false);
    client.run(&["MULTI"]);
    client.run(&["SET", "in a transaction", "1"]);
    client.run(&["INCR", "in a transaction"]);
    client.run(&["EXEC"]);
    client.ok(&["SAVE"]);
    server.kill9();
    let (back, dump) = (path(&home, "back"), redis.join("dump.rdb"));
    let aof = redis.join("appendonlydir");
    succeed(&["restore".as_ref(), aof.as_os_str(), back.as_os_str()]);
    assert_eq!(differences(&dump, &back, &["--ignore-times"]), "");
    // What a crash leaves of the last command is told, and left out.
    let last = fs::read_dir(&aof)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    let last = last
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .expect("an increment");
    let bytes = fs::read(&last).expect("a readable file");
    fs::write(&last, &bytes[..bytes.len() - 3]).expect("a writable file");
    let text = succeed(&[
        "restore".as_ref(),
        aof.as_os_str(),
        path(&home, "other").as_os_str(),
    ]);
    assert!(text.contains("is cut off within the command at byte"), "{text}");
}

#[test]
fn what_is_chosen_is_dumped_and_nothing_else() {
    let home = filled();
    let data = path(&home, "data");
    let lines = |flags: &[&str]| {
        let mut arguments = vec!["dump", data.to_str().unwrap()];
        arguments.extend(flags);
        let output = tool(&arguments);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines()
            .filter(|line| line.contains("\"key\""))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let nine = lines(&["--db", "9"]);
    assert_eq!(nine.len(), 2, "{nine:?}");
    assert!(nine.iter().all(|line| line.starts_with("{\"db\":9,")), "{nine:?}");
    let sets = lines(&["--type", "set", "--match", "*:small"]);
    assert_eq!(sets.len(), 2, "{sets:?}");
    let user = lines(&["--match", "user:*"]);
    assert_eq!(
        user,
        ["{\"db\":9,\"key\":\"user:1\",\"type\":\"hash\",\"value\":[[\"name\",\"x\"]]}"]
    );
    let text = succeed(&[
        "diff",
        data.to_str().unwrap(),
        data.to_str().unwrap(),
        "--db",
        "9",
    ]);
    assert!(text.starts_with("2 keys are the same, 0 differ"), "{text}");
}

#[test]
fn what_a_target_cannot_hold_is_named_and_left_out() {
    let home = filled();
    let (data, file) = (path(&home, "data"), path(&home, "old.rdb"));
    let output = tool(&[
        &"dump",
        &data.to_str().unwrap(),
        &file.to_str().unwrap(),
        &"--for",
        &"redis-7.0",
    ]);
    let text = said(&output);
    assert_eq!(output.status.code(), FOUND, "{text}");
    assert!(
        text.contains("db0 hash:small, which redis-7.0 cannot hold"),
        "{text}"
    );
    let left = differences(&data, &file, &["--ignore-times"]);
    assert_eq!(
        left,
        "db0 hash:large: only in the first\ndb0 hash:small: only in the first\n"
    );
}

#[test]
fn keys_that_are_there_fail_stay_or_are_replaced() {
    let home = filled();
    let data = path(&home, "data");
    let file = path(&home, "few.jsonl");
    let few = "{\"key\":\"text\",\"type\":\"list\",\"value\":[\"a\"]}\n{\"key\":\"new\",\"type\":\"string\",\"value\":\"v\"}\n";
    fs::write(&file, few).expect("a writable file");
    let restore = |policy: &str| {
        let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
        tool(&["restore", file, data, "--on-conflict", policy])
    };
    let whole = path(&home, "whole.jsonl");
    succeed(&["dump".as_ref(), data.as_os_str(), whole.as_os_str()]);
    let failed = restore("fail");
    assert_eq!(failed.status.code(), FAILED);
    assert!(
        said(&failed).contains("there is a key db0 text already"),
        "{}",
        said(&failed)
    );
    assert_eq!(differences(&data, &whole, &[]), "");
    let skipped = restore("skip");
    assert!(
        said(&skipped).starts_with("1 keys restored"),
        "{}",
        said(&skipped)
    );
    assert_eq!(differences(&data, &whole, &[]), "db0 new: only in the first\n");
    let replaced = restore("replace");
    assert!(
        said(&replaced).contains("2 took the place of others"),
        "{}",
        said(&replaced)
    );
    let left = differences(&data, &whole, &[]);
    assert_eq!(
        left,
        "db0 new: only in the first\ndb0 text: type list and string, deadline none and 4000000000123\n"
    );
    check_store(&data);
}

#[test]
fn a_dump_goes_through_a_pipe() {
    let home = filled();
    let (data, back) = (path(&home, "data"), path(&home, "back"));
    let mut dump = command(&["dump".as_ref(), data.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("redkeep-tool");
    let stream = dump.stdout.take().expect("its output");
    let restored = command(&["restore".as_ref(), "-".as_ref(), back.as_os_str()])
        .stdin(stream)
        .output()
        .expect("redkeep-tool");
    assert!(
        dump.wait().expect("its end").success() && restored.status.success(),
        "{}",
        said(&restored)
    );
    assert_eq!(differences(&data, &back, &[]), "");
}

#[test]
fn figures_are_those_of_the_store() {
    let home = filled();
    let (data, page) = (path(&home, "data"), path(&home, "page.html"));
    let before = files(&data);
    let output = tool(&[
        "stat".as_ref(),
        data.as_os_str(),
        "--json".as_ref(),
        "--html".as_ref(),
        page.as_os_str(),
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let stat: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |list: &str, name: &str, is: &str| {
        let all = stat[list].as_array().expect("a list");
        all.iter()
            .find(|one| one[name] == *is)
            .unwrap_or_else(|| panic!("{list} {is}"))["sums"]
            .clone()
    };
    assert_eq!(of("types", "name", "set")["keys"], 4);
    assert_eq!(of("types", "name", "stream")["elements"], 5 + 3000 - 2);
    assert_eq!(of("prefixes", "prefix", "hash:")["elements"], 3005);
    assert_eq!(stat["databases"][1]["number"], 9);
    assert_eq!(stat["libraries"], 1);
    assert_eq!(stat["biggest"][0]["type_name"], "zset");
    let text = fs::read_to_string(&page).expect("the page");
    assert!(text.contains("<svg") && text.contains("prefers-color-scheme:dark"));
    assert!(!text.contains("http") && !text.contains("<script") && !text.contains("src="));
    let table = succeed(&["stat".as_ref(), data.as_os_str()]);
    assert!(
        table.contains("biggest keys") && table.contains("time to live"),
        "{table}"
    );
    assert!(files(&data) == before, "something was touched");
}
