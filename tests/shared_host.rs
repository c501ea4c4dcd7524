//! A server that several users of one host share: the real binary, given its sockets as a service manager gives
//! them, with consoles of its own user and of another one, and the provider simulated over real HTTP.

use std::{
    cell::RefCell,
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{PermissionsExt as _, chown},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use dogwatch::{
    core::delivery::{Timings, Verdict},
    simulator::Simulator,
    store::{NewDelivery, Store},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use sha2::Sha256;
use support::{
    PATIENCE,
    console::{COLUMNS, Console, ROWS},
    eventually,
    night::{BIN, triggered},
    simulated::{self, ask},
    terminal::{Reading, Terminal},
};
use tokio::runtime::{self, Runtime};

mod support;

/// Keys that begin so belong to the account and to nobody in it.
const KEY: &str = "account-key-0123456789";
const URL_KEY: &str = "9a7c51";
const SECRET: &str = "shared-host-signing-secret";
/// A user who exists everywhere and owns nothing.
const NOBODY: u32 = 65534;

/// A provider, a server with its sockets, and what a service manager hears.
struct Host {
    server: Child,
    door: SocketAddr,
    control: PathBuf,
    manager: UnixDatagram,
    /// What the service manager was told.
    told: RefCell<Vec<String>>,
    simulator: Option<Simulator>,
    runtime: Runtime,
    dir: tempfile::TempDir,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        if let Some(simulator) = self.simulator.take() {
            self.runtime.block_on(simulator.stop());
        }
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
}

/// A server that is ready. `people` goes into its configuration, with the address of the provider's third user in
/// the place of `{email}`.
fn host(people: &str) -> Host {
    host_with(people, None)
}

/// The same, with a library that is loaded before the system's.
fn host_with(people: &str, library: Option<&Path>) -> Host {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let simulator = runtime.block_on(simulated::start(([127, 0, 0, 1], 0).into(), 6, None));
    let dir = tempfile::tempdir().expect("tempdir");
    mode(dir.path(), 0o755);
    let run = dir.path().join("run");
    fs::create_dir(&run).expect("run");
    mode(&run, 0o755);
    let control = run.join("control.sock");
    let consoles = UnixListener::bind(&control).expect("bind");
    // Stands for the group: who may connect at all is the socket's mode, who may act is not.
    mode(&control, 0o666);
    let door = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = door.local_addr().expect("address");
    let manager = UnixDatagram::bind(dir.path().join("notify")).expect("bind");
    manager.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let people = people.replace("{email}", &simulator.users()[2].email);
    fs::write(dir.path().join("config.toml"), config(&simulator, &people)).expect("config");
    let server = serve(dir.path(), consoles.into(), door.into(), library);
    let told = RefCell::default();
    let host = Host { server, door: address, control, manager, told, simulator: Some(simulator), runtime, dir };
    host.hears("READY=1");
    host
}

fn config(simulator: &Simulator, people: &str) -> String {
    format!(
        "[[account]]\nname = \"prod\"\nprovider = \"pagerduty\"\nbase_url = \"{}\"\ntoken = {{ env = \"PD_TOKEN\" }}\n\
         poll = \"1h\"\n[account.webhook]\nurl_key = {{ env = \"PD_URL_KEY\" }}\nsecrets = [{{ env = \"PD_SECRET\" }}]\n\
         {people}",
        simulator.url()
    )
}

/// Starts it as systemd does: the sockets are the files from 3 on, and their number and whom they are for stand in
/// the environment.
fn serve(dir: &Path, consoles: OwnedFd, door: OwnedFd, library: Option<&Path>) -> Child {
    let script = "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_FDS=2 LISTEN_PID=$$ exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", BIN, "--config"]).arg(dir.join("config.toml"));
    command.arg("--state-dir").arg(dir.join("state")).arg("serve");
    command.env_clear().env("NOTIFY_SOCKET", dir.join("notify"));
    command.env("PD_TOKEN", KEY).env("PD_URL_KEY", URL_KEY).env("PD_SECRET", SECRET);
    command.envs(library.map(|library| ("LD_PRELOAD", library)));
    command.stdin(Stdio::from(consoles)).stdout(Stdio::from(door));
    command.stderr(fs::File::create(dir.join("log")).expect("log"));
    command.spawn().expect("sh")
}

