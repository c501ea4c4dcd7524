//! Incidents, and the rule by which observations of one become one truth: newest wins, whatever the order of arrival.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    id::{IncidentKey, PolicyId, ServiceId, TeamId, UserId},
    text::Shown,
};

/// Where an incident stands. The same three at `PagerDuty`; other providers are mapped to these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Triggered,
    Acknowledged,
    Resolved,
}

impl Status {
    /// Whether the person on call still has something to do about it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Triggered | Self::Acknowledged)
    }

    /// The provider's own word, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// How loudly the incident calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    Low,
    High,
}

/// A thing at the provider: its id, and the name to show for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named<Id> {
    pub id: Id,
    pub name: Shown,
}

/// Which door an observation came through. On equal times the later one in this list wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A webhook that nobody signed: a hint, until REST was asked.
    Unsigned,
    Push,
    Rest,
}

/// When an observation was true at the provider, by the provider's clock. Greater is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    pub at: Timestamp,
    pub source: Source,
    /// When REST was asked, by our clock: decides between two answers that name the same second. For a
    /// webhook the same as `at`, for an unsigned one when it was received.
    pub asked: Timestamp,
}

impl Stamp {
    /// A webhook's `occurred_at` (milliseconds at `PagerDuty`).
    pub fn push(occurred_at: Timestamp) -> Self {
        Self { at: occurred_at, source: Source::Push, asked: occurred_at }
    }

    /// A REST object's `updated_at`, in an answer to what was asked at `asked`. Whole seconds mean "some time
    /// within that second", so the end of it is taken: otherwise a webhook from earlier in the same second
    /// would look newer for ever.
    pub fn rest(updated_at: Timestamp, asked: Timestamp) -> Self {
        let whole = updated_at.subsec_nanosecond() == 0;
        let at = if whole {
            updated_at.checked_add(SignedDuration::from_millis(999)).unwrap_or(updated_at)
        } else {
            updated_at
        };
        Self { at, source: Source::Rest, asked }
    }

    /// Whether REST, which tells whole seconds, may hide a change that is newer than it by less than one.
    pub fn may_hide(&self, other: &Self) -> bool {
        self.source == Source::Rest
            && other.source == Source::Push
            && self > other
            && self.at.duration_since(other.at) < SignedDuration::from_secs(1)
    }
}

/// What both webhooks and REST tell about an incident. `Ord` breaks ties between observations with equal stamps,
/// so that the outcome never depends on the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct State {
    pub status: Status,
    pub urgency: Urgency,
    pub title: Shown,
    pub number: Option<u64>,
    pub priority: Option<Shown>,
    pub service: Option<Named<ServiceId>>,
    pub escalation_policy: Option<Named<PolicyId>>,
    /// Empty once resolved.
    pub assignees: Vec<Named<UserId>>,
    pub teams: Vec<Named<TeamId>>,
    pub created_at: Timestamp,
    /// Web address of the incident, `https` only.
    pub url: Option<Shown>,
    /// `incident_key` at `PagerDuty`.
    pub dedup_key: Option<Shown>,
}

/// What the provider will do by itself, and when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pending {
    /// `unacknowledge`, `escalate`, `resolve` or `urgency_change` at `PagerDuty`.
    pub what: Shown,
    pub at: Timestamp,
}

/// What only REST tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Extra {
    /// Who acknowledged, and when.
    pub acknowledged: Vec<(Timestamp, Shown)>,
    pub pending: Vec<Pending>,
    /// All alerts, and those still triggered.
    pub alerts: Option<(u32, u32)>,
    /// Who changed the status last.
    pub changed_by: Option<Shown>,
}

/// One look at one incident: what a webhook or a REST answer said, and when that was true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub key: IncidentKey,
    pub stamp: Stamp,
    pub state: State,
    /// Only REST has it.
    pub extra: Option<Extra>,
}

impl Observation {
    /// The same as a hint, received at `received` by our clock.
    #[must_use]
    pub fn unsigned(mut self, received: Timestamp) -> Self {
        self.stamp = Stamp { source: Source::Unsigned, asked: received, ..self.stamp };
        self
    }
}

/// An incident as it is known now: the newest of all observations, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub key: IncidentKey,
    pub stamp: Stamp,
    pub state: State,
    pub extra: Option<(Stamp, Extra)>,
    /// Only where unsigned deliveries told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Box<Doubt>>,
}

