//! What each user of the host may take of the server: consoles, open requests, answers that nobody reads, actions,
//! questions to a provider. One user at their limit takes nothing from the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    rate::{Budget, Rate},
    users,
};
use crate::core::repeated::{More, Repeated};

/// What one user, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Consoles and commands attached at the same time.
    pub consoles: usize,
    /// Of these, of one user.
    pub consoles_each: usize,
    /// Requests of one user whose answers are not read yet, over all consoles.
    pub requests_each: usize,
    /// Bytes of such answers; a single one may have more.
    pub unread_each: usize,
    /// Attaching, which costs a snapshot.
    pub hellos: Rate,
    /// Requests that make the server ask a provider, whose limits all users share.
    pub questions: Rate,
    /// Requests that change something: each is written down, and every console is told.
    pub acts: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            consoles: 128,
            consoles_each: 24,
            requests_each: 32,
            unread_each: 16 * 1024 * 1024,
            hellos: Rate { burst: 48, every: Duration::from_secs(1) },
            questions: Rate { burst: 60, every: Duration::from_secs(1) },
            // More than a person has hands for, also with a script that takes hundreds of incidents one by one.
            acts: Rate { burst: 300, every: Duration::from_millis(500) },
        }
    }
}

/// What one user has taken.
#[derive(Debug)]
struct User {
    consoles: usize,
    requests: Arc<Semaphore>,
    unread: Arc<Unread>,
    hellos: Budget,
    questions: Budget,
    acts: Budget,
}

impl User {
    fn new(limits: &Limits) -> Self {
        Self {
            consoles: 0,
            requests: Arc::new(Semaphore::new(limits.requests_each)),
            unread: Arc::new(Unread { most: limits.unread_each, bytes: Mutex::default() }),
            hellos: Budget::new(limits.hellos),
            questions: Budget::new(limits.questions),
            acts: Budget::new(limits.acts),
        }
    }

    /// Whether forgetting this user gives them nothing.
    fn is_idle(&self) -> bool {
        // A request whose answer is not written yet holds the semaphore.
        let answered = Arc::strong_count(&self.requests) == 1;
        let full = [&self.hellos, &self.questions, &self.acts].into_iter().all(Budget::is_full);
        self.consoles == 0 && answered && full
    }
}

/// The answers of one user that nobody has read.
#[derive(Debug)]
struct Unread {
    most: usize,
    bytes: Mutex<usize>,
}

impl Unread {
    fn bytes(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer's share of what may wait to be read, given back on drop.
#[derive(Debug)]
pub struct Room {
    unread: Arc<Unread>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        *self.unread.bytes() -= self.bytes;
    }
}

/// A request's place, held until its answer is written.
#[derive(Debug)]
pub struct Open {
    _permit: OwnedSemaphorePermit,
    unread: Arc<Unread>,
}

impl Open {
    /// Room for an answer of so many bytes; else why there is none.
    pub fn room(&self, bytes: usize) -> Result<Room, String> {
        let mut unread = self.unread.bytes();
        if *unread > 0 && unread.saturating_add(bytes) > self.unread.most {
            let kib = self.unread.most / 1024;
            return Err(format!("your consoles have not read {kib} KiB of answers yet: ask again when they have"));
        }
        *unread += bytes;
        Ok(Room { unread: Arc::clone(&self.unread), bytes })
    }
}

/// All who are attached from other processes.
#[derive(Debug, Default)]
pub struct Guests {
    limits: Limits,
    users: Mutex<HashMap<Option<u32>, User>>,
    refusals: Mutex<Repeated>,
}

/// One console's place, given back on drop.
#[derive(Debug)]
pub struct Seat {
    requests: Arc<Semaphore>,
    unread: Arc<Unread>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// In the server's own process, and not counted.
    Own,
    /// Counted; the server's own user is not held to the rates.
    Counted { uid: Option<u32>, guests: Arc<Guests> },
}

impl Guests {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, users: Mutex::default(), refusals: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<u32>, User>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a console of this user; else why there is none. Their name is not asked for before they have one.
    pub fn admit(this: &Arc<Self>, uid: Option<u32>) -> Result<Seat, String> {
        let mut users = this.lock();
        users.retain(|_, user| !user.is_idle());
        let all: usize = users.values().map(|user| user.consoles).sum();
        let (each, most) = (this.limits.consoles_each, this.limits.consoles);
        let user = users.entry(uid).or_insert_with(|| User::new(&this.limits));
        // Being refused for another reason costs as much.
        if !is_ours(uid) && !user.hellos.take() {
            return Err("you attached too often in a short time: wait a moment".to_owned());
        }
        if user.consoles >= each {
            return Err(format!("you have {each} consoles attached already: end one first"));
        }
        if all >= most {
            return Err(format!("the server has {most} consoles attached, which is all it takes"));
        }
        user.consoles += 1;
        let kind = Kind::Counted { uid, guests: Arc::clone(this) };
        Ok(Seat { requests: Arc::clone(&user.requests), unread: Arc::clone(&user.unread), kind })
    }

