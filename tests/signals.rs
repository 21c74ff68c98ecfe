//! What each signal does to a running server, and that a panic of any of its threads ends it.

use crate::support::client::encode;
use crate::support::server::Setup;
use crate::support::{Kind, Server, Value, wait_for};
use redkeep::facade::{EFFECTS, Effect};
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

fn with(effect: Effect) -> impl Iterator<Item = (i32, &'static str)> {
    let chosen = EFFECTS.into_iter().filter(move |(_, _, its)| *its == effect);
    chosen.map(|(signal, name, _)| (signal, name))
}

/// A server that logs to a file, and the file.
fn logging(home: &TempDir) -> (Server, PathBuf) {
    let setup = Setup::new(Kind::Redkeep, &["--logfile", "server.log"]).data(home.path());
    (setup.start(), home.path().join("server.log"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}

#[test]
fn hangups_and_other_signals_that_mean_nothing_do_not_end_the_server() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    for (signal, name) in with(Effect::Ignored) {
        server.signal(signal);
        assert_eq!(client.run(&["PING"]), Value::Simple("PONG".into()), "{name}");
    }
    // A terminal's job control; the group of a test may be one that is never stopped.
    for signal in [
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGWINCH,
        libc::SIGCHLD,
    ] {
        server.signal(signal);
        server.signal(libc::SIGCONT);
        assert_eq!(client.run(&["PING"]), Value::Simple("PONG".into()), "{signal}");
    }
}

#[test]
fn signals_that_ask_for_the_end_are_told_in_the_log_and_keep_all_data() {
    let home = TempDir::with_prefix("redkeep-signals-").expect("a temporary directory");
    let (mut server, log) = logging(&home);
    for (signal, name) in with(Effect::Shutdown) {
        server.client().ok(&["SET", "key", name]);
        server.signal(signal);
        let status = server.wait();
        assert!(status.success(), "{name}: {status}");
        let log = text(&log);
        assert!(
            log.contains(":signal-handler (")
                && log.contains(&format!(") Received {name} scheduling shutdown...\n"))
                && log.ends_with("bye bye...\n"),
            "{log}"
        );
        server.start_again();
        assert_eq!(server.client().run(&["GET", "key"]), Value::bulk(name));
    }
}

#[test]
fn a_second_sigint_ends_a_server_that_is_busy() {
    let home = TempDir::with_prefix("redkeep-signals-").expect("a temporary directory");
    let (mut server, log) = logging(&home);
    let mut busy = server.client();
    server.client().ok(&["SET", "key", "value"]);
    busy.send(&encode(&["DEBUG", "SLEEP", "600"])).expect("sent");
    server.signal(libc::SIGINT);
    wait_for("the first signal", LIMIT, || {
        text(&log).contains("Received SIGINT").then_some(())
    });
    server.signal(libc::SIGTERM);
    server.signal(libc::SIGINT);
    assert_eq!(server.wait().code(), Some(1));
    assert!(
        text(&log).ends_with(" You insist... exiting now.\n"),
        "{}",
        text(&log)
    );
    server.start_again();
    assert_eq!(server.client().run(&["GET", "key"]), Value::bulk("value"));
}

#[test]
fn a_signal_before_the_server_is_ready_ends_it() {
    let home = TempDir::with_prefix("redkeep-signals-").expect("a temporary directory");
    // The store is open then, and the server waits for a reader of its pid.
    let pidfile = home.path().join("pid");
    let path = CString::new(pidfile.as_os_str().as_bytes()).expect("a path");
    // SAFETY: the path is a C string that lives for the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    let log = home.path().join("log");
    let mut server = Command::new(env!("CARGO_BIN_EXE_redkeep-server"))
        .args(["--port", "0", "--logfile", "log", "--dir"])
        .arg(home.path())
        .arg("--pidfile")
        .arg(&pidfile)
        .args(["--unixsocket", &home.path().join("socket").display().to_string()])
        .stdin(Stdio::null())
        .spawn()
        .expect("a server");
    wait_for("the store", LIMIT, || {
        home.path().join("CURRENT").exists().then_some(())
    });
    // SAFETY: the process is our child and not yet waited for.
    assert_eq!(unsafe { libc::kill(server.id() as i32, libc::SIGTERM) }, 0);
    let status = wait_for("the server to leave", LIMIT, || server.try_wait().expect("wait"));
    assert_eq!(status.code(), Some(0));
    assert!(
        text(&log).ends_with(" Received SIGTERM before the server was ready, exiting now.\n"),
        "{}",
        text(&log)
    );
}

#[test]
fn a_crash_is_told_in_the_log() {
    let home = TempDir::with_prefix("redkeep-signals-").expect("a temporary directory");
    let (mut server, log) = logging(&home);
    for (signal, name) in with(Effect::Crash).chain([(libc::SIGQUIT, "SIGQUIT")]) {
        fs::remove_file(&log).expect("removed");
        server.signal(signal);
        assert_eq!(server.wait().signal(), Some(signal), "{name}");
        if signal != libc::SIGQUIT {
            let log = text(&log);
            assert!(
                log.contains(&format!(" crashed by {name} (code 0, thread '")),
                "{log}"
            );
        }
        server.start_again();
    }
    server
        .client()
        .send(&encode(&["DEBUG", "SEGFAULT"]))
        .expect("sent");
    assert_eq!(server.wait().signal(), Some(libc::SIGSEGV));
    assert!(
        text(&log).contains(" crashed by SIGSEGV, accessing address 0x"),
        "{}",
        text(&log)
    );
}

#[test]
fn a_panic_of_any_thread_ends_the_server_and_is_told_in_the_log_with_its_place() {
    for io_threads in ["1", "2"] {
        let home = TempDir::with_prefix("redkeep-signals-").expect("a temporary directory");
        let (mut server, log) = logging(&home);
        server.set_flags(&["--logfile", "server.log", "--io-threads", io_threads]);
        for command in [&["DEBUG", "PANIC"][..], &["DEBUG", "PANIC", "VIEW"]] {
            server.restart();
            fs::remove_file(&log).expect("removed");
            let mut client = server.client();
            client.ok(&["SET", "key", "value"]);
            // The answer, if there is one, may come first.
            let _ = client.call(command);
            assert_eq!(server.wait().signal(), Some(libc::SIGABRT), "{command:?}");
            let log = text(&log);
            assert!(log.contains(" # panic at src/exec/control/debug.rs:"), "{log}");
            assert!(log.contains(": DEBUG PANIC called\n"), "{log}");
            // The panic itself, and a line of the backtrace.
            let places = log.matches("src/exec/control/debug.rs:").count();
            assert!(places > 1, "a backtrace: {log}");
            assert!(!log.contains("crashed by"), "said once: {log}");
            server.start_again();
            assert_eq!(server.client().run(&["GET", "key"]), Value::bulk("value"));
        }
    }
}
