//! Iteration walks the slots, not the tables: an incarnation stays in its slot, so one that lives
//! during the whole walk is met exactly once, whatever the tables do meanwhile (H).

use core::fmt;

use crate::found::ClientRef;
use crate::reclaim::Pin;
use crate::tandem::Tandem;

/// Every live client; see [`Guard::iter`](crate::Guard::iter).
pub struct Iter<'g, Id, Node, Info, Stream> {
    tandem: &'g Tandem<Id, Node, Info, Stream>,
    registry: u32,
    pin: &'g Pin<'g>,
    next: u32,
    /// The slots from `next` up to here have records, in one segment.
    there: u32,
    segment: usize,
    end: u32,
}

impl<'g, Id, Node, Info, Stream> Iter<'g, Id, Node, Info, Stream> {
    pub(crate) fn new(
        tandem: &'g Tandem<Id, Node, Info, Stream>,
        registry: u32,
        pin: &'g Pin<'g>,
    ) -> Self {
        Self {
            tandem,
            registry,
            pin,
            next: 0,
            there: 0,
            segment: 0,
            // A client that lives by now has a slot below this.
            end: tandem.slots.len(),
        }
    }

    /// The part of the walk that is in these slots.
    pub(crate) fn within(self, slots: core::ops::Range<u32>) -> Self {
        Self { next: slots.start, end: slots.end, ..self }
    }
}

impl<'g, Id, Node, Info, Stream> Iter<'g, Id, Node, Info, Stream> {
    /// Moves `there` on, or `next` past slots that were vacated.
    #[cold]
    fn look_ahead(&mut self) -> bool {
        let (segment, are_there, until) = self.tandem.slots.are_there(self.next);
        (self.segment, self.there) = (segment, until);
        if !are_there {
            self.next = until;
        }
        are_there
    }

    /// The client of a slot that is not plain, if there is one.
    #[inline(never)]
    fn client(&self, slot: u32) -> Option<ClientRef<'g, Id, Node, Info, Stream>> {
        let live = self.tandem.slots.see(slot, self.pin).client()?;
        ClientRef::new(live, self.registry)
    }
}

impl<'g, Id, Node, Info, Stream> Iterator for Iter<'g, Id, Node, Info, Stream> {
    type Item = ClientRef<'g, Id, Node, Info, Stream>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.end {
            if self.next >= self.there && !self.look_ahead() {
                continue;
            }
            let slot = self.next;
            self.next += 1;
            // Linearization point of each: this read, or that of a pointer to what came later.
            // SAFETY: below `there`, so that `are_there` said so.
            if let Some(plain) = unsafe { self.tandem.slots.plain_in(self.segment, slot, self.pin) }
            {
                return Some(ClientRef::plain(plain, self.registry));
            }
            if let Some(client) = ClientRef::apart(self.client(slot)) {
                return Some(client);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some((self.end - self.next) as usize))
    }
}

impl<Id, Node, Info, Stream> core::iter::FusedIterator for Iter<'_, Id, Node, Info, Stream> {}

impl<Id, Node, Info, Stream> fmt::Debug for Iter<'_, Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}
