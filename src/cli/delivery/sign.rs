//! A fresh signature for a kept delivery, by the first secret of its account. The secret itself is never shown.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::{
    cli::{Exit, Failure, Places},
    core::delivery::{DeliverySummary, Scheme},
};

/// The headers that sign `body` as the account of `line` expects it.
pub(super) async fn headers(
    places: &Places,
    line: &DeliverySummary,
    body: &[u8],
) -> Result<Vec<(String, String)>, Failure> {
    let failed =
        |reason: String| Failure::new(Exit::Failed, format!("delivery {} cannot be signed: {reason}", line.id));
    let account = line.account.as_ref().ok_or_else(|| failed("it belongs to no account".to_owned()))?;
    let settings = places.settings()?;
    let known = settings.accounts.iter().find(|known| known.name == *account);
    let webhook = known.and_then(|known| known.webhook.as_ref());
    let webhook = webhook.ok_or_else(|| failed(format!("the account `{account}` has no webhook configured")))?;
    match line.proof.as_ref().map_or(Scheme::PagerdutyV3, |proof| proof.scheme) {
        Scheme::PagerdutyV3 => {}
        other => return Err(failed(format!("signing by {} is not known here", other.word()))),
    }
    let secret = webhook.secrets.first().ok_or_else(|| failed(format!("the account `{account}` has no secret")))?;
    let secret = secret.read().await.map_err(|error| failed(error.to_string()))?;
    Ok(vec![("X-PagerDuty-Signature".to_owned(), format!("v1={}", hex::encode(mac(&secret, body))))])
}

fn mac(secret: &SecretString, body: &[u8]) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("hmac takes keys of any length");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}
