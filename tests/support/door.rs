//! A server without a screen and without REST: what it knows came in by webhook. It is started, dies, and is started again.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::process::{Pid, Signal};
use serde_json::Value;
use sha2::Sha256;

use super::{eventually, holds_in_time, night::reserve_port, simulated::ask};

const BIN: &str = env!("CARGO_BIN_EXE_dogwatch");
const SECRET: &str = "sekrit";
const URL_KEY: &str = "4b1d";

/// A state directory with its configuration, and the server on it while one runs.
pub(crate) struct Door {
    pub(crate) at: SocketAddr,
    dir: tempfile::TempDir,
    state: PathBuf,
    running: Mutex<Option<Child>>,
    /// The state directory is a mount that only the server sees.
    apart: AtomicBool,
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nothing more to do about it, and the test may be failing already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn door() -> Arc<Door> {
    let dir = tempfile::tempdir().expect("tempdir");
    let state = dir.path().join("state");
    door_on(dir, state)
}

/// With `more` in its configuration, which may be secret.
pub(crate) fn door_with(more: &str) -> Arc<Door> {
    let door = door();
    let path = door.dir.path().join("config.toml");
    let config = fs::read_to_string(&path).expect("config");
    fs::write(&path, config + more).expect("config");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours alone");
    door
}

/// With a state directory of the test's choice.
pub(crate) fn door_on(dir: tempfile::TempDir, state: PathBuf) -> Arc<Door> {
    let at = reserve_port();
    let config = format!(
        r#"
        [receiver]
        listen = "{at}"

        [[account]]
        name = "prod"
        provider = "pagerduty"
        base_url = "http://127.0.0.1:9"

        [account.webhook]
        url_key = {{ env = "PD_URL_KEY" }}
        secrets = [{{ env = "PD_SECRET" }}]
        "#
    );
    fs::write(dir.path().join("config.toml"), config).expect("config");
    Arc::new(Door { at, dir, state, running: Mutex::new(None), apart: AtomicBool::new(false) })
}

impl Door {
    pub(crate) fn state(&self) -> &PathBuf {
        &self.state
    }

    /// Commands are run where the server is, too.
    pub(crate) fn is_apart(&self) {
        self.apart.store(true, Ordering::Relaxed);
    }

