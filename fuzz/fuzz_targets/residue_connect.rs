#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rollcall::fuzz::run("residue_connect", bytes));
