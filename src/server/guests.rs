//! What each user of the host may take of the server: consoles, open requests, questions to a provider.
//! One user at their limit takes nothing from the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::users;

/// What one user, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Consoles and commands attached at the same time.
    pub consoles: usize,
    /// Of these, of one user.
    pub consoles_each: usize,
    /// Requests of one user that are being answered, over all consoles.
    pub requests_each: usize,
    /// Attaching, which costs a snapshot.
    pub hellos: Rate,
    /// Requests that make the server ask a provider, whose limits all users share.
    pub questions: Rate,
}

/// So many at once, and then one every `every`.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub burst: u32,
    pub every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            consoles: 128,
            consoles_each: 24,
            requests_each: 32,
            hellos: Rate { burst: 48, every: Duration::from_secs(1) },
            questions: Rate { burst: 60, every: Duration::from_secs(1) },
        }
    }
}

/// A bucket that fills with time.
#[derive(Debug)]
struct Budget {
    rate: Rate,
    left: u32,
    at: Instant,
}

impl Budget {
    fn new(rate: Rate) -> Self {
        Self { rate, left: rate.burst, at: Instant::now() }
    }

    fn take(&mut self) -> bool {
        if self.is_full() {
            (self.left, self.at) = (self.rate.burst, Instant::now());
        } else {
            let gained = self.at.elapsed().as_millis() / self.rate.every.as_millis().max(1);
            // Fewer than are missing.
            let gained = u32::try_from(gained).unwrap_or_default();
            self.at += self.rate.every.saturating_mul(gained);
            self.left += gained;
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        true
    }

    fn is_full(&self) -> bool {
        let missing = self.rate.burst.saturating_sub(self.left);
        self.at.elapsed() >= self.rate.every.saturating_mul(missing)
    }
}

/// What one user has taken.
#[derive(Debug)]
struct User {
    consoles: usize,
    requests: Arc<Semaphore>,
    hellos: Budget,
    questions: Budget,
}

impl User {
    fn new(limits: &Limits) -> Self {
        Self {
            consoles: 0,
            requests: Arc::new(Semaphore::new(limits.requests_each)),
            hellos: Budget::new(limits.hellos),
            questions: Budget::new(limits.questions),
        }
    }

    /// Whether forgetting this user gives them nothing.
    fn is_idle(&self) -> bool {
        // A request that is still being answered holds the semaphore.
        let answered = Arc::strong_count(&self.requests) == 1;
        self.consoles == 0 && answered && self.hellos.is_full() && self.questions.is_full()
    }
}

/// All who are attached from other processes.
#[derive(Debug, Default)]
pub struct Guests {
    limits: Limits,
    users: Mutex<HashMap<Option<u32>, User>>,
}

/// One console's place, given back on drop.
#[derive(Debug)]
pub struct Seat {
    requests: Arc<Semaphore>,
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
        Arc::new(Self { limits, users: Mutex::default() })
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
        if user.consoles >= each {
            return Err(format!("you have {each} consoles attached already: end one first"));
        }
        if all >= most {
            return Err(format!("the server has {most} consoles attached, which is all it takes"));
        }
        if !is_ours(uid) && !user.hellos.take() {
            return Err("you attached too often in a short time: wait a moment".to_owned());
        }
        user.consoles += 1;
        let kind = Kind::Counted { uid, guests: Arc::clone(this) };
        Ok(Seat { requests: Arc::clone(&user.requests), kind })
    }

    /// How many consoles are attached.
    pub fn consoles(&self) -> usize {
        self.lock().values().map(|user| user.consoles).sum()
    }
}

impl Seat {
    /// For the console in the server's own process.
    pub fn own() -> Self {
        let requests = Arc::new(Semaphore::new(Limits::default().requests_each));
        Self { requests, kind: Kind::Own }
    }

    /// Held while a request is answered; else why it is not.
    pub fn request(&self) -> Result<OwnedSemaphorePermit, String> {
        let permit = Arc::clone(&self.requests).try_acquire_owned();
        permit.map_err(|_| "too many of your requests are being answered: wait for one of them".to_owned())
    }

    /// One question to a provider; else why not now.
    pub fn question(&self) -> Result<(), String> {
        let Kind::Counted { uid, guests } = &self.kind else { return Ok(()) };
        if is_ours(*uid) {
            return Ok(());
        }
        let mut users = guests.lock();
        if users.get_mut(uid).is_none_or(|user| user.questions.take()) {
            return Ok(());
        }
        Err("you asked the provider too often in a short time: wait a moment".to_owned())
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
    async fn who_is_gone_is_forgotten() {
        let guests = guests(Limits::default());
        for uid in 0..1000 {
            drop(Guests::admit(&guests, Some(ALICE + uid)));
        }

        tokio::time::advance(Duration::from_mins(2)).await;
        let _seat = Guests::admit(&guests, Some(BOB)).expect("a seat");

        assert_eq!(guests.lock().len(), 1);
    }
}
