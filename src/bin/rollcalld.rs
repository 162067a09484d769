//! The daemon: see rollcalld(8).

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::daemon::main(std::env::args_os().skip(1))
}
