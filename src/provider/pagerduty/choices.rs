//! What there is to choose from for an action.

use serde_json::Value;

use super::{client::Api, naming::named, paging::List, wire};
use crate::{
    core::{
        action::{Field, FieldKind},
        choices::{Choices, ChoicesOf},
        id::{FieldId, IncidentId, WorkflowId},
        incident::Named,
        text::Shown,
    },
    provider::ProviderError,
};

/// Enough to choose from by typing a part of the name.
const MOST: usize = 1000;

pub(super) async fn fetch(api: &Api, of: &ChoicesOf) -> Result<Choices, ProviderError> {
    Ok(match of {
        ChoicesOf::Priorities => Choices::Priorities(names(rows(api, &["priorities"], "priorities").await?)),
        ChoicesOf::Services => Choices::Services(names(rows(api, &["services"], "services").await?)),
        ChoicesOf::Workflows => {
            let rows = rows(api, &["incident_workflows"], "incident_workflows").await?;
            Choices::Workflows(rows.into_iter().filter_map(workflow).collect())
        }
        ChoicesOf::Fields(id) => Choices::Fields(fields(api, id).await?),
        ChoicesOf::Alerts(id) => {
            let mut rows = rows(api, &["incidents", id.as_str(), "alerts"], "alerts").await?;
            rows.retain(|row| row.get("status").and_then(Value::as_str) != Some("resolved"));
            Choices::Alerts(names(rows))
        }
    })
}

async fn rows(api: &Api, path: &[&str], key: &str) -> Result<Vec<Value>, ProviderError> {
    Ok(api.list(&List::first(MOST, path, key, &[])).await?.rows)
}

/// What has no usable id cannot be chosen.
fn names<Id: std::str::FromStr>(rows: Vec<Value>) -> Vec<Named<Id>> {
    rows.into_iter().filter_map(|row| named(serde_json::from_value::<wire::Reference>(row).ok())).collect()
}

/// `None`: switched off, or without a usable id.
fn workflow(row: Value) -> Option<(Named<WorkflowId>, Shown)> {
    if row.get("is_enabled").and_then(Value::as_bool) == Some(false) {
        return None;
    }
    let about = Shown::line(row.get("description").and_then(Value::as_str).unwrap_or_default());
    let reference: wire::Reference = serde_json::from_value(row).ok()?;
    let name = reference.name.clone().or(reference.summary.clone());
    Some((named(Some(wire::Reference { summary: name, ..reference }))?, about))
}

/// The custom fields of an incident, with their values.
pub(super) async fn fields(api: &Api, id: &IncidentId) -> Result<Vec<Field>, ProviderError> {
    let answer = api.get(&["incidents", id.as_str(), "custom_fields", "values"], &[]).await?.json;
    let Some(rows) = answer.get("custom_fields").and_then(Value::as_array) else {
        return Err(ProviderError::Unreadable {
            cause: "the list `custom_fields` is missing in the answer".to_owned(),
        });
    };
    Ok(rows.iter().filter_map(field).collect())
}

fn field(row: &Value) -> Option<Field> {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    let name = text("display_name").or(text("name"))?;
    let several = text("field_type").is_some_and(|kind| kind.starts_with("multi_value"));
    let kind = match text("data_type") {
        _ if several => FieldKind::List,
        Some("integer") => FieldKind::Integer,
        Some("float") => FieldKind::Number,
        Some("boolean") => FieldKind::Boolean,
        _ => FieldKind::Text,
    };
    let value = row.get("value").map(words).unwrap_or_default();
    Some(Field { id: FieldId::new(text("id")?).ok()?, name: Shown::line(name), kind, value: Shown::line(&value) })
}

/// Whether the field holds this value, however it was typed.
pub(super) fn is_value(field: &Field, value: &Value) -> bool {
    let held = field.value.as_str();
    match (field.kind, value.as_f64()) {
        (FieldKind::Number, Some(number)) => held.parse::<f64>().is_ok_and(|held| held.total_cmp(&number).is_eq()),
        _ => held == Shown::line(&words(value)).as_str(),
    }
}

/// A value as it would be typed.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_the_same_however_it_was_typed() {
        let held = |kind, value: &str| Field {
            id: FieldId::new("F1").expect("id"),
            name: "x".into(),
            kind,
            value: value.into(),
        };

        assert!(is_value(&held(FieldKind::List, "a, b"), &json!(["a", "b"])));
        assert!(is_value(&held(FieldKind::Number, "7"), &json!(7.0)));
        assert!(is_value(&held(FieldKind::Text, ""), &Value::Null));
        assert!(!is_value(&held(FieldKind::Number, "8"), &json!(7.0)));
        assert!(!is_value(&held(FieldKind::List, "a"), &json!(["a", "b"])));
    }
}
