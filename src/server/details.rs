//! The details that were looked at, kept with their age, so that looking twice asks once. One that an incident's news
//! has overtaken, or that is old, is asked for again when somebody looks; when that fails the old one is better than
//! none, and says that it is old.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::desk::Desk;
use crate::{
    core::{
        call::Purpose,
        detail::{Detail, NEWER, Tree},
        id::IncidentKey,
        text::Shown,
    },
    proto::Answer,
};

/// Bytes of text in all of them together, roughly; the ones that were looked at longest ago go first.
const ROOM: usize = 16 * 1024 * 1024;
/// What one takes beside its text.
const FRAME: usize = 1024;
/// News are not told of everything (of a new alert, for one): an older one is asked for again.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

struct Kept {
    detail: Detail,
    size: usize,
    /// The incident changed since it was asked for.
    overtaken: bool,
}

/// A question to the provider that is not answered yet.
struct Asked {
    number: u64,
    key: IncidentKey,
    overtaken: bool,
}

#[derive(Default)]
struct Inside {
    /// The one that was looked at last comes last.
    kept: VecDeque<Kept>,
    asked: Vec<Asked>,
    last: u64,
}

/// Those that are kept.
#[derive(Default)]
pub struct Details(Mutex<Inside>);

impl Details {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is news of an incident: what is kept of it, and what is on its way, is old.
    pub fn overtaken(&self, key: &IncidentKey) {
        let mut inside = self.inside();
        inside.kept.iter_mut().filter(|one| one.detail.key == *key).for_each(|one| one.overtaken = true);
        inside.asked.iter_mut().filter(|one| one.key == *key).for_each(|one| one.overtaken = true);
    }

    fn ask(&self, key: &IncidentKey) -> u64 {
        let mut inside = self.inside();
        inside.last += 1;
        let number = inside.last;
        inside.asked.push(Asked { number, key: key.clone(), overtaken: false });
        number
    }

    /// The question was answered, or never will be; says whether there was news meanwhile.
    fn answered(&self, number: u64) -> bool {
        let mut inside = self.inside();
        let at = inside.asked.iter().position(|one| one.number == number);
        at.is_some_and(|at| inside.asked.swap_remove(at).overtaken)
    }

    /// What is kept of `key`, and whether it is good enough at `now` to ask nobody.
    fn get(&self, key: &IncidentKey, now: Timestamp) -> Option<(Detail, bool)> {
        let kept = &mut self.inside().kept;
        let at = kept.iter().position(|one| one.detail.key == *key)?;
        let one = kept.remove(at)?;
        let age = now.duration_since(one.detail.fetched_at);
        let good = !one.overtaken && !age.is_negative() && age < GOOD_FOR && one.detail.missing.is_empty();
        let found = (one.detail.clone(), good);
        kept.push_back(one);
        Some(found)
    }

    /// What is kept of `key`, however old.
    pub(super) fn peek(&self, key: &IncidentKey) -> Option<Detail> {
        self.inside().kept.iter().find(|one| one.detail.key == *key).map(|one| one.detail.clone())
    }

    fn put(&self, detail: Detail, overtaken: bool) {
        let size = size(&detail);
        let kept = &mut self.inside().kept;
        kept.retain(|one| one.detail.key != detail.key);
        kept.push_back(Kept { detail, size, overtaken });
        let mut all: usize = kept.iter().map(|one| one.size).sum();
        while all > ROOM {
            let Some(oldest) = kept.pop_front() else { return };
            all = all.saturating_sub(oldest.size);
        }
    }
}

fn size(detail: &Detail) -> usize {
    let alerts = detail.alerts.iter().map(|alert| {
        let details = alert.details.as_ref().map_or(0, Tree::size);
        let links: usize = alert.links.iter().filter_map(|link| link.url.as_ref()).map(|url| url.as_str().len()).sum();
        // The gist repeats a part of the details.
        FRAME + alert.summary.as_str().len() + details + details.min(FRAME) + links
    });
    let notes = detail.notes.iter().map(|note| FRAME + note.content.as_str().len());
    let timeline = detail.timeline.iter().map(|entry| FRAME / 4 + entry.summary.as_str().len());
    FRAME + alerts.chain(notes).chain(timeline).sum::<usize>()
}

