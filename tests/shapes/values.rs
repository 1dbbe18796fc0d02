//! Values of all shapes: without size, over-aligned, huge, and keys looked up by a borrowed form.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasherDefault, DefaultHasher, Hash},
};

use tandem_registry::{Equivalent, NewClient, Registry};

use crate::fixtures::{
    hashers::{FewBits, Identity},
    tracked::{Ledger, Tracked},
};

#[test]
fn values_without_size() {
    let registry: Registry<(), (), (), ()> = Registry::new();
    let key = registry.connect(NewClient::new((), (), ()).stream(())).unwrap().key;
    let connected = registry.connect(NewClient::new((), (), ())).unwrap();
    assert_eq!(connected.displaced.by_id.as_ref().map(|removed| removed.key()), Some(key));
    assert_eq!(connected.stream_key, None);
    let stream_key = registry.attach_stream(connected.key, ()).unwrap();
    registry.update_info(connected.key, ()).unwrap();
    assert!(registry.pin().route(&()).is_some());
    assert!(registry.detach_stream(stream_key).is_some());
    assert_eq!(registry.disconnect(&()).and_then(|removed| removed.stream().copied()), None);
    assert_eq!(registry.flush().left, 0);
}

/// Without size, but with a drop that counts.
#[test]
fn drops_of_values_without_size_are_counted() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counts;
    impl Drop for Counts {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Relaxed);
        }
    }
    let registry: Registry<u8, u8, Counts, Counts> = Registry::new();
    for _ in 0..100 {
        let key = registry.connect(NewClient::new(1, 1, Counts).stream(Counts)).unwrap().key;
        registry.attach_stream(key, Counts).unwrap();
        registry.update_info(key, Counts).unwrap();
    }
    drop(registry);
    assert_eq!(DROPS.load(Relaxed), 400);
}

#[repr(align(128))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Aligned(u8);

#[track_caller]
fn assert_aligned<T>(value: &T) {
    assert!(std::ptr::from_ref(value).is_aligned());
}

#[test]
fn over_aligned_values_lie_where_they_must() {
    let registry: Registry<Aligned, Aligned, Aligned, Aligned> = Registry::new();
    for n in 0..200 {
        let value = || Aligned(n);
        let new =
            NewClient::new(value(), value(), value()).stream(value()).alias(Aligned(n ^ 0xFF));
        let connected = registry.connect(new);
        // The last ones meet aliases of the first: not this test's matter.
        let key = connected.unwrap().key;
        if n % 2 == 0 {
            registry.attach_stream(key, value()).unwrap();
            registry.update_info(key, value()).unwrap();
        }
    }
    let guard = registry.pin();
    for found in guard.iter() {
        assert_aligned(found.id());
        assert_aligned(found.node());
        assert_aligned(found.info());
        assert_aligned(found.stream().expect("each has one"));
        assert_eq!(found.id(), found.info());
        assert_eq!(Some(found.id()), found.stream());
    }
    drop(guard);
    let removed = registry.disconnect(&Aligned(4)).unwrap();
    assert_aligned(removed.info());
    assert_aligned(removed.stream().unwrap());
}

/// One is over-aligned and its neighbours are bytes: wherever the fields end up.
#[test]
fn values_of_mixed_alignment() {
    let registry: Registry<u8, Aligned, u16, Aligned> = Registry::new();
    let other: Registry<Aligned, u8, Aligned, u8> = Registry::new();
    for n in 0..100 {
        registry.connect(NewClient::new(n, Aligned(n), 7).stream(Aligned(n))).unwrap();
        other.connect(NewClient::new(Aligned(n), n, Aligned(n)).stream(n)).unwrap();
    }
    for n in 0..100 {
        let guard = registry.pin();
        let stream = guard.stream(&Aligned(n)).unwrap();
        assert_aligned(stream);
        assert_eq!(stream, &Aligned(n));
        let guard = other.pin();
        let found = guard.client_by_node(&n).unwrap();
        assert_aligned(found.info());
        assert_eq!((found.info(), found.stream()), (&Aligned(n), Some(&n)));
    }
}

#[test]
fn huge_keys_and_values() {
    type Huge = [u8; 4096];
    let huge = |n: u8| [n; 4096];
    let registry: Registry<Huge, Huge, Huge, Huge> = Registry::new();
    for n in 0..50 {
        let new = NewClient::new(huge(n), huge(n), huge(n)).stream(huge(n)).alias(huge(n + 100));
        registry.connect(new).unwrap();
    }
    for n in 0..50 {
        assert_eq!(registry.stream_cloned(&huge(n + 100)), Some(huge(n)));
        let removed = registry.disconnect(&huge(n)).unwrap();
        assert_eq!((removed.id(), removed.info()), (&huge(n), &huge(n)));
    }
}

