//! What must hold, whatever went wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    owner::Owner,
    provider::{Deed, Done, Inside, Simulated, Version},
};
use crate::{
    core::{
        action::{Action, Assignee, Outcome, Verb},
        board::Board,
        delivery::Verdict,
        forward::{Event, EventType, happening},
        id::{ActionId, IncidentId, IncidentKey},
        incident::{Incident, Observation, Stamp, Status},
    },
    provider::pagerduty::world::Push,
    server::fake::{chat, key},
    store::{ForwardId, Reader},
};

/// Each webhook that was answered with 2xx is in the store, and the board knows of it or of something newer.
pub(super) fn nothing_taken_is_missing(owner: &Owner, taken: &[Push]) {
    let stored = stored_events(owner);
    owner.desk.hub.look(|board| {
        for push in taken {
            let id = &push.event_id;
            assert!(stored.contains_key(id), "{id} was answered with 2xx and is not in the store");
            let incident = id.split_once('-').map(|(incident, _)| board.incidents.get(&key(incident)));
            let shown = incident.flatten().is_some_and(|incident| incident.stamp >= Stamp::push(push.at));
            assert!(shown || !push.tells, "{id} is stored and not on the board");
        }
    });
}

/// How often each event was accepted.
fn stored_events(owner: &Owner) -> BTreeMap<String, usize> {
    let lines = owner.kept(|reader| reader.recent(None, 100_000).expect("readable"));
    let mut events = BTreeMap::new();
    for line in lines.iter().filter(|line| line.verdict == Verdict::Accepted) {
        *events.entry(line.event_id.as_ref().expect("an id").to_string()).or_default() += 1;
    }
    events
}

pub(super) fn each_event_was_taken_once(owner: &Owner, taken: &[Push]) {
    let stored = stored_events(owner);
    let twice: Vec<_> = stored.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "accepted more than once: {twice:?}");
    let taken: BTreeSet<_> = taken.iter().map(|push| push.event_id.clone()).collect();
    let answered = taken.iter().filter(|id| stored.contains_key(*id)).count();
    assert_eq!(answered, taken.len());
    let waiting = owner.kept(|reader| reader.unapplied().expect("readable").len());
    assert_eq!(waiting, 0, "stored, applied and not marked so");
}

/// Where the board is not as the provider has it.
pub(super) fn untruth(owner: &Owner, provider: &Simulated) -> Option<String> {
    owner.desk.hub.look(|board| {
        let untrue = |truth: Observation| {
            let Some(shown) = board.incidents.get(&truth.key) else {
                return Some(format!("{} is not shown", truth.key));
            };
            // What is changed of a resolved one, and not pushed, nobody asks for.
            let same = if truth.state.status.is_open() {
                shown.state == truth.state && shown.extra() == truth.extra.as_ref()
            } else {
                shown.state.status == truth.state.status
            };
            (!same).then(|| format!("{} is shown as {shown:?} and is {truth:?}", truth.key))
        };
        let inside = provider.inside();
        let (shown, there) = (board.incidents.len(), inside.incidents.len());
        let count = || (shown != there).then(|| format!("{shown} are shown, and {there} are there"));
        inside.truth().find_map(untrue).or_else(count)
    })
}

/// All but when REST was last asked the same: that is no news.
pub(super) fn told(incidents: impl IntoIterator<Item = Incident>) -> Vec<Incident> {
    let plain = |stamp: Stamp| Stamp { asked: stamp.at, ..stamp };
    let told = |mut incident: Incident| {
        incident.stamp = plain(incident.stamp);
        incident.extra = incident.extra.map(|(stamp, extra)| (plain(stamp), extra));
        incident
    };
    incidents.into_iter().map(told).collect()
}

/// The slow one needs a while.
pub(super) fn screens_have_caught_up(owner: &Owner) -> bool {
    let incidents = |board: &Board| told(board.incidents.values().cloned());
    owner.desk.hub.look(|board| {
        owner.screens.iter().all(|screen| {
            let shown = screen.lock().expect("lock");
            shown.as_ref().is_some_and(|shown| {
                (incidents(shown), &shown.accounts, &shown.actions)
                    == (incidents(board), &board.accounts, &board.actions)
            })
        })
    })
}

