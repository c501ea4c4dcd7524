//! Actions on other things than incidents: overrides of schedules, and maintenance windows of services.
//!
//! They are actions like all others: written down before they are sent, each part with an outcome of its own, and
//! listed with who asked for them. Where those of incidents have an incident's key, these have one that names the
//! part ([`Arrangement::keys`]); no incident has such an id.

use serde::{Deserialize, Serialize};

use super::{
    id::{AccountName, IncidentId, IncidentKey, ScheduleId, ServiceId, UserId, WindowId},
    incident::Named,
    rota::Override,
    span::Span,
};

/// Somebody who is to have a schedule for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    pub user: Named<UserId>,
    pub span: Span,
    /// Whose shifts lie there, as the person saw it: when others have them by then, nothing is sent.
    pub replaces: Vec<Named<UserId>>,
}

/// What to arrange, at one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    AddOverrides { schedule: Named<ScheduleId>, covers: Vec<Cover> },
    RemoveOverrides { schedule: Named<ScheduleId>, overrides: Vec<Override> },
    StartMaintenance { services: Vec<Named<ServiceId>>, span: Span, description: String },
    EndMaintenance { windows: Vec<Named<WindowId>> },
}

/// Parts of one arrangement at most.
pub const MOST: usize = 50;

impl Arrangement {
    /// The word for it in prompts, commands and the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AddOverrides { .. } => "override",
            Self::RemoveOverrides { .. } => "remove override",
            Self::StartMaintenance { .. } => "start maintenance",
            Self::EndMaintenance { .. } => "end maintenance",
        }
    }

    /// How many parts it has; each ends for itself.
    pub fn parts(&self) -> usize {
        match self {
            Self::AddOverrides { covers, .. } => covers.len(),
            Self::RemoveOverrides { overrides, .. } => overrides.len(),
            Self::StartMaintenance { .. } => 1,
            Self::EndMaintenance { windows } => windows.len(),
        }
    }

    /// By what each part is known among the outcomes: `schedule:PSCHED1`, further ones `schedule:PSCHED1#2`.
    pub fn keys(&self, account: &AccountName) -> Vec<IncidentKey> {
        let key = |name: String| IncidentId::new(name).ok().map(|id| IncidentKey { account: account.clone(), id });
        let numbered = |name: &str, at: usize| if at == 0 { name.to_owned() } else { format!("{name}#{}", at + 1) };
        let names: Vec<String> = match self {
            Self::AddOverrides { schedule, covers } => {
                (0..covers.len()).map(|at| numbered(&format!("schedule:{}", schedule.id), at)).collect()
            }
            Self::RemoveOverrides { overrides, .. } => {
                overrides.iter().map(|known| format!("override:{}", known.id)).collect()
            }
            Self::StartMaintenance { services, .. } => {
                services.iter().take(1).map(|service| format!("service:{}", service.id)).collect()
            }
            Self::EndMaintenance { windows } => windows.iter().map(|window| format!("window:{}", window.id)).collect(),
        };
        names.into_iter().filter_map(key).collect()
    }

    /// What the part at `at` is about, for people: `Primary: Bob Okafor`, `Checkout and 2 more`.
    pub fn subject(&self, at: usize) -> String {
        match self {
            Self::AddOverrides { schedule, covers } => {
                let who = covers.get(at).map(|cover| format!(": {}", cover.user.name)).unwrap_or_default();
                format!("{}{who}", schedule.name)
            }
            Self::RemoveOverrides { schedule, overrides } => {
                let who = overrides.get(at).map(|known| format!(": {}", known.user.name)).unwrap_or_default();
                format!("{}{who}", schedule.name)
            }
            Self::StartMaintenance { services, .. } => match services.as_slice() {
                [] => String::new(),
                [one] => one.name.to_string(),
                [first, rest @ ..] => format!("{} and {} more", first.name, rest.len()),
            },
            Self::EndMaintenance { windows } => {
                windows.get(at).map(|window| window.name.to_string()).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::collections::BTreeSet;

    fn user(name: &str) -> Named<UserId> {
        Named { id: UserId::new(name).expect("id"), name: name.into() }
    }

    #[test]
    fn each_part_has_a_key_of_its_own_that_no_incident_has() {
        let span = Span { from: Timestamp::UNIX_EPOCH, to: Timestamp::UNIX_EPOCH };
        let schedule = Named { id: ScheduleId::new("S1").expect("id"), name: "Primary".into() };
        let cover = |name| Cover { user: user(name), span, replaces: vec![] };
        let what = Arrangement::AddOverrides { schedule, covers: vec![cover("ann"), cover("ann"), cover("bob")] };

        let keys = what.keys(&AccountName::new("prod").expect("id"));

        let different: BTreeSet<_> = keys.iter().collect();
        assert_eq!((keys.len(), different.len(), what.parts()), (3, 3, 3));
        assert_eq!(keys[1].to_string(), "prod/schedule:S1#2");
        assert_eq!(what.subject(2), "Primary: bob");
    }
}
