//! Schedules as people ask about them: who has the pager now, who is next, where nobody is, and when it is my turn.
//! What lies beyond the known days is said to do so.

pub mod grid;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    board::AccountBoard,
    escalation::Responder,
    id::{OverrideId, PolicyId, ScheduleId, UserId},
    incident::Named,
    oncall::{OnCall, Schedule, Shift},
};

/// Where a stretch begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// There somebody takes over, or nobody does.
    At(Timestamp),
    /// Not known: the provider cut it there, and it reaches further.
    Beyond(Timestamp),
}

impl Edge {
    pub fn known(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Beyond(_) => None,
        }
    }
}

/// A stretch of a schedule with somebody or nobody on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch<'a> {
    pub start: Edge,
    pub end: Edge,
    /// `None`: nobody.
    pub who: Option<&'a Named<UserId>>,
    pub from_override: bool,
    pub now: bool,
}

/// What is left of the shifts at `now`, with the gaps between them.
pub fn stretches(schedule: &Schedule, now: Timestamp) -> Vec<Stretch<'_>> {
    let mut out = vec![];
    let mut reached = now;
    for shift in schedule.shifts.iter().filter(|shift| shift.end > now) {
        if shift.start > reached {
            let (now, start, end) = (reached == now, Edge::At(reached), Edge::At(shift.start));
            out.push(Stretch { start, end, who: None, from_override: false, now });
        }
        out.push(Stretch {
            start: edge(shift.start, schedule.cuts_start_of(shift)),
            end: edge(shift.end, schedule.cuts_end_of(shift)),
            who: Some(&shift.user),
            from_override: shift.from_override,
            now: shift.start <= now,
        });
        reached = reached.max(shift.end);
    }
    out
}

fn edge(at: Timestamp, is_cut: bool) -> Edge {
    if is_cut { Edge::Beyond(at) } else { Edge::At(at) }
}

/// Who follows on a schedule after those who have it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relief<'a> {
    /// Nobody, until somebody comes, when that is known.
    Gap {
        from: Timestamp,
        until: Option<Timestamp>,
    },
    Person(Stretch<'a>),
    /// Whoever is on now stays at least until then.
    Beyond(Timestamp),
}

/// What comes after what is now.
pub fn relief(schedule: &Schedule, now: Timestamp) -> Relief<'_> {
    let all = stretches(schedule, now);
    let next = all.iter().find(|stretch| !stretch.now);
    match next {
        Some(stretch) => match (stretch.who, stretch.start) {
            (None, Edge::At(from)) => Relief::Gap { from, until: stretch.end.known() },
            _ => Relief::Person(*stretch),
        },
        None => match all.last().map(|stretch| stretch.end) {
            Some(Edge::At(from)) if from < schedule.to => Relief::Gap { from, until: None },
            Some(Edge::At(to) | Edge::Beyond(to)) => Relief::Beyond(to),
            None => Relief::Gap { from: now, until: None },
        },
    }
}

/// Who follows somebody on their schedule, also where their time is over: `now` is then before the hand-over. `None`
/// where the schedule was asked for after that, and does not reach back to it.
pub fn relief_of<'a>(on: &OnCall, schedule: &'a Schedule, now: Timestamp) -> Option<Relief<'a>> {
    let Some(end) = on.end.filter(|_| on.has_ended(now)) else { return Some(relief(schedule, now)) };
    let before = end.checked_sub(SignedDuration::from_secs(1)).unwrap_or(end);
    (schedule.from <= before).then(|| relief(schedule, before))
}

/// Whether somebody's time at this level is over since it was told: who has it now is not known before it is asked for
/// again.
pub fn has_turned(oncalls: &[OnCall], policy: &PolicyId, level: u32, now: Timestamp) -> bool {
    oncalls.iter().any(|on| on.policy.id == *policy && on.level == level && on.has_ended(now))
}

/// Who is on call by a schedule that has others, or nobody, at `now`: it was changed since it was asked for.
pub fn contradictions(board: &AccountBoard, now: Timestamp) -> BTreeSet<(ScheduleId, UserId)> {
    let runs = |on: &&OnCall| on.start.is_none_or(|start| start <= now) && !on.has_ended(now);
    let contradicted = |on: &OnCall| {
        let id = &on.schedule.as_ref()?.id;
        let known = board.schedules.iter().find(|known| known.schedule.id == *id)?;
        let covers = known.from <= now && now < known.to;
        let is_another = covers && known.on_duty(now).all(|shift| shift.user.id != on.user.id);
        is_another.then(|| (id.clone(), on.user.id.clone()))
    };
    board.oncalls.iter().filter(runs).filter_map(contradicted).collect()
}

