//! A tree made at once: every node is written once.

use std::borrow::Cow;

use super::Tree;
use super::inner::{Child, child_len, encode_inner};
use super::key::separator;
use super::node::fill;
use crate::store::{Txn, Value};

impl Tree {
    /// A tree of these entries, which come in the order of their keys, its nodes to be under this id.
    pub fn build<V: AsRef<[u8]>>(
        txn: &mut Txn,
        id: u64,
        entries: impl Iterator<Item = (Vec<u8>, V)>,
    ) -> Tree {
        let mut tree = Tree::empty(id);
        let mut nodes = tree.build_leaves(txn, entries);
        while nodes.len() > 1 {
            nodes = tree.build_level(txn, nodes);
        }
        if let Some(root) = nodes.pop() {
            tree.height += 1;
            (tree.root, tree.len) = (root.node, root.count);
        }
        tree
    }

    fn build_leaves<V: AsRef<[u8]>>(
        &self,
        txn: &mut Txn,
        entries: impl Iterator<Item = (Vec<u8>, V)>,
    ) -> Vec<Child<'static>> {
        let mut leaves: Vec<Child> = Vec::new();
        let (mut image, mut last): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            let entry = self.entry(txn, &key, value.as_ref());
            if leaves.is_empty() || image.len() + entry.len() > fill(0) {
                if let Some(full) = leaves.last() {
                    txn.put(self.record(full.node), Value::from(&image[..]));
                }
                image.clear();
                leaves.push(Child {
                    node: txn.fresh_id(),
                    count: 0,
                    separator: Cow::Owned(separator(&last, &key).to_vec()),
                });
            }
            image.extend_from_slice(&entry);
            if let Some(leaf) = leaves.last_mut() {
                leaf.count += 1;
            }
            last = key;
        }
        if let Some(leaf) = leaves.last() {
            txn.put(self.record(leaf.node), Value::from(&image[..]));
        }
        leaves
    }

    /// Puts a level of inner nodes above these nodes.
    fn build_level(&mut self, txn: &mut Txn, children: Vec<Child<'static>>) -> Vec<Child<'static>> {
        self.height += 1;
        let level = self.height;
        let mut nodes = Vec::new();
        let mut rest = children.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut bytes = child_len(&first, level);
            let mut group = vec![first];
            while let Some(next) = rest.peek() {
                bytes += child_len(next, level);
                if bytes > fill(level) && group.len() > 1 {
                    break;
                }
                group.extend(rest.next());
            }
            let parent = Child {
                node: txn.fresh_id(),
                count: group.iter().map(|child| child.count).sum(),
                separator: group[0].separator.clone(),
            };
            self.first = group[0].count;
            let record = encode_inner(&group, 0, level);
            txn.put(self.record(parent.node), Value::from(&record[..]));
            nodes.push(parent);
        }
        nodes
    }
}
