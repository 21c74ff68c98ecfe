"""make.py SERVER NAME: has a real server fill itself with values of every encoding, and writes NAME.rdb, what it saves, and NAME.txt,
what it answers. A line of the latter is a key:

    database key type deadline value dump

The value is as `src/rdb/tests/shown.rs` shows it, or the SHA-1 of that if it is long; the dump, in hex, is there if it is short ("-"
otherwise). All bytes are escaped as Rust's `escape_ascii` does. Needs only the standard library.
"""
import hashlib, os, shutil, socket, struct, subprocess, sys, tempfile, time

SHORT = 600
FAR = 4102444800000


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def __call__(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.socket.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args))
        return self.reply()

    def reply(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]


def fill(c):
    for i in (0, -1, 127, -129, 32767, 2**31 - 1, 2**31, -2**31 - 1, 2**63 - 1, -2**63):
        c("SET", f"int:{i}", i)
    for n in (0, 1, 63, 64, 300, 20000):
        c("SET", f"str:{n}", "x" * n)
    c("SET", "str:pieces", "".join(chr(97 + i * i % 23) * (i % 5) + "the same words again " for i in range(60)))
    c("SET", bytes([0, 255, 13, 10]), bytes(range(256)), "PXAT", FAR + 123)
    for name, n in (("small", 5), ("large", 700)):
        for i in range(n):
            c("RPUSH", f"list:{name}", f"element-{i}" if i % 3 else i)
            c("SADD", f"intset16:{name}", i)
            c("ZADD", f"zset:{name}", i * 0.1 - 3, f"member-{i}")
            c("HSET", f"hash:{name}", f"field-{i}", f"value-{i}" if i % 2 else i * 1000003)
        for i in range(min(n, 200)):
            c("SADD", f"set:{name}", f"member-{i}")
            c("SADD", f"intset64:{name}", i * 10**12 - 10**13)
    c("RPUSH", "list:long", "y" * 10000, "short")
    c("RPUSH", "list:ints", -1, 0, 12, 13, 4095, -4096, 8388607, 2**31, 2**63 - 1)
    c("HSET", "hash:long", "f", "z" * 100)
    c("SADD", "intset32", 70000, -70000)
    c("ZADD", "zset:special", "inf", "a", "-inf", "b", 0, "c", "1e300", "e", "3.0000000000000004", "f", 2**53, "g")
    c("HSET", "hash:ttl", "keep", "1", "far", "2", "odd", "3")
    c("HPEXPIREAT", "hash:ttl", FAR, "FIELDS", 1, "far")
    c("HPEXPIREAT", "hash:ttl", FAR + 777, "FIELDS", 1, "odd")
    c("HSET", "hash:ttl:long", "keep", "z" * 100, "far", "2")
    c("HPEXPIREAT", "hash:ttl:long", FAR, "FIELDS", 1, "far")
    for i in range(1, 131):
        c("XADD", "stream", f"{1000 + i // 3}-{i}", "name", f"n{i}", "same", "s", *(("extra", i) if i % 7 == 0 else ()))
    c("XADD", "stream:deleted", "5-1", "a", "b")
    c("XADD", "stream:deleted", "5-2", "a", "c", "d", "e")
    c("XDEL", "stream:deleted", "5-1")
    c("XGROUP", "CREATE", "stream", "g1", "0")
    c("XGROUP", "CREATE", "stream", "g2", "$")
    c("XREADGROUP", "GROUP", "g1", "alice", "COUNT", 7, "STREAMS", "stream", ">")
    c("XREADGROUP", "GROUP", "g1", "bob", "COUNT", 3, "STREAMS", "stream", ">")
    c("XACK", "stream", "g1", "1002-6")
    c("XGROUP", "CREATECONSUMER", "stream", "g1", "idle")
    c("XGROUP", "CREATE", "stream:nodata", "g", "$", "MKSTREAM")
    c("PFADD", "hll", *range(50))
    c("FUNCTION", "LOAD", "#!lua name=counting\nredis.register_function('one', function() return 1 end)")
    c("SELECT", 3)
    c("SET", "in:three", "3")
    c("SELECT", 0)


def escape(data):
    if not isinstance(data, bytes):
        data = str(data).encode()
    named = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    return "".join(named.get(b) or (chr(b) if 32 < b < 127 else f"\\x{b:02x}") for b in data)


def pairs(flat):
    return list(zip(flat[::2], flat[1::2]))


def value(c, key, kind):
    if kind == b"string":
        return escape(c("GET", key))
    if kind == b"list":
        return ",".join(map(escape, c("LRANGE", key, 0, -1)))
    if kind == b"set":
        return ",".join(map(escape, sorted(c("SMEMBERS", key))))
    if kind == b"zset":
        return ",".join(f"{escape(m)}={struct.pack('>d', float(s)).hex()}" for m, s in sorted(pairs(c("ZRANGE", key, 0, -1, "WITHSCORES"))))
    if kind == b"hash":
        fields = sorted(pairs(c("HGETALL", key)))
        times = c("HPEXPIRETIME", key, "FIELDS", len(fields), *[f for f, _ in fields])
        times = times if isinstance(times, list) else [-1] * len(fields)
        return ",".join(f"{escape(f)}={escape(v)}" + (f"@{t}" if t >= 0 else "") for (f, v), t in zip(fields, times))
    entries = ",".join(f"{escape(i)}=" + "+".join(map(escape, f)) for i, f in c("XRANGE", key, "-", "+"))
    info = dict(pairs(c("XINFO", "STREAM", key, "FULL", "COUNT", 0)))
    out = [entries, escape(info[b"last-generated-id"])]
    for group in map(dict, map(pairs, info[b"groups"])):
        owned = ",".join(f"{escape(i)}={escape(n)}/{t}/{k}" for i, n, t, k in group.get(b"pel", group.get(b"pending")))
        names = ",".join(escape(dict(pairs(k))[b"name"]) for k in group[b"consumers"])
        out.append(f"{escape(group[b'name'])}:{escape(group[b'last-delivered-id'])}:{owned}:{names}")
    return ";".join(out)


def main():
    server, name = sys.argv[1:]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([server, "--port", str(port), "--dir", folder, "--save", ""], stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    c = Client(port)
                    break
                except OSError:
                    time.sleep(0.05)
            fill(c)
            assert c("SAVE") == b"OK"
            with open(name + ".txt", "w") as out:
                for database in (0, 3):
                    c("SELECT", database)
                    for key in sorted(c("KEYS", "*")):
                        kind, dump, left = c("TYPE", key), c("DUMP", key), c("PTTL", key)
                        deadline = FAR + 123 if left >= 0 else "-"
                        short = dump.hex() if len(dump) < SHORT else "-"
                        shown = value(c, key, kind)
                        shown = shown if len(shown) < SHORT else "sha1:" + hashlib.sha1(shown.encode()).hexdigest()
                        print(database, escape(key), kind.decode(), deadline, shown or '""', short, file=out)
            shutil.move(os.path.join(folder, "dump.rdb"), name + ".rdb")
        finally:
            process.terminate()
            process.wait()


main()
