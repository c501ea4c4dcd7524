//! Who is on call when: layers, their restrictions and the overrides on top, laid over each other.
//! A shift is true at both ends; cutting it to a window is left to who renders it.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    super::clock,
    account::{Account, Layer, PolicyIx, Schedule, ScheduleIx, Target, UserIx},
};

const DAY: i64 = 86_400;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) user: UserIx,
}

impl Shift {
    fn within(&self, start: Timestamp, end: Timestamp) -> Option<Self> {
        let cut = Self { start: self.start.max(start), end: self.end.min(end), user: self.user };
        (cut.start < cut.end).then_some(cut)
    }
}

/// The zone by name; UTC when this machine does not know it.
pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// One day's hours of a restricted layer.
fn hours(layer: &Layer, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let daily = layer.daily?;
    let from = date.to_datetime(daily.from).to_zoned(zone.clone()).ok()?.timestamp();
    Some((from, clock::after(from, daily.seconds)))
}

/// What is left of a turn when only some hours of the day count.
fn restrict(layer: &Layer, turn: &Shift, zone: &TimeZone) -> Vec<Shift> {
    if layer.daily.is_none() {
        return vec![turn.clone()];
    }
    let first = clock::after(turn.start, -DAY).to_zoned(zone.clone()).date();
    let last = clock::after(turn.end, DAY).to_zoned(zone.clone()).date();
    first
        .series(jiff::ToSpan::days(1))
        .take_while(|date| *date <= last)
        .filter_map(|date| hours(layer, date, zone).and_then(|(from, to)| turn.within(from, to)))
        .collect()
}

/// The turns of one layer that touch the window.
pub(crate) fn layer_shifts(layer: &Layer, zone: &TimeZone, since: Timestamp, until: Timestamp) -> Vec<Shift> {
    let passed = since.as_second().saturating_sub(layer.start.as_second()).div_euclid(layer.turn_seconds).max(0);
    let mut out = vec![];
    for turn in passed.. {
        let start = clock::after(layer.start, turn.saturating_mul(layer.turn_seconds));
        if start >= until {
            break;
        }
        let people = i64::try_from(layer.users.len()).unwrap_or(1);
        let user = layer.users[usize::try_from(turn.rem_euclid(people)).unwrap_or(0)];
        out.extend(restrict(layer, &Shift { start, end: clock::after(start, layer.turn_seconds), user }, zone));
    }
    out.retain(|s| s.start < until && s.end > since);
    out
}

/// `base` with the hours of `top` cut out.
fn cut(base: Vec<Shift>, top: &Shift) -> Vec<Shift> {
    let parts = |shift: Shift| {
        if shift.end <= top.start || shift.start >= top.end {
            return vec![shift];
        }
        let before = shift.within(shift.start, top.start);
        let behind = shift.within(top.end, shift.end);
        before.into_iter().chain(behind).collect()
    };
    base.into_iter().flat_map(parts).collect()
}

fn lay(base: Vec<Shift>, top: Vec<Shift>) -> Vec<Shift> {
    let mut out = top.iter().fold(base, cut);
    out.extend(top);
    out.sort_by_key(|s| s.start);
    out
}

/// Neighbours of the same person become one.
fn joined(shifts: Vec<Shift>) -> Vec<Shift> {
    let mut out: Vec<Shift> = vec![];
    for shift in shifts {
        match out.last_mut() {
            Some(last) if last.user == shift.user && last.end == shift.start => last.end = shift.end,
            _ => out.push(shift),
        }
    }
    out
}

/// The overrides alone, as they cover each other.
pub(crate) fn override_shifts(schedule: &Schedule, since: Timestamp, until: Timestamp) -> Vec<Shift> {
    let one = |o: &super::account::Override| Shift { start: o.start, end: o.end, user: o.user };
    let mut out = schedule.overrides.iter().map(one).fold(vec![], |under, top| lay(under, vec![top]));
    out.retain(|s| s.start < until && s.end > since);
    out
}

/// Who is on call, overrides applied, for every shift that touches the window.
pub(crate) fn final_shifts(schedule: &Schedule, since: Timestamp, until: Timestamp) -> Vec<Shift> {
    let zone = zone(schedule.zone);
    // Wide enough that a shift which reaches into the window is seen whole.
    let reach = DAY + 2 * schedule.layers.iter().map(|l| l.turn_seconds).max().unwrap_or(DAY);
    let (wide_since, wide_until) = (clock::after(since, -reach), clock::after(until, reach));
    let layers = schedule.layers.iter().map(|layer| layer_shifts(layer, &zone, wide_since, wide_until));
    let under = layers.fold(vec![], lay);
    let mut out = joined(lay(under, override_shifts(schedule, wide_since, wide_until)));
    out.retain(|s| s.start < until && s.end > since);
    out
}

/// Shifts cut at the window's ends.
pub(crate) fn cut_to(shifts: &[Shift], since: Timestamp, until: Timestamp) -> Vec<Shift> {
    shifts.iter().filter_map(|s| s.within(since, until)).collect()
}

/// How much of the window is covered, in percent with one decimal.
pub(crate) fn coverage(shifts: &[Shift], since: Timestamp, until: Timestamp) -> f64 {
    let seconds = |a: Timestamp, b: Timestamp| b.as_second().saturating_sub(a.as_second()).max(0);
    let covered: i64 = cut_to(shifts, since, until).iter().map(|s| seconds(s.start, s.end)).sum();
    let tenths = covered.saturating_mul(1000) / seconds(since, until).max(1);
    f64::from(i32::try_from(tenths).unwrap_or(1000)) / 10.0
}

/// One row of "who is on call": a person at a level, with the shift it comes from (none: always).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Duty {
    pub(crate) policy: PolicyIx,
    /// Counted from 0.
    pub(crate) level: usize,
    pub(crate) user: UserIx,
    pub(crate) shift: Option<(ScheduleIx, Shift)>,
}

impl Account {
    /// Every duty of every policy that touches the window.
    pub(crate) fn duties(&self, since: Timestamp, until: Timestamp) -> Vec<Duty> {
        let all = |ix: usize| self.schedules.get(ix).map_or(vec![], |s| final_shifts(s, since, until));
        let rendered: Vec<_> = (0..self.schedules.len()).map(all).collect();
        let mut out = vec![];
        for (p, policy) in self.policies.iter().enumerate() {
            for (level, rule) in policy.rules.iter().enumerate() {
                for target in &rule.targets {
                    let policy = PolicyIx(p);
                    match *target {
                        Target::User(user) => out.push(Duty { policy, level, user, shift: None }),
                        Target::Schedule(ix) => out.extend(rendered[ix.0].iter().map(|shift| Duty {
                            policy,
                            level,
                            user: shift.user,
                            shift: Some((ix, shift.clone())),
                        })),
                    }
                }
            }
        }
        out
    }

    /// Who would be called at this level of the policy now; nobody twice.
    pub(crate) fn on_call(&self, policy: PolicyIx, level: usize, now: Timestamp) -> Vec<UserIx> {
        let Some(rule) = self.policy(policy).rules.get(level) else { return vec![] };
        let mut out: Vec<UserIx> = vec![];
        for target in &rule.targets {
            let users: Vec<UserIx> = match *target {
                Target::User(user) => vec![user],
                Target::Schedule(ix) => {
                    final_shifts(self.schedule(ix), now, clock::after(now, 1)).iter().take(1).map(|s| s.user).collect()
                }
            };
            for user in users {
                if !out.contains(&user) {
                    out.push(user);
                }
            }
        }
        out
    }
}
