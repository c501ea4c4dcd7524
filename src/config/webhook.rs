//! `[account.webhook]`: what its senders must show. A key that its scheme does not use is said, because whoever set it
//! believes in something that is not so.

use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeValue;

use super::{
    WebhookSettings,
    fields::{Field, Section, kind, nearest},
    file::Reading,
    networks, values,
};
use crate::core::{
    delivery::Scheme,
    sender::{Algorithm, Demand, Encoding, HmacDemand, Part, TOLERANCE},
};

/// The keys that only some schemes have.
const OWN_KEYS: &[&str] =
    &["secrets", "header", "prefix", "algorithm", "encoding", "signed", "timestamp_header", "tolerance", "user"];

/// The keys of a scheme.
fn keys(scheme: Scheme) -> &'static [&'static str] {
    match scheme {
        Scheme::PagerdutyV3 | Scheme::SplunkOncall | Scheme::Bearer => &["secrets"],
        Scheme::StandardWebhooks | Scheme::SlackV0 => &["secrets", "tolerance"],
        Scheme::Hmac => {
            &["secrets", "header", "prefix", "algorithm", "encoding", "signed", "timestamp_header", "tolerance"]
        }
        Scheme::Basic => &["secrets", "user"],
        Scheme::Header => &["secrets", "header", "prefix"],
        Scheme::SecretUrl => &[],
    }
}

impl Reading<'_, '_> {
    pub(super) fn webhook(&mut self, section: &Section<'_>) -> Option<WebhookSettings> {
        let url_key = section.need("url_key", self.to).and_then(|value| self.secret("url_key", value));
        let allow = self.networks(section, "allow", networks::allowed);
        let scheme = match section.get("scheme") {
            Some(_) => self.value(section, "scheme", scheme)?,
            None => Scheme::PagerdutyV3,
        };
        for key in OWN_KEYS.iter().filter(|key| !keys(scheme).contains(key)) {
            if let Some(value) = section.get(key) {
                self.to.add(value.span(), format!("`{key}` is not used by scheme \"{}\"", scheme.word()));
            }
        }
        let secrets = match scheme {
            Scheme::SecretUrl => Some(vec![]),
            _ => section.need("secrets", self.to).map(|value| self.secrets(value)).filter(|all| !all.is_empty()),
        };
        let public_url = self.value(section, "public_url", values::public_url);
        let ping = section.flag("ping", self.to).unwrap_or(true);
        let demand = self.demand(section, scheme, public_url.clone());
        Some(WebhookSettings { url_key: url_key?, secrets: secrets?, demand: demand?, allow, public_url, ping })
    }

    fn demand(&mut self, section: &Section<'_>, scheme: Scheme, public_url: Option<String>) -> Option<Demand> {
        Some(match scheme {
            Scheme::PagerdutyV3 => Demand::PagerdutyV3,
            Scheme::StandardWebhooks => Demand::StandardWebhooks { tolerance: self.tolerance(section) },
            Scheme::SlackV0 => Demand::SlackV0 { tolerance: self.tolerance(section) },
            Scheme::Hmac => Demand::Hmac(self.hmac(section)?),
            Scheme::SplunkOncall => {
                section.need("public_url", self.to);
                Demand::SplunkOncall { url: public_url? }
            }
            Scheme::Basic => {
                section.need("user", self.to);
                Demand::Basic { user: self.value(section, "user", values::user)? }
            }
            Scheme::Bearer => Demand::Bearer,
            Scheme::Header => {
                section.need("header", self.to);
                let prefix = self.value(section, "prefix", values::prefix).unwrap_or_default();
                Demand::Header { name: self.value(section, "header", values::header)?, prefix }
            }
            Scheme::SecretUrl => Demand::SecretUrl,
        })
    }

    fn tolerance(&mut self, section: &Section<'_>) -> Duration {
        self.value(section, "tolerance", values::tolerance).unwrap_or(TOLERANCE)
    }

    fn hmac(&mut self, section: &Section<'_>) -> Option<HmacDemand> {
        section.need("header", self.to);
        let header = self.value(section, "header", values::header);
        let time = self.value(section, "timestamp_header", values::header);
        let signed = section.get("signed").map_or_else(|| Some(vec![Part::Body]), |value| self.signed(value))?;
        let tolerance = self.tolerance(section);
        match (section.get("timestamp_header"), section.get("signed"), signed.contains(&Part::Timestamp)) {
            (None, Some(signed), true) => {
                self.to.add(signed.span(), "`signed` names \"timestamp\", but there is no `timestamp_header`");
            }
            (Some(time), _, false) => {
                self.to.add(time.span(), "`signed` does not name \"timestamp\": anybody could replace the time");
            }
            _ => {}
        }
        if let (Some(value), None) = (section.get("tolerance"), section.get("timestamp_header")) {
            self.to.add(value.span(), "`tolerance` needs `timestamp_header`: without it no time is known");
        }
        Some(HmacDemand {
            header: header?,
            prefix: self.value(section, "prefix", values::prefix).unwrap_or_default(),
            algorithm: self.value(section, "algorithm", algorithm).unwrap_or(Algorithm::Sha256),
            encoding: self.value(section, "encoding", encoding).unwrap_or(Encoding::Hex),
            signed,
            timestamp: time.map(|header| (header, tolerance)),
        })
    }

