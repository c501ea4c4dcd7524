//! The hand-off of a shift: what whoever comes next must know, gathered from what is known. A template makes it text.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    fmt::temporal::{DateTimeParser, DateTimePrinter},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::{
    board::{AccountBoard, Board},
    detail::Note,
    freshness::Standing,
    id::{AccountName, IncidentKey, UserId},
    incident::{Incident, Named, Status, Urgency},
    oncall::{OnCall, Schedule},
    query::{self, Clock},
    span,
    template::Fault,
    text::{Shown, ShownBody},
    words::{age, ago, moment, since, zone_name},
};

/// A shift without an end or a beginning that is known is taken to be so long.
pub const USUAL: SignedDuration = SignedDuration::from_hours(12);
/// No shift is longer; more would be the history of the account.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// The template that is taken when none is named; those that are offered for a hand-off have names that begin so.
pub const TEMPLATE: &str = "handoff";
/// Of more open incidents than these the most urgent are told of, and of more resolved ones the newest: nobody reads more,
/// and no template gets through with more in its time. All are counted.
pub const MOST_OPEN: usize = 1000;
pub const MOST_RESOLVED: usize = 500;

/// A hand-off ready to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    pub template: String,
    /// What the template made of it, or what is wrong with it.
    pub text: Result<ShownBody, Fault>,
    /// What it was made of.
    pub facts: Facts,
}

/// What a template sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub shift: Shift,
    pub counts: Counts,
    /// What is open, triggered before acknowledged, high urgency first; at most [`MOST_OPEN`].
    pub open: Vec<Entry>,
    pub triggered: Vec<Entry>,
    pub acknowledged: Vec<Entry>,
    /// Acknowledged ones that come back by themselves: snoozed, or when the acknowledgement ends.
    pub snoozed: Vec<Entry>,
    /// Resolved within the shift, newest first; at most [`MOST_RESOLVED`].
    pub resolved: Vec<Entry>,
    /// Why this may not be all, in words; empty when nothing is missing.
    pub doubts: Vec<Shown>,
}

/// The time that the hand-off tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    pub from: Timestamp,
    pub to: Timestamp,
    /// The same by the clock of whoever asked: `Mon 20:00`.
    pub from_words: Shown,
    pub to_words: Shown,
    /// `CEST`.
    pub zone: Shown,
    /// `12h`.
    pub length: Shown,
}

/// Of all, also of those that are not told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub open: usize,
    pub triggered: usize,
    pub acknowledged: usize,
    pub snoozed: usize,
    pub resolved: usize,
    /// Created within the shift, whatever became of them.
    pub created: usize,
}

/// An incident in a hand-off. Times in words are by the clock of whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub key: IncidentKey,
    /// `#1201`, or the id where there is no number.
    pub name: Shown,
    pub title: Shown,
    pub status: Shown,
    pub urgency: Shown,
    pub priority: Option<Shown>,
    pub service: Option<Shown>,
    pub owners: Vec<Shown>,
    /// When it was created: `3h ago`.
    pub opened: Shown,
    /// Who acknowledged it and when, `38m ago`, where that is known.
    pub acknowledged_by: Option<Shown>,
    pub acknowledged_ago: Option<Shown>,
    /// When it comes back by itself.
    pub returns_at: Option<Shown>,
    /// When and by whom it was resolved, where that is known.
    pub resolved_at: Option<Shown>,
    pub resolved_by: Option<Shown>,
    pub url: Option<Shown>,
    /// Those made within the shift, oldest first.
    pub notes: Vec<NoteEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteEntry {
    pub at: Shown,
    pub author: Shown,
    /// On one line, whatever it was.
    pub text: Shown,
}

/// By whose clock, and when.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    pub from: Timestamp,
    pub now: Timestamp,
    pub zone: &'a TimeZone,
}

