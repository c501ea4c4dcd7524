//! Lines of the log, all or those that a query finds.

use std::{
    io::{self, BufWriter, Write as _},
    ops::ControlFlow,
};

use super::{Format, Output, Query};
use crate::{
    cli::{Exit, Outcome, output},
    core::{
        delivery::{DeliverySummary, Verdict},
        id::DeliveryId,
        text::Shown,
    },
    store::{Fallen, Reader, Search, StoreError},
};

/// Deliveries read at a time.
const PAGE: u32 = 500;

const HEADINGS: [&str; 9] =
    ["NUMBER", "TIME (UTC)", "VERDICT", "ANSWER", "ACCOUNT", "EVENT", "INCIDENT", "TARGET", "SUBJECT OR REASON"];
/// The place of the target in a row: left out where nothing went out.
const TARGET: usize = 7;

pub(super) fn run(reader: &Reader, query: &Query, shape: &Output) -> Outcome {
    let format = if shape.json { Format::Json } else { shape.format };
    let search = query.search(reader)?;
    match format {
        Format::Ids if search == Search::default() => ids(reader)?,
        Format::Ids => {
            let mut found = all(reader, &search)?;
            found.reverse();
            for id in found.iter().filter_map(|line| line.event_id.as_ref()) {
                output::line(id.as_str());
            }
        }
        Format::Json => {
            let lines = newest(reader, &search, shape.limit)?;
            output::json(&lines)?;
            tell_fallen(reader, &search, &lines, shape.limit)?;
        }
        Format::Table => {
            let lines = newest(reader, &search, shape.limit)?;
            let mut rows: Vec<Vec<String>> = lines.iter().map(row).collect();
            let mut headings = HEADINGS.to_vec();
            if rows.iter().all(|row| row[TARGET].is_empty()) {
                headings.remove(TARGET);
                for row in &mut rows {
                    row.remove(TARGET);
                }
            }
            output::table(&headings, &rows);
            let is_all = u32::try_from(rows.len()).is_ok_and(|rows| rows < shape.limit);
            if let Some(let_go) = reader.beginning()?.let_go().filter(|_| is_all) {
                output::complain(&format!("the log begins here; {let_go}"));
            }
            tell_fallen(reader, &search, &lines, shape.limit)?;
        }
    }
    Ok(Exit::Done)
}

/// Says what would stand among these lines, or before them when there are fewer than `limit`, and is not kept any more.
pub(super) fn tell_fallen(
    reader: &Reader,
    search: &Search,
    lines: &[DeliverySummary],
    limit: u32,
) -> Result<(), StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let oldest = lines.last().map_or(DeliveryId(0), |line| line.id);
    let mut fallen = reader.fallen(search)?;
    fallen.retain(|fallen| lines.len() < limit || fallen.last > oldest);
    if let Some(words) = Fallen::words(&fallen) {
        output::complain(&words);
    }
    Ok(())
}

fn ids(reader: &Reader) -> Result<(), StoreError> {
    let mut out = BufWriter::new(io::stdout().lock());
    // A reader that has left (`| head`) wants no more.
    reader.event_ids(|id| match writeln!(out, "{id}") {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    })
}

/// Up to `limit` that fit, newest first, from anywhere in the log.
pub(super) fn newest(reader: &Reader, search: &Search, limit: u32) -> Result<Vec<DeliverySummary>, StoreError> {
    let (mut lines, mut before) = (vec![], None);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    while lines.len() < limit {
        let left = u32::try_from(limit - lines.len()).unwrap_or(PAGE).min(PAGE);
        let found = reader.search(search, before, left)?;
        lines.extend(found.deliveries);
        before = found.next;
        if before.is_none() {
            break;
        }
    }
    Ok(lines)
}

/// All that fit, newest first.
pub(super) fn all(reader: &Reader, search: &Search) -> Result<Vec<DeliverySummary>, StoreError> {
    newest(reader, search, u32::MAX)
}

/// Those that came in after `after`, oldest first.
pub(super) fn since(reader: &Reader, after: DeliveryId) -> Result<Vec<DeliverySummary>, StoreError> {
    let mut lines: Vec<DeliverySummary> = vec![];
    loop {
        let page = reader.recent(lines.last().map(|line| line.id), PAGE)?;
        let (read, kept) = (page.len(), lines.len());
        lines.extend(page.into_iter().take_while(|line| line.id > after));
        if lines.len() - kept < read || read == 0 {
            lines.reverse();
            return Ok(lines);
        }
    }
}

fn row(line: &DeliverySummary) -> Vec<String> {
    vec![
        line.id.to_string(),
        line.at.to_string(),
        line.verdict.word().to_owned(),
        if line.status == 0 { "none".to_owned() } else { line.status.to_string() },
        line.account.as_ref().map(ToString::to_string).unwrap_or_default(),
        line.event_type.as_ref().map(ToString::to_string).unwrap_or_default(),
        line.incident.as_ref().map(|key| key.id.to_string()).unwrap_or_default(),
        line.target.as_ref().map(ToString::to_string).unwrap_or_default(),
        subject_or_reason(line).to_string(),
    ]
}

/// What an accepted delivery is about; of any other one, why it stands as it does.
fn subject_or_reason(line: &DeliverySummary) -> &Shown {
    line.subject.as_ref().filter(|_| line.verdict == Verdict::Accepted).unwrap_or(&line.reason)
}

/// One line for those who follow the log.
pub(super) fn sentence(line: &DeliverySummary) -> String {
    let mut words = row(line);
    words.extend(line.changed.as_ref().map(|changed| format!("({changed})")));
    words.retain(|word| !word.is_empty());
    words.join("  ")
}
