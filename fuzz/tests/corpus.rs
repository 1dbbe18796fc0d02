//! Replays the corpus, and whatever a campaign found, without libFuzzer: an ordinary test on any toolchain.

use std::{fs, path::Path};

use arbitrary::{Arbitrary, Unstructured};
use tandem_registry_fuzz::{Ops, ops};
use tandem_registry_schedule::schedule;

/// As the fuzz target reads its input.
fn replay(bytes: &[u8]) {
    ops(Ops::arbitrary_take_rest(Unstructured::new(bytes)).expect("any bytes mean something"));
}

/// As the fuzz target does; twice, and both times the same has to happen.
fn replay_schedule(bytes: &[u8]) {
    assert_eq!(schedule(bytes), schedule(bytes), "the input does not tell all that happens");
}

/// Replays all files of a folder, if it is there; returns how many they were.
fn replay_all(folder: &str, replay: impl Fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(files) = fs::read_dir(folder) else {
        return 0;
    };
    let replayed = files.map(|file| {
        let path = file.expect("a readable folder").path();
        // Shown only if the test fails: the last one is the culprit.
        println!("{}", path.display());
        replay(&fs::read(&path).expect("a readable file"));
    });
    replayed.count()
}

#[test]
fn corpus() {
    assert!(replay_all("corpus/ops", replay) >= 5, "the seeds are gone");
}

#[test]
fn corpus_of_schedules() {
    assert!(replay_all("corpus/schedule", replay_schedule) >= 5, "the seeds are gone");
}

#[test]
fn artifacts() {
    replay_all("artifacts/ops", replay);
    replay_all("artifacts/schedule", replay_schedule);
}

/// A little of what the fuzzer does, where there is no fuzzer.
fn noise(lengths: impl Iterator<Item = usize>) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    lengths.map(move |length| (0..length).map(|_| byte()).collect())
}

#[test]
fn noise_as_operations() {
    noise((0..1_000).chain([4_000; 8])).for_each(|bytes| replay(&bytes));
}

#[test]
fn noise_as_schedules() {
    noise((0..4_000).map(|n| n % 200)).for_each(|bytes| _ = schedule(&bytes));
}