/// The schedules that somebody is on call by, or that a policy calls.
pub fn called(board: &AccountBoard) -> BTreeSet<&ScheduleId> {
    let on_call = board.oncalls.iter().filter_map(|on| on.schedule.as_ref());
    let responders = board.escalation.iter().flat_map(|policy| &policy.rules).flat_map(|rule| &rule.responders);
    let named = responders.filter_map(|responder| match responder {
        Responder::Schedule(schedule) => Some(schedule),
        Responder::User(_) | Responder::Other(_) => None,
    });
    on_call.chain(named).map(|schedule| &schedule.id).collect()
}

/// One level of a policy that has nobody on call, although the policy has rules for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmptyLevel {
    pub policy: Named<PolicyId>,
    pub level: u32,
    /// Through which schedules somebody could be there.
    pub schedules: Vec<Named<ScheduleId>>,
}

/// The levels of an account on which nobody is, as far as the policies are known.
pub fn empty_levels(board: &AccountBoard) -> Vec<EmptyLevel> {
    let mut out = vec![];
    for policy in &board.escalation {
        for (level, rule) in policy.levels() {
            let taken = |on: &OnCall| on.policy.id == policy.policy.id && on.level == level;
            let schedules = rule.responders.iter().map(|responder| match responder {
                Responder::Schedule(schedule) => Some(schedule.clone()),
                Responder::User(_) | Responder::Other(_) => None,
            });
            // A person who is named by the rule itself is always there.
            let Some(schedules) = schedules.collect::<Option<Vec<_>>>() else { continue };
            if !board.oncalls.iter().any(taken) {
                out.push(EmptyLevel { policy: policy.policy.clone(), level, schedules });
            }
        }
    }
    out
}

/// The duties of `user` that run at `now`, the first to be paged first; and the next to begin.
pub fn turns<'a>(duties: &'a [OnCall], user: &UserId, now: Timestamp) -> (Vec<&'a OnCall>, Option<&'a OnCall>) {
    let mine = || duties.iter().filter(|on| on.user.id == *user && !on.has_ended(now));
    let runs = |on: &&OnCall| on.start.is_none_or(|start| start <= now);
    let mut running: Vec<_> = mine().filter(runs).collect();
    running.sort_by_key(|on| (on.level, on.end.is_some(), std::cmp::Reverse(on.end)));
    let next = mine().filter(|on| !runs(on)).min_by_key(|on| (on.start, on.level));
    (running, next)
}

/// Somebody put in another's place on a schedule, or beside them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Override {
    pub id: OverrideId,
    pub start: Timestamp,
    pub end: Timestamp,
    pub user: Named<UserId>,
}