    /// `None` when a part is wrong: it has been said then.
    fn signed(&mut self, value: Field<'_>) -> Option<Vec<Part>> {
        let parts =
            self.texts("signed", value, "[\"timestamp\", \".\", \"body\"]", |text| part(text).map(|p| vec![p]))?;
        if !parts.contains(&Part::Body) {
            self.to.add(value.span(), "`signed` does not name \"body\": anybody could replace it");
        }
        Some(parts)
    }

    /// A list of networks, if there.
    pub(super) fn networks(
        &mut self,
        section: &Section<'_>,
        key: &str,
        check: impl Fn(&str) -> Result<Vec<IpNet>, String>,
    ) -> Option<Vec<IpNet>> {
        let value = section.get(key)?;
        let found = self.texts(key, value, "[\"192.0.2.0/24\"]", check)?;
        if found.is_empty() {
            self.to.add(value.span(), format!("`{key}` is empty: leave it out, or name a network"));
        }
        Some(found)
    }

    /// A list of texts, each checked in its place; `None` when one is wrong.
    fn texts<T>(
        &mut self,
        key: &str,
        value: Field<'_>,
        example: &str,
        check: impl Fn(&str) -> Result<Vec<T>, String>,
    ) -> Option<Vec<T>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.to.add(value.span(), format!("`{key}` must be a list, as in {example}"));
            return None;
        };
        let (mut out, mut whole) = (vec![], true);
        for item in items {
            let checked = match item.get_ref() {
                DeValue::String(text) => check(text),
                other => Err(format!("each of `{key}` must be a text in quotes, this is {}", kind(other))),
            };
            match checked {
                Ok(found) => out.extend(found),
                Err(message) => {
                    self.to.add(item.span(), message);
                    whole = false;
                }
            }
        }
        whole.then_some(out)
    }
}

fn scheme(text: &str) -> Result<Scheme, String> {
    let words = Scheme::ALL.map(Scheme::word);
    if let Some(found) = Scheme::ALL.into_iter().find(|scheme| scheme.word() == text) {
        return Ok(found);
    }
    let near = words.into_iter().min_by_key(|word| strsim::damerau_levenshtein(word, text));
    let near = near.filter(|word| strsim::damerau_levenshtein(word, text) <= word.len().div_ceil(3));
    let end = near.map_or_else(|| format!("known: {}", words.join(", ")), |near| format!("did you mean \"{near}\"?"));
    Err(format!("scheme \"{}\" is not known; {end}", text.escape_debug()))
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    match text {
        "sha1" => Ok(Algorithm::Sha1),
        "sha256" => Ok(Algorithm::Sha256),
        "sha512" => Ok(Algorithm::Sha512),
        _ => Err("`algorithm` must be \"sha256\", \"sha512\" or \"sha1\"".to_owned()),
    }
}

fn encoding(text: &str) -> Result<Encoding, String> {
    match text {
        "hex" => Ok(Encoding::Hex),
        "base64" => Ok(Encoding::Base64),
        _ => Err("`encoding` must be \"hex\" or \"base64\"".to_owned()),
    }
}

/// A part of what is signed: a known word, a header's value, or a text to stand between them.
fn part(text: &str) -> Result<Part, String> {
    const WORDS: &[&str] = &["body", "timestamp", "method", "path"];
    match text {
        "body" => return Ok(Part::Body),
        "timestamp" => return Ok(Part::Timestamp),
        "method" => return Ok(Part::Method),
        "path" => return Ok(Part::Path),
        _ => {}
    }
    if let Some(name) = text.strip_prefix("header:") {
        return values::header(name).map(Part::Header);
    }
    // A word that stands for nothing is more often a mistake than a separator.
    if text.is_empty() || text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') && text.len() > 1 {
        let near = nearest(text, WORDS).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        return Err(format!(
            "\"{}\" is no part that can be signed{near} (body, timestamp, method, path, header:NAME, or separators as in \".\")",
            text.escape_debug()
        ));
    }
    Ok(Part::Text(text.to_owned()))
}
