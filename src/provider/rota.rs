//! What a provider can do beside its incidents: schedules and their overrides, services and their maintenance.

use async_trait::async_trait;

use super::ProviderError;
use crate::core::{
    arrangement::Cover,
    id::{OverrideId, ScheduleId, ServiceId, UserId, WindowId},
    incident::Named,
    load::Page,
    oncall::{OnCall, Schedule},
    rota::Override,
    service::{Service, Window},
    span::Span,
    text::Shown,
};

/// What became of one override that was asked for, by the provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    Made,
    /// Nothing was to be done: the person has that time already.
    There,
    /// A part of the time only: which parts were not, and why.
    Partly {
        failed: Shown,
    },
    /// This part of the time was given. Of the rest it is not known, because of this.
    InDoubt {
        given: Shown,
        cause: Shown,
    },
    Refused {
        reason: Shown,
    },
}

/// What became of something that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Gone,
    /// It was running, and ends now.
    CutShort,
    /// It had ended by itself.
    OverAlready,
}

/// Writes are sent once, like all writes.
#[async_trait]
pub trait Rota: Send + Sync {
    /// When somebody is on call in that time, at every policy and level, shifts whole.
    async fn duties(&self, user: &UserId, span: Span) -> Result<Vec<OnCall>, ProviderError>;
    /// A schedule's shifts in that time, of whichever kind it is.
    async fn shifts(&self, schedule: &Named<ScheduleId>, span: Span) -> Result<Schedule, ProviderError>;
    /// The overrides that touch that time.
    async fn overrides(&self, schedule: &ScheduleId, span: Span) -> Result<Vec<Override>, ProviderError>;
    /// Puts people onto a schedule; one answer for each of `covers`, in order. An error is of the whole request.
    async fn add_overrides(&self, schedule: &ScheduleId, covers: &[Cover]) -> Result<Vec<Added>, ProviderError>;
    async fn remove_override(&self, schedule: &ScheduleId, id: &OverrideId) -> Result<Removed, ProviderError>;
    /// Who was called in that time, e-mail left out.
    async fn pages(&self, span: Span) -> Result<Vec<Page>, ProviderError>;
    async fn services(&self) -> Result<Vec<Service>, ProviderError>;
    /// The maintenance windows that run or are to come.
    async fn windows(&self) -> Result<Vec<Window>, ProviderError>;
    async fn start_maintenance(
        &self,
        services: &[Named<ServiceId>],
        span: Span,
        description: &str,
    ) -> Result<Window, ProviderError>;
    async fn end_maintenance(&self, id: &WindowId) -> Result<Removed, ProviderError>;
}
