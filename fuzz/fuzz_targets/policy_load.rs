#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::config::fuzz_policy(data));
