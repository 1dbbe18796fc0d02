//! A stream is reachable as long as the guard that found it.

use tandem_registry::Registry;

fn main() {
    let registry: Registry<u64, u64, (), String> = Registry::new();
    let guard = registry.pin();
    let stream = guard.stream(&1);
    #[cfg(feature = "illegal")]
    drop(guard); //~ E0505
    println!("{stream:?}");

    let route_stream;
    {
        let guard = registry.pin();
        route_stream = guard.route(&1).map(|route| route.stream()); //~ E0597
        #[cfg(not(feature = "illegal"))]
        println!("{route_stream:?}");
    }
    #[cfg(feature = "illegal")]
    println!("{route_stream:?}");
}
