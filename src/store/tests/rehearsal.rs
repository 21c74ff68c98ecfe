//! Rehearsals: what a body reads, one record telling where the next is, comes in few runs; and nothing else comes of them.

use super::*;

/// The records of the tests are under this id.
const ID: u64 = 1 << 40;
/// How many runs may end in a fault where nothing else goes on.
const FEW: usize = 4;

fn record(n: u64) -> RecordKey {
    RecordKey::blob(ID, n)
}

/// A record that names another.
fn link(to: u64) -> Value {
    Value::from(&to.to_be_bytes()[..])
}

/// Goes from record to record until one names itself, and says how many there were.
fn follow(txn: &mut Txn, first: u64) -> Result<u64> {
    let (mut at, mut steps) = (first, 0);
    loop {
        let Some(value) = txn.get(&record(at))? else {
            return Stop::error("ERR a link leads nowhere");
        };
        let next = value[..].try_into().map_or(at, u64::from_be_bytes);
        steps += 1;
        if next == at {
            return Ok(steps);
        }
        at = next;
    }
}

/// Links from `from` on, each but the last to the next one.
fn put_chain(txn: &mut Txn, from: u64, length: u64) {
    for n in from..from + length - 1 {
        txn.put(record(n), link(n + 1));
    }
    txn.put(record(from + length - 1), link(from + length - 1));
}

fn driver_with_chain(hot_budget: usize, length: u64) -> Driver {
    let mut driver = Driver::new(hot_budget);
    driver.run(move |txn| {
        put_chain(txn, 0, length);
        Ok(())
    });
    driver.cold();
    driver.faults = 0;
    driver
}

#[test]
fn a_body_that_misses_a_thousand_records_one_by_one_runs_a_few_times() {
    let mut driver = driver_with_chain(1 << 20, 1000);
    assert_eq!(driver.run(|txn| follow(txn, 0)), 1000);
    assert!(driver.faults <= FEW, "{} faults", driver.faults);
    // All of it was pinned, and nothing is any more.
    driver.cold();
    assert_eq!(driver.store.hot.len(), 0);
}

#[test]
fn it_ends_in_a_hot_tier_that_holds_none_of_it() {
    let mut driver = driver_with_chain(0, 1000);
    assert_eq!(driver.run(|txn| follow(txn, 0)), 1000);
    assert!(driver.faults <= FEW, "{} faults", driver.faults);
}

#[test]
fn nothing_that_a_rehearsal_does_counts() {
    let mut driver = driver_with_chain(1 << 20, 100);
    driver.set("counter", b"0", None);
    driver.set("due", b"1", Some(NOW + 1));
    driver.cold();
    driver.now = NOW + 2;
    let ids = driver.store.catalog.next_id();
    driver.effects.clear();
    let body = |txn: &mut Txn| {
        follow(txn, 0)?;
        let id = txn.fresh_id();
        txn.put(RecordKey::blob(id, 0), link(1));
        assert_eq!(
            txn.get(&RecordKey::blob(id, 0))?,
            Some(link(1)),
            "it sees what it writes"
        );
        let due = Key { db: 0, name: b"due" };
        assert!(txn.lookup(due)?.is_none());
        let name = txn.meta_key(due)?;
        assert_eq!(txn.get(&name)?, None);
        Ok(id)
    };
    assert_eq!(driver.run(body), ids);
    assert!(driver.store.faults.rehearsals.begun > 0);
    assert_eq!(driver.store.catalog.next_id(), ids + 1);
    assert_eq!(driver.counts().0, 1);
    driver.check();
    assert_eq!(driver.effects, [Effect::KeyExpired]);
}

#[test]
fn a_rehearsal_that_was_led_astray_costs_one_more() {
    let mut driver = driver_with_chain(1 << 20, 1000);
    driver.run(|txn| {
        put_chain(txn, 5000, 1000);
        Ok(())
    });
    driver.cold();
    // The families say that the way goes on at 1, memory that it does at 5000.
    driver.run(|txn| {
        txn.put(record(0), link(5000));
        Ok(())
    });
    driver.commit();
    assert!(driver.store.checkpointed() < driver.store.settled());
    driver.faults = 0;
    assert_eq!(driver.run(|txn| follow(txn, 0)), 1001);
    assert!(driver.faults <= FEW + 1, "{} faults", driver.faults);
}

