//! A lock-free, sharded, in-process client registry: client id → client and node id → outbound stream,
//! linked, so that ending a client retires its stream in the same atomic step.
//!
//! A [`Registry`] is shared by the threads of a server, in an `Arc`, say, or a `LazyLock`. A connection's task
//! [connects](Registry::connect) its client, or holds a [`Session`] that ends with it; whoever has a message
//! takes a [`Guard`] and asks it for the [`Route`] of a node. What ends comes back to the caller as
//! [`Removed`], to be closed, and is dropped once no guard can reach it.
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use tandem_registry::{NewClient, Registry};
//!
//! let registry: Arc<Registry<u64, String, &str, mpsc::Sender<&str>>> = Arc::default();
//! let (stream, outbound) = mpsc::channel();
//! let client = NewClient::new(7, "node-a".to_owned(), "over TCP").stream(stream);
//! let (session, displaced) = registry.session(client)?;
//! assert!(displaced.is_empty()); // else: say goodbye to whoever had the names
//!
//! registry.with_stream("node-a", |stream| stream.send("hello")).expect("it is connected")?;
//! assert_eq!(outbound.recv()?, "hello");
//!
//! drop(session); // its task has ended, panicked or been cancelled
//! assert!(registry.with_stream("node-a", |_| ()).is_none());
//! registry.flush(); // or the next writers: the sender is dropped
//! assert!(outbound.recv().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Guarantees
//!
//! The docs, the code and the tests cite these by their letters.
//!
//! **A. Linked removal.** A client ends in one atomic step. Before it, every lookup that names the client, by
//! client id, node id, alias or key, finds it, unless a newcomer has taken that name; after it, none does.
//! Nobody gets a stream whose client is gone, nor misses one whose client is there.
//!
//! **B. Incarnations.** Every successful connect has a [`ClientKey`], and every stream that was attached a
//! [`StreamKey`]. Neither is issued twice while the registry lives. What is done by key touches that
//! incarnation or nothing: a late disconnect, detach, update or drop of an old session harms neither a client
//! that has reconnected nor a fresh stream of the same client.
//!
//! **C. Uniqueness.** A client id has at most one live client, a node id or alias at most one. If a newcomer's
//! name is taken, the [`Policy`] decides: under `Takeover` the older client is evicted and handed to the
//! caller, under `Reject` the newcomer is refused and its arguments come back; a conflict is reported before
//! a full registry. An alias never takes a node id and never ends a client: a newer owner takes the name alone.
//!
//! **D. Takeover without a gap.** While a node id is taken over, a lookup of it finds the older client up to
//! one atomic step and the newcomer from it on, never neither and never the older one again. A takeover is
//! two such steps: the newcomer goes live and owns its names; then the older client is ended, which until
//! then may be seen by names that were not at issue. Whoever ends a newcomer in between ends first whom it
//! displaces; and each evicted client is handed to the newcomer that displaced it, whoever did the work.
//!
//! **E. Exact capacity.** With [`max_clients`](Builder::max_clients) set to *n*, never more than *n* places are
//! taken, by live clients, connects under way and removals not yet finished; and a connect is refused for want
//! of a place only if all were taken at some moment of the call. A takeover hands the older client's place on
//! and needs no free one. A place is given back once, whoever else ends the client at the same time.
//!
//! **F. Progress.** Every call is lock-free, growth included: a thread that is stopped at any instruction stops
//! no other, not even one that is after the same names (the allocator and the kernel apart). A lookup
//! repeats a scan only if another call got on meanwhile, writes to no cache line that threads share, runs no
//! code of yours but `Hash` and `Eq`, and drops no value; a pin does no work for the
//! reclaimer (under the feature `crossbeam-epoch` one in many does a bounded share). Nothing is held while your code runs that another thread could wait for, so no deadlock
//! can be written with this API.
//!
//! **G. Reclamation.** Every value is dropped exactly once, and never while a guard can reach it: by a writing
//! call, by [`flush`](Registry::flush), by the drop of a [`Removed`] or [`Detached`], or by that of the
//! registry; never by a lookup. What is retired and not yet dropped is at most what was retired since the
//! oldest guard of this registry was taken, and a constant: up to 64 values on the pile of each thread, and
//! up to a dozen such piles that wait for their turn. [`stats`](Registry::stats) shows it. `flush` drops whatever
//! was retired by calls that had returned, parked threads' share included, and says what it had to leave: for
//! a guard, or as another thread has it in hand at this moment. A guard of another registry delays nothing here. (Under the feature `crossbeam-epoch` a guard also keeps
//! what was retired up to two epochs before it was taken.)
//!
//! **H. Iteration.** A client that is live during the whole iteration is yielded exactly once, one that had
//! ended before it began never. One that reconnects meanwhile is another incarnation.
//!
//! **I. Hostile code and input.** A panic in your `Hash`, `Eq`, `Drop` or closure leaves the registry usable,
//! loses no other value, and is continued once what it interrupted is finished. A `Hash` or `Eq` that lies
//! makes lookups wrong, and may each time let one client more in than the limit, but costs neither memory safety
//! nor a drop too many or too few. The default hasher is seeded at random, so that nobody can choose ids that
//! collide.
//!
//! **J. Bounded memory.** At constant population, and with guards held briefly, any churn of ever-new ids takes
//! constant memory: removal leaves nothing behind in the index, and slots are used again. What a peak left is
//! given back by [`shrink_to_fit`](Registry::shrink_to_fit): around the clients that survived it by pages, on
//! Linux, and elsewhere by segments that nobody is in.
//!
//! # Reading the source
//!
//! Arrows point down only: the registry knows the protocol, the protocol the tables, the tables nothing of
//! each other, and a state word nothing of all that. A good order:
//!
//! 1. `state`: the word that says what a client is at, and the arrows that it moves along;
//! 2. `tandem`: the two tables and what links them; its table says which file does what;
//! 3. `tandem/connect`: a newcomer's way in, as its owner goes it;
//! 4. `tandem/drive`: what anyone may do for it, and why two of the same name never both commit;
//! 5. `table`: one index, from hashes to slots, and `aim`, by which lookups find their line;
//! 6. `bucket`: one cache line of it, and what makes a scan trustworthy;
//! 7. `level` and `grow`: how the lines move to twice as many while everybody goes on;
//! 8. `slots`: where clients lie, and why it is safe to read them;
//! 9. `reclaim`: when they may go. `pins` has the crux.
//!
//! `registry` and `guard` are the public face, without unsafe code; `sync` is the only module that knows of
//! the model checker.

