//! Scripts that wait, wherever they are; that are killed; that are aborted.

use super::*;
use crate::script::Stop;

/// Runs a script, of whose calls the one after so many faults.
fn with_fault(interpreter: &mut Interpreter, script: &str, after: u32) -> (Reply, u32) {
    let mut server = Server {
        faults_after: Some(after),
        ..Server::default()
    };
    let mut stops = 0;
    let mut outcome = begin(interpreter, script.as_bytes(), &mut server);
    loop {
        match outcome {
            Outcome::Done(done) => return (done.reply, stops),
            Outcome::Stopped(run) => {
                assert_eq!(run.why(), Stop::Fault);
                stops += 1;
                // Others run meanwhile.
                assert_eq!(
                    shown(interpreter, "return #KEYS + redis.call('echo', 5)"),
                    r":7\r\n"
                );
                outcome = interpreter.resume(run, &mut server);
            }
        }
    }
}

const SCRIPTS: [&str; 9] = [
    "return {redis.call('echo', 1), redis.call('echo', KEYS[1]), redis.call('echo', ARGV[2])}",
    "return {pcall(function() return redis.call('echo', 1) .. redis.call('echo', 2) end)}",
    "return {xpcall(function() return redis.call('echo', 1) .. redis.call('nope') end, function(e) return e.err end)}",
    "local t = {3,1,2} table.sort(t, function(a, b) redis.call('echo', 'x') return a < b end) return t",
    "return (('a-b-c'):gsub('%a', function(c) return redis.call('echo', c..c) end))",
    "local t = setmetatable({}, {__index = function(_, k) return redis.call('echo', k) end}) return {t.a, t.b, t.c}",
    "local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(redis.call('echo', i)) end end) return {co(), co(), co()}",
    "local t = {} for v in function(_, i) i = (i or 0) + 1 if i < 4 then return redis.call('echo', i) + 0 end end do t[#t+1] = v end return t",
    "redis.setresp(3) local a = redis.call('echo', 1) local b = redis.pcall('nope').err local c = loadstring('return redis.call(\"echo\", 3)')() return {a, b, c, true}",
];

#[test]
fn a_script_may_wait_anywhere() {
    let mut interpreter = interpreter();
    for script in SCRIPTS {
        let mut server = Server::default();
        let expected = reply(&mut interpreter, script, &mut server);
        for after in 0..3 {
            let (reply, stops) = with_fault(&mut interpreter, script, after);
            assert_eq!(
                (reply, stops),
                (expected.clone(), u32::from(server.calls > after)),
                "{script} {after}"
            );
        }
    }
    assert_eq!(interpreter.waiting(), 0);
}

#[test]
fn many_scripts_wait_side_by_side() {
    let mut interpreter = interpreter();
    let script = interpreter
        .load(
            b"local sum = 0 for i = 1, 3 do sum = sum + redis.call('echo', ARGV[1]) end return sum + #KEYS",
            Keep::Recent,
        )
        .expect("a script");
    let numbers: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut waiting = Vec::new();
    for number in &numbers {
        let mut server = Server {
            faults_after: Some(1),
            ..Server::default()
        };
        match interpreter.run(&script, [&b"k"[..]], [number.as_bytes()], &mut server) {
            Outcome::Stopped(run) => waiting.push(run),
            Outcome::Done(done) => panic!("{:?}", done.reply),
        }
    }
    assert_eq!(interpreter.waiting(), 100);
    for (run, number) in waiting.into_iter().zip(0_i32..100).rev() {
        match interpreter.resume(run, &mut Server::default()) {
            Outcome::Done(done) => assert_eq!(done.reply, Reply::Int(i64::from(3 * number + 1))),
            Outcome::Stopped(_) => panic!("{number} stopped again"),
        }
    }
}

#[test]
fn an_aborted_script_ends_whatever_it_catches() {
    let mut interpreter = interpreter();
    for script in [
        "return redis.call('echo', 1)",
        "while true do pcall(redis.call, 'echo', 1) end",
        "while true do xpcall(function() redis.call('echo', 1) end, function() end) end",
        "while true do coroutine.resume(coroutine.create(function() redis.call('echo', 1) end)) end",
        "local function f() while true do pcall(f) end end redis.pcall('echo', 1) f()",
    ] {
        let mut server = Server {
            faults_after: Some(0),
            ..Server::default()
        };
        match begin(&mut interpreter, script.as_bytes(), &mut server) {
            Outcome::Stopped(run) => interpreter.abort(run),
            Outcome::Done(done) => panic!("{:?}", done.reply),
        }
        assert_eq!(server.calls, 1, "{script}");
        assert_eq!(
            shown(&mut interpreter, "return redis.call('echo', 5)"),
            r"$1\r\n5\r\n"
        );
    }
}

#[test]
fn a_killed_script_ends_whatever_it_catches() {
    let mut interpreter = interpreter();
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() while true do pcall(f) end end f()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local co = coroutine.wrap(function() while true do end end) co()",
        "while true do xpcall(function() while true do end end, function() return 1 end) end",
    ] {
        let mut server = Server {
            pulse: Some(kill_at_third),
            ..Server::default()
        };
        let reply = reply(&mut interpreter, script, &mut server);
        let Reply::Error(text) = reply else {
            panic!("{script}: {reply:?}")
        };
        assert!(
            text.starts_with("ERR Script killed by user with SCRIPT KILL... script: "),
            "{text}"
        );
        assert!(text.ends_with(", on @user_script:1."), "{text}");
        assert_eq!(shown(&mut interpreter, "return 5"), r":5\r\n");
    }
}

