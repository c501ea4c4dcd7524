//! References to secrets, and reading them. A secret's value is in no message, no argument list and no
//! child's environment: not in that of the person's editor either, where the settings name its variable.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::{
        ffi::OsStringExt as _,
        fs::{MetadataExt as _, OpenOptionsExt as _},
        process::ExitStatusExt as _,
    },
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::{fs::OFlags, process::Pid};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    time::timeout,
};
use toml::de::DeValue;

use super::fields::{kind, nearest};

/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// No secret is longer, in bytes.
const LONGEST: usize = 64 * 1024;
/// Where systemd says that a service's credentials are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// How a command gets to read what only the service can: with the places of the unit in `assets/systemd`.
pub const AS_ROOT: &str = "or, as root, `CREDENTIALS_DIRECTORY=/run/credentials/dogwatch.service dogwatch --config \
                           /etc/dogwatch/config.toml --state-dir /var/lib/dogwatch …`";
const WAYS: &[&str] = &["env", "file", "command", "credential"];

/// What a command gets to see of our environment: what password managers and their agents need. Not
/// `GPG_TTY`: a prompt on the terminal would be drawn across the console.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "GNUPGHOME",
    "GPG_AGENT_INFO",
    "SSH_AUTH_SOCK",
    "PASSWORD_STORE_DIR",
    "PASSWORD_STORE_GPG_OPTS",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
];

/// Where a secret is. Only `Inline` holds one.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// `{ env = "PD_TOKEN" }`
    Env { variable: String },
    /// `{ file = "~/.secrets/pd" }`
    File { path: PathBuf },
    /// `{ command = ["pass", "show", "pd"] }`: program and arguments, no shell; never empty.
    Command { argv: Vec<String> },
    /// `{ credential = "pd-token" }`: a file that systemd puts into `$CREDENTIALS_DIRECTORY`.
    Credential { name: String },
    /// The secret itself, in a file that nobody else can read.
    Inline(SecretString),
}

/// Whether both lead to the same place; of inline ones, whether they are the same.
impl PartialEq for SecretRef {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => one.expose_secret() == other.expose_secret(),
            (Self::Env { variable: one }, Self::Env { variable: other })
            | (Self::Credential { name: one }, Self::Credential { name: other }) => one == other,
            (Self::File { path: one }, Self::File { path: other }) => one == other,
            (Self::Command { argv: one }, Self::Command { argv: other }) => one == other,
            _ => false,
        }
    }
}

/// Why a secret is not there. Names the reference, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SecretError {
    /// As [`SecretRef::name`] gives it.
    pub name: String,
    pub problem: String,
}

impl SecretRef {
    /// What to call it: `env PD_TOKEN`, `file …`, `command pass`, `credential x`, `inline`.
    pub fn name(&self) -> String {
        match self {
            Self::Env { variable } => format!("env {variable}"),
            Self::File { path } => format!("file {}", path.display()),
            Self::Command { argv } => format!("command {}", argv.first().map_or("", String::as_str)),
            Self::Credential { name } => format!("credential {name}"),
            Self::Inline(_) => "inline".to_owned(),
        }
    }

    /// Whether only a service can read it, and this process is none: systemd gives credentials to nobody else.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::Credential { .. }) && std::env::var_os(CREDENTIALS).is_none()
    }

    /// Fetches the secret: one line of text. Runs the command, reads the file … anew each time.
    pub async fn read(&self) -> Result<SecretString, SecretError> {
        let read = match self {
            Self::Env { variable } => from_environment(variable),
            Self::File { path } => in_background(path.clone(), Guard::OwnerOnly).await,
            Self::Command { argv } => from_command(argv, COMMAND_LIMIT).await,
            Self::Credential { name } => match std::env::var_os(CREDENTIALS) {
                Some(dir) => in_background(Path::new(&dir).join(name), Guard::None).await,
                None => Err(format!("CREDENTIALS_DIRECTORY is not set: only the service can read it, {AS_ROOT}")),
            },
            Self::Inline(secret) => Ok(secret.clone()),
        };
        read.map_err(|problem| SecretError { name: self.name(), problem })
    }
}