    /// `wrapper` is what the program is started by, if by anything.
    fn command(&self, wrapper: &[&str]) -> Command {
        let mut words = wrapper.iter().copied().chain([BIN]);
        let mut command = Command::new(words.next().expect("at least the program"));
        command.args(words).env_clear().arg("--state-dir").arg(&self.state);
        command.env("HOME", self.dir.path()).env("DOGWATCH_CONFIG", self.dir.path().join("config.toml"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PD_URL_KEY", URL_KEY).env("PD_SECRET", SECRET);
        command
    }

    /// Starts the server; `crash_at` is where it is to die.
    pub(crate) fn start(&self, crash_at: Option<&str>) {
        self.start_by(&[], crash_at);
    }

    pub(crate) fn start_by(&self, wrapper: &[&str], crash_at: Option<&str>) {
        let mut command = self.command(wrapper);
        command.arg("serve").envs(crash_at.map(|at| ("DOGWATCH_CRASH_AT", at)));
        let log = self.dir.path().join("log");
        self.spawn(command, File::options().create(true).append(true).open(log).expect("log"));
    }

    /// Starts it with its log going where every write fails for want of room.
    pub(crate) fn start_with_a_full_log(&self) {
        let mut command = self.command(&[]);
        command.arg("serve");
        self.spawn(command, File::options().write(true).open("/dev/full").expect("a device"));
    }

    fn spawn(&self, mut command: Command, log: File) {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the binary runs");
        assert!(self.running().replace(child).is_none(), "one at a time");
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = self.running().as_ref().expect("runs").id();
        Pid::from_raw(i32::try_from(id).expect("small")).expect("a process")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut running = self.running();
        let ended = running.as_mut()?.try_wait().expect("a child of ours");
        if ended.is_some() {
            *running = None;
        }
        ended
    }

    /// Waits for it to die of the point that it was told to die at.
    pub(crate) fn died_there(&self, point: &str) {
        let mut ended = None;
        let died = holds_in_time(|| {
            ended = self.ended();
            ended.is_some()
        });
        assert!(died, "never passed {point}");
        let signal = ended.and_then(|ended| ended.signal());
        assert_eq!(signal, Some(Signal::ABORT.as_raw()), "{point}: {ended:?}\n{}", self.log());
    }

    /// Ends it as nobody should.
    pub(crate) fn kill(&self) {
        rustix::process::kill_process(self.pid(), Signal::KILL).expect("kill");
        eventually("it ends", || self.ended().is_some());
    }

    /// Ends it as a service manager would.
    pub(crate) fn stop(&self) {
        rustix::process::kill_process(self.pid(), Signal::TERM).expect("kill");
        eventually("it ends", || self.ended().is_some());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let pid =
            if self.apart.load(Ordering::Relaxed) { self.pid().as_raw_nonzero().to_string() } else { String::new() };
        let enter = ["nsenter", "-t", &pid, "-U", "-m", "--preserve-credentials"];
        self.command(if pid.is_empty() { &[] } else { &enter }).args(args).output().expect("the binary runs")
    }

    fn printed(&self, args: &[&str]) -> Vec<String> {
        let output = self.run(args);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// The ids of the stored events, sorted.
    pub(crate) fn stored(&self) -> Vec<String> {
        let mut ids = self.printed(&["delivery", "list", "--format", "ids"]);
        ids.sort();
        ids
    }

    /// The board: lines of id and status, sorted.
    pub(crate) fn board(&self) -> Vec<String> {
        let mut rows = self.printed(&["incident", "list", "--all", "--format", "tsv"]);
        rows.sort();
        rows
    }

    /// Posts a signed webhook once; its answer's status, if there was an answer.
    pub(crate) fn post(&self, body: &[u8]) -> Option<u16> {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("hmac takes keys of any length");
        mac.update(body);
        let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
        let headers = [("x-pagerduty-signature", signature.as_str())];
        ask(self.at, &format!("POST /hooks/prod/{URL_KEY}"), &headers, body).ok().map(|(status, _)| status)
    }

    /// Posts again and again, as providers do, until it is accepted.
    pub(crate) fn post_until_accepted(&self, body: &[u8]) {
        let mut last = None;
        let accepted = holds_in_time(|| {
            last = self.post(body);
            last == Some(202)
        });
        assert!(accepted, "the last answer: {last:?}\n{}", self.log());
    }

    /// The status of `/readyz` and what it says, if there is an answer.
    pub(crate) fn ready(&self) -> Option<(u16, String)> {
        ask(self.at, "GET /readyz", &[], b"").ok()
    }

    pub(crate) fn until_ready(&self) {
        let ready = holds_in_time(|| self.ready().is_some_and(|(status, _)| status == 200));
        assert!(ready, "{:?}\n{}", self.ready(), self.log());
    }
}

/// Something that happened to an incident.
pub(crate) struct Happening {
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
}

/// The life of an incident, lately: triggered, acknowledged, resolved, a minute after another.
pub(crate) fn life(incident: &str) -> Vec<Happening> {
    let texts = [
        ("triggered", include_str!("../fixtures/pagerduty/webhook_real.triggered.json")),
        ("acknowledged", include_str!("../fixtures/pagerduty/webhook_real.acknowledged.json")),
        ("resolved", include_str!("../fixtures/pagerduty/webhook_real.resolved.json")),
    ];
    let begin = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(3);
    let happening = |(minutes, (status, text)): (i64, (&str, &str))| {
        let mut body: Value = serde_json::from_str(text).expect("json");
        let id = format!("{incident}-{status}");
        body["event"]["id"] = id.clone().into();
        body["event"]["occurred_at"] = (begin + jiff::SignedDuration::from_mins(minutes)).to_string().into();
        body["event"]["data"]["id"] = incident.into();
        body["event"]["data"]["status"] = status.into();
        Happening { id, body: body.to_string().into_bytes() }
    };
    (0..).zip(texts).map(happening).collect()
}
