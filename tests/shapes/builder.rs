//! The limits of the builder, each with its error.

use tandem_registry::{BuildErrorKind, Builder, NewClient, Policy, Registry};

use crate::fixtures::hashers::FewBits;

type Plain = Registry<u64, u64, (), ()>;

fn kind(builder: Builder<u64, u64, (), ()>) -> Option<BuildErrorKind> {
    let error = builder.build().err()?;
    assert!(!error.to_string().is_empty());
    Some(error.kind())
}

#[test]
fn shards_from_one_to_the_maximum() {
    assert_eq!(kind(Plain::builder().shards(0)), Some(BuildErrorKind::Shards));
    assert_eq!(kind(Plain::builder().shards(Plain::MAX_SHARDS + 1)), Some(BuildErrorKind::Shards));
    assert_eq!(kind(Plain::builder().shards(usize::MAX)), Some(BuildErrorKind::Shards));
    for (asked, given) in
        [(1, 1), (2, 2), (3, 4), (5, 8), (1_000, 1_024), (Plain::MAX_SHARDS, Plain::MAX_SHARDS)]
    {
        let registry = Plain::builder().shards(asked).build().unwrap();
        assert_eq!(registry.stats().shards, given);
        registry.connect(NewClient::new(1, 1, ()).stream(())).unwrap();
        assert!(registry.pin().route(&1).is_some());
    }
}

#[test]
fn capacity_up_to_the_maximum() {
    let above = Plain::MAX_CLIENTS + 1;
    assert_eq!(kind(Plain::builder().capacity(above)), Some(BuildErrorKind::Capacity));
    assert_eq!(kind(Plain::builder().capacity(usize::MAX)), Some(BuildErrorKind::Capacity));
    for capacity in [0, 1, 1_000] {
        let registry = Plain::builder().capacity(capacity).build().unwrap();
        // No limit: a registry grows beyond its capacity.
        for n in 0..3_000 {
            registry.connect(NewClient::new(n, n, ())).unwrap();
        }
        assert_eq!(registry.len(), 3_000);
    }
}

#[test]
fn a_limit_up_to_the_maximum() {
    let above = Plain::MAX_CLIENTS + 1;
    assert_eq!(kind(Plain::builder().max_clients(above)), Some(BuildErrorKind::MaxClients));
    assert_eq!(kind(Plain::builder().max_clients(usize::MAX)), Some(BuildErrorKind::MaxClients));
    // A limit reserves nothing.
    let registry = Plain::builder().max_clients(Plain::MAX_CLIENTS).build().unwrap();
    assert_eq!(registry.stats().max_clients, Some(Plain::MAX_CLIENTS));
    registry.connect(NewClient::new(1, 1, ())).unwrap();
    assert!(registry.stats().bytes < 16 << 20);
}

#[test]
fn the_capacity_asked_for_is_there_from_the_start() {
    let registry = Plain::builder().capacity(10_000).build().unwrap();
    let before = registry.stats().bytes;
    for n in 0..10_000 {
        registry.connect(NewClient::new(n, n, ())).unwrap();
    }
    let after = registry.stats().bytes;
    println!("{before} bytes before, {after} after connecting as many as asked for");
    assert!(after < before + before / 2, "{before} bytes became {after}");
}

#[test]
fn the_order_of_the_settings_does_not_matter() {
    let first: Registry<u64, u64, (), (), FewBits> = Registry::builder()
        .hasher(FewBits(8))
        .max_clients(1)
        .shards(4)
        .on_conflict(Policy::Reject)
        .build()
        .unwrap();
    let last: Registry<u64, u64, (), (), FewBits> = Registry::builder()
        .on_conflict(Policy::Reject)
        .shards(4)
        .max_clients(1)
        .hasher(FewBits(8))
        .build()
        .unwrap();
    for registry in [first, last] {
        registry.connect(NewClient::new(1, 1, ())).unwrap();
        assert!(registry.connect(NewClient::new(1, 1, ())).is_err(), "rejected, not taken over");
        assert!(registry.connect(NewClient::new(2, 2, ())).is_err(), "it is full");
        let stats = registry.stats();
        assert_eq!((stats.max_clients, stats.shards, stats.clients), (Some(1), 4, 1));
    }
}
