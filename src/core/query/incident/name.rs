//! How people name one incident: by number, by id, by both with the account before it, or by its web address.

use crate::core::{
    id::{AccountName, IncidentId},
    incident::Incident,
};

/// A name as somebody typed or pasted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentName {
    /// Only at this account.
    pub account: Option<AccountName>,
    /// The id, or the digits of the number: providers that number incidents take both.
    pub id: IncidentId,
    /// Only the number can be meant.
    numbered: bool,
}

impl IncidentName {
    /// `1201`, `#1201`, `Q1DISK`, `prod/Q1DISK`, `prod/#1201`, or an address with `/incidents/Q1DISK` in it. The error
    /// says what it should be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("`{text}` names no incident: as a number, an id, account/id or its web address");
        let (account, id) = match text.split_once("://") {
            Some((_, address)) => (None, id_of(address).ok_or_else(wrong)?),
            None => match text.split_once('/') {
                Some((account, id)) => (Some(AccountName::new(account).map_err(|_| wrong())?), id),
                None => (None, text),
            },
        };
        let (numbered, id) = id.strip_prefix('#').map_or((false, id), |number| (true, number));
        if numbered && id.parse::<u64>().is_err() || id.contains('/') {
            return Err(wrong());
        }
        Ok(Self { account, id: IncidentId::new(id).map_err(|_| wrong())?, numbered })
    }

    pub fn is_of(&self, incident: &Incident) -> bool {
        let here = self.account.as_ref().is_none_or(|account| incident.key.account == *account);
        let by_id = !self.numbered && incident.key.id == self.id;
        here && (by_id || (self.number().is_some() && incident.state.number == self.number()))
    }

    fn number(&self) -> Option<u64> {
        self.id.as_str().parse().ok()
    }
}

/// What follows `/incidents/` in an address, without what follows that.
fn id_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("/incidents/")?;
    rest.split(['/', '?', '#']).next().filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::incident::{Stamp, Status, tests::observation};
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn disk() -> Incident {
        let mut seen = observation(Status::Triggered, Stamp::push(Timestamp::UNIX_EPOCH), "disk");
        seen.state.number = Some(1201);
        Incident::first(seen)
    }

    #[test]
    fn an_incident_is_found_by_number_id_account_and_web_address() {
        for text in [
            "1201",
            "#1201",
            " P1 ",
            "prod/P1",
            "prod/#1201",
            "prod/1201",
            "https://acme.pagerduty.com/incidents/P1",
            "https://acme.eu.pagerduty.com/incidents/P1/timeline?x=1",
            "https://acme.pagerduty.com/incidents/1201#notes",
        ] {
            assert!(IncidentName::parse(text).expect(text).is_of(&disk()), "{text}");
        }
        for other in ["1202", "p1", "eu/P1", "#12", "https://acme.pagerduty.com/incidents/P2"] {
            assert!(!IncidentName::parse(other).expect(other).is_of(&disk()), "{other}");
        }
        for bad in ["", "#x", "a b", "prod/", "https://acme.pagerduty.com/services/P1", "a/b/c"] {
            assert!(IncidentName::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_naming_panic(text in any::<String>()) {
            if let Ok(name) = IncidentName::parse(&text) {
                name.is_of(&disk());
            }
        }
    }
}