    /// Whether the log is to say that a console of this user was turned away, and with what: they do not choose how long
    /// that gets.
    pub(super) fn complains(&self, uid: Option<u32>, reason: &str) -> Option<More> {
        let words = format!("{uid:?} {reason}");
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).say(&words, Instant::now())
    }

    /// How many consoles are attached.
    pub fn consoles(&self) -> usize {
        self.lock().values().map(|user| user.consoles).sum()
    }
}

impl Seat {
    /// For the console in the server's own process.
    pub fn own() -> Self {
        let User { requests, unread, .. } = User::new(&Limits::default());
        Self { requests, unread, kind: Kind::Own }
    }

    /// Held until a request is answered and the answer is written; else why it is not taken.
    pub fn request(&self) -> Result<Open, String> {
        let permit = Arc::clone(&self.requests).try_acquire_owned();
        let permit = permit.map_err(|_| "too many of your requests are being answered: wait for one of them")?;
        Ok(Open { _permit: permit, unread: Arc::clone(&self.unread) })
    }

    /// One question to a provider; else why not now.
    pub fn question(&self) -> Result<(), String> {
        self.spend(|user| &mut user.questions, "you asked the provider too often in a short time: wait a moment")
    }

    /// One request that changes something; else why not now.
    pub fn act(&self) -> Result<(), String> {
        self.spend(|user| &mut user.acts, "nothing was done: you asked for too much in a short time: wait a moment")
    }

    fn spend(&self, of: fn(&mut User) -> &mut Budget, refusal: &str) -> Result<(), String> {
        let Kind::Counted { uid, guests } = &self.kind else { return Ok(()) };
        if is_ours(*uid) || guests.lock().get_mut(uid).is_none_or(|user| of(user).take()) {
            return Ok(());
        }
        Err(refusal.to_owned())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Kind::Counted { uid, guests } = &self.kind else { return };
        if let Some(user) = guests.lock().get_mut(uid) {
            user.consoles = user.consoles.saturating_sub(1);
        }
    }
}

