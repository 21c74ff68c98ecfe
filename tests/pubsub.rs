//! Subscribers from the outside: who gets what and in which order, as a real redis-server has it; that nobody is told of what
//! is lost; and what those cost who do not read, or subscribe to very much.

mod beside_redis;

use crate::support::client::encode;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy, wait_for};
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Subscribes, and reads the confirmations.
fn subscribe(server: &Server, channels: &[&str]) -> Client {
    let mut client = server.client();
    client
        .send(&encode(&[&["SUBSCRIBE"], channels].concat()))
        .expect("a running server");
    for _ in channels {
        assert_eq!(client.receive().expect("a confirmation").items().len(), 3);
    }
    client
}

/// The payload of the next message.
fn message(client: &mut Client) -> io::Result<Vec<u8>> {
    match client.receive()?.items() {
        [.., Value::Bulk(payload)] => Ok(payload.clone()),
        other => panic!("a message was expected, not {other:?}"),
    }
}

/// One server is killed while numbers are written and told, in all the ways that they can be; none was told that is not
/// there when it has started again.
#[test]
fn nobody_is_told_of_a_write_that_a_crash_loses() {
    let _turn = heavy();
    let rounds = env_number("REDKEEP_CRASH_ROUNDS", 3);
    let mut course = Rng::new(env_number("REDKEEP_CRASH_SEED", 1));
    let modes = ["always", "everysec", "no"];
    let mut server = Server::start(Kind::Redkeep, &["--appendfsync", modes[0]]);
    let mut told_of_any = 0;
    for round in 0..rounds {
        let listener = subscribe(&server, &["multi", "pipeline", "script"]);
        let address = server.address();
        let told = thread::scope(|scope| {
            scope.spawn(move || write_and_tell(address, round));
            let listening = scope.spawn(move || listen(listener));
            thread::sleep(Duration::from_millis(course.between(150, 600) as u64));
            server.kill9();
            listening.join().expect("a listener")
        });
        server.set_flags(&["--appendfsync", modes[(round as usize + 1) % modes.len()]]);
        server.start_again();
        let mut client = server.client();
        for (channel, number) in &told {
            let key = format!("{channel}:{round}");
            let there = client.run(&["GET", &key]).text().unwrap_or_default();
            let there: u64 = there.parse().unwrap_or(0);
            assert!(*number <= there, "{key} is {there}, and {number} was told");
        }
        told_of_any += told.len();
    }
    assert!(told_of_any > 0, "nothing was ever told");
}

/// Writes numbers and tells of each, until the server is gone.
fn write_and_tell(address: SocketAddr, round: u64) -> io::Result<()> {
    let mut client = Client::connect(address)?;
    let script = "redis.call('set', KEYS[1], ARGV[1]); return redis.call('publish', 'script', ARGV[1])";
    for number in 1_u64.. {
        let number = number.to_string();
        let key = |channel: &str| format!("{channel}:{round}");
        let requests: [&[&str]; 7] = [
            &["MULTI"],
            &["PUBLISH", "multi", &number],
            &["SET", &key("multi"), &number],
            &["EXEC"],
            // Nobody has been told that it is written when the second comes.
            &["SET", &key("pipeline"), &number],
            &["PUBLISH", "pipeline", &number],
            &["EVAL", script, "1", &key("script"), &number],
        ];
        client.send(&requests.map(encode).concat())?;
        for _ in requests {
            client.receive()?;
        }
    }
    Ok(())
}

/// The last number that each channel has told of.
fn listen(mut client: Client) -> Vec<(String, u64)> {
    let mut last = Vec::new();
    while let Ok(message) = client.receive() {
        let [_, channel, number] = message.items() else {
            panic!("a message was expected, not {message:?}")
        };
        let channel = channel.text().expect("a name");
        let number = number
            .text()
            .and_then(|text| text.parse().ok())
            .expect("a number");
        last.retain(|(known, _)| *known != channel);
        last.push((channel, number));
    }
    last
}

#[test]
fn who_does_not_read_is_cut_off_and_the_others_get_everything() {
    const MESSAGES: usize = 20_000;
    let server = Server::start(Kind::Redkeep, &[]);
    let mut publisher = server.client();
    publisher.ok(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let (mut slow, mut reader) = (subscribe(&server, &["news"]), subscribe(&server, &["news"]));
    let payload = vec![b'x'; 1000];
    let last = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            for number in 0..MESSAGES {
                let text = message(&mut reader).expect("a running server");
                assert_eq!(text.len(), payload.len(), "{number}");
            }
        });
        let mut last = 0;
        for _ in 0..MESSAGES {
            // Slow enough for whoever reads at all.
            last = publisher.run(&[&b"PUBLISH"[..], b"news", &payload]).integer();
        }
        reading.join().expect("it got everything");
        last
    });
    assert_eq!(last, 1, "the one that does not read is no longer there");
    assert_eq!(publisher.figure("pubsub_clients"), 1);
    // What the socket had taken comes, and then the end.
    while slow.receive().is_ok() {}
    assert!(slow.is_closed());
}

