//! A guard belongs to the thread that took it.

use tandem_registry::Registry;

fn main() {
    let registry: Registry<u64, u64, (), u64> = Registry::new();
    std::thread::scope(|scope| {
        let guard = registry.pin();
        #[cfg(feature = "illegal")]
        scope.spawn(move || drop(guard)); //~ E0277
        #[cfg(not(feature = "illegal"))]
        drop(guard);
        scope.spawn(|| drop(registry.pin()));
    });
}
