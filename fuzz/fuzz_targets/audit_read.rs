#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::audit::read::fuzz_read(data));
