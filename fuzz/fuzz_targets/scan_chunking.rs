#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::scan::fuzz_chunking(data));
