//! Schedules and services of an account behind the trait [`Rota`]. What a schedule's kind is, nobody outside sees.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{PagerDuty, lenient, naming::named, oncall, overrides, paging::List, services, shift_based, wire};
use crate::{
    core::{
        arrangement::Cover,
        id::{OverrideId, ScheduleId, ServiceId, UserId, WindowId},
        incident::Named,
        load::Page,
        oncall::{OnCall, Schedule},
        rota::Override,
        service::{Service, Window},
        span::Span,
        text::Shown,
    },
    provider::{Added, ProviderError, Removed, Rota},
};

/// One call to one person, by whichever way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Notification {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    started_at: Option<Timestamp>,
    user: Value,
}

/// `None` for e-mail, and for what names no person or no time.
fn page(row: Value) -> Option<Page> {
    let wire: Notification = serde_json::from_value(row).ok()?;
    if wire.kind.as_deref().is_some_and(|kind| kind.starts_with("email")) {
        return None;
    }
    let zone = wire.user.get("time_zone").and_then(Value::as_str).map(Shown::line);
    let user = named(serde_json::from_value(wire.user).ok())?;
    Some(Page { user, at: wire.started_at?, zone })
}

#[async_trait]
impl Rota for PagerDuty {
    async fn duties(&self, user: &UserId, span: Span) -> Result<Vec<OnCall>, ProviderError> {
        let query = [
            ("user_ids[]", user.as_str().to_owned()),
            ("since", wire::time(span.from)),
            ("until", wire::time(span.to)),
            ("time_zone", "UTC".to_owned()),
        ];
        let rows = self.api.list(&List::all(&["oncalls"], "oncalls", &query)).await?.rows;
        let mut all =
            rows.into_iter().filter_map(|row| oncall::on_call(row).transpose()).collect::<Result<Vec<_>, _>>()?;
        all.sort();
        all.dedup();
        Ok(all)
    }

    async fn shifts(&self, schedule: &Named<ScheduleId>, span: Span) -> Result<Schedule, ProviderError> {
        match oncall::single(&self.api, schedule.clone(), span.into()).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(ProviderError::NotFound { what: format!("schedule {}", schedule.id) }),
            Err(error) if overrides::is_other_kind(&error) => {
                shift_based::single(&self.api, schedule.clone(), span.into()).await
            }
            Err(error) => Err(error),
        }
    }

    async fn overrides(&self, schedule: &ScheduleId, span: Span) -> Result<Vec<Override>, ProviderError> {
        overrides::list(&self.api, schedule, span).await
    }

    async fn add_overrides(&self, schedule: &ScheduleId, covers: &[Cover]) -> Result<Vec<Added>, ProviderError> {
        overrides::add(&self.api, schedule, covers).await
    }

    async fn remove_override(&self, schedule: &ScheduleId, id: &OverrideId) -> Result<Removed, ProviderError> {
        overrides::remove(&self.api, schedule, id).await
    }

    async fn pages(&self, span: Span) -> Result<Vec<Page>, ProviderError> {
        let query = [
            ("since", wire::time(span.from)),
            ("until", wire::time(span.to)),
            ("time_zone", "UTC".to_owned()),
            ("include[]", "users".to_owned()),
        ];
        let rows = self.api.list(&List::all(&["notifications"], "notifications", &query)).await?.rows;
        Ok(rows.into_iter().filter_map(page).collect())
    }

    async fn services(&self) -> Result<Vec<Service>, ProviderError> {
        services::list(&self.api).await
    }

    async fn windows(&self) -> Result<Vec<Window>, ProviderError> {
        services::windows(&self.api).await
    }

    async fn start_maintenance(
        &self,
        services: &[Named<ServiceId>],
        span: Span,
        description: &str,
    ) -> Result<Window, ProviderError> {
        services::start(&self.api, services, span, description).await
    }

    async fn end_maintenance(&self, id: &WindowId) -> Result<Removed, ProviderError> {
        services::end(&self.api, id).await
    }
}
