//! Hundreds of scripts with the replies that Redis 8.2.3 gave them: `language.txt`, `libraries.txt`. A line with `>` is a
//! script, that with `=` below it the reply, and one with `3` the reply in RESP3, if it differs.

use super::*;

#[test]
fn the_language_is_as_in_redis() {
    check(include_str!("language.txt"));
}

#[test]
fn the_libraries_are_as_in_redis() {
    check(include_str!("libraries.txt"));
}

/// Replies of all types, as DEBUG PROTOCOL gives them (which scripts may not call), become values and replies again.
#[test]
fn values_of_all_types() {
    let mut interpreter = interpreter();
    for (kind, resp2, resp3) in [
        ("string", r"$11\r\nHello World\r\n", r"$11\r\nHello World\r\n"),
        ("integer", r":12345\r\n", r":12345\r\n"),
        ("double", r"$4\r\n3.25\r\n", r",3.25\r\n"),
        ("null", r"$-1\r\n", r"_\r\n"),
        ("array", r"*3\r\n:0\r\n:1\r\n:2\r\n", r"*3\r\n:0\r\n:1\r\n:2\r\n"),
        (
            "attrib",
            r"$39\r\nSome real reply following the attribute\r\n",
            r"$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "verbatim",
            r"$25\r\nThis is a verbatim\nstring\r\n",
            r"=29\r\ntxt:This is a verbatim\nstring\r\n",
        ),
        ("true", r":1\r\n", r"#t\r\n"),
        ("false", r":0\r\n", r"#f\r\n"),
        (
            "bignum",
            r"$37\r\n1234567999999999999999999999999999999\r\n",
            r"(1234567999999999999999999999999999999\r\n",
        ),
    ] {
        let call = format!("return redis.call('debug', 'protocol', '{kind}')");
        assert_eq!(shown(&mut interpreter, &call), resp2, "{kind}");
        let script = format!("redis.setresp(3) {call}");
        let reply = super::reply(&mut interpreter, &script, &mut Server::default());
        assert_eq!(
            encoded(&reply, Protocol::Resp3).escape_ascii().to_string(),
            resp3,
            "{kind}"
        );
    }
}

/// ... and what a script sees of them.
#[test]
fn fields_of_values_of_all_types() {
    let mut interpreter = interpreter();
    for (code, expected) in [
        ("tostring(call('double').double)", "3.25"),
        (
            "call('bignum').big_number",
            "1234567999999999999999999999999999999",
        ),
        ("call('verbatim').verbatim_string.format", "txt"),
        ("tostring(call('map').map[1])", "true"),
        ("tostring(call('map').map[2])", "false"),
        ("tostring(call('map').map[3])", "nil"),
        ("tostring(call('set').set[2])", "true"),
        ("tostring(call('set').set[3])", "nil"),
        ("type(call('true'))", "boolean"),
        ("type(call('null'))", "nil"),
        (
            "(redis.setresp(2) or '') .. type(call('true')) .. type(call('null'))",
            "numberboolean",
        ),
        ("#call('array')", "3"),
    ] {
        let script = format!(
            "redis.setresp(3) local call = function(kind) return redis.call('debug', 'protocol', kind) end return '' .. {code}"
        );
        assert_eq!(
            reply(&mut interpreter, &script, &mut Server::default()),
            Reply::bulk(expected),
            "{code}"
        );
    }
    assert_eq!(
        shown(&mut interpreter, "return redis.call('debug', 'protocol', 'map')"),
        r"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n"
    );
    assert_eq!(
        shown(&mut interpreter, "return redis.call('debug', 'protocol', 'set')"),
        r"*3\r\n:0\r\n:1\r\n:2\r\n"
    );
}

fn check(cases: &str) {
    let mut interpreter = interpreter();
    let mut wrong = Vec::new();
    let (mut script, mut reply, mut count) = ("", Reply::Nothing, 0);
    for line in cases.lines() {
        let (kind, text) = line.split_at(2);
        let protocol = match kind {
            "> " => {
                let ran = super::reply(&mut interpreter, text, &mut Server::default());
                (script, reply) = (text, ran);
                continue;
            }
            "= " => Protocol::Resp2,
            "3 " => Protocol::Resp3,
            other => panic!("{other}"),
        };
        count += 1;
        let got = encoded(&reply, protocol);
        if got != unescaped(text) {
            wrong.push(format!(
                "{script}\n  redis: {text}\n  here:  {}",
                got.escape_ascii()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 200, "{count}");
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b'x') => {
                    let mut digit = || {
                        rest.next()
                            .and_then(|digit| char::from(digit).to_digit(16))
                            .expect("a digit")
                    };
                    (digit() * 16 + digit()) as u8
                }
                other => other.expect("an escape"),
            },
            byte => byte,
        };
        bytes.push(byte);
    }
    bytes
}
