//! The real binary in a real pseudo-terminal, attached to a server of ours: however it ends, the terminal
//! is what it was before. Few and slow: everything else is tested below this level.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    ops::{Deref, DerefMut},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use dogwatch::{
    core::{
        board::{Board, Change},
        freshness::{Account, Freshness, Push},
        id::IncidentKey,
        incident::{Incident, Observation, Stamp, State, Status, Urgency},
    },
    proto::{Access, FromServer, PROTOCOL},
};
use jiff::Timestamp;
use portable_pty::CommandBuilder;
use rustix::{
    process::{Pid, Signal},
    termios::{Action, LocalModes, OptionalActions, tcflow, tcsetattr},
};
use support::{
    eventually, holds_in_time,
    terminal::{Reading, Terminal, settings, tty, waits_in},
};

mod support;

const RUN: &str = "echo $$ > $DIR/pid; exec $BIN --state-dir $DIR";
/// As a child of the shell, which is told of a hang-up instead of it.
const RUN_UNDER_A_SHELL: &str = "sh -c 'echo $$ > $DIR/pid; exec $BIN --state-dir $DIR'";

/// A server that knows nothing, in the place of the owner of `DIR`.
struct Server(UnixListener);

impl Server {
    /// Greets the next console and gives it an empty board.
    fn accept(&self) -> UnixStream {
        self.0.set_nonblocking(true).expect("nonblocking");
        let mut found = None;
        eventually("a console says hello", || {
            found = self.0.accept().ok().and_then(|(stream, _)| hello(stream));
            found.is_some()
        });
        let mut console = found.expect("a console");
        let you = Access::Act { actor: "alice".into() };
        let greeting = FromServer::Hello { protocol: PROTOCOL, version: "1".into(), you };
        let snapshot = FromServer::Snapshot { board: Box::new(Board::default()) };
        for message in [greeting, snapshot, FromServer::UpToDate] {
            writeln!(console, "{}", serde_json::to_string(&message).expect("json")).expect("write");
        }
        console
    }
}

/// The console at the other end; `None` when somebody only looked whether we are there.
fn hello(stream: UnixStream) -> Option<UnixStream> {
    stream.set_nonblocking(false).expect("blocking");
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).expect("a line");
    line.contains("hello").then_some(stream)
}

struct Session {
    terminal: Terminal,
    server: Server,
    dir: tempfile::TempDir,
}

impl Deref for Session {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}

fn start(shell: &str, reading: Reading) -> Session {
    let dir = tempfile::tempdir().expect("tempdir");
    let server = Server(UnixListener::bind(dir.path().join("control.sock")).expect("bind"));
    Session { terminal: console_in(dir.path(), shell, reading), server, dir }
}

/// A console whose state is in `dir`.
fn console_in(dir: &Path, shell: &str, reading: Reading) -> Terminal {
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", shell]);
    command.env("BIN", env!("CARGO_BIN_EXE_dogwatch"));
    command.env("DIR", dir);
    command.env("HOME", dir);
    command.env("XDG_CONFIG_HOME", dir);
    command.env("TERM", "xterm-256color");
    command.env("DOGWATCH_PANIC_KEY", "f2");
    Terminal::open(command, 24, 80, reading)
}

fn written_pid(dir: &tempfile::TempDir) -> Pid {
    let written = fs::read_to_string(dir.path().join("pid")).expect("pid");
    Pid::from_raw(written.trim().parse().expect("a number")).expect("pid")
}

impl Session {
    /// Waits until the program draws, attached to our server.
    fn attach(&self) -> UnixStream {
        let console = self.server.accept();
        eventually("first frame", || self.is_on_screen());
        console
    }

    fn pid(&self) -> Pid {
        written_pid(&self.dir)
    }

    fn kill(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("kill");
    }

    /// Closes every handle on the master side, which is what a dropped SSH connection does, while the
    /// program has nothing to draw. What it left on disk stays as long as the directory that is given back.
    fn hang_up(self) -> tempfile::TempDir {
        let Self { mut terminal, dir, .. } = self;
        // The old one says ctrl-d on its way.
        terminal.keyboard = Box::new(io::sink());
        terminal.stop_reading();
        eventually("idle", || {
            let call = waits_in(written_pid(&dir));
            // futex or epoll_wait
            call.starts_with("202 ") || call.starts_with("232 ")
        });
        drop(terminal);
        dir
    }
}

#[test]
fn q_ends_it_and_gives_the_terminal_back() {
    let mut session = start(RUN, Reading::Always);
    let _console = session.attach();
    assert!(!settings(&*session.master).local_modes.contains(LocalModes::ICANON), "raw while it runs");

    session.press("q");

    assert!(session.wait().success());
    session.assert_given_back("q");
}

