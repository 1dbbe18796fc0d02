//! What was removed may still be read by guards of other threads: it is sent only if it may be shared.

use std::cell::Cell;

use tandem_registry::{NewClient, Registry};

fn main() {
    let registry: Registry<u64, u64, Cell<u8>, ()> = Registry::new();
    let _ = registry.connect(NewClient::new(1, 1, Cell::new(0))).map(|_| ());
    let removed = registry.disconnect(&1);
    #[cfg(feature = "illegal")]
    std::thread::spawn(move || drop(removed)); //~ E0277
    #[cfg(not(feature = "illegal"))]
    drop(removed);
}
