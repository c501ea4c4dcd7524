//! The binary: its hidden command is the render worker.

use std::io;

fn main() {
    if std::env::args_os().skip(1).eq(["render-worker"]) {
        std::process::exit(dogwatch::template::worker(io::stdin(), io::stdout()));
    }
}