/// The incidents that a hand-off speaks of, in its order: what is open, then what was resolved within the shift.
pub fn speaks_of<'a>(board: &'a Board, at: &At<'_>) -> Vec<&'a Incident> {
    let mut open: Vec<_> = board.incidents.values().filter(|incident| incident.state.status.is_open()).collect();
    open.sort_by_key(|incident| {
        let state = &incident.state;
        (state.status, std::cmp::Reverse(state.urgency), std::cmp::Reverse(state.created_at))
    });
    let is_over = |incident: &&Incident| incident.state.status == Status::Resolved && ended_within(board, incident, at);
    let mut resolved: Vec<_> = board.incidents.values().filter(is_over).collect();
    resolved.sort_by_key(|incident| std::cmp::Reverse(incident.stamp.at));
    open.into_iter().chain(resolved).collect()
}

/// Times of an incident are its provider's.
fn ended_within(board: &Board, incident: &Incident, at: &At<'_>) -> bool {
    incident.stamp.at >= board.provider_time(&incident.key.account, at.from)
}

/// Gathers what is known, with the notes that were fetched. `missing`: what could not be fetched, in words.
pub fn gather(board: &Board, notes: &BTreeMap<IncidentKey, Vec<Note>>, missing: Vec<Shown>, at: At<'_>) -> Facts {
    let none = vec![];
    let entry = |incident: &&Incident| entry(board, incident, notes.get(&incident.key).unwrap_or(&none), &at);
    let (open, resolved): (Vec<_>, Vec<_>) =
        speaks_of(board, &at).into_iter().partition(|incident| incident.state.status.is_open());
    let count = |status| open.iter().filter(|incident| incident.state.status == status).count();
    let told: Vec<_> = open.iter().take(MOST_OPEN).map(|incident| (incident.state.status, entry(incident))).collect();
    let of = |status| -> Vec<Entry> {
        told.iter().filter(|(is, _)| *is == status).map(|(_, entry)| entry.clone()).collect()
    };
    let acknowledged = of(Status::Acknowledged);
    let began = |incident: &&Incident| incident.state.created_at >= board.provider_time(&incident.key.account, at.from);
    let counts = Counts {
        open: open.len(),
        triggered: count(Status::Triggered),
        acknowledged: count(Status::Acknowledged),
        snoozed: open.iter().filter(|incident| returns(incident).is_some()).count(),
        resolved: resolved.len(),
        created: board.incidents.values().filter(began).count(),
    };
    Facts {
        shift: shift(&at),
        counts,
        triggered: of(Status::Triggered),
        snoozed: acknowledged.iter().filter(|entry| entry.returns_at.is_some()).cloned().collect(),
        acknowledged,
        open: told.into_iter().map(|(_, entry)| entry).collect(),
        resolved: resolved.iter().take(MOST_RESOLVED).map(entry).collect(),
        doubts: doubts(board, at.now).into_iter().chain(missing).chain(left_out(&counts)).collect(),
    }
}

/// What is counted and not told of.
fn left_out(counts: &Counts) -> Vec<Shown> {
    let (open, resolved) = (counts.open, counts.resolved);
    let open = (open > MOST_OPEN).then(|| format!("of {open} open incidents the {MOST_OPEN} most urgent are told of"));
    let resolved = (resolved > MOST_RESOLVED)
        .then(|| format!("of {resolved} resolved incidents the {MOST_RESOLVED} newest are told of"));
    open.into_iter().chain(resolved).map(|words| Shown::line(&words)).collect()
}

/// When an acknowledged incident comes back by itself.
fn returns(incident: &Incident) -> Option<Timestamp> {
    let extra = incident.extra().filter(|_| incident.state.status == Status::Acknowledged)?;
    extra.pending.iter().find(|pending| pending.what.as_str() == "unacknowledge").map(|pending| pending.at)
}

fn shift(at: &At<'_>) -> Shift {
    let words = |time| Shown::line(&moment(time, at.now, at.zone));
    Shift {
        from: at.from,
        to: at.now,
        from_words: words(at.from),
        to_words: words(at.now),
        zone: Shown::line(&zone_name(at.now, at.zone)),
        length: Shown::line(&age(since(at.from, at.now))),
    }
}

