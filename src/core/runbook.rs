//! Where it is written what to do about an incident: told by the alert, by a rule of the settings, or by the service's
//! description. Only addresses that are safe to open.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::{
    address::{self, addresses, first_address, is_address},
    context::Service,
    detail::{Detail, Tree},
    incident::Incident,
    text::{Shown, ShownBody},
};

/// What such a thing is called, in a name or in a text.
const WORDS: [&str; 3] = ["runbook", "playbook", "run book"];
/// More are not told of.
const MOST: usize = 5;
/// Bytes that a rule's pattern may take: a mistake in it does not fill the memory.
const PATTERN_SIZE: usize = 1024 * 1024;

/// One place where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    pub url: Shown,
    /// Who says so: `runbook_url of the alert`, `a rule of the settings` …
    pub from: Shown,
}

/// What an incident's title has to be.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// All of these words are in it, in any case.
    Words(Vec<String>),
    Pattern(Regex),
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Words(one), Self::Words(other)) => one == other,
            (Self::Pattern(one), Self::Pattern(other)) => one.as_str() == other.as_str(),
            (Self::Words(_), Self::Pattern(_)) | (Self::Pattern(_), Self::Words(_)) => false,
        }
    }
}

impl Wanted {
    /// `/…/` is a pattern, everything else words. An error says what is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inner| !inner.is_empty());
        let Some(pattern) = pattern else {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            return if words.is_empty() {
                Err("must name at least one word".to_owned())
            } else {
                Ok(Self::Words(words))
            };
        };
        let built = RegexBuilder::new(pattern).case_insensitive(true).size_limit(PATTERN_SIZE).build();
        built.map(Self::Pattern).map_err(|error| {
            let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            format!("the pattern between the slashes is none: {last}")
        })
    }

    fn matches(&self, title: &str) -> bool {
        match self {
            Self::Words(words) => {
                let title = title.to_lowercase();
                words.iter().all(|word| title.contains(word))
            }
            Self::Pattern(pattern) => pattern.is_match(title),
        }
    }
}

/// A rule of the settings: incidents of this service, with such a title, have their runbook there.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name or id, in any case; `None`: any.
    pub service: Option<String>,
    pub title: Option<Wanted>,
    /// With `{service}` and the like in it.
    pub url: String,
}

/// What may stand in a rule's address, each in braces.
pub const PLACES: [&str; 6] = ["service", "service-slug", "title", "title-slug", "number", "id"];

impl Rule {
    /// The address for this incident, if the rule is about it.
    pub fn of(&self, incident: &Incident) -> Option<Shown> {
        let state = &incident.state;
        let service = state.service.as_ref();
        if let Some(wanted) = &self.service {
            let same = |text: &str| text.eq_ignore_ascii_case(wanted);
            service.filter(|service| same(service.name.as_str()) || same(service.id.as_str()))?;
        }
        if self.title.as_ref().is_some_and(|title| !title.matches(state.title.as_str())) {
            return None;
        }
        let name = service.map(|service| service.name.as_str()).unwrap_or_default();
        let number = state.number.map(|number| number.to_string()).unwrap_or_default();
        let title = state.title.as_str();
        let values = [
            address::escaped(name),
            address::slug(name),
            address::escaped(title),
            address::slug(title),
            number,
            incident.key.id.to_string(),
        ];
        let fill = |url: String, (place, value): (&str, &String)| url.replace(&format!("{{{place}}}"), value);
        let url = PLACES.into_iter().zip(&values).fold(self.url.clone(), fill);
        is_address(&url).then(|| Shown::line(&url))
    }
}

/// Whether an address of a rule is one, whatever stands in its braces. The error says what is wrong.
pub fn check_url(url: &str) -> Result<(), String> {
    let mut plain = url.to_owned();
    for place in PLACES {
        plain = plain.replace(&format!("{{{place}}}"), "x");
    }
    if let Some((_, rest)) = plain.split_once('{') {
        let name = rest.split('}').next().unwrap_or_default();
        return Err(format!("{{{name}}} is not known; there are {{{}}}", PLACES.join("}, {")));
    }
    if is_address(&plain) { Ok(()) } else { Err("must be an https address".to_owned()) }
}