pub(super) fn screens_show_the_board(owner: &Owner) {
    let board = owner.desk.hub.look(Board::clone);
    for (number, screen) in owner.screens.iter().enumerate() {
        let mut shown = screen.lock().expect("lock").clone().expect("a snapshot");
        assert_eq!(told(shown.incidents.into_values()), told(board.incidents.values().cloned()), "console {number}");
        shown.incidents = board.incidents.clone();
        assert_eq!(shown, board, "console {number}");
    }
}

pub(super) fn store_holds_the_board(owner: &Owner) {
    let board = owner.desk.hub.look(Board::clone);
    let incidents = owner.kept(|reader| reader.incidents().expect("readable"));
    assert_eq!(told(incidents), told(board.incidents.into_values()));
    let actions = owner.kept(|reader| reader.actions(1_000).expect("readable"));
    // Till when one can be taken back is no concern of the next owner's.
    let ended = |action: Action| Action { due: None, ..action };
    assert_eq!(actions, board.actions.into_iter().map(ended).collect::<Vec<_>>());
}

/// What waits for the target is all that happened: what happens once is told once, in its order, and each webhook
/// that was taken and tells of something else is told too.
pub(super) fn targets_are_told_of_everything(owner: &Owner, taken: &[Push], provider: &Simulated) {
    let told: Vec<(Event, Option<String>)> = owner.kept(|reader| {
        let queued = reader.waiting(&chat(), ForwardId(0)).expect("readable");
        let events = queued.iter().map(|queued| reader.event(&queued.event).expect("readable").expect("kept").0);
        let line = |event: &Event| reader.delivery(event.delivery?).expect("readable")?.summary.event_id;
        events.map(|event| (event.clone(), line(&event).map(|id| id.to_string()))).collect()
    });
    let mut stories: BTreeMap<&IncidentKey, Vec<&str>> = BTreeMap::new();
    for (event, _) in &told {
        stories.entry(&event.incident).or_default().push(event.kind.as_str());
    }
    for truth in provider.inside().truth() {
        let story = stories.get(&truth.key).cloned().unwrap_or_default();
        let times = |kind: &str| story.iter().filter(|told| **told == kind).count();
        let place = |kind: &str| story.iter().position(|told| *told == kind);
        for kind in [EventType::CREATED, EventType::ACKNOWLEDGED, EventType::RESOLVED] {
            assert!(times(kind) <= 1, "{} was told of twice: {kind} in {story:?}", truth.key);
            assert!(place(EventType::CREATED) <= place(kind).or(Some(usize::MAX)), "{}: {story:?}", truth.key);
        }
        assert_eq!(times(EventType::CREATED), 1, "{}: {story:?}", truth.key);
        let now = match truth.state.status {
            Status::Triggered => EventType::CREATED,
            Status::Acknowledged => EventType::ACKNOWLEDGED,
            Status::Resolved => EventType::RESOLVED,
        };
        assert_eq!(times(now), 1, "{} stands so: {story:?}", truth.key);
    }
    for push in taken {
        let body: serde_json::Value = serde_json::from_slice(&push.body).expect("json");
        let kind = happening::name(body["event"]["event_type"].as_str().expect("a type")).expect("a name");
        // What happens once was looked at above; a look may have told of it.
        if kind.is_once() || !owner.desk.forwarder.wants(&kind) {
            continue;
        }
        let of_it = |(event, id): &&(Event, Option<String>)| event.kind == kind && id.as_ref() == Some(&push.event_id);
        assert_eq!(told.iter().filter(of_it).count(), 1, "{} ({kind})", push.event_id);
    }
}

/// A source is as fresh as the last answer that came whole, not as the last try.
pub(super) fn freshness_is_no_newer_than_the_last_success(owner: &Owner, provider: &Simulated) {
    let shown =
        owner.desk.hub.look(|board| board.accounts.values().next().and_then(|known| known.account.rest.last_success));
    let listed = provider.inside().listed;
    assert!(shown <= listed, "fresh as of {shown:?}, but the last list was asked for at {listed:?}");
}

/// One incident of an action.
struct Part<'a> {
    action: &'a Action,
    key: &'a IncidentKey,
    outcome: &'a Outcome,
    /// When that outcome was told: whatever is done later has no part in it.
    told: Timestamp,
}

impl Part<'_> {
    /// From when what happened is taken for this one's doing: after a crash from somewhat before it was asked for.
    fn since(&self) -> Timestamp {
        self.action.at.checked_sub(SignedDuration::from_secs(31)).expect("in range")
    }
}

