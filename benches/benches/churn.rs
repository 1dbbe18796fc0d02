//! Connect and disconnect, and takeover, at a constant population.

mod beside;

use beside::{SIZES, beside, criterion};
use criterion::{Criterion, criterion_group, criterion_main};
use tandem_registry_benches::jobs;

criterion_group! { name = benches; config = criterion(); targets = churn }
criterion_main!(benches);

fn churn(criterion: &mut Criterion) {
    for clients in SIZES {
        beside(criterion, "churn", jobs::churns(clients), 1_000, &[1, 2]);
    }
}
