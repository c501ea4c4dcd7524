//! `dogwatch template history`: the versions of a template, and how one differs from the present text.

use jiff::tz::TimeZone;
use serde_json::json;

use super::Shelf;
use crate::{
    cli::{Exit, Outcome, output},
    core::{
        diff::{self, Line},
        template::{TemplateVersion, Version},
        text::{Shown, ShownBody},
        words::date_and_clock,
    },
};

pub(super) async fn list(shelf: &mut Shelf, name: String, json: bool) -> Outcome {
    let history = shelf.history(&name).await?;
    if json {
        output::json(&history)?;
        return Ok(Exit::Done);
    }
    let mut rows: Vec<_> = history.present.iter().map(|present| row("now", present)).collect();
    rows.extend(history.former.iter().map(|former| row(&former.number.to_string(), former)));
    if history.built_in {
        let kind = if history.present.is_none() { "now, built-in" } else { "built-in" };
        rows.push([kind, "", "", ""].map(str::to_owned).to_vec());
    }
    output::table(&["VERSION", "SAVED (UTC)", "BY", "BYTES"], &rows);
    Ok(Exit::Done)
}

fn row(called: &str, version: &TemplateVersion) -> Vec<String> {
    let saved_at = version.saved_at.map(|at| date_and_clock(at, &TimeZone::UTC)).unwrap_or_default();
    let by = version.by.as_ref().map_or_else(|| "-".into(), Shown::to_string);
    vec![called.to_owned(), saved_at, by, version.bytes.to_string()]
}

pub(super) async fn difference(shelf: &mut Shelf, name: String, version: Version, json: bool) -> Outcome {
    let former = shelf.version(&name, version).await?;
    let present = shelf.read(&name).await?;
    let lines = self::lines(&former, &present);
    if json {
        output::json(&json!({ "name": name, "from": version.to_string(), "difference": lines }))?;
    } else {
        for line in &lines {
            output::line(line);
        }
    }
    Ok(Exit::Done)
}

fn lines(former: &str, present: &str) -> Vec<String> {
    let line = |line: &Line<'_>| match line {
        Line::Skipped(lines) => format!("… {lines} equal"),
        line => format!("{} {}", line.sign(), ShownBody::new(line.text())),
    };
    diff::difference(former, present).iter().map(line).collect()
}
