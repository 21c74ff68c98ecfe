//! Scripts that want too much: of memory, of the stack, of time.

use super::*;

/// The start of the error that a script ends with.
#[track_caller]
fn fails(interpreter: &mut Interpreter, script: &str, with: &str) {
    let reply = shown(interpreter, script);
    assert!(
        reply.contains(with),
        "{script}: {}",
        &reply[..reply.len().min(300)]
    );
    assert_eq!(shown(interpreter, "return 5"), r":5\r\n");
}

#[test]
fn memory_is_bounded() {
    let mut interpreter = interpreter();
    const TOO_MUCH: &str = "not enough memory: all scripts together may take 16777216 bytes";
    for script in [
        "return string.rep('x', 1e8)",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local t = {} for i = 1, 1e9 do t[i] = 'text' .. i end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t = {t} end",
        "local t = {} for i = 1, 100 do t[i] = string.rep('x', 1e6) end return table.concat(t)",
        "local t = {} for i = 1, 1e4 do t[i] = string.rep('x', 600) end return cjson.encode({t, t, t})",
        "local c = cjson.new() c.encode_sparse_array(false, 0) return c.encode({[2^31 - 1] = 1})",
        "local t = {} for i = 1, 1e4 do t[i] = string.rep('x', 600) end return cmsgpack.pack({t, t, t})",
        "return struct.pack('c0', string.rep('x', 1e7)) .. 'x'",
        "local s = string.rep('x', 1e7) return (s:gsub('x', 'xxxxxxxxxx'))",
        "local t = {} for i = 1, 1e6 do t[i] = coroutine.create(function() end) end",
    ] {
        fails(&mut interpreter, script, "not enough memory");
        assert!(interpreter.memory() < MEMORY * 2, "{}", interpreter.memory());
    }
    fails(&mut interpreter, "return string.rep('x', 1e8)", TOO_MUCH);
    assert_eq!(
        shown(&mut interpreter, "return {pcall(string.rep, 'x', 1e8)}"),
        r"*2\r\n$-1\r\n$17\r\nnot enough memory\r\n"
    );
    interpreter.set_memory_limit(0);
    assert_eq!(
        shown(&mut interpreter, "return #string.rep('x', 1e8)"),
        r":100000000\r\n"
    );
}

#[test]
fn garbage_is_collected_before_the_limit_is_met() {
    let mut interpreter = interpreter();
    let script = "local keep = string.rep('k', 3e6) local n = 0 for i = 1, 3000 do local s = string.rep('x', 1e4 + i) n = n + #s for j = 1, 100 do end end return #keep";
    assert_eq!(shown(&mut interpreter, script), r":3000000\r\n");
    for _ in 0..20 {
        assert_eq!(
            shown(&mut interpreter, "return #string.rep('x', 2.5e6)"),
            r":2500000\r\n"
        );
    }
}

#[test]
fn recursion_is_bounded() {
    let mut interpreter = interpreter();
    for (script, error) in [
        (
            "local function f() return 1 + f() end return f()",
            "stack overflow",
        ),
        (
            "local function f() return (('x'):gsub('x', f)) end return f()",
            "C stack overflow",
        ),
        (
            "local function f() return table.concat({(('x'):gsub('x', f))}) end return f()",
            "C stack overflow",
        ),
        (
            "local function f() return coroutine.wrap(f)() end return f()",
            "C stack overflow",
        ),
        (
            "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x",
            "C stack overflow",
        ),
        (
            "local t = {} setmetatable(t, {__index = t}) return t.x",
            "loop in gettable",
        ),
        (
            "local function f() return f() + (xpcall(f, f) and 1) end return f()",
            "stack overflow",
        ),
        ("return ('x'):find(('x?'):rep(100000))", "pattern too complex"),
        ("return ('x'):match(('('):rep(50000))", "pattern too complex"),
        (
            "return loadstring(('('):rep(100000))()",
            "attempt to call a nil value",
        ),
        (
            "return loadstring('return ' .. ('{'):rep(100000))()",
            "attempt to call a nil value",
        ),
    ] {
        fails(&mut interpreter, script, error);
    }
    for script in [
        "return ('x'):rep(9999):find(('x?'):rep(9999))",
        "return select('#', loadstring('return ' .. ('-'):rep(1000) .. '1'))",
        "local function f(n) return pcall(function() return n > 0 and f(n - 1) end) end return f(60) and 1",
        "local c = cjson.new() c.encode_max_depth(2^31 - 1) local t = {} for i = 1, 5e4 do t = {t} end return (pcall(c.encode, t)) and 1 or 2",
        "local c = cjson.new() c.decode_max_depth(2^31 - 1) return (pcall(c.decode, ('['):rep(1e6))) and 1 or 2",
        "return (pcall(cmsgpack.unpack, ('\\145'):rep(1e6))) and 1 or 2",
        "local t = {} t[1] = t return #cmsgpack.pack(t)",
    ] {
        let reply = shown(&mut interpreter, script);
        assert!(reply.starts_with(':'), "{script}: {reply}");
    }
}

#[test]
fn replies_are_bounded() {
    let mut interpreter = interpreter();
    for script in [
        "local t = {} t[1] = t return t",
        "local t = {} t.map = t return t",
        "local t = {map = {}} t.map.x = t return t",
        "local t = {} for i = 1, 5000 do t = {t} end return t",
    ] {
        fails(&mut interpreter, script, "-ERR reached lua stack limit");
    }
    for script in [
        "local t = {} t[1] = t t[2] = t return t",
        "local t = {set = {}} t.set[t] = true t.set[{t}] = true t.set[{t, t}] = true return t",
        "local s = string.rep('x', 1e6) local t = {} for i = 1, 100 do t[i] = s end return t",
    ] {
        fails(
            &mut interpreter,
            script,
            "takes more memory than scripts may take",
        );
    }
}

#[test]
fn calls_of_many_arguments_work_and_deep_replies_come() {
    let mut interpreter = interpreter();
    let script = "local t = {} for i = 1, 7000 do t[i] = i end return redis.call('nope', unpack(t))";
    assert!(shown(&mut interpreter, script).contains("Unknown Redis command"));
    assert_eq!(
        shown(&mut interpreter, "return unpack(KEYS) and #{unpack(ARGV)}"),
        r":2\r\n"
    );
}
