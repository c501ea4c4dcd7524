//! What lies around an incident. Each part is a question of its own, several of them in plans that not every account has:
//! what is not offered is no failure.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    client::Api,
    detail::{links, note, notes, objects},
    incidents::incident_id,
    naming::shown_url,
    wire,
};
use crate::{
    core::{
        context::{ChangeEvent, Context, Course, Impact, Outlier, Part, Service, Similar},
        detail::{Note, Tree},
        id::{IncidentId, IncidentKey, ServiceId},
        incident::Status,
        text::{Shown, ShownBody},
    },
    provider::ProviderError,
};

/// Of how many past, and of how many related incidents more is asked for: two requests each.
const COURSES: usize = 3;
/// Requests for those at the same time.
const AT_ONCE: usize = 4;
/// Past incidents and changes that are asked for.
const MOST: usize = 5;
/// Related ones that are shown; `PagerDuty` tells up to 20.
const MOST_RELATED: usize = 10;

pub(super) async fn fetch(
    api: &Api,
    key: IncidentKey,
    service: Option<&ServiceId>,
    now: Timestamp,
) -> Result<Context, ProviderError> {
    let id = &key.id;
    let (outlier, changes, impacts, related, past, service) = tokio::join!(
        outlier(api, id),
        changes(api, id, service),
        impacts(api, id),
        related(api, id),
        past(api, id),
        described(api, service),
    );
    let failures = [
        outlier.as_ref().err(),
        changes.as_ref().err(),
        impacts.as_ref().err(),
        related.as_ref().err(),
        past.as_ref().err(),
        service.as_ref().err(),
    ];
    let failed = |error: &&ProviderError| !is_not_offered(error);
    if let Some(error) = failures.iter().flatten().find(|error| failed(error))
        && failures.iter().all(|failure| failure.as_ref().is_some_and(failed))
    {
        return Err((*error).clone());
    }
    Ok(Context {
        outlier: part(outlier),
        changes: part(changes),
        impacts: part(impacts),
        related: part(related),
        past: part(past),
        service: part(service),
        ..Context::nothing(key, now)
    })
}

/// 402, 403 and 404: the plan, the key or the account does not have it.
fn is_not_offered(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Forbidden { .. } | ProviderError::NotFound { .. })
}

fn part<T>(answer: Result<T, ProviderError>) -> Part<T> {
    match answer {
        Ok(told) => Part::Told(told),
        Err(error) if is_not_offered(&error) => Part::NotOffered,
        Err(error) => Part::Failed(error.shown()),
    }
}

/// The rows under `name` of what is at `path`.
async fn rows(api: &Api, path: &[&str], query: &[(&str, String)], name: &str) -> Result<Vec<Value>, ProviderError> {
    let mut answer = api.get(path, query).await?.json;
    match answer.get_mut(name).map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        Some(Value::Null) | None if answer.is_object() => Ok(vec![]),
        _ => Err(ProviderError::Unreadable { cause: format!("the list `{name}` is missing in the answer") }),
    }
}

async fn past(api: &Api, id: &IncidentId) -> Result<Vec<Similar>, ProviderError> {
    let query = [("limit", MOST.to_string())];
    let rows = rows(api, &["incidents", id.as_str(), "past_incidents"], &query, "past_incidents").await?;
    Ok(with_courses(api, similar(rows, MOST)).await)
}

async fn related(api: &Api, id: &IncidentId) -> Result<Vec<Similar>, ProviderError> {
    let query = [("additional_details[]", "incident".to_owned())];
    let rows = rows(api, &["incidents", id.as_str(), "related_incidents"], &query, "related_incidents").await?;
    Ok(with_courses(api, similar(rows, MOST_RELATED)).await)
}

