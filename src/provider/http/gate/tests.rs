//! The gate by itself, against a limit that is counted as the provider counts it.

use super::*;
use proptest::prelude::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(k, v)| (k.parse().expect("name"), v.parse().expect("value"))).collect()
}

fn told_by(limit: u64, left: u64, reset: u64) -> HeaderMap {
    let (limit, left, reset) = (limit.to_string(), left.to_string(), reset.to_string());
    headers(&[(LIMIT, &limit), (LEFT, &left), ("ratelimit-reset", &reset)])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn pass(gate: &Gate, now: Instant) -> Pass<'_> {
    gate.admit(Purpose::Action, "GET incidents".into(), now).expect("open")
}

/// How long a call for `purpose` has to wait; `None`: it may go.
fn wait(gate: &Gate, purpose: Purpose, now: Instant) -> Option<Duration> {
    gate.admit(purpose, "GET incidents".into(), now).err()
}

#[test]
fn it_stays_closed_as_long_as_the_answer_says_and_then_opens() {
    let (gate, now) = (Gate::default(), Instant::now());

    let told = pass(&gate, now).refused(&headers(&[("retry-after", "90"), ("ratelimit-reset", "7")]), now);

    assert_eq!(told, seconds(7));
    assert_eq!(wait(&gate, Purpose::Action, now + seconds(5)), Some(seconds(2)));
    assert_eq!(wait(&gate, Purpose::Action, now + seconds(7)), None);
}

#[test]
fn a_429_without_a_word_waits_longer_each_time_up_to_half_a_minute() {
    let (gate, mut now) = (Gate::default(), Instant::now());
    let mut refused = || {
        let wait = pass(&gate, now).refused(&HeaderMap::new(), now);
        now += wait;
        wait.as_secs()
    };
    let waits: Vec<u64> = (0..6).map(|_| refused()).collect();
    assert_eq!(waits, [2, 4, 8, 16, 30, 30]);

    assert_eq!(pass(&gate, now).passed(&told_by(960, 41, 30), now), Some(41));
    assert_eq!(pass(&gate, now).passed(&HeaderMap::new(), now), None);

    assert_eq!(pass(&gate, now).refused(&HeaderMap::new(), now).as_secs(), 2);
}

#[test]
fn a_shorter_wait_does_not_open_the_gate_early_and_an_absurd_one_is_not_believed() {
    let (gate, now) = (Gate::default(), Instant::now());
    let (one, other) = (pass(&gate, now), pass(&gate, now));
    one.refused(&headers(&[("ratelimit-reset", "20")]), now);
    other.refused(&headers(&[("ratelimit-reset", "0")]), now);
    assert_eq!(wait(&gate, Purpose::Poll, now), Some(seconds(20)));

    let absurd = one.refused(&headers(&[("x-ratelimit-reset", "1760000000")]), now);

    assert_eq!(absurd, LONGEST);
}

#[test]
fn polls_stop_at_the_reserve_details_later_and_actions_never() {
    let (gate, now) = (Gate::default(), Instant::now());
    let purposes = [Purpose::Poll, Purpose::Upkeep, Purpose::Detail, Purpose::Action];
    let stopped = |left: u64, gate: &Gate| {
        pass(gate, now).passed(&told_by(960, left, 40), now);
        purposes.map(|purpose| wait(gate, purpose, now).is_some())
    };

    assert_eq!(stopped(98, &gate), [false, false, false, false]);
    assert_eq!(stopped(96, &gate), [true, true, false, false]);
    assert_eq!(stopped(48, &gate), [true, true, true, false]);
    assert_eq!(stopped(0, &gate), [true, true, true, false]);
    assert_eq!(wait(&gate, Purpose::Poll, now), Some(seconds(41)));
}

