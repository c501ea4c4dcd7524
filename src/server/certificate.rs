//! The door's certificate: used as soon as its files change, kept when the new ones are of no use, and watched for
//! its end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use crate::{
    config::{Looks, TlsSettings},
    core::{text::Shown, words},
    receiver::tls::{Entrance, Pair},
};

/// Between two looks at the files.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// How long before its end a certificate is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Reads the pair; the error is a sentence that names the files.
pub fn load(files: &TlsSettings) -> Result<Pair, String> {
    let (certificate, key) = files.read()?;
    let pair = Pair::from_pem(&certificate, key.expose_secret());
    pair.map_err(|error| format!("{} and {}: {error}", files.certificate.display(), files.key.display()))
}

/// A pair as it was read from these files.
pub(super) struct Loaded {
    files: TlsSettings,
    /// How the files looked before.
    looks: Looks,
    pub(super) pair: Result<Pair, String>,
}

impl Loaded {
    /// Reads the pair where waiting for a disk disturbs nobody.
    pub(super) async fn from(files: TlsSettings) -> Self {
        let (looks, aside) = (files.looks(), files.clone());
        let read = tokio::task::spawn_blocking(move || load(&aside)).await;
        let pair = read.unwrap_or_else(|_| Err("reading the certificate was broken off".to_owned()));
        Self { files, looks, pair }
    }
}

/// What is to be said of a certificate that ends at `ends`; `None` when that is far off.
pub fn warning(ends: Timestamp, now: Timestamp) -> Option<String> {
    let left = ends.duration_since(now);
    if left > SOON {
        return None;
    }
    let when = ends.strftime("%Y-%m-%d %H:%M UTC");
    Some(if left <= SignedDuration::ZERO {
        format!("the door's certificate ended on {when}: senders refuse it, put a new one in its place")
    } else {
        let days = usize::try_from(left.as_hours() / 24).unwrap_or_default();
        format!("the door's certificate ends in {}, on {when}: renew it", words::count(days, "day", "days"))
    })
}

/// What the door shows to those who come in.
pub(super) struct Certificate {
    files: Option<TlsSettings>,
    /// How the files looked when they were last read.
    read: Looks,
    /// How they looked a moment ago, when that is different: they may still be being written.
    changing: Option<Looks>,
    ends: Option<Timestamp>,
    /// Why what is in the files now is not used.
    broken: Option<String>,
    entrance: watch::Sender<Entrance>,
}

impl Certificate {
    pub(super) fn new() -> Self {
        let entrance = watch::Sender::new(Entrance::Shut);
        Self { files: None, read: Looks::default(), changing: None, ends: None, broken: None, entrance }
    }

    pub(super) fn entrance(&self) -> watch::Receiver<Entrance> {
        self.entrance.subscribe()
    }

    /// Goes over to these files, or to plain HTTP.
    pub(super) fn set(&mut self, loaded: Option<Loaded>) {
        self.changing = None;
        let Some(Loaded { files, looks, pair }) = loaded else {
            (self.files, self.ends, self.broken) = (None, None, None);
            self.entrance.send_replace(Entrance::Plain);
            return;
        };
        (self.files, self.read) = (Some(files), looks);
        self.take(pair);
    }

    fn take(&mut self, pair: Result<Pair, String>) {
        match pair {
            Ok(pair) => {
                tracing::info!(ends = %pair.ends, "the door uses the certificate that ends on {}", pair.ends);
                (self.ends, self.broken) = (Some(pair.ends), None);
                self.entrance.send_replace(Entrance::Tls(pair.config));
            }
            Err(problem) => {
                tracing::error!("the door's certificate is not used: {problem}");
                self.broken = Some(problem);
            }
        }
    }

    /// Reads the files again when they have changed and lie still.
    pub(super) async fn look(&mut self) {
        let Some(files) = self.files.clone() else { return };
        let now = files.looks();
        if now == self.read {
            self.changing = None;
        } else if self.changing.replace(now) == Some(now) {
            self.set(Some(Loaded::from(files).await));
        }
    }

    /// What a person should know of it.
    pub(super) fn says(&self, now: Timestamp) -> Option<Shown> {
        let ends = self.ends.and_then(|ends| warning(ends, now));
        let said = match (&self.broken, self.ends) {
            (None, _) => ends?,
            (Some(problem), None) => format!("no webhook comes in, the door has no certificate: {problem}"),
            (Some(problem), Some(_)) => {
                let ends = ends.map(|ends| format!("; {ends}")).unwrap_or_default();
                format!("the new certificate is not used, the former one is: {problem}{ends}")
            }
        };
        Some(Shown::line(&said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_from_two_weeks_before_its_end() {
        let ends: Timestamp = "2031-05-20T12:00:00Z".parse().expect("time");
        let said = |before: i64| warning(ends, ends.checked_sub(SignedDuration::from_hours(before)).expect("small"));

        assert_eq!(said(24 * 14 + 1), None);
        assert!(said(24 * 14).is_some_and(|said| said.contains("ends in 14 days, on 2031-05-20 12:00 UTC")));
        assert!(said(24).is_some_and(|said| said.contains("in 1 day,")));
        assert!(said(-1).is_some_and(|said| said.contains("ended on 2031-05-20")));
    }
}
