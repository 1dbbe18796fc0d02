//! F, progress: a thread that stands still inside a user's code holds nobody up. Each test stops
//! one thread there and lets another do everything there is to do, on the same keys too.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
};

use tandem_registry::{NewClient, Registry};

use crate::fixtures::{
    hooked::{self, Hooked},
    threads::{DEADLINE, within_deadline},
    tracked::{Ledger, Tracked},
};

/// A stream whose drop may stop its thread.
struct Stream {
    value: Tracked<u64>,
    stops: Mutex<Option<Stop>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let stop = self.stops.get_mut().expect("nobody panics with it").take();
        if let Some(stop) = stop {
            stop.here();
        }
    }
}

type Stopping = Registry<Hooked, Hooked, Tracked<u64>, Stream>;

/// Where a thread says that it has arrived, and waits to be told to go on.
struct Stop {
    arrived: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

impl Stop {
    fn here(self) {
        let _ = self.arrived.send(());
        // An error means that the test has failed: go on, so that it can end.
        let _ = self.go_on.recv();
    }
}

fn new_client(
    ledger: &'static Ledger,
    id: u64,
    node: u64,
) -> NewClient<Hooked, Hooked, Tracked<u64>, Stream> {
    let stream = Stream { value: Tracked::new(ledger, id), stops: Mutex::default() };
    NewClient::new(Hooked::new(ledger, id), Hooked::new(ledger, node), Tracked::new(ledger, id))
        .stream(stream)
}

/// Client 1 at node 1 with alias 9, client 2 at node 2, and garbage.
fn populated(ledger: &'static Ledger) -> Arc<Stopping> {
    let registry = Arc::new(Stopping::new());
    for id in [3, 1, 2] {
        registry.connect(new_client(ledger, id, id)).unwrap();
    }
    let key = registry.key(&Hooked::new(ledger, 1)).unwrap();
    registry.add_alias(key, Hooked::new(ledger, 9)).unwrap();
    registry.disconnect(&Hooked::new(ledger, 3));
    registry
}

/// Everything there is to do, on the keys that the stopped thread is busy with and on fresh ones.
fn do_everything(registry: &Stopping, ledger: &'static Ledger) {
    let name = |n| Hooked::new(ledger, n);
    for (id, node) in [(1, 1), (1, 2), (2, 1), (2, 2), (1, 1)] {
        let connected = registry.connect(new_client(ledger, id, node)).unwrap();
        let key = connected.key;
        drop(connected);
        let guard = registry.pin();
        assert!(guard.get(key).is_some());
        assert!(guard.client(&name(id)).is_some());
        assert_eq!(guard.stream(&name(node)).map(|stream| *stream.value.get()), Some(id));
        guard.routes_batch(&[name(1), name(2)], |_, _| {});
        assert!(guard.iter().count() >= 1);
        drop(guard);
        registry.update_info(key, Tracked::new(ledger, 0)).unwrap();
        let stream = Stream { value: Tracked::new(ledger, id), stops: Mutex::default() };
        let stream_key = registry.attach_stream(key, stream).unwrap();
        registry.add_alias(key, name(9)).unwrap();
        assert!(registry.remove_alias(key, &name(9)));
        registry.for_each_stream(|_, stream| assert!(*stream.value.get() < 3));
        assert!(registry.detach_stream(stream_key).is_some());
        assert!(registry.disconnect(&name(id)).is_some());
        registry.flush();
    }
    // Enough to grow both tables, and back.
    for n in 100..2_000 {
        registry.connect(new_client(ledger, n, n)).unwrap();
    }
    for n in 100..2_000 {
        assert!(registry.disconnect(&name(n)).is_some());
    }
    registry.flush();
}

/// Stops a thread inside `work`, has everything done meanwhile, and lets it go on. Returns false
/// if `work` came to its end without stopping.
fn stop_inside(
    ledger: &'static Ledger,
    work: impl FnOnce(&Stopping, Stop) + Send + 'static,
) -> bool {
    let registry = populated(ledger);
    let (arrived, has_arrived) = mpsc::channel();
    let (let_go, go_on) = mpsc::channel();
    let stopped = thread::spawn({
        let registry = Arc::clone(&registry);
        move || work(&registry, Stop { arrived, go_on })
    });
    // An error other than the deadline means that the thread has ended.
    let has_stopped = match has_arrived.recv_timeout(DEADLINE) {
        Ok(()) => true,
        Err(mpsc::RecvTimeoutError::Disconnected) => false,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the thread arrives nowhere"),
    };
    within_deadline({
        let registry = Arc::clone(&registry);
        move || do_everything(&registry, ledger)
    });
    drop(let_go);
    stopped.join().expect("the stopped thread goes on to its end");
    registry.flush();
    within_deadline(move || drop(registry));
    ledger.assert_balanced();
    has_stopped
}

/// Stops in the first, second, ... call of a user's `Hash` or `Eq` inside `work`.
fn stop_inside_each_call(
    ledger: &'static Ledger,
    at_least: usize,
    work: impl Fn(&Stopping) + Send + Clone + 'static,
) {
    for nth in 1.. {
        let work = work.clone();
        let stopped = stop_inside(ledger, move |registry, stop| {
            let mut stop = Some(stop);
            let mut calls = 0;
            let hook = move |_| {
                calls += 1;
                if calls == nth {
                    stop.take().expect("it stops once").here();
                }
            };
            hooked::with_hook(hook, || work(registry));
        });
        if !stopped {
            assert!(nth > at_least, "it was to run user code {at_least} times, ran {}", nth - 1);
            break;
        }
        assert!(nth < 100, "user code runs without end");
    }
}

#[test]
fn f_stopped_in_a_connect() {
    static LEDGER: Ledger = Ledger::new();
    // It needs the hash of its id and of its node id, and compares each with the holder's.
    stop_inside_each_call(&LEDGER, 4, |registry| {
        let _ = registry.connect(new_client(&LEDGER, 1, 2)).unwrap();
    });
}

#[test]
fn f_stopped_in_a_disconnect() {
    static LEDGER: Ledger = Ledger::new();
    stop_inside_each_call(&LEDGER, 2, |registry| {
        registry.disconnect(&Hooked::new(&LEDGER, 1));
    });
}

#[test]
fn f_stopped_in_a_lookup() {
    static LEDGER: Ledger = Ledger::new();
    stop_inside_each_call(&LEDGER, 4, |registry| {
        let guard = registry.pin();
        let _ = guard.route(&Hooked::new(&LEDGER, 1));
        let _ = guard.client(&Hooked::new(&LEDGER, 2));
        guard.routes_batch(&[Hooked::new(&LEDGER, 1)], |_, _| {});
    });
}

#[test]
fn f_stopped_in_a_change_of_aliases() {
    static LEDGER: Ledger = Ledger::new();
    stop_inside_each_call(&LEDGER, 4, |registry| {
        let Some(key) = registry.key(&Hooked::new(&LEDGER, 2)) else {
            return;
        };
        let _ = registry.add_alias(key, Hooked::new(&LEDGER, 9));
        registry.remove_alias(key, &Hooked::new(&LEDGER, 9));
    });
}

#[test]
fn f_stopped_in_a_closure_that_was_given_a_stream() {
    static LEDGER: Ledger = Ledger::new();
    assert!(stop_inside(&LEDGER, |registry, stop| {
        let seen = registry.with_stream(&Hooked::new(&LEDGER, 1), |stream| {
            stop.here();
            *stream.value.get()
        });
        assert_eq!(seen, Some(1), "its stream is there until the closure ends");
    }));
}

#[test]
fn f_stopped_in_a_broadcast() {
    static LEDGER: Ledger = Ledger::new();
    assert!(stop_inside(&LEDGER, |registry, stop| {
        let mut stop = Some(stop);
        registry.for_each_stream(|_, stream| {
            // One slow stream blocks nobody else's sending.
            if let Some(stop) = stop.take() {
                stop.here();
            }
            stream.value.get();
        });
    }));
}

#[test]
fn f_stopped_in_a_batch_of_lookups() {
    static LEDGER: Ledger = Ledger::new();
    assert!(stop_inside(&LEDGER, |registry, stop| {
        let mut stop = Some(stop);
        let guard = registry.pin();
        let names = [Hooked::new(&LEDGER, 1), Hooked::new(&LEDGER, 2)];
        guard.routes_batch(&names, |_, route| {
            if let Some(stop) = stop.take() {
                stop.here();
            }
            if let Some(route) = route {
                route.stream().value.get();
            }
        });
    }));
}

#[test]
fn f_stopped_in_a_drop() {
    static LEDGER: Ledger = Ledger::new();
    assert!(stop_inside(&LEDGER, |registry, stop| {
        let key = registry.key(&Hooked::new(&LEDGER, 1)).expect("nobody has ended it yet");
        let stream = Stream { value: Tracked::new(&LEDGER, 1), stops: Mutex::new(Some(stop)) };
        let stream_key = registry.attach_stream(key, stream).unwrap();
        drop(registry.detach_stream(stream_key));
        registry.flush();
    }));
}

#[test]
fn f_stopped_with_a_removed_client_in_hand() {
    static LEDGER: Ledger = Ledger::new();
    assert!(stop_inside(&LEDGER, |registry, stop| {
        let removed = registry.disconnect(&Hooked::new(&LEDGER, 1)).unwrap();
        stop.here();
        assert_eq!(removed.info().get(), &1);
    }));
}
