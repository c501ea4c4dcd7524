//! Files of template cases: what they hold is rendered one by one, to be compared with another renderer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::render::Job;

/// A file of cases, with payloads that several of them share.
#[derive(Debug, Deserialize)]
pub struct Cases {
    #[serde(default)]
    payloads: BTreeMap<String, Value>,
    pub cases: Vec<Case>,
}

/// One template with its context.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub id: String,
    template: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    /// The name of a shared payload.
    #[serde(default)]
    data_ref: Option<String>,
    /// JSON as text, for numbers that JSON libraries change.
    #[serde(default)]
    data_text: Option<String>,
    #[serde(default)]
    partials: BTreeMap<String, Value>,
    #[serde(default)]
    private: Option<Value>,
    #[serde(default)]
    now: Option<Timestamp>,
}

impl Cases {
    /// What is to be rendered for `case`; it sees the time `now` unless it has one of its own.
    pub fn job(&self, case: &Case, now: Option<Timestamp>) -> Result<Job, String> {
        let shared = |name: &String| {
            self.payloads.get(name).map(Value::to_string).ok_or_else(|| format!("there is no payload `{name}`"))
        };
        let own = || case.data.as_ref().map(|data| data.get().to_owned()).unwrap_or_default();
        let context = match (&case.data_text, &case.data_ref) {
            (Some(text), _) => text.clone(),
            (None, Some(name)) => shared(name)?,
            (None, None) => own(),
        };
        let partial = |(name, text): (&String, &Value)| Some((name.clone(), text.as_str()?.to_owned()));
        Ok(Job {
            text: case.template.clone(),
            context,
            partials: case.partials.iter().filter_map(partial).collect(),
            private: case.private.as_ref().map(Value::to_string).unwrap_or_default(),
            now: case.now.or(now),
        })
    }
}
