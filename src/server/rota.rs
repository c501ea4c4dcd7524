//! Questions about schedules and pages, which the provider is asked when somebody looks.

use std::sync::Arc;

use super::desk::Desk;
use crate::{
    core::{
        id::{AccountName, ScheduleId, UserId},
        incident::Named,
        span::Span,
    },
    proto::Answer,
    provider::{Provider, ProviderError, Rota},
};

/// What is said of a provider that knows no schedules.
pub(super) const NO_ROTA: &str = "this account's provider has no schedules that can be asked for";

impl Desk {
    pub(super) async fn duties(&self, account: &AccountName, user: &UserId, span: Span) -> Result<Answer, String> {
        let provider = self.provider_at(account).await?;
        Ok(Answer::Duties { duties: told(rota_of(&provider)?.duties(user, span).await)? })
    }

    pub(super) async fn shifts(
        &self,
        account: &AccountName,
        schedule: &Named<ScheduleId>,
        span: Span,
    ) -> Result<Answer, String> {
        let provider = self.provider_at(account).await?;
        Ok(Answer::Shifts { schedule: Box::new(told(rota_of(&provider)?.shifts(schedule, span).await)?) })
    }

    pub(super) async fn overrides(
        &self,
        account: &AccountName,
        schedule: &ScheduleId,
        span: Span,
    ) -> Result<Answer, String> {
        let provider = self.provider_at(account).await?;
        Ok(Answer::Overrides { overrides: told(rota_of(&provider)?.overrides(schedule, span).await)? })
    }

    pub(super) async fn pages(&self, account: &AccountName, span: Span) -> Result<Answer, String> {
        let provider = self.provider_at(account).await?;
        Ok(Answer::Pages { pages: told(rota_of(&provider)?.pages(span).await)? })
    }

    async fn provider_at(&self, account: &AccountName) -> Result<Arc<dyn Provider>, String> {
        let account = self.accounts.get(account).ok_or_else(|| format!("there is no account `{account}`"))?;
        account.provider().await.map_err(|error| error.to_string())
    }
}

fn rota_of(provider: &Arc<dyn Provider>) -> Result<&dyn Rota, String> {
    provider.rota().ok_or_else(|| NO_ROTA.to_owned())
}

fn told<T>(answer: Result<T, ProviderError>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}
