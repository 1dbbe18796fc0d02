//! Many routes at once.

use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use super::Guard;
use crate::found::Route;
use crate::hash;

impl<Id, Node, Info, Stream, S> Guard<'_, Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// [`route`](Self::route) for many nodes: `f` gets each one's position and route, in order. The
    /// cache misses of several lookups overlap, which pays when the registry is larger than the caches.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), u32> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream(7)).unwrap();
    /// let mut found = [None; 2];
    /// registry.pin().routes_batch(&["node-a", "node-b"], |at, route| {
    ///     found[at] = route.map(|route| *route.stream());
    /// });
    /// assert_eq!(found, [Some(7), None]);
    /// ```
    #[inline(always)]
    pub fn routes_batch<'q, 'g, Q>(
        &'g self,
        nodes: impl IntoIterator<Item = &'q Q>,
        mut f: impl FnMut(usize, Option<Route<'g, Stream>>),
    ) where
        Q: ?Sized + Hash + Equivalent<Node> + 'q,
    {
        // Slots whose records stay in the caches: looking ahead would be work for nothing.
        const SMALL: u32 = 4_096;
        if self.tandem.slots.len() <= SMALL {
            for (at, node) in nodes.into_iter().enumerate() {
                self.route_then(self.registry.hash_of(node), node, |route| f(at, route));
            }
        } else {
            self.routes_ahead(nodes.into_iter(), f);
        }
    }

    fn routes_ahead<'q, 'g, Q>(
        &'g self,
        mut nodes: impl Iterator<Item = &'q Q>,
        mut f: impl FnMut(usize, Option<Route<'g, Stream>>),
    ) where
        Q: ?Sized + Hash + Equivalent<Node> + 'q,
    {
        const TOGETHER: usize = 16;
        let mut at = 0;
        loop {
            let mut batch: [Option<(hash::Hash, &Q)>; TOGETHER] = [None; TOGETHER];
            for (place, node) in batch.iter_mut().zip(nodes.by_ref()) {
                let hash = self.registry.hash_of(node);
                self.tandem.prefetch_line(hash, &self.pin);
                *place = Some((hash, node));
            }
            for (hash, _) in batch.iter().flatten() {
                self.tandem.prefetch_records(*hash, &self.pin);
            }
            for (hash, node) in batch.iter().flatten() {
                f(at, self.route_hashed(*hash, *node));
                at += 1;
            }
            if batch[TOGETHER - 1].is_none() {
                return;
            }
        }
    }
}
