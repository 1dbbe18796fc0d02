//! A registry is shared between threads only if what is in it may be used and dropped on any.

use std::{cell::Cell, rc::Rc};

use tandem_registry::Registry;

fn share<T: Sync>(_shared: &T) {}
fn send<T: Send>(_sent: T) {}

fn main() {
    share(&Registry::<u64, u64, u64, u64>::new());
    send(Registry::<u64, u64, u64, u64>::new());
    let not_send: Registry<u64, u64, (), Rc<u8>> = Registry::new();
    let not_sync: Registry<u64, u64, Cell<u8>, ()> = Registry::new();
    #[cfg(feature = "illegal")]
    {
        share(&not_send); //~ E0277
        share(&not_sync); //~ E0277
        send(not_send); //~ E0277
    }
    #[cfg(not(feature = "illegal"))]
    drop((not_send, not_sync));
}
