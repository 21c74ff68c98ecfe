//! Tests of configuration files and of the command line.

use super::*;

fn load(content: &str) -> Result<Config, String> {
    let scratch = Scratch::new(&format!("load-{:?}", std::thread::current().id()));
    let path = scratch.file("redkeep.conf", content);
    command_line(&[&path]).map_err(|error| error.to_string().replace(&path, "redkeep.conf"))
}

#[test]
fn files() {
    let config = load(
        "# a comment\n\n  PORT 7000  \r\nport 7001\nbind 127.0.0.1 -::1\nrequirepass \"a\\x41 b\"\n\
         save 900 1\nsave 60 100\nclient-output-buffer-limit normal 1mb 0 0\nslave-read-only no\n\
         client-output-buffer-limit pubsub 2mb 0 0\nshutdown-on-sigint \"now force\"\n\
         list-max-ziplist-entries 7\nunixsocketperm 700\nreplicaof no one\nlogfile ''\n",
    )
    .expect("a valid file");
    assert_eq!(config.port, 7001, "later lines win");
    assert_eq!(value(&config, "bind"), "127.0.0.1 -::1");
    assert_eq!(config.requirepass, b"aA b");
    assert_eq!(value(&config, "save"), "900 1 60 100");
    assert_eq!(config.client_output_buffer_limit.normal.hard_bytes, 1 << 20);
    assert_eq!(config.client_output_buffer_limit.pubsub.hard_bytes, 2 << 20);
    assert_eq!(config.client_output_buffer_limit.replica.hard_bytes, 256 << 20);
    assert_eq!(value(&config, "shutdown-on-sigint"), "now force");
    assert_eq!(value(&config, "replica-read-only"), "no");
    assert_eq!(config.unixsocketperm, 0o700);
    assert!(config.config_file.is_some_and(|path| path.is_absolute()));
    assert!(config.dir.is_absolute());
    assert_eq!(value(&load("save 1 2\nsave \"\"\n").expect("valid"), "save"), "");
}

#[test]
fn bad_files() {
    let mistake = "Bad directive or wrong number of arguments";
    for (content, line, text, reason) in [
        (
            "port 1\n\nprot 7000\n",
            3,
            "prot 7000",
            format!("{mistake}. Did you mean 'port'?"),
        ),
        ("frobnicate yes", 1, "frobnicate yes", mistake.into()),
        ("port", 1, "port", "wrong number of arguments".into()),
        ("port 1 2", 1, "port 1 2", "wrong number of arguments".into()),
        (
            "port \"1",
            1,
            "port \"1",
            "Unbalanced quotes in configuration line".into(),
        ),
        (
            "port x",
            1,
            "port x",
            "argument couldn't be parsed into an integer".into(),
        ),
        ("save 1 2 3", 1, "save 1 2 3", "Invalid save parameters".into()),
        (
            "daemonize maybe",
            1,
            "daemonize maybe",
            "argument must be 'yes' or 'no'".into(),
        ),
        (
            "cluster-enabled yes",
            1,
            "cluster-enabled yes",
            "cluster mode is not supported".into(),
        ),
        (
            "replicaof 10.0.0.1 6379",
            1,
            "replicaof 10.0.0.1 6379",
            "replication is not supported".into(),
        ),
        ("slaveof a b", 1, "slaveof a b", "Invalid master port".into()),
        (
            "loadmodule x.so",
            1,
            "loadmodule x.so",
            "modules are not supported".into(),
        ),
        ("tls-port 1", 1, "tls-port 1", "TLS is not supported".into()),
        ("include", 1, "include", mistake.into()),
        ("dir ''", 1, "dir ''", "argument can't be empty".into()),
        (
            "databases 999999999",
            1,
            "databases 999999999",
            "argument must be between 1 and 65536 inclusive".into(),
        ),
    ] {
        let expected = format!(
            "*** FATAL CONFIG FILE ERROR ***\nReading the configuration file 'redkeep.conf', at line {line}\n\
             >>> '{text}'\n{reason}"
        );
        assert_eq!(load(content), Err(expected), "{content}");
    }
}

