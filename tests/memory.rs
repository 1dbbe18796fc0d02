//! J, bounded memory, as the allocator sees it: this binary counts all bytes that are asked for.
//!
//! One test alone, since the count is of the whole process.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use tandem_registry::{NewClient, Registry};

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes allocated and not freed.
fn bytes() -> usize {
    BYTES.load(Relaxed)
}

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        BYTES.fetch_add(size, Relaxed);
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const POPULATION: u64 = 2_000;
const FRESH: u64 = 50 * POPULATION;

/// The values own memory, so that one kept too long is seen.
type Owning = Registry<u64, String, Vec<u8>, Box<[u8; 64]>>;

fn client(id: u64) -> NewClient<u64, String, Vec<u8>, Box<[u8; 64]>> {
    NewClient::new(id, format!("node {id:020}"), vec![0; 100])
        .stream(Box::new([0; 64]))
        .alias(format!("alias {id:020}"))
}

/// What a population of that size holds after a flush, in bytes.
fn settled(registry: &Owning) -> usize {
    registry.flush();
    bytes()
}

#[test]
fn the_allocator_sees_bounded_memory() {
    let before = bytes();
    let mut registry = Owning::new();
    churn_uses_constant_memory(&registry);
    a_peak_is_returned(&mut registry);
    drop(registry);
    many_registries_leave_nothing();
    stats_say_what_was_asked_for();
    let after = bytes();
    println!("{before} bytes before, {after} after all registries have ended");
    // What belongs to the thread or the process may stay, once.
    assert!(after < before + 64 * 1024);
}

fn churn_uses_constant_memory(registry: &Owning) {
    for id in 0..POPULATION {
        registry.connect(client(id)).unwrap();
    }
    let mut fresh = POPULATION;
    let mut churn = |clients: u64| {
        for _ in 0..clients {
            assert!(registry.disconnect(&(fresh - POPULATION)).is_some());
            let key = registry.connect(client(fresh)).unwrap().key;
            registry.attach_stream(key, Box::new([1; 64])).unwrap();
            registry.update_info(key, vec![1; 100]).unwrap();
            fresh += 1;
        }
        settled(registry)
    };
    let warm = churn(FRESH / 5);
    let rounds = [churn(FRESH), churn(FRESH)];
    println!(
        "{POPULATION} clients of ever new names: {warm} bytes after a warm-up, then {rounds:?}"
    );
    for round in rounds {
        // A little for what is not ours, such as captured output.
        assert!(round < warm + 16 * 1024, "memory grew from {warm} to {round} bytes");
    }
    for id in fresh - POPULATION..fresh {
        assert!(registry.disconnect(&id).is_some());
    }
    assert!(registry.is_empty());
}

fn a_peak_is_returned(registry: &mut Owning) {
    const PEAK: u64 = 50_000;
    let first = 1_000_000;
    for id in first..first + 100 {
        registry.connect(client(id)).unwrap();
    }
    registry.shrink_to_fit();
    let small = settled(registry);
    for round in 0..3 {
        for id in first + 100..first + PEAK {
            registry.connect(client(id)).unwrap();
        }
        let peak = settled(registry);
        for id in first + 100..first + PEAK {
            assert!(registry.disconnect(&id).is_some());
        }
        registry.shrink_to_fit();
        let shrunk = settled(registry);
        println!(
            "round {round}: {small} bytes with 100 clients, {peak} with {PEAK}, {shrunk} after shrinking"
        );
        assert!(shrunk < small + peak / 10, "{peak} bytes became {shrunk}");
    }
    for id in first..first + 100 {
        assert!(registry.contains(&id), "survivors stay");
        assert!(registry.disconnect(&id).is_some());
    }
}

/// Registries that come and go, used from threads that come and go too.
fn many_registries_leave_nothing() {
    let round = || {
        let registry = Owning::new();
        std::thread::scope(|scope| {
            for first in [0, 100] {
                let registry = &registry;
                scope.spawn(move || {
                    // More than have room at first.
                    let guards: Vec<_> = (0..20).map(|_| registry.pin()).collect();
                    drop(guards);
                    for id in first..first + 50 {
                        registry.connect(client(id)).unwrap();
                        let _ = registry.pin().route("node 00000000000000000001");
                        if id % 2 == 0 {
                            registry.disconnect(&id);
                        }
                    }
                });
            }
        });
    };
    (0..50).for_each(|_| round());
    let warm = bytes();
    (0..500).for_each(|_| round());
    let end = bytes();
    println!("{warm} bytes after 50 registries, {end} after 550");
    assert!(end < warm + 64 * 1024, "{} bytes a registry leak", (end - warm) / 500);
}

/// With nothing on the way, and so few clients that nothing is a mapping of its own.
fn stats_say_what_was_asked_for() {
    for shards in [1, 64] {
        for clients in [0, 60, 600] {
            let before = bytes();
            let builder = Registry::<u64, u64, (), ()>::builder().shards(shards);
            let registry = builder.build().unwrap();
            (0..clients).for_each(|id| drop(registry.connect(NewClient::new(id, id, ())).unwrap()));
            registry.flush();
            let (asked, said) = (bytes() - before, registry.stats().bytes);
            println!("{clients} clients, {shards} shards: {asked} bytes, {said} by `stats`");
            // Not in it are the chains' blocks, what allocations are aligned for, and another's collector.
            let collector = if cfg!(feature = "crossbeam-epoch") { 6 << 10 } else { 0 };
            assert!(said <= asked && asked - said <= asked / 20 + collector);
        }
    }
}