/// Whether it is the server's own user.
fn is_ours(uid: Option<u32>) -> bool {
    uid == Some(users::own_uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests(limits: Limits) -> Arc<Guests> {
        Guests::new(limits)
    }

    /// No test runs as one of these.
    const ALICE: u32 = 4_000_001;
    const BOB: u32 = 4_000_002;

    #[tokio::test(start_paused = true)]
    async fn one_users_consoles_take_no_place_of_anothers() {
        let guests = guests(Limits { consoles: 5, consoles_each: 3, ..Limits::default() });
        let held: Vec<_> = (0..3).map(|_| Guests::admit(&guests, Some(ALICE)).expect("a seat")).collect();

        let refused = Guests::admit(&guests, Some(ALICE)).expect_err("too many");
        let other = Guests::admit(&guests, Some(BOB));

        assert!(refused.contains("have 3 consoles attached already"), "{refused}");
        assert!(other.is_ok());
        drop(held);
        assert!(Guests::admit(&guests, Some(ALICE)).is_ok(), "a place given back is a place");
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_have_a_bound_too() {
        let guests = guests(Limits { consoles: 2, consoles_each: 2, ..Limits::default() });
        let _held = [ALICE, BOB].map(|uid| Guests::admit(&guests, Some(uid)).expect("a seat"));

        assert!(Guests::admit(&guests, Some(BOB)).expect_err("full").contains("has 2 consoles"));
    }

    #[tokio::test(start_paused = true)]
    async fn attaching_again_and_again_is_slowed_down() {
        let hellos = Rate { burst: 2, every: Duration::from_secs(1) };
        let guests = guests(Limits { hellos, ..Limits::default() });
        let attach = || Guests::admit(&guests, Some(ALICE)).map(drop);

        assert_eq!([attach(), attach()], [Ok(()), Ok(())]);
        assert!(attach().expect_err("too often").contains("too often"));
        tokio::time::advance(Duration::from_secs(1)).await;

        assert_eq!(attach(), Ok(()));
        assert!(attach().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_for_want_of_a_place_is_slowed_down_too_and_fills_no_log() {
        let hellos = Rate { burst: 10, every: Duration::from_secs(1) };
        let guests = guests(Limits { hellos, consoles_each: 1, ..Limits::default() });
        let _held = Guests::admit(&guests, Some(ALICE)).expect("a seat");
        let refused: Vec<String> = (0..100).map(|_| Guests::admit(&guests, Some(ALICE)).expect_err("full")).collect();

        let said = refused.iter().filter(|reason| guests.complains(Some(ALICE), reason).is_some()).count();

        let full = refused.iter().filter(|reason| reason.contains("1 consoles attached")).count();
        assert_eq!((full, said), (9, 2), "{refused:?}");
        assert!(guests.complains(Some(BOB), &refused[0]).is_some(), "of another it is news");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_nothing_for_long_may_ask_no_more_at_once_than_others() {
        let questions = Rate { burst: 3, every: Duration::from_secs(1) };
        let guests = guests(Limits { questions, ..Limits::default() });
        let seat = Guests::admit(&guests, Some(ALICE)).expect("a seat");
        let passed = || (0..20).filter(|_| seat.question().is_ok()).count();

        tokio::time::advance(Duration::from_hours(24)).await;

        assert_eq!(passed(), 3);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(passed(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_and_questions_are_counted_over_all_consoles_of_a_user_also_of_one_that_left() {
        let questions = Rate { burst: 2, every: Duration::from_mins(1) };
        let guests = guests(Limits { requests_each: 2, questions, ..Limits::default() });
        let first = Guests::admit(&guests, Some(ALICE)).expect("a seat");
        let open = [first.request().expect("free"), first.request().expect("free")];
        assert_eq!([first.question(), first.question()], [Ok(()), Ok(())]);
        drop(first);

        let second = Guests::admit(&guests, Some(ALICE)).expect("a seat");

        assert!(second.request().is_err() && second.question().is_err());
        drop(open);
        assert!(second.request().is_ok());
        let other = Guests::admit(&guests, Some(BOB)).expect("a seat");
        assert!(other.request().is_ok() && other.question().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hundreds_of_actions_in_a_row_are_taken_and_thousands_are_not() {
        let guests = guests(Limits::default());
        let seat = Guests::admit(&guests, Some(ALICE)).expect("a seat");

        let passed = (0..5000).filter(|_| seat.act().is_ok()).count();

        assert_eq!(passed, 300);
        assert!(seat.act().expect_err("too many").contains("nothing was done"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..10).filter(|_| seat.act().is_ok()).count(), 2);
        let other = Guests::admit(&guests, Some(BOB)).expect("a seat");
        assert_eq!(other.act(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_nobody_reads_have_a_bound_over_all_consoles_of_a_user_and_the_first_has_none() {
        let guests = guests(Limits { unread_each: 100 * 1024, ..Limits::default() });
        let open = |uid| Guests::admit(&guests, Some(uid)).expect("a seat").request().expect("free");
        let (first, second, other) = (open(ALICE), open(ALICE), open(BOB));

        let large = first.room(200 * 1024).expect("nothing else waits");
        let refused = second.room(1).expect_err("too much");

        assert!(refused.contains("have not read 100 KiB of answers"), "{refused}");
        assert!(other.room(100 * 1024).is_ok(), "another's answers are nothing to this user");
        drop(large);
        let _half = second.room(60 * 1024).expect("room");
        assert!(first.room(60 * 1024).is_err() && first.room(40 * 1024).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_forgotten() {
        let guests = guests(Limits::default());
        for uid in 0..1000 {
            drop(Guests::admit(&guests, Some(ALICE + uid)));
        }

        tokio::time::advance(Duration::from_mins(3)).await;
        let _seat = Guests::admit(&guests, Some(BOB)).expect("a seat");

        assert_eq!(guests.lock().len(), 1);
    }
}