impl Host {
    /// Waits until the service manager is told this.
    fn hears(&self, what: &str) {
        let (mut told, start) = (self.told.borrow_mut(), Instant::now());
        let mut message = [0; 4096];
        while !told.iter().any(|heard| heard.contains(what)) {
            match self.manager.recv(&mut message) {
                Ok(length) if start.elapsed() < PATIENCE => {
                    told.push(String::from_utf8_lossy(&message[..length]).into_owned());
                }
                _ => panic!("`{what}` was not heard, but {told:?}; the log: {}", self.log()),
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.server.id()
    }

    /// A command of the server's own user.
    fn run(&self, args: &[&str]) -> Output {
        Command::new(BIN).env_clear().arg("--socket").arg(&self.control).args(args).output().expect("runs")
    }

    /// A command of somebody else. Needs root.
    fn run_as_nobody(&self, program: &[&str]) -> Output {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"]).args(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
        command.env("DOGWATCH_SOCKET", &self.control).output().expect("setpriv")
    }

    fn open_incident(&self) -> String {
        let list = self.run(&["incident", "list", "--format", "tsv"]);
        let text = said(&list);
        text.lines().find_map(|line| line.split_once("\ttriggered")).expect("one is triggered").0.to_owned()
    }

    /// What the provider was asked to change.
    fn writes(&self) -> Vec<Value> {
        let provider = simulated::address(self.simulator.as_ref().expect("runs"));
        let (_, all) = ask(provider, "GET /_sim/requests", &[], b"").expect("an answer");
        let all: Value = serde_json::from_str(&all).expect("json");
        let all = all["requests"].as_array().expect("requests");
        all.iter().filter(|request| request["method"] != "GET").cloned().collect()
    }

    /// Posts a signed webhook; the answer's status and how long it took.
    fn post(&self, number: usize) -> (Option<u16>, Duration) {
        self.post_body(&alarm(number))
    }

    fn post_body(&self, body: &[u8]) -> (Option<u16>, Duration) {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("hmac takes keys of any length");
        mac.update(body);
        let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
        let headers = [("x-pagerduty-signature", signature.as_str())];
        let start = Instant::now();
        let answer = ask(self.door, &format!("POST /hooks/prod/{URL_KEY}"), &headers, body);
        (answer.ok().map(|(status, _)| status), start.elapsed())
    }

    /// A line to the server that has said hello.
    fn attach(&self) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(&self.control).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let hello = json!({"type": "hello", "protocol": dogwatch::proto::PROTOCOL, "version": "test"});
        writeln!(stream, "{hello}").expect("hello");
        BufReader::new(stream)
    }

    fn console(&self) -> Console {
        let mut command = CommandBuilder::new(BIN);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("HOME", self.dir.path());
        command.env("DOGWATCH_SOCKET", &self.control);
        Console(Terminal::open(command, ROWS, COLUMNS, Reading::Always))
    }
}

fn alarm(number: usize) -> Vec<u8> {
    triggered(&format!("01SHARED{number:018}"), &format!("QSHARED{number}"), &format!("Alarm {number}"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Reads messages until one holds `text`.
fn reads_until(line: &mut BufReader<UnixStream>, text: &str) {
    let mut message = String::new();
    while !message.contains(text) {
        message.clear();
        let length = line.read_line(&mut message).unwrap_or_else(|e| panic!("waiting for {text}: {e}"));
        assert!(length > 0, "the line ended before {text}");
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root() && {
        let setpriv = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status();
        setpriv.is_ok_and(|status| status.success())
    }
}

/// Tests that need a second user say so where they cannot have one.
fn second_user() -> bool {
    let can = is_root();
    if !can {
        let _ = writeln!(std::io::stderr(), "not tested: acting as a second user takes root and setpriv");
    }
    can
}

#[test]
fn a_service_uses_the_sockets_it_is_given_and_says_how_it_stands() {
    let mut host = host("");
    host.hears(&format!("listening for webhooks on {}; 1 accounts, 0 consoles", host.door));

    assert_eq!(host.post(1).0, Some(202));
    let mut console = host.attach();
    reads_until(&mut console, "Alarm 1");
    host.hears("1 consoles");
    let list = host.run(&["incident", "list"]);
    assert!(list.status.success(), "{}", said(&list));

    let pid = Pid::from_raw(i32::try_from(host.pid()).expect("small")).expect("a process");
    rustix::process::kill_process(pid, Signal::TERM).expect("kill");
    host.hears("STOPPING=1");
    eventually("the end", || host.server.try_wait().expect("wait").is_some_and(|status| status.success()));
    assert!(host.control.exists(), "the socket is the service manager's");
}

#[test]
fn another_user_acts_in_their_own_name_and_in_no_other() {
    if !second_user() {
        return;
    }
    let host = host(&format!("[[person]]\nuser = {NOBODY}\nemail = \"{{email}}\"\n"));
    let email = host.simulator.as_ref().expect("runs").users()[2].email.clone();
    let incident = host.open_incident();

    let done = host.run_as_nobody(&[BIN, "incident", "ack", &incident]);

    assert!(done.status.success(), "{}", said(&done));
    let writes = host.writes();
    assert!(writes.iter().all(|request| request["headers"]["from"] == email.as_str()), "{writes:?}");
    assert_eq!(writes.len(), 1);
    let log = host.run_as_nobody(&[BIN, "action", "list", "--json"]);
    let log: Value = serde_json::from_slice(&log.stdout).unwrap_or_else(|_| panic!("{}", said(&log)));
    let kept = (&log[0]["actor"], &log[0]["uid"], &log[0]["name"]);
    assert_eq!(kept, (&json!("nobody"), &json!(NOBODY), &json!(email)));
    assert!(!host.log().contains(&email) && host.log().contains("uid=65534"), "{}", host.log());
}

/// A library that stands for a directory of users: to it, everybody is `alice`.
fn directory_of_users(dir: &Path) -> PathBuf {
    const SOURCE: &str = "#include <pwd.h>\n\
        int getpwuid_r(uid_t uid, struct passwd *user, char *text, size_t size, struct passwd **found) {\n\
        (void)text; (void)size;\n\
        *user = (struct passwd){.pw_name = \"alice\", .pw_passwd = \"\", .pw_uid = uid, .pw_dir = \"/\", .pw_shell = \"\"};\n\
        user->pw_gecos = \"\"; *found = user; return 0; }\n";
    let (source, library) = (dir.join("users.c"), dir.join("users.so"));
    fs::write(&source, SOURCE).expect("source");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output().expect("cc");
    assert!(built.status.success(), "{}", said(&built));
    library
}

#[test]
fn a_user_whom_only_a_directory_knows_acts_by_the_name_it_gives() {
    if !second_user() {
        return;
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let library = directory_of_users(dir.path());
    let host = host_with("[[person]]\nuser = \"alice\"\nemail = \"{email}\"\n", Some(&library));

    let done = host.run_as_nobody(&[BIN, "incident", "ack", &host.open_incident()]);

    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(host.writes().len(), 1);
}

#[test]
fn a_user_who_is_not_named_may_look_and_not_act() {
    if !second_user() {
        return;
    }
    let host = host("");
    let incident = host.open_incident();

    let list = host.run_as_nobody(&[BIN, "incident", "list", "--format", "tsv"]);
    let acted = host.run_as_nobody(&[BIN, "incident", "ack", &incident]);

    assert!(list.status.success() && said(&list).contains(&incident), "{}", said(&list));
    assert_eq!(acted.status.code(), Some(1), "{}", said(&acted));
    let reason = "you may look, not act: nobody (uid 65534) is no [[person]] in the settings of the server";
    assert!(said(&acted).contains(reason), "{}", said(&acted));
    assert!(host.writes().is_empty());
}

#[test]
fn a_second_user_finds_no_secret_and_gets_no_connection_to_what_is_private() {
    if !second_user() {
        return;
    }
    let host = host("");
    assert_eq!(host.post(1).0, Some(202));
    let (dir, proc) = (host.dir.path().display().to_string(), format!("/proc/{}", host.pid()));
    let script = format!(
        "for secret in {KEY} {URL_KEY} {SECRET}; do grep -arsl -- $secret {dir} /proc/[0-9]*/environ {proc}/cmdline; \
         done; cat {dir}/state/* {proc}/environ {proc}/mem 2>/dev/null; ls {dir}/state 2>/dev/null; true"
    );

    let found = host.run_as_nobody(&["sh", "-c", &script]);
    let state = host.dir.path().join("state");
    let config = host.dir.path().join("config.toml");
    let state_arg = state.display().to_string();
    let attached =
        host.run_as_nobody(&["env", "-u", "DOGWATCH_SOCKET", BIN, "--state-dir", &state_arg, "incident", "list"]);

    assert_eq!(said(&found), "", "found by another user");
    assert!(!attached.status.success(), "{}", said(&attached));
    assert!(config.exists() && state.join("control.sock").exists(), "there was something to find");
}

#[test]
fn consoles_that_stop_or_never_read_hold_up_nobody() {
    let host = host("");
    let list = host.run(&["incident", "list", "--format", "tsv"]);
    let before = said(&list).matches("\ttriggered").count();
    let stopped = host.console();
    stopped.shows("attached");
    stopped.signal(Signal::STOP);
    let deaf: Vec<_> = (0..4).map(|_| host.attach()).collect();
    let mut alive = host.attach();
    reads_until(&mut alive, "\"snapshot\"");

    let mut slowest = Duration::ZERO;
    for number in 0..200 {
        let (status, took) = host.post(number);
        assert_eq!(status, Some(202), "delivery {number}");
        slowest = slowest.max(took);
    }

    reads_until(&mut alive, "Alarm 199");
    assert!(slowest < Duration::from_secs(5), "the slowest took {slowest:?}");
    drop(deaf);
    stopped.signal(Signal::CONT);
    stopped.shows(&format!("{} triggered", before + 200));
}

#[test]
fn more_consoles_than_a_user_may_have_and_a_request_without_end_are_refused_in_words() {
    let host = host("");
    let mut held: Vec<_> = (0..24).map(|_| host.attach()).collect();
    for line in &mut held {
        reads_until(line, "\"snapshot\"");
    }

    reads_until(&mut host.attach(), "have 24 consoles attached already");
    let mut endless = held.pop().expect("one of them");
    // Written until the server has heard enough.
    while endless.get_mut().write_all(&vec![b'x'; 65536]).is_ok() {}

    let mut rest = String::new();
    match endless.read_to_string(&mut rest) {
        Ok(_) => assert!(rest.contains("cut off") || rest.ends_with('\n'), "{rest}"),
        Err(error) => assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}"),
    }
    eventually("the place is free again", || {
        let mut first = String::new();
        host.attach().read_line(&mut first).is_ok() && first.contains("\"hello\"")
    });
}

#[test]
fn a_console_of_another_protocol_is_told_so_in_words() {
    let host = host("");
    let mut stream = UnixStream::connect(&host.control).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    writeln!(stream, "{}", json!({"type": "hello", "protocol": 1, "version": "0.0.9", "later": true})).expect("hello");

    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("refused");

    for words in ["\"refused\"", "this console is 0.0.9 (protocol 1)", "end the older one"] {
        assert!(answer.contains(words), "{answer}");
    }
}

/// A server of another version: it refuses whoever says hello.
fn another_version(path: &Path) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(path).expect("bind");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let mut line = BufReader::new(stream.expect("a console"));
            let mut hello = String::new();
            if line.read_line(&mut hello).is_ok_and(|length| length > 0) {
                let reason = "the running dogwatch is version 9.9 (protocol 99): end the older one";
                let _ = writeln!(line.get_mut(), "{}", json!({"type": "refused", "reason": reason}));
            }
        }
    })
}

#[test]
fn commands_and_the_console_say_what_a_server_of_another_version_says() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("control.sock");
    let _server = another_version(&path);

