//! `cargo fuzz run schedule`: several threads, scheduled as the input says.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tandem_registry_schedule::schedule(input);
});
