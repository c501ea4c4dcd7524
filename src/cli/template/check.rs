//! `dogwatch template check`: what is wrong with templates, with line and column.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::Shelf;
use crate::{
    cli::{Exit, Failure, Outcome, Places, output},
    core::template::Fault,
    template::{self as templates, Checked},
};

pub(super) async fn run(places: &Places, named: &[std::path::PathBuf], json: bool) -> Outcome {
    let mut shelf = Shelf::open(places).await?;
    let (mut bad, mut told) = (0, vec![]);
    for template in named {
        let name = template.display().to_string();
        let checked = text_of(&mut shelf, template).await.map(|text| templates::check(&text));
        bad += usize::from(checked.as_ref().map_or(true, |checked| !checked.faults.is_empty()));
        match (json, checked) {
            (true, checked) => told.push(as_json(&name, checked)),
            (false, Ok(checked)) => say(&name, &checked),
            (false, Err(failure)) => output::complain(&failure.to_string()),
        }
    }
    if json {
        output::json(&told)?;
    }
    Ok(match bad {
        0 => Exit::Done,
        bad if bad == named.len() => Exit::Failed,
        _ => Exit::Partly,
    })
}

/// A template by its name, or a file.
async fn text_of(shelf: &mut Shelf, template: &Path) -> Result<String, Failure> {
    if let Some(name) = template.to_str()
        && shelf.has(name)?
    {
        return shelf.read(name).await;
    }
    let failed = |why: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("{}: {why}", template.display()));
    let bytes = fs::read(template).map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|_| failed(&"it is no text in UTF-8"))
}

fn as_json(name: &str, checked: Result<Checked, Failure>) -> Value {
    match checked {
        Ok(Checked { faults, warnings }) => {
            json!({ "template": name, "ok": faults.is_empty(), "faults": faults, "warnings": warnings })
        }
        Err(failure) => json!({ "template": name, "ok": false, "error": failure.to_string() }),
    }
}

fn say(name: &str, Checked { faults, warnings }: &Checked) {
    for fault in faults {
        output::line(&at(name, "", fault));
    }
    for warning in warnings {
        output::line(&at(name, "warning: ", warning));
    }
    if faults.is_empty() {
        output::line(&format!("{name}: ok"));
    }
}

/// As compilers say it, so that editors find the place.
pub(super) fn at(name: &str, kind: &str, fault: &Fault) -> String {
    format!("{name}:{}:{}: {kind}{}", fault.line, fault.column, fault.message)
}
