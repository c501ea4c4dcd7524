//! Incidents that were open and are in no list of the provider's any more: each is asked for alone, because gone from a
//! list is not the same as resolved.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, Instant};

use super::{Round, theirs};
use crate::{
    core::{
        board::Board,
        id::{IncidentId, IncidentKey},
        incident::{Incident, Source, Stamp},
        left::{self, Fate, Left},
    },
    provider::{Provider, ProviderError},
};

/// Asked for one by one in a round; the rest follows in the next.
const AT_ONCE: usize = 50;
/// More than this are looked for among the resolved ones first, which takes a few requests for all.
const MANY_LEFT: usize = 10;
/// After so many that cannot be had, the others wait for the next round too.
const FAILURES: usize = 3;
/// How far back resolved incidents are looked through for those that left.
const SINCE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A provider that was heard of an incident within this time, and does not show it, may not have it everywhere yet.
const YOUNG: SignedDuration = SignedDuration::from_mins(1);
/// What webhooks tell of and the key may not see is asked for so often.
const UNSEEN_AGAIN: Duration = Duration::from_mins(10);
/// And shown for so long after the last of them.
const UNSEEN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is known of them.
#[derive(Default)]
pub(super) struct LeftOnes {
    /// Still to be asked for, the next one last.
    waiting: Vec<IncidentKey>,
    /// Those that were asked for and could not be had, and when that was last.
    failed: BTreeMap<IncidentKey, Instant>,
    /// The provider does not show them, and their webhooks say that they are open: as of when, and when they were asked for.
    unseen: BTreeMap<IncidentKey, (Stamp, Instant)>,
    /// Forgotten, because it did not show them.
    unknown: Vec<Left>,
}

/// What came of asking for one.
pub(super) enum Answer {
    /// It is known how it stands, or nothing more can be said of it.
    Known,
    /// To be asked again. It is a `failure` of the provider's, or too early to believe.
    None { failure: bool },
}

impl Round {
    /// Asks for those that wait.
    pub(super) async fn look_after_those_that_left(&mut self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let (mut again, mut failures, mut outcome) = (vec![], 0, Ok(()));
        for _ in 0..AT_ONCE {
            let Some(key) = self.left.waiting.pop() else { break };
            let is_open = |board: &Board| board.incidents.get(&key).is_some_and(|known| known.state.status.is_open());
            if !self.asker.desk.hub.look(is_open) {
                continue;
            }
            let answer = self.ask_for(provider, &key).await;
            match answer {
                Ok(Answer::Known) => {
                    self.left.failed.remove(&key);
                    continue;
                }
                Ok(Answer::None { failure }) => failures += usize::from(failure),
                Err(error) => outcome = Err(error),
            }
            self.left.failed.insert(key.clone(), Instant::now());
            again.push(key);
            if failures == FAILURES || outcome.is_err() {
                break;
            }
        }
        // One that fails holds up none of the others.
        self.left.waiting.splice(0..0, again);
        outcome
    }

    /// Asks for one incident; fails where others would fare no better.
    pub(super) async fn ask_for(
        &mut self,
        provider: &dyn Provider,
        key: &IncidentKey,
    ) -> Result<Answer, ProviderError> {
        let asked_at = (self.asker.desk.now)();
        match provider.incident(&key.id).await {
            Ok(seen) => {
                self.left.unseen.remove(key);
                self.take(vec![seen], asked_at).await;
                Ok(Answer::Known)
            }
            // Gone, or where this key may not look.
            Err(error @ (ProviderError::NotFound { .. } | ProviderError::Forbidden { .. })) => {
                Ok(self.not_shown(key, &error, asked_at, theirs(provider, asked_at)).await)
            }
            Err(
                error @ (ProviderError::Unreadable { .. }
                | ProviderError::Refused { .. }
                | ProviderError::Broken { .. }
                | ProviderError::TimedOut { .. }),
            ) => {
                tracing::warn!(incident.id = %key.id, %error, "an incident cannot be had; it is asked for again");
                Ok(Answer::None { failure: true })
            }
            Err(
                error @ (ProviderError::Unreachable { .. }
                | ProviderError::Unauthorised { .. }
                | ProviderError::RateLimited { .. }),
            ) => Err(error),
        }
    }

    /// The provider does not show it. What it told of it a moment ago counts for more; and what its webhooks tell is true
    /// where the key may not look too. Anything else is let go, and so is at once what was told of before its account was
    /// asked where nobody knows of it.
    async fn not_shown(
        &mut self,
        key: &IncidentKey,
        why: &ProviderError,
        asked_at: Timestamp,
        theirs: Timestamp,
    ) -> Answer {
        let open = |board: &Board| board.incidents.get(key).filter(|known| known.state.status.is_open()).cloned();
        let Some(known) = self.asker.desk.hub.look(open) else { return Answer::Known };
        let pushed = known.stamp.source == Source::Push;
        let age =
            if pushed { theirs.duration_since(known.stamp.at) } else { asked_at.duration_since(known.stamp.asked) };
        let unknown_here = known.stamp.is_from_elsewhere() && matches!(why, ProviderError::NotFound { .. });
        if age < YOUNG && !unknown_here {
            return Answer::None { failure: false };
        }
        if pushed && age < UNSEEN && !unknown_here {
            self.left.unseen.insert(key.clone(), (known.stamp, Instant::now()));
            return Answer::Known;
        }
        self.left.unknown.push(Left::of(&known, asked_at, Fate::Unknown));
        self.asker.desk.forget(key).await;
        Answer::Known
    }