#[test]
fn boxed_and_owning_values_are_freed() {
    static LEDGER: Ledger = Ledger::new();
    let value = |n: u64| Box::new(Tracked::new(&LEDGER, vec![n; 10]));
    type Owned = Box<Tracked<Vec<u64>>>;
    let registry: Registry<Owned, Owned, Owned, Owned> = Registry::new();
    for n in 0..100 {
        registry.connect(NewClient::new(value(n), value(n), value(n)).stream(value(n))).unwrap();
    }
    for n in (0..100).step_by(2) {
        assert!(registry.disconnect(&value(n)).is_some());
    }
    drop(registry);
    LEDGER.assert_balanced();
}

#[test]
fn string_keys_are_looked_up_by_str() {
    let registry: Registry<String, String, (), u32> = Registry::new();
    let new = |n: u32| NewClient::new(format!("client {n}"), format!("node {n}"), ()).stream(n);
    let first = registry.connect(new(1).alias("first".to_owned())).unwrap();
    registry.connect(new(2)).unwrap();
    assert!(registry.contains("client 1"));
    assert_eq!(registry.key("client 1"), Some(first.key));
    assert_eq!(registry.key_by_node("first"), Some(first.key));
    assert_eq!(registry.with_stream("node 2", |stream| *stream), Some(2));
    assert_eq!(registry.stream_cloned("first"), Some(1));
    let guard = registry.pin();
    assert_eq!(guard.stream("node 1"), Some(&1));
    assert!(guard.client("client 2").is_some());
    assert!(guard.client_by_node("first").is_some());
    let mut batch = Vec::new();
    guard.routes_batch(["node 2", "none", "first"], |nth, route| {
        batch.push((nth, route.map(|route| *route.stream())));
    });
    batch.sort_unstable();
    assert_eq!(batch, [(0, Some(2)), (1, None), (2, Some(1))]);
    drop(guard);
    assert!(registry.remove_alias(first.key, "first"));
    assert!(registry.disconnect("client 1").is_some());
}

#[test]
fn keys_are_looked_up_by_an_equivalent_form() {
    #[derive(PartialEq, Eq, Hash)]
    struct Address {
        host: String,
        port: u16,
    }
    #[derive(Hash)]
    struct AddressRef<'a> {
        host: &'a str,
        port: u16,
    }
    impl Equivalent<Address> for AddressRef<'_> {
        fn equivalent(&self, address: &Address) -> bool {
            self.host == address.host && self.port == address.port
        }
    }
    let registry: Registry<u64, Address, (), u8> = Registry::new();
    let address = Address { host: "192.0.2.1".to_owned(), port: 4433 };
    registry.connect(NewClient::new(1, address, ()).stream(9)).unwrap();
    let host = "192.0.2.1";
    assert_eq!(registry.stream_cloned(&AddressRef { host, port: 4433 }), Some(9));
    assert_eq!(registry.stream_cloned(&AddressRef { host, port: 4434 }), None);
}

#[test]
fn any_hasher_will_do() {
    fn works<S: std::hash::BuildHasher>(hasher: S) {
        let builder = Registry::builder().hasher(hasher).shards(8);
        let registry: Registry<u64, u64, (), u64, S> = builder.build().unwrap();
        for n in 0..1_000 {
            registry.connect(NewClient::new(n, n, ()).stream(n)).unwrap();
        }
        assert!((0..1_000).all(|n| registry.stream_cloned(&n) == Some(n)));
        assert!((0..1_000_u64).all(|n| registry.disconnect(&n).is_some()));
    }
    works(RandomState::new());
    works(BuildHasherDefault::<DefaultHasher>::default());
    works(Identity);
    works(FewBits(1));
}

/// Those of large registries look ahead.
#[test]
fn one_batch_may_have_any_length_and_any_keys() {
    for clients in [100, 5_000] {
        let registry: Registry<u64, u64, (), u64> = Registry::new();
        for n in 0..clients {
            registry.connect(NewClient::new(n, n, ()).stream(n)).unwrap();
        }
        let guard = registry.pin();
        guard.routes_batch(std::iter::empty::<&u64>(), |_, _| panic!("nothing was asked"));
        for len in [1, 2, 7, 8, 15, 16, 17, 33, 1_000] {
            // Each third key is unknown, and many come more than once.
            let key = |n| if n % 3 == 0 { clients + n } else { n % 100 };
            let keys: Vec<u64> = (0..len).map(key).collect();
            let mut answers = vec![None; keys.len()];
            guard.routes_batch(&keys, |nth, route| {
                let answer = route.map(|route| *route.stream());
                assert!(answers[nth].replace(answer).is_none(), "answered twice");
            });
            for (key, answer) in keys.iter().zip(answers) {
                assert_eq!(answer, Some((*key < clients).then_some(*key)));
            }
        }
    }
}
