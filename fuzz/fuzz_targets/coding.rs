#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::coding::fuzz_coding(data));
