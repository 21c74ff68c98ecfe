"""redis-py against the server on the port given: strings, bitmaps, keys, pipelines, transactions, messages, RESP2 and RESP3,
connections."""

import sys
import threading
import time

import redis
import redis.backoff
import redis.retry

PORT = int(sys.argv[1])
checks = 0


def connect(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, socket_timeout=20, **options)


def equal(actual, expected):
    global checks
    checks += 1
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


def raises(kind, text, call):
    global checks
    checks += 1
    try:
        call()
    except kind as error:
        assert text in str(error), f"expected {text!r} in {error!r}"
    else:
        raise AssertionError(f"{kind.__name__} expected")


def strings(r):
    equal(r.set("k", "v"), True)
    equal(r.get("k"), b"v")
    equal(r.get("missing"), None)
    equal(r.set("k", "w", nx=True), None)
    equal(r.set("k", "w", xx=True, get=True), b"v")
    equal(r.set("k", b"\x00\xff", ex=100, get=True), b"w")
    equal(90 < r.ttl("k") <= 100, True)
    equal(r.set("k", "x", keepttl=True), True)
    equal(r.getex("k", persist=True), b"x")
    equal(r.ttl("k"), -1)
    equal(r.getdel("k"), b"x")
    equal(r.mset({"a": 1, "b": 2, "c": "three"}), True)
    equal(r.mget("a", "missing", "c"), [b"1", None, b"three"])
    equal(r.msetnx({"c": 1, "d": 2}), False)
    equal(r.incr("a"), 2)
    equal(r.incrby("a", 40), 42)
    equal(r.decr("a", 2), 40)
    equal(r.incrbyfloat("f", 1.5), 1.5)
    equal(r.append("c", "!"), 6)
    equal(r.strlen("c"), 6)
    equal(r.setrange("c", 0, "T"), 6)
    equal(r.getrange("c", 0, -2), b"Three")
    equal(r.lcs("c", "c", len=True), 6)
    raises(redis.ResponseError, "value is not an integer", lambda: r.incr("c"))
    large = b"x" * 3_000_000
    equal(r.set("large", large), True)
    equal(r.get("large") == large, True)


def bitmaps(r):
    equal(r.setbit("bits", 7, 1), 0)
    equal(r.getbit("bits", 7), 1)
    equal(r.bitcount("bits"), 1)
    equal(r.bitpos("bits", 1), 7)
    equal(r.bitcount("bits", 0, 7, "BIT"), 1)
    equal(r.bitop("NOT", "flipped", "bits"), 1)
    equal(r.get("flipped"), b"\xfe")
    field = r.bitfield("field", default_overflow="SAT")
    equal(field.set("u8", 0, 250).incrby("u8", 0, 100).get("u8", 0).execute(), [0, 255, 255])


def keys(r):
    with r.pipeline(transaction=False) as pipe:
        for n in range(1000):
            pipe.set(f"scan:{n}", n)
        equal(pipe.execute(), [True] * 1000)
    equal({*r.scan_iter("scan:*", count=50)}, {f"scan:{n}".encode() for n in range(1000)})
    equal(len(r.keys("scan:99?")), 10)
    equal(r.exists("scan:1", "scan:2", "missing"), 2)
    equal(r.delete(*[f"scan:{n}" for n in range(500)]), 500)
    equal(r.unlink("scan:500", "missing"), 1)
    equal(r.type("scan:501"), b"string")
    equal(r.rename("scan:501", "renamed"), True)
    raises(redis.ResponseError, "no such key", lambda: r.rename("missing", "x"))
    equal(r.copy("renamed", "copied", replace=True), True)
    equal(r.expire("copied", 100, nx=True), True)
    equal(r.expire("copied", 50, gt=True), False)
    equal(r.pexpireat("copied", 33177117420000), True)
    equal(r.expiretime("copied"), 33177117420)
    equal(r.persist("copied"), True)
    equal(r.touch("copied", "missing"), 1)
    equal(r.object("encoding", "copied"), b"int")
    equal(r.randomkey() is not None, True)
    equal(r.set("short", "lived", px=30), True)
    time.sleep(0.1)
    equal(r.get("short"), None)


