//! Libraries: what they register, what they see while they are loaded, and their functions, with the replies of Redis 8.2.3.

use std::time::Duration;

use super::*;
use crate::script::{Flags, Function, Loading};

fn load(interpreter: &mut Interpreter, code: &str) -> Result<Vec<Function>, String> {
    let mut loading = Loading::new(Some(Duration::from_millis(200)), |_, _| {});
    interpreter
        .load_library(code.as_bytes(), &mut loading)
        .map_err(|error| String::from_utf8_lossy(&error).into_owned())
}

fn call(interpreter: &mut Interpreter, function: &Function, server: &mut Server) -> String {
    match interpreter.run_function(function, KEYS, ARGUMENTS, server) {
        Outcome::Done(done) => encoded(&done.reply, Protocol::Resp2).escape_ascii().to_string(),
        Outcome::Stopped(run) => {
            interpreter.abort(run);
            "it has stopped".to_owned()
        }
    }
}

#[test]
fn functions_are_registered_in_both_forms_and_called_with_keys_and_arguments() {
    let mut interpreter = interpreter();
    let code = "\nlocal calls = 0\n\
        redis.register_function('first', function(keys, args) calls = calls + 1 return {keys[2], args[1], calls} end)\n\
        redis.register_function{function_name='second', description='text', flags={'no-writes', 'ALLOW-OOM'},\n\
            callback=function() return redis.call('GET', 'k') end}";
    let functions = load(&mut interpreter, code).expect("it is loaded");
    let [first, second] = &functions[..] else {
        panic!("{functions:?}")
    };
    assert_eq!((first.name(), first.description()), (&b"first"[..], None));
    assert_eq!(second.description(), Some(&b"text"[..]));
    assert_eq!(first.flags(), Flags::empty());
    assert_eq!(second.flags(), Flags::NO_WRITES | Flags::ALLOW_OOM);
    assert!(second.flags().names().eq(["no-writes", "allow-oom"]));
    let server = &mut Server::default();
    for calls in 1..4 {
        let expected = format!(r"*3\r\n$2\r\nk2\r\n$2\r\na1\r\n:{calls}\r\n");
        assert_eq!(call(&mut interpreter, first, server), expected);
    }
    server.keys.insert(b"k".to_vec(), b"v".to_vec());
    assert_eq!(call(&mut interpreter, second, server), r"$1\r\nv\r\n");
    server.faults_after = Some(0);
    assert_eq!(call(&mut interpreter, second, server), "it has stopped");
}

#[test]
fn libraries_are_kept_by_number_until_they_are_forgotten() {
    let mut interpreter = interpreter();
    let code = "\nlocal t = {('x'):rep(1000000)} redis.register_function('f', function() return #t[1] end)";
    for number in [3, 5] {
        let functions = load(&mut interpreter, code).expect("it is loaded");
        interpreter.keep_library(number, functions);
    }
    let kept = interpreter.memory();
    let function = interpreter.library(3).expect("it is there")[0].clone();
    interpreter.retain_libraries(|number| number == 3);
    assert!(interpreter.library(5).is_none());
    interpreter.collect();
    assert!(interpreter.memory() + 900_000 < kept);
    let reply = call(&mut interpreter, &function, &mut Server::default());
    assert_eq!(reply, r":1000000\r\n");
}

#[test]
fn errors_of_functions_name_them() {
    let mut interpreter = interpreter();
    let code = "\nlocal register = redis.register_function\n\
        register('late', function() register('more', function() end) end)\n\
        register('none', function() return redis.register_function('a', 1) end)\n\
        register('keys', function() return KEYS end)\n\
        register('arguments', function() return ARGV end)\n\
        register('boom', function() error('boom') end)\n\
        register('nope', function() return redis.call('nope') end)\n\
        register('writes', function() a = 1 end)";
    let functions = load(&mut interpreter, code).expect("it is loaded");
    let expected = [
        r"-ERR redis.register_function can only be called on FUNCTION LOAD command script: late, on @user_function:3.",
        r"-ERR user_function:4: attempt to call field 'register_function' (a nil value) script: none, on @user_function:4.",
        r"-ERR user_function:5: Script attempted to access nonexistent global variable 'KEYS' script: keys, on @user_function:5.",
        r"-ERR user_function:6: Script attempted to access nonexistent global variable 'ARGV' script: arguments, on @user_function:6.",
        r"-ERR user_function:7: boom script: boom, on @user_function:7.",
        r"-ERR Unknown Redis command called from script script: nope, on @user_function:8.",
        r"-ERR user_function:9: Attempt to modify a readonly table script: writes, on @user_function:9.",
    ];
    let server = &mut Server::default();
    // A script has KEYS and ARGV, whatever ran before.
    assert_eq!(
        shown(&mut interpreter, "return KEYS[1] .. ARGV[1]"),
        r"$4\r\nk1a1\r\n"
    );
    for (function, expected) in functions.iter().zip(expected) {
        let reply = call(&mut interpreter, function, server);
        assert_eq!(reply.replace("\\'", "'"), [expected, r"\r\n"].concat());
    }
    assert_eq!(
        shown(&mut interpreter, "return redis.register_function"),
        r"$-1\r\n"
    );
}

#[test]
fn what_a_library_does_wrong_is_told_and_leaves_nothing() {
    let mut interpreter = interpreter();
    interpreter.collect();
    let before = interpreter.memory();
    for (code, error) in [
        (
            "\nx",
            "compiling function: user_function:2: '=' expected near '<eof>'",
        ),
        (
            "\n\x1bLua",
            "compiling function: user_function:2: unexpected symbol near 'char(27)'",
        ),
        (
            "\nwhile true do end",
            "registering functions: ERR FUNCTION LOAD timeout",
        ),
        (
            "\nredis.register_function('a', function() end) a()",
            "registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'a'",
        ),
        (
            "\nredis.call('GET', 'k')",
            "registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'",
        ),
        (
            "\nlocal t = string.format('x')",
            "registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'string'",
        ),
        (
            "\nredis.x = 1",
            "registering functions: ERR user_function:2: Attempt to modify a readonly table",
        ),
        (
            "\nx = 1",
            "registering functions: ERR user_function:2: Attempt to modify a readonly table",
        ),
    ] {
        let told = load(&mut interpreter, code).map(drop);
        assert_eq!(told, Err(format!("Error {error}")), "{code}");
        // The globals are those of scripts again.
        assert_eq!(
            shown(&mut interpreter, "return string.format('x')"),
            r"$1\r\nx\r\n"
        );
    }
    let grows = "\nlocal t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end";
    assert!(load(&mut interpreter, grows).is_err());
    interpreter.collect();
    let after = interpreter.memory();
    assert!(after < before + (64 << 10), "{before} to {after} bytes");
}
