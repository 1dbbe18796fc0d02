//! A registry cannot end, nor be shrunk, while a guard of it is there.

use tandem_registry::Registry;

fn main() {
    let mut registry: Registry<u64, u64, (), u64> = Registry::new();
    let guard = registry.pin();
    #[cfg(feature = "illegal")]
    registry.shrink_to_fit(); //~ E0502
    drop(guard);
    registry.shrink_to_fit();

    let guard = registry.pin();
    #[cfg(feature = "illegal")]
    drop(registry); //~ E0505
    drop(guard);
}