def server(r):
    equal(r.ping(), True)
    equal(r.echo("hello"), b"hello")
    equal(r.client_setname("tester"), True)
    equal(r.client_getname() in ("tester", b"tester"), True)
    equal(r.client_info()["name"], "tester")
    equal(r.client_id() > 0, True)
    equal(any(client["name"] == "tester" for client in r.client_list()), True)
    equal("redis_version" in r.info("server"), True)
    equal(r.info("keyspace")["db0"]["keys"], r.dbsize())
    equal(r.config_get("appendfsync"), {"appendfsync": "everysec"})
    equal(r.config_set("timeout", 0), True)
    equal("get" in r.command(), True)
    equal(r.command_count() > 50, True)
    keys = r.command_getkeys("MSET", "a", 1, "b", 2)
    equal(keys in (["a", "b"], [b"a", b"b"]), True)
    equal(abs(r.time()[0] - time.time()) < 60, True)


def databases():
    one, two = connect(db=1), connect(db=2)
    equal(one.set("k", "one"), True)
    equal(two.get("k"), None)
    equal(one.move("k", 2), True)
    equal(two.get("k"), b"one")
    equal(one.swapdb(1, 2), True)
    equal(one.get("k"), b"one")
    equal(one.flushdb(), True)
    equal(one.dbsize(), 0)


def password():
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    r = connect(single_connection_client=True)
    equal(r.config_set("requirepass", "secret"), True)
    raises(redis.AuthenticationError, "Authentication required", lambda: connect(protocol=2, retry=once).get("k"))
    raises(redis.AuthenticationError, "invalid username-password pair", lambda: connect(password="wrong", retry=once).ping())
    equal(connect(password="secret").ping(), True)
    named = connect(username="default", password="secret", protocol=3, client_name="named")
    equal(named.client_getname() in ("named", b"named"), True)
    equal(r.config_set("requirepass", ""), True)


def transactions(r):
    with r.pipeline(transaction=True) as pipe:
        replies = pipe.set("k", "v").incr("n").rpush("l", "a", "b").lrange("l", 0, -1).hset("h", mapping={"f": 1}).execute()
    equal(replies, [True, 1, 2, [b"a", b"b"], 1])
    with r.pipeline() as pipe:
        pipe.set("k", "w").incr("k").get("k")
        raises(redis.ResponseError, "Command # 2 (INCRBY k 1)", pipe.execute)
        equal(r.get("k"), b"w")
        replies = pipe.incr("k").get("k").execute(raise_on_error=False)
        equal([type(replies[0]), replies[1]], [redis.ResponseError, b"w"])
        pipe.execute_command("GET")
        raises(redis.ResponseError, "wrong number of arguments", pipe.execute)
    with r.pipeline() as pipe:
        pipe.watch("n")
        n = int(pipe.get("n"))
        r.set("n", 40)
        pipe.multi()
        pipe.set("n", n + 1)
        raises(redis.WatchError, "Watched variable changed", pipe.execute)
        pipe.watch("n")
        pipe.unwatch()
        equal(r.get("n"), b"40")

    def double(pipe):
        n = int(pipe.get("n"))
        pipe.multi()
        pipe.set("n", 2 * n)

    equal(r.transaction(double, "n"), [True])
    equal(r.get("n"), b"80")
    with r.pipeline() as pipe:
        for n in range(10000):
            pipe.zadd("many", {f"m{n}": n})
        equal(sum(pipe.execute()), 10000)
    equal(r.zcard("many"), 10000)


def scripts(r):
    double = r.register_script("return redis.call('incrby', KEYS[1], redis.call('get', KEYS[1]))")
    equal(r.set("n", 4), True)
    equal(double(keys=["n"]), 8)
    equal(r.script_flush(), True)
    equal(double(keys=["n"]), 16)
    equal(r.script_exists(double.sha, "0" * 40), [True, False])
    with r.pipeline() as pipe:
        pipe.incr("n")
        double(keys=["n"], client=pipe)
        equal(pipe.execute(), [17, 34])
    lock = r.lock("lock", timeout=60, blocking=False)
    equal(lock.acquire(), True)
    equal(r.lock("lock", timeout=60, blocking=False).acquire(), False)
    equal(lock.owned(), True)
    equal(lock.extend(60), True)
    equal(100 < r.ttl("lock") <= 120, True)
    equal(lock.reacquire(), True)
    lock.release()
    raises(redis.exceptions.LockError, "already unlocked", lock.release)
    equal(lock.acquire(), True)
    equal(r.set("lock", "stolen"), True)
    raises(redis.exceptions.LockNotOwnedError, "no longer own", lock.release)
    equal(r.delete("lock"), 1)
    with r.lock("lock", timeout=60):
        equal(r.exists("lock"), 1)
    equal(r.exists("lock"), 0)


