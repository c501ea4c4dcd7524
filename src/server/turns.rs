//! Turns at what only one can have at a time: the users take it one after the other, so that one who asks for much waits
//! for it, and the others do not.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::oneshot, time::Instant};

use super::{
    people::Caller,
    rate::{Budget, Rate},
    users,
};

/// The user whose turn it is, as the kernel told.
type Uid = Option<u32>;

/// What one user may have of it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Which one is sent away when there are more.
    pub gives_way: GivesWay,
    /// Milliseconds of it, where they are [counted](Turn::count): so many at once, and then one every so often.
    pub time: Option<Rate>,
}

/// Which request of a user is sent away when too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivesWay {
    Oldest,
    Newest,
}

/// Who waits, and for what.
#[derive(Debug)]
pub struct Turns {
    limits: Limits,
    /// What the users wait for, in their words: "the preview".
    what: &'static str,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// Somebody has it.
    is_taken: bool,
    users: HashMap<Uid, User>,
    /// Those who wait, each once; the first is next.
    order: VecDeque<Uid>,
}

#[derive(Debug, Default)]
struct User {
    waiting: VecDeque<oneshot::Sender<Turn>>,
    time: Option<Budget>,
}

impl User {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.time.as_ref().is_none_or(Budget::is_full)
    }
}

/// One turn, which ends on drop.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    uid: Uid,
    /// Since when its time is counted.
    since: Option<Instant>,
}

impl Turns {
    pub fn new(what: &'static str, limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, what, inside: Mutex::default() })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is this user's turn; else why they get none.
    pub async fn take(self: &Arc<Self>, caller: &Caller) -> Result<Turn, String> {
        let given = match self.ask(caller)? {
            Asked::Taken(turn) => return Ok(turn),
            Asked::Waits(given) => given,
        };
        given.await.map_err(|_| format!("{} gave way to newer ones of yours", self.what))
    }

    fn ask(self: &Arc<Self>, caller: &Caller) -> Result<Asked, String> {
        let inside = &mut *self.inside();
        inside.users.retain(|_, user| !user.is_idle());
        let user = inside.users.entry(caller.uid).or_default();
        if user.time.as_mut().is_some_and(|time| !time.is_any_left()) {
            return Err(format!("{} took too long too often: wait a moment", self.what));
        }
        if !inside.is_taken {
            inside.is_taken = true;
            return Ok(Asked::Taken(Turn::begin(self, caller.uid)));
        }
        if user.waiting.len() >= self.limits.waiting {
            match self.limits.gives_way {
                GivesWay::Newest => return Err(format!("too many of yours wait for {}: wait for them", self.what)),
                GivesWay::Oldest => drop(user.waiting.pop_front()),
            }
        }
        let (give, given) = oneshot::channel();
        user.waiting.push_back(give);
        if !inside.order.contains(&caller.uid) {
            inside.order.push_back(caller.uid);
        }
        Ok(Asked::Waits(given))
    }
}

#[cfg(test)]
impl Turns {
    /// Whether this user waits for it.
    pub(in crate::server) fn waits(&self, caller: &Caller) -> bool {
        self.inside().order.contains(&caller.uid)
    }
}

enum Asked {
    Taken(Turn),
    Waits(oneshot::Receiver<Turn>),
}

impl Inside {
    /// Whose turn is next, and how they are told.
    fn next(&mut self) -> Option<(Uid, oneshot::Sender<Turn>)> {
        while let Some(uid) = self.order.pop_front() {
            let Some(user) = self.users.get_mut(&uid) else { continue };
            let Some(give) = user.waiting.pop_front() else { continue };
            if !user.waiting.is_empty() {
                self.order.push_back(uid);
            }
            return Some((uid, give));
        }
        None
    }
}

impl Turn {
    fn begin(turns: &Arc<Turns>, uid: Uid) -> Self {
        Self { turns: Arc::clone(turns), uid, since: None }
    }

