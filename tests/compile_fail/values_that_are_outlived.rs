//! What the values borrow must live longer than the registry, and than what it has handed out.

use tandem_registry::{NewClient, Registry};

fn main() {
    let registry: Registry<u64, u64, (), &str> = Registry::new();
    {
        let name = String::from("short-lived");
        #[cfg(feature = "illegal")]
        let name = name.as_str(); //~ E0597
        #[cfg(not(feature = "illegal"))]
        let name = if name.is_empty() { "" } else { "static" };
        let _ = registry.connect(NewClient::new(1, 1, ()).stream(name)).map(|_| ());
    }
    println!("{:?}", registry.stream_cloned(&1));

    let removed;
    {
        let name = String::from("short-lived");
        let registry: Registry<u64, u64, (), &str> = Registry::new();
        #[cfg(feature = "illegal")]
        let name = name.as_str(); //~ E0597
        #[cfg(not(feature = "illegal"))]
        let name = if name.is_empty() { "" } else { "static" };
        let _ = registry.connect(NewClient::new(1, 1, ()).stream(name)).map(|_| ());
        removed = registry.disconnect(&1);
    }
    drop(removed);
}
