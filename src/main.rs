//! The screen alone, attached to the server of a state directory.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use dogwatch::{
    run::{self, Options, socket::Dial},
    term,
};
use jiff::tz::TimeZone;

/// A terminal console for people on call.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[arg(long, env = "DOGWATCH_STATE_DIR")]
    state_dir: PathBuf,
}

fn main() -> ExitCode {
    let socket = Args::parse().state_dir.join("control.sock");
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
