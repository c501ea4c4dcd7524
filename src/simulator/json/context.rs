//! What lies around an incident, as an account with every plan is told it. Likeness is that of titles without their numbers and
//! hosts; the changes and the businesses are invented, the same ones whenever they are asked for.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        clock,
        world::{Incident, IncidentIx, ServiceIx, World, slug},
    },
    API,
};
use crate::core::incident::Status;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Incidents that begin together have to do with one another.
const TOGETHER: i64 = 2 * HOUR;
/// As documented.
const MOST_RELATED: usize = 20;

/// The words of a title that do not differ from one time to the next.
fn stem(title: &str) -> Vec<&str> {
    let is_word = |word: &&str| word.len() > 2 && word.chars().all(char::is_alphabetic);
    title.split(|c: char| c.is_whitespace() || matches!(c, '"' | ':' | '-')).filter(is_word).collect()
}

fn age(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

fn brief(incident: &Incident) -> Value {
    json!({
        "id": incident.id,
        "created_at": clock::rest(incident.created_at),
        "self": format!("{API}/incidents/{}", incident.id),
        "title": incident.title,
    })
}

impl World {
    /// Those of the same service that began earlier, the likest first.
    fn earlier(&self, ix: IncidentIx) -> Vec<(f64, &Incident)> {
        let this = self.incident(ix);
        let words = stem(&this.title);
        let before = |other: &&Incident| other.service == this.service && other.created_at < this.created_at;
        let scored = |other: &Incident| {
            let same = stem(&other.title) == words;
            let days = f64::from(u16::try_from(age(other.created_at, this.created_at) / DAY).unwrap_or(u16::MAX));
            (if same { 60.0 } else { 20.0 }) / (1.0 + days / 30.0)
        };
        let mut found: Vec<(f64, &Incident)> = self
            .incidents()
            .map(|(_, other)| other)
            .filter(before)
            .filter(|other| other.status == Status::Resolved)
            .map(|other| (scored(other), other))
            .collect();
        found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        found
    }

    pub(crate) fn past_json(&self, ix: IncidentIx, limit: usize) -> Value {
        let all = self.earlier(ix);
        let past: Vec<Value> =
            all.iter().take(limit).map(|(score, other)| json!({"incident": brief(other), "score": score})).collect();
        json!({"past_incidents": past, "total": all.len(), "limit": limit})
    }

    /// Those that are open and began at about the same time.
    pub(crate) fn related_json(&self, ix: IncidentIx) -> Value {
        let this = self.incident(ix);
        let words = stem(&this.title);
        let near = |other: &IncidentIx| {
            *other != ix && age(this.created_at, self.incident(*other).created_at).abs() < TOGETHER
        };
        let related: Vec<Value> = self
            .open()
            .filter(near)
            .take(MOST_RELATED)
            .map(|other| {
                let other = self.incident(other);
                let like = stem(&other.title) == words;
                let reason = if like { similar_contents() } else { self.dependency(this.service, other.service) };
                json!({"incident": brief(other), "relationships": [reason]})
            })
            .collect();
        json!({"related_incidents": related})
    }

    fn dependency(&self, on: ServiceIx, of: ServiceIx) -> Value {
        let reference = |ix: ServiceIx| {
            let service = self.account.service(ix);
            json!({"id": service.id, "type": "technical_service_reference", "self": format!("{API}/services/{}", service.id)})
        };
        json!({
            "type": "service_dependency",
            "metadata": {"dependent_services": reference(on), "supporting_services": reference(of)},
        })
    }

    pub(crate) fn outlier_json(&self, ix: IncidentIx) -> Value {
        let this = self.incident(ix);
        let words = stem(&this.title);
        let since = clock::after(this.created_at, -120 * DAY);
        let all = self.incidents().filter(|(_, other)| other.created_at <= this.created_at).count().max(1);
        let like = self.incidents().filter(|(_, other)| other.service == this.service && stem(&other.title) == words);
        let count = like.filter(|(_, other)| other.created_at <= this.created_at).count();
        let category = match count {
            0..=1 => "anomaly",
            2..=4 => "rare",
            _ => "frequent",
        };
        let share =
            f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(u32::try_from(all).unwrap_or(u32::MAX));
        let occurrence = json!({
            "count": count, "frequency": share, "category": category,
            "since": clock::rest(since), "until": clock::rest(this.created_at),
        });
        let mut incident = brief(this);
        incident["occurrence"] = occurrence;
        json!({"outlier_incident": {
            "incident": incident,
            "incident_template": {"id": "PTEMPLA", "cluster_id": "PCLUSTR", "mined_text": words.join(" ") + " <*>"},
        }})
    }

    /// A deployment shortly before, and a change of settings some hours earlier.
    pub(crate) fn changes_json(&self, service: ServiceIx, before: Timestamp, limit: usize, of: Of) -> Vec<Value> {
        let name = slug(self.account.service(service).name);
        let build = before.as_second() / HOUR % 1000;
        let id = &self.account.service(service).id;
        let change = |ago: i64, summary: String, source: &str, details: Value, reason: &str| {
            let mut change = json!({
                "summary": summary,
                "id": format!("01CHANGE{id}{build:03}{}", ago / MINUTE),
                "timestamp": clock::rest(clock::after(before, -ago)),
                "type": "change_event",
                "source": source,
                "integration": self.account.integration_ref(service),
                "services": [self.account.service_ref(service)],
                "custom_details": details,
                "links": [{"href": format!("https://deploy.example.com/{name}/{build}"), "text": "Details"}],
            });
            if of == Of::Incident {
                change["correlation_reason"] = json!({"reason": reason});
            }
            change
        };
        let both = vec![
            change(
                7 * MINUTE,
                format!("Deployed {name} 4.{build}.0 to production"),
                "deploy-pipeline",
                json!({"build": build, "by": "release bot", "commits": ["Retry lost connections", "Raise the pool to 64"]}),
                "most_recent",
            ),
            change(
                5 * HOUR,
                format!("Feature flag new-retry switched on for {name}"),
                "feature-flags",
                json!({"flag": "new-retry", "share": "100 %"}),
                "related_service",
            ),
        ];
        both.into_iter().take(limit).collect()
    }

    /// Loud incidents hurt the business of their team for as long as they are open.
    pub(crate) fn impacts_json(&self, ix: IncidentIx) -> Value {
        let this = self.incident(ix);
        let loud = this.urgency == crate::core::incident::Urgency::High;
        let status = if this.status.is_open() { "impacted" } else { "not_impacted" };
        let names: &[(&str, &str)] = match self.account.service(this.service).team.0 {
            _ if !loud => &[],
            0 => &[("PBZSHOP", "Online shop"), ("PBZMONY", "Payments for partners")],
            1 => &[("PBZSIGN", "Sign-in")],
            _ => &[("PBZREPT", "Reports for customers")],
        };
        let service =
            |(id, name): &(&str, &str)| json!({"id": id, "name": name, "type": "business_service", "status": status});
        json!({"limit": 100, "next_cursor": null, "services": names.iter().map(service).collect::<Vec<_>>()})
    }
}

/// Whose changes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Incident,
    Service,
}

fn similar_contents() -> Value {
    json!({
        "type": "machine_learning_inferred",
        "metadata": {
            "grouping_classification": "similar_contents",
            "user_feedback": {"positive_feedback_count": 12, "negative_feedback_count": 3}
        },
    })
}
