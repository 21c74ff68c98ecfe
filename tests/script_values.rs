//! What scripts make of values: generated ones, nested and odd, go through replies, cjson, cmsgpack, struct, bit and Lua's
//! own functions, and Redkeep answers as a real redis-server does.
//!
//! `REDKEEP_VALUES_SEED=5 REDKEEP_VALUES_SCRIPTS=100000` run others, and more.

use crate::support::server::redis_is_installed;
use crate::support::{Kind, Rng, Server, env_number};

/// What scripts begin with: `dump` tells all of a value, in an order of its own.
const PRELUDE: &str = "\
local function hex(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end
local function dump(v, depth)
  local kind = type(v)
  if kind == 'number' then return string.format('%.17g', v) end
  if kind == 'string' then return '\"' .. hex(v) .. '\"' end
  if kind ~= 'table' then return kind == 'function' and kind or tostring(v) end
  if depth > 25 then return 'deep' end
  local items = {}
  for k, x in pairs(v) do items[#items + 1] = dump(k, depth + 1) .. '=' .. dump(x, depth + 1) end
  table.sort(items)
  return '{' .. table.concat(items, ',') .. '}'
end
local function try(...) return dump({pcall(...)}, 0) end
";

struct Maker(Rng);

impl Maker {
    fn pick(&mut self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        (*self.0.pick(&words)).to_owned()
    }

    fn number(&mut self) -> String {
        match self.0.below(6) {
            0 => self.0.between(-1_000_000, 1_000_000).to_string(),
            1 => format!("{}.{}", self.0.between(-100, 100), self.0.below(1000)),
            _ => self.pick(
                "0 1 -1 2 0.5 -0.5 1/3 1e15 1e16 123456789012345678 2^53 2^53+1 2^63 -2^63 2^31 -2^31 2^32 1e100 -1e100 \
                 1e-7 1/0 -1/0 0/0 -0 3.999999 -3.5 255 256 127 128 65535 65536 4294967295 9007199254740993 1e14 1e17 0.1 \
                 1e21 5e-324 0x10 0x7fffffff",
            ),
        }
    }

    fn string(&mut self) -> String {
        if self.0.one_in(4) {
            let bytes = self.0.below(12);
            return self.bytes(bytes);
        }
        self.pick(
            "'' 'a' 'abc' '\\0x' 'h\\195\\169llo' '\\n\\r\\t\\\"\\\\/' '10' '0x1F' '1e3' 'nan' 'inf' '3.7abc' \
             ('x'):rep(31) ('x'):rep(32) ('y'):rep(255) ('y'):rep(256) '\\127\\128' '<>&' '-' 'OK' '%s%d'",
        )
    }

    /// A string of bytes that mean something to cmsgpack, or nothing.
    fn bytes(&mut self, count: u64) -> String {
        const MARKERS: [u8; 20] = [
            0, 1, 0x7f, 0x80, 0x81, 0x90, 0x93, 0xa3, 0xc0, 0xc2, 0xca, 0xcb, 0xcc, 0xcf, 0xd0, 0xd3, 0xd9,
            0xda, 0xdc, 0xff,
        ];
        let mut byte = |_| match self.0.one_in(3) {
            true => format!("\\{:03}", self.0.below(256)),
            false => format!("\\{:03}", self.0.pick(&MARKERS)),
        };
        format!("'{}'", (0..count).map(&mut byte).collect::<String>())
    }

    fn scalar(&mut self) -> String {
        match self.0.below(8) {
            0..4 => self.number(),
            4..7 => self.string(),
            _ => self.pick("true false nil cjson.null print redis.error_reply('MY_error') {err='E_r'} {ok='o'} {ok=5} {}"),
        }
    }

    fn value(&mut self, depth: u32) -> String {
        if depth > 4 || self.0.one_in(2) {
            return self.scalar();
        }
        let count = *self.0.pick(&[0, 1, 1, 2, 3, 5, 17]);
        let item = |maker: &mut Maker| maker.value(depth + 1 + u32::from(count > 3));
        let items: Vec<_> = match self.0.below(4) {
            0 => {
                let key = self.pick("1 2 3 4 7 1.5 -1 0 50 'a' true 2^32 1e20");
                vec![format!("[{key}]={}", item(self))]
            }
            1 => {
                let (first, second) = (self.0.below(12), 12 + self.0.below(30));
                vec![format!("[{first}]={},[{second}]={}", item(self), item(self))]
            }
            _ => (0..count).map(|_| item(self)).collect(),
        };
        format!("{{{}}}", items.join(","))
    }

    fn json(&mut self, depth: u32) -> String {
        if depth > 4 || self.0.one_in(2) {
            return self.pick(
                r#"0 1 -1 1.5 1e3 1E+2 -0 0.1e-5 123456789012345678 1e400 01 1. .5 +1 0x10 Infinity NaN nan --1 1e 2147483648
                   "" "a" "\\u0041" "\\u00e9" "\\ud83d\\ude00" "\\ud83d" "\\udc00x" "\\u0000" "\\n\\/\\b\\f" "\\x" "a "\\u12"
                   true false null nul True tru"#,
            );
        }
        let count = self.0.below(4);
        let is_array = self.0.one_in(2);
        let items: Vec<_> = (0..count)
            .map(|_| match is_array {
                true => self.json(depth + 1),
                false => format!("{}:{}", self.pick(r#""a" "b" "1" "" 1"#), self.json(depth + 1)),
            })
            .collect();
        let (open, close) = if is_array { ("[", "]") } else { ("{", "}") };
        let close = if self.0.one_in(12) { "" } else { close };
        format!("{open}{}{close}", items.join(","))
    }

    fn format_of_struct(&mut self) -> String {
        let count = self.0.below(4);
        let mut format = self.pick("> < = ! !2 !4 !8");
        for _ in 0..=count {
            format += &self
                .pick("b B h H l L i I i1 i2 i3 i4 I8 i16 I17 T f d s c0 c1 c3 c10 x ! z i0 !3 c I32 i33 l8");
        }
        format
    }

    fn format_of_text(&mut self) -> String {
        let parts = [" |-|+|#|0|-0", "|1|5|20|99|100", "|.0|.3|.17|.99|.100"];
        let mut format = "%".to_owned();
        for part in parts {
            let choices: Vec<&str> = part.split('|').collect();
            format += *self.0.pick(&choices);
        }
        format + &self.pick("d i o u x X c s q e E g G f a p")
    }

    /// The options of cjson as they are again, for the scripts to come.
    fn with_option(&mut self) -> String {
        let (set, reset) = match self.0.below(4) {
            0 => ("cjson.encode_max_depth(3)", "cjson.encode_max_depth(1000)"),
            1 => (
                "cjson.encode_sparse_array(true, 2, 3)",
                "cjson.encode_sparse_array(false, 2, 10)",
            ),
            2 => (
                "cjson.encode_number_precision(3)",
                "cjson.encode_number_precision(14)",
            ),
            _ => (
                "cjson.encode_invalid_numbers('null')",
                "cjson.encode_invalid_numbers(false)",
            ),
        };
        let value = self.value(0);
        format!("{set} local text = try(cjson.encode, {value}) {reset} return text")
    }

    fn body(&mut self) -> String {
        match self.0.below(14) {
            0 => format!("return {}", self.value(0)),
            1 => format!("redis.setresp(3) return {}", self.value(0)),
            2 | 3 => format!("return try(cjson.encode, {})", self.value(0)),
            4 => {
                let text = self.json(0);
                format!("return try(cjson.decode, '{text}')")
            }
            5 => self.with_option(),
            6 => format!("return try(cmsgpack.pack, {})", self.value(0)),
            7 => {
                let count = self.0.below(12);
                let data = self.bytes(count);
                let call = self.pick(
                    "unpack,{} unpack_one,{},0 unpack_one,{},3 unpack_limit,{},1,0 unpack_limit,{},2,1",
                );
                format!("return try(cmsgpack.{})", call.replace("{}", &data))
            }
            8 => {
                let format = self.format_of_struct();
                let values: Vec<_> = (0..4).map(|_| self.scalar()).collect();
                format!("return try(struct.pack, '{format}', {})", values.join(", "))
            }
            9 => {
                let format = self.format_of_struct();
                let count = self.0.below(24);
                format!("return try(struct.unpack, '{format}', {})", self.bytes(count))
            }
            10 => {
                let name = self.pick("tobit bnot band bor bxor lshift rshift arshift rol ror bswap tohex");
                let (a, b) = (self.scalar(), self.number());
                format!("return try(bit.{name}, {a}, {b})")
            }
            11 => {
                let format = self.format_of_text();
                format!("return try(string.format, '{format}', {})", self.scalar())
            }
            12 => {
                let base = self.pick("10 16 2 36");
                let value = self.scalar();
                format!("local v = {value} return {{try(tonumber, v), try(tonumber, v, {base}), {value}}}")
            }
            _ => {
                let name = self.pick("string.rep string.sub string.find string.byte table.concat math.floor math.modf unpack select");
                let (a, b) = (self.value(3), self.pick("0 -1 2 1.9 'a'"));
                format!("return try({name}, {a}, {b})")
            }
        }
    }
}

/// Without addresses.
fn shown(reply: &[String]) -> String {
    let text = reply.join("\n");
    let mut parts = text.split("0x");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "0x";
        shown += part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    shown
}

#[test]
fn generated_values_are_what_they_are_in_redis() {
    if !redis_is_installed() {
        return;
    }
    let mut maker = Maker(Rng::new(env_number("REDKEEP_VALUES_SEED", 1)));
    let (redis, redkeep) = (Server::start(Kind::Redis, &[]), Server::start(Kind::Redkeep, &[]));
    let (mut redis, mut redkeep) = (redis.client(), redkeep.client());
    let scripts = env_number("REDKEEP_VALUES_SCRIPTS", 4000);
    for number in 0..scripts {
        if number == scripts / 2 {
            redis.run(&["HELLO", "3"]);
            redkeep.run(&["HELLO", "3"]);
        }
        let body = maker.body();
        let script = ["EVAL", &format!("{PRELUDE}{body}"), "0"];
        let (expected, reply) = (redis.run(&script), redkeep.run(&script));
        let (expected, reply) = (shown(&expected.lines()), shown(&reply.lines()));
        assert_eq!(reply, expected, "{body}");
    }
}
