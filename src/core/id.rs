//! Names of things, each its own type, checked where they come in.
//!
//! An id is 1 to 128 visible ASCII characters, so it can be shown, logged and put into a URL path
//! (percent-encoded) without further care. Anything else is refused at the edge. A copy of one costs no memory.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a usable id ({length} bytes; ids are 1 to 128 visible ASCII characters)")]
pub struct BadId {
    length: usize,
}

fn check(text: &str) -> Result<(), BadId> {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(()) } else { Err(BadId { length: text.len() }) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes an id as it came in; fails when it has characters that no id has.
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadId> {
                let text = text.as_ref();
                check(text)?;
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// The name of an `[[account]]` in the configuration, for example `prod`.
    AccountName;
    /// An incident's id at its provider; unique within one account only.
    IncidentId;
    /// A person's id at the provider.
    UserId;
    /// An escalation policy's id at the provider.
    PolicyId;
    /// A service's id at the provider.
    ServiceId;
    /// A team's id at the provider.
    TeamId;
    /// A schedule's id at the provider.
    ScheduleId;
    /// An override's id at the provider.
    OverrideId;
    /// A maintenance window's id at the provider.
    WindowId;
    /// A webhook subscription's id at the provider.
    SubscriptionId;
    /// A priority's id at the provider.
    PriorityId;
    /// An incident workflow's id at the provider.
    WorkflowId;
    /// An alert's id at the provider; unique within one account only.
    AlertId;
    /// A custom field's id at the provider.
    FieldId;
    /// The name of a `[[target]]` of outgoing webhooks.
    TargetName;
    /// The signed id of one webhook event (`event.id` at `PagerDuty`): what duplicates are known by.
    EventId;
}

/// The number of a delivery in the log: rises with arrival, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

/// The number of an action: rises with the time it was asked for, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub i64);

/// Which store numbers of actions and deliveries belong to: in another one they name other things. 0: not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreId(pub u64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One incident among all accounts: what a selection, a mark and an action hold on to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IncidentKey {
    pub account: AccountName,
    pub id: IncidentId,
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_other_than_visible_ascii_is_refused() {
        for bad in ["", "a b", "\u{1b}[2J", "é", "a\n", &"x".repeat(129)] {
            assert!(IncidentId::new(bad).is_err(), "{bad:?}");
        }
        assert!(IncidentId::new("Q02JTSNZWHSEKV").is_ok());
        assert!(serde_json::from_str::<IncidentId>("\"a b\"").is_err());
    }

    #[test]
    fn numbers_are_shown_as_they_are_and_an_incident_with_its_account() {
        let key = IncidentKey { account: "prod".parse().expect("id"), id: "P1".parse().expect("id") };

        assert_eq!(format!("{:>3} {} {key}", DeliveryId(7), ActionId(12)), "  7 12 prod/P1");
    }
}