/// Reads a reference as it stands in the file. The error never repeats what stands there.
pub(super) fn from_toml(value: &DeValue<'_>, resolve: impl Fn(&str) -> PathBuf) -> Result<SecretRef, String> {
    let table = match value {
        DeValue::String(text) => return inline(text),
        DeValue::Table(table) => table,
        other => {
            return Err(format!("must be a text or one of {{ {} = … }}, this is {}", WAYS.join(" | "), kind(other)));
        }
    };
    let mut entries = table.iter();
    let (Some((way, value)), None) = (entries.next(), entries.next()) else {
        return Err(format!("must name exactly one of {}", WAYS.join(", ")));
    };
    let way: &str = way.get_ref();
    match (way, value.get_ref()) {
        ("env", DeValue::String(name)) => variable(name),
        ("file", DeValue::String(path)) if !path.is_empty() => Ok(SecretRef::File { path: resolve(path) }),
        ("credential", DeValue::String(name)) => credential(name),
        ("command", DeValue::Array(words)) => {
            let argv: Option<Vec<String>> =
                words.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect();
            let argv = argv.filter(|argv| argv.first().is_some_and(|program| !program.is_empty()));
            argv.map(|argv| SecretRef::Command { argv }).ok_or_else(command_form)
        }
        ("command", _) => Err(command_form()),
        ("env" | "file" | "credential", _) => Err(format!("{way} must be a text in quotes, not empty")),
        _ => Err(match nearest(way, WAYS) {
            Some(near) => format!("unknown key `{}`; did you mean `{near}`?", way.escape_debug()),
            None => format!("unknown key `{}`; known: {}", way.escape_debug(), WAYS.join(", ")),
        }),
    }
}

fn command_form() -> String {
    "command must be a list of texts, program first, as in [\"pass\", \"show\", \"pd\"]".to_owned()
}

fn inline(text: &str) -> Result<SecretRef, String> {
    one_line(text.as_bytes().to_vec()).map(SecretRef::Inline)
}

fn variable(name: &str) -> Result<SecretRef, String> {
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fits {
        return Err("env must be the name of a variable, without `$`: letters, digits and `_`".to_owned());
    }
    Ok(SecretRef::Env { variable: name.to_owned() })
}

fn credential(name: &str) -> Result<SecretRef, String> {
    let fits = !name.is_empty() && !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    if !fits {
        return Err("credential must be a plain name, no path".to_owned());
    }
    Ok(SecretRef::Credential { name: name.to_owned() })
}

/// The one line in `bytes`, without the line break at its end.
fn one_line(mut bytes: Vec<u8>) -> Result<SecretString, String> {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err("is empty".to_owned());
    }
    if bytes.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    let lines = bytes.split(|b| *b == b'\n').count();
    if lines > 1 {
        return Err(format!("has {lines} lines, and a secret is one line"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    Ok(SecretString::from(text))
}

fn from_environment(variable: &str) -> Result<SecretString, String> {
    let value = std::env::var_os(variable).ok_or("is not set in the environment of dogwatch")?;
    one_line(value.into_vec())
}

/// Who else may be able to read the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Nobody, as with ssh's keys.
    OwnerOnly,
    /// Not our concern: the directory is systemd's.
    None,
}

async fn in_background(path: PathBuf, guard: Guard) -> Result<SecretString, String> {
    let read = tokio::task::spawn_blocking(move || from_file(&path, guard)).await;
    read.map_err(|_| "reading it was broken off".to_owned())?
}

fn from_file(path: &Path, guard: Guard) -> Result<SecretString, String> {
    let say = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => cause.to_string(),
    };
    // Without NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(say)?;
    let about = file.metadata().map_err(say)?;
    if !about.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if guard == Guard::OwnerOnly && is_exposed(about.mode(), about.uid()) {
        let mode = about.mode() & 0o777;
        return Err(format!("others can read it (mode {mode:03o}): run `chmod 600 {}`", path.display()));
    }
    let mut bytes = vec![];
    file.take(LONGEST as u64 + 2).read_to_end(&mut bytes).map_err(say)?;
    one_line(bytes)
}

