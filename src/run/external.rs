//! The person's own editor on a text: the terminal is its own as long as it runs, and what it wrote is read back
//! however it ends.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use super::drafts::{read, write_new};
use crate::{
    core::text::Shown,
    term::{Ending, Urgent},
};

/// How long an editor that is to end may take.
const LAST: Duration = Duration::from_secs(1);

/// A text that an editor is asked for.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) text: String,
    /// Where the editor finds it.
    pub(super) place: Place,
}

/// Where the text of a job is.
pub(super) enum Place {
    /// Beside its draft.
    Drafts(PathBuf),
    /// Nothing is kept: in a directory that goes with it.
    Temporary(tempfile::TempDir, PathBuf),
}

impl Place {
    /// A place for a text of which no draft is kept.
    pub(super) fn temporary(name: &str, text: &str) -> io::Result<Self> {
        let owner = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("dogwatch-edit-").permissions(owner).tempdir()?;
        let path = directory.path().join(format!("{name}.hbs"));
        write_new(&path, text)?;
        Ok(Self::Temporary(directory, path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Drafts(path) | Self::Temporary(_, path) => path,
        }
    }

    /// The file stays: it holds what could not be read.
    fn stay(self) -> PathBuf {
        match self {
            Self::Drafts(path) => path,
            Self::Temporary(directory, path) => {
                let _ = directory.keep();
                path
            }
        }
    }
}

/// The person's own editor on the file at `path`, and what it is called. A shell reads its command, which may have
/// arguments, as for git. The variables in `secret` stay here.
pub fn editor_command(path: &Path, secret: &[String]) -> (String, std::process::Command) {
    let editor = editor();
    let mut command = shell(&editor, path);
    for variable in secret {
        command.env_remove(variable);
    }
    (editor, command)
}

fn editor() -> String {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|command| !command.trim().is_empty()).unwrap_or_else(|| "vi".to_owned())
}

fn shell(editor: &str, path: &Path) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg("editor").arg(path);
    command
}

/// How it ended, and whether this process is to end too.
pub(super) struct Ended {
    pub(super) text: Result<String, Shown>,
    pub(super) ending: Option<Ending>,
}

/// Runs the editor until it ends, without the variables in `secret`. The terminal must be given back by then.
pub(super) async fn run(job: Job, secret: &[String], urgent: &mut mpsc::Receiver<Urgent>) -> Ended {
    let (editor, command) = editor_command(job.place.path(), secret);
    let mut child = match Command::from(command).spawn() {
        Ok(child) => child,
        Err(error) => return Ended { text: Err(Shown::line(&format!("`{editor}`: {error}"))), ending: None },
    };
    let (status, ending) = wait(&mut child, urgent).await;
    Ended { text: taken_back(job, &editor, status), ending }
}

/// A stop stops both, as a shell expects of a job; a key that interrupts is for the editor alone.
async fn wait(child: &mut Child, urgent: &mut mpsc::Receiver<Urgent>) -> (io::Result<ExitStatus>, Option<Ending>) {
    loop {
        tokio::select! {
            status = child.wait() => return (status, None),
            Some(urgent) = urgent.recv() => match urgent {
                Urgent::Stop => {
                    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
                }
                Urgent::End(Ending::Signal(signal)) if is_a_key(signal) => {}
                Urgent::Continued => {}
                Urgent::End(ending) => {
                    end(child);
                    let status = timeout(LAST, child.wait()).await;
                    return (status.unwrap_or_else(|_| Err(io::Error::other("it does not end"))), Some(ending));
                }
            },
        }
    }
}

fn is_a_key(signal: i32) -> bool {
    [Signal::INT, Signal::QUIT].iter().any(|key| key.as_raw() == signal)
}

fn end(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

/// What it wrote; an editor that failed and wrote nothing changes nothing.
fn taken_back(job: Job, editor: &str, status: io::Result<ExitStatus>) -> Result<String, Shown> {
    let failed = match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("`{editor}` ended with {status}")),
        Err(error) => Some(format!("`{editor}`: {error}")),
    };
    let text = match read(job.place.path()) {
        Ok(text) => text,
        Err(error) => {
            let path = job.place.stay();
            let (failed, path) = (failed.map(|failed| format!("{failed}; ")).unwrap_or_default(), path.display());
            return Err(Shown::line(&format!("{failed}what it wrote to {path} cannot be read: {error}")));
        }
    };
    // Editors end the last line of a file; a text without such an end keeps having none.
    let text = match text.strip_suffix('\n') {
        Some(rest) if !job.text.ends_with('\n') => rest.to_owned(),
        _ => text,
    };
    let _ = fs::remove_file(job.place.path());
    match failed {
        Some(failed) if text == job.text => Err(Shown::line(&failed)),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn job(text: &str) -> Job {
        Job { name: "chat".into(), text: text.into(), place: Place::temporary("chat", text).expect("a place") }
    }

    fn ended(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn the_text_lies_where_only_its_owner_reads_it_and_goes_when_it_is_read_back() {
        let job = job("one");
        let path = job.place.path().to_owned();
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(path.parent().expect("directory")), mode(&path)), (0o700, 0o600));
        fs::write(&path, "two\n").expect("written");

        assert_eq!(taken_back(job, "vi", Ok(ended(0))), Ok("two".into()));
        assert!(!path.exists());
    }

    #[test]
    fn an_editor_that_fails_loses_nothing() {
        let unchanged = taken_back(job("one"), "vi", Ok(ended(1))).expect_err("told");
        assert!(unchanged.as_str().starts_with("`vi` ended with exit status: 1"), "{unchanged}");

        let changed = job("one");
        fs::write(changed.place.path(), "two").expect("written");
        assert_eq!(taken_back(changed, "vi", Ok(ended(1))), Ok("two".into()));

        let unreadable = job("one");
        let path = unreadable.place.path().to_owned();
        fs::write(&path, b"\xff\xfe").expect("written");
        let said = taken_back(unreadable, "vi", Ok(ended(0))).expect_err("told");
        assert!(said.as_str().contains(&path.display().to_string()), "{said}");
        assert!(path.exists(), "what it wrote stays");
        let _ = fs::remove_dir_all(path.parent().expect("directory"));
    }

    #[test]
    fn a_command_with_arguments_is_read_as_a_shell_does() {
        let job = job("one");
        let status = shell("sed -i s/one/three/", job.place.path()).status();
        assert_eq!(taken_back(job, "sed", status), Ok("three".into()));
    }
}