    let mut command = Command::new(BIN);
    command.env_clear().env("HOME", "/nonexistent").arg("--socket").arg(&path).args(["incident", "list"]);
    let refused = command.output().expect("runs");
    let mut console = CommandBuilder::new(BIN);
    console.env_clear();
    console.env("TERM", "xterm-256color");
    console.env("HOME", dir.path());
    console.arg("--socket");
    console.arg(&path);
    let console = Console(Terminal::open(console, ROWS, COLUMNS, Reading::Always));

    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(said(&refused), "dogwatch: the running dogwatch is version 9.9 (protocol 99): end the older one\n");
    console.shows("the running dogwatch is version 9.9 (protocol 99)");
}

/// Runs `program` as somebody who owns nothing. Needs root.
fn as_nobody(program: &[&str]) -> Output {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"]).args(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").output().expect("setpriv")
}

#[test]
fn who_is_not_let_in_is_told_of_which_group_to_be() {
    let dir = tempfile::tempdir().expect("tempdir");
    mode(dir.path(), 0o755);
    let path = dir.path().join("control.sock");
    let _server = UnixListener::bind(&path).expect("bind");
    // Only root can give it to a group and become somebody else.
    if chown(&path, None, Some(4_000_711)).is_err() {
        return;
    }
    mode(&path, 0o660);
    let (path, command) = (path.to_str().expect("UTF-8"), ["incident", "list"]);

    let refused = as_nobody(&[BIN, "--socket", path, command[0], command[1]]);

    let told =
        "lets only the members of the group gid 4000711 in, and you (nobody) are none: have yourself put into it";
    assert!(said(&refused).contains(told), "{}", said(&refused));
}