fn kill_at_third(pulses: u32) -> Pulse {
    match pulses {
        0..3 => Pulse::GoOn,
        _ => Pulse::Kill("ERR Script killed by user with SCRIPT KILL...".into()),
    }
}

#[test]
fn a_busy_script_may_be_set_aside() {
    let mut interpreter = interpreter();
    let script = b"local n = 0 for i = 1, 1000000 do n = n + 1 end return n";
    let mut server = Server {
        pulse: Some(|_| Pulse::Pause),
        ..Server::default()
    };
    let mut outcome = begin(&mut interpreter, script, &mut server);
    let mut pauses = 0;
    let reply = loop {
        match outcome {
            Outcome::Done(done) => break done.reply,
            Outcome::Stopped(run) => {
                assert_eq!(run.why(), Stop::Pause);
                pauses += 1;
                assert_eq!(shown(&mut interpreter, "return KEYS[1]"), r"$2\r\nk1\r\n");
                outcome = interpreter.resume(run, &mut server);
            }
        }
    };
    assert_eq!(reply, Reply::Int(1_000_000));
    assert!((5..50).contains(&pauses), "{pauses}");
}

#[test]
fn the_log_gets_what_scripts_write() {
    let mut server = Server::default();
    let script = "redis.log(redis.LOG_WARNING, 'a', 1, {}, 'b') redis.log(0, 'x')";
    assert_eq!(reply(&mut interpreter(), script, &mut server), Reply::Null);
    let expected = [
        (LogLevel::Warning, b"a 1 b".to_vec()),
        (LogLevel::Debug, b"x".to_vec()),
    ];
    assert_eq!(server.logged, expected);
}

#[test]
fn it_is_told_whether_an_error_was_counted() {
    let mut interpreter = interpreter();
    for (script, failed, is_counted) in [
        ("return redis.call('nope')", true, true),
        ("return redis.pcall('nope')", false, true),
        ("return redis.call()", true, false),
        ("return {err='x'}", false, false),
        ("error('x')", true, false),
        ("return 1", false, false),
    ] {
        match begin(&mut interpreter, script.as_bytes(), &mut Server::default()) {
            Outcome::Done(done) => {
                assert_eq!((done.failed, done.is_counted), (failed, is_counted), "{script}")
            }
            Outcome::Stopped(_) => panic!("{script}"),
        }
    }
}

/// Prints what a run costs; a number that is far off shows a mistake.
#[test]
fn a_small_script_takes_microseconds() {
    const RUNS: u32 = 20_000;
    let mut interpreter = interpreter();
    let mut server = Server::default();
    server.keys.insert(b"k1".to_vec(), b"v".to_vec());
    let script = interpreter
        .load(b"return redis.call('GET', KEYS[1])", Keep::Recent)
        .expect("a script");
    let start = std::time::Instant::now();
    for _ in 0..RUNS {
        match interpreter.run(&script, KEYS, ARGUMENTS, &mut server) {
            Outcome::Done(done) => assert_eq!(done.reply, Reply::bulk("v")),
            Outcome::Stopped(_) => panic!("stopped"),
        }
    }
    let run = start.elapsed() / RUNS;
    let script = b"for i = 1, 20000 do redis.call('GET', KEYS[1]) end return 1";
    let start = std::time::Instant::now();
    assert!(matches!(
        begin(&mut interpreter, script, &mut server),
        Outcome::Done(_)
    ));
    let call = start.elapsed() / RUNS;
    let start = std::time::Instant::now();
    struct Cold(Server);
    impl Host for Cold {
        fn call(&mut self, arguments: &[&[u8]], _: Protocol) -> Result<Reply, Fault> {
            self.0.calls += 1;
            if self.0.calls.is_multiple_of(2) {
                Err(Fault)
            } else {
                Ok(self.0.command(arguments))
            }
        }
        fn may_call(&mut self, _: &[&[u8]]) -> Option<bool> {
            None
        }
        fn log(&mut self, _: LogLevel, _: &[u8]) {}
        fn set_replication(&mut self, _: u8) {}
        fn pulse(&mut self) -> Pulse {
            Pulse::GoOn
        }
    }
    let mut cold = Cold(server);
    let loaded = interpreter.load(script, Keep::Recent).expect("a script");
    let mut outcome = interpreter.run(&loaded, KEYS, ARGUMENTS, &mut cold);
    let mut stops = 0;
    while let Outcome::Stopped(run) = outcome {
        stops += 1;
        outcome = interpreter.resume(run, &mut cold);
    }
    let fault = start.elapsed() / RUNS;
    println!("a run: {run:?}; a call: {call:?}; a call with a fault: {fault:?}, {stops} faults");
    assert!(stops >= RUNS - 2, "{stops}");
    assert!(run.as_micros() < 200, "{run:?}");
}
