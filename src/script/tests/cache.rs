//! The cache of scripts, and what their first lines declare.

use super::*;
use crate::script::Flags;

#[test]
fn scripts_of_eval_leave_and_loaded_ones_stay() {
    let mut interpreter = interpreter();
    let load = |interpreter: &mut Interpreter, number: u32, keep| {
        let script = interpreter
            .load(format!("return {number}").as_bytes(), keep)
            .expect("a script");
        script.sha().to_vec()
    };
    let first = load(&mut interpreter, 0, Keep::Recent);
    let kept = load(&mut interpreter, 1, Keep::Always);
    let promoted = load(&mut interpreter, 2, Keep::Recent);
    assert_eq!(promoted, load(&mut interpreter, 2, Keep::Always));
    assert!(interpreter.find(&first.to_ascii_uppercase()).is_some());
    assert!(interpreter.find(b"short").is_none() && !interpreter.contains(b"short"));
    for number in 10..509 {
        load(&mut interpreter, number, Keep::Recent);
    }
    assert_eq!((interpreter.scripts(), interpreter.evicted_scripts()), (502, 0));
    // It was used before the others came.
    load(&mut interpreter, 1000, Keep::Recent);
    assert!(!interpreter.contains(&first));
    assert!(interpreter.contains(&kept) && interpreter.contains(&promoted));
    assert_eq!((interpreter.scripts(), interpreter.evicted_scripts()), (502, 1));
    assert!(interpreter.scripts_memory() > 502 * 8);
}

#[test]
fn a_million_scripts_take_no_more_memory_than_the_last() {
    let mut interpreter = interpreter();
    let mut peak = 0;
    for number in 0..20_000 {
        let text = format!("local x = {number} return redis.call('echo', x)");
        interpreter.load(text.as_bytes(), Keep::Recent).expect("a script");
        if number == 2000 {
            interpreter.collect();
            peak = interpreter.memory();
        }
    }
    interpreter.collect();
    assert!(
        interpreter.memory() < peak * 11 / 10,
        "{} {peak}",
        interpreter.memory()
    );
    assert_eq!(interpreter.scripts(), 500);
}

#[test]
fn what_a_script_declares() {
    let mut interpreter = interpreter();
    for (text, flags) in [
        ("return 1", Flags::UNDECLARED),
        ("#!lua\nreturn 1", Flags::empty()),
        ("#!lua flags=\nreturn 1", Flags::empty()),
        ("#!lua flags=no-writes\nreturn 1", Flags::NO_WRITES),
        (
            "#!lua flags=allow-oom,allow-stale,no-cluster flags=allow-cross-slot-keys\nreturn 1",
            Flags::ALLOW_OOM | Flags::ALLOW_STALE | Flags::NO_CLUSTER | Flags::ALLOW_CROSS_SLOT_KEYS,
        ),
    ] {
        let script = interpreter.load(text.as_bytes(), Keep::Recent).expect(text);
        assert_eq!(script.flags(), flags, "{text}");
        assert_eq!(script.source(), text.as_bytes());
        assert_eq!(shown(&mut interpreter, text), r":1\r\n");
    }
}

/// As Redis 8.2.3 answers.
#[test]
fn what_is_wrong_with_a_declaration() {
    let mut interpreter = interpreter();
    for (text, error) in [
        ("#!lua", "ERR Invalid script shebang"),
        ("#!\nreturn 1", "ERR Unexpected engine in script shebang: #!"),
        (
            "#!python\nreturn 1",
            "ERR Unexpected engine in script shebang: #!python",
        ),
        ("#!lua 'x\nreturn 1", "ERR Invalid engine in script shebang"),
        (
            "#!lua flags=what\nreturn 1",
            "ERR Unexpected flag in script shebang: what",
        ),
        (
            "#!lua flags=no-writes,\nreturn 1",
            "ERR Unexpected flag in script shebang: ",
        ),
        ("#!lua name=x\nreturn 1", "ERR Unknown lua shebang option: name=x"),
        (
            "#!lua\nreturn (",
            "ERR Error compiling script (new function): user_script:2: unexpected symbol near '<eof>'",
        ),
    ] {
        assert_eq!(
            reply(&mut interpreter, text, &mut Server::default()),
            Reply::err(error)
        );
    }
}