/// Whether somebody who should not can read a file of this mode. A group may read what root gave to it:
/// that is how a service is given its secrets.
pub(super) fn is_exposed(mode: u32, owner: u32) -> bool {
    let allowed = if owner == 0 { 0o750 } else { 0o700 };
    mode & 0o777 & !allowed != 0
}

async fn from_command(argv: &[String], limit: Duration) -> Result<SecretString, String> {
    let (program, arguments) = argv.split_first().ok_or_else(command_form)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(passed_on());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => "no such program".to_owned(),
        _ => format!("cannot be started: {cause}"),
    })?;
    let mut group = Group::of(&child);
    let Ok(done) = timeout(limit, output(&mut child)).await else {
        drop(group);
        // Its exit is taken, so that no zombie stays.
        let _ = child.kill().await;
        return Err(format!("took longer than {} s and was ended", limit.as_secs_f32()));
    };
    let (status, bytes) = done.map_err(|cause| cause.to_string())?;
    group.is_over();
    if !status.success() {
        return Err(format!("{} (run it by hand to see why)", ending(status)));
    }
    one_line(bytes).map_err(|problem| format!("its output {problem}"))
}

fn passed_on() -> impl Iterator<Item = (&'static str, OsString)> {
    PASSED_ON.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

async fn output(child: &mut Child) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut bytes = vec![];
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LONGEST as u64 + 2).read_to_end(&mut bytes).await?;
    }
    Ok((child.wait().await?, bytes))
}