#[test]
fn a_message_to_many_is_in_memory_once() {
    const LISTENERS: usize = 200;
    const MESSAGES: usize = 20;
    let _turn = heavy();
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "1gb"]);
    let mut publisher = server.client();
    publisher.ok(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]);
    let listeners: Vec<Client> = (0..LISTENERS).map(|_| subscribe(&server, &["news"])).collect();
    let payload = vec![b'x'; 1 << 20];
    for _ in 0..MESSAGES {
        let count = publisher.run(&[&b"PUBLISH"[..], b"news", &payload]).integer();
        assert_eq!(count, LISTENERS as i64);
    }
    if !server.is_redis() {
        let held = publisher.figure("mem_clients_normal");
        assert!(held > 10 << 20, "nobody reads: {held}");
        assert!(held < (2 * MESSAGES as u64) << 20, "{held}");
    }
    drop(listeners);
    wait_for("the memory of those who left", LIMIT, || {
        (publisher.figure("mem_clients_normal") < 1 << 20).then_some(())
    });
}

#[test]
fn very_many_subscriptions_are_counted_and_leave_without_a_trace() {
    const CHANNELS: usize = 100_000;
    const AT_ONCE: usize = 1000;
    let _turn = heavy();
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "1gb"]);
    let mut other = server.client();
    let mut greedy = server.client();
    for first in (0..CHANNELS).step_by(AT_ONCE) {
        let mut request = vec![["SUBSCRIBE", "PSUBSCRIBE"][first / AT_ONCE % 2].to_owned()];
        request.extend((first..first + AT_ONCE).map(|number| format!("channel:{number}:*")));
        greedy.send(&encode(&request)).expect("a running server");
        for _ in 0..AT_ONCE {
            greedy.receive().expect("a confirmation");
        }
    }
    assert_eq!(other.figure("pubsub_channels"), CHANNELS as u64 / 2);
    assert_eq!(other.figure("pubsub_patterns"), CHANNELS as u64 / 2);
    // A message is not matched against all of them.
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(other.run(&["PUBLISH", "channel:1500:x", ""]).integer(), 1);
    }
    assert!(begun.elapsed() < LIMIT / 4);
    if !server.is_redis() {
        assert!(other.figure("mem_clients_normal") > (100 * CHANNELS) as u64);
    }
    drop(greedy);
    wait_for("the end of its subscriptions", LIMIT, || {
        let count = other.run(&["PUBLISH", "channel:1500:x", ""]).integer();
        (count == 0).then_some(())
    });
    wait_for("nothing to be left of them", LIMIT, || {
        let left = other.figure("pubsub_channels") + other.figure("pubsub_patterns");
        (left == 0).then_some(())
    });
    wait_for("their memory", LIMIT, || {
        (other.figure("mem_clients_normal") < 1 << 20).then_some(())
    });
}

#[test]
fn subscriptions_beyond_the_memory_of_clients_end_the_connection() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory-clients", "4mb"]);
    if server.is_redis() {
        return;
    }
    let mut other = subscribe(&server, &["news"]);
    let mut greedy = server.client();
    let mut subscribe_to = |first: usize| -> io::Result<()> {
        let mut request = vec!["SUBSCRIBE".to_owned()];
        request.extend((first..first + 1000).map(|number| format!("channel:{number}")));
        greedy.send(&encode(&request))?;
        (0..1000).try_for_each(|_| greedy.receive().map(drop))
    };
    let most = (0..1000).find(|round| subscribe_to(round * 1000).is_err());
    assert!(most.is_some_and(|rounds| (5..40).contains(&rounds)), "{most:?}");
    let mut client = server.client();
    assert_eq!(client.figure("evicted_clients"), 1);
    assert_eq!(client.run(&["PUBLISH", "news", "hello"]).integer(), 1);
    assert_eq!(message(&mut other).expect("it is still there"), b"hello");
}

#[test]
fn a_pattern_that_backtracks_keeps_nobody_waiting() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut listener = server.client();
    let pattern = format!("{}b", "a*".repeat(400));
    listener.run(&["PSUBSCRIBE", &pattern]);
    let mut publisher = server.client();
    let channel = "a".repeat(100_000);
    assert_eq!(publisher.run(&["PUBLISH", &channel, "1"]).integer(), 0);
    assert_eq!(
        publisher.run(&["PUBLISH", &format!("{channel}b"), "1"]).integer(),
        1
    );
    assert_eq!(message(&mut listener).expect("a message"), b"1");
}
