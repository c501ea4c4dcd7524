//! Which events a change of an incident is.
//!
//! What happens once to an incident is told by whoever sees it first, a delivery or a look at the provider: the change
//! of its status counts. What may happen again is told by deliveries; a look tells of it only where no delivery does.
//! What nobody vouches for is no event until the provider was asked.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::EventType;
use crate::core::{
    delivery::DeliverySummary,
    id::{DeliveryId, IncidentKey, UserId},
    incident::{Incident, Observation, State, Status, Via},
};

/// What providers call events that all of them have.
const SHARED: [(&str, &str); 6] = [
    ("incident.triggered", EventType::CREATED),
    ("incident.acknowledged", EventType::ACKNOWLEDGED),
    ("incident.resolved", EventType::RESOLVED),
    ("incident.reassigned", EventType::HANDOFF),
    ("incident.delegated", EventType::HANDOFF),
    ("incident.escalated", EventType::TIMEOUT),
];

/// What a provider's event is called here; `None` for what is no name at all.
pub fn name(of: &str) -> Option<EventType> {
    let shared = SHARED.iter().find(|(theirs, _)| *theirs == of);
    EventType::new(shared.map_or(of, |(_, ours)| ours))
}

/// How an incident stood before, as far as somebody vouched for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// `None`: nothing was known that could be relied on.
    known: Option<(Status, Vec<UserId>)>,
    /// Somebody had told of it whom nobody vouches for.
    hinted: bool,
}

impl Before {
    pub fn of(incident: Option<&Incident>) -> Self {
        let Some(incident) = incident else { return Self { known: None, hinted: false } };
        let hinted = incident.is_unconfirmed();
        let relied = match &incident.doubt {
            Some(doubt) if hinted => doubt.known.as_ref().map(|(_, state)| state),
            _ => Some(&incident.state),
        };
        Self { known: relied.map(|state| (state.status, assignees(state))), hinted }
    }
}

fn assignees(state: &State) -> Vec<UserId> {
    state.assignees.iter().map(|user| user.id.clone()).collect()
}

/// How it became known.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// By a genuine delivery that was never taken in before.
    Delivered(&'a DeliverySummary, Option<&'a Observation>),
    /// By a look at the provider; its deliveries tell the rest.
    Looked,
    /// The same where no deliveries come, or none that can be relied on.
    LookedAlone,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    pub kind: EventType,
    /// The same for the same thing, whoever tells of it and however often.
    pub id: String,
    pub at: Timestamp,
    pub delivery: Option<DeliveryId>,
    /// The incident as it stood then; `None`: what is told of it does not say.
    pub incident: Option<Box<Incident>>,
}

/// What happened to `key`: it stood as `before` and stands as `after`, or is not known at all. Incidents that are
/// older than `since`, when the watch began, are no news just because they are seen for the first time.
pub fn happened(
    before: &Before,
    key: &IncidentKey,
    after: Option<&Incident>,
    seen: Seen<'_>,
    since: Timestamp,
) -> Vec<Happening> {
    let changed =
        after.filter(|after| !after.is_unconfirmed()).map(|after| (after, changes(before, after, seen, since)));
    let mut all = vec![];
    for (after, kind) in changed.into_iter().flat_map(|(after, kinds)| kinds.into_iter().map(move |kind| (after, kind)))
    {
        let again = format!("{} {}", after.stamp.at, after.stamp.asked);
        all.push(Happening {
            id: id(key, &kind, &again),
            kind,
            at: after.stamp.at,
            delivery: seen.delivery().map(|delivery| delivery.id),
            incident: Some(Box::new(after.clone())),
        });
    }
    if let Seen::Delivered(delivery, told) = seen
        && let Some(own) = delivered(key, after, delivery, told)
        && all.iter().all(|known| known.kind != own.kind)
    {
        all.push(own);
    }
    all
}

