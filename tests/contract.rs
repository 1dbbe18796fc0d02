//! The contract, letter by letter. The test `a_...` holds the registry to a sentence under A, and
//! so on; the letters are the ones that the crate's documentation cites.

mod fixtures;

mod contract {
    use tandem_registry::{Guard, NewClient, Registry};

    mod a_linked_removal;
    mod b_incarnations;
    mod c_uniqueness;
    mod c_uniqueness_races;
    mod d_takeover;
    mod e_capacity;
    mod f_progress;
    mod f_stopped_threads;
    mod g_flush;
    mod g_guards;
    mod g_outlived;
    mod g_thread_locals;
    mod g_user_drops;
    mod h_iteration;
    mod i_hostile;
    mod i_relentless;
    mod i_unlawful;
    mod j_bounded_memory;
    mod j_shrinking;

    /// Client id, node id, info and stream of most tests: for those that only need to tell one
    /// value from another.
    type Plain = Registry<u64, u64, u64, u64>;

    /// A client with info `id + 1000` and stream `id + 2000`.
    fn client(id: u64, node: u64) -> NewClient<u64, u64, u64, u64> {
        NewClient::new(id, node, id + 1000).stream(id + 2000)
    }

    /// The stream that a name leads to, copied out of the guard.
    fn stream(guard: &Guard<'_, u64, u64, u64, u64>, name: u64) -> Option<u64> {
        guard.stream(&name).copied()
    }
}
