//! One board, whatever order: webhook bodies and REST rows of random histories, permuted, repeated and lost.
//!
//! Cases come from seeds; a failure names its own. `DOGWATCH_ORDER_SEEDS` asks for another number of histories.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use super::account;
use crate::{
    core::{
        board::Board,
        delivery::Decode as _,
        incident::{Extra, Observation, State},
    },
    provider::pagerduty::{
        Webhooks,
        world::{Incident, PEOPLE, Push, Step},
    },
};

/// Orders tried of each history; with [`HISTORIES`] at least 10,000 in all.
const ORDERS: usize = 20;
const HISTORIES: u64 = 500;

/// What can reach us, in any order.
#[derive(Debug, Clone)]
enum Heard {
    Push(Push),
    /// A webhook that nobody signed, and when it came: a hint, true or not.
    Hint(Push, Timestamp),
    Rest(Box<Observation>),
}

struct History {
    heard: Vec<Heard>,
    /// What REST answers to a look after everything.
    last: Observation,
    /// No two webhooks of one millisecond, and the last change was told by one.
    told: bool,
}

fn later(at: Timestamp, milliseconds: u64) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(i64::try_from(milliseconds).expect("small"))).expect("in range")
}

/// Pauses that crowd into one second, follow closely, or take minutes; at times none at all.
fn pause(rng: &mut Rng) -> u64 {
    match rng.u8(..16) {
        0 => 0,
        1..=9 => rng.u64(1..400),
        10..=13 => rng.u64(400..3_000),
        _ => rng.u64(3_000..300_000),
    }
}

fn history(rng: &mut Rng) -> History {
    let mut now = later(Timestamp::from_second(1_760_000_000).expect("in range"), rng.u64(..1_000));
    let (mut incident, push) = Incident::triggered(rng.u64(1..100), now);
    let (mut heard, mut told, mut pushed_at) = (vec![Heard::Push(push)], true, now);
    for _ in 0..rng.usize(1..14) {
        let asked = later(now, rng.u64(..50));
        let before = incident.observed(&account(), asked);
        now = later(now, pause(rng));
        let step = Step::ALL[rng.usize(..Step::ALL.len())];
        let state = before.state.clone();
        match incident.take(step, rng.usize(..PEOPLE.len()), now) {
            Some(push) => {
                if rng.u8(..6) == 0 {
                    heard.push(Heard::Hint(push.clone(), later(now, rng.u64(..60_000))));
                }
                told &= !push.tells || push.at > pushed_at;
                pushed_at = if push.tells { push.at } else { pushed_at };
                heard.push(Heard::Push(push));
            }
            None => told &= incident.observed(&account(), asked).state == state,
        }
        // Asked before the change, and answered before or after it.
        if rng.u8(..3) == 0 {
            let slow = rng.bool() && asked <= now;
            let answer = if slow { incident.observed(&account(), asked) } else { before };
            heard.push(Heard::Rest(Box::new(answer)));
        }
    }
    let last = incident.observed(&account(), later(now, 300_000));
    History { heard, last, told }
}

fn observation(heard: &Heard) -> Option<Observation> {
    let told = |push: &Push| Webhooks.decode(&account(), &push.body).expect("readable").observation;
    match heard {
        Heard::Push(push) => told(push),
        Heard::Hint(push, received) => told(push).map(|seen| seen.unsigned(*received)),
        Heard::Rest(seen) => Some((**seen).clone()),
    }
}

/// The board after all of it, and whether it doubted anything on the way.
fn board(seen: &[Observation]) -> (Board, bool) {
    let (mut board, mut doubted) = (Board::default(), false);
    for seen in seen {
        doubted |= board.doubts(seen);
        board.observe(seen);
    }
    (board, doubted)
}

fn shown(board: &Board, of: &Observation) -> (State, Option<Extra>) {
    let known = &board.incidents[&of.key];
    (known.state.clone(), known.extra().cloned())
}