#[test]
fn a_store_that_root_put_in_place_is_named_with_its_owner_to_whoever_cannot_open_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    mode(dir.path(), 0o755);
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("state");
    fs::write(state.join("dogwatch.db"), "").expect("a copy");
    mode(&state.join("dogwatch.db"), 0o600);
    // Only root can give it away.
    if chown(&state, Some(NOBODY), None).is_err() {
        return;
    }
    fs::write(dir.path().join("config.toml"), "").expect("config");
    let (state, config) = (state.display().to_string(), dir.path().join("config.toml").display().to_string());

    for command in [&["doctor", "--store"][..], &["serve"]] {
        let refused = as_nobody(&[&[BIN, "--config", &config, "--state-dir", &state], command].concat());

        let told =
            format!("{state}/dogwatch.db: belongs to root, mode 600: as root, `chown nobody {state}/dogwatch.db`");
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        assert!(said(&refused).contains(&told), "{command:?}: {}", said(&refused));
    }
}

#[test]
fn a_socket_that_was_named_and_is_not_there_is_no_reason_to_serve_oneself() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("control.sock");

    let output = Command::new(BIN).env_clear().env("HOME", "/nonexistent").arg("--socket").arg(&path).output();

    let output = output.expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no server listens there"), "{}", said(&output));
}

