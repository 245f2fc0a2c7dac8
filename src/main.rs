//! The process: allocator and exit code. What it does is in `cli`.

use std::process::ExitCode;

/// Fewer system calls and less fragmentation under many small short-lived buffers than the default.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lictor::cli::main()
}
