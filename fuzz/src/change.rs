//! Every operation that changes something, done on the registry and on the model.

use std::hash::BuildHasher;

use tandem_registry::{AliasErrorKind, ConnectError, ConnectErrorKind, NewClient};

use crate::{
    drive::{Drive, Value, newest},
    fixtures::{
        model::{self, AliasRefusal, Refusal},
        tracked::Tracked,
    },
    input::{Age, Newcomer, SessionEnd},
};

type New = NewClient<Value, Value, Value, Value>;

impl<S: BuildHasher> Drive<S> {
    fn value(&self, value: u64) -> Value {
        Tracked::new(self.ledger, value)
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The same newcomer for the model and for the registry.
    fn newcomer(&mut self, newcomer: Newcomer) -> (model::NewClient, New) {
        let within = |name: u8| u64::from(name) % self.setup.span;
        let aliases = newcomer.extras.aliases.into_iter().flatten().map(within).collect();
        let (id, node) = (within(newcomer.id), within(newcomer.node));
        let info = self.next_serial();
        let stream = newcomer.extras.stream.then(|| self.next_serial());
        let model = model::NewClient { id, node, info, stream, aliases };

        let mut new = NewClient::new(self.value(id), self.value(node), self.value(info));
        if let Some(stream) = stream {
            new = new.stream(self.value(stream));
        }
        for &alias in &model.aliases {
            new = new.alias(self.value(alias));
        }
        (model, new)
    }

    pub(crate) fn connect(&mut self, newcomer: Newcomer) {
        let (given, new) = self.newcomer(newcomer);
        match (self.model.connect(given.clone()), self.registry.connect(new)) {
            (Ok(expected), Ok(connected)) => {
                let refused = connected.refused_aliases.into_iter().map(|error| {
                    let kind = error.kind();
                    (*error.into_rejected().get(), kind)
                });
                let expected_refused = expected
                    .refused_aliases
                    .iter()
                    .map(|&(name, refusal)| (name, alias_kind(refusal)));
                assert!(refused.eq(expected_refused), "other aliases were refused");
                self.note_connected(&expected, connected.key, connected.stream_key);
                self.keep_displaced(expected, connected.displaced);
            }
            (Err(refusal), Err(error)) => assert_refused(&given, refusal, error),
            (Ok(_), Err(error)) => panic!("{newcomer:?} was refused: {:?}", error.kind()),
            (Err(refusal), Ok(_)) => panic!("{newcomer:?} was let in in spite of {refusal:?}"),
        }
    }

    pub(crate) fn open_session(&mut self, newcomer: Newcomer) {
        let (given, new) = self.newcomer(newcomer);
        match (self.model.connect(given.clone()), self.registry.session(new)) {
            (Ok(expected), Ok((session, displaced))) => {
                self.note_connected(&expected, session.key(), session.stream_key());
                assert!(session.is_live());
                self.sessions.push((expected.incarnation, session));
                self.keep_displaced(expected, displaced);
            }
            (Err(refusal), Err(error)) => assert_refused(&given, refusal, error),
            (Ok(_), Err(error)) => panic!("{newcomer:?} was refused: {:?}", error.kind()),
            (Err(refusal), Ok(_)) => panic!("{newcomer:?} was let in in spite of {refusal:?}"),
        }
    }

    pub(crate) fn end_session(&mut self, age: Age, end: SessionEnd) {
        if self.sessions.is_empty() {
            return;
        }
        let chosen = usize::from(age) % self.sessions.len();
        let (incarnation, session) = self.sessions.swap_remove(chosen);
        let key = self.key_of[&incarnation];
        assert_eq!(session.key(), key);
        assert_eq!(session.is_live(), self.model.get(incarnation).is_some());
        match end {
            SessionEnd::Drop => {
                self.model.disconnect_incarnation(incarnation);
                drop(session);
            }
            SessionEnd::Disconnect => {
                let expected = self.model.disconnect_incarnation(incarnation);
                self.keep_removed(expected, session.disconnect());
            }
            SessionEnd::IntoKey => assert_eq!(session.into_key(), key),
        }
    }

    pub(crate) fn disconnect(&mut self, id: u64) {
        let expected = self.model.disconnect(id);
        let removed = self.registry.disconnect(&id);
        self.keep_removed(expected, removed);
    }

    pub(crate) fn attach(&mut self, age: Age) {
        let Some((incarnation, key)) = newest(&self.keys, age) else {
            return;
        };
        let serial = self.next_serial();
        let attached = self.registry.attach_stream(key, self.value(serial));
        match (self.model.attach(incarnation, serial), attached) {
            (Some(attachment), Ok(stream_key)) => self.note_attached(attachment, stream_key),
            (None, Err(error)) => assert_eq!(error.into_rejected().get(), &serial),
            (expected, got) => panic!("attach to {key:?}: {expected:?}, but {got:?}"),
        }
    }

    pub(crate) fn detach(&mut self, age: Age) {
        let Some((attachment, key)) = newest(&self.stream_keys, age) else {
            return;
        };
        match (self.model.detach(attachment), self.registry.detach_stream(key)) {
            (Some(expected), Some(detached)) => {
                assert_eq!(detached.get(), &expected);
                assert_eq!(detached.key(), key);
                self.detached.push((expected, detached));
            }
            (None, None) => {}
            (expected, got) => panic!("detach of {key:?}: {expected:?}, but {}", got.is_some()),
        }
    }

    pub(crate) fn update_info(&mut self, age: Age) {
        let Some((incarnation, key)) = newest(&self.keys, age) else {
            return;
        };
        let serial = self.next_serial();
        let updated = self.registry.update_info(key, self.value(serial));
        match (self.model.update_info(incarnation, serial), updated) {
            (true, Ok(())) => {}
            (false, Err(error)) => assert_eq!(error.into_rejected().get(), &serial),
            (expected, got) => panic!("update of {key:?}: {expected:?}, but {got:?}"),
        }
    }

    pub(crate) fn add_alias(&mut self, age: Age, name: u64) {
        let Some((incarnation, key)) = newest(&self.keys, age) else {
            return;
        };
        let added = self.registry.add_alias(key, self.value(name));
        match (self.model.add_alias(incarnation, name), added) {
            (Ok(()), Ok(())) => {}
            (Err(refusal), Err(error)) => {
                assert_eq!(error.kind(), alias_kind(refusal));
                assert_eq!(error.into_rejected().get(), &name);
            }
            (expected, got) => panic!("alias {name} of {key:?}: {expected:?}, but {got:?}"),
        }
    }

    /// With no guard and nothing handed back, what is left after a flush is what lives.
    pub(crate) fn flush(&mut self) {
        let flushed = self.registry.flush();
        if self.guards == 0 {
            assert_eq!(flushed.left, 0, "something was left without a guard");
            if self.removed.is_empty() && self.detached.is_empty() {
                assert_eq!(self.registry.stats().retired, 0);
                self.ledger.assert_live(self.model.values());
            }
        }
    }

    pub(crate) fn close(&mut self) {
        let mut ended = self.registry.close();
        for expected in self.model.close() {
            let found = ended.iter().position(|removed| removed.id().get() == &expected.id);
            let removed = ended.swap_remove(found.expect("close hands every client back"));
            self.keep_removed(Some(expected), Some(removed));
        }
        assert!(ended.is_empty(), "close handed back who was not connected");
    }
}

fn assert_refused(
    given: &model::NewClient,
    refusal: Refusal,
    error: ConnectError<Value, Value, Value, Value>,
) {
    let kind = error.kind();
    let agrees = match refusal {
        Refusal::IdTaken => kind == ConnectErrorKind::IdTaken,
        Refusal::NodeTaken => kind == ConnectErrorKind::NodeTaken,
        Refusal::BothTaken => {
            matches!(kind, ConnectErrorKind::IdTaken | ConnectErrorKind::NodeTaken)
        }
        Refusal::Full => kind == ConnectErrorKind::Full,
        Refusal::Closed => kind == ConnectErrorKind::Closed,
    };
    assert!(agrees, "{given:?} was to be refused as {refusal:?}, but {kind:?}");
    let back = error.into_rejected();
    let values = (back.id.get(), back.node.get(), back.info.get());
    assert_eq!(values, (&given.id, &given.node, &given.info));
    assert_eq!(back.stream.as_ref().map(Tracked::get), given.stream.as_ref());
    assert!(back.aliases.iter().map(Tracked::get).eq(&given.aliases));
}

fn alias_kind(refusal: AliasRefusal) -> AliasErrorKind {
    match refusal {
        AliasRefusal::ClientGone => AliasErrorKind::ClientGone,
        AliasRefusal::NodeId => AliasErrorKind::NodeId,
        AliasRefusal::Taken => AliasErrorKind::Taken,
    }
}
