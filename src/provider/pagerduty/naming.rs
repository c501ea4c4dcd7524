//! Names and addresses of things, as they may be shown.

use reqwest::Url;

use super::wire;
use crate::{
    core::{incident::Named, text::Shown},
    provider::http::is_loopback,
};

/// The thing a reference names; its id where it has no name. `None` without a usable id.
pub(super) fn named<Id: std::str::FromStr>(reference: Option<wire::Reference>) -> Option<Named<Id>> {
    let wire::Reference { id, summary, name, .. } = reference?;
    let id = id?;
    let name = Shown::line(summary.or(name).as_deref().unwrap_or(&id));
    Some(Named { id: id.parse().ok()?, name })
}

/// A web address that may be opened: `https`, or `http` on this machine.
pub(super) fn shown_url(text: Option<&str>) -> Option<Shown> {
    let url = Url::parse(text?).ok()?;
    let safe = match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    safe.then(|| Shown::line(url.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_are_safe_to_open_are_shown() {
        let shown = |text| shown_url(Some(text)).map(|url| url.as_str().to_owned());

        assert_eq!(shown("https://a.example/x y").as_deref(), Some("https://a.example/x%20y"));
        assert_eq!(shown("http://127.0.0.1:9/x").as_deref(), Some("http://127.0.0.1:9/x"));
        for bad in ["http://a.example/", "javascript:alert(1)", "file:///etc/passwd", "/x", ""] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
