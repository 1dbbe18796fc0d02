//! `Send`, `Sync`, `Debug`, `Default` and `Error`, for types that have as little as possible.

use std::{error::Error, fmt, sync::Arc};

use static_assertions::{assert_impl_all, assert_not_impl_any};
use tandem_registry::{
    AliasError, AliasErrorKind, AttachError, BuildError, BuildErrorKind, Builder, ClientKey,
    ClientRef, ConnectError, ConnectErrorKind, Connected, Detached, Displaced, Flushed, Guard,
    Iter, NewClient, Policy, Registry, Removed, Route, Session, Stats, StreamKey, UpdateError,
};

/// Implements nothing that could be done without, not even `Debug`.
#[derive(PartialEq, Eq, Hash)]
struct Bare(u8);

/// `Send`, but not `Sync`.
type NotSync = std::cell::Cell<u8>;
/// Neither.
type NotSend = std::rc::Rc<u8>;

type Tandem<T> = Registry<Bare, Bare, T, T>;

assert_impl_all!(Registry<u64, String, Bare, Bare>: Send, Sync, Default);
assert_impl_all!(Removed<u64, String, Bare, Bare>: Send, Sync);
assert_impl_all!(Detached<u64, String, Bare, Bare>: Send, Sync);
assert_impl_all!(Session<u64, String, Bare, Bare>: Send, Sync);
assert_impl_all!(Connected<u64, String, Bare, Bare>: Send, Sync);
assert_impl_all!(Displaced<u64, String, Bare, Bare>: Send, Sync);
assert_impl_all!(Builder<u64, String, Bare, Bare>: Send, Sync);
assert_impl_all!(ConnectError<Bare, Bare, Bare, Bare>: Send, Sync, Error);
assert_impl_all!(AliasError<Bare>: Send, Sync, Error);
assert_impl_all!(AttachError<Bare>: Send, Sync, Error);
assert_impl_all!(UpdateError<Bare>: Send, Sync, Error);
assert_impl_all!(BuildError: Send, Sync, Error);
// An error says what happened, not what is in the arguments: it needs nothing of them.
assert_impl_all!(ConnectError<NotSend, NotSend, NotSend, NotSend>: fmt::Debug, fmt::Display);

