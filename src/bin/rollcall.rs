//! The client: see rollcall(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::client::commands::main(std::env::args_os().skip(1))
}
