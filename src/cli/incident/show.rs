//! `dogwatch incident show`: everything that is known and can be asked for about one incident.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{Client, CommandOutcome, Exit, as_json, find, names, next, output, trusted, urgency};
use crate::{
    core::{
        context::{Context, Part, Similar},
        detail::{Alert, Detail, Note, Tree},
        id::IncidentKey,
        incident::Incident,
        runbook::Runbook,
        text::{Shown, ShownBody},
        words::{ago, ahead, moment, since},
    },
    proto::{Answer, Request},
};

/// Columns of what is laid out for a width: it is read in a terminal, or through a pipe.
const WIDTH: usize = 100;

pub(super) async fn run(client: &mut Client, text: &str, brief: bool, json: bool) -> CommandOutcome {
    let key = find::find(client, text)?;
    let detail = find::detail(client, &key).await?;
    let incident = client.board.incidents.get(&key).cloned();
    let context = if brief || detail.is_none() { None } else { context(client, &key).await };
    if incident.is_none() {
        output::complain(&format!("{key} is not among the incidents that are kept: how it stands is not known"));
    }
    if json {
        let incident = incident.as_ref().map(|incident| {
            let mut value = as_json(client, incident);
            value["acknowledged"] = json!(incident.extra().map(|extra| &extra.acknowledged));
            value["pending"] = json!(incident.extra().map(|extra| &extra.pending));
            value["merged_into"] = json!(incident.extra().map(|extra| &extra.merged_into));
            value
        });
        output::json(&json!({ "incident": incident, "detail": detail, "context": context }))?;
    } else {
        print(client, incident.as_ref(), detail.as_ref(), context.as_ref());
    }
    let Some(detail) = detail else { return Ok(Exit::Stale) };
    for missing in &detail.missing {
        output::complain(missing.as_str());
    }
    let failures = context.as_ref().map(Context::failures).unwrap_or_default();
    for (part, why) in &failures {
        output::complain(&format!("{part}: {why}"));
    }
    let whole = detail.missing.is_empty() && incident.is_some() && failures.is_empty() && (brief || context.is_some());
    let trusted = trusted(client);
    Ok(if whole { trusted } else { Exit::Partly })
}

async fn context(client: &mut Client, key: &IncidentKey) -> Option<Context> {
    match client.ask(Request::Context { key: key.clone() }).await {
        Ok(Answer::Context { context }) => Some(*context),
        Ok(_) => None,
        Err(failure) => {
            output::complain(&format!("what lies around it could not be asked for: {failure}"));
            None
        }
    }
}

fn print(client: &Client, incident: Option<&Incident>, detail: Option<&Detail>, context: Option<&Context>) {
    if let Some(incident) = incident {
        print_state(client, incident);
    }
    if let Some(detail) = detail {
        print_detail(detail, context);
    }
    if let Some(context) = context {
        print_context(context);
    }
    if let Some(detail) = detail {
        print_timeline(detail);
    }
}

fn print_state(client: &Client, incident: &Incident) {
    let state = &incident.state;
    let number = state.number.map(|number| format!("#{number}  ")).unwrap_or_default();
    output::line(&format!("{number}{}  {}", incident.key, incident.headline()));
    output::line(&format!("{}, {} urgency, since {}", state.status.word(), urgency(state.urgency), state.created_at));
    if let Some(service) = &state.service {
        output::line(&format!("service   {}", service.name));
    }
    if let Some(policy) = &state.escalation_policy {
        output::line(&format!("policy    {}", policy.name));
    }
    output::line(&format!("assigned  {}", names(&state.assignees)));
    if let Some(words) = next::words(client, incident) {
        output::line(&format!("next      {words}"));
    }
    let theirs = client.board.provider_time(&incident.key.account, Timestamp::now());
    if let Some(into) = client.board.merged_into(incident) {
        output::line(&format!("merged    into {into}"));
    }
    if let Some(extra) = incident.extra() {
        for (at, who) in &extra.acknowledged {
            output::line(&format!("acked     {} by {who} ({at})", ago(since(*at, theirs))));
        }
        for pending in &extra.pending {
            let left = ahead(pending.at.duration_since(theirs));
            output::line(&format!("will      {} {left} ({})", pending.what, pending.at));
        }
    }
    if let Some(url) = &state.url {
        output::line(&format!("link      {url}"));
    }
}