/// The event that the delivery is about.
fn delivered(
    key: &IncidentKey,
    after: Option<&Incident>,
    delivery: &DeliverySummary,
    told: Option<&Observation>,
) -> Option<Happening> {
    let kind = name(delivery.event_type.as_ref()?.as_str())?;
    // A later state may be known already: then it is told of as it stood.
    let stood = match told {
        Some(told) if after.is_none_or(|after| after.stamp != told.stamp) => Some(Incident::first(told.clone())),
        Some(_) | None => after.cloned(),
    };
    let again = delivery.event_id.as_ref().map_or_else(|| delivery.id.to_string(), ToString::to_string);
    let (id, at) = (id(key, &kind, &again), told.map_or(delivery.at, |told| told.stamp.at));
    Some(Happening { kind, id, at, delivery: Some(delivery.id), incident: stood.map(Box::new) })
}

impl<'a> Seen<'a> {
    fn delivery(self) -> Option<&'a DeliverySummary> {
        match self {
            Self::Delivered(delivery, _) => Some(delivery),
            Self::Looked | Self::LookedAlone => None,
        }
    }
}

/// What the change itself tells, in the order of an incident's life.
fn changes(before: &Before, after: &Incident, seen: Seen<'_>, since: Timestamp) -> Vec<EventType> {
    let state = &after.state;
    let mut names = vec![];
    match &before.known {
        // Providers tell whole seconds.
        None if state.created_at.as_second() < since.as_second() => return vec![],
        None => names.push(EventType::CREATED),
        Some((status, _)) if *status == state.status => return again(before, after, seen).into_iter().collect(),
        Some(_) => {}
    }
    match state.status {
        Status::Triggered => {}
        Status::Acknowledged => names.push(EventType::ACKNOWLEDGED),
        Status::Resolved => names.push(EventType::RESOLVED),
    }
    let mut kinds: Vec<EventType> = names.into_iter().filter_map(EventType::new).collect();
    kinds.extend(again(before, after, seen));
    kinds
}

/// Whether it went to somebody else, where only a look tells.
fn again(before: &Before, after: &Incident, seen: Seen<'_>) -> Option<EventType> {
    let alone = match seen {
        Seen::LookedAlone => true,
        Seen::Looked => before.hinted,
        Seen::Delivered(..) => false,
    };
    let (status, had) = before.known.as_ref()?;
    let has = assignees(&after.state);
    let moved = alone && status.is_open() && after.state.status.is_open() && *had != has;
    if !moved || had.is_empty() || has.is_empty() {
        return None;
    }
    let escalated = after.extra().is_some_and(|extra| extra.via == Some(Via::EscalationPolicy));
    EventType::new(if escalated { EventType::TIMEOUT } else { EventType::HANDOFF })
}

