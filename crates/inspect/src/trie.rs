//! Literal beginnings as a tree, for whoever reads a text as it comes: where in its beginning a match may be, before it is
//! known which shape it could be of.

/// A place in the tree.
pub(crate) type Node = u32;

/// A tree of literals in lower case.
pub(crate) struct Trie {
    nodes: Vec<Branches>,
}

#[derive(Default)]
struct Branches {
    next: Vec<(u8, Node)>,
    /// The shapes one of whose beginnings is complete here.
    complete: Vec<usize>,
}

/// The root of the literals that may stand anywhere, and that of all.
const ANYWHERE: Node = 0;
const ALL: Node = 1;

impl Trie {
    /// The tree of the beginnings of shapes, each with its number and whether it may begin anywhere.
    pub(crate) fn new<'a>(shapes: impl Iterator<Item = (usize, &'a [Vec<u8>], bool)>) -> Trie {
        let mut trie = Trie {
            nodes: vec![Branches::default(), Branches::default()],
        };
        for (shape, beginnings, is_free) in shapes {
            for literal in beginnings {
                trie.add(ALL, literal, shape);
                if is_free {
                    trie.add(ANYWHERE, literal, shape);
                }
            }
        }
        trie
    }

    fn add(&mut self, root: Node, literal: &[u8], shape: usize) {
        let mut node = root;
        for byte in literal {
            let fresh = Node::try_from(self.nodes.len()).unwrap_or(Node::MAX);
            let Some(branches) = self.nodes.get_mut(node as usize) else {
                return;
            };
            node = match branches.next.binary_search_by_key(byte, |(byte, _)| *byte) {
                Ok(at) => branches.next.get(at).map_or(fresh, |(_, next)| *next),
                Err(at) => {
                    branches.next.insert(at, (*byte, fresh));
                    self.nodes.push(Branches::default());
                    fresh
                }
            };
        }
        if let Some(branches) = self.nodes.get_mut(node as usize) {
            branches.complete.push(shape);
        }
    }

    /// The root to set out from.
    pub(crate) fn root(is_start: bool) -> Node {
        if is_start { ALL } else { ANYWHERE }
    }

    /// The place after one more byte, if any literal goes on so.
    pub(crate) fn step(&self, node: Node, byte: u8) -> Option<Node> {
        let next = &self.nodes.get(node as usize)?.next;
        let at = next
            .binary_search_by_key(&byte.to_ascii_lowercase(), |(byte, _)| *byte)
            .ok()?;
        next.get(at).map(|(_, next)| *next)
    }

    /// The shapes one of whose beginnings is complete here.
    pub(crate) fn complete(&self, node: Node) -> &[usize] {
        self.nodes.get(node as usize).map_or(&[], |node| &node.complete)
    }

    /// Whether any literal goes on from here.
    pub(crate) fn goes_on(&self, node: Node) -> bool {
        self.nodes
            .get(node as usize)
            .is_some_and(|node| !node.next.is_empty())
    }
}