/// When the outcome of each part of each action was told last, by the audit file.
fn told_at(dir: &Path) -> BTreeMap<(i64, String), Timestamp> {
    let lines = fs::read_to_string(dir.join("audit.jsonl")).unwrap_or_default();
    let told = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("json");
        let at = line["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        ((line["action"].as_i64().expect("a number"), line["incident"].as_str().expect("an id").to_owned()), at)
    });
    told.collect()
}

/// Each action is settled, was done at most once, and is said to have been done only if it was, and not to have
/// been done only if it was not.
pub(super) fn actions_end_truthfully(owner: &Owner, provider: &Simulated, dir: &Path) {
    let told = told_at(dir);
    let mut actions = owner.kept(|reader: &Reader| reader.actions(1_000).expect("readable"));
    actions.sort_by_key(|action| action.id);
    let mut parts = vec![];
    for action in &actions {
        for (key, outcome) in &action.outcomes {
            let told = told.get(&(action.id.0, key.id.to_string()));
            let told =
                *told.unwrap_or_else(|| panic!("what became of action {} on {key} is not in the audit", action.id));
            parts.push(Part { action, key, outcome, told });
        }
    }
    let inside = provider.inside();
    for part in &parts {
        is_truthful(part, &parts, &inside);
    }
    nothing_was_done_more_often_than_asked_for(&parts, &inside);
    nothing_was_opened_that_was_long_over(&inside);
}

/// Whoever was told that an action is taken back can rely on it.
pub(super) fn nothing_taken_back_was_sent(owner: &Owner, taken_back: &BTreeSet<ActionId>) {
    let mut actions = owner.kept(|reader: &Reader| reader.actions(1_000).expect("readable"));
    actions.retain(|action| taken_back.contains(&action.id));
    let was_sent = |outcome: &Outcome| match outcome {
        Outcome::Confirmed { .. } | Outcome::Partly { .. } | Outcome::Unknown { .. } | Outcome::Sent => true,
        Outcome::Failed { .. } | Outcome::Conflict { .. } | Outcome::TakenBack | Outcome::Pending { .. } => false,
    };
    for action in actions {
        let sent = action.outcomes.iter().find(|(_, outcome)| was_sent(outcome));
        assert_eq!(sent, None, "action {} was taken back", action.id);
    }
}

/// How long an answer may be on its way and how far it may lag behind, with the age that a look may have: somebody who
/// resolves an incident in that time cannot be known of.
const UNSEEN: SignedDuration = SignedDuration::from_secs(10);

/// Nobody in here acknowledges what is shown as resolved.
fn nothing_was_opened_that_was_long_over(inside: &Inside) {
    let opened = |done: &&Done| {
        done.deed == Deed::Status(Status::Acknowledged) && done.over_for.is_some_and(|over| over > UNSEEN)
    };
    let opened: Vec<_> = inside.ledger.iter().filter(opened).collect();
    assert!(opened.is_empty(), "opened again: {opened:?}");
}