fn histories() -> u64 {
    std::env::var("DOGWATCH_ORDER_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

/// Any order, every one at least once, some of them again.
fn shuffled<T: Clone>(all: &[T], rng: &mut Rng) -> Vec<T> {
    let again = all.iter().filter(|_| rng.u8(..4) == 0).cloned().collect::<Vec<_>>();
    let mut order: Vec<T> = all.iter().cloned().chain(again).collect();
    rng.shuffle(&mut order);
    order
}

#[test]
fn any_order_and_repetition_of_what_was_heard_ends_in_one_board() {
    for seed in 0..histories() {
        let mut rng = Rng::with_seed(seed);
        let history = history(&mut rng);
        // Decoding knows no order: it is done anew once, for the bodies in another order.
        let bodies = shuffled(&history.heard, &mut rng);
        let all: Vec<Observation> = history.heard.iter().filter_map(observation).collect();
        let (first, _) = board(&bodies.iter().filter_map(observation).collect::<Vec<_>>());
        for order in 0..ORDERS {
            let (now, _) = board(&shuffled(&all, &mut rng));

            assert_eq!(now, first, "history {seed}, order {order}");
        }
    }
}

#[test]
fn whatever_was_lost_a_look_after_the_last_change_shows_the_truth() {
    for seed in 0..histories() {
        let mut rng = Rng::with_seed(seed);
        let history = history(&mut rng);
        let all: Vec<Observation> = history.heard.iter().filter_map(observation).collect();
        for order in 0..ORDERS {
            // The look may be heard before what it makes old.
            let mut some: Vec<Observation> = all.iter().filter(|_| rng.u8(..3) > 0).cloned().collect();
            some.push(history.last.clone());
            rng.shuffle(&mut some);

            let (now, _) = board(&some);

            let truth = (history.last.state.clone(), history.last.extra.clone());
            assert_eq!(shown(&now, &history.last), truth, "history {seed}, order {order}");
        }
    }
}

#[test]
fn what_webhooks_alone_cannot_settle_is_doubted() {
    let (mut untrue, mut settled) = (0, 0);
    for seed in 0..histories() {
        let mut rng = Rng::with_seed(seed);
        let history = history(&mut rng);
        if !history.told {
            continue;
        }
        let all: Vec<Observation> = history.heard.iter().filter_map(observation).collect();
        for order in 0..ORDERS {
            let (now, doubted) = board(&shuffled(&all, &mut rng));
            let right = shown(&now, &history.last).0 == history.last.state;

            assert!(right || doubted, "history {seed}, order {order}: wrong, and nobody asks again");
            untrue += u32::from(!right);
            settled += u32::from(right);
        }
    }
    assert!(untrue > 0 && settled > untrue, "{untrue} of {settled}: the histories prove nothing");
}

#[test]
fn without_rest_the_last_webhook_stands() {
    for seed in 0..histories() {
        let mut rng = Rng::with_seed(seed);
        let history = history(&mut rng);
        let pushes: Vec<Heard> = history.heard.into_iter().filter(|h| matches!(h, Heard::Push(_))).collect();
        if !history.told {
            continue;
        }

        let (now, doubted) = board(&shuffled(&pushes, &mut rng).iter().filter_map(observation).collect::<Vec<_>>());

        assert_eq!(shown(&now, &history.last).0, history.last.state, "history {seed}");
        assert!(!doubted, "history {seed}");
    }
}

#[test]
fn both_doors_tell_the_same_of_one_moment() {
    for seed in 0..histories() {
        let mut rng = Rng::with_seed(seed);
        let at = Timestamp::from_second(1_760_000_000).expect("in range");
        let (mut incident, _) = Incident::triggered(seed, at);
        for _ in 0..rng.usize(..6) {
            let step = Step::ALL[rng.usize(..Step::ALL.len())];
            let Some(push) = incident.take(step, rng.usize(..PEOPLE.len()), at) else { continue };
            let event = push.event_id.clone();
            let Some(seen) = observation(&Heard::Push(push)) else { continue };

            assert_eq!(seen.state, incident.observed(&account(), at).state, "history {seed}, {event}");
        }
    }
}
