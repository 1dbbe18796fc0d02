//! Lookups by node id, by client id and by key, and misses.

mod beside;

use beside::{SIZES, beside, criterion};
use criterion::{Criterion, criterion_group, criterion_main};
use tandem_registry_benches::jobs;

criterion_group! { name = benches; config = criterion(); targets = lookup }
criterion_main!(benches);

fn lookup(criterion: &mut Criterion) {
    for clients in SIZES {
        beside(criterion, "lookup", jobs::lookups(clients), 1_000, &[1, 2]);
    }
}