/// A source that does not answer may hide what the next person must know.
fn doubts(board: &Board, now: Timestamp) -> Vec<Shown> {
    let doubt = |known: &AccountBoard| {
        let account = &known.account;
        let name = &account.name;
        if account.rest_off.is_some() {
            return Some(format!("{name}: only what webhooks told is known"));
        }
        match account.rest_standing(now) {
            Standing::Fresh { .. } => None,
            Standing::Waiting => Some(format!("{name}: the provider has not answered yet")),
            Standing::Stale { age: old, cause } => Some(format!("{name}: this is {} old: {cause}", age(old))),
            Standing::Down { cause } => Some(format!("{name}: no answer yet: {cause}")),
        }
    };
    board.accounts.values().filter_map(doubt).map(|doubt| Shown::line(&doubt)).collect()
}

fn entry(board: &Board, incident: &Incident, notes: &[Note], at: &At<'_>) -> Entry {
    let state = &incident.state;
    let theirs = board.provider_time(&incident.key.account, at.now);
    let extra = incident.extra();
    let words = |time| Shown::line(&moment(time, at.now, at.zone));
    let acked = extra.filter(|_| state.status == Status::Acknowledged).and_then(|extra| extra.acknowledged.last());
    let is_over = state.status == Status::Resolved;
    let urgency = if state.urgency == Urgency::High { "high" } else { "low" };
    Entry {
        key: incident.key.clone(),
        name: Shown::line(&board.name(incident)),
        title: Shown::line(&incident.headline()),
        status: state.status.word().into(),
        urgency: urgency.into(),
        priority: state.priority.clone(),
        service: state.service.as_ref().map(|service| service.name.clone()),
        owners: state.assignees.iter().map(|user| user.name.clone()).collect(),
        opened: Shown::line(&ago(since(state.created_at, theirs))),
        acknowledged_by: acked.map(|(_, who)| who.clone()),
        acknowledged_ago: acked.map(|(when, _)| Shown::line(&ago(since(*when, theirs)))),
        returns_at: returns(incident).map(words),
        resolved_at: is_over.then(|| words(incident.stamp.at)),
        resolved_by: extra.filter(|_| is_over).and_then(|extra| extra.changed_by.clone()),
        url: state.url.clone(),
        notes: notes_within(board, &incident.key.account, notes, at),
    }
}

fn notes_within(board: &Board, account: &AccountName, notes: &[Note], at: &At<'_>) -> Vec<NoteEntry> {
    let from = board.provider_time(account, at.from);
    let mut within: Vec<_> = notes.iter().filter(|note| note.at >= from).collect();
    within.sort_by_key(|note| note.at);
    let entry = |note: &Note| NoteEntry {
        at: Shown::line(&moment(note.at, at.now, at.zone)),
        author: note.author.clone(),
        text: Shown::line(&note.content.lines().collect::<Vec<_>>().join(" / ")),
    };
    within.into_iter().map(entry).collect()
}

/// A zone as it is told to the server: its name, or what it is where it has none.
pub fn zone_text(zone: &TimeZone) -> String {
    DateTimePrinter::new().time_zone_to_string(zone).unwrap_or_else(|_| "UTC".to_owned())
}

/// The zone that [`zone_text`] told of.
pub fn zone_of(text: &str) -> Result<TimeZone, String> {
    let read = DateTimeParser::new().parse_time_zone(text);
    read.map_err(|_| format!("there is no time zone `{}` here", Shown::line(text)))
}

/// When a shift began, as people say it: `8h` ago, `20:00`, `mon 08:00`, `2025-06-09 20:00`.
pub fn begun(text: &str, clock: Clock<'_>) -> Result<Timestamp, String> {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix("since ").unwrap_or(&text);
    let from = match query::span(text) {
        Some(length) => clock.now.checked_sub(length).map_err(|_| format!("`{text}` is too long ago"))?,
        None => last(text, clock)?,
    };
    if from >= clock.now {
        return Err(format!("`{text}` is not over yet: a shift is told of from a time that has passed"));
    }
    if clock.now.duration_since(from) > LONGEST {
        return Err("that is more than 31 days ago".into());
    }
    Ok(from)
}

