//! Names to live clients: the hot path.
//!
//! A lookup reads the home of its hash, or the chain's control word and then all matching entries, and the state
//! words after. A hit is a live word (linearization point: its read). Of several matches the newest live one
//! counts, and its word is read again last, so that a lookup never goes back from a newcomer to the older client (D).
//!
//! A stream or info that was attached later is read behind a pointer, after the word, when the name may be
//! another's already. So the client is found by its name once more behind that read (`read`).
//!
//! A miss is believed if one look at the home shows that no entry of its hashes is elsewhere, and none that matches
//! there (its linearization point: that read); or after a scan, if the control word is unchanged and no match that
//! was seen armed has gone live meanwhile. Else the scan is repeated, which means that a takeover or a split got
//! on (F).
//!
//! Nearly every lookup meets no entry, or one that leads to a client that is live with its first stream
//! and info, and that no newcomer contests: [`Tandem::glance_by_id`] and [`Tandem::glance_by_node`] answer
//! those with few instructions, so that the processor can have several lookups under way at once. A
//! newcomer marks every client that it displaces before it commits (`drive`), so a word that is live
//! without the mark was, when it was read, that of the only live client of its names: whoever finds it
//! need not look for another, nor care whether the entry is still there or the line is the right one (D).
//! `find` is for all others.

use super::Tandem;
use crate::aim::First;
use crate::bucket::Count;
use crate::hash::Hash;
use crate::reclaim::Pin;
use crate::slots::{Address, Live, Plain};
use crate::state::Phase;
use crate::table::Table;

/// What shows at first sight.
pub(crate) enum Glance<T> {
    /// The client of that name.
    Plain(T),
    /// A miss.
    Absent,
    /// Anything may be: to be looked up in full.
    Unclear,
}

/// A client that a name led to.
pub(crate) struct Named<'p, Id, Node, Info, Stream> {
    pub(crate) client: Live<'p, Id, Node, Info, Stream>,
    /// What bears the name: the client, or an alias of it.
    pub(super) bearer: Address,
}

