//! A client that an unlawful `Eq` evicts for a newcomer whose owner has collected and left (I).

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tandem_registry::{NewClient, Registry};

use super::baton::first_crew;
use super::stopped::Stopped;

thread_local! {
    /// Every id equals every other on this thread.
    static GULLIBLE: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug)]
struct Gullible(u8);

/// All in one chain.
impl Hash for Gullible {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Gullible {
    fn eq(&self, other: &Self) -> bool {
        GULLIBLE.get() || self.0 == other.0
    }
}

impl Eq for Gullible {}

/// A newcomer stops anywhere in its takeover, a second one that helps it, and believes a third client to be
/// displaced as well, anywhere in that; the first goes on to its end, then the second.
#[test]
fn what_is_evicted_too_late_is_dropped_once() {
    first_crew();
    for of_owner in 0.. {
        for of_helper in 0.. {
            let drops = Arc::new(());
            let registry: Arc<Registry<Gullible, u8, (), Arc<()>>> = Arc::new(Registry::new());
            let connect = |id, node| {
                let (registry, stream) = (Arc::clone(&registry), Arc::clone(&drops));
                move || {
                    drop(registry.connect(NewClient::new(Gullible(id), node, ()).stream(stream)))
                }
            };
            connect(1, 1)();
            connect(2, 2)();
            let owner = Stopped::at(of_owner, connect(1, 3));
            let help = connect(3, 4);
            let helper = Stopped::at(of_helper, move || {
                GULLIBLE.set(true);
                help();
            });
            let were = [owner.is_stopped, helper.is_stopped];
            owner.finish();
            helper.finish();
            drop(registry);
            let left = Arc::strong_count(&drops) - 1;
            assert_eq!(left, 0, "not dropped; stopped at {of_owner} and {of_helper}");
            if !were[0] {
                return;
            }
            if !were[1] {
                break;
            }
        }
    }
}
