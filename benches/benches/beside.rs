//! How the Criterion targets lay out their groups: one for each job, size and number of threads, with all
//! designs in it, one beside the other.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use tandem_registry_benches::jobs::{Amount, Field, Job};

pub const SIZES: [usize; 2] = [1_000, 100_000];

/// Short samples and few: all targets together are to take minutes, not an hour.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .sample_size(20)
        .nresamples(10_000)
        .configure_from_args()
}

/// Adds the groups for one field of designs. One iteration of Criterion's is `operations` of the job's.
pub fn beside<J: Job>(
    criterion: &mut Criterion,
    kind: &str,
    mut field: Field<J>,
    operations: u64,
    threads: &[usize],
) {
    for job in J::all() {
        for &threads in threads {
            let clients = field.first().map_or(0, |design| design.clients());
            let name = format!("{kind}: {}, {clients} clients, threads: {threads}", job.name());
            let mut group = criterion.benchmark_group(name);
            group.sampling_mode(SamplingMode::Flat);
            group.throughput(Throughput::Elements(operations * threads as u64));
            for design in &mut field {
                group.bench_function(BenchmarkId::from_parameter(design.name()), |bencher| {
                    bencher.iter_custom(|iterations| {
                        // Criterion has warmed it up: the same design runs many times in a row here.
                        design
                            .run(job, Amount { threads, each: iterations * operations, warm_up: 0 })
                    });
                });
            }
            group.finish();
        }
    }
}