#[test]
fn includes() {
    let scratch = Scratch::new("includes");
    let inner = scratch.file("inner.conf", "port 7000\ntimeout 5\n");
    let outer = scratch.file("outer.conf", &format!("port 1\ninclude {inner}\ntimeout 6\n"));
    let config = command_line(&[&outer]).expect("valid files");
    assert_eq!((config.port, config.timeout), (7000, 6));

    let broken = scratch.file("broken.conf", "\n\nprot 1\n");
    let outer = scratch.file("outer.conf", &format!("include {broken}\n"));
    let error = command_line(&[&outer]).expect_err("an error").to_string();
    assert!(
        error.contains(&format!("'{broken}', at line 3\n>>> 'prot 1'")),
        "{error}"
    );

    let missing = scratch.0.join("missing.conf").display().to_string();
    let outer = scratch.file("outer.conf", &format!("include {missing}\n"));
    let error = command_line(&[&outer]).expect_err("an error").to_string();
    assert!(
        error.starts_with(&format!(
            "Fatal error, can't open config file '{missing}': No such file"
        )),
        "{error}"
    );

    let circle = scratch.0.join("circle.conf").display().to_string();
    scratch.file("circle.conf", &format!("include {circle}\n"));
    let error = command_line(&[&circle]).expect_err("an error").to_string();
    assert!(error.ends_with(&format!("'{circle}' includes itself")), "{error}");
    let mut path = scratch.file("deep.conf", "port 1\n");
    for depth in 0..20 {
        path = scratch.file(&format!("deep{depth}.conf"), &format!("include {path}\n"));
    }
    let error = command_line(&[&path]).expect_err("an error").to_string();
    assert!(error.ends_with("include nested too deeply"), "{error}");
}

#[test]
fn an_include_with_wildcards_reads_all_files_that_match_in_the_order_of_their_names() {
    let scratch = Scratch::new("globs");
    fs::create_dir_all(scratch.0.join("conf.d/a.conf.d")).expect("a directory");
    fs::create_dir_all(scratch.0.join("conf.d/z.conf")).expect("a directory");
    for (name, content) in [
        ("b.conf", "timeout 2\nmaxclients 222\n"),
        ("a.conf", "timeout 1\nport 7001\n"),
        (".hidden.conf", "hz 99\n"),
        ("c.txt", "timeout 3\n"),
    ] {
        scratch.file(&format!("conf.d/{name}"), content);
    }
    let load = |include: &str| {
        let path = scratch.file("main.conf", &format!("dir {}\n{include}\n", scratch.0.display()));
        command_line(&[&path]).map_err(|error| error.to_string())
    };
    let config = load("include conf.d/*.conf").expect("files that match");
    assert_eq!(
        (config.timeout, config.port, config.maxclients, config.hz),
        (2, 7001, 222, 10)
    );
    assert_eq!(load("include \"conf.d/[a].conf\"").expect("one file").timeout, 1);
    assert_eq!(load("include conf.d/?.txt").expect("one file").timeout, 3);
    assert_eq!(load("include conf.d/nosuch*").expect("no file").timeout, 0);
    assert!(
        load("include conf.d/nosuch")
            .expect_err("no file")
            .contains("No such file")
    );
    let error = load("include conf.d/*.conf conf.d/c.txt").expect_err("two patterns");
    assert!(
        error.ends_with("Bad directive or wrong number of arguments"),
        "{error}"
    );
    // A pattern that matches the file it is in.
    let error = load("include *.conf").expect_err("a circle");
    assert!(error.contains("main.conf' includes itself"), "{error}");
}

const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

#[test]
fn the_line_of_the_default_user_as_config_rewrite_of_redis_writes_it() {
    let open = load("user default on nopass sanitize-payload ~* &* +@all\n").expect("a valid line");
    assert!(open.is_open() && open.needs_no_login() && open.admits(b"default", b"any"));
    let closed =
        load(&format!("requirepass bar\nuser default on #{FOO} ~* &* +@all\n")).expect("a valid line");
    assert!(!closed.is_open() && !closed.needs_no_login());
    assert!(closed.admits(b"default", b"foo") && !closed.admits(b"alice", b"foo"));
    assert!(
        !closed.admits(b"default", b"bar"),
        "the line wins, wherever it stands"
    );
    assert!(closed.has_idle_password());
    let both = load(&format!("user default on #{FOO} ~* &* +@all\nrequirepass foo\n")).expect("a valid line");
    assert!(both.admits(b"default", b"foo") && !both.has_idle_password());
    let off = load("user default off nopass ~* &* +@all\n").expect("a valid line");
    assert!(!off.needs_no_login() && !off.admits(b"default", b""));
    let plain = load("requirepass foo\n").expect("valid");
    assert!(plain.admits(b"default", b"foo") && !plain.admits(b"default", b"fo") && !plain.needs_no_login());
    assert!(load("").expect("valid").needs_no_login());
    for (line, reason) in [
        ("user", "wrong number of arguments"),
        (
            "user alice on nopass ~* &* +@all",
            "users other than the default one are not supported",
        ),
        (
            "user default on nopass ~app:* &* +@all",
            "Error in user declaration 'default': permissions of users (ACL) are not supported",
        ),
        ("aclfile users.acl", "ACL files are not supported"),
    ] {
        let error = load(line).expect_err(line);
        assert!(error.contains(&format!(">>> '{line}'\n{reason}")), "{error}");
    }
}

