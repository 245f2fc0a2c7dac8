#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::policy::condition::fuzz_condition(data));
