//! `cargo fuzz run ops`: arbitrary operations from one thread against the sequential model.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: tandem_registry_fuzz::Ops| tandem_registry_fuzz::ops(input));