#[test]
fn a_rewrite_keeps_the_default_user() {
    let scratch = Scratch::new("user");
    let line = format!("user default on sanitize-payload #{FOO} ~* &* +@all");
    let path = scratch.file("redkeep.conf", &format!("port 1\n{line}\n"));
    let mut config = command_line(&[&path]).expect("a valid file");
    config.rewrite().expect("a rewrite");
    assert!(
        scratch
            .read("redkeep.conf")
            .starts_with(&format!("port 1\n{line}\n"))
    );
    assert_eq!(command_line(&[&path]).expect("the rewritten file"), config);

    set(&mut config, "requirepass", "bar").expect("valid");
    assert!(config.admits(b"default", b"bar") && !config.admits(b"default", b"foo"));
    config.rewrite().expect("a rewrite");
    assert_eq!(command_line(&[&path]).expect("the rewritten file"), config);
    set(&mut config, "requirepass", "").expect("valid");
    assert!(config.needs_no_login());
    config.rewrite().expect("a rewrite");
    let text = scratch.read("redkeep.conf");
    assert!(
        text.contains("\nuser default on nopass sanitize-payload ~* &* +@all\n"),
        "{text}"
    );
    assert_eq!(command_line(&[&path]).expect("the rewritten file"), config);
}

#[test]
fn options_that_have_no_effect_are_named_if_they_were_set() {
    let config =
        load("maxmemory-policy allkeys-lru\nappendonly no\nhz 20\nrdbchecksum yes\n").expect("valid");
    assert_eq!(config.without_effect(), ["appendonly", "maxmemory-policy"]);
    assert!(Config::default().without_effect().is_empty());
}

#[test]
fn directives_of_other_servers_get_a_word() {
    for (line, reason) in [
        ("tls-port 6380", "TLS is not supported"),
        ("search-threads 4", "modules are not supported"),
        (
            "gopher-enabled no",
            "this option was removed in Redis 7: leave it out",
        ),
        ("rdma-port 1", "RDMA is not supported"),
        (
            "hash-seed x",
            "this option of Valkey has no counterpart here: leave it out",
        ),
        ("cluster-slot-stats-enabled yes", "cluster mode is not supported"),
    ] {
        let error = load(line).expect_err(line);
        assert!(error.ends_with(&format!(">>> '{line}'\n{reason}")), "{error}");
        let (name, value) = line.split_once(' ').expect("a value");
        let error = command_line(&[&format!("--{name}"), value])
            .expect_err(line)
            .to_string();
        assert!(error.ends_with(&format!(">>> '--{line}'\n{reason}")), "{error}");
    }
    let config = load("tls-port 0\ncommandlog-execution-slower-than 5\nprimaryauth x\nserver-cpulist 0\n");
    assert_eq!(config.expect("valid").slowlog_log_slower_than, 5);
}

#[test]
fn the_command_line_takes_all_that_a_file_may_have_in_the_order_given() {
    let scratch = Scratch::new("order");
    let inner = scratch.file("inner.conf", "port 7000\ntimeout 5\n");
    let arguments = [
        "--port",
        "1",
        "--include",
        &inner,
        "--timeout",
        "6",
        "--user",
        "default",
        "on",
        ">foo",
        "~*",
        "+@all",
    ];
    let config = command_line(&arguments).expect("valid");
    assert_eq!((config.port, config.timeout), (7000, 6));
    assert!(config.admits(b"default", b"foo") && !config.needs_no_login());
}