fn similar(rows: Vec<Value>, most: usize) -> Vec<Similar> {
    let read = |wire: wire::Similar| {
        let incident = wire.incident?;
        Some(Similar {
            id: incident_id(incident.id.as_deref())?,
            number: incident.number,
            title: Shown::line(incident.title.or(incident.summary).as_deref().unwrap_or("(no title)")),
            created_at: incident.created_at,
            score: score(&wire.score),
            why: wire.relationships.iter().filter_map(relation).collect(),
            url: shown_url(incident.html_url.as_deref()),
            course: None,
            course_failed: None,
        })
    };
    objects(rows).into_iter().filter_map(read).take(most).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the largest number")]
fn score(value: &Value) -> Option<i64> {
    value.as_f64().map(|score| score.round() as i64)
}

/// `similar contents`, `service dependency`.
fn relation(wire: &wire::Relationship) -> Option<Shown> {
    let kind = wire.kind.as_deref()?;
    let word = match kind {
        "machine_learning_inferred" => wire.metadata.get("grouping_classification").and_then(Value::as_str),
        _ => None,
    };
    Some(Shown::line(&word.unwrap_or(kind).replace('_', " ")))
}

/// How the first of them went.
async fn with_courses(api: &Api, mut similar: Vec<Similar>) -> Vec<Similar> {
    let ids: Vec<IncidentId> = similar.iter().take(COURSES).map(|one| one.id.clone()).collect();
    let courses = stream::iter(ids).map(|id| async move { course(api, &id).await }).buffered(AT_ONCE.div_ceil(2));
    let courses: Vec<_> = courses.collect().await;
    for (one, course) in similar.iter_mut().zip(courses) {
        match course {
            Ok((incident, course)) => {
                one.number = one.number.or(incident.number);
                one.url = one.url.take().or_else(|| shown_url(incident.html_url.as_deref()));
                one.course = Some(course);
            }
            Err(error) => one.course_failed = Some(error.shown()),
        }
    }
    similar
}

async fn course(api: &Api, id: &IncidentId) -> Result<(wire::Incident, Course), ProviderError> {
    let path = ["incidents", id.as_str()];
    let (incident, notes) = tokio::join!(api.get(&path, &[]), notes(api, id));
    let mut answer = incident?.json;
    let incident = answer.get_mut("incident").map(Value::take).unwrap_or_default();
    let wire: wire::Incident = serde_json::from_value(incident).unwrap_or_default();
    let status = match wire.status.as_deref() {
        Some("resolved") => Status::Resolved,
        Some("acknowledged") => Status::Acknowledged,
        Some("triggered") => Status::Triggered,
        _ => return Err(ProviderError::Unreadable { cause: format!("incident {id} has no known status") }),
    };
    let by = wire.last_status_change_by.as_ref().and_then(|who| who.summary.as_deref().or(who.name.as_deref()));
    let mut notes: Vec<Note> = notes?.0.into_iter().filter_map(note).collect();
    notes.sort_by_key(|note| std::cmp::Reverse(note.at));
    let course = Course { status, by: by.map(Shown::line), at: wire.last_status_change_at, notes };
    Ok((wire, course))
}

async fn outlier(api: &Api, id: &IncidentId) -> Result<Option<Outlier>, ProviderError> {
    let query = [("additional_details[]", "incident".to_owned())];
    let mut answer = api.get(&["incidents", id.as_str(), "outlier_incident"], &query).await?.json;
    let wire = answer.get_mut("outlier_incident").map(Value::take).unwrap_or_default();
    let wire: wire::Outlier = serde_json::from_value(wire).unwrap_or_default();
    let Some(occurrence) = wire.incident.and_then(|incident| incident.occurrence) else { return Ok(None) };
    let pattern = wire.incident_template.and_then(|template| template.mined_text);
    Ok(occurrence.category.map(|category| Outlier {
        category: Shown::line(&category),
        count: occurrence.count,
        since: occurrence.since,
        until: occurrence.until,
        pattern: pattern.as_deref().map(Shown::line),
    }))
}

/// Those that `PagerDuty` thinks have to do with it; where it does not think, the newest of the service.
async fn changes(api: &Api, id: &IncidentId, service: Option<&ServiceId>) -> Result<Vec<ChangeEvent>, ProviderError> {
    let query = [("limit", MOST.to_string())];
    let related = rows(api, &["incidents", id.as_str(), "related_change_events"], &query, "change_events").await;
    let rows = match (related, service) {
        (Ok(rows), None) => rows,
        (Ok(rows), Some(_)) if !rows.is_empty() => rows,
        (Ok(_), Some(service)) => of_service(api, service, &query).await?,
        (Err(error), Some(service)) if is_not_offered(&error) => of_service(api, service, &query).await?,
        (Err(error), _) => return Err(error),
    };
    let mut changes: Vec<ChangeEvent> = objects(rows).into_iter().map(change).take(MOST).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    Ok(changes)
}

async fn of_service(api: &Api, service: &ServiceId, query: &[(&str, String)]) -> Result<Vec<Value>, ProviderError> {
    rows(api, &["services", service.as_str(), "change_events"], query, "change_events").await
}

fn change(wire: wire::ChangeEvent) -> ChangeEvent {
    let why = wire.correlation_reason.and_then(|why| why.reason);
    ChangeEvent {
        at: wire.timestamp,
        summary: Shown::line(wire.summary.as_deref().unwrap_or("(no summary)")),
        source: wire.source.as_deref().map(Shown::line),
        why: why.map(|why| Shown::line(&why.replace('_', " "))),
        details: Tree::of(&wire.custom_details),
        links: links(wire.links.into_iter().chain(wire.images).collect()),
    }
}

async fn impacts(api: &Api, id: &IncidentId) -> Result<Vec<Impact>, ProviderError> {
    let path = ["incidents", id.as_str(), "business_services", "impacts"];
    let rows = rows(api, &path, &[], "services").await?;
    let read = |wire: wire::Service| {
        Some(Impact {
            name: Shown::line(wire.name.or(wire.summary).or(wire.id).as_deref()?),
            status: Shown::line(wire.status.as_deref().unwrap_or("unknown")),
        })
    };
    Ok(objects(rows).into_iter().filter_map(read).collect())
}

async fn described(api: &Api, service: Option<&ServiceId>) -> Result<Option<Service>, ProviderError> {
    let Some(service) = service else { return Ok(None) };
    let mut answer = api.get(&["services", service.as_str()], &[]).await?.json;
    let wire = answer.get_mut("service").map(Value::take).unwrap_or_default();
    let wire: wire::Service = serde_json::from_value(wire).unwrap_or_default();
    Ok(Some(Service {
        name: Shown::line(wire.name.or(wire.summary).as_deref().unwrap_or(service.as_str())),
        description: ShownBody::new(wire.description.as_deref().unwrap_or_default()),
        url: shown_url(wire.html_url.as_deref()),
    }))
}
