//! What the registry handed out: keys, each of them once, and values that somebody has to drop some time.

use std::hash::BuildHasher;

use tandem_registry::{ClientKey, Displaced, StreamKey};

use crate::{
    drive::{Drive, Ended, Value},
    fixtures::{
        model::{self, Attachment},
        tracked::Tracked,
    },
};

impl<S: BuildHasher> Drive<S> {
    pub(crate) fn note_connected(
        &mut self,
        expected: &model::Connected,
        key: ClientKey,
        stream_key: Option<StreamKey>,
    ) {
        assert!(self.given.0.insert(key), "{key:?} was given out before");
        self.keys.push((expected.incarnation, key));
        self.key_of.insert(expected.incarnation, key);
        assert_eq!(stream_key.is_some(), expected.stream.is_some());
        if let (Some(attachment), Some(stream_key)) = (expected.stream, stream_key) {
            self.note_attached(attachment, stream_key);
        }
    }

    pub(crate) fn note_attached(&mut self, attachment: Attachment, key: StreamKey) {
        assert!(self.given.1.insert(key), "{key:?} was given out before");
        assert_eq!(key.client(), self.key_of[&attachment.client]);
        self.stream_keys.push((attachment, key));
        self.stream_key_of.insert(attachment, key);
    }

    pub(crate) fn keep_displaced(
        &mut self,
        expected: model::Connected,
        displaced: Displaced<Value, Value, Value, Value>,
    ) {
        let count = expected.by_id.iter().chain(&expected.by_node).count();
        assert_eq!((displaced.len(), displaced.is_empty()), (count, count == 0));
        self.keep_removed(expected.by_id, displaced.by_id);
        self.keep_removed(expected.by_node, displaced.by_node);
    }

    pub(crate) fn keep_removed(&mut self, expected: Option<model::Client>, removed: Option<Ended>) {
        match (expected, removed) {
            (Some(expected), Some(removed)) => {
                assert_removed(&expected, &removed);
                assert_eq!(removed.key(), self.key_of[&expected.incarnation]);
                let stream_key = expected.stream.map(|(stream, _)| self.stream_key_of[&stream]);
                assert_eq!(removed.stream_key(), stream_key);
                self.removed.push((expected, removed));
            }
            (None, None) => {}
            (expected, got) => {
                panic!("{expected:?} was to be ended, but {:?}", got.map(|removed| removed.key()));
            }
        }
    }

    /// Drops one of the things that were handed back, after a last look at it.
    pub(crate) fn release(&mut self, chosen: usize) {
        let (removed, detached) = (self.removed.len(), self.detached.len());
        if removed + detached == 0 {
            return;
        }
        match chosen % (removed + detached) {
            place if place < removed => {
                let (expected, removed) = self.removed.swap_remove(place);
                assert_removed(&expected, &removed);
            }
            place => {
                let (expected, detached) = self.detached.swap_remove(place - removed);
                assert_eq!(detached.get(), &expected);
            }
        }
    }

    pub(crate) fn release_all(&mut self) {
        self.removed.drain(..).for_each(|(expected, removed)| assert_removed(&expected, &removed));
        self.detached.drain(..).for_each(|(expected, value)| assert_eq!(value.get(), &expected));
    }
}

/// What was handed back shows the client as it was in the end.
pub(crate) fn assert_removed(expected: &model::Client, removed: &Ended) {
    assert_eq!(removed.id().get(), &expected.id);
    assert_eq!(removed.node().get(), &expected.node);
    assert_eq!(removed.info().get(), &expected.info);
    let stream = expected.stream.as_ref().map(|(_, stream)| stream);
    assert_eq!(removed.stream().map(Tracked::get), stream);
}