#[test]
fn every_signal_that_ends_it_gives_the_terminal_back_and_is_told_to_the_shell() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let mut session = start(RUN, Reading::Always);
        let _console = session.attach();

        session.kill(signal);

        assert_eq!(session.wait().exit_code(), code, "{signal:?}");
        session.assert_given_back(&format!("{signal:?}"));
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_what_broke() {
    let mut session = start(RUN, Reading::Always);
    let _console = session.attach();

    session.press("\x1bOQ");

    assert_eq!(session.wait().exit_code(), 101);
    session.assert_given_back("a panic");
    let contents = session.contents();
    assert!(contents.contains("dogwatch broke at src/run/screen.rs") && contents.contains("f2"), "{contents}");
}

#[test]
fn it_ends_when_the_terminal_hangs_up_and_nobody_says_so() {
    let session = start(&format!("trap '' HUP; {RUN_UNDER_A_SHELL}; true"), Reading::Always);
    let _console = session.attach();
    let process = format!("/proc/{}", session.pid().as_raw_nonzero());

    let _dir = session.hang_up();

    let gone = Instant::now();
    eventually("exit after hang-up", || {
        let stat = fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
    assert!(gone.elapsed() < Duration::from_secs(3), "took {:?}", gone.elapsed());
}

#[test]
fn stopped_it_gives_the_terminal_back_and_continued_it_draws_again() {
    let script = format!("set -m; {RUN_UNDER_A_SHELL}; echo stopped here; read line; fg >/dev/null");
    let mut session = start(&script, Reading::Always);
    let _console = session.attach();

    session.press("\x1a");
    eventually("the shell speaks", || session.contents().contains("stopped here"));
    session.assert_given_back("ctrl-z");

    session.press("\n");
    eventually("drawn again", || session.is_on_screen() && !session.contents().trim().is_empty());
    assert!(!settings(&*session.master).local_modes.contains(LocalModes::ICANON), "raw again");
    session.press("q");
    assert!(session.wait().success());
    session.assert_given_back("fg and q");
}

#[test]
fn sigtstp_stops_it_as_ctrl_z_does() {
    let script = format!("set -m; {RUN_UNDER_A_SHELL}; echo stopped here; read line; fg >/dev/null");
    let mut session = start(&script, Reading::Always);
    let _console = session.attach();

    session.kill(Signal::TSTP);
    eventually("the shell speaks", || session.contents().contains("stopped here"));
    session.assert_given_back("SIGTSTP");

    session.press("\n");
    eventually("drawn again", || session.is_on_screen());
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn continued_after_a_stop_it_was_not_told_of_it_takes_the_terminal_again() {
    let mut session = start(RUN, Reading::Always);
    let _console = session.attach();
    session.kill(Signal::STOP);
    eventually("stopped", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", session.pid().as_raw_nonzero()));
        stat.is_ok_and(|stat| stat.contains(") T "))
    });
    // What a shell does.
    tcsetattr(tty(&*session.master), OptionalActions::Now, &session.before).expect("tcsetattr");
    session.output.lock().expect("lock").screen.process(b"\x1b[2J");

    session.kill(Signal::CONT);

    eventually("drawn again", || !session.contents().trim().is_empty());
    assert!(!settings(&*session.master).local_modes.contains(LocalModes::ICANON), "raw again");
    session.press("q");
    assert!(session.wait().success());
    session.assert_given_back("a stop from outside");
}

#[test]
fn a_terminal_that_nobody_reads_cannot_keep_it_from_ending() {
    let mut session = start(RUN, Reading::Never);
    let _console = session.server.accept();
    session.block_drawing(session.pid());

    session.kill(Signal::TERM);

    let asked = Instant::now();
    assert_eq!(session.wait().exit_code(), 143);
    assert!(asked.elapsed() < Duration::from_secs(3), "took {:?}", asked.elapsed());
    session.assert_settings_as_before("SIGTERM while nobody read");
}

#[test]
fn a_terminal_that_is_held_cannot_keep_it_from_ending() {
    let mut session = start(RUN, Reading::Always);
    let _console = session.attach();
    tcflow(tty(&*session.master), Action::OOff).expect("hold");
    session.block_drawing(session.pid());

    session.kill(Signal::TERM);

    let asked = Instant::now();
    assert_eq!(session.wait().exit_code(), 143);
    assert!(asked.elapsed() < Duration::from_secs(3), "took {:?}", asked.elapsed());
    session.assert_settings_as_before("SIGTERM while the terminal was held");
}

#[test]
fn input_that_the_parser_cannot_take_costs_nothing_else() {
    let mut session = start(RUN, Reading::Always);
    let _console = session.attach();

    // crossterm 0.29 panics on the first (a cursor at row 0), and loses what was read with it.
    session.press("\x1b[0;0R\x1b[<9999999;1;1M\x1b[200~q\x1b[201~\x1b[1;1R");
    let mut ended = None;
    eventually("q is heard again", || {
        ended = session.child.try_wait().expect("wait");
        if ended.is_none() {
            session.press("q");
        }
        ended.is_some()
    });

    assert!(ended.expect("ended").success());
    session.assert_given_back("strange input");
}

#[test]
fn the_next_server_is_found_when_the_first_one_goes() {
    let mut session = start(RUN, Reading::Always);
    drop(session.attach());

    let gone = Instant::now();
    let _console = session.server.accept();

    assert!(gone.elapsed() < Duration::from_secs(2), "took {:?}", gone.elapsed());
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn a_dumb_terminal_gets_one_line_and_no_sequences() {
    let mut session = start(&format!("TERM=dumb; {RUN}"), Reading::Always);

    assert_eq!(session.wait().exit_code(), 1);
    eventually("one line", || session.contents().contains("TERM=dumb"));
    assert!(!session.is_on_screen());
    session.assert_settings_as_before("TERM=dumb");
}

#[test]
fn without_a_terminal_it_says_what_works_instead() {
    let dir = tempfile::tempdir().expect("tempdir");
    let _server = UnixListener::bind(dir.path().join("control.sock")).expect("bind");
    let output = Command::new(env!("CARGO_BIN_EXE_dogwatch"))
        .arg("--state-dir")
        .arg(dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("runs");

    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("dogwatch serve") && said.contains("dogwatch incident list"), "{said}");
}

/// Tells the console of a change on the board.
fn tell(console: &mut UnixStream, change: Change) {
    let message = FromServer::Changed { change };
    writeln!(console, "{}", serde_json::to_string(&message).expect("json")).expect("write");
}

fn account() -> Account {
    let fresh = Freshness { last_success: Some(Timestamp::now()), failure: None };
    Account {
        name: "prod".parse().expect("name"),
        provider: "pagerduty".into(),
        identity: None,
        cannot_act: None,
        rest_off: None,
        skew: None,
        left: vec![],
        barred: std::collections::BTreeMap::new(),
        lacks: vec![],
        rest: fresh.clone(),
        on_call: fresh,
        poll_seconds: 30,
        push: Push::default(),
    }
}

fn incident(title: &str) -> Incident {
    let now = Timestamp::now();
    Incident::first(Observation {
        key: IncidentKey { account: "prod".parse().expect("name"), id: "Q1".parse().expect("id") },
        stamp: Stamp::push(now),
        state: State {
            status: Status::Triggered,
            urgency: Urgency::High,
            title: title.into(),
            number: Some(1),
            priority: None,
            service: None,
            escalation_policy: None,
            assignees: vec![],
            teams: vec![],
            created_at: now,
            url: None,
            dedup_key: None,
        },
        extra: None,
    })
}

/// Everything that the terminal was sent.
fn bytes(session: &Session) -> String {
    String::from_utf8_lossy(&session.output.lock().expect("lock").bytes).into_owned()
}

/// The operating system commands among it, without their ends.
fn commands(sent: &str) -> Vec<&str> {
    sent.split("\x1b]").skip(1).map(|rest| rest.split(['\x07', '\x1b']).next().unwrap_or_default()).collect()
}

#[test]
fn the_window_has_a_title_of_ours_while_we_run_and_its_own_again_afterwards() {
    let mut session = start(RUN, Reading::Always);
    let mut console = session.attach();
    tell(&mut console, Change::Account(Box::new(account())));
    tell(&mut console, Change::Incident(Box::new(incident("disk full"))));
    eventually("a title", || bytes(&session).contains("\x1b]2;1 triggered, 0 acked"));

    session.press("q");

    assert!(session.wait().success());
    session.assert_given_back("q");
    let sent = bytes(&session);
    let at = |part: &str| sent.find(part).unwrap_or_else(|| panic!("{part:?} was not sent"));
    assert!(at("\x1b[22;0t") < at("\x1b]2;"), "kept before it is changed");
    assert!(sent.rfind("\x1b[23;0t").expect("given back") > sent.rfind("\x1b]2;").expect("a title"));
    assert_eq!(sent.matches("\x1b[22;0t").count(), sent.matches("\x1b[23;0t").count());
    assert!(at("\x1b[?1004h") < at("\x1b[?1004l"), "focus is not told any more");
}

#[test]
fn a_hostile_title_calls_whoever_is_away_and_drives_nothing() {
    let mut session = start(RUN, Reading::Always);
    let mut console = session.attach();
    tell(&mut console, Change::Account(Box::new(account())));
    // The terminal went to the background; then a key of the list below tells nothing of it.
    session.press("\x1b[O");
    eventually("it is heard", || {
        tell(&mut console, Change::Forgotten(incident("").key));
        let hostile = "x\x07\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\u{9d}2;owned\u{9c}\x1b[5n\x1b\\ y";
        tell(&mut console, Change::Incident(Box::new(incident(hostile))));
        bytes(&session).contains("\x1b]9;dogwatch: #1 high: x")
    });

    session.press("q");
    assert!(session.wait().success());

    let sent = bytes(&session);
    for command in commands(&sent) {
        let ours = ["2;", "9;dogwatch: ", "777;notify;dogwatch;"].iter().any(|start| command.starts_with(start));
        assert!(ours && !command.contains(char::is_control), "{command:?}");
        assert!(!command.starts_with("2;owned"), "{command:?}");
    }
    assert!(sent.contains('\x07'), "the bell");
    assert!(!sent.contains("\x1b[5n") && !sent.contains('\u{9d}'), "{sent:?}");
}

impl Session {
    fn shows(&self, text: &str) {
        let shown = holds_in_time(|| self.contents().contains(text));
        assert!(shown, "gave up waiting for `{text}`:\n{}", self.contents());
    }

    /// A new template in the editor, with `text` typed.
    fn type_template(&mut self, text: &str) {
        self.press("4");
        self.shows("There is no template");
        self.press("n");
        self.shows("name of the new one");
        self.press("page\r");
        self.shows("page  new");
        self.press(text);
        self.shows(text);
    }
}

/// Whether a draft on disk holds `text`. It has its name once it is whole and synced.
fn is_kept(dir: &Path, text: &str) -> bool {
    let consoles = fs::read_dir(dir.join("drafts")).into_iter().flatten().flatten();
    let files = consoles.flat_map(|console| fs::read_dir(console.path()).into_iter().flatten().flatten());
    let mut whole =
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    whole.any(|path| fs::read_to_string(path).is_ok_and(|kept| kept.contains(text)))
}

#[test]
fn text_that_was_typed_is_there_again_after_a_kill() {
    let mut session = start(RUN_UNDER_A_SHELL, Reading::Always);
    let _console = session.attach();
    session.type_template("precious words");
    eventually("it is kept", || is_kept(session.dir.path(), "precious words"));

    session.kill(Signal::KILL);
    session.wait();
    session.terminal = console_in(session.dir.path(), RUN_UNDER_A_SHELL, Reading::Always);
    let _console = session.attach();

    session.shows("unsaved text was kept of page");
    session.press("4");
    session.shows("* unsaved text of");
    session.press("\r");
    session.shows("restored from");
    session.shows("precious words");
}

#[test]
fn text_that_was_just_typed_is_kept_when_a_signal_ends_the_console() {
    let mut session = start(RUN_UNDER_A_SHELL, Reading::Always);
    let _console = session.attach();
    session.type_template("words of the last second");

    session.kill(Signal::HUP);

    session.wait();
    assert!(is_kept(session.dir.path(), "words of the last second"));
}

#[test]
fn text_that_was_just_typed_is_kept_when_the_connection_drops() {
    let mut session = start(&format!("trap '' HUP; {RUN_UNDER_A_SHELL}; true"), Reading::Always);
    let _console = session.attach();
    session.type_template("words before the drop");

    let dir = session.hang_up();

    eventually("it is kept", || is_kept(dir.path(), "words before the drop"));
}

#[test]
fn the_persons_own_editor_has_the_terminal_and_gives_text_and_terminal_back() {
    let script = "#!/bin/sh\necho \"here: $(cat \"$1\")\"; read line; printf '%s' \"$line\" > \"$1\"\n";
    let mut session = start(&format!("EDITOR=\"$DIR/editor\"; export EDITOR; {RUN}"), Reading::Always);
    let editor = session.dir.path().join("editor");
    fs::write(&editor, script).expect("script");
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).expect("executable");
    let _console = session.attach();
    session.type_template("from inside");

    session.press("\x05");
    session.shows("here: from inside");
    session.assert_given_back("the editor has it");
    session.press("from outside q\n");

    eventually("the screen is back", || session.is_on_screen());
    session.shows("from outside q");
    assert!(!settings(&*session.master).local_modes.contains(LocalModes::ICANON), "raw again");
    session.press("\x15");
    session.shows("from inside");
    session.press("\x03");
    session.shows("not saved: page");
    session.press("\x03");
    assert!(session.wait().success());
    session.assert_given_back("ctrl-c");
    assert!(is_kept(session.dir.path(), "from inside"));
}
