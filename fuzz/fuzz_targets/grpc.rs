#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lictor::protocol::fuzz_grpc(data));
