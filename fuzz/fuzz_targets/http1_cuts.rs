#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::http1::fuzz_cuts(data));