/// What an incident's shown state is chosen from. Each part only grows newer, and the choice depends on nothing
/// else, so the order of arrival does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The newest unsigned one.
    pub hint: (Stamp, State),
    /// The newest that can be relied on.
    pub known: Option<(Stamp, State)>,
}

impl Doubt {
    /// A hint counts while it is newer than what is known, and while REST was not asked after it had come: whatever
    /// time a hint claims, the provider's own answer ends it.
    fn shown(&self, looked: Option<Timestamp>) -> &(Stamp, State) {
        let open = looked.is_none_or(|looked| looked < self.hint.0.asked);
        match &self.known {
            Some(known) if !open || known.0 >= self.hint.0 => known,
            _ => &self.hint,
        }
    }
}

impl Incident {
    /// The incident as first seen.
    pub fn first(seen: Observation) -> Self {
        let Observation { key, stamp, state, extra } = seen;
        let hint = (stamp.source == Source::Unsigned).then(|| (stamp, state.clone()));
        let doubt = hint.map(|hint| Box::new(Doubt { hint, known: None }));
        Self { key, stamp, state, extra: extra.map(|extra| (stamp, extra)), doubt }
    }

    /// Takes what is newer in `seen`; says whether that says anything new. Takes any order, any repetition.
    pub fn merge(&mut self, seen: &Observation) -> bool {
        let mut changed = false;
        if let Some(extra) = &seen.extra {
            let known = self.extra.as_ref().map(|(stamp, extra)| (*stamp, extra));
            if known.is_none_or(|known| (seen.stamp, extra) > known) {
                changed |= known.is_none_or(|(_, old)| old != extra);
                self.extra = Some((seen.stamp, extra.clone()));
            }
        }
        if seen.stamp.source == Source::Unsigned || self.doubt.is_some() {
            return self.merge_doubted(seen) | changed;
        }
        if (seen.stamp, &seen.state) > (self.stamp, &self.state) {
            changed |= self.state != seen.state;
            self.stamp = seen.stamp;
            self.state = seen.state.clone();
        }
        changed
    }

    fn merge_doubted(&mut self, seen: &Observation) -> bool {
        let new = (seen.stamp, seen.state.clone());
        let shown = || (self.stamp, self.state.clone());
        let mut doubt = match self.doubt.take() {
            Some(doubt) => doubt,
            None => Box::new(Doubt { hint: new.clone(), known: Some(shown()) }),
        };
        if seen.stamp.source == Source::Unsigned {
            doubt.hint = new.max(doubt.hint);
        } else {
            doubt.known = Some(doubt.known.take().map_or_else(|| new.clone(), |known| known.max(new.clone())));
        }
        let looked = self.extra.as_ref().map(|(stamp, _)| stamp.asked);
        let (stamp, state) = doubt.shown(looked).clone();
        let was = self.is_unconfirmed();
        let changed = self.state != state;
        (self.stamp, self.state, self.doubt) = (stamp, state, Some(doubt));
        changed || was != self.is_unconfirmed()
    }

    /// Whether nobody signed what it shows, and the provider was not asked since.
    pub fn is_unconfirmed(&self) -> bool {
        self.stamp.source == Source::Unsigned
    }

    /// REST's extra facts, while they still speak of the newest known state.
    pub fn extra(&self) -> Option<&Extra> {
        self.extra.as_ref().filter(|(stamp, _)| stamp.at >= self.stamp.at).map(|(_, extra)| extra)
    }
}

impl State {
    /// What is different in `after`, in words: `triggered -> acknowledged, title "disk full"`. Empty when nothing is.
    pub fn difference(&self, after: &Self) -> String {
        let mut words = vec![];
        if self.status != after.status {
            words.push(format!("{} -> {}", self.status.word(), after.status.word()));
        }
        if self.title != after.title {
            words.push(format!("title \"{}\"", after.title));
        }
        let others = [
            ("urgency", self.urgency != after.urgency),
            ("priority", self.priority != after.priority),
            ("service", self.service != after.service),
            ("escalation policy", self.escalation_policy != after.escalation_policy),
            ("assigned", self.assignees != after.assignees),
            ("teams", self.teams != after.teams),
            ("number", self.number != after.number),
            ("link", self.url != after.url),
            ("key", self.dedup_key != after.dedup_key),
            ("created", self.created_at != after.created_at),
        ];
        for (what, _) in others.iter().filter(|(_, differs)| *differs) {
            words.push(match *what {
                "assigned" => format!("assigned to {}", after.assigned()),
                "urgency" => format!("urgency {}", if after.urgency == Urgency::High { "high" } else { "low" }),
                what => what.to_owned(),
            });
        }
        words.join(", ")
    }

