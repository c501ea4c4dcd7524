//! The screen alone, attached to the server at a socket.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use dogwatch::{
    run::{self, Options, socket::Dial},
    term,
};
use jiff::tz::TimeZone;

#[derive(Parser)]
#[command(version)]
enum Command {
    /// Show what the server at a socket knows.
    #[command(hide = true)]
    ScreenOnly {
        #[arg(long)]
        socket: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::ScreenOnly { socket } = Command::parse();
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let options = Options { zone: TimeZone::system(), colour: term::colour_wanted() };
    let shown = match built {
        Ok(runtime) => runtime.block_on(run::screen(Dial(socket), options)),
        Err(error) => Err(error.into()),
    };
    match shown {
        Ok(exit) => exit.0.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "dogwatch: {error}");
            error.exit_code().into()
        }
    }
}
