//! A task that may move between threads must not hold a guard across an `await`.

use std::sync::Arc;

use tandem_registry::Registry;

fn spawn(_task: impl Future<Output = ()> + Send + 'static) {}

fn main() {
    let registry: Arc<Registry<u64, u64, (), u64>> = Arc::new(Registry::new());
    #[cfg(not(feature = "illegal"))]
    let task = async move {
        let stream = registry.pin().stream(&1).copied();
        std::future::ready(()).await;
        drop(stream);
    };
    #[cfg(feature = "illegal")]
    let task = async move {
        let guard = registry.pin();
        std::future::ready(()).await;
        drop(guard);
    };
    spawn(task); //~ error
}
