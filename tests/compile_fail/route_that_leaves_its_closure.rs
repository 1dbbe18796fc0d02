//! What a closure is lent must not leave it, unless a guard of the caller's keeps it alive.

use tandem_registry::Registry;

fn main() {
    let registry: Registry<u64, u64, (), String> = Registry::new();
    let mut kept: Vec<&String> = Vec::new();
    let guard = registry.pin();
    guard.routes_batch(&[1, 2], |_, route| kept.extend(route.map(|route| route.stream())));
    println!("{kept:?}");

    #[cfg(feature = "illegal")]
    {
        let mut lent: Vec<&String> = Vec::new();
        registry.for_each_stream(|_, stream| lent.push(stream)); //~ E0521
        println!("{lent:?}");
    }
    println!("{:?}", registry.with_stream(&1, |stream| stream.len()));
}
