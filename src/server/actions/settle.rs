//! What an earlier owner left open: what was sent is read back, what was not is not sent any more.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::{
    Before, READ_AT_ONCE,
    at_work::Reading,
    create, ended_well,
    part::Part,
    provider_of, read_back, record_last, record_last_as,
    send::{self, Asks, Name, Work},
    undo::Undo,
    way::Way,
};
use crate::{
    core::{
        action::{Action, By, Outcome, Step, Verb},
        id::{AccountName, IncidentKey},
        incident::Status,
        text::Shown,
    },
    provider::{Provider, ProviderError},
    server::{
        arrange,
        desk::Desk,
        people::{Acting, Caller},
    },
};

/// Why what an earlier owner sent is read back.
pub(in crate::server) const CAUSE: &str = "dogwatch ended while this was on its way";
/// So often the pauses of reading back pass, and no longer than this, before a provider that does not answer at all, or a
/// token that cannot be read, is given up: after a machine has started, its network may come minutes later.
const PATIENCE: usize = 8;
const LONGEST: Duration = Duration::from_mins(4);

/// Who acted at an account, and in whose name.
type Who = (AccountName, Option<u32>, Option<Shown>);

/// How the provider calls those in whose name was acted. Each is asked for once.
#[derive(Default)]
struct Names(Mutex<BTreeMap<Who, Arc<OnceCell<Option<Shown>>>>>);

impl Names {
    fn of(&self, account: &AccountName, by: &By) -> Arc<OnceCell<Option<Shown>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((account.clone(), by.uid, by.name.clone())).or_default())
    }
}

/// Settles what an earlier owner left open. None waits for the others: one that was not done takes half a minute to tell.
pub async fn settle(desk: Arc<Desk>, open: Vec<Action>) {
    let (desk, names, until) = (&*desk, Names::default(), Instant::now() + LONGEST);
    // All before the first is settled: a new action on one of these waits until it is known what became of the old one.
    let sent = open.iter().flat_map(|action| {
        let sent = action.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Sent);
        let keys = sent.flat_map(|(key, _)| [Some(key), action.verb.also_changes()]).flatten();
        keys.map(|key| (key.clone(), action.id))
    });
    let mut readings = desk.at_work.read(sent.collect()).await;
    for action in &open {
        tell_unsent(desk, action).await;
    }
    let mut jobs: BTreeMap<&AccountName, Vec<_>> = BTreeMap::new();
    for action in &open {
        let sent = |(_, (_, outcome)): &(usize, &(IncidentKey, Outcome))| *outcome == Outcome::Sent;
        for (at, (key, _)) in action.outcomes.iter().enumerate().filter(sent) {
            let keys = [Some(key), action.verb.also_changes()].into_iter().flatten();
            let reading = keys.filter_map(|key| readings.get(key).cloned()).collect();
            let part = settle_part(desk, &names, until, (action, at), reading);
            jobs.entry(&key.account).or_default().push(async move {
                ended_well(desk, action.id, &action.verb, std::slice::from_ref(key), part).await;
            });
        }
    }
    readings.clear();
    // One account that does not answer holds up no other.
    join_all(jobs.into_values().map(|jobs| stream::iter(jobs).buffer_unordered(READ_AT_ONCE).collect::<()>())).await;
}

/// What was not sent needs no look: it is told before anything is read back.
async fn tell_unsent(desk: &Desk, action: &Action) {
    let unsent = action.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Pending { .. }));
    let failed = Outcome::Failed { reason: "dogwatch ended before this was sent".into() };
    let outcomes = unsent.map(|(key, _)| (key.clone(), failed.clone())).collect();
    record_last(desk, action.id, &action.verb, outcomes).await;
}

