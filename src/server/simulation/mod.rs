//! Seeded lives of a server: webhooks late, doubled and lost, REST that fails or lies a little, answers to actions that
//! never come, owners that die anywhere, and consoles that lag. What must hold is in [`checks`].
//!
//! The real receiver, store, ingest, poller, actions and console run; provider, courier, screens, clock and the store's
//! threads are simulated. All chance comes from the seed and time is virtual, so a seed that broke a rule breaks it again.
//! For that, nothing that runs here may hang on a `select!` that draws lots, on another thread, or on how long something
//! took. `DOGWATCH_SIM_SEEDS=1000 cargo test --lib simulation` runs more of them, `DOGWATCH_SIM_SEED=7` that one.

mod checks;
mod clock;
mod owner;
mod provider;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use self::{
    clock::now,
    owner::{Owner, Patience, Story, TakenBack},
    provider::Simulated,
};
use crate::{
    core::{
        action::{Assignee, Target, Verb},
        id::IncidentId,
        incident::Incident,
    },
    provider::pagerduty::world::{PEOPLE, Push, Step, person},
    store::steps,
};

const SEEDS: u64 = 16;
/// Lives at the same time.
const THREADS: usize = 2;
/// Things that happen in one life.
const STEPS: usize = 140;
/// Incidents at most.
const INCIDENTS: usize = 10;
/// Seconds between two actions on one incident in a life that is not crowded: what came of the first is mostly over by then,
/// the rate limit's pauses and what the provider does late with it.
const APART: i64 = 120;

/// A webhook on its way.
struct Letter {
    push: Push,
    due: Timestamp,
}

struct Simulation {
    seed: u64,
    /// Of what happens now.
    rng: Rng,
    dir: PathBuf,
    provider: Simulated,
    owner: Option<Owner>,
    letters: Vec<Letter>,
    under_way: Vec<(Push, JoinHandle<axum::http::StatusCode>)>,
    /// How often each webhook was at the door.
    carried: BTreeMap<String, usize>,
    /// Event ids that were answered with 2xx, and when they say they happened.
    taken: Vec<Push>,
    acted: Vec<(IncidentId, Timestamp)>,
    story: Story,
    /// The file, at the end.
    audit: String,
    faults: bool,
    /// Until then every webhook is lost.
    silent_until: Timestamp,
    deaths: usize,
    actions: usize,
    /// Several act on one incident at the same time.
    crowded: bool,
    /// Actions may wait for a moment, and be taken back till then.
    undoable: bool,
    taken_back: TakenBack,
}

/// The lots for one thing: no other that draws some changes them.
fn lots(seed: u64, of: impl Hash) -> Rng {
    let mut hasher = DefaultHasher::new();
    (seed, of).hash(&mut hasher);
    Rng::with_seed(hasher.finish())
}

fn later(milliseconds: u64) -> Timestamp {
    now().checked_add(Duration::from_millis(milliseconds)).expect("in range")
}

impl Simulation {
    fn new(seed: u64, dir: &Path, story: Story) -> Self {
        clock::begin();
        steps::make_store(dir);
        let mut rng = Rng::with_seed(seed);
        let provider = Simulated::new(rng.u64(..), 15);
        Self {
            seed,
            rng,
            dir: dir.to_owned(),
            provider,
            owner: None,
            letters: vec![],
            under_way: vec![],
            carried: BTreeMap::new(),
            taken: vec![],
            acted: vec![],
            story,
            audit: String::new(),
            faults: true,
            silent_until: now(),
            deaths: 0,
            actions: 0,
            crowded: seed % 2 == 1,
            undoable: seed / 2 % 2 == 1,
            taken_back: TakenBack::default(),
        }
    }

