//! Services and their maintenance windows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    board::Board,
    id::{AccountName, PolicyId, ServiceId, WindowId},
    incident::{Named, Status},
    text::Shown,
};

/// A service as the provider tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub service: Named<ServiceId>,
    /// Whether it takes anything at all.
    pub disabled: bool,
    /// The provider's own word for how it stands, as of when it was asked.
    pub told: Shown,
    pub policy: Option<Named<PolicyId>>,
}

/// A time in which services call nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub id: WindowId,
    pub start: Timestamp,
    pub end: Timestamp,
    pub description: Shown,
    pub services: Vec<Named<ServiceId>>,
    pub created_by: Option<Shown>,
}

impl Window {
    pub fn runs(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end <= now
    }
}

/// All services of an account, and their windows that run or are to come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    pub services: Vec<Service>,
    pub windows: Vec<Window>,
    /// When they were last told; `None`: never.
    pub as_of: Option<Timestamp>,
}

impl Services {
    /// The windows of a service that are not over, the first first.
    pub fn windows_of(&self, id: &ServiceId, now: Timestamp) -> Vec<&Window> {
        let here = |window: &&Window| !window.is_over(now) && window.services.iter().any(|one| one.id == *id);
        let mut windows: Vec<_> = self.windows.iter().filter(here).collect();
        windows.sort_by_key(|window| (window.start, window.id.clone()));
        windows
    }
}

/// How a service stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// At least one incident is triggered.
    Critical,
    /// There are open incidents, all of them acknowledged.
    Warning,
    Maintenance,
    Active,
    Disabled,
}

impl Condition {
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Maintenance => "maintenance",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// Triggered and acknowledged incidents of each service of an account that has any.
pub fn open<'a>(board: &'a Board, account: &AccountName) -> BTreeMap<&'a ServiceId, (usize, usize)> {
    let mut out: BTreeMap<&ServiceId, (usize, usize)> = BTreeMap::new();
    for incident in board.incidents.values().filter(|incident| incident.key.account == *account) {
        let Some(service) = &incident.state.service else { continue };
        let (triggered, acknowledged) = match incident.state.status {
            Status::Triggered => (1, 0),
            Status::Acknowledged => (0, 1),
            Status::Resolved => continue,
        };
        let known = out.entry(&service.id).or_default();
        *known = (known.0 + triggered, known.1 + acknowledged);
    }
    out
}

/// How it stands by its open incidents and windows; `now` by the provider's clock.
pub fn condition(service: &Service, open: (usize, usize), windows: &[&Window], now: Timestamp) -> Condition {
    if service.disabled {
        return Condition::Disabled;
    }
    // As the provider has it: a service in maintenance is called that whatever is open.
    if windows.iter().any(|window| window.runs(now)) {
        return Condition::Maintenance;
    }
    match open {
        (1.., _) => Condition::Critical,
        (0, 1..) => Condition::Warning,
        (0, 0) => Condition::Active,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 3600 * hour).expect("small")
    }

    fn service() -> Service {
        let service = Named { id: ServiceId::new("S1").expect("id"), name: "Checkout".into() };
        Service { service, disabled: false, told: "active".into(), policy: None }
    }

    #[test]
    fn a_service_stands_as_its_incidents_and_windows_say() {
        let window = Window {
            id: WindowId::new("W1").expect("id"),
            start: at(1),
            end: at(2),
            description: "upgrade".into(),
            services: vec![service().service],
            created_by: None,
        };
        let stands = |open, hour| condition(&service(), open, &[&window], at(hour));

        assert_eq!(stands((0, 0), 0), Condition::Active);
        assert_eq!(stands((0, 2), 0), Condition::Warning);
        assert_eq!(stands((1, 2), 2), Condition::Critical);
        assert_eq!(stands((1, 2), 1), Condition::Maintenance);
        let off = Service { disabled: true, ..service() };
        assert_eq!(condition(&off, (1, 0), &[], at(0)), Condition::Disabled);
        let all = Services { services: vec![service()], windows: vec![window], as_of: None };
        assert_eq!(all.windows_of(&service().service.id, at(0)).len(), 1);
        assert_eq!(all.windows_of(&service().service.id, at(2)).len(), 0);
    }
}
