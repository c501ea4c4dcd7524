//! Incidents that left the view: open when last heard of, and in no list of the provider's any more. Gone from a list is
//! not the same as resolved.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    id::IncidentId,
    incident::Incident,
    text::Shown,
    words::{ago, count},
};

/// What could not be found out is told for so long.
pub const TOLD: SignedDuration = SignedDuration::from_mins(30);
/// The most of those that are told of.
pub const MOST: usize = 20;
/// The most of those that are open that are told of, of either kind: all of them go to every console with each change.
pub const MOST_OPEN: usize = 100;

/// One incident that left the view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub id: IncidentId,
    /// Number and title, as it was known.
    pub name: Shown,
    /// When it was first missed.
    pub at: Timestamp,
    pub fate: Fate,
}

/// How far the provider was asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is about to be asked for alone; until then it is shown as it was.
    Asked,
    /// The provider does not show it to this key, but its webhooks say that it is open.
    Unseen,
    /// The provider does not show it: deleted, or moved to where this key may not look.
    Unknown,
}

impl Left {
    pub fn of(incident: &Incident, at: Timestamp, fate: Fate) -> Self {
        let number = incident.state.number.map(|number| format!("#{number} ")).unwrap_or_default();
        Self { id: incident.key.id.clone(), name: Shown::line(&format!("{number}{}", incident.headline())), at, fate }
    }

    /// What is to be said of it at `now`, in words.
    pub fn words(&self, now: Timestamp) -> String {
        let when = ago(super::words::since(self.at, now));
        match self.fate {
            Fate::Asked => format!("left the view {when}: it is in no list any more, and is being asked for"),
            Fate::Unseen => {
                format!(
                    "left the lists {when}: its webhooks say that it is open, the provider does not show it to this key"
                )
            }
            Fate::Unknown => format!("left the view {when}: what became of it is not known"),
        }
    }
}

/// Those of which nothing more can be found out, and those that are open by their webhooks alone: a sentence for each kind
/// that there is.
pub fn summary(left: &[Left], now: Timestamp) -> Vec<String> {
    gone(left, now).into_iter().chain(unseen_words(left)).collect()
}

fn gone(left: &[Left], now: Timestamp) -> Option<String> {
    let mut unknown = left.iter().filter(|one| one.fate == Fate::Unknown);
    let last = unknown.next_back()?;
    let others = match unknown.count() {
        0 => String::new(),
        more => format!(" (and {more} before it)"),
    };
    Some(format!("{}{others} {}", last.name, last.words(now)))
}

/// How many are open by their webhooks alone.
pub fn unseen(left: &[Left]) -> usize {
    left.iter().filter(|one| one.fate == Fate::Unseen).count()
}

fn unseen_words(left: &[Left]) -> Option<String> {
    let incidents = match unseen(left) {
        0 => return None,
        MOST_OPEN => format!("{MOST_OPEN} or more incidents"),
        number => count(number, "incident", "incidents"),
    };
    Some(format!("{incidents} open by webhooks alone, may be over: not shown by the provider to this key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(id: &str, fate: Fate) -> Left {
        Left { id: id.parse().expect("id"), name: Shown::line(id), at: Timestamp::UNIX_EPOCH, fate }
    }

    #[test]
    fn only_what_nothing_more_can_be_found_out_about_is_summed_up() {
        let now = Timestamp::from_second(180).expect("small");
        assert!(summary(&[left("P1", Fate::Asked)], now).is_empty());

        let said = summary(&[left("P1", Fate::Unknown), left("P2", Fate::Unknown), left("P3", Fate::Asked)], now);

        assert_eq!(said, ["P2 (and 1 before it) left the view 3m ago: what became of it is not known"]);
    }

    #[test]
    fn what_is_open_by_its_webhooks_alone_is_counted() {
        let now = Timestamp::from_second(180).expect("small");
        let words = |number: &str| {
            format!("{number} open by webhooks alone, may be over: not shown by the provider to this key")
        };
        let unseen = |number: usize| vec![left("P1", Fate::Unseen); number];

        assert_eq!(summary(&unseen(1), now), [words("1 incident")]);
        assert_eq!(summary(&unseen(MOST_OPEN), now), [words("100 or more incidents")]);
        let both = [unseen(2), vec![left("P2", Fate::Unknown)]].concat();
        let gone = "P2 left the view 3m ago: what became of it is not known".to_owned();
        assert_eq!(summary(&both, now), [gone, words("2 incidents")]);
    }
}
