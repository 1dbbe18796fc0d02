//! A message to every stream, and a look at every client.

mod beside;

use beside::{SIZES, beside, criterion};
use criterion::{Criterion, criterion_group, criterion_main};
use tandem_registry_benches::jobs;

criterion_group! { name = benches; config = criterion(); targets = iterate }
criterion_main!(benches);

fn iterate(criterion: &mut Criterion) {
    for clients in SIZES {
        // An iteration can't be had by halves.
        beside(criterion, "iterate", jobs::iterations(clients), clients as u64, &[1, 2]);
    }
}