#[test]
fn a_stale_header_neither_overruns_nor_blocks_for_ever() {
    let (gate, now) = (Gate::default(), Instant::now());
    pass(&gate, now).passed(&told_by(100, 14, 30), now);

    // Four may go before the reserve of ten: those under way count, though no answer has told of them.
    let under_way: Vec<_> =
        std::iter::from_fn(|| gate.admit(Purpose::Poll, "GET incidents".into(), now).ok()).take(50).collect();
    assert_eq!(under_way.len(), 4);

    // An answer that was made before the others were counted gives nothing back.
    under_way[0].passed(&told_by(100, 13, 30), now);
    assert!(wait(&gate, Purpose::Poll, now).is_some());
    drop(under_way);
    assert_eq!(wait(&gate, Purpose::Poll, now + seconds(29)), Some(seconds(2)));
    assert_eq!(wait(&gate, Purpose::Poll, now + seconds(31)), None, "the window is over: full again");
    let full = gate.budget(now + seconds(31)).expect("known");
    assert_eq!((full.limit, full.left, full.reserve), (Some(100), 99, 10));
}

#[test]
fn an_answer_of_the_next_window_counts_at_once() {
    let (gate, now) = (Gate::default(), Instant::now());
    pass(&gate, now).passed(&told_by(960, 3, 4), now);

    pass(&gate, now).passed(&told_by(960, 900, 60), now + seconds(5));

    assert_eq!(gate.budget(now + seconds(5)).map(|budget| (budget.left, budget.resets_in)), Some((900, 60)));
}

#[test]
fn a_tight_limit_of_one_route_stops_that_route_alone() {
    let (gate, now) = (Gate::default(), Instant::now());
    pass(&gate, now).passed(&told_by(960, 800, 40), now);
    let oncalls = |purpose| gate.admit(purpose, "GET oncalls".into(), now);
    oncalls(Purpose::Poll).expect("open").passed(&told_by(60, 6, 40), now);

    assert!(oncalls(Purpose::Poll).is_err());
    assert_eq!(wait(&gate, Purpose::Poll, now), None);
    oncalls(Purpose::Action).expect("open").refused(&told_by(60, 0, 30), now);
    assert_eq!(oncalls(Purpose::Action).err(), Some(seconds(30)));
    assert_eq!(wait(&gate, Purpose::Action, now), None, "a 429 there is none for actions");
    assert_eq!(gate.budget(now).and_then(|budget| budget.limit), Some(960));
}

/// The provider's side: so many requests in each minute.
#[derive(Debug)]
struct Counter {
    limit: u64,
    taken: u64,
    resets: Instant,
}

impl Counter {
    fn ask(&mut self, now: Instant) -> Result<HeaderMap, HeaderMap> {
        if now >= self.resets {
            (self.taken, self.resets) = (0, now + WINDOW);
        }
        let reset = (self.resets - now).as_secs().max(1);
        if self.taken >= self.limit {
            return Err(told_by(self.limit, 0, reset));
        }
        self.taken += 1;
        Ok(told_by(self.limit, self.limit - self.taken, reset))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Peer fault 15: calls that run side by side over one snapshot of a header, and servers that know nothing of each other.
    #[test]
    fn however_many_servers_share_a_key_polling_leaves_the_reserve_to_those_who_act(
        servers in 1..11_usize, at_once in 1..7_usize, seed in any::<u64>()
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let began = Instant::now();
        let mut provider = Counter { limit: 960, taken: 0, resets: began + WINDOW };
        let gates: Vec<Gate> = (0..servers).map(|_| Gate::default()).collect();
        let mut refused = 0;
        for step in 0..2000_u64 {
            let now = began + Duration::from_millis(step * 100);
            let gate = &gates[rng.usize(..servers)];
            let flight: Vec<Pass<'_>> =
                (0..at_once).filter_map(|_| gate.admit(Purpose::Poll, "GET incidents".into(), now).ok()).collect();
            for pass in &flight {
                match provider.ask(now) {
                    Ok(headers) => drop(pass.passed(&headers, now)),
                    Err(headers) => { pass.refused(&headers, now); refused += 1; }
                }
            }
            drop(flight);
            if step % 50 == 49 {
                let action = gate.admit(Purpose::Action, "PUT incidents".into(), now);
                prop_assert!(action.is_ok(), "an action was stopped after {} ms", step * 100);
                prop_assert!(provider.ask(now).is_ok(), "nothing was left for an action");
            }
        }
        prop_assert_eq!(refused, 0, "polling ran into the wall");
    }
}
