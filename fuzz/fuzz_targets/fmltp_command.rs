#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rollcall::fuzz::run("fmltp_command", bytes));