impl<Id, Node, Info, Stream> Tandem<Id, Node, Info, Stream> {
    #[inline(always)]
    pub(crate) fn glance_by_id<'p>(
        &'p self,
        hash: Hash,
        is_id: impl Fn(&Id) -> bool,
        pin: &'p Pin<'_>,
    ) -> Glance<(Plain<'p, Id, Node, Info, Stream>, (&'p Id, &'p Info))> {
        let meet = |plain: Plain<'p, Id, Node, Info, Stream>| {
            let profile = plain.profile();
            is_id(profile.0).then_some((plain, profile))
        };
        self.glance(&self.ids, hash, meet, pin)
    }

    #[inline(always)]
    pub(crate) fn glance_by_node<'p>(
        &'p self,
        hash: Hash,
        is_node: impl Fn(&Node) -> bool,
        pin: &'p Pin<'_>,
    ) -> Glance<(Plain<'p, Id, Node, Info, Stream>, (&'p Node, &'p Stream))> {
        let meet = |plain: Plain<'p, Id, Node, Info, Stream>| {
            let routing = plain.routing();
            is_node(routing.0).then_some((plain, routing))
        };
        self.glance(&self.nodes, hash, meet, pin)
    }

    #[inline(always)]
    fn glance<'p, T>(
        &'p self,
        table: &'p Table,
        hash: Hash,
        meet: impl Fn(Plain<'p, Id, Node, Info, Stream>) -> Option<T>,
        pin: &'p Pin<'_>,
    ) -> Glance<T> {
        let aim = table.aim(hash, pin);
        let found = |slot| {
            // SAFETY: the slot of an entry was handed out before the entry was put (`connect`, `alias`), and
            // the entry was read with Acquire.
            let plain = unsafe { self.slots.plain(slot, pin) };
            plain.and_then(&meet).map_or(Glance::Unclear, Glance::Plain)
        };
        match aim.first() {
            First::Slot(slot) => return found(slot),
            First::None => return Glance::Absent,
            First::Unclear => {}
        }
        let Some(stamp) = aim.stamp() else { return Glance::Unclear };
        if let Some(slot) = stamp.chain.in_places(hash.tag()) {
            return found(slot);
        }
        if stamp.was_all() { Glance::Absent } else { Glance::Unclear }
    }

    /// The live client with that client id.
    pub(crate) fn find_by_id<'p>(
        &'p self,
        hash: Hash,
        mut is_id: impl FnMut(&Id) -> bool,
        pin: &'p Pin<'_>,
    ) -> Option<Named<'p, Id, Node, Info, Stream>> {
        self.find(&self.ids, hash, |live| is_id(live.id()), pin)
    }

    /// The live client with that node id or alias.
    pub(crate) fn find_by_node<'p>(
        &'p self,
        hash: Hash,
        mut is_node: impl FnMut(&Node) -> bool,
        pin: &'p Pin<'_>,
    ) -> Option<Named<'p, Id, Node, Info, Stream>> {
        self.find(&self.nodes, hash, |live| is_node(live.node()), pin)
    }

    /// What `read` makes of the client of that client id. See `read`.
    pub(crate) fn read_by_id<'p, R>(
        &'p self,
        hash: Hash,
        is_id: impl Fn(&Id) -> bool,
        read: impl Fn(Live<'p, Id, Node, Info, Stream>) -> Option<R>,
        pin: &'p Pin<'_>,
    ) -> Option<R> {
        self.read(|| self.find_by_id(hash, &is_id, pin), read)
    }

    /// What `read` makes of the client of that node id or alias. See `read`.
    pub(crate) fn read_by_node<'p, R>(
        &'p self,
        hash: Hash,
        is_node: impl Fn(&Node) -> bool,
        read: impl Fn(Live<'p, Id, Node, Info, Stream>) -> Option<R>,
        pin: &'p Pin<'_>,
    ) -> Option<R> {
        self.read(|| self.find_by_node(hash, &is_node, pin), read)
    }

    /// Reads a client at a moment when a name led to it. `read` says `None` of one that has ended since.
    ///
    /// A name that went over to a newcomer never leads back, for the newcomer evicts the older client before
    /// it ends itself. So one that leads to the same incarnation before and after the read did so all the
    /// time (D). If it does not, another call got on.
    fn read<'p, R>(
        &'p self,
        find: impl Fn() -> Option<Named<'p, Id, Node, Info, Stream>>,
        read: impl Fn(Live<'p, Id, Node, Info, Stream>) -> Option<R>,
    ) -> Option<R> {
        loop {
            let named = find()?;
            let Some(value) = read(named.client) else {
                continue;
            };
            // Without the mark, it is what the client came with, and was current when the word was read.
            let is_first = !named.client.word().is_swung();
            if is_first || find().is_some_and(|again| again.bearer == named.bearer) {
                return Some(value);
            }
        }
    }

    fn find<'p>(
        &'p self,
        table: &'p Table,
        hash: Hash,
        mut bears_name: impl FnMut(&Live<'p, Id, Node, Info, Stream>) -> bool,
        pin: &'p Pin<'_>,
    ) -> Option<Named<'p, Id, Node, Info, Stream>> {
        match table.count(hash, pin) {
            Count::None => return None,
            Count::One(slot) => {
                if let Some(live) = self.slots.see(slot, pin).live()
                    && bears_name(&live)
                    && let Some(client) = self.client_of(live, pin)
                {
                    return Some(Named { client, bearer: live.address() });
                }
            }
            Count::More => {}
        }
        self.find_slowly(table, hash, bears_name, pin)
    }

    /// The whole rule, for several matches and what is under way.
    #[cold]
    fn find_slowly<'p>(
        &'p self,
        table: &'p Table,
        hash: Hash,
        mut bears_name: impl FnMut(&Live<'p, Id, Node, Info, Stream>) -> bool,
        pin: &'p Pin<'_>,
    ) -> Option<Named<'p, Id, Node, Info, Stream>> {
        loop {
            let (stamp, slots) = table.scan(hash, pin);
            let mut armed = Vec::new();
            let mut met = 0;
            let mut newest: Option<(Address, Live<'p, Id, Node, Info, Stream>)> = None;
            for slot in slots {
                met += 1;
                let seen = self.slots.see(slot, pin);
                if seen.word.phase() == Phase::Armed {
                    armed.push(slot);
                }
                let Some(live) = seen.live().filter(|live| bears_name(live)) else {
                    continue;
                };
                let Some(client) = self.client_of(live, pin) else {
                    continue;
                };
                let address = live.address();
                if newest.is_none_or(|(newest, _)| newest.generation < address.generation) {
                    newest = Some((address, client));
                }
            }
            if let Some((bearer, client)) = newest {
                if met == 1 {
                    return Some(Named { client, bearer });
                }
                // Another may have gone live and died since this one's word was read: read it again,
                // last. Dead now, the older ones may be as well.
                let again = self.slots.see(bearer.slot, pin).live();
                let again = again.filter(|live| live.address() == bearer);
                if let Some(client) = again.and_then(|live| self.client_of(live, pin)) {
                    return Some(Named { client, bearer });
                }
                continue;
            }
            let stayed = |&slot: &u32| {
                let word = self.slots.see(slot, pin).word;
                word.phase() == Phase::Armed || word.is_refused()
            };
            if armed.iter().all(stayed) && stamp.holds() {
                return None;
            }
        }
    }

    /// The client that a live slot stands for: itself, or an alias's owner while it lives.
    #[inline]
    fn client_of<'p>(
        &'p self,
        live: Live<'p, Id, Node, Info, Stream>,
        pin: &'p Pin<'_>,
    ) -> Option<Live<'p, Id, Node, Info, Stream>> {
        if live.word().is_alias() { self.owner_of(live.slot(), pin) } else { Some(live) }
    }

    /// Touches what a lookup by node id will read first.
    #[inline]
    pub(crate) fn prefetch_line(&self, hash: Hash, pin: &Pin<'_>) {
        self.nodes.prefetch(hash, pin);
    }

    /// Touches the records that the chain's entries lead to.
    #[inline]
    pub(crate) fn prefetch_records(&self, hash: Hash, pin: &Pin<'_>) {
        if let Count::One(slot) = self.nodes.count(hash, pin) {
            self.slots.prefetch(slot);
        }
    }
}