/// Whose shifts lie in a span, in order, nobody twice; and whether a part of it has nobody.
pub fn replaced(schedule: &Schedule, from: Timestamp, to: Timestamp) -> (Vec<Named<UserId>>, bool) {
    let touching = |shift: &&Shift| shift.start < to && shift.end > from;
    let (mut people, mut reached, mut gap): (Vec<Named<UserId>>, _, _) = (vec![], from, false);
    for shift in schedule.shifts.iter().filter(touching) {
        gap |= shift.start > reached;
        reached = reached.max(shift.end);
        if !people.contains(&shift.user) {
            people.push(shift.user.clone());
        }
    }
    (people, gap || reached < to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 3600 * hour).expect("small")
    }

    fn user(name: &str) -> Named<UserId> {
        Named { id: UserId::new(name).expect("id"), name: name.into() }
    }

    fn schedule(shifts: &[(i64, i64, &str)]) -> Schedule {
        let shift = |(from, to, name): &(i64, i64, &str)| Shift {
            start: at(*from),
            end: at(*to),
            user: user(name),
            from_override: false,
        };
        Schedule {
            schedule: Named { id: ScheduleId::new("S1").expect("id"), name: "Primary".into() },
            zone: "UTC".into(),
            shifts: shifts.iter().map(shift).collect(),
            from: at(0),
            to: at(168),
        }
    }

    #[test]
    fn who_comes_next_is_a_person_or_nobody_or_lies_beyond_what_is_known() {
        let next = |shifts: &[(i64, i64, &str)], now| match relief(&schedule(shifts), at(now)) {
            Relief::Person(stretch) => stretch.who.map_or("nobody".into(), |who| who.name.to_string()),
            Relief::Gap { from, until } => format!("gap {:?} {:?}", from == at(8), until.map(|until| until == at(9))),
            Relief::Beyond(to) => format!("beyond {}", to == at(168)),
        };

        assert_eq!(next(&[(0, 8, "ann"), (8, 16, "bob")], 1), "bob");
        assert_eq!(next(&[(0, 8, "ann"), (9, 16, "bob")], 1), "gap true Some(true)");
        assert_eq!(next(&[(0, 8, "ann")], 1), "gap true None");
        assert_eq!(next(&[(0, 168, "ann")], 1), "beyond true");
        assert_eq!(next(&[(9, 16, "bob")], 8), "bob");
    }

    #[test]
    fn my_turn_now_is_the_lowest_level_and_the_next_is_the_first_to_begin() {
        let on = |level, start, end| OnCall {
            policy: Named { id: PolicyId::new("E1").expect("id"), name: "Payments".into() },
            level,
            user: user("ann"),
            schedule: None,
            start: Some(at(start)),
            end: Some(at(end)),
        };
        let duties = [on(2, 0, 9), on(1, 0, 8), on(1, 40, 48), on(3, 30, 31), on(1, -9, -1)];

        let (running, next) = turns(&duties, &user("ann").id, at(1));

        assert_eq!(running.iter().map(|on| on.level).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(next.and_then(|on| on.start), Some(at(30)));
        assert_eq!(turns(&duties, &user("bob").id, at(1)), (vec![], None));
    }

    #[test]
    fn after_somebody_whose_time_is_over_comes_who_came_then_if_the_schedule_reaches_back_to_it() {
        let on = OnCall {
            policy: Named { id: PolicyId::new("E1").expect("id"), name: "Payments".into() },
            level: 1,
            user: user("ann"),
            schedule: None,
            start: None,
            end: Some(at(8)),
        };
        let mut schedule = schedule(&[(0, 8, "ann"), (8, 16, "bob"), (16, 24, "carol")]);
        let follows = |schedule: &Schedule, hour| match relief_of(&on, schedule, at(hour)) {
            Some(Relief::Person(stretch)) => stretch.who.map(|who| who.name.to_string()),
            _ => None,
        };

        assert_eq!([7, 8, 9].map(|hour| follows(&schedule, hour)), [7, 8, 9].map(|_| Some("bob".to_owned())));
        assert_eq!([7, 8].map(|hour| has_turned(std::slice::from_ref(&on), &on.policy.id, 1, at(hour))), [false, true]);
        schedule.from = at(8);
        assert_eq!(follows(&schedule, 9), None);
    }

    #[test]
    fn an_override_replaces_all_whose_shifts_it_touches_and_no_one_else() {
        let schedule = schedule(&[(0, 8, "ann"), (8, 16, "bob"), (20, 24, "ann")]);
        let names = |from, to| {
            let (people, gap) = replaced(&schedule, at(from), at(to));
            (people.iter().map(|one| one.name.to_string()).collect::<Vec<_>>().join(" "), gap)
        };

        assert_eq!(names(1, 8), ("ann".into(), false));
        assert_eq!(names(7, 9), ("ann bob".into(), false));
        assert_eq!(names(15, 21), ("bob ann".into(), true));
        assert_eq!(names(17, 18), (String::new(), true));
    }

    proptest! {
        #[test]
        fn stretches_leave_no_moment_out_between_now_and_the_last_shift(
            cuts in proptest::collection::btree_set(0..168i64, 2..9), now in 0..168i64
        ) {
            let cuts: Vec<i64> = cuts.into_iter().collect();
            let shifts: Vec<_> = cuts.chunks_exact(2).map(|pair| (pair[0], pair[1], "ann")).collect();
            let schedule = schedule(&shifts);

            let all = stretches(&schedule, at(now));

            let mut reached = None;
            for stretch in &all {
                let (start, end) = (edge_at(stretch.start), edge_at(stretch.end));
                prop_assert!(start < end);
                prop_assert!(reached.is_none_or(|reached| reached == start));
                reached = Some(end);
            }
            prop_assert!(all.first().is_none_or(|first| edge_at(first.start) <= at(now)));
        }
    }

    fn edge_at(edge: Edge) -> Timestamp {
        match edge {
            Edge::At(at) | Edge::Beyond(at) => at,
        }
    }
}
