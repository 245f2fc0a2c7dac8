#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::identity::fuzz_token(data));
