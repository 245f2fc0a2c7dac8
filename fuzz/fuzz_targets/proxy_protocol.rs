#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::listener::fuzz_proxy_protocol(data));