    fn live(&mut self) {
        for step in 0..STEPS {
            self.rng = lots(self.seed, step);
            if self.owner.is_none() {
                self.take_over();
            }
            let pause = match self.rng.u8(..10) {
                0..=4 => self.rng.u64(..300),
                5..=8 => self.rng.u64(..3_000),
                _ => self.rng.u64(..20_000),
            };
            self.pass(Duration::from_millis(pause));
            match self.rng.u8(..100) {
                0..=9 => self.trigger(),
                10..=14 => self.blink(),
                15..=59 => self.happen(),
                60..=84 => self.act(),
                85..=89 => self.die(),
                90..=92 => self.silent_until = later(self.rng.u64(..40_000)),
                _ => {}
            }
            if let Some(owner) = &self.owner {
                owner.turns(self.rng.usize(..40));
            }
        }
    }

    /// A new owner, that may die while it starts.
    fn take_over(&mut self) {
        let life = (self.faults && self.rng.u8(..4) == 0).then(|| self.rng.usize(..80));
        self.owner = Owner::start(&self.dir, &self.provider, &self.story, life, &mut self.rng);
        match &self.owner {
            Some(owner) => checks::nothing_taken_is_missing(owner, &self.taken),
            None => self.deaths += 1,
        }
    }

    /// Everything is dropped where it waits, often with webhooks at the door; unanswered ones will be sent again.
    fn die(&mut self) {
        let soon = later(20_000);
        self.letters.iter_mut().filter(|letter| letter.due < soon).for_each(|letter| letter.due = now());
        self.carry();
        let Some(owner) = &self.owner else { return };
        let turns = if self.rng.bool() { self.rng.usize(..40) } else { self.rng.usize(..3_000) };
        owner.turns(turns);
        self.collect();
        self.owner = None;
        self.deaths += 1;
        let due = later(self.rng.u64(1_000..8_000));
        self.letters.extend(self.under_way.drain(..).map(|(push, _)| Letter { push, due }));
    }

    fn pass(&mut self, time: Duration) {
        let mut left = time;
        loop {
            self.carry();
            let step = left.min(Duration::from_millis(500));
            match &self.owner {
                Some(owner) => owner.pass(step),
                None => clock::pass(step),
            }
            self.provider.inside().tick();
            self.collect();
            if let Some(owner) = &self.owner {
                checks::freshness_is_no_newer_than_the_last_success(owner, &self.provider);
            }
            left -= step;
            if left.is_zero() {
                return;
            }
        }
    }

    /// The provider's webhooks, some of them late, doubled or lost, are put on their way and delivered when due.
    fn carry(&mut self) {
        let new = std::mem::take(&mut self.provider.inside().outbox);
        for push in new {
            let mut rng = lots(self.seed, &push.event_id);
            let copies = if self.faults && now() < self.silent_until {
                0
            } else if self.faults {
                [0, 1, 1, 1, 1, 1, 2, 3][rng.usize(..8)]
            } else {
                1
            };
            for _ in 0..copies {
                let delay = if rng.u8(..4) == 0 { rng.u64(..40_000) } else { rng.u64(..500) };
                self.letters.push(Letter { push: push.clone(), due: later(delay) });
            }
        }
        let Some(owner) = &self.owner else { return };
        for letter in self.letters.extract_if(.., |letter| letter.due <= now()) {
            let answer = owner.deliver(&letter.push);
            let before = self.carried.entry(letter.push.event_id.clone()).or_default();
            let mut rng = lots(self.seed, (&letter.push.event_id, *before));
            *before += 1;
            if self.faults && rng.u8(..10) == 0 {
                // The sender hangs up.
                owner.turns(rng.usize(..6));
                answer.abort();
            }
            self.under_way.push((letter.push, answer));
        }
    }

    /// Notes what was answered; what was not is sent again.
    fn collect(&mut self) {
        let Some(owner) = &self.owner else { return };
        for (push, answer) in self.under_way.extract_if(.., |(_, answer)| answer.is_finished()).collect::<Vec<_>>() {
            match owner.answer(answer) {
                Some(status) if status.is_success() => self.taken.push(push),
                Some(status) if !status.is_server_error() => panic!("a genuine webhook was refused: {status}"),
                _ => self.letters.push(Letter { push, due: later(2_000) }),
            }
        }
    }

    fn trigger(&mut self) {
        let mut inside = self.provider.inside();
        if inside.incidents.len() < INCIDENTS {
            inside.trigger();
        }
    }

