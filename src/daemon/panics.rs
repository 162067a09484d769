//! What becomes of a panic, which is a bug of ours: the process ends, and its supervisor starts it again.

use std::panic::{self, PanicHookInfo};

/// From now on a panic of any thread is told in one line of the log and ends the process by `SIGABRT`: it is never
/// half-dead, whichever way it was built.
pub(super) fn end_with_the_first() {
    panic::set_hook(Box::new(|panic| {
        report(panic);
        std::process::abort();
    }));
}

fn report(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("of a connection");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let line = format!("a bug: the thread {thread} panicked at {place}: {}", told(panic));
    if log::log_enabled!(log::Level::Error) {
        log::error!("{line}");
    } else {
        eprintln!("rollcalld: {line}");
    }
}

/// What it says. Only what stands in the source as it is: the rest may be made of what a peer has sent, or of secrets,
/// as it is where a text is cut in the middle of a character.
fn told(panic: &PanicHookInfo<'_>) -> String {
    match (panic.payload().downcast_ref::<&'static str>(), panic.payload().downcast_ref::<String>()) {
        (Some(told), _) => (*told).to_owned(),
        (None, Some(told)) if cfg!(debug_assertions) => told.escape_debug().to_string(),
        _ => "more must not be told".to_owned(),
    }
}