fn nothing_was_done_more_often_than_asked_for(parts: &[Part<'_>], inside: &Inside) {
    for one in &inside.ledger {
        let of_it: Vec<_> = parts.iter().filter(|part| part.key.id == one.id).collect();
        let wants = |part: &&&Part<'_>| wanted(&part.action.verb, &[&one.deed]) != (0, 0);
        let wanting: Vec<_> = of_it.iter().filter(wants).map(|part| part.outcome).collect();
        let done = inside.ledger.iter().filter(|done| done.id == one.id && done.deed == one.deed).count();
        let not_done = |outcome: &&&Outcome| {
            matches!(outcome, Outcome::Failed { .. } | Outcome::Conflict { .. } | Outcome::TakenBack)
        };
        let most = wanting.len() - wanting.iter().filter(not_done).count();
        assert!(done <= most, "{}: {:?} was done {done} times: {wanting:?}", one.id, one.deed);
        // One that was found after a crash may be that of another action of the last half minute.
        let said = wanting.iter().filter(|outcome| matches!(outcome, Outcome::Confirmed { notice: None })).count();
        let is_note = matches!(one.deed, Deed::Note(_));
        assert!(!is_note || done >= said, "{}: {:?} was done {done} times: {wanting:?}", one.id, one.deed);
    }
}

fn is_truthful(part: &Part<'_>, parts: &[Part<'_>], inside: &Inside) {
    let Part { action, key, outcome, told } = part;
    let since = part.since();
    let others = parts.iter().filter(|other| other.key == *key && other.action.id != action.id);
    // What others wanted of it at the same time cannot be told apart here.
    let crowded = others.clone().any(|other| other.since() <= *told && since <= other.told);
    let from = if crowded { since } else { action.at };
    let until = match outcome {
        // Nor is it done later, as far as that can be told from what others want of it.
        Outcome::Failed { .. } | Outcome::Conflict { .. } | Outcome::TakenBack => {
            others.map(Part::since).filter(|since| since > told).min().unwrap_or(Timestamp::MAX)
        }
        _ => *told,
    };
    let ours = |done: &&Done| done.id == key.id && done.at >= from && done.at <= until;
    let done: Vec<&Deed> = inside.ledger.iter().filter(ours).map(|done| &done.deed).collect();
    let (changed, noted) = wanted(&action.verb, &done);
    assert!(crowded || (changed <= 1 && noted <= 1), "done twice: {action:?}, {done:?}");
    let versions = provider_versions(&inside.incidents, &key.id);
    let stood = |wish: &dyn Fn(&Version) -> bool| stood(versions, wish, action.at, *told);
    let is_with = || stood(&|version| is_with(&action.verb, version, since));
    let truthful = match outcome {
        Outcome::Pending { .. } | Outcome::Sent => false,
        Outcome::Unknown { .. } => true,
        Outcome::Failed { .. } | Outcome::Conflict { .. } | Outcome::TakenBack => crowded || changed + noted == 0,
        Outcome::Partly { done, .. } if done.as_str() == "handed off" => changed > 0 && (crowded || noted == 0),
        Outcome::Partly { .. } => is_with() && (crowded || noted == 0),
        Outcome::Confirmed { .. } => match &action.verb {
            Verb::Note { .. } => noted > 0,
            Verb::Acknowledge => changed > 0 || stood(&|version| version.incident.is_acknowledged_since(since)),
            Verb::Resolve { .. } => changed > 0 || stood(&|version| version.incident.status == Status::Resolved),
            Verb::HandOff { note, .. } => (changed > 0 || is_with()) && noted >= usize::from(note.is_some()),
            _ => false,
        },
    };
    let stood: Vec<_> = versions.iter().map(Version::words).collect();
    assert!(truthful, "{} is said to be {outcome:?}; done: {done:?}; it stood: {stood:?}", describe(part));
}

/// Whether the incident was given since to the person that it was to be handed to.
fn is_with(verb: &Verb, version: &Version, since: Timestamp) -> bool {
    match verb {
        Verb::HandOff { to: Assignee::User(user), .. } => version.incident.is_with_since(&user.id, since),
        _ => false,
    }
}

fn wanted(verb: &Verb, done: &[&Deed]) -> (usize, usize) {
    let times = |wanted: &Deed| done.iter().filter(|deed| **deed == wanted).count();
    match verb {
        Verb::Acknowledge => (times(&Deed::Status(Status::Acknowledged)), 0),
        Verb::Resolve { .. } => (times(&Deed::Status(Status::Resolved)), 0),
        Verb::Note { text } => (0, times(&Deed::Note(text.clone()))),
        Verb::HandOff { to, note } => {
            let Assignee::User(user) = to else { return (0, 0) };
            (times(&Deed::HandOff(user.id.clone())), note.as_ref().map_or(0, |text| times(&Deed::Note(text.clone()))))
        }
        _ => (0, 0),
    }
}

type Versions = [Version];

fn provider_versions<'a>(all: &'a BTreeMap<IncidentId, Vec<Version>>, id: &IncidentId) -> &'a Versions {
    all.get(id).map(Vec::as_slice).unwrap_or_default()
}

/// Whether the incident stood as wished at some time between the two.
fn stood(versions: &Versions, wish: &dyn Fn(&Version) -> bool, from: Timestamp, until: Timestamp) -> bool {
    let ends = versions.iter().skip(1).map(|version| Some(version.at)).chain([None]);
    let spans = versions.iter().zip(ends);
    let mut within = spans.filter(|(version, end)| end.is_none_or(|end| end >= from) && version.at <= until);
    within.any(|(version, _)| wish(version))
}

fn describe(part: &Part<'_>) -> String {
    let Part { action, key, .. } = part;
    format!("action {} ({}) of {} on {key}", action.id, action.verb.word(), action.at)
}
