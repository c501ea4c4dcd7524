//! Incidents, and the rule by which observations of one become one truth: newest wins, whatever the order of arrival.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    id::{IncidentId, IncidentKey, PolicyId, ServiceId, TeamId, UserId},
    text::Shown,
    delivery::NOTHING,
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
                changed |= known.is_none_or(|(stamp, old)| old != extra || stamp.at != seen.stamp.at);
                self.extra = Some((seen.stamp, extra.clone()));
            }
        }
        if seen.stamp.source == Source::Unsigned || self.doubt.is_some() {
            return self.merge_doubted(seen) | changed;
        }
        if (seen.stamp, &seen.state) > (self.stamp, &self.state) {
            // A later time of the same is news too: whoever takes it over must know what is older.
            changed |= self.state != seen.state || self.stamp.at != seen.stamp.at;
            self.stamp = seen.stamp;
            self.state = seen.state.clone();
        }
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

    /// Its title, with a word before it where nobody vouches for what it says.
    pub fn headline(&self) -> String {
        let mark = if self.is_unconfirmed() { "(unsigned) " } else { "" };
        format!("{mark}{}", self.state.title)
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
pub(super) mod tests {
    use super::*;
    use crate::core::id::{AccountName, IncidentId};
    use proptest::prelude::*;

    pub(in crate::core) fn observation(status: Status, stamp: Stamp, title: &str) -> Observation {
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

    fn with_alerts(alerts: u32, seen: Observation) -> Observation {
        Observation { extra: Some(Extra { alerts: Some((alerts, 0)), ..Extra::default() }), ..seen }
    }

    #[test]
    fn who_is_on_call_has_something_to_do_until_it_is_resolved() {
        let all = [Status::Triggered, Status::Acknowledged, Status::Resolved];

        assert_eq!(all.map(Status::is_open), [true, true, false]);
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

        let user = |name: &str| Named { id: UserId::new(name).expect("id"), name: name.into() };
        let mut taken = after.clone();
        (taken.urgency, taken.assignees) = (Urgency::Low, vec![user("Ann"), user("Bob")]);
        assert_eq!(after.difference(&taken), "urgency low, assigned to Ann and Bob");
        assert_eq!(taken.difference(&after), "urgency high, assigned to nobody");
    }

    fn seconds(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("small")
    }

    pub(in crate::core) fn any_observation() -> impl Strategy<Value = Observation> {
        let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
        (status, 0..6i64, 0..6i64, 0..3, "[ab]", 0..3u32).prop_map(|(status, at, ours, source, title, alerts)| {
            let (at, ours) = (seconds(at * 500), seconds(ours * 500));
            match source {
                0 => with_alerts(alerts, observation(status, Stamp::rest(at, ours), &title)),
                1 => observation(status, Stamp::push(at), &title),
                _ => observation(status, Stamp::push(at), &title).unsigned(ours),
            }
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

    /// A hint about `at`, received at `received`.
    fn hint(status: Status, at: i64, received: i64) -> Observation {
        observation(status, Stamp::push(seconds(at)), "t").unsigned(seconds(received))
    }

    fn rest(status: Status, at: i64, asked: i64) -> Observation {
        observation(status, Stamp::rest(seconds(at), seconds(asked)), "t")
    }

    #[test]
    fn what_nobody_signed_is_shown_as_such_until_the_provider_was_asked() {
        let mut incident = Incident::first(hint(Status::Triggered, 10_000, 10_100));
        assert!(incident.is_unconfirmed());
        assert_eq!(incident.headline(), "(unsigned) t");

        assert!(incident.merge(&rest(Status::Triggered, 10_000, 10_200)), "the mark goes, and the screen hears of it");
        assert!(!incident.is_unconfirmed());
        assert_eq!(incident.headline(), "t");

        assert!(incident.merge(&hint(Status::Acknowledged, 20_000, 20_100)));
        assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Acknowledged, true));
    }

    #[test]
    fn a_lie_from_the_future_ends_with_the_provider_s_next_answer() {
        let mut incident = Incident::first(rest(Status::Triggered, 1_000, 2_000));

        assert!(incident.merge(&hint(Status::Resolved, 9_000_000, 3_000)));
        assert!(incident.merge(&rest(Status::Triggered, 1_000, 4_000)));

        assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Triggered, false));
        assert!(!incident.merge(&hint(Status::Resolved, 9_000_000, 3_000)));
    }

    #[test]
    fn an_old_hint_changes_nothing_and_what_was_asked_before_it_came_does_not_confirm_it() {
        let mut incident = Incident::first(rest(Status::Acknowledged, 5_000, 6_000));
        incident.merge(&hint(Status::Triggered, 4_000, 7_000));
        assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Acknowledged, false));

        assert!(incident.merge(&hint(Status::Resolved, 8_000, 9_000)));
        incident.merge(&rest(Status::Acknowledged, 5_000, 8_500));
        assert_eq!((incident.state.status, incident.is_unconfirmed()), (Status::Resolved, true));
    }

    #[test]
    fn the_mark_goes_with_the_provider_s_answer_though_that_tells_nothing_new() {
        let mut incident = Incident::first(rest(Status::Triggered, 1_000, 2_000));
        incident.merge(&hint(Status::Triggered, 5_000, 5_100));
        assert!(incident.is_unconfirmed());

        assert!(incident.merge(&rest(Status::Triggered, 1_000, 5_100)), "the screen hears of it");
        assert!(!incident.is_unconfirmed(), "asked at the moment it came, or later");
    }

    #[test]
    fn what_only_rest_tells_is_news_when_it_is_other_than_before_and_is_shown_with_no_newer_state() {
        let look = |asked, alerts| with_alerts(alerts, rest(Status::Triggered, 1_000, asked));
        let alerts = |incident: &Incident| incident.extra().and_then(|extra| extra.alerts);
        let mut incident = Incident::first(look(2_000, 1));

        assert!(!incident.merge(&look(3_000, 1)));
        assert!(incident.merge(&look(5_000, 2)));
        assert!(!incident.merge(&look(4_000, 1)), "overtaken");
        assert_eq!(alerts(&incident), Some((2, 0)));

        incident.merge(&observation(Status::Acknowledged, Stamp::push(seconds(6_000)), "t"));
        assert_eq!(alerts(&incident), None, "it tells of the time before");
        incident.merge(&with_alerts(3, rest(Status::Acknowledged, 6_000, 7_000)));
        assert_eq!(alerts(&incident), Some((3, 0)));
    }

    #[test]
    fn an_incident_that_was_kept_before_there_were_hints_can_be_read() {
        let incident = Incident::first(rest(Status::Triggered, 1_000, 2_000));
        let text = serde_json::to_string(&incident).expect("json");

        assert!(!text.contains("doubt"));
        assert_eq!(serde_json::from_str::<Incident>(&text).expect("incident"), incident);
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
    fn a_later_time_of_the_same_state_is_news_and_another_look_at_it_is_none() {
        let mut incident = Incident::first(observation(Status::Triggered, Stamp::push(seconds(1000)), "t"));
        let look = |at, asked| observation(Status::Triggered, Stamp::rest(seconds(at), seconds(asked)), "t");

        assert!(incident.merge(&look(4000, 5000)), "else a restart would forget what is older");
        assert!(!incident.merge(&look(4000, 9000)));
    }

    #[test]
    fn only_what_the_times_leave_open_is_doubted() {
        let known = Incident::first(observation(Status::Resolved, Stamp::rest(seconds(1000), seconds(1100)), "t"));
        let doubts = |status, stamp| known.doubts(&observation(status, stamp, "t"));

        assert!(doubts(Status::Triggered, Stamp::push(seconds(1800))));
        assert!(doubts(Status::Triggered, Stamp::rest(seconds(1000), seconds(1050))));
        assert!(!doubts(Status::Triggered, Stamp::push(seconds(2000))), "newer");
        assert!(!doubts(Status::Triggered, Stamp::push(seconds(900))), "older");
        assert!(!doubts(Status::Resolved, Stamp::push(seconds(1800))), "the same");
    }

    #[test]
    fn within_one_second_the_api_outranks_an_earlier_webhook() {
        let mut incident = Incident::first(observation(Status::Acknowledged, Stamp::push(seconds(1700)), "t"));

        assert!(incident.merge(&observation(Status::Resolved, Stamp::rest(seconds(1000), seconds(1800)), "t")));
        assert_eq!(incident.state.status, Status::Resolved);
    }
}
