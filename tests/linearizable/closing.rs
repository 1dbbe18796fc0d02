//! A close that meets newcomers on their way, and a panic of a user's `Eq` at the first of them (I).

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tandem_registry::{NewClient, Registry};

use super::baton::first_crew;
use super::stopped::Stopped;

thread_local! {
    /// Comparing panics on this thread.
    static TOUCHY: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug)]
struct Touchy(u8);

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        assert!(!TOUCHY.get(), "as asked for");
        self.0 == other.0
    }
}

impl Eq for Touchy {}

/// The first newcomer has a live rival to be compared with, the second has none: that the close panics over
/// the one lets the other not escape it.
#[test]
fn a_panic_over_one_newcomer_lets_no_other_escape() {
    first_crew();
    let mut met = false;
    for of_first in 0.. {
        for of_second in 0.. {
            let registry: Arc<Registry<Touchy, u8, (), ()>> = Arc::new(Registry::new());
            // The first newcomer gets a slot below its rival's, and is met by a close while that lives.
            let below = registry.connect(NewClient::new(Touchy(0), 0, ())).unwrap().key;
            registry.connect(NewClient::new(Touchy(1), 1, ())).unwrap();
            drop(registry.disconnect_key(below));
            registry.flush();
            let [first, second] = [(of_first, 1), (of_second, 2)].map(|(k, id)| {
                let registry = Arc::clone(&registry);
                Stopped::at(k, move || {
                    drop(registry.connect(NewClient::new(Touchy(id), 10 + id, ())));
                })
            });
            TOUCHY.set(true);
            met |= catch_unwind(AssertUnwindSafe(|| drop(registry.close()))).is_err();
            TOUCHY.set(false);
            let were = [first.is_stopped, second.is_stopped];
            // The first may go on to its own end, whatever that is.
            let _ = first.join();
            second.finish();
            assert!(!registry.contains(&Touchy(2)), "stopped at {of_first} and {of_second}");
            if !were[0] {
                assert!(met, "some close met the first on its way");
                return;
            }
            if !were[1] {
                break;
            }
        }
    }
}