impl Desk {
    /// The detail of an incident: the kept one while it is good.
    pub(super) async fn detail(&self, key: IncidentKey) -> Result<Answer, String> {
        match self.details.get(&key, (self.now)()) {
            Some((detail, true)) => Ok(self.told(detail)),
            Some((mut old, false)) => self.detail_anew(key).await.or_else(|error| {
                old.missing.push(Shown::line(&format!("{NEWER}: {error}")));
                Ok(self.told(old))
            }),
            None => self.detail_anew(key).await,
        }
    }

    /// The same, asked of the provider in any case.
    pub(super) async fn detail_anew(&self, key: IncidentKey) -> Result<Answer, String> {
        let account =
            self.accounts.get(&key.account).ok_or_else(|| format!("there is no account `{}`", key.account))?;
        let provider = account.provider().await.map_err(|e| e.to_string())?.for_purpose(Purpose::Detail);
        let asked = self.details.ask(&key);
        let answer = provider.detail(&key.id, (self.now)()).await;
        let overtaken = self.details.answered(asked);
        let mut detail = answer.map_err(|error| error.to_string())?;
        detail.key = key;
        self.details.put(detail.clone(), overtaken);
        Ok(self.told(detail))
    }

    /// A detail with its runbooks, as the settings are now.
    fn told(&self, mut detail: Detail) -> Answer {
        detail.runbooks = self.runbooks_of(&detail.key, Some(&detail), self.contexts.service(&detail.key).as_ref());
        Answer::Detail { detail: Box::new(detail) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        core::{detail::Note, incident::Status, text::ShownBody},
        provider::ProviderError,
        server::fake::{self, Fake, key},
    };

    struct Setup {
        fake: Fake,
        desk: Arc<Desk>,
        _dir: tempfile::TempDir,
    }

    fn setup() -> Setup {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        Setup { fake, desk, _dir: dir }
    }

    async fn look(desk: &Desk) -> Detail {
        match desk.detail(key("P1")).await.expect("a detail") {
            Answer::Detail { detail } => *detail,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn looking_twice_asks_once_until_there_is_news_of_the_incident() {
        let Setup { fake, desk, _dir } = setup();
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;

        let first = look(&desk).await;
        assert_eq!((look(&desk).await, fake.details()), (first, 1));
        desk.observe(&fake.put("P1", Status::Acknowledged, 10)).await;
        look(&desk).await;
        assert_eq!(fake.details(), 2);
        desk.details.overtaken(&key("P2"));
        look(&desk).await;

        assert_eq!(fake.details(), 2, "that was another one");
    }

    #[tokio::test]
    async fn news_that_comes_while_a_detail_is_on_its_way_makes_it_old() {
        let Setup { desk, _dir, .. } = setup();
        let asked = desk.details.ask(&key("P1"));

        desk.details.overtaken(&key("P1"));

        assert!(desk.details.answered(asked));
        assert!(!desk.details.answered(desk.details.ask(&key("P1"))));
    }

    #[tokio::test]
    async fn a_detail_that_cannot_be_had_anew_is_shown_with_its_age_and_why() {
        let Setup { fake, desk, _dir } = setup();
        let first = look(&desk).await;
        desk.details.overtaken(&key("P1"));
        fake.fail_reads(ProviderError::Broken { status: 500, reason: "oops".into() }, 1);

        let kept = look(&desk).await;

        assert_eq!(kept.fetched_at, first.fetched_at);
        assert!(
            kept.missing[0].as_str().starts_with("anything newer: the provider answered 500"),
            "{:?}",
            kept.missing
        );
    }

    #[test]
    fn what_is_kept_of_details_is_bounded_and_the_longest_unseen_goes_first() {
        let details = Details::default();
        let now = Timestamp::UNIX_EPOCH;
        let of = |id: &str| Detail {
            fetched_at: now,
            notes: vec![Note { at: now, author: "Ann".into(), content: ShownBody::new(&"x".repeat(200_000)) }],
            ..Detail::of(key(id))
        };
        details.put(of("P0"), false);
        for n in 1..400 {
            details.put(of(&format!("P{n}")), false);
            assert!(details.get(&key("P0"), now).is_some(), "looked at all the time");
        }

        assert!(details.inside().kept.len() < 90);
        assert!(details.get(&key("P1"), now).is_none());
    }
}