/// All that there are, the likeliest first. What nobody asked for yet (`service`) is left out.
pub fn find(
    detail: Option<&Detail>,
    incident: Option<&Incident>,
    rules: &[Rule],
    service: Option<&Service>,
) -> Vec<Runbook> {
    let mut found = Found::default();
    if let Some(detail) = detail {
        found.told(detail);
    }
    if let Some(incident) = incident {
        let by_rule = rules.iter().find_map(|rule| rule.of(incident));
        found.add(by_rule, "a rule of the settings");
    }
    if let Some(service) = service {
        let words = service.description.as_str();
        let url = named_in(words).or_else(|| first_address(words));
        found.add(url, "the service's description");
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<Runbook>);

impl Found {
    fn add(&mut self, url: Option<Shown>, from: &str) {
        let Some(url) = url else { return };
        if self.0.len() < MOST && self.0.iter().all(|known| known.url != url) {
            self.0.push(Runbook { url, from: Shown::line(from) });
        }
    }

    fn told(&mut self, detail: &Detail) {
        for alert in &detail.alerts {
            if let Some(tree) = &alert.details {
                self.in_tree(tree);
            }
            for link in alert.links.iter().filter(|link| is_name(link.text.as_str())) {
                self.add(link.url.clone(), "a link of the alert");
            }
            let others = alert.links.iter().filter_map(|link| link.url.as_ref());
            for url in others.filter(|url| is_name(url.as_str())) {
                self.add(Some(url.clone()), "a link of the alert");
            }
        }
        self.add(detail.description.as_ref().map(ShownBody::as_str).and_then(named_in), "the description");
    }

    /// By the name of a field first, else by what its text says.
    fn in_tree(&mut self, tree: &Tree) {
        let (mut by_name, mut by_text) = (vec![], vec![]);
        tree.walk(&mut |name, text| {
            if is_name(name) {
                by_name.extend(first_address(text).map(|url| (url, format!("`{name}` of the alert"))));
            } else {
                by_text.extend(named_in(text).map(|url| (url, "the alert's details".to_owned())));
            }
        });
        for (url, from) in by_name.into_iter().chain(by_text) {
            self.add(Some(url), &from);
        }
    }
}

/// `runbook_url`, `RunbookURL`, `Playbook` …
fn is_name(name: &str) -> bool {
    let plain = name.to_lowercase().replace(['_', '-'], " ");
    WORDS.iter().any(|word| plain.contains(word))
}

/// The address on a line that speaks of a runbook.
fn named_in(text: &str) -> Option<Shown> {
    text.lines().filter(|line| is_name(line)).find_map(|line| {
        let lower = line.to_ascii_lowercase();
        let word = WORDS.iter().filter_map(|word| lower.find(word)).min().unwrap_or(0);
        // On one line with others, it is the one behind the word, or the one that has the word in it.
        let own = addresses(line).find(|url| is_name(url)).map(Shown::line);
        own.or_else(|| first_address(line.get(word..)?)).or_else(|| first_address(line))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::{
        detail::{Alert, Link, LinkKind},
        incident::{Incident, Stamp, Status, tests::observation},
    };

    fn detail(details: &serde_json::Value, links: &[(&str, &str)]) -> Detail {
        let link = |(text, url): &(&str, &str)| Link {
            kind: LinkKind::Page,
            text: Shown::line(text),
            url: Some(Shown::line(url)),
        };
        let alert = Alert { details: Tree::of(details), links: links.iter().map(link).collect(), ..Alert::default() };
        Detail { alerts: vec![alert], ..Detail::of(incident("x").key) }
    }

    fn incident(title: &str) -> Incident {
        let stamp = Stamp::rest(jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::UNIX_EPOCH);
        let mut seen = observation(Status::Triggered, stamp, title);
        let service = crate::core::incident::Named { id: "S1".parse().expect("id"), name: "Payments API".into() };
        seen.state.service = Some(service);
        Incident::first(seen)
    }

    fn urls(detail: &Detail) -> Vec<String> {
        find(Some(detail), None, &[], None).iter().map(|one| format!("{} ({})", one.url, one.from)).collect()
    }

    #[test]
    fn the_alert_names_its_runbook_in_a_field_a_text_or_a_link() {
        for field in ["runbook", "runbook_url", "RunbookURL", "playbook", "Run-Book"] {
            let detail = detail(&json!({ "a": { field: "see https://wiki.example/disk." } }), &[]);
            assert_eq!(urls(&detail), [format!("https://wiki.example/disk (`{field}` of the alert)")]);
        }
        let text =
            "Labels:\n - x = https://no.example\n - runbook_url = https://wiki.example/b\nSource: https://no.example/2";
        assert_eq!(urls(&detail(&json!({ "firing": text }), &[])), ["https://wiki.example/b (the alert's details)"]);
        let links = [
            ("Graph", "https://graph.example"),
            ("Runbook", "https://wiki.example/c"),
            ("x", "https://playbooks.example/d"),
        ];
        assert_eq!(
            urls(&detail(&json!({}), &links)),
            ["https://wiki.example/c (a link of the alert)", "https://playbooks.example/d (a link of the alert)"]
        );
        assert_eq!(
            urls(&detail(&json!({ "runbook": "javascript:alert(1)", "other": "https://x.example" }), &[])),
            [""; 0]
        );
    }

    #[test]
    fn a_rule_goes_by_service_and_title_and_fills_in_its_address() {
        let rule = |service: Option<&str>, title: Option<&str>| Rule {
            service: service.map(str::to_owned),
            title: title.map(|title| Wanted::parse(title).expect("a title")),
            url: "https://wiki.example/{service-slug}/{service}?n={number}".to_owned(),
        };
        let url = |rule: &Rule| rule.of(&incident("Disk 97 % full on db-3")).map(|url| url.to_string());
        let there = Some("https://wiki.example/payments-api/Payments%20API?n=1".to_owned());

        assert_eq!(url(&rule(Some("payments api"), None)), there);
        assert_eq!(url(&rule(Some("S1"), Some("full disk"))), there);
        assert_eq!(url(&rule(None, Some("/disk .* on db-\\d+$/"))), there);
        assert_eq!(url(&rule(Some("Other"), None)), None);
        assert_eq!(url(&rule(None, Some("disk empty"))), None);
        assert_eq!(url(&rule(None, Some("/^full/"))), None);
    }

    #[test]
    fn a_rules_mistakes_are_named() {
        assert_eq!(check_url("https://wiki.example/{service}/{title-slug}"), Ok(()));
        let unknown = check_url("https://wiki.example/{team}").expect_err("unknown");
        assert!(unknown.starts_with("{team} is not known; there are {service}, "), "{unknown}");
        assert!(check_url("http://wiki.example/").is_err() && check_url("wiki").is_err());
        assert!(Wanted::parse("/(/").expect_err("no pattern").contains("unclosed group"));
        assert!(Wanted::parse("  ").is_err());
    }

    #[test]
    fn the_service_tells_last_and_what_is_told_twice_is_told_once() {
        let service = |words: &str| Service { description: ShownBody::new(words), ..Service::default() };
        let told = detail(&json!({ "runbook": "https://wiki.example/a" }), &[]);
        let rules = [Rule { service: None, title: None, url: "https://wiki.example/a".to_owned() }];
        let words = "Team chat: https://chat.example\nRunbook: https://wiki.example/pay";

        let found = find(Some(&told), Some(&incident("x")), &rules, Some(&service(words)));

        let urls: Vec<&str> = found.iter().map(|one| one.url.as_str()).collect();
        assert_eq!(urls, ["https://wiki.example/a", "https://wiki.example/pay"]);
        let only = find(None, None, &[], Some(&service("Takes the money, see https://wiki.example/p.")));
        assert_eq!(only[0].url.as_str(), "https://wiki.example/p");
    }
}