    /// Something begins and is over before anybody looks.
    fn blink(&mut self) {
        self.trigger();
        let moment = Duration::from_millis(self.rng.u64(..1_000));
        self.pass(moment);
        let mut inside = self.provider.inside();
        if let Some(id) = inside.newest() {
            inside.happen(&id, Step::Resolve, 1);
        }
    }

    fn happen(&mut self) {
        let mut inside = self.provider.inside();
        let ids: Vec<IncidentId> = inside.incidents.keys().cloned().collect();
        let Some(id) = self.rng.choice(ids) else { return };
        let usual = [Step::Acknowledge, Step::Resolve, Step::Reopen, Step::Escalate, Step::Unacknowledge];
        let step = if self.rng.bool() { self.rng.choice(usual) } else { self.rng.choice(Step::ALL) };
        inside.happen(&id, step.expect("some"), self.rng.usize(..PEOPLE.len()));
    }

    /// Somebody acts on what the board shows, at times on several incidents at once.
    fn act(&mut self) {
        let Some(owner) = &self.owner else { return };
        let shown: Vec<Incident> = owner.desk.hub.look(|board| board.incidents.values().cloned().collect());
        let free: Vec<Incident> = shown.into_iter().filter(|incident| self.is_free(&incident.key.id)).collect();
        let Some(incident) = self.rng.choice(&free).cloned() else { return };
        self.actions += 1;
        let to = Assignee::User(person(PEOPLE[self.rng.usize(..PEOPLE.len())]));
        // The same words again and again: a note must not be taken for an older one.
        let text = "on it".to_owned();
        let verb = match self.rng.u8(..6) {
            0..=2 if incident.state.status.is_open() => Verb::Acknowledge,
            3 if incident.state.status.is_open() => Verb::Resolve { note: None },
            4 if incident.state.status.is_open() => Verb::HandOff { to, note: self.rng.bool().then_some(text) },
            _ => Verb::Note { text },
        };
        let most = if self.rng.u8(..3) == 0 { 4 } else { 1 };
        let others = free.iter().filter(|other| other.key != incident.key);
        let alike = others.filter(|other| other.state.status == incident.state.status);
        let targets: Vec<Target> = [&incident].into_iter().chain(alike).take(most).map(Target::at).collect();
        self.acted.extend(targets.iter().map(|target| (target.key.id.clone(), now())));
        let patience = match self.rng.u8(..4) {
            _ if !self.undoable => Patience::None,
            0 | 1 => Patience::TakesBackAfter(Duration::from_millis(self.rng.u64(..8_000))),
            2 => Patience::Waits,
            _ => Patience::None,
        };
        owner.act(targets, verb, patience, &self.taken_back);
        if self.rng.u8(..4) == 0 {
            let moment = Duration::from_millis(self.rng.u64(..2_000));
            self.pass(moment);
            self.die();
        }
    }

    /// In every other life people act on what others work on too.
    fn is_free(&self, id: &IncidentId) -> bool {
        let lately = |(acted, at): &(IncidentId, Timestamp)| acted == id && now().duration_since(*at).as_secs() < APART;
        self.crowded || !self.acted.iter().any(lately)
    }

    /// The faults stop, everything on its way arrives, a poll passes, and what was sent is read back: all at the same
    /// time, so that it takes as long as the slowest, however many an owner left open.
    fn calm_down(&mut self) {
        self.faults = false;
        self.provider.inside().faults = 0;
        if self.owner.is_none() {
            self.take_over();
        }
        self.pass(Duration::from_mins(3));
        assert!(self.letters.is_empty() && self.under_way.is_empty(), "webhooks are still on their way");
    }
}

