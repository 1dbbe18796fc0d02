//! B: three threads on one stream: another is attached, the first is detached, the client is disconnected.
//! Each stream has one last owner.
#![cfg(loom)]

use loom_tests::{Ledger, model, small, spawn};
use std::sync::Arc;

#[test]
fn attach_detach_disconnect() {
    model("attach_detach_disconnect", 3, 10_226).crossbeam(1, 1_596).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(4).build().unwrap());
        let connected = registry.connect(ledger.client(1, 7, 0)).unwrap();
        let (key, first) = (connected.key, connected.stream_key.unwrap());
        let detach = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.detach_stream(first))
        };
        let attach = {
            let (registry, stream) = (Arc::clone(&registry), ledger.stream(1));
            spawn(2, move || registry.attach_stream(key, stream))
        };
        let removed = registry.disconnect_key(key).unwrap();
        let (detached, attached) = (detach.join().unwrap(), attach.join().unwrap());
        let last = removed.stream().map(|stream| stream.of);
        assert!(detached.as_ref().is_none_or(|stream| stream.of == 0));
        let expected = match (&attached, &detached) {
            (Ok(_), _) => Some(1),
            (Err(_), Some(_)) => None,
            (Err(_), None) => Some(0),
        };
        assert_eq!(last, expected, "the last one there was, and no other");
        drop((removed, detached, attached));
        drop(registry);
        ledger.settle();
    });
}
