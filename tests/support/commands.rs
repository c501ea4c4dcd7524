//! Commands as scripts run them: the real binary with a state directory of its own, against a simulated `PagerDuty`
//! over real HTTP.

use std::{
    fs,
    process::{Command, Output},
};

use dogwatch::simulator::Simulator;
use serde_json::Value;

use super::simulated::{self, TOKEN};

pub(crate) struct Setup {
    pub(crate) simulator: Simulator,
    pub(crate) dir: tempfile::TempDir,
}

/// A simulator with so many open incidents, and a configuration that watches it without webhooks.
pub(crate) async fn setup(incidents: usize) -> Setup {
    let simulator = simulated::start(([127, 0, 0, 1], 0).into(), incidents, None).await;
    let dir = tempfile::tempdir().expect("tempdir");
    let config = format!(
        "[[account]]\nname = \"prod\"\nprovider = \"pagerduty\"\nbase_url = \"{}\"\ntoken = {{ env = \"PD_TOKEN\" }}\n",
        simulator.url()
    );
    fs::write(dir.path().join("config.toml"), config).expect("config");
    Setup { simulator, dir }
}

impl Setup {
    /// `dogwatch` with these arguments, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dogwatch"));
        command
            .args(args)
            .env_clear()
            .env("PD_TOKEN", TOKEN)
            .env("TZ", "Europe/Berlin")
            .env("DOGWATCH_CONFIG", self.dir.path().join("config.toml"))
            .env("DOGWATCH_STATE_DIR", self.dir.path().join("state"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    /// What it prints as JSON when all was done.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", complained(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {output:?}"))
    }

    pub(crate) fn faults(&self, faults: &str) {
        simulated::set_faults(simulated::address(&self.simulator), faults);
    }
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

/// What it printed for others to read.
pub(crate) fn printed(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

/// What it complained of.
pub(crate) fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
