//! Services and their maintenance windows.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{client::Api, lenient, naming::named, paging::List, wire};
use crate::{
    core::{
        id::{ServiceId, WindowId},
        incident::Named,
        service::{Service, Window},
        span::Span,
        text::Shown,
    },
    provider::{ProviderError, Removed},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireService {
    #[serde(deserialize_with = "lenient::text")]
    status: Option<String>,
    #[serde(deserialize_with = "lenient::part")]
    escalation_policy: Option<wire::Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireWindow {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    description: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    summary: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    start_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    end_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::list")]
    services: Vec<wire::Reference>,
    #[serde(deserialize_with = "lenient::part")]
    created_by: Option<wire::Reference>,
}

pub(super) async fn list(api: &Api) -> Result<Vec<Service>, ProviderError> {
    let rows = api.list(&List::all(&["services"], "services", &[])).await?.rows;
    let mut services = rows.into_iter().map(service).collect::<Result<Vec<_>, _>>()?;
    services.sort_by(|a, b| a.service.name.cmp(&b.service.name));
    Ok(services)
}

fn service(row: Value) -> Result<Service, ProviderError> {
    let lack = || ProviderError::Unreadable { cause: "a service without a usable id".to_owned() };
    let service = named(serde_json::from_value(row.clone()).ok()).ok_or_else(lack)?;
    let wire: WireService = serde_json::from_value(row).unwrap_or_default();
    let told = wire.status.unwrap_or_default();
    let policy = named(wire.escalation_policy);
    Ok(Service { service, disabled: told == "disabled", told: Shown::line(&told), policy })
}

/// Those that run or are to come.
pub(super) async fn windows(api: &Api) -> Result<Vec<Window>, ProviderError> {
    let query = [("filter", "open".to_owned())];
    let rows = api.list(&List::all(&["maintenance_windows"], "maintenance_windows", &query)).await?.rows;
    let mut windows: Vec<Window> = rows.into_iter().filter_map(window).collect();
    windows.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    Ok(windows)
}

fn window(row: Value) -> Option<Window> {
    let wire: WireWindow = serde_json::from_value(row).ok()?;
    let label = |one: wire::Reference| one.summary.or(one.name).map(|name| Shown::line(&name));
    Some(Window {
        id: wire.id?.parse().ok()?,
        start: wire.start_time?,
        end: wire.end_time?,
        description: Shown::line(&wire.description.or(wire.summary).unwrap_or_default()),
        services: wire.services.into_iter().filter_map(|one| named(Some(one))).collect(),
        created_by: wire.created_by.and_then(label),
    })
}

/// The answer is the window as it was made.
pub(super) async fn start(
    api: &Api,
    services: &[Named<ServiceId>],
    span: Span,
    description: &str,
) -> Result<Window, ProviderError> {
    let reference = |one: &Named<ServiceId>| json!({ "id": one.id.as_str(), "type": "service_reference" });
    let body = json!({ "maintenance_window": {
        "type": "maintenance_window",
        "start_time": wire::time(span.from),
        "end_time": wire::time(span.to),
        "description": description,
        "services": services.iter().map(reference).collect::<Vec<_>>(),
    } });
    let mut answer = api.post(&["maintenance_windows"], body).await?;
    let made = answer.get_mut("maintenance_window").map(Value::take).and_then(window);
    made.ok_or_else(|| ProviderError::Unreadable {
        cause: "no maintenance window in the answer to a new one".to_owned(),
    })
}

pub(super) async fn end(api: &Api, id: &WindowId) -> Result<Removed, ProviderError> {
    match api.delete(&["maintenance_windows", id.as_str()]).await {
        Ok(_) => Ok(Removed::Gone),
        Err(ProviderError::Refused { status: 405, .. }) => Ok(Removed::OverAlready),
        Err(error) => Err(error),
    }
}