// A guard belongs to the thread that took it.
assert_not_impl_any!(Guard<'static, u64, String, Bare, Bare>: Send);
// A reference under it may go to another thread, within a scope: it is no more than a reference.
assert_not_impl_any!(Route<'static, NotSync>: Send, Sync);

// A registry gives out references on all threads, and drops values on any.
assert_not_impl_any!(Tandem<NotSend>: Send, Sync);
assert_not_impl_any!(Tandem<NotSync>: Sync);
assert_not_impl_any!(Registry<NotSend, u64, (), ()>: Send, Sync);
assert_not_impl_any!(Registry<u64, NotSend, (), ()>: Send, Sync);
assert_not_impl_any!(Removed<u64, u64, NotSend, ()>: Send, Sync);
assert_not_impl_any!(Removed<u64, u64, (), NotSend>: Send, Sync);
assert_not_impl_any!(Detached<u64, u64, (), NotSend>: Send, Sync);
// A value that a guard still reaches elsewhere may be handed over by `Removed`: so it is shared.
assert_not_impl_any!(Removed<u64, u64, NotSync, ()>: Send);
assert_not_impl_any!(Detached<u64, u64, (), NotSync>: Send);

assert_impl_all!(ClientKey: Copy, Ord, std::hash::Hash, fmt::Debug, Send, Sync);
assert_impl_all!(StreamKey: Copy, Ord, std::hash::Hash, fmt::Debug, Send, Sync);
assert_impl_all!(Policy: Copy, Eq, Default, fmt::Debug);
assert_impl_all!(Flushed: Copy, Eq, fmt::Debug);
assert_impl_all!(Stats: Copy, Eq, fmt::Debug);
assert_impl_all!(NewClient<u64, u64, u64, u64>: Clone, Eq, fmt::Debug);
assert_impl_all!(Displaced<u64, u64, u64, u64>: IntoIterator);
assert_impl_all!(Iter<'static, u64, u64, u64, u64>: Iterator<Item = ClientRef<'static, u64, u64, u64, u64>>);

/// Errors are boxed and asked for their text by people who know nothing of the types.
fn text(error: impl Error + 'static) -> String {
    let debug = format!("{error:?}");
    assert!(!debug.is_empty());
    let boxed: Box<dyn Error> = Box::new(error);
    boxed.to_string()
}

#[test]
fn errors_need_nothing_of_the_types_in_them() {
    let registry: Tandem<Bare> =
        Registry::builder().max_clients(1).on_conflict(Policy::Reject).build().unwrap();
    let new = |id, node| NewClient::new(Bare(id), Bare(node), Bare(0)).stream(Bare(9));
    let key = registry.connect(new(1, 1)).unwrap().key;
    let mut texts = Vec::new();
    for (id, node) in [(1, 2), (2, 1), (2, 2)] {
        texts.push(text(registry.connect(new(id, node)).expect_err("refused")));
    }
    texts.push(text(registry.add_alias(key, Bare(1)).unwrap_err()));
    registry.disconnect_key(key);
    texts.push(text(registry.add_alias(key, Bare(3)).unwrap_err()));
    texts.push(text(registry.attach_stream(key, Bare(0)).unwrap_err()));
    texts.push(text(registry.update_info(key, Bare(0)).unwrap_err()));
    registry.close();
    texts.push(text(registry.connect(new(1, 1)).expect_err("refused")));
    println!("{texts:#?}");
    assert!(texts.iter().all(|text| !text.is_empty()));
    // Each kind of refusal says something else.
    let mut distinct = texts.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() >= 7, "{texts:#?}");
}

/// What is shown says which client, not what is in it.
#[test]
fn all_is_shown_that_can_be_shown_of_any_type() {
    let builder = Registry::builder().max_clients(2).capacity(1).shards(4);
    let builder = builder.on_conflict(Policy::Takeover);
    let shown = format!("{builder:?}");
    for setting in ["max_clients: Some(2)", "capacity: 1", "shards: Some(4)", "Takeover"] {
        assert!(shown.contains(setting), "{shown} lacks {setting}");
    }
    let registry: Arc<Tandem<Bare>> = Arc::new(builder.build().unwrap());
    let new = |id, node| NewClient::new(Bare(id), Bare(node), Bare(0)).stream(Bare(9));
    let connected = registry.connect(new(1, 1)).unwrap();
    let key = format!("{:?}", connected.key);
    let stream_key = format!("{:?}", connected.stream_key.unwrap());
    assert!(key.starts_with("ClientKey(") && stream_key.starts_with("StreamKey("));
    // The stream key names the client as the client key does.
    let inner = key.trim_start_matches("ClientKey(").trim_end_matches(')');
    assert!(stream_key.contains(inner), "{stream_key} does not name {key}");

    let guard = registry.pin();
    let (route, client) = (guard.route(&Bare(1)).unwrap(), guard.client(&Bare(1)).unwrap());
    let shows = |shown: String, name: &str, parts: &[&str]| {
        assert!(shown.starts_with(name), "{shown}");
        assert!(parts.iter().all(|part| shown.contains(part)), "{shown} lacks one of {parts:?}");
    };
    shows(format!("{route:?}"), "Route", &[&stream_key]);
    shows(format!("{client:?}"), "ClientRef", &[&key, &stream_key]);
    shows(format!("{guard:?}"), "Guard", &[]);
    shows(format!("{:?}", guard.iter()), "Iter", &[]);
    // Copies lead to the same.
    let copies = (<Route<'_, _> as Clone>::clone(&route), Clone::clone(&client));
    assert!(std::ptr::eq(copies.0.stream(), route.stream()));
    assert_eq!(copies.1.key(), client.key());
    drop(guard);

    let newcomer = registry.connect(new(1, 1)).unwrap();
    shows(format!("{newcomer:?}"), "Connected", &["Displaced", "Removed", &key, &stream_key]);
    drop(newcomer.displaced);
    let detached = registry.detach_stream(newcomer.stream_key.unwrap()).unwrap();
    shows(format!("{detached:?}"), "Detached", &[&format!("{:?}", newcomer.stream_key.unwrap())]);
    drop(detached);
    let (session, _) = registry.session(new(2, 2)).unwrap();
    shows(format!("{session:?}"), "Session", &["ClientKey("]);
    shows(format!("{registry:?}"), "Registry", &["clients: 2"]);
}

/// Also of the kinds that no test can bring about, as no machine of CI has 2^27 slots.
#[test]
fn kinds_are_compared_and_shown() {
    assert_ne!(ConnectErrorKind::Full, ConnectErrorKind::Closed);
    assert_ne!(AliasErrorKind::Taken, AliasErrorKind::NodeId);
    assert_eq!(format!("{:?}", BuildErrorKind::Shards), "Shards");
}

#[test]
fn a_default_registry_has_no_limit() {
    let registry: Tandem<Bare> = Registry::default();
    assert_eq!(registry.stats().max_clients, None);
    assert!(registry.is_empty());
    assert!(!registry.is_closed());
}

/// A registry of types that are not `Send` is of use to one thread.
#[test]
fn one_thread_needs_no_send() {
    let registry: Registry<NotSend, NotSend, NotSend, NotSend> = Registry::new();
    let value = NotSend::new(1);
    let share = || NotSend::clone(&value);
    registry.connect(NewClient::new(share(), share(), share()).stream(share())).unwrap();
    assert!(registry.pin().stream(&value).is_some());
    drop(registry.disconnect(&value));
    drop(registry);
    assert_eq!(NotSend::strong_count(&value), 1);
}

#[test]
fn a_registry_is_shared_in_a_static_or_an_arc() {
    static SHARED: std::sync::OnceLock<Registry<u64, String, Bare, Bare>> =
        std::sync::OnceLock::new();
    let shared = SHARED.get_or_init(Registry::new);
    shared.connect(NewClient::new(1, "node".to_owned(), Bare(1))).unwrap();
    assert!(std::thread::spawn(|| SHARED.get().unwrap().contains(&1)).join().unwrap());
    let shared: Arc<dyn Send + Sync> = Arc::new(Registry::<u64, u64, u64, u64>::new());
    drop(shared);
}
