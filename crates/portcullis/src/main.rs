//! The program. Everything it does is in the library, so that tests can do it too.

use std::process::ExitCode;

/// Many small texts are made and dropped for each request, on whichever thread; this allocator is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}