    /// Who has it, by name.
    fn assigned(&self) -> String {
        let names: Vec<&str> = self.assignees.iter().map(|user| user.name.as_str()).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::{AccountName, IncidentId};
    use proptest::prelude::*;

    fn observation(status: Status, stamp: Stamp, title: &str) -> Observation {
        Observation {
            key: IncidentKey { account: AccountName::new("prod").expect("id"), id: IncidentId::new("P1").expect("id") },
            stamp,
            state: State {
                status,
                urgency: Urgency::High,
                title: Shown::line(title),
                number: Some(1),
                priority: None,
                service: None,
                escalation_policy: None,
                assignees: vec![],
                teams: vec![],
                created_at: Timestamp::UNIX_EPOCH,
                url: None,
                dedup_key: None,
            },
            extra: (stamp.source == Source::Rest).then(Extra::default),
        }
    }

    #[test]
    fn a_difference_is_told_in_words() {
        let before = observation(Status::Triggered, Stamp::push(seconds(0)), "a").state;
        let mut after = before.clone();
        assert_eq!(before.difference(&after), "");

        after.status = Status::Acknowledged;
        after.title = Shown::line("b");
        after.service = None;
        after.teams = vec![Named { id: TeamId::new("T1").expect("id"), name: "Payments".into() }];
        assert_eq!(before.difference(&after), "triggered -> acknowledged, title \"b\", teams");
    }

    fn seconds(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("small")
    }

    fn any_observation() -> impl Strategy<Value = Observation> {
        let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
        (status, 0..6i64, any::<bool>(), "[ab]").prop_map(|(status, at, rest, title)| {
            let at = seconds(at * 500);
            observation(status, if rest { Stamp::rest(at, at) } else { Stamp::push(at) }, &title)
        })
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_ends_in_the_same_incident(
            (history, shuffled) in prop::collection::vec(any_observation(), 1..9)
                .prop_flat_map(|h| {
                    let twice: Vec<_> = h.iter().chain(&h).cloned().collect();
                    (Just(h), Just(twice).prop_shuffle())
                })
        ) {
            let fold = |all: &[Observation]| {
                let mut incident = Incident::first(all[0].clone());
                for seen in &all[1..] { incident.merge(seen); }
                incident
            };
            prop_assert_eq!(fold(&history), fold(&shuffled));
        }
    }

    #[test]
    fn a_newer_reopen_reopens_and_a_late_trigger_does_not() {
        let mut incident = Incident::first(observation(Status::Resolved, Stamp::push(seconds(5000)), "t"));

        assert!(!incident.merge(&observation(Status::Triggered, Stamp::push(seconds(1000)), "t")));
        assert_eq!(incident.state.status, Status::Resolved);
        assert!(incident.merge(&observation(Status::Triggered, Stamp::push(seconds(6000)), "t")));
        assert_eq!(incident.state.status, Status::Triggered);
    }

    #[test]
    fn of_two_answers_that_name_the_same_second_the_later_asked_one_counts() {
        let (resolved, reopened) =
            (Stamp::rest(seconds(1000), seconds(1100)), Stamp::rest(seconds(1000), seconds(1900)));
        let mut incident = Incident::first(observation(Status::Triggered, reopened, "t"));

        assert!(!incident.merge(&observation(Status::Resolved, resolved, "t")));
        assert_eq!(incident.state.status, Status::Triggered);
    }

    #[test]
    fn within_one_second_the_api_outranks_an_earlier_webhook() {
        let mut incident = Incident::first(observation(Status::Acknowledged, Stamp::push(seconds(1700)), "t"));

        assert!(incident.merge(&observation(Status::Resolved, Stamp::rest(seconds(1000), seconds(1800)), "t")));
        assert_eq!(incident.state.status, Status::Resolved);
    }
}
