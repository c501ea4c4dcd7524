//! `[[runbook]]`: where it is written what to do, by service and title.

use super::{fields::Section, file::Reading};
use crate::core::runbook::{Rule, Wanted, check_url};

impl Reading<'_, '_> {
    pub(super) fn runbooks(&mut self, root: &Section<'_>) -> Vec<Rule> {
        let sections = self.sections(root, "runbook");
        sections.iter().filter_map(|section| self.runbook(section)).collect()
    }

    fn runbook(&mut self, section: &Section<'_>) -> Option<Rule> {
        section.need("url", self.to);
        let service = self.value(section, "service", |text| {
            if text.trim().is_empty() {
                Err("`service` must be a service's name or id".to_owned())
            } else {
                Ok(text.to_owned())
            }
        });
        let title =
            self.value(section, "title", |text| Wanted::parse(text).map_err(|wrong| format!("`title` {wrong}")));
        let url = self.value(section, "url", |text| match check_url(text) {
            Ok(()) => Ok(text.to_owned()),
            Err(wrong) => Err(format!("`url`: {wrong}")),
        });
        // A condition that is wrong has been said; without it the rule would be about everything.
        let is_whole = |key: &str, read: bool| read || section.get(key).is_none();
        let whole = is_whole("service", service.is_some()) && is_whole("title", title.is_some());
        whole.then_some(Rule { service, title, url: url? })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{ConfigError, parse};

    fn rules(text: &str) -> Result<Vec<Rule>, String> {
        match parse(text, Path::new("/etc/dogwatch.toml")) {
            Ok(settings) => Ok(settings.runbooks),
            Err(ConfigError::Invalid { findings, .. }) => {
                Err(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn rules_are_read_in_the_order_of_the_file() {
        let read = rules(
            "[[runbook]]\nservice = \"Payments API\"\ntitle = \"/^disk/\"\nurl = \"https://wiki.example/{number}\"\n\
             [[runbook]]\nurl = \"https://wiki.example/{service-slug}\"\n",
        )
        .expect("rules");

        assert_eq!((read.len(), read[0].service.as_deref()), (2, Some("Payments API")));
        assert!(matches!(read[0].title, Some(Wanted::Pattern(_))));
        assert_eq!(read[1], Rule { service: None, title: None, url: "https://wiki.example/{service-slug}".to_owned() });
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_told_with_its_place() {
        for (text, said) in [
            ("title = \"x\"\n", "line 1, column 1: [[runbook]] needs `url`"),
            ("url = \"http://wiki.example/\"\n", "line 2, column 7: `url`: must be an https address"),
            (
                "url = \"https://wiki.example/{team}\"\n",
                "line 2, column 7: `url`: {team} is not known; there are {service}, {service-slug}, {title}, {title-slug}, \
                 {number}, {id}",
            ),
            (
                "url = \"https://wiki.example/\"\nservice = \" \"\n",
                "line 3, column 11: `service` must be a service's name or id",
            ),
            (
                "url = \"https://wiki.example/\"\ntitle = \"/(/\"\n",
                "line 3, column 9: `title` the pattern between the slashes is none: error: unclosed group",
            ),
        ] {
            assert_eq!(rules(&format!("[[runbook]]\n{text}")), Err(said.to_owned()), "{text}");
        }
    }
}
