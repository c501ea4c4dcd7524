//! Secrets that are shown as they are: user and password, a bearer token, a header, the path alone. They say who
//! speaks, not that nobody changed what is said.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Check, NamedSecret, Presented, Proof, Refused, Scheme, UrlKey, one, proof, standard::BASE64};

/// Where user and password stand, and a bearer token.
pub(super) const AUTHORIZATION: &str = "authorization";

/// How user and password are shown.
pub(super) fn basic(user: &str, secret: &SecretString) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", secret.expose_secret())))
}

/// How a bearer token is shown.
pub(super) fn bearer(secret: &SecretString) -> String {
    format!("Bearer {}", secret.expose_secret())
}

/// A secret in a header.
pub(super) struct Token {
    scheme: Scheme,
    header: String,
    form: Form,
    secrets: Vec<(String, UrlKey)>,
}

/// How the secret stands in the header.
enum Form {
    /// After a word of any case and blanks, in base64.
    Basic,
    /// After a word of any case and blanks.
    Bearer,
    /// After this very text.
    Plain(String),
}

impl Token {
    pub(super) fn basic(user: &str, secrets: &[NamedSecret]) -> Self {
        let both = |secret: &NamedSecret| format!("{user}:{}", secret.value.expose_secret());
        Self::new(Scheme::Basic, AUTHORIZATION, Form::Basic, secrets, both)
    }

    pub(super) fn bearer(secrets: &[NamedSecret]) -> Self {
        let own = |secret: &NamedSecret| secret.value.expose_secret().to_owned();
        Self::new(Scheme::Bearer, AUTHORIZATION, Form::Bearer, secrets, own)
    }

    pub(super) fn header(name: &str, prefix: &str, secrets: &[NamedSecret]) -> Self {
        let own = |secret: &NamedSecret| secret.value.expose_secret().to_owned();
        Self::new(Scheme::Header, name, Form::Plain(prefix.to_owned()), secrets, own)
    }

    fn new(
        scheme: Scheme,
        header: &str,
        form: Form,
        secrets: &[NamedSecret],
        shown: impl Fn(&NamedSecret) -> String,
    ) -> Self {
        let secrets = secrets.iter().map(|secret| (secret.name.clone(), UrlKey::of(shown(secret).as_bytes())));
        Self { scheme, header: header.to_owned(), form, secrets: secrets.collect() }
    }
}

impl Form {
    fn secret_in(&self, value: &str) -> Option<Vec<u8>> {
        match self {
            Self::Basic => BASE64.decode(after_word(value, "basic")?).ok(),
            Self::Bearer => after_word(value, "bearer").map(|token| token.as_bytes().to_vec()),
            Self::Plain(prefix) => value.strip_prefix(prefix.as_str()).map(|token| token.as_bytes().to_vec()),
        }
    }
}

fn after_word<'a>(value: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = value.trim().split_once(' ')?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim_start())
}

impl Check for Token {
    fn check(&self, request: &Presented<'_>, _: Timestamp) -> Result<Proof, Refused> {
        let what = format!("{} secret", self.scheme.word());
        let value = one(request.headers, &self.header, &what)?;
        let shown = self.form.secret_in(value);
        let shown = shown.ok_or_else(|| Refused::Unusable { what, header: self.header.clone() })?;
        let matched: Vec<&str> =
            self.secrets.iter().filter(|(_, secret)| secret.is(&shown)).map(|(name, _)| name.as_str()).collect();
        proof(self.scheme, &matched).ok_or(Refused::WrongSecret(self.secrets.len()))
    }
}

/// Whoever came this far knew the key of the path.
pub(super) struct Known(Vec<String>);

impl Known {
    pub(super) fn new(secrets: &[NamedSecret]) -> Self {
        Self(secrets.iter().map(|secret| secret.name.clone()).collect())
    }
}

impl Check for Known {
    fn check(&self, _: &Presented<'_>, _: Timestamp) -> Result<Proof, Refused> {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        proof(Scheme::SecretUrl, &names).ok_or(Refused::WrongSecret(names.len()))
    }
}
