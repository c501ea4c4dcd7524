//! `dogwatch template edit`: a copy in the person's own editor, saved when it was changed. Whatever happens, what was
//! written is saved, or stays in a file that is named.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Shelf, check::at};
use crate::{
    cli::{Exit, Failure, Outcome, output},
    core::template::Fault,
    run::{editor_command, write_new},
    template::{self as templates, Checked},
};

/// The editor gets none of the variables in `secret`.
pub(super) async fn run(shelf: &mut Shelf, name: String, secret: &[String], json: bool) -> Outcome {
    let base = if shelf.has(&name)? { Some(shelf.read(&name).await?) } else { None };
    let copy = Copy::of(&name, base.as_deref().unwrap_or_default())?;
    let text = copy.edit(base.as_deref().unwrap_or_default(), secret)?;
    let Some(text) = text else {
        copy.remove();
        return told(&name, None, json);
    };
    if let Err(failure) = shelf.save(&name, &text, base).await {
        return Err(copy.stays(failure.exit, &failure.message));
    }
    copy.remove();
    told(&name, Some(&templates::check(&text)), json)
}

/// The text in a directory that only its owner can enter. It stays until it is removed.
struct Copy {
    directory: PathBuf,
    path: PathBuf,
}

impl Copy {
    fn of(name: &str, text: &str) -> io::Result<Self> {
        let owner = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("dogwatch-edit-").permissions(owner).tempdir()?.keep();
        // What is no name of a template is refused when it is saved; here it must be no path.
        let path = directory.join(format!("{}.hbs", name.replace(['/', '\0'], "_")));
        write_new(&path, text)?;
        Ok(Self { directory, path })
    }

    /// The changed text; `None`: nothing was changed.
    fn edit(&self, before: &str, secret: &[String]) -> Result<Option<String>, Failure> {
        let (editor, mut command) = editor_command(&self.path, secret);
        let status = command.status().map_err(|error| self.stays(Exit::Failed, &format!("`{editor}`: {error}")))?;
        let text =
            read(&self.path).map_err(|error| self.stays(Exit::Failed, &format!("it is no template: {error}")))?;
        // Editors end the last line of a file.
        let changed = text != before && text.strip_suffix('\n') != Some(before);
        match (status.success(), changed) {
            (true, changed) => Ok(changed.then_some(text)),
            (false, true) => Err(self.stays(Exit::Failed, &format!("`{editor}` ended with {status}"))),
            (false, false) => {
                self.remove();
                Err(Failure::new(Exit::Failed, format!("nothing was changed: `{editor}` ended with {status}")))
            }
        }
    }

    /// Why it is not saved, and where it is.
    fn stays(&self, exit: Exit, why: &str) -> Failure {
        Failure::new(exit, format!("{why}; your text was not saved, it is in {}", self.path.display()))
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn read(path: &Path) -> io::Result<String> {
    String::from_utf8(fs::read(path)?).map_err(|_| io::Error::other("no text in UTF-8"))
}

/// A broken template is saved too, but not in silence.
fn told(name: &str, saved: Option<&Checked>, json: bool) -> Outcome {
    let none: &[Fault] = &[];
    let (faults, warnings) = saved.map_or((none, none), |checked| (&checked.faults, &checked.warnings));
    if json {
        let saved = saved.is_some();
        output::json(&json!({ "name": name, "saved": saved, "faults": faults, "warnings": warnings }))?;
        return Ok(Exit::Done);
    }
    match saved {
        None => output::line(&format!("{name}: nothing was changed")),
        Some(_) if faults.is_empty() => output::line(&format!("{name} is saved")),
        Some(_) => output::line(&format!("{name} is saved, but it is broken")),
    }
    for fault in faults {
        output::complain(&at(name, "", fault));
    }
    for warning in warnings {
        output::complain(&at(name, "warning: ", warning));
    }
    Ok(Exit::Done)
}