#![cfg_attr(loom, allow(dead_code))]

mod aim;
mod blanks;
mod block;
mod bucket;
mod builder;
mod client;
mod control;
mod custody;
mod entry;
mod error;
mod found;
mod grow;
mod guard;
mod hash;
mod iter;
mod key;
mod level;
mod list;
mod pages;
mod places;
mod policy;
mod prefetch;
mod reclaim;
mod registry;
mod removed;
mod segments;
mod session;
mod shard;
mod slots;
mod spot;
mod stack;
#[cfg(all(test, not(loom)))]
mod stall;
mod state;
mod stats;
#[cfg(all(not(loom), any(test, feature = "steps")))]
#[doc(hidden)]
pub mod steps;
mod swing;
mod sync;
mod table;
mod tandem;

#[cfg(loom)]
#[doc(hidden)]
pub use {
    reclaim::modelled as reclaimer, segments::modelled as counters,
    stack::modelled as stack_of_items, sync::newest, sync::pool::modelled as thread_numbers,
};

/// The README's examples are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use builder::Builder;
pub use client::{Connected, Displaced, NewClient};
pub use equivalent::Equivalent;
pub use error::{
    AliasError, AliasErrorKind, AttachError, BuildError, BuildErrorKind, ConnectError,
    ConnectErrorKind, UpdateError,
};
pub use found::{ClientRef, Route};
pub use guard::Guard;
pub use iter::Iter;
pub use key::{ClientKey, StreamKey};
pub use policy::Policy;
pub use registry::Registry;
pub use removed::{Detached, Removed};
pub use session::Session;
pub use stats::{Flushed, Stats};