/// The last time that it was so late; a time of the day within a day, with the name of a day within a week.
fn last(text: &str, clock: Clock<'_>) -> Result<Timestamp, String> {
    let mut wrong = String::new();
    for days in [1, 7] {
        let after = clock.now.checked_sub(SignedDuration::from_hours(24 * days)).map_err(|error| error.to_string())?;
        match span::moment(text, after, clock) {
            Ok(at) if at <= clock.now || days == 7 => return Ok(at),
            Ok(_) => {}
            Err(why) => wrong = format!("{why}, or for example 8h"),
        }
    }
    Err(wrong)
}

/// Who comes next, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    pub user: Named<UserId>,
    /// `None`: on call already.
    pub from: Option<Timestamp>,
}

/// Who is on call after `me` for an incident: by the schedule that put me there, for its policy first; else who is on
/// call now at the first level of its policy. `now` is the provider's.
pub fn next(board: &AccountBoard, me: &UserId, incident: &Incident, now: Timestamp) -> Option<Next> {
    let policy = incident.state.escalation_policy.as_ref().map(|policy| &policy.id);
    let mut mine: Vec<&OnCall> = board.oncalls.iter().filter(|on| on.user.id == *me && on.schedule.is_some()).collect();
    mine.sort_by_key(|on| (Some(&on.policy.id) != policy, on.level));
    mine.iter().find_map(|on| after(board, me, on, now)).or_else(|| {
        let mut others: Vec<_> = board.oncalls.iter().filter(|on| Some(&on.policy.id) == policy).collect();
        others.sort_by_key(|on| on.level);
        others.into_iter().filter(|on| on.user.id != *me).find_map(|on| {
            // Whose time is over has it no more: by their schedule it is who came after them.
            if on.has_ended(now) { after(board, me, on, now) } else { Some(Next { user: on.user.clone(), from: None }) }
        })
    })
}