/// One life, and what must hold after it.
fn run(seed: u64, story: &Story) -> Simulation {
    let room = Path::new("/dev/shm");
    let dir = if room.is_dir() { tempfile::tempdir_in(room) } else { tempfile::tempdir() }.expect("tempdir");
    let mut life = Simulation::new(seed, dir.path(), Arc::clone(story));
    life.live();
    life.calm_down();
    let owner = life.owner.as_ref().expect("an owner");
    checks::nothing_taken_is_missing(owner, &life.taken);
    checks::each_event_was_taken_once(owner, &life.taken);
    // The threads of the store keep no virtual time: what they write late, the next poll finds.
    (0..4)
        .take_while(|_| checks::untruth(owner, &life.provider).is_some())
        .for_each(|_| owner.pass(Duration::from_secs(30)));
    assert_eq!(checks::untruth(owner, &life.provider), None);
    (0..60).take_while(|_| !checks::screens_have_caught_up(owner)).for_each(|_| owner.pass(Duration::from_millis(500)));
    checks::screens_show_the_board(owner);
    checks::store_holds_the_board(owner);
    checks::actions_end_truthfully(owner, &life.provider, dir.path());
    checks::nothing_taken_back_was_sent(owner, &life.taken_back.lock().expect("lock"));
    checks::targets_are_told_of_everything(owner, &life.taken, &life.provider);
    // The next owner finds the same.
    let incidents = |owner: &Owner| owner.desk.hub.look(|board| checks::told(board.incidents.values().cloned()));
    let board = incidents(owner);
    life.owner = None;
    let next = Owner::start(dir.path(), &life.provider, &life.story, None, &mut life.rng).expect("an owner");
    assert_eq!(incidents(&next), board, "after a restart");
    drop(next);
    life.audit = std::fs::read_to_string(dir.path().join("audit.jsonl")).expect("an audit file");
    life
}

fn seeds(usual: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("DOGWATCH_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("DOGWATCH_SIM_SEEDS").unwrap_or(usual)).collect(),
    }
}

#[test]
fn whatever_goes_wrong_the_board_ends_true_and_nothing_is_done_twice() {
    let seeds = seeds(SEEDS);
    let (counts, failed) = (Mutex::new([0; 5]), Mutex::new(BTreeSet::new()));
    let live = |seed: u64| match std::panic::catch_unwind(|| run(seed, &Story::default())) {
        Ok(life) => {
            let spoiled = usize::try_from(life.provider.inside().spoiled).expect("small");
            let taken_back = life.taken_back.lock().expect("lock").len();
            let new = [life.deaths, life.actions, life.taken.len(), spoiled, taken_back];
            counts.lock().expect("lock").iter_mut().zip(new).for_each(|(count, new)| *count += new);
        }
        Err(_) => drop(failed.lock().expect("lock").insert(seed)),
    };
    std::thread::scope(|scope| {
        for part in seeds.chunks(seeds.len().div_ceil(THREADS).max(1)) {
            scope.spawn(|| part.iter().copied().for_each(live));
        }
    });

    let (counts, failed) = (counts.into_inner().expect("lock"), failed.into_inner().expect("lock"));
    let told = format!("of {} seeds these broke a rule (DOGWATCH_SIM_SEED=… runs one)", seeds.len());
    assert!(failed.is_empty(), "{told}: {failed:?}");
    // Deaths, actions, webhooks taken, answers spoiled, actions taken back.
    assert!(seeds.len() == 1 || counts.iter().all(|count| *count > seeds.len()), "too little happened: {counts:?}");
}

/// A life line by line: what consoles were told, what was done, and the audit file.
fn story(seed: u64) -> Vec<String> {
    let story = Story::default();
    let life = run(seed, &story);
    let told = std::mem::take(&mut *story.lock().expect("lock"));
    let done = life.provider.inside().ledger.iter().map(|done| format!("{done:?}")).collect::<Vec<_>>();
    told.into_iter().chain(done).chain(life.audit.lines().map(str::to_owned)).collect()
}

#[test]
fn the_same_seed_gives_the_same_life() {
    for seed in seeds(2) {
        let (first, again) = (story(seed), story(seed));

        let mut lines = first.iter().zip(&again).enumerate();
        let differs = lines.find(|(_, (first, again))| first != again);
        assert_eq!(differs, None, "seed {seed}, of {} lines", first.len());
        assert_eq!(first.len(), again.len());
    }
}