/// A command with whatever it started, which ends when nobody waits for it any more.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The command has ended by itself. What it left behind, an agent perhaps, is to stay, and its number may be another's
    /// from now on.
    fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "did not end well".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _, time::Instant};

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_mins(1);

    async fn command(words: &[&str], limit: Duration) -> Result<String, String> {
        let argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        from_command(&argv, limit).await.map(|secret| secret.expose_secret().to_owned())
    }

    fn file(dir: &Path, text: &[u8], mode: u32) -> PathBuf {
        let path = dir.join("secret");
        fs::write(&path, text).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        path
    }

    async fn from(path: &Path) -> Result<String, String> {
        let reference = SecretRef::File { path: path.to_owned() };
        reference.read().await.map(|secret| secret.expose_secret().to_owned()).map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn a_file_gives_its_one_line() {
        let dir = tempfile::tempdir().expect("dir");
        for text in ["s3cret\n", "s3cret", "s3cret\r\n"] {
            assert_eq!(from(&file(dir.path(), text.as_bytes(), 0o600)).await.as_deref(), Ok("s3cret"));
        }
        for (bad, why) in [("", "is empty"), ("\n", "is empty"), ("a\nb\n", "2 lines"), ("a\u{1b}b", "control")] {
            let said = from(&file(dir.path(), bad.as_bytes(), 0o600)).await.expect_err("refused");
            assert!(said.contains(why), "{bad:?}: {said}");
        }
        let said = from(&file(dir.path(), &[0xff, 0xfe], 0o600)).await.expect_err("refused");
        assert!(said.contains("UTF-8"), "{said}");
    }

    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let path = file(dir.path(), b"hunter2\n", 0o604);

        let said = from(&path).await.expect_err("refused");

        assert!(said.contains("mode 604") && said.contains("chmod 600") && !said.contains("hunter2"), "{said}");
        assert!(is_exposed(0o640, 1000) && is_exposed(0o620, 1000) && is_exposed(0o644, 0));
        assert!(!is_exposed(0o640, 0) && !is_exposed(0o600, 1000) && !is_exposed(0o400, 1000));
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().expect("dir");
        let said = from(dir.path()).await.expect_err("a directory");
        assert!(said.contains("not a regular file"), "{said}");
        let said = from(Path::new("/dev/null")).await.expect_err("a device");
        assert!(said.contains("not a regular file"), "{said}");
        let said = from(&dir.path().join("none")).await.expect_err("missing");
        assert!(said.contains("no such file"), "{said}");
    }

    #[tokio::test]
    async fn a_variable_that_is_missing_is_named() {
        let reference = SecretRef::Env { variable: "DOGWATCH_NO_SUCH_VARIABLE".to_owned() };

        let said = reference.read().await.expect_err("missing").to_string();

        assert_eq!(said, "env DOGWATCH_NO_SUCH_VARIABLE: is not set in the environment of dogwatch");
    }

    #[tokio::test]
    async fn a_command_gives_the_line_it_prints() {
        assert_eq!(command(&["printf", "s3cret\\n"], LONG).await.as_deref(), Ok("s3cret"));
        let literal = command(&["echo", "$HOME;", "x"], LONG).await;
        assert_eq!(literal.as_deref(), Ok("$HOME; x"), "no shell in between");
    }

    #[tokio::test]
    async fn a_command_that_fails_says_how_without_what_it_printed() {
        for (script, why) in [
            ("echo hunter2; echo hunter2 >&2; exit 3", "ended with exit code 3"),
            ("kill -9 $$", "was ended by signal 9"),
            ("true", "its output is empty"),
            ("echo hunter2; echo hunter2", "its output has 2 lines"),
        ] {
            let said = command(&["sh", "-c", script], LONG).await.expect_err("refused");
            assert!(said.contains(why) && !said.contains("hunter2"), "{script}: {said}");
        }
        let said = command(&["/nonexistent/pass"], LONG).await.expect_err("refused");
        assert_eq!(said, "no such program");
    }

    /// A script that starts something, writes down its process, and hangs.
    fn hanging(pid: &Path) -> String {
        format!("sleep 600 & echo $! > {}; sleep 600", pid.display())
    }

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < LONG, "gave up waiting: {what}");
            tokio::task::yield_now().await;
        }
    }

    async fn ends(pid: &Path) {
        let stat = format!("/proc/{}/stat", fs::read_to_string(pid).expect("started").trim());
        until("it ends", || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_all_it_started() {
        let dir = tempfile::tempdir().expect("dir");
        let pid = dir.path().join("pid");

        let said = command(&["sh", "-c", &hanging(&pid)], SHORT).await.expect_err("ended");

        assert!(said.contains("took longer than"), "{said}");
        ends(&pid).await;
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_any_more_is_ended_with_all_it_started() {
        let dir = tempfile::tempdir().expect("dir");
        let pid = dir.path().join("pid");
        let script = hanging(&pid);
        let reading = tokio::spawn(async move { command(&["sh", "-c", &script], LONG).await });
        until("it has started", || fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))).await;

        reading.abort();

        ends(&pid).await;
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_when_it_has_told_goes_on() {
        let dir = tempfile::tempdir().expect("dir");
        let (pid, out) = (dir.path().join("pid"), dir.path().join("out"));
        let left = format!("echo s3cret; sleep 600 > {} & echo $! > {}", out.display(), pid.display());

        assert_eq!(command(&["sh", "-c", &left], LONG).await.as_deref(), Ok("s3cret"));

        let pid =
            fs::read_to_string(&pid).expect("started").trim().parse().ok().and_then(Pid::from_raw).expect("a number");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there, an agent perhaps");
    }

    #[tokio::test]
    async fn a_command_sees_no_secret_of_ours_and_no_standard_input() {
        let environment = command(&["sh", "-c", "env | cut -d= -f1 | tr '\\n' ' '"], LONG).await.expect("runs");
        let own = ["PWD", "SHLVL", "_", "OLDPWD"];
        for name in environment.split_whitespace() {
            assert!(PASSED_ON.contains(&name) || own.contains(&name), "{name}");
        }
        assert!(std::env::vars_os().any(|(name, _)| name == "CARGO_MANIFEST_DIR"), "there was something to hide");
        assert_eq!(command(&["sh", "-c", "cat; echo end"], LONG).await.as_deref(), Ok("end"));
    }
}
