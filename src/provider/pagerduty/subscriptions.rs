//! Webhook subscriptions. None of these calls is anybody's action, so none carries `From`; a key may lack the right
//! to any of them. The signing secret is told once, in the answer to the creation.

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{PagerDuty, paging::List};
use crate::{
    core::{
        id::{ServiceId, SubscriptionId, TeamId},
        subscription::{Created, Filter, NewSubscription, State, Subscription},
        text::Shown,
    },
    provider::{ProviderError, Subscriptions},
};

const PATH: &str = "webhook_subscriptions";
/// What changes an incident's state, and what is shown beside it. There is no event for the rest: that is polled.
const EVENTS: &[&str] = &[
    "incident.triggered",
    "incident.acknowledged",
    "incident.unacknowledged",
    "incident.resolved",
    "incident.reopened",
    "incident.escalated",
    "incident.delegated",
    "incident.reassigned",
    "incident.priority_updated",
    "incident.service_updated",
    "incident.annotated",
];

#[async_trait]
impl Subscriptions for PagerDuty {
    fn needed_events(&self) -> &'static [&'static str] {
        EVENTS
    }

    async fn list(&self) -> Result<Vec<Subscription>, ProviderError> {
        let rows = self.api.list(&List::all(&[PATH], PATH, &[])).await?.rows;
        // One without id or address is of a kind that delivers otherwise than to us.
        Ok(rows.iter().filter_map(read).collect())
    }

    async fn create(&self, new: &NewSubscription) -> Result<Created, ProviderError> {
        let body = json!({ "webhook_subscription": {
            "type": "webhook_subscription",
            "description": new.description,
            "events": EVENTS,
            "filter": wire_filter(&new.filter)?,
            "delivery_method": { "type": "http_delivery_method", "url": new.url.expose_secret() },
        }});
        let answer = self.api.arrange(Method::POST, &[PATH], Some(body)).await?;
        let secret = answer.pointer("/webhook_subscription/delivery_method/secret").and_then(Value::as_str);
        let secret = secret.filter(|secret| !secret.is_empty()).map(SecretString::from);
        let lack = || unreadable("the secret of the new subscription is not in the answer: delete it, make another");
        Ok(Created { subscription: only(&answer)?, secret: secret.ok_or_else(lack)? })
    }

    async fn enable(&self, subscription: &Subscription) -> Result<Subscription, ProviderError> {
        let id = subscription.id.as_str();
        let answer = match subscription.state {
            State::Inactive => {
                let body = json!({ "webhook_subscription": { "active": true } });
                self.api.arrange(Method::PUT, &[PATH, id], Some(body)).await?
            }
            State::Active | State::Disabled => self.api.arrange(Method::POST, &[PATH, id, "enable"], None).await?,
        };
        only(&answer)
    }

    async fn delete(&self, id: &SubscriptionId) -> Result<(), ProviderError> {
        self.api.arrange(Method::DELETE, &[PATH, id.as_str()], None).await.map(|_| ())
    }

    async fn ping(&self, id: &SubscriptionId) -> Result<(), ProviderError> {
        self.api.arrange(Method::POST, &[PATH, id.as_str(), "ping"], None).await.map(|_| ())
    }
}

fn unreadable(cause: &str) -> ProviderError {
    ProviderError::Unreadable { cause: cause.to_owned() }
}

fn only(answer: &Value) -> Result<Subscription, ProviderError> {
    let found = answer.get("webhook_subscription").and_then(read);
    found.ok_or_else(|| unreadable("no webhook subscription in the answer"))
}

fn read(row: &Value) -> Option<Subscription> {
    let text = |path: &str| row.pointer(path).and_then(Value::as_str);
    let flag = |path: &str| row.pointer(path).and_then(Value::as_bool);
    let state = match (flag("/active"), flag("/delivery_method/temporarily_disabled")) {
        (Some(false), _) => State::Inactive,
        (_, Some(true)) => State::Disabled,
        (Some(true) | None, Some(false) | None) => State::Active,
    };
    let events = row.get("events").and_then(Value::as_array).into_iter().flatten();
    Some(Subscription {
        id: SubscriptionId::new(text("/id")?).ok()?,
        url: text("/delivery_method/url")?.into(),
        description: Shown::line(text("/description").unwrap_or_default()),
        state,
        filter: filter(text("/filter/type").unwrap_or("account_reference"), text("/filter/id")),
        events: events.filter_map(Value::as_str).map(Shown::line).collect(),
    })
}

fn filter(kind: &str, id: Option<&str>) -> Filter {
    let known = match kind {
        "account_reference" => Some(Filter::Account),
        "service_reference" => id.and_then(|id| ServiceId::new(id).ok()).map(Filter::Service),
        "team_reference" => id.and_then(|id| TeamId::new(id).ok()).map(Filter::Team),
        _ => None,
    };
    known.unwrap_or_else(|| Filter::Other(Shown::line(kind)))
}

fn wire_filter(filter: &Filter) -> Result<Value, ProviderError> {
    match filter {
        Filter::Account => Ok(json!({ "type": "account_reference" })),
        Filter::Service(id) => Ok(json!({ "type": "service_reference", "id": id.as_str() })),
        Filter::Team(id) => Ok(json!({ "type": "team_reference", "id": id.as_str() })),
        Filter::Other(kind) => Err(ProviderError::NotFound { what: format!("a filter `{kind}`") }),
    }
}
