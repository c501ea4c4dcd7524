//! Panics while the screen is up: the screen's own ends the program with the terminal given back; any
//! other thread's must not touch the screen, and is told as an event.

use std::{
    any::Any,
    io::{self, Write as _},
    panic::{self, PanicHookInfo},
    process, thread,
};

use super::{modes, watch::insist};
use crate::core::text::{Shown, ShownBody};

/// What a Rust program ends with when its main thread panics.
const CODE: u8 = 101;

type Previous = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Our hook while it lives; then the one that was there before.
pub(super) struct Hook {
    previous: Option<Previous>,
}

impl Hook {
    pub(super) fn install(broke: impl Fn(String) + Send + Sync + 'static) -> Self {
        let screen = thread::current().id();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == screen {
                end(info);
            }
            let what = one_line(info);
            tracing::error!("a thread panicked: {what}");
            broke(what);
        }));
        Self { previous: Some(previous) }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // Hooks cannot be changed by a thread that panics.
        if let (false, Some(previous)) = (thread::panicking(), self.previous.take()) {
            panic::set_hook(previous);
        }
    }
}

fn end(info: &PanicHookInfo<'_>) {
    insist(CODE);
    modes::leave();
    let message = ShownBody::new(message(info.payload()));
    let _ = writeln!(io::stderr(), "dogwatch broke{}: {message}", place(info));
    process::exit(CODE.into());
}

fn one_line(info: &PanicHookInfo<'_>) -> String {
    Shown::line(&format!("{}{}", message(info.payload()), place(info))).to_string()
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default()
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn another_threads_panic_is_told_in_one_clean_line() {
        let told = Arc::new(Mutex::new(vec![]));
        let hook = {
            let told = Arc::clone(&told);
            Hook::install(move |what| told.lock().expect("lock").push(what))
        };

        let ended = thread::spawn(|| panic!("bad\n\u{1b}[2J day")).join();
        drop(hook);

        assert!(ended.is_err());
        let told = told.lock().expect("lock");
        assert!(told.iter().any(|what| what.starts_with("bad␊␛[2J day at src/term/panics.rs:")), "{told:?}");
    }
}
