//! Prefixes of keys, and the clients that are to be told of every change to a key that begins with one: a radix tree, so
//! that finding those of a key takes a step for each of its bytes at most, whatever there is.

/// A client's id.
type Client = u64;

/// Where a node is.
type At = usize;

const ROOT: At = 0;

#[derive(Default)]
struct Node {
    /// What comes between its parent's prefix and its own.
    label: Box<[u8]>,
    /// By the first byte of their labels, in order.
    children: Vec<At>,
    /// Who wants this prefix, in order.
    clients: Vec<Client>,
}

/// All prefixes. The nodes are in one place: so a tree of any depth is dropped without recursion.
pub struct Prefixes {
    nodes: Vec<Node>,
    /// Nodes that are in no tree.
    free: Vec<At>,
    /// Prefixes that somebody wants.
    len: usize,
}

impl Default for Prefixes {
    fn default() -> Prefixes {
        Prefixes {
            nodes: vec![Node::default()],
            free: Vec::new(),
            len: 0,
        }
    }
}

/// How many bytes two strings have in common at their beginnings.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Prefixes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where among a node's children the one is, or belongs, whose label begins with a byte.
    fn child(&self, at: At, first: u8) -> Result<usize, usize> {
        let first_of = |&child: &At| self.nodes[child].label[0];
        self.nodes[at].children.binary_search_by_key(&first, first_of)
    }

    fn add_node(&mut self, node: Node) -> At {
        match self.free.pop() {
            Some(at) => {
                self.nodes[at] = node;
                at
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        }
    }

    /// A client wants a prefix.
    pub fn insert(&mut self, prefix: &[u8], client: Client) {
        let at = self.node_of(prefix);
        let clients = &mut self.nodes[at].clients;
        if let Err(place) = clients.binary_search(&client) {
            clients.insert(place, client);
            self.len += usize::from(clients.len() == 1);
        }
    }

    /// The node of a prefix, made if there is none.
    fn node_of(&mut self, prefix: &[u8]) -> At {
        let (mut at, mut rest) = (ROOT, prefix);
        while let Some(&first) = rest.first() {
            match self.child(at, first) {
                Err(place) => {
                    let leaf = self.add_node(Node {
                        label: rest.into(),
                        ..Node::default()
                    });
                    self.nodes[at].children.insert(place, leaf);
                    return leaf;
                }
                Ok(place) => {
                    let child = self.nodes[at].children[place];
                    let shared = common(&self.nodes[child].label, rest);
                    at = match shared < self.nodes[child].label.len() {
                        true => self.split(at, place, shared),
                        false => child,
                    };
                    rest = &rest[shared..];
                }
            }
        }
        at
    }

    /// Puts a node before a child, for the first bytes of its label.
    fn split(&mut self, at: At, place: usize, len: usize) -> At {
        let child = self.nodes[at].children[place];
        let label = std::mem::take(&mut self.nodes[child].label);
        self.nodes[child].label = label[len..].into();
        let middle = self.add_node(Node {
            label: label[..len].into(),
            children: vec![child],
            clients: Vec::new(),
        });
        self.nodes[at].children[place] = middle;
        middle
    }

    /// A client does not want a prefix any more.
    pub fn remove(&mut self, prefix: &[u8], client: Client) {
        let (mut parent, mut at, mut rest) = (None, ROOT, prefix);
        let mut grandparent = None;
        while let Some(&first) = rest.first() {
            let Ok(place) = self.child(at, first) else { return };
            let child = self.nodes[at].children[place];
            let Some(left) = rest.strip_prefix(&*self.nodes[child].label) else {
                return;
            };
            (grandparent, parent) = (parent, Some(at));
            (at, rest) = (child, left);
        }
        let clients = &mut self.nodes[at].clients;
        let Ok(place) = clients.binary_search(&client) else {
            return;
        };
        clients.remove(place);
        if !clients.is_empty() {
            return;
        }
        self.len -= 1;
        self.tidy(parent, at);
        if let Some(parent) = parent {
            self.tidy(grandparent, parent);
        }
    }

    /// Drops a node without clients and children, or makes one of it and its only child.
    fn tidy(&mut self, parent: Option<At>, at: At) {
        let Some(parent) = parent else { return };
        let node = &self.nodes[at];
        if !node.clients.is_empty() || node.children.len() > 1 {
            return;
        }
        let Ok(place) = self.child(parent, node.label[0]) else {
            return;
        };
        let node = std::mem::take(&mut self.nodes[at]);
        self.free.push(at);
        match node.children[..] {
            [child] => {
                let label = [&*node.label, &*self.nodes[child].label].concat();
                self.nodes[child].label = label.into();
                self.nodes[parent].children[place] = child;
            }
            _ => drop(self.nodes[parent].children.remove(place)),
        }
    }

    /// Calls `found` with the length of each prefix that a key begins with, and who wants it; the shortest first. Ends when it
    /// answers false.
    pub fn of_key(&self, key: &[u8], mut found: impl FnMut(usize, &[Client]) -> bool) {
        let (mut at, mut len) = (ROOT, 0);
        loop {
            let clients = &self.nodes[at].clients;
            if !clients.is_empty() && !found(len, clients) {
                return;
            }
            let Some(Ok(place)) = key.get(len).map(|first| self.child(at, *first)) else {
                return;
            };
            at = self.nodes[at].children[place];
            let label = &self.nodes[at].label;
            if !key[len..].starts_with(label) {
                return;
            }
            len += label.len();
        }
    }

    /// Whether a key begins with one that somebody wants.
    pub fn has_any(&self, key: &[u8]) -> bool {
        let mut has = false;
        self.of_key(key, |_, _| {
            has = true;
            false
        });
        has
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::random::Random;

    fn found(prefixes: &Prefixes, key: &[u8]) -> Vec<(usize, Vec<Client>)> {
        let mut all = Vec::new();
        prefixes.of_key(key, |len, clients| {
            all.push((len, clients.to_vec()));
            true
        });
        all
    }

    /// The tree against a map that is searched from end to end.
    #[test]
    fn it_finds_what_a_search_finds() {
        let mut random = Random::from_seed(7);
        let word = |random: &mut Random| -> Vec<u8> {
            let len = random.next_u64() % 7;
            (0..len).map(|_| b'a' + (random.next_u64() % 3) as u8).collect()
        };
        let (mut tree, mut model) = (Prefixes::default(), BTreeMap::<Vec<u8>, Vec<Client>>::new());
        for _ in 0..20_000 {
            let (prefix, client) = (word(&mut random), random.next_u64() % 4);
            if random.next_u64().is_multiple_of(2) {
                tree.insert(&prefix, client);
                let clients = model.entry(prefix).or_default();
                clients.push(client);
                clients.sort_unstable();
                clients.dedup();
            } else {
                tree.remove(&prefix, client);
                if let Some(clients) = model.get_mut(&prefix) {
                    clients.retain(|other| *other != client);
                    if clients.is_empty() {
                        model.remove(&prefix);
                    }
                }
            }
            let key = word(&mut random);
            let expected: Vec<_> = model
                .iter()
                .filter(|(prefix, _)| key.starts_with(prefix))
                .map(|(prefix, clients)| (prefix.len(), clients.clone()))
                .collect();
            assert_eq!(found(&tree, &key), expected, "{}", key.escape_ascii());
            assert_eq!(tree.len(), model.len());
            assert_eq!(tree.has_any(&key), !expected.is_empty());
        }
        for (prefix, clients) in model {
            clients.iter().for_each(|client| tree.remove(&prefix, *client));
        }
        assert!(tree.is_empty() && tree.nodes[ROOT].children.is_empty());
        assert_eq!(tree.free.len() + 1, tree.nodes.len());
    }

    #[test]
    fn a_deep_tree_takes_no_stack() {
        let mut tree = Prefixes::default();
        for depth in 0..3_000 {
            let mut prefix = vec![b'a'; depth];
            prefix.push(b'b');
            tree.insert(&prefix, 1);
        }
        assert_eq!(found(&tree, &[b'a'; 5_000]), []);
        assert!(tree.has_any(b"aab"));
        drop(tree);
    }
}
