//! What a person needs first of an alert, where the way in which its sender writes is known. Everything else, and all of this,
//! stands in the tree: a gist only puts it in order.

mod alertmanager;
mod known;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::Tree;
use crate::core::text::{Shown, ShownBody};

/// Lines of one fact; the rest is below.
const MOST_LINES: usize = 8;

/// The first things to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gist {
    /// Whose way of writing it is: `CloudWatch`, `Datadog` …
    pub sender: Shown,
    pub facts: Vec<(Shown, ShownBody)>,
}

impl Gist {
    /// `None`: nobody is known who writes so.
    pub fn of(tree: &Tree) -> Option<Self> {
        let known = [
            ("CloudWatch", known::cloudwatch as fn(&Tree) -> Option<Facts>),
            ("Prometheus", alertmanager::read),
            ("Nagios", known::nagios),
            ("New Relic", known::new_relic),
            ("Datadog", known::datadog),
        ];
        let (sender, facts) = known.iter().find_map(|(sender, read)| Some((sender, read(tree)?)))?;
        Some(Self { sender: Shown::line(sender), facts: facts.0 })
    }
}

/// Facts being put in order.
#[derive(Default)]
struct Facts(Vec<(Shown, ShownBody)>);

impl Facts {
    /// Adds what says something.
    fn add(&mut self, name: &str, text: Option<impl AsRef<str>>) {
        let Some(text) = text else { return };
        let lines: Vec<&str> = text.as_ref().trim().lines().collect();
        if lines.is_empty() {
            return;
        }
        let mut shown = lines.iter().take(MOST_LINES).copied().collect::<Vec<_>>().join("\n");
        if lines.len() > MOST_LINES {
            shown.push_str("\n…");
        }
        self.0.push((Shown::line(name), ShownBody::new(&shown)));
    }

    /// Adds the parts that there are, one after another.
    fn add_joined(&mut self, name: &str, between: &str, parts: &[Option<&str>]) {
        let parts: Vec<&str> = parts.iter().flatten().copied().collect();
        self.add(name, (!parts.is_empty()).then(|| parts.join(between)));
    }
}
