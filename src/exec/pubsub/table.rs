//! From names to their subscribers.

use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::{Kind, Name, Subscriber, Subscriptions};

/// The subscribers of a name. Most names have one.
enum Subscribers {
    One(Subscriber),
    Many(Vec<Subscriber>),
}

impl Subscribers {
    fn all(&self) -> &[Subscriber] {
        match self {
            Subscribers::One(one) => std::slice::from_ref(one),
            Subscribers::Many(many) => many,
        }
    }

    fn push(&mut self, subscriber: Subscriber) {
        match self {
            Subscribers::One(one) => *self = Subscribers::Many(vec![one.clone(), subscriber]),
            Subscribers::Many(many) => many.push(subscriber),
        }
    }

    /// Takes one out; the last takes its place. Returns how many are left.
    fn take_out(&mut self, kind: Kind, name: &Name, at: usize) -> usize {
        let Subscribers::Many(many) = self else { return 0 };
        many.swap_remove(at);
        if let Some(moved) = many.get(at)
            && let Some(place) = moved.has.names(kind).borrow_mut().get_mut(name)
        {
            *place = at as u32;
        }
        many.len()
    }

    /// Takes out all that are gone, as one of them may be anywhere. Returns how many are left.
    fn take_out_gone(&mut self, kind: Kind, name: &Name) -> usize {
        let mut at = 0;
        while let Some(subscriber) = self.all().get(at) {
            if !subscriber.has.is_gone.get() {
                at += 1;
            } else if self.take_out(kind, name, at) == 0 {
                return 0;
            }
        }
        at
    }
}

/// All names of one kind that have subscribers.
#[derive(Default)]
pub struct Table {
    by_name: HashMap<Name, Subscribers, RandomState>,
}

/// A table of so much more room than names gives some back.
const SPARSE: usize = 8;
/// ... if it has room for more than these.
const KEPT: usize = 1 << 10;

impl Table {
    /// How many names there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The subscribers of a name, those who are gone among them.
    pub fn subscribers(&self, name: &[u8]) -> &[Subscriber] {
        self.by_name.get(name).map_or(&[], Subscribers::all)
    }

    /// All names, and the subscribers of each.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[Subscriber])> {
        self.by_name.iter().map(|(name, all)| (&**name, all.all()))
    }

    /// Adds a subscriber to a name that it does not have. Returns the name, its place there, and whether it is the first.
    pub fn add(&mut self, name: &[u8], subscriber: Subscriber) -> (Name, u32, bool) {
        let known = self.by_name.get_key_value(name).map(|(known, _)| known.clone());
        if let Some(known) = known
            && let Some(all) = self.by_name.get_mut(name)
        {
            all.push(subscriber);
            return (known, all.all().len() as u32 - 1, false);
        }
        let name = Name::from(name);
        let one = Subscribers::One(subscriber);
        self.by_name.insert(name.clone(), one);
        (name, 0, true)
    }

    /// Takes a subscriber out of a name's, among whom it has this place, or had it until it was gone. True: it was the last.
    pub fn remove(&mut self, kind: Kind, name: &Name, at: u32, has: &Rc<Subscriptions>) -> bool {
        let Some(all) = self.by_name.get_mut(name) else {
            return false;
        };
        let is_there = |there: &Subscriber| Rc::ptr_eq(&there.has, has);
        let left = match all.all().get(at as usize).is_some_and(is_there) {
            true => all.take_out(kind, name, at as usize),
            false => all.take_out_gone(kind, name),
        };
        if left == 0 {
            self.by_name.remove(name);
            let (names, room) = (self.by_name.len(), self.by_name.capacity());
            if room > KEPT && names < room / SPARSE {
                self.by_name.shrink_to(2 * names);
            }
        }
        left == 0
    }
}
