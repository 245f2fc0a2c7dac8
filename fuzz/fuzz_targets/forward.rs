#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::proxy::fuzz_forward(data));
