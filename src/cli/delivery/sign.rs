//! A fresh signature for a kept delivery, by the first secret of its account. The secret itself is shown to nobody but
//! who was asked to be shown it.

use jiff::Timestamp;

use crate::{
    cli::{Exit, Failure, Places},
    receiver::{self, Draft, Showing},
    store::StoredDelivery,
};

/// The headers that sign `body` as the account of the delivery expects it, when it is sent to this path.
pub(super) async fn headers(
    places: &Places,
    stored: &StoredDelivery,
    body: &[u8],
    path: Option<&str>,
    showing: Showing,
) -> Result<Vec<(String, String)>, Failure> {
    let line = &stored.summary;
    let failed =
        |reason: String| Failure::new(Exit::Failed, format!("delivery {} cannot be signed: {reason}", line.id));
    if let Some(target) = &line.target {
        return Err(failed(format!("it went out to target {target}, which has a secret of its own")));
    }
    let account = line.account.as_ref().ok_or_else(|| failed("it belongs to no account".to_owned()))?;
    let settings = places.settings()?;
    let known = settings.accounts.iter().find(|known| known.name == *account);
    let webhook = known.and_then(|known| known.webhook.as_ref());
    let webhook = webhook.ok_or_else(|| failed(format!("the account `{account}` has no webhook configured")))?;
    let secret = webhook.secrets.first().ok_or_else(|| failed(format!("the account `{account}` has no secret")))?;
    let secret = secret.read().await.map_err(|error| failed(error.to_string()))?;
    let draft = Draft { path, headers: &stored.headers, body };
    receiver::sign(&webhook.demand, &secret, showing, &draft, Timestamp::now()).map_err(failed)
}