    /// Says which incidents left the view and are not asked for yet, or known by webhooks alone, and which are not shown
    /// any more.
    pub(super) fn tell_which_left(&mut self, asked_at: Timestamp) {
        let hub = &self.asker.desk.hub;
        let LeftOnes { waiting, unseen, unknown, .. } = &mut self.left;
        let (known, now) = hub.look(|board| {
            let known =
                board.accounts.get(&self.asker.name).map(|known| known.account.left.clone()).unwrap_or_default();
            let is_open = |key: &IncidentKey| board.incidents.get(key).is_some_and(|one| one.state.status.is_open());
            unseen.retain(|key, _| is_open(key));
            let is_back = |id: &IncidentId| {
                board.incidents.contains_key(&IncidentKey { account: self.asker.name.clone(), id: id.clone() })
            };
            unknown.retain(|left| asked_at.duration_since(left.at) < left::TOLD && !is_back(&left.id));
            unknown.drain(..unknown.len().saturating_sub(left::MOST));
            let since = |id: &IncidentId| known.iter().find(|left| left.id == *id).map_or(asked_at, |left| left.at);
            let told = |key: &IncidentKey, fate| {
                let incident = board.incidents.get(key).filter(|one| one.state.status.is_open())?;
                Some(Left::of(incident, since(&key.id), fate))
            };
            let asked = waiting.iter().filter_map(|key| told(key, Fate::Asked)).take(left::MOST_OPEN);
            let pushed = unseen.keys().filter_map(|key| told(key, Fate::Unseen)).take(left::MOST_OPEN);
            let now: Vec<_> = asked.chain(pushed).chain(unknown.iter().cloned()).collect();
            (known, now)
        });
        if now != known {
            self.asker.note(|account| account.left = now);
        }
    }

    /// Notes who is open on the board and not in the list, to be asked for: those last that could not be had before, and of
    /// these the ones first that were not asked for since.
    pub(super) fn note_those_that_left(&mut self, listed: &BTreeSet<IncidentKey>) {
        self.left.unseen.retain(|key, _| !listed.contains(key));
        let mut waiting: Vec<_> = self.missing(listed).into_iter().map(|(key, _)| key).collect();
        let LeftOnes { failed, .. } = &mut self.left;
        failed.retain(|key, _| waiting.contains(key));
        waiting.sort_by_key(|key| Reverse(failed.get(key).copied()));
        self.left.waiting = waiting;
    }

    /// What is open on the board and not in the list, and since when there is such an incident; without those of which
    /// nothing new can be known.
    fn missing(&self, listed: &BTreeSet<IncidentKey>) -> Vec<(IncidentKey, Timestamp)> {
        self.asker.desk.hub.look(|board| {
            let of_this = board.incidents.values().filter(|one| one.key.account == self.asker.name);
            let open = of_this.filter(|one| one.state.status.is_open() && !listed.contains(&one.key));
            open.filter(|one| !self.was_just_asked_for(one))
                .map(|one| (one.key.clone(), one.state.created_at))
                .collect()
        })
    }

    /// Whether they are so many that they are to be looked for among the resolved ones first, and which. A key that may not
    /// see them finds them there neither.
    pub(super) fn many_to_look_for(&self, listed: &BTreeSet<IncidentKey>) -> Option<Vec<(IncidentKey, Timestamp)>> {
        let mut missing = self.missing(listed);
        missing.retain(|(key, _)| !self.left.unseen.contains_key(key));
        (missing.len() > MANY_LEFT).then_some(missing)
    }

    fn was_just_asked_for(&self, known: &Incident) -> bool {
        let asked = self.left.unseen.get(&known.key);
        asked.is_some_and(|(as_of, at)| *as_of == known.stamp && at.elapsed() < UNSEEN_AGAIN)
    }

    /// Looks for many at once, where that is the shorter way.
    pub(super) async fn look_among_the_resolved(
        &mut self,
        provider: &dyn Provider,
        left: &[(IncidentKey, Timestamp)],
    ) -> Result<(), ProviderError> {
        let asked_at = (self.asker.desk.now)();
        let earliest = theirs(provider, asked_at).checked_sub(SINCE).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = left.iter().map(|(_, created_at)| *created_at).min().unwrap_or(earliest).max(earliest);
        match provider.resolved_incidents(since).await {
            Ok(mut seen) => {
                let wanted: BTreeSet<&IncidentKey> = left.iter().map(|(key, _)| key).collect();
                seen.retain(|one| wanted.contains(&one.key));
                self.take(seen, asked_at).await;
                Ok(())
            }
            // One by one it may be had all the same.
            Err(error @ (ProviderError::Unreadable { .. } | ProviderError::Refused { .. })) => {
                tracing::warn!(account = %self.asker.name, %error, "the resolved incidents cannot be listed");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