/// By what a target knows this event again. `again` tells those apart that may happen more than once.
fn id(key: &IncidentKey, kind: &EventType, again: &str) -> String {
    let again = if kind.is_once() { "" } else { again };
    let parts = [key.account.as_str(), key.id.as_str(), kind.as_str(), again];
    let digest = Sha256::digest(parts.join("\n"));
    let half: String = hex::encode(digest).chars().take(32).collect();
    format!("evt_{half}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        board::tests::summary,
        incident::{Extra, Named, Stamp, tests::observation},
        text::Shown,
    };

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    /// Created at second 0.
    fn push(status: Status, at: i64) -> Observation {
        observation(status, Stamp::push(second(at)), "disk full")
    }

    fn look(status: Status, at: i64) -> Observation {
        observation(status, Stamp::rest(second(at), second(at + 1)), "disk full")
    }

    fn given_to(mut seen: Observation, user: &str) -> Observation {
        seen.state.assignees = vec![Named { id: user.parse().expect("id"), name: user.into() }];
        seen
    }

    fn line(id: i64, event_type: &str) -> DeliverySummary {
        let event_id = format!("E{id}").parse().ok();
        DeliverySummary { event_type: Some(Shown::line(event_type)), event_id, ..summary(id) }
    }

    /// An incident, and what happens to it.
    #[derive(Default)]
    struct Story {
        incident: Option<Incident>,
        deliveries: i64,
        since: Timestamp,
    }

    impl Story {
        fn see(&mut self, seen: &Observation) -> Before {
            let before = Before::of(self.incident.as_ref());
            match &mut self.incident {
                Some(known) => drop(known.merge(seen)),
                None => self.incident = Some(Incident::first(seen.clone())),
            }
            before
        }

        fn told(&self, before: &Before, key: &IncidentKey, how: Seen<'_>) -> Vec<Happening> {
            happened(before, key, self.incident.as_ref(), how, self.since)
        }

        fn delivered(&mut self, event_type: &str, seen: &Observation) -> Vec<Happening> {
            let before = self.see(seen);
            self.deliveries += 1;
            self.told(&before, &seen.key, Seen::Delivered(&line(self.deliveries, event_type), Some(seen)))
        }

        fn looked(&mut self, seen: &Observation) -> Vec<Happening> {
            let before = self.see(seen);
            self.told(&before, &seen.key, Seen::Looked)
        }

        fn looked_alone(&mut self, seen: &Observation) -> Vec<Happening> {
            let before = self.see(seen);
            self.told(&before, &seen.key, Seen::LookedAlone)
        }
    }

    fn kinds(all: &[Happening]) -> Vec<&str> {
        all.iter().map(|one| one.kind.as_str()).collect()
    }

    #[test]
    fn providers_names_become_the_shared_ones_and_others_stay() {
        let names = ["incident.triggered", "incident.delegated", "incident.escalated", "incident.annotated"];
        let ours: Vec<_> = names.iter().filter_map(|theirs| name(theirs)).map(|kind| kind.to_string()).collect();

        assert_eq!(ours, ["incident.created", "incident.handoff", "incident.timeout", "incident.annotated"]);
        assert_eq!(name("two words"), None);
    }

    #[test]
    fn t49_what_a_delivery_and_a_look_tell_is_one_event_with_one_id_whoever_comes_first() {
        let (mut pushed, mut polled) = (Story::default(), Story::default());

        let first = [
            pushed.delivered("incident.triggered", &push(Status::Triggered, 10)),
            pushed.delivered("incident.acknowledged", &push(Status::Acknowledged, 20)),
            pushed.delivered("incident.resolved", &push(Status::Resolved, 30)),
        ]
        .concat();
        let second = [
            polled.looked(&look(Status::Triggered, 11)),
            polled.looked(&look(Status::Acknowledged, 21)),
            polled.looked(&look(Status::Resolved, 31)),
        ]
        .concat();

        assert_eq!(kinds(&first), ["incident.created", "incident.acknowledged", "incident.resolved"]);
        assert_eq!(kinds(&second), kinds(&first));
        let ids = |all: &[Happening]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&first), ids(&second));
        assert!(pushed.looked(&look(Status::Resolved, 32)).is_empty());
    }

    #[test]
    fn t50_what_is_older_than_the_watch_is_no_event_when_it_is_first_seen_but_its_changes_are() {
        let mut story = Story { since: second(100), ..Story::default() };

        assert!(story.looked(&look(Status::Acknowledged, 90)).is_empty());
        assert_eq!(kinds(&story.looked(&look(Status::Resolved, 120))), ["incident.resolved"]);

        let mut told = Story { since: second(100), ..Story::default() };
        let seen = push(Status::Acknowledged, 110);
        assert_eq!(kinds(&told.delivered("incident.acknowledged", &seen)), ["incident.acknowledged"]);
    }

    #[test]
    fn one_that_is_first_heard_of_in_the_middle_was_created_before_that() {
        let mut story = Story::default();

        let seen = story.delivered("incident.acknowledged", &push(Status::Acknowledged, 20));
        assert_eq!(kinds(&seen), ["incident.created", "incident.acknowledged"]);
        assert_eq!(seen[0].delivery, Some(DeliveryId(1)));
    }

    #[test]
    fn t07_a_delivery_that_comes_late_tells_how_the_incident_stood_then() {
        let mut story = Story::default();
        story.delivered("incident.resolved", &push(Status::Resolved, 30));

        let late = story.delivered("incident.acknowledged", &push(Status::Acknowledged, 20));

        assert_eq!(kinds(&late), ["incident.acknowledged"]);
        assert_eq!(late[0].incident.as_ref().map(|it| it.state.status), Some(Status::Acknowledged));
        assert_eq!(late[0].at, second(20));
    }

    #[test]
    fn hand_offs_may_repeat_and_each_has_an_id_of_its_own() {
        let mut story = Story::default();
        story.delivered("incident.triggered", &given_to(push(Status::Triggered, 10), "A"));

        let first = story.delivered("incident.reassigned", &given_to(push(Status::Triggered, 20), "B"));
        let second = story.delivered("incident.delegated", &given_to(push(Status::Triggered, 30), "A"));

        assert_eq!([kinds(&first), kinds(&second)].concat(), ["incident.handoff", "incident.handoff"]);
        assert_ne!(first[0].id, second[0].id);
    }

    #[test]
    fn a_look_tells_of_a_hand_off_only_where_no_delivery_does() {
        let begin = || {
            let mut story = Story::default();
            story.looked(&given_to(look(Status::Triggered, 10), "A"));
            story
        };

        assert!(begin().looked(&given_to(look(Status::Triggered, 20), "B")).is_empty());
        let moved = begin().looked_alone(&given_to(look(Status::Triggered, 20), "B"));
        assert_eq!(kinds(&moved), ["incident.handoff"]);
        let mut escalated = given_to(look(Status::Triggered, 20), "B");
        escalated.extra = Some(Extra { via: Some(Via::EscalationPolicy), ..Extra::default() });
        assert_eq!(kinds(&begin().looked_alone(&escalated)), ["incident.timeout"]);
        let gone = begin().looked_alone(&look(Status::Resolved, 20));
        assert_eq!(kinds(&gone), ["incident.resolved"], "nobody has it any more, which is no hand-off");
    }

    #[test]
    fn what_nobody_signed_is_an_event_once_the_provider_was_asked() {
        let mut story = Story::default();
        story.looked(&look(Status::Triggered, 10));
        let lie = push(Status::Resolved, 20).unsigned(second(21));

        assert!(story.looked(&lie).is_empty());
        assert!(story.looked(&look(Status::Triggered, 10)).is_empty(), "it was a lie");
        assert!(story.looked(&push(Status::Acknowledged, 40).unsigned(second(41))).is_empty());
        assert_eq!(kinds(&story.looked(&look(Status::Acknowledged, 40))), ["incident.acknowledged"]);
    }

    #[test]
    fn t04_an_event_that_only_one_provider_has_is_told_under_its_own_name_though_it_changes_nothing() {
        let mut story = Story::default();
        story.delivered("incident.triggered", &push(Status::Triggered, 10));
        let key = push(Status::Triggered, 10).key;
        let before = Before::of(story.incident.as_ref());

        let note = story.told(&before, &key, Seen::Delivered(&line(7, "incident.annotated"), None));
        assert_eq!(kinds(&note), ["incident.annotated"]);
        assert_eq!(note[0].incident.as_ref().map(|it| it.state.status), Some(Status::Triggered));

        let unknown = Before::of(None);
        let strange = happened(&unknown, &key, None, Seen::Delivered(&line(8, "incident.annotated"), None), second(0));
        assert_eq!((kinds(&strange), strange[0].incident.is_none()), (vec!["incident.annotated"], true));
    }
}
