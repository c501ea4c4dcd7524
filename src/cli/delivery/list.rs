//! Lines of the log, all or those that a query finds.

use std::ops::ControlFlow;

use super::{Format, Log, Output, Query};
use crate::{
    cli::{Failure, Outcome, output},
    core::{
        delivery::{DeliverySummary, Verdict},
        id::{DeliveryId, EventId},
        text::Shown,
    },
    store::{Fallen, Reader, Search, StoreError},
};

/// Deliveries read at a time.
pub(super) const PAGE: u32 = 500;

const HEADINGS: [&str; 9] =
    ["NUMBER", "TIME (UTC)", "VERDICT", "ANSWER", "ACCOUNT", "EVENT", "INCIDENT", "TARGET", "SUBJECT OR REASON"];
/// The place of the target in a row: left out where nothing went out.
const TARGET: usize = 7;

pub(super) async fn run(log: &mut Log, query: &Query, shape: &Output) -> Outcome {
    let format = if shape.json { Format::Json } else { shape.format };
    let unknown = log.unknown_number(query)?;
    let found = match format {
        Format::Ids => ids(log, query).await?,
        Format::Json => {
            let found = log.newest(query, shape.limit).await?;
            output::json(&found)?;
            log.tell_fallen(query, &found, shape.limit)?;
            found.len()
        }
        Format::Table => {
            let found = log.newest(query, shape.limit).await?;
            table(&found);
            log.tell_fallen(query, &found, shape.limit)?;
            let is_all = u32::try_from(found.len()).is_ok_and(|rows| rows < shape.limit);
            if is_all && let Some(let_go) = log.let_go().await? {
                output::complain(&format!("the log begins here; {let_go}"));
            }
            found.len()
        }
    };
    Ok(super::unless_unknown(unknown, found))
}

fn table(found: &[DeliverySummary]) {
    let mut rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let mut headings = HEADINGS.to_vec();
    if rows.iter().all(|row| row[TARGET].is_empty()) {
        headings.remove(TARGET);
        for row in &mut rows {
            row.remove(TARGET);
        }
    }
    output::table(&headings, &rows);
}

/// The ids of what was found, oldest first; returns how many.
async fn ids(log: &mut Log, query: &Query) -> Result<usize, Failure> {
    let mut out = output::Lines::new();
    let mut written = 0;
    let mut tell = |id: &EventId| {
        written += 1;
        if out.add(id.as_str()) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    match log {
        Log::Store(reader) if query.search(reader)? == Search::default() => reader.event_ids(tell)?,
        _ => {
            let found = log.event_ids(query).await?;
            let _ = found.iter().rev().try_for_each(&mut tell);
        }
    }
    out.flush();
    Ok(written)
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

/// Up to `limit` that fit, newest first, from anywhere in the log.
pub(super) fn newest(reader: &Reader, search: &Search, limit: u32) -> Result<Vec<DeliverySummary>, StoreError> {
    gather(reader, search, limit, Some)
}

/// What `pick` takes of each that fits, newest first.
pub(super) fn all<T>(
    reader: &Reader,
    search: &Search,
    pick: impl Fn(DeliverySummary) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    gather(reader, search, u32::MAX, pick)
}

fn gather<T>(
    reader: &Reader,
    search: &Search,
    limit: u32,
    pick: impl Fn(DeliverySummary) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let (mut picked, mut before, mut left) = (vec![], None, limit);
    while left > 0 {
        let found = reader.search(search, before, left.min(PAGE))?;
        left = left.saturating_sub(u32::try_from(found.deliveries.len()).unwrap_or(u32::MAX));
        picked.extend(found.deliveries.into_iter().filter_map(&pick));
        before = found.next;
        if before.is_none() {
            break;
        }
    }
    Ok(picked)
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