#[test]
fn others_who_write_what_it_reads_do_not_keep_a_request_from_its_end() {
    let mut driver = driver_with_chain(0, 200);
    let (mut last, mut faults) = (None, 0);
    loop {
        let mut txn = driver.store.begin(NOW);
        let result = follow(&mut txn, 0);
        let end = txn.end();
        if result.is_ok() {
            driver.store.stage(end);
            break;
        }
        faults += 1;
        assert!(faults < 100, "it never ends");
        let missing = driver.store.abandon(end);
        let rehearsal = || {
            Some(Rehearsal {
                now: NOW,
                may_use_view: false,
                body: Box::new(|txn| drop(follow(txn, 0))),
            })
        };
        let ticket = driver.store.retry(missing, last, rehearsal);
        last = Some(ticket);
        // Each time, another turn on the way leads to records that nobody has read.
        if faults < 20 {
            let at = 10_000 + 200 * faults;
            driver.run(move |txn| {
                put_chain(txn, at, 20);
                txn.put(record(faults), link(at));
                Ok(())
            });
        }
        driver.end_ticks_until(|store| store.is_ready(ticket));
    }
    assert!(driver.store.faults.rehearsals.begun < 10);
    last.into_iter().for_each(|ticket| driver.store.finish(ticket));
    driver.cold();
    assert_eq!(driver.store.hot.len(), 0, "no pin is left");
}

#[test]
fn a_rehearsal_that_fails_is_a_fault_like_any_other() {
    let mut driver = driver_with_chain(1 << 20, 6);
    let executor = std::thread::current().id();
    let body = move |txn: &mut Txn| match std::thread::current().id() == executor {
        true => follow(txn, 0),
        false => Stop::error("ERR elsewhere it cannot"),
    };
    assert_eq!(driver.run(body), 6);
    assert_eq!(driver.faults, 6);
}

#[test]
fn one_that_only_reads_is_shown_a_part_at_a_time() {
    let mut driver = driver_with_chain(1 << 20, 3000);
    let (mut last, mut faults) = (None, 0);
    let length = loop {
        let mut txn = driver.store.begin(NOW);
        let result = follow(&mut txn, 0);
        let end = txn.end();
        if let Ok(length) = result {
            driver.store.stage(end);
            break length;
        }
        faults += 1;
        let before = driver.store.faults.fetch.fetched;
        let missing = driver.store.abandon(end);
        let rehearsal = || {
            Some(Rehearsal {
                now: NOW,
                may_use_view: true,
                body: Box::new(|txn| drop(follow(txn, 0))),
            })
        };
        let ticket = driver.store.retry(missing, last, rehearsal);
        last = Some(ticket);
        driver.end_ticks_until(|store| store.is_ready(ticket));
        assert!(driver.store.faults.fetch.fetched - before <= 2049);
    };
    assert_eq!((length, faults), (3000, 5));
}

#[test]
fn a_request_that_is_given_up_while_it_is_rehearsed_leaves_nothing() {
    let mut driver = driver_with_chain(1 << 20, 10);
    let (begun, has_begun) = mpsc::channel();
    let mut last = None;
    for n in 0..3 {
        let begun = begun.clone();
        let rehearsal = || {
            Some(Rehearsal {
                now: NOW,
                may_use_view: false,
                body: Box::new(move |_| begun.send(()).unwrap_or(())),
            })
        };
        let missing = Missing {
            records: vec![record(n)],
            ..Missing::default()
        };
        let ticket = driver.store.retry(missing, last, rehearsal);
        last = Some(ticket);
        if n < 2 {
            driver.end_ticks_until(|store| store.is_ready(ticket));
        }
    }
    has_begun.recv_timeout(PATIENCE).unwrap();
    last.into_iter().for_each(|ticket| driver.store.finish(ticket));
    driver.end_ticks_until(|store| store.faults.fetch.in_flight() == 0);
    driver.cold();
    assert_eq!(driver.store.hot.len(), 0, "no pin is left");
}

#[test]
fn what_is_taken_back_leaves_the_writes_before_as_they_were() {
    let mut driver = Driver::new(1 << 20);
    driver.run(|txn| {
        for n in 0..20 {
            txn.put(record(n), link(1));
        }
        for round in 0..3 {
            let before = txn.savepoint();
            for n in (0..40).step_by(2) {
                txn.put(record(n), link(2 + round));
            }
            assert_eq!(txn.get(&record(2))?, Some(link(2 + round)));
            txn.rollback(before);
            assert_eq!(txn.get(&record(2))?, Some(link(1)));
            assert_eq!(txn.get(&record(30))?, None);
        }
        txn.put(record(2), link(9));
        assert_eq!(txn.get(&record(2))?, Some(link(9)));
        Ok(())
    });
    assert_eq!(driver.run(|txn| txn.get(&record(2))), Some(link(9)));
}
