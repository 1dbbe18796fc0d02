//! Replays the corpus, and whatever a campaign found, without libFuzzer: an ordinary test on any toolchain.

use std::{fs, path::Path};

use arbitrary::{Arbitrary, Unstructured};
use tandem_registry_fuzz::{Ops, ops};

/// As the fuzz target reads its input.
fn replay(bytes: &[u8]) {
    ops(Ops::arbitrary_take_rest(Unstructured::new(bytes)).expect("any bytes mean something"));
}

/// Replays all files of a folder, if it is there; returns how many they were.
fn replay_all(folder: &str) -> usize {
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
    assert!(replay_all("corpus/ops") >= 5, "the seeds are gone");
}

#[test]
fn artifacts() {
    replay_all("artifacts/ops");
}

/// A little of what the fuzzer does, where there is no fuzzer.
#[test]
fn noise() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    for length in (0..1_000).chain([4_000; 8]) {
        let bytes: Vec<u8> = (0..length).map(|_| byte()).collect();
        replay(&bytes);
    }
}