/// The first shift of somebody else behind mine.
fn after(board: &AccountBoard, me: &UserId, on: &OnCall, now: Timestamp) -> Option<Next> {
    let id = &on.schedule.as_ref()?.id;
    let schedule: &Schedule = board.schedules.iter().find(|known| known.schedule.id == *id)?;
    let shift = schedule.shifts.iter().find(|shift| shift.end > now && shift.user.id != *me)?;
    Some(Next { user: shift.user.clone(), from: (shift.start > now).then_some(shift.start) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::{self, alice, board, bob, key, now, zone};

    fn at(zone: &TimeZone, hours: i64) -> At<'_> {
        At { from: fixtures::ago(hours * 3600), now: now(), zone }
    }

    fn note(seconds: i64, text: &str) -> Note {
        Note { at: fixtures::ago(seconds), author: "Bob Okafor".into(), content: ShownBody::new(text) }
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn a_hand_off_tells_of_all_that_is_open_and_of_what_was_resolved_within_the_shift() {
        let zone = zone();
        let facts = gather(&board(), &BTreeMap::new(), vec![], at(&zone, 12));

        assert_eq!(names(&facts.open), ["#1201", "#1200", "#1198", "#1195", "#1190"]);
        assert_eq!(names(&facts.resolved), ["#1187", "#1180"]);
        assert_eq!(names(&facts.snoozed), ["#1195"]);
        assert_eq!((facts.counts.open, facts.counts.created), (5, 6));
        assert_eq!(facts.doubts, []);
        let queue = &facts.acknowledged[0];
        assert_eq!(queue.acknowledged_by, Some("Alice Moreau".into()));
        assert_eq!(
            (queue.acknowledged_ago.clone(), queue.returns_at.clone()),
            (Some("38m ago".into()), Some("04:47".into()))
        );

        let short = gather(&board(), &BTreeMap::new(), vec![], at(&zone, 1));
        assert_eq!(names(&short.resolved), ["#1187"]);
        assert_eq!(short.counts.open, 5, "what is open is open however old");
    }

    #[test]
    fn after_a_storm_the_most_urgent_and_the_newest_are_told_of_and_all_are_counted() {
        let (mut board, zone) = (board(), zone());
        let few = gather(&board, &BTreeMap::new(), vec![], at(&zone, 12));
        for (of, more) in [(&few.open[0].key, MOST_OPEN), (&few.resolved[0].key, MOST_RESOLVED)] {
            let one = board.incidents[of].clone();
            for n in 0..more {
                let incident = Incident { key: key(&format!("{}{n}", of.id)), ..one.clone() };
                board.incidents.insert(incident.key.clone(), incident);
            }
        }

        let facts = gather(&board, &BTreeMap::new(), vec![], at(&zone, 12));

        assert_eq!((facts.counts.open, facts.open.len()), (few.counts.open + MOST_OPEN, MOST_OPEN));
        assert_eq!((facts.counts.resolved, facts.resolved.len()), (few.counts.resolved + MOST_RESOLVED, MOST_RESOLVED));
        assert_eq!(facts.counts.triggered, few.counts.triggered + MOST_OPEN);
        assert_eq!((facts.counts.acknowledged, facts.counts.snoozed), (few.counts.acknowledged, few.counts.snoozed));
        assert!(facts.open.iter().all(|entry| entry.status.as_str() == "triggered"));
        let words: Vec<_> = facts.doubts.iter().map(Shown::as_str).collect();
        assert_eq!(
            words,
            [
                "of 1005 open incidents the 1000 most urgent are told of",
                "of 502 resolved incidents the 500 newest are told of"
            ]
        );
    }

    #[test]
    fn notes_of_before_the_shift_are_left_out_and_the_others_stand_in_order() {
        let notes = [(key("Q1DISK"), vec![note(60, "second"), note(100, "first"), note(9000, "long ago")])].into();
        let zone = zone();
        let facts = gather(&board(), &notes, vec![], at(&zone, 2));

        let texts: Vec<_> = facts.open[0].notes.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(texts, ["first", "second"]);
    }

    #[test]
    fn a_zone_is_told_and_read_again_with_or_without_a_name() {
        let fixed = TimeZone::fixed(jiff::tz::offset(5));
        for zone in [zone(), TimeZone::UTC, fixed] {
            assert_eq!(zone_of(&zone_text(&zone)).map(|read| read.to_offset(now())), Ok(zone.to_offset(now())));
        }
        assert!(zone_of("Mars/Olympus").is_err());
    }

    #[test]
    fn a_source_that_does_not_answer_is_said() {
        let mut board = board();
        board.accounts.values_mut().for_each(|known| known.account.rest.last_success = None);
        let zone = zone();

        let facts = gather(&board, &BTreeMap::new(), vec!["notes of #1: none".into()], at(&zone, 2));

        assert_eq!(facts.doubts.len(), 2, "{:?}", facts.doubts);
    }

    #[test]
    fn a_beginning_is_read_as_people_say_it() {
        let zone = zone();
        let clock = Clock { now: now(), zone: &zone };
        // It is Tuesday, 04:17:30 in Berlin.
        for (text, at) in [
            ("8h", "2025-06-09T18:17:30Z"),
            ("20:00", "2025-06-09T18:00:00Z"),
            ("since 04:00", "2025-06-10T02:00:00Z"),
            ("fri 08:00", "2025-06-06T06:00:00Z"),
            ("2025-06-09 08:00", "2025-06-09T06:00:00Z"),
        ] {
            assert_eq!(begun(text, clock), Ok(at.parse().expect("time")), "{text}");
        }
        for (text, words) in [("soon", "no time"), ("2025-06-11 08:00", "not over yet"), ("90d", "31 days"), ("", "")] {
            let why = begun(text, clock).expect_err(text);
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    #[test]
    fn after_me_comes_who_the_schedule_puts_there_next() {
        let board = board();
        let known = board.accounts.values().next().expect("account");
        let disk = &board.incidents[&key("Q1DISK")];

        let next = next(known, &alice().id, disk, now()).expect("somebody");

        assert_eq!(next, Next { user: bob(), from: Some("2025-06-10T06:00:00Z".parse().expect("time")) });
    }

    #[test]
    fn without_a_schedule_of_mine_it_is_who_is_on_call_for_the_policy() {
        let board = board();
        let mut known = board.accounts.values().next().expect("account").clone();
        known.schedules.clear();
        let disk = &board.incidents[&key("Q1DISK")];

        assert_eq!(next(&known, &alice().id, disk, now()), Some(Next { user: bob(), from: None }));
        known.oncalls.clear();
        assert_eq!(next(&known, &alice().id, disk, now()), None);
    }
}
