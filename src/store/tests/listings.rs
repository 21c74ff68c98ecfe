//! Walks over keys by transactions that cannot run over a view: they see what is on disk, what is staged, and what they
//! have written themselves.

use super::*;
use crate::base::glob::Pattern;
use crate::types::key_walk::Selection;

/// A driver none of whose bodies may go over a view.
fn driver() -> Driver {
    let mut driver = Driver::new(1 << 20);
    driver.views_for = ViewRule::Never;
    driver
}

fn set(txn: &mut Txn, name: &str) -> Result<()> {
    let old = txn.lookup(key(name))?;
    string::set(txn, key(name), old.as_ref(), b"1", None)
}

fn del(txn: &mut Txn, name: &str) -> Result<()> {
    match txn.lookup(key(name))? {
        Some(entry) => txn.remove(key(name), &entry),
        None => Ok(()),
    }
}

/// The names of all keys, or of those that match.
fn names(txn: &mut Txn, pattern: &str) -> Result<Vec<String>> {
    let pattern = Pattern::new(pattern.as_bytes(), false);
    let selection = Selection {
        pattern: Some(&pattern),
        type_name: None,
    };
    let step = key_walk::step(txn, 0, b"", selection, usize::MAX)?;
    assert_eq!(step.next, None);
    let text = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
    let mut names: Vec<String> = step.names.into_iter().map(text).collect();
    // In slots, they come in another order.
    names.sort();
    Ok(names)
}

#[test]
fn a_walk_sees_what_its_transaction_and_those_before_it_have_staged() {
    let mut driver = driver();
    for name in ["a", "b", "c", "d", "e"] {
        driver.set(name, b"1", None);
    }
    driver.set("due", b"1", Some(NOW + 5));
    driver.cold();
    // Staged, and not checkpointed.
    driver.del("b");
    driver.set("bb", b"1", None);
    driver.now = NOW + 5;
    let found = driver.run(|txn| {
        del(txn, "d")?;
        set(txn, "dd")?;
        set(txn, "e")?;
        let all = names(txn, "*")?;
        let some = names(txn, "d*")?;
        let one = names(txn, "dd")?;
        del(txn, "dd")?;
        Ok((all, some, one, names(txn, "d*")?))
    });
    assert_eq!(found.0, ["a", "bb", "c", "dd", "e"]);
    assert_eq!((found.1, found.2), (vec!["dd".to_owned()], vec!["dd".to_owned()]));
    assert!(found.3.is_empty());
    assert!(driver.store.faults.listings.is_empty(), "it ends with its ticket");
    driver.check();
}

/// Runs a body once. Returns its ticket if it faulted.
fn try_once<T>(
    driver: &mut Driver,
    last: Option<Ticket>,
    body: impl Fn(&mut Txn) -> Result<T>,
) -> std::result::Result<T, Ticket> {
    let mut txn = driver.store.begin(driver.now);
    let result = body(&mut txn);
    let end = txn.end();
    match result {
        Ok(value) => {
            driver.store.stage(end);
            last.into_iter().for_each(|ticket| driver.store.finish(ticket));
            Ok(value)
        }
        Err(Stop::Fault) => {
            let missing = driver.store.abandon(end);
            Err(driver.store.retry(missing, last, || None))
        }
        Err(stop) => panic!("{}", stop.text()),
    }
}

#[test]
fn what_others_stage_while_a_listing_is_made_or_waits_is_in_it() {
    let mut driver = driver();
    for name in ["a", "b", "c"] {
        driver.set(name, b"1", None);
    }
    driver.cold();
    let ticket = try_once(&mut driver, None, |txn| names(txn, "*")).unwrap_err();
    driver.del("a");
    driver.set("x", b"1", None);
    driver.end_ticks_until(|store| store.is_ready(ticket));
    // It is there. What is written now comes to the families, and leaves memory.
    driver.del("b");
    driver.set("y", b"1", None);
    driver.cold();
    let found = try_once(&mut driver, Some(ticket), |txn| names(txn, "*"));
    assert_eq!(found, Ok(["c", "x", "y"].map(str::to_owned).to_vec()));
    assert!(driver.store.faults.listings.is_empty());
}

#[test]
fn two_requests_share_a_listing_and_either_may_end_first() {
    let mut driver = driver();
    driver.set("a", b"1", None);
    driver.cold();
    let body = |txn: &mut Txn| names(txn, "*");
    let first = try_once(&mut driver, None, body).unwrap_err();
    let second = try_once(&mut driver, None, body).unwrap_err();
    driver.end_ticks_until(|store| store.is_ready(first) && store.is_ready(second));
    driver.store.finish(first);
    assert!(!driver.store.faults.listings.is_empty());
    assert_eq!(
        try_once(&mut driver, Some(second), body),
        Ok(vec!["a".to_owned()])
    );
    assert!(driver.store.faults.listings.is_empty());
}

#[test]
fn a_listing_does_not_outlive_the_loss_of_what_it_kept() {
    let mut driver = driver();
    driver.set("a", b"1", None);
    driver.cold();
    let body = |txn: &mut Txn| names(txn, "*");
    let ticket = try_once(&mut driver, None, body).unwrap_err();
    driver.end_ticks_until(|store| store.is_ready(ticket));
    let mut txn = driver.store.begin(NOW);
    string::set(&mut txn, key("lost"), None, b"1", None).unwrap();
    let end = txn.end();
    driver.store.stage(end);
    driver.fail();
    assert!(driver.store.faults.listings.is_empty());
    driver.repair();
    let ticket = try_once(&mut driver, Some(ticket), body).unwrap_err();
    driver.end_ticks_until(|store| store.is_ready(ticket));
    assert_eq!(
        try_once(&mut driver, Some(ticket), body),
        Ok(vec!["a".to_owned()])
    );
}

