//! Incidents, and the rule by which observations of one become one truth: newest wins, whatever the order of arrival.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    delivery::NOTHING,
    id::{IncidentId, IncidentKey, PolicyId, ServiceId, TeamId, UserId},
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
    /// webhook the same as `at`, for an unsigned one when it was received. The epoch: at another address.
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

    /// The same, of what was told before its account was asked at another address: no answer from there counts for it, and
    /// the first that does is newer.
    #[must_use]
    pub fn from_elsewhere(self) -> Self {
        Self { asked: Timestamp::UNIX_EPOCH, ..self }
    }

    /// Whether nothing was told since its account is asked at another address.
    pub fn is_from_elsewhere(&self) -> bool {
        self.asked == Timestamp::UNIX_EPOCH
    }

    /// Whether the two stamps do not tell which of two different states came last: a whole second of REST holds the
    /// webhooks of that second, two answers that name one second may have overtaken each other, and so may two
    /// webhooks of one millisecond. The merge decides all the same; only another look at REST knows.
    pub fn leaves_open(&self, other: &Self) -> bool {
        let one_second = self.at.as_second() == other.at.as_second();
        self.at == other.at || (one_second && self.source != other.source)
    }
}

/// What REST tells when it was asked so long after something is true of that too, whatever time it names: the clocks agree
/// better than that, and no answer is so old.
const SETTLED: SignedDuration = SignedDuration::from_mins(1);

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

/// By which way it came to those who have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    EscalationPolicy,
    /// Somebody gave it to them: it does not escalate.
    Direct,
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
    /// When it last came to somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The incident that this one became a part of, which resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<IncidentId>,
    /// The [gist](State::gist) of the state that was told with it; 0 where none was.
    #[serde(default)]
    pub of: u64,
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
    /// Both parts, but not when REST was asked: asking again is no news.
    fn told(&self) -> [Option<(Timestamp, Source, State)>; 2] {
        let part = |(stamp, state): &(Stamp, State)| (stamp.at, stamp.source, state.clone());
        [Some(part(&self.hint)), self.known.as_ref().map(part)]
    }

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
    /// Whether it is triggered with high urgency.
    pub fn is_urgent(&self) -> bool {
        self.state.status == Status::Triggered && self.state.urgency == Urgency::High
    }

    /// The incident as first seen.
    pub fn first(seen: Observation) -> Self {
        let Observation { key, stamp, state, extra } = seen;
        let hint = (stamp.source == Source::Unsigned).then(|| (stamp, state.clone()));
        let doubt = hint.map(|hint| Box::new(Doubt { hint, known: None }));
        Self { key, stamp, state, extra: extra.map(|extra| (stamp, extra)), doubt }
    }

    /// Takes what is newer in `seen`; says whether that says anything new. Takes any order, any repetition.
    pub fn merge(&mut self, seen: &Observation) -> bool {
        let told = self.extra().is_some();
        let changed = self.merge_extra(seen) | self.merge_state(seen);
        changed || self.extra().is_some() != told
    }

    fn merge_extra(&mut self, seen: &Observation) -> bool {
        let Some(extra) = &seen.extra else { return false };
        let known = self.extra.as_ref().map(|(stamp, extra)| (*stamp, extra));
        if known.is_some_and(|known| (seen.stamp, extra) <= known) {
            return false;
        }
        let changed = known.is_none_or(|(stamp, old)| old != extra || stamp.at != seen.stamp.at);
        self.extra = Some((seen.stamp, extra.clone()));
        changed
    }

    fn merge_state(&mut self, seen: &Observation) -> bool {
        if seen.stamp.source == Source::Unsigned || self.doubt.is_some() {
            return self.merge_doubted(seen);
        }
        if (seen.stamp, &seen.state) <= (self.stamp, &self.state) {
            return false;
        }
        // A later time of the same is news too: whoever takes it over must know what is older.
        let changed = self.state != seen.state || self.stamp.at != seen.stamp.at;
        self.stamp = seen.stamp;
        self.state = seen.state.clone();
        changed
    }

    /// Whether `seen` tells another state, and the times do not tell which of the two came last.
    pub fn doubts(&self, seen: &Observation) -> bool {
        self.stamp.leaves_open(&seen.stamp) && self.state != seen.state
    }

    fn merge_doubted(&mut self, seen: &Observation) -> bool {
        let new = (seen.stamp, seen.state.clone());
        let shown = || (self.stamp, self.state.clone());
        let before = self.doubt.as_ref().map(|doubt| doubt.told());
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
        let changed = before != Some(doubt.told()) || self.state != state || self.stamp.source != stamp.source;
        (self.stamp, self.state, self.doubt) = (stamp, state, Some(doubt));
        changed
    }

    /// Whether nobody signed what it shows, and the provider was not asked since.
    pub fn is_unconfirmed(&self) -> bool {
        self.stamp.source == Source::Unsigned
    }

    /// As people call it: `#1201`, or its id where it has no number.
    pub fn name(&self) -> String {
        self.state.number.map_or_else(|| self.key.id.to_string(), |number| format!("#{number}"))
    }

    /// Its title, with a word before it where nobody vouches for what it says.
    pub fn headline(&self) -> String {
        let mark = if self.is_unconfirmed() { "(unsigned) " } else { "" };
        format!("{mark}{}", self.state.title)
    }

    /// What is different in `after`, in words; where nothing is that anybody can see, only its time is later.
    pub fn news(&self, after: &Self) -> String {
        let difference = self.state.difference(&after.state);
        let told = |incident: &Self| incident.extra.as_ref().map(|(_, extra)| extra.clone());
        match (self.is_unconfirmed(), after.is_unconfirmed()) {
            _ if !difference.is_empty() => difference,
            (true, false) => "confirmed: it was unsigned".to_owned(),
            (false, true) => "unsigned now".to_owned(),
            _ if told(self) != told(after) => "what only REST tells".to_owned(),
            _ => format!("{NOTHING}: a later time of what was known"),
        }
    }

    /// REST's extra facts, while they still speak of the newest known state.
    pub fn extra(&self) -> Option<&Extra> {
        self.extra.as_ref().filter(|(stamp, extra)| self.is_told_with(*stamp, extra)).map(|(_, extra)| extra)
    }

    /// A webhook may name a later second than REST does for the same change.
    fn is_told_with(&self, stamp: Stamp, extra: &Extra) -> bool {
        let asked_later = || stamp.asked.duration_since(self.stamp.at) >= SETTLED;
        stamp.at >= self.stamp.at || (asked_later() && !self.is_unconfirmed() && extra.of == self.state.gist())
    }
}

impl State {
    /// A number that is the same where it stands the same, with the same people: what only REST tells depends on that.
    /// Another version of dogwatch may make another one of it.
    pub fn gist(&self) -> u64 {
        let mut people: Vec<&UserId> = self.assignees.iter().map(|user| &user.id).collect();
        people.sort_unstable();
        let policy = self.escalation_policy.as_ref().map(|policy| &policy.id);
        let mut hasher = DefaultHasher::new();
        (self.status, self.urgency, policy, people).hash(&mut hasher);
        hasher.finish().max(1)
    }

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
pub(super) mod tests;