/// A log of one's own, from the time before there was a shared server: one that could not be read, with number 1.
fn private_log(host: &Host, home: &Path) {
    let new = NewDelivery {
        at: jiff::Timestamp::now(),
        proof: None,
        timings: Timings::default(),
        verdict: Verdict::Rejected,
        reason: "a private one".into(),
        status: 400,
        decoded: None,
        account: None,
        peer: "203.0.113.7:50112".into(),
        headers: vec![],
        body: b"a private one".to_vec(),
    };
    let store = Store::open(&home.join(".local/state/dogwatch")).expect("store");
    host.runtime.block_on(store.record(new)).expect("stored");
}

#[test]
fn a_log_that_is_read_is_of_the_server_that_is_acted_on() {
    let host = host("");
    let home = tempfile::tempdir().expect("tempdir");
    private_log(&host, home.path());
    let run = |args: &[&str]| {
        let mut command = Command::new(BIN);
        command.env_clear().env("HOME", home.path()).arg("--config").arg(host.dir.path().join("config.toml"));
        command.env("PD_TOKEN", KEY).env("PD_URL_KEY", URL_KEY).env("PD_SECRET", SECRET);
        command.arg("--socket").arg(&host.control).args(args).output().expect("runs")
    };
    assert_eq!(host.post(1).0, Some(202));

    eventually("the server's log is listed", || {
        let listed = run(&["delivery", "list", "--json"]);
        let lines: Value = serde_json::from_slice(&listed.stdout).unwrap_or_else(|_| panic!("{}", said(&listed)));
        lines[0]["id"] == 1 && lines[0]["verdict"] == "accepted" && lines.as_array().is_some_and(|all| all.len() == 1)
    });
    assert!(said(&run(&["delivery", "show", "1"])).contains("QSHARED1"));
    let raw = run(&["delivery", "show", "1", "--raw"]).stdout;
    assert!(serde_json::from_slice::<Value>(&raw).is_ok_and(|body| body["event"]["data"]["id"] == "QSHARED1"));
    let long = [alarm(2), vec![b' '; 300_000]].concat();
    assert_eq!(host.post_body(&long).0, Some(202));
    let part = run(&["delivery", "show", "2", "--raw"]);
    assert_eq!((part.status.code(), part.stdout.len()), (Some(1), 256 * 1024), "a part is no answer");
    assert!(String::from_utf8_lossy(&part.stderr).contains("tells only the first 262144 of its"), "{:?}", part.stderr);
    let found = run(&["delivery", "search", "since:1h", "incident:QSHARED1"]);
    assert!(said(&found).contains("Alarm 1"), "{}", said(&found));
    assert_eq!(run(&["delivery", "search", "verdict:rejected", "--json"]).stdout, b"[]\n");
    let ids = said(&run(&["delivery", "list", "--format", "ids"]));
    assert_eq!(ids, "01SHARED000000000000000001\n01SHARED000000000000000002\n");
    for args in [
        "delivery tail",
        "delivery export",
        "delivery export 1 --curl",
        "delivery replay 1 --to http://127.0.0.1:1/",
        "backup copy.db",
        "doctor --store",
    ] {
        let refused = run(&args.split(' ').collect::<Vec<_>>());
        assert_eq!(refused.status.code(), Some(2), "{args}: {}", said(&refused));
        assert!(said(&refused).contains("with --state-dir, and no socket"), "{args}: {}", said(&refused));
    }
    let doctor = said(&run(&["doctor"]));
    assert!(doctor.contains("a server that is not one's own keeps it") && !doctor.contains("6 deliveries"), "{doctor}");
    assert!(!doctor.contains("could not be read"), "{doctor}");
}

#[test]
fn a_check_of_the_configuration_reads_the_tokens_of_people() {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = dir.path().join("config.toml");
    fs::write(&config, "[[person]]\nuser = \"alice\"\ntoken = { env = \"ALICE\" }\n").expect("config");
    let check = |token: Option<&str>| {
        let mut command = Command::new(BIN);
        command.env_clear().env("HOME", dir.path()).envs(token.map(|token| ("ALICE", token)));
        command.arg("--config").arg(&config).args(["config", "check", "--secrets"]).output().expect("runs")
    };

    let (with, without) = (check(Some("token-of-alice")), check(None));

    assert_eq!((with.status.code(), without.status.code()), (Some(0), Some(2)), "{}", said(&with));
    assert!(said(&without).contains("token of person alice: env ALICE"), "{}", said(&without));
}
