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
            wrong.push(format!("{script}\n  redis: {text}\n  here:  {}", got.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong\n{}", wrong.len(), wrong.join("\n"));
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
                    let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).expect("a digit");
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
