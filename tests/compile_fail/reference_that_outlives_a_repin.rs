//! A repin lets go of everything that the guard has reached.

use tandem_registry::Registry;

fn main() {
    let registry: Registry<u64, u64, (), String> = Registry::new();
    let mut guard = registry.pin();
    let stream = guard.stream(&1);
    #[cfg(not(feature = "illegal"))]
    println!("{stream:?}");
    guard.repin(); //~ E0502
    #[cfg(feature = "illegal")]
    println!("{stream:?}");
    let fresh = guard.stream(&1);
    println!("{fresh:?}");
}