fn print_detail(detail: &Detail, context: Option<&Context>) {
    if let Some(bridge) = &detail.bridge {
        for part in bridge.number.iter().chain(&bridge.url) {
            output::line(&format!("bridge    {part}"));
        }
    }
    let more = context.iter().flat_map(|context| &context.runbooks).filter(|one| !detail.runbooks.contains(one));
    for Runbook { url, from } in detail.runbooks.iter().chain(more) {
        output::line(&format!("runbook   {url} ({from})"));
    }
    for line in detail.description.iter().flat_map(ShownBody::lines) {
        output::line(&format!("  {line}"));
    }
    for alert in &detail.alerts {
        print_alert(alert);
    }
    for note in &detail.notes {
        output::line("");
        print_note(0, note);
    }
}

fn print_alert(alert: &Alert) {
    let id = alert.id.as_ref().map(|id| format!("  {id}")).unwrap_or_default();
    output::line(&format!("\nalert     {} ({}){id}", alert.summary, alert.status));
    if let Some(gist) = &alert.gist {
        let facts = gist.facts.iter().map(|(name, text)| (name.clone(), Tree::Text(text.clone())));
        print_tree(2, &Tree::Fields(facts.collect()));
    }
    for link in &alert.links {
        output::line(&format!("  {}", link.words()));
    }
    match (&alert.gist, &alert.details) {
        (Some(gist), Some(details)) => {
            output::line(&format!("  all that {} sent:", gist.sender));
            print_tree(4, details);
        }
        (None, Some(details)) => print_tree(2, details),
        (_, None) => {}
    }
}

fn print_tree(indent: usize, tree: &Tree) {
    for line in tree.lines(WIDTH - indent) {
        output::line(format!("{:indent$}{}{}", "", line.name, line.text).trim_end());
    }
}

fn print_note(indent: usize, note: &Note) {
    let inside = format!("\n{:indent$}  ", "");
    output::line(&format!("{:indent$}note      {} {}", "", note.at, note.author));
    output::line(&format!("{:indent$}  {}", "", note.content.as_str().replace('\n', &inside)));
}

fn print_timeline(detail: &Detail) {
    output::line("");
    for entry in &detail.timeline {
        output::line(&format!("{}  {}", entry.at, entry.summary));
    }
}

/// What the account's plan does not have is left out.
fn print_context(context: &Context) {
    if let Part::Told(Some(outlier)) = &context.outlier {
        let often = outlier.count.map(|count| format!(", {count} times")).unwrap_or_default();
        let since = outlier.since.map(|since| format!(" since {since}")).unwrap_or_default();
        output::line(&format!("\nusual     {}{often}{since}", outlier.category));
    }
    for change in context.changes.told().into_iter().flatten() {
        let at = change.at.map(|at| format!("{at} ")).unwrap_or_default();
        let why = change.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        output::line(&format!("\nchange    {at}{}{why}", change.summary));
        if let Some(details) = &change.details {
            print_tree(2, details);
        }
        for link in &change.links {
            output::line(&format!("  {}", link.words()));
        }
    }
    for impact in context.impacts.told().into_iter().flatten() {
        output::line(&format!("\nbusiness  {}: {}", impact.name, impact.status));
    }
    for (name, part) in [("related", &context.related), ("past", &context.past)] {
        for one in part.told().into_iter().flatten() {
            print_similar(name, one);
        }
    }
}

fn print_similar(name: &str, one: &Similar) {
    let number = one.number.map_or_else(|| one.id.to_string(), |number| format!("#{number}"));
    let why: Vec<&str> = one.why.iter().map(Shown::as_str).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    let at = one.created_at.map(|at| format!("{} ", moment(at, Timestamp::now(), &TimeZone::UTC))).unwrap_or_default();
    output::line(&format!("\n{name:<9} {at}{number} {}{why}", one.title));
    if let Some(course) = &one.course {
        let by = course.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let at = course.at.map(|at| format!(" at {at}")).unwrap_or_default();
        output::line(&format!("  {}{by}{at}", course.status.word()));
        for note in &course.notes {
            print_note(2, note);
        }
    }
    if let Some(failed) = &one.course_failed {
        output::line(&format!("  how it went could not be asked for: {failed}"));
    }
}