#[test]
fn the_command_line() {
    let config = command_line(&[
        "--port",
        "7000",
        "--bind",
        "127.0.0.1",
        "-::1",
        "--save",
        "900",
        "1",
        "--requirepass",
        "--secret word",
        "--client-output-buffer-limit",
        "normal",
        "1",
        "2",
        "3",
        "--maxmemory=1gb",
        "--hash-max-ziplist-entries",
        "9",
        "--loglevel debug",
        "--client-output-buffer-limit",
        "pubsub 4 5 6",
        "--PORT",
        "7001",
    ])
    .expect("valid arguments");
    assert_eq!(config.port, 7001);
    assert_eq!(value(&config, "bind"), "127.0.0.1 -::1");
    assert_eq!(value(&config, "save"), "900 1");
    assert_eq!(config.requirepass, b"--secret word");
    assert_eq!(
        value(&config, "client-output-buffer-limit"),
        "normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6"
    );
    assert_eq!(config.maxmemory, 1 << 30);
    assert_eq!(config.hash_max_listpack_entries, 9);
    assert_eq!(config.loglevel, LogLevel::Debug);
    assert_eq!(config.config_file, None);
    assert_eq!(command_line(&[]).expect("no arguments").port, 6379);
}

#[test]
fn the_command_line_wins_over_the_file() {
    let scratch = Scratch::new("wins");
    let path = scratch.file("redkeep.conf", "port 7000\ntimeout 5\nsave 900 1\n");
    let config = command_line(&[&path, "--port", "7001", "--save", "60", "2"]).expect("valid");
    assert_eq!((config.port, config.timeout), (7001, 5));
    assert_eq!(
        value(&config, "save"),
        "900 1 60 2",
        "a save line adds to those before, as in Redis"
    );
    for empty in [&["--save", ""][..], &["--save"], &["--save", "--timeout", "5"]] {
        let config = command_line(&[&[path.as_str()], empty].concat()).expect("valid");
        assert_eq!((value(&config, "save"), config.timeout), (String::new(), 5));
    }
}

#[test]
fn bad_command_lines() {
    for (arguments, text, reason) in [
        (&["--port"][..], "--port", "wrong number of arguments"),
        (&["--port", "1", "2"], "--port 1 2", "wrong number of arguments"),
        (
            &["--port", "--loglevel", "verbose"],
            "--port --loglevel verbose",
            "wrong number of arguments",
        ),
        (
            &["--port", "a b"],
            "--port \"a b\"",
            "argument couldn't be parsed into an integer",
        ),
        (
            &["--maxmemory=1x"],
            "--maxmemory 1x",
            "argument must be a memory value",
        ),
        (&["--save", "1"], "--save 1", "Invalid save parameters"),
    ] {
        let error = command_line(arguments).expect_err("an error").to_string();
        assert_eq!(
            error,
            format!("*** FATAL COMMAND LINE ERROR ***\n>>> '{text}'\n{reason}")
        );
    }
    let mistake = "Bad directive or wrong number of arguments";
    for (arguments, text, reason) in [
        (
            &["--prot", "7000"][..],
            "--prot 7000",
            format!("{mistake}. Did you mean 'port'?"),
        ),
        (&["--frobnicate"], "--frobnicate", mistake.to_owned()),
        (&["--user"], "--user", "wrong number of arguments".to_owned()),
        (&["--include"], "--include", mistake.to_owned()),
        (&["--", "--port", "1"], "-- --port 1", mistake.to_owned()),
        (&["-p", "7000"], "-p", "Options begin with two dashes".to_owned()),
        (
            &["--test-memory", "100"],
            "--test-memory 100",
            "there is no memory test here: memtester is one".to_owned(),
        ),
        (
            &["--sentinel"],
            "--sentinel",
            "Sentinel is not supported".to_owned(),
        ),
    ] {
        let error = command_line(arguments).expect_err("an error").to_string();
        assert_eq!(
            error,
            format!("*** FATAL COMMAND LINE ERROR ***\n>>> '{text}'\n{reason}")
        );
    }
    let error = command_line(&["/nonexistent/redkeep.conf"])
        .expect_err("an error")
        .to_string();
    assert!(
        error.starts_with("Fatal error, can't open config file '/nonexistent/redkeep.conf'"),
        "{error}"
    );
}

#[test]
fn help_and_version() {
    let text = |argument| match command_line(&[argument]) {
        Err(ConfigError::Usage(usage)) => (usage.exit_code(), usage.to_string()),
        other => panic!("{other:?}"),
    };
    for flag in ["--help", "-h"] {
        let (code, help) = text(flag);
        assert_eq!(code, 0);
        assert!(
            help.contains("--appendfsync") && help.contains("[default: 6379]"),
            "{help}"
        );
        assert!(!help.contains("--rdbchecksum"), "{help}");
    }
    for flag in ["--version", "-v"] {
        assert_eq!(
            text(flag),
            (0, format!("redkeep-server {}\n", env!("CARGO_PKG_VERSION")))
        );
    }
}
