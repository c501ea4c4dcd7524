//! The fake's one schedule, with alice on it for ever but for overrides, and its maintenance windows.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Fake, person};
use crate::{
    core::{
        arrangement::Cover,
        id::{OverrideId, ScheduleId, ServiceId, UserId, WindowId},
        incident::Named,
        load::Page,
        oncall::{OnCall, Schedule, Shift},
        rota::Override,
        service::{Service, Window},
        span::Span,
        text::Shown,
    },
    provider::{Added, ProviderError, Removed, Rota, Schedules},
};

/// What the fake keeps of it.
#[derive(Default)]
pub(in crate::server) struct Kept {
    overrides: Vec<Override>,
    windows: Vec<Window>,
    /// The answers to the next overrides, in place of doing them.
    answers: Vec<Added>,
    /// The schedules as a list of them tells, and how often that was asked for.
    schedules: Schedules,
    lists: usize,
    /// Who is there once the next of these was given.
    with_the_answer: Option<(Named<UserId>, Span)>,
}

impl Kept {
    pub(super) fn schedules(&mut self, now: Timestamp) -> Schedules {
        self.lists += 1;
        let mut found = self.schedules.clone();
        found.all.iter_mut().for_each(|schedule| schedule.from = now);
        found
    }

    fn put(&mut self, user: &Named<UserId>, span: Span) -> Override {
        let id = OverrideId::new(format!("Q{}", self.overrides.len())).expect("id");
        let made = Override { id, start: span.from, end: span.to, user: user.clone() };
        self.overrides.push(made.clone());
        made
    }
}

impl Fake {
    /// The schedules from now on.
    pub(in crate::server) fn set_schedules(&self, schedules: Schedules) {
        self.inside().rota.schedules = schedules;
    }

    /// How often the list of schedules was asked for.
    pub(in crate::server) fn schedule_lists(&self) -> usize {
        self.inside().rota.lists
    }

    /// The next override that is asked for is answered so, and not made.
    pub(in crate::server) fn answer_override(&self, added: Added) {
        self.inside().rota.answers.push(added);
    }

    /// With the next such answer `user` is there.
    pub(in crate::server) fn put_override_with_the_answer(&self, user: &str, span: Span) {
        self.inside().rota.with_the_answer = Some((person(user), span));
    }

    /// Somebody else puts `user` there.
    pub(in crate::server) fn put_override(&self, user: &str, span: Span) -> Override {
        self.inside().rota.put(&person(user), span)
    }

    pub(in crate::server) fn overrides_made(&self) -> usize {
        self.inside().rota.overrides.len()
    }

    pub(in crate::server) fn windows_made(&self) -> usize {
        self.inside().rota.windows.len()
    }
}

/// The span in pieces: alice, but for the overrides, of which later ones win.
fn shifts(kept: &Kept, span: Span) -> Vec<Shift> {
    let touching = || kept.overrides.iter().filter(|one| one.start < span.to && one.end > span.from);
    let mut cuts: Vec<Timestamp> = touching().flat_map(|one| [one.start, one.end]).collect();
    cuts.retain(|cut| *cut > span.from && *cut < span.to);
    cuts.extend([span.from, span.to]);
    cuts.sort();
    cuts.dedup();
    let piece = |ends: &[Timestamp]| {
        let top = touching().rfind(|one| one.start <= ends[0] && one.end >= ends[1]);
        let user = top.map_or_else(|| person("alice"), |one| one.user.clone());
        Shift { start: ends[0], end: ends[1], user, from_override: top.is_some() }
    };
    cuts.windows(2).map(piece).collect()
}

#[async_trait]
impl Rota for Fake {
    async fn duties(&self, _user: &UserId, _span: Span) -> Result<Vec<OnCall>, ProviderError> {
        self.read(|_| Ok(vec![]))
    }

    async fn shifts(&self, schedule: &Named<ScheduleId>, span: Span) -> Result<Schedule, ProviderError> {
        self.read(|inside| {
            let shifts = shifts(&inside.rota, span);
            Ok(Schedule { schedule: schedule.clone(), zone: "UTC".into(), shifts, from: span.from, to: span.to })
        })
    }

    async fn overrides(&self, _schedule: &ScheduleId, span: Span) -> Result<Vec<Override>, ProviderError> {
        let touching = |one: &&Override| one.start < span.to && one.end > span.from;
        self.read(|inside| Ok(inside.rota.overrides.iter().filter(touching).cloned().collect()))
    }

    async fn add_overrides(&self, _schedule: &ScheduleId, covers: &[Cover]) -> Result<Vec<Added>, ProviderError> {
        self.write(|inside| {
            let kept = &mut inside.rota;
            let mut put = |cover: &Cover| {
                if !kept.answers.is_empty() {
                    if let Some((user, span)) = kept.with_the_answer.take() {
                        kept.put(&user, span);
                    }
                    return kept.answers.remove(0);
                }
                kept.put(&cover.user, cover.span);
                Added::Made
            };
            covers.iter().map(&mut put).collect()
        })
    }

    async fn remove_override(&self, _schedule: &ScheduleId, id: &OverrideId) -> Result<Removed, ProviderError> {
        self.write(|inside| {
            inside.rota.overrides.retain(|one| one.id != *id);
            Removed::Gone
        })
    }

    async fn pages(&self, _span: Span) -> Result<Vec<Page>, ProviderError> {
        self.read(|_| Ok(vec![]))
    }

    async fn services(&self) -> Result<Vec<Service>, ProviderError> {
        self.read(|_| Ok(vec![]))
    }

    async fn windows(&self) -> Result<Vec<Window>, ProviderError> {
        self.read(|inside| Ok(inside.rota.windows.clone()))
    }

    async fn start_maintenance(
        &self,
        services: &[Named<ServiceId>],
        span: Span,
        description: &str,
    ) -> Result<Window, ProviderError> {
        self.write(|inside| {
            let made = Window {
                id: WindowId::new(format!("W{}", inside.rota.windows.len())).expect("id"),
                start: span.from,
                end: span.to,
                description: Shown::line(description),
                services: services.to_vec(),
                created_by: None,
            };
            inside.rota.windows.push(made.clone());
            made
        })
    }

    async fn end_maintenance(&self, id: &WindowId) -> Result<Removed, ProviderError> {
        self.write(|inside| {
            inside.rota.windows.retain(|window| window.id != *id);
            Removed::Gone
        })
    }
}