async fn settle_part(
    desk: &Desk,
    names: &Names,
    until: Instant,
    (action, at): (&Action, usize),
    _reading: Vec<Reading>,
) {
    let Some((key, _)) = action.outcomes.get(at) else { return };
    let (known_as, settled) = match (provider(desk, &action.verb, key, until).await, &action.verb) {
        (Err(reason), _) => (key.clone(), Outcome::Unknown { reason }),
        (Ok(provider), Verb::Arrange(what)) => (key.clone(), arrange::settle_sent(desk, &*provider, what, at).await),
        (Ok(provider), _) => settle_sent(desk, names, provider, action, key).await,
    };
    record_last_as(desk, action.id, &action.verb, key, known_as, settled).await;
}

/// The way to read back by the settings of the moment, once the token can be read and the provider answers.
async fn provider(desk: &Desk, verb: &Verb, key: &IncidentKey, until: Instant) -> Result<Arc<dyn Provider>, Shown> {
    let pauses = std::iter::repeat_n(desk.read_back, PATIENCE).flatten();
    let mut pauses = pauses.take_while(|_| Instant::now() < until);
    let is_of_an_incident = !matches!(verb, Verb::Create(_) | Verb::Arrange(_));
    loop {
        let found = provider_of(desk, key, &Acting::Owner).await;
        let is_there = match &found {
            // Once it has answered, it is known how its clock stands to ours.
            Ok(provider) if is_of_an_incident && provider.clock_skew().is_none() => {
                !is_out_of_reach(&**provider, key).await
            }
            Ok(_) => true,
            Err(_) => !desk.accounts.contains_key(&key.account),
        };
        match pauses.next() {
            Some(pause) if !is_there => sleep(*pause).await,
            _ => return found,
        }
    }
}

async fn is_out_of_reach(provider: &dyn Provider, key: &IncidentKey) -> bool {
    matches!(provider.incident(&key.id).await, Err(ProviderError::Unreachable { .. } | ProviderError::TimedOut { .. }))
}

async fn settle_sent(
    desk: &Desk,
    names: &Names,
    provider: Arc<dyn Provider>,
    action: &Action,
    key: &IncidentKey,
) -> (IncidentKey, Outcome) {
    if let Verb::Create(new) = &action.verb {
        return create::settle(desk, &*provider, new, key, CAUSE).await;
    }
    let asked = read_back::asked_at(&*provider, action, key).await;
    let before = Before { changed: asked, seen: None, signs: 0, since: Some(asked) };
    let name = Name { known: names.of(&key.account, &action.by), asks: in_the_name_of(desk, action, key).await };
    let undo = Undo::new(desk, action.id, None);
    let way = Way::new(desk, &action.by, key.account.clone(), Acting::Owner);
    let part = Part::new(desk, action.id, &action.verb, &undo, way);
    let work = Work::new(&part, provider, Acting::Owner, name);
    let steps = action.verb.steps(Status::Acknowledged);
    let mut outcome = Outcome::Confirmed { notice: None };
    let mut done: Option<&Step> = None;
    for step in &steps {
        let one = read_back::until_seen(&work, step, key, &before, CAUSE).await.outcome;
        let first = if read_back::was_acknowledged_for(&work, step, key, &before, &one).await {
            Some(&Step::Acknowledge)
        } else {
            done
        };
        outcome = send::together(outcome, first, step, one);
        if !matches!(outcome, Outcome::Confirmed { .. }) {
            break;
        }
        done = Some(step);
    }
    (key.clone(), outcome)
}

/// Who tells how the provider calls whoever acted: by the settings of now, as long as they still say that name for them.
async fn in_the_name_of(desk: &Desk, action: &Action, key: &IncidentKey) -> Asks {
    let Some(names) = &action.by.name else { return Asks::Owner };
    let caller = Caller { uid: action.by.uid, login: action.by.actor.clone() };
    let acting = desk.people.acting(&caller, &key.account).ok();
    // At several accounts it may have been several.
    let is_said = |name: Shown| names.as_str().split(", ").any(|one| one == name.as_str());
    let acting = acting.filter(|acting| acting.name().is_some_and(is_said));
    match acting {
        Some(acting) => provider_of(desk, key, &acting).await.map_or(Asks::Nobody, Asks::Other),
        None => Asks::Nobody,
    }
}
