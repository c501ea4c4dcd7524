//! Templates: any text is checked or refused at a place within it. It is not rendered: only the worker's process may do
//! that.

#![no_main]

use dogwatch::template::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let checked = check(text);
    for fault in checked.faults.iter().chain(&checked.warnings) {
        let line = text.split('\n').nth(fault.line as usize - 1).expect("a line of the text");
        assert!((1..=line.chars().count() + 1).contains(&(fault.column as usize)), "{fault:?}");
    }
});
