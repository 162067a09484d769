//! The daemon: see rollcalld(8).

use std::process::ExitCode;

fn main() -> ExitCode {
    end_with_the_first_panic();
    rollcall::daemon::main(std::env::args_os().skip(1))
}

/// A thread that panics takes the process along, which its supervisor starts again: never half-dead.
fn end_with_the_first_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}
