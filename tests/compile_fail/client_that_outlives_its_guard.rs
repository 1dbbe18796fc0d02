//! So is a client, and what it shows: by whatever name it was found.

use tandem_registry::{ClientKey, Registry};

type Clients = Registry<u64, u64, String, String>;

#[cfg(feature = "illegal")]
fn info(registry: &Clients) -> Option<&String> {
    registry.pin().client(&1).map(|client| client.info()) //~ E0515
}

#[cfg(feature = "illegal")]
fn by_key(registry: &Clients, key: ClientKey) -> Option<&String> {
    let guard = registry.pin();
    guard.get(key).and_then(|client| client.stream()) //~ E0515
}

#[cfg(feature = "illegal")]
fn ids(registry: &Clients) -> Vec<&u64> {
    let guard = registry.pin();
    guard.iter().map(|client| client.id()).collect() //~ E0515
}

fn legal(registry: &Clients, key: ClientKey) -> Option<String> {
    let guard = registry.pin();
    guard.get(key).map(|client| client.info().clone())
}

fn main() {
    let registry = Clients::new();
    if let Some(key) = registry.key(&1) {
        println!("{:?}", legal(&registry, key));
    }
    #[cfg(feature = "illegal")]
    println!("{:?} {:?}", info(&registry), ids(&registry));
    #[cfg(feature = "illegal")]
    println!("{:?}", registry.key(&1).and_then(|key| by_key(&registry, key)));
}