#[test]
fn where_no_checkpoint_can_come_a_listing_is_an_error() {
    let mut driver = driver();
    driver.set("a", b"1", None);
    driver.commit();
    assert!(driver.store.checkpointed() < driver.store.settled());
    driver.store.health.checkpoint_failed("no space");
    let failed = driver.try_run(|txn| names(txn, "*"));
    assert!(failed.unwrap_err().contains("no space"));
    driver.repair();
    assert_eq!(driver.run(|txn| names(txn, "*")), ["a"]);
}

#[test]
fn a_listing_of_more_than_may_be_gathered_is_refused() {
    let mut driver = driver();
    for i in 0..100 {
        driver.set(&format!("key:{i}"), b"1", None);
    }
    driver.cold();
    let some = |pattern: &'static str| {
        move |txn: &mut Txn| {
            txn.allowance = Allowance::at_most(2000);
            names(txn, pattern).map(|names| names.len())
        }
    };
    assert_eq!(driver.run(some("key:7?")), 10);
    assert_eq!(driver.try_run(some("*")).unwrap_err(), OUT_OF_MEMORY);
    // What others stage meanwhile counts, ...
    let body = some("key:7?");
    let ticket = try_once(&mut driver, None, body).unwrap_err();
    for i in 0..100 {
        driver.set(&format!("other:{i}"), b"1", None);
    }
    driver.end_ticks_until(|store| store.is_ready(ticket));
    let mut txn = driver.store.begin(NOW);
    assert_eq!(body(&mut txn).unwrap_err().text(), OUT_OF_MEMORY);
    let end = txn.end();
    driver.store.abandon(end);
    driver.store.finish(ticket);
    // ... and what it stages itself.
    let staged = |txn: &mut Txn| {
        (0..100).try_for_each(|i| set(txn, &format!("new:{i}")))?;
        txn.allowance = Allowance::at_most(2000);
        names(txn, "key:7?").map(|names| names.len())
    };
    assert_eq!(driver.try_run(staged).unwrap_err(), OUT_OF_MEMORY);
}

#[test]
fn a_walk_in_steps_comes_to_every_key() {
    let mut driver = driver();
    for i in 0..100 {
        driver.set(&format!("key:{i:02}"), b"1", None);
    }
    driver.cold();
    let walked = driver.run(|txn| {
        for i in (0..100).step_by(3) {
            del(txn, &format!("key:{i:02}"))?;
            set(txn, &format!("new:{i:02}"))?;
        }
        let (mut from, mut found) = (Vec::new(), Vec::new());
        loop {
            let step = key_walk::step(txn, 0, &from, Selection::default(), 7)?;
            assert!(step.names.len() <= 7);
            found.extend(step.names);
            match step.next {
                Some(next) => from = next,
                None => {
                    found.sort();
                    return Ok(found);
                }
            }
        }
    });
    let kept = (0..100).filter(|i| i % 3 != 0).map(|i| format!("key:{i:02}"));
    let new = (0..100).step_by(3).map(|i| format!("new:{i:02}"));
    let expected: Vec<Vec<u8>> = kept.chain(new).map(String::into_bytes).collect();
    assert_eq!(walked, expected);
}

#[test]
fn random_keys_come_from_what_is_on_disk_and_from_what_is_staged() {
    for (on_disk, staged) in [(20, 20), (2000, 2000)] {
        let mut driver = driver();
        driver.run(move |txn| (0..on_disk).try_for_each(|i| set(txn, &format!("old:{i}"))));
        driver.cold();
        let drawn: Vec<Option<Vec<u8>>> = driver.run(move |txn| {
            (0..staged).try_for_each(|i| set(txn, &format!("new:{i}")))?;
            (0..200).map(|_| random_key::random(txn, 0)).collect()
        });
        let drawn: Vec<Vec<u8>> = drawn.into_iter().map(Option::unwrap).collect();
        let new = drawn.iter().filter(|name| name.starts_with(b"new:")).count();
        assert!((50..150).contains(&new), "{new} of 200");
        let different: std::collections::HashSet<_> = drawn.iter().collect();
        assert!(different.len() > 25, "{}", different.len());
        driver.check();
    }
}

#[test]
fn random_keys_are_none_that_the_transaction_deleted() {
    let mut driver = driver();
    driver.run(|txn| (0..1500).try_for_each(|i| set(txn, &format!("key:{i}"))));
    driver.cold();
    let drawn: Vec<Option<Vec<u8>>> = driver.run(|txn| {
        (0..400).try_for_each(|i| del(txn, &format!("key:{i}")))?;
        (0..100).map(|_| random_key::random(txn, 0)).collect()
    });
    for name in drawn {
        let name = String::from_utf8(name.unwrap()).unwrap();
        assert!(name["key:".len()..].parse::<usize>().unwrap() >= 400, "{name}");
    }
    let emptied = driver.run(|txn| {
        txn.flush_database(0)?;
        let none = random_key::random(txn, 0)?;
        let kept = names(txn, "*")?;
        set(txn, "only")?;
        Ok((none, kept, random_key::random(txn, 0)?))
    });
    assert_eq!(emptied, (None, vec![], Some(b"only".to_vec())));
}