def rivals():
    """Each tries again until nobody has come in between."""

    def increment():
        r = connect()
        for _ in range(50):
            while True:
                with r.pipeline() as pipe:
                    try:
                        pipe.watch("rivals")
                        n = int(pipe.get("rivals") or 0)
                        pipe.multi()
                        pipe.set("rivals", n + 1).rpush("order", n)
                        pipe.execute()
                        break
                    except redis.WatchError:
                        continue

    workers = [threading.Thread(target=increment) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    equal(connect().get("rivals"), b"400")
    equal(connect().lrange("order", 0, -1), [str(n).encode() for n in range(400)])


def messages():
    """A thread that listens, channels that are all alike or of a slot, and messages that pipelines and scripts send."""
    for protocol in (2, 3):
        r = connect(protocol=protocol)
        pubsub = r.pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe("news", "sport")
        pubsub.psubscribe("n[a-f]ws")
        pubsub.ssubscribe("news")
        for _ in range(4):
            equal(pubsub.get_message(timeout=20), None)
        equal(r.publish("news", b"\x00\r\n"), 2)
        equal(r.spublish("news", "shard"), 1)
        with r.pipeline() as pipe:
            pipe.set("k", 1).publish("sport", "in").incr("k").publish("sport", "order")
            equal(pipe.execute(), [True, 1, 2, 1])
        equal(r.eval("return redis.call('publish', KEYS[1], ARGV[1])", 1, "sport", "script"), 1)
        got = [pubsub.get_message(timeout=20) for _ in range(6)]
        equal([m["type"] for m in got], ["message", "pmessage", "smessage"] + 3 * ["message"])
        equal([m["data"] for m in got], 2 * [b"\x00\r\n"] + [b"shard", b"in", b"order", b"script"])
        equal(pubsub.ping("still there") is not False, True)
        equal(pubsub.get_message(timeout=20)["data"], b"still there")
        equal(r.pubsub_numsub("news", "other"), [(b"news", 1), (b"other", 0)])
        equal(r.pubsub_shardnumsub("news"), [(b"news", 1)])
        equal(sorted(r.pubsub_channels()), [b"news", b"sport"])
        equal(r.pubsub_numpat(), 1)
        for leave in (pubsub.unsubscribe, pubsub.punsubscribe, pubsub.sunsubscribe):
            leave()
        while pubsub.subscribed:
            pubsub.get_message(timeout=20)
        equal(r.publish("news", "nobody"), 0)
        pubsub.close()
    got = []
    pubsub = connect().pubsub()
    pubsub.subscribe(numbers=lambda message: got.append(int(message["data"])))
    thread = pubsub.run_in_thread(sleep_time=0.01)
    r = connect()
    while r.pubsub_numsub("numbers")[0][1] == 0:
        time.sleep(0.01)
    for n in range(1000):
        r.publish("numbers", n)
    deadline = time.monotonic() + 20
    while len(got) < 1000 and time.monotonic() < deadline:
        time.sleep(0.01)
    equal(got, list(range(1000)))
    thread.stop()
    thread.join()


def threads():
    pool = redis.ConnectionPool(host="127.0.0.1", port=PORT, max_connections=8)

    def work():
        r = redis.Redis(connection_pool=pool)
        for _ in range(100):
            r.incr("shared")

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    equal(connect().get("shared"), b"800")


for protocol in (2, 3):
    r = connect(protocol=protocol)
    for part in (strings, bitmaps, keys, server, transactions, scripts):
        part(r)
    equal(r.flushall(), True)
equal(connect(decode_responses=True).set("text", "grün"), True)
equal(connect(decode_responses=True).get("text"), "grün")
databases()
password()
messages()
threads()
rivals()
print(f"redis-py {redis.__version__}: {checks} checks")