    /// The time of its user is taken from now on, and not before: what they did not ask for is not theirs.
    pub fn count(&mut self) {
        self.since = Some(Instant::now());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut inside = self.turns.inside();
            // The server's own user is held to no rate.
            let rate = self.turns.limits.time.filter(|_| self.uid != Some(users::own_uid()));
            if let (Some(rate), Some(since)) = (rate, self.since) {
                let took = u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX);
                let user = inside.users.entry(self.uid).or_default();
                user.time.get_or_insert_with(|| Budget::new(rate)).spend(took);
            }
            let next = inside.next();
            inside.is_taken = next.is_some();
            next
        };
        // One that nobody waits for any more is dropped here, and so passed on.
        if let Some((uid, give)) = next {
            drop(give.send(Self::begin(&self.turns, uid)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    fn caller(uid: u32) -> Caller {
        Caller { uid: Some(uid), login: "somebody".into() }
    }

    /// No test runs as one of these.
    const ALICE: u32 = 4_000_001;
    const BOB: u32 = 4_000_002;

    fn turns(gives_way: GivesWay, time: Option<Rate>) -> Arc<Turns> {
        Turns::new("the preview", Limits { waiting: 2, gives_way, time })
    }

    #[tokio::test]
    async fn users_take_it_in_turn_however_much_one_of_them_asks() {
        let turns = turns(GivesWay::Newest, None);
        let (alice, bob) = (caller(ALICE), caller(BOB));
        let first = turns.take(&alice).await.expect("free");
        let (mut second, mut third) = (Box::pin(turns.take(&alice)), Box::pin(turns.take(&alice)));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        let mut others = Box::pin(turns.take(&bob));
        assert!(others.as_mut().now_or_never().is_none());

        let refused = turns.take(&alice).await.expect_err("too many");

        assert!(refused.contains("too many of yours wait for the preview"), "{refused}");
        drop(first);
        drop(second.await.expect("the one that waited longest"));
        assert!(third.as_mut().now_or_never().is_none(), "not twice in a row");
        drop(others.now_or_never().expect("at once").expect("bob's turn"));
        drop(third.await.expect("a turn"));
        assert!(turns.take(&bob).now_or_never().is_some(), "free again");
    }

    #[tokio::test]
    async fn an_older_one_of_a_user_gives_way_where_only_the_newest_are_wanted() {
        let turns = turns(GivesWay::Oldest, None);
        let alice = caller(ALICE);
        let first = turns.take(&alice).await.expect("free");
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(turns.take(&alice))).collect();
        for one in &mut waiting[..2] {
            assert!(one.as_mut().now_or_never().is_none());
        }
        assert!(waiting[2].as_mut().now_or_never().is_none());

        drop(first);

        let mut waiting = waiting.into_iter();
        let oldest = waiting.next().expect("three").await.expect_err("gave way");
        assert!(oldest.contains("gave way to newer ones"), "{oldest}");
        for one in waiting {
            assert!(one.await.is_ok());
        }
    }

    #[tokio::test]
    async fn the_turn_of_one_who_does_not_wait_any_more_is_the_next_ones() {
        let turns = turns(GivesWay::Newest, None);
        let (alice, bob) = (caller(ALICE), caller(BOB));
        let first = turns.take(&alice).await.expect("free");
        let mut gone = Box::pin(turns.take(&alice));
        let mut told = Box::pin(turns.take(&bob));
        assert!(gone.as_mut().now_or_never().is_none() && told.as_mut().now_or_never().is_none());
        drop(gone);

        drop(first);

        assert!(told.now_or_never().expect("at once").is_ok());
        assert!(turns.take(&alice).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_took_it_for_too_long_waits_and_the_others_and_the_servers_own_user_do_not() {
        let time = Rate { burst: 1000, every: Duration::from_millis(10) };
        let turns = turns(GivesWay::Newest, Some(time));
        let long = async |caller: &Caller| {
            let mut turn = turns.take(caller).await?;
            turn.count();
            assert!(turns.take(&self::caller(BOB + 1)).now_or_never().is_none(), "somebody asks meanwhile");
            tokio::time::advance(Duration::from_millis(600)).await;
            drop(turn);
            Ok::<_, String>(())
        };
        let (alice, ours) = (caller(ALICE), Caller::ourselves());
        assert_eq!((long(&alice).await, long(&alice).await), (Ok(()), Ok(())));

        let refused = long(&alice).await.expect_err("too long");

        assert!(refused.contains("took too long too often"), "{refused}");
        assert_eq!(long(&caller(BOB)).await, Ok(()));
        assert!(long(&alice).await.is_err(), "what was too much has to come back first");
        for _ in 0..5 {
            assert_eq!(long(&ours).await, Ok(()));
        }
        assert_eq!(long(&alice).await, Ok(()), "some of it has come back");
    }
    #[tokio::test(start_paused = true)]
    async fn what_passes_before_the_time_is_counted_is_nobodys() {
        let turns = turns(GivesWay::Newest, Some(Rate { burst: 1, every: Duration::from_secs(1) }));
        let alice = caller(ALICE);
        for _ in 0..3 {
            let _turn = turns.take(&alice).await.expect("costs nothing");
            tokio::time::advance(Duration::from_secs(10)).await;
        }

        let mut turn = turns.take(&alice).await.expect("free");
        tokio::time::advance(Duration::from_secs(10)).await;
        turn.count();
        tokio::time::advance(Duration::from_millis(2)).await;
        drop(turn);

        assert!(turns.take(&alice).await.is_err());
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(turns.take(&alice).await.is_ok());
    }
}
