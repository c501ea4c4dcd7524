//! The names of what an action is about, as the server knows them. A console names things with their ids, and only the ids
//! are sent: by the names, people read later what was done.

use super::desk::Desk;
use crate::core::{
    action::{Assignee, Verb},
    arrangement::Arrangement,
    board::{AccountBoard, Board},
    id::{IncidentKey, UserId},
    incident::Named,
    text::Shown,
};

impl Desk {
    /// The same, with the name of each thing that is known to the accounts of `keys`.
    pub(super) fn with_known_names(&self, mut verb: Verb, keys: &[IncidentKey]) -> Verb {
        if let Verb::ResolveAlert { alert } = &mut verb {
            let details = keys.iter().filter_map(|key| self.details.peek(key));
            let known = details.flat_map(|detail| detail.alerts).find(|known| known.id.as_ref() == Some(&alert.id));
            if let Some(known) = known {
                alert.name = known.summary;
            }
        }
        self.hub.look(|board| {
            let mut accounts: Vec<_> = keys.iter().map(|key| &key.account).collect();
            accounts.dedup();
            let accounts = accounts.into_iter().filter_map(|account| board.accounts.get(account));
            Known { board, accounts: accounts.collect() }.name(&mut verb);
        });
        verb
    }
}

/// What is known where an action happens.
struct Known<'a> {
    board: &'a Board,
    accounts: Vec<&'a AccountBoard>,
}

impl Known<'_> {
    fn name(&self, verb: &mut Verb) {
        match verb {
            Verb::HandOff { to, .. } => self.assignee(to),
            Verb::AddResponders { to, .. } => to.iter_mut().for_each(|one| self.assignee(one)),
            Verb::Merge { into, name } => *name = self.incident(into),
            Verb::Create(new) => {
                self.set(&mut new.service, |known| known.services.services.iter().map(|one| &one.service));
            }
            Verb::Arrange(what) => self.arrangement(what),
            // Of workflows, priorities and fields nothing is kept here.
            Verb::Acknowledge
            | Verb::Resolve { .. }
            | Verb::Note { .. }
            | Verb::Snooze { .. }
            | Verb::Escalate { .. }
            | Verb::Edit(_)
            | Verb::StatusUpdate { .. }
            | Verb::RunWorkflow { .. }
            | Verb::ResolveAlert { .. } => {}
        }
    }

    fn arrangement(&self, what: &mut Arrangement) {
        match what {
            Arrangement::AddOverrides { schedule, covers } => {
                self.set(schedule, |known| known.schedules.iter().map(|one| &one.schedule));
                for cover in covers {
                    self.user(&mut cover.user);
                    cover.replaces.iter_mut().for_each(|user| self.user(user));
                }
            }
            Arrangement::RemoveOverrides { schedule, overrides } => {
                self.set(schedule, |known| known.schedules.iter().map(|one| &one.schedule));
                for one in overrides {
                    self.user(&mut one.user);
                }
            }
            Arrangement::StartMaintenance { services, .. } => {
                for service in services {
                    self.set(service, |known| known.services.services.iter().map(|one| &one.service));
                }
            }
            Arrangement::EndMaintenance { .. } => {}
        }
    }

    fn assignee(&self, to: &mut Assignee) {
        match to {
            Assignee::User(user) => self.user(user),
            Assignee::EscalationPolicy(policy) => self.set(policy, |known| known.policies.iter()),
        }
    }

    fn user(&self, user: &mut Named<UserId>) {
        self.set(user, |known| {
            let people = known.people.iter().map(|person| &person.user);
            people.chain(known.oncalls.iter().map(|on_call| &on_call.user))
        });
    }

    fn incident(&self, key: &IncidentKey) -> Shown {
        let number = self.board.incidents.get(key).and_then(|known| known.state.number);
        Shown::line(&number.map_or_else(|| key.id.to_string(), |number| format!("#{number}")))
    }

    /// Gives `one` the name under which it is among `these`.
    fn set<'a, Id: PartialEq + 'a, Those>(&'a self, one: &mut Named<Id>, these: impl Fn(&'a AccountBoard) -> Those)
    where
        Those: Iterator<Item = &'a Named<Id>>,
    {
        let known = self.accounts.iter().flat_map(|account| these(account)).find(|known| known.id == one.id);
        if let Some(known) = known {
            one.name = known.name.clone();
        }
    }
}
