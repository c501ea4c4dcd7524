//! The poller against a provider in memory, and against a simulated one over HTTP.

mod left;
mod rota;
mod simulated;

use super::*;
use crate::{
    core::{
        board::Change,
        call::Budget,
        freshness::{Sight, Standing},
        incident::{Source, Stamp, Status},
        left::Fate,
        span::Span,
    },
    server::fake::{self, Fake, key},
};

struct Setup {
    fake: Fake,
    round: Round,
    on_call: on_call::OnCall,
    _dir: tempfile::TempDir,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().expect("tempdir");
    let fake = Fake::default();
    let desk = fake::desk(&fake, dir.path());
    let account = desk.accounts.get(&fake::account_name()).expect("known");
    let asker = Asker::new(desk, account);
    Setup { fake, round: Round::new(asker.clone()), on_call: on_call::OnCall::new(asker), _dir: dir }
}

impl Setup {
    fn status(&self, id: &str) -> Option<Status> {
        self.round.asker.desk.hub.look(|b| b.incidents.get(&key(id)).map(|i| i.state.status))
    }

    fn account(&self) -> crate::core::freshness::Account {
        self.round.asker.desk.hub.look(|b| b.accounts[&fake::account_name()].account.clone())
    }
}

fn broken() -> ProviderError {
    ProviderError::Broken { status: 500, reason: "oops".into() }
}

#[tokio::test]
async fn a_failed_poll_keeps_the_list_and_says_how_old_it_is_and_why() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    let success = setup.account().rest.last_success;
    setup.fake.fail_reads(broken(), 1);

    setup.round.poll().await;

    assert_eq!(setup.status("P1"), Some(Status::Triggered));
    let account = setup.account();
    assert_eq!(account.rest.last_success, success);
    let Standing::Stale { cause, .. } = account.rest_standing(Timestamp::now()) else { panic!("not stale") };
    assert!(cause.as_str().contains("500"), "{cause}");
}

#[tokio::test]
async fn a_clock_far_from_the_provider_s_is_told_until_they_agree() {
    let mut setup = setup();
    let mut skews = vec![];

    for seconds in [0, -600, -601, 29, 31] {
        setup.fake.set_clock_apart(seconds);
        setup.round.poll().await;
        skews.push(setup.account().skew.map(|skew| skew.as_secs()));
    }

    assert_eq!(skews, [None, Some(-600), Some(-601), None, Some(31)]);
}

#[tokio::test]
async fn what_began_and_was_over_between_two_rounds_is_shown_though_the_clock_here_is_far_ahead() {
    for ahead in [3600, -3600] {
        let mut setup = setup();
        setup.fake.set_clock_apart(-ahead);
        setup.round.poll().await;
        let theirs = Timestamp::now() - SignedDuration::from_secs(ahead);
        setup.fake.put_created("P1", Status::Resolved, theirs);

        setup.round.poll().await;

        assert_eq!(setup.status("P1"), Some(Status::Resolved), "{ahead}");
    }
}

/// As if the clock had been set back by an hour since the last round.
fn set_back_an_hour(round: &mut Round) {
    let hour = SignedDuration::from_hours(1);
    round.ended = round.ended.map(|(at, timer)| (at + hour, timer));
    round.complete_to = round.complete_to.map(|at| at + hour);
}

#[tokio::test]
async fn after_the_clock_was_set_back_nothing_is_missed_and_push_is_not_blamed_for_what_was_before() {
    let mut setup = setup();
    setup.round.poll().await;
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    set_back_an_hour(&mut setup.round);
    setup.fake.put_created("P2", Status::Resolved, Timestamp::now());
    setup.round.push_grace = SignedDuration::ZERO;

    setup.round.poll().await;

    assert_eq!((setup.status("P1"), setup.status("P2")), (Some(Status::Triggered), Some(Status::Resolved)));
    assert_eq!(setup.account().push.missed, 1, "P2 came after it");
}

#[tokio::test]
async fn what_began_and_was_over_between_two_rounds_is_shown_though_no_webhook_told_of_it() {
    let mut setup = setup();
    setup.round.poll().await;
    setup.fake.put("P1", Status::Resolved, Timestamp::now().as_second() - 1_700_000_000);

    setup.round.poll().await;

    assert_eq!(setup.status("P1"), Some(Status::Resolved));
}

#[tokio::test]
async fn what_left_the_open_list_is_asked_for_and_only_then_called_resolved() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    setup.fake.put("P1", Status::Resolved, 10);

    setup.round.poll().await;

    assert_eq!(setup.status("P1"), Some(Status::Resolved));
}

#[tokio::test]
async fn an_incident_that_the_provider_does_not_know_any_more_is_forgotten() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    setup.fake.remove("P1");

    setup.round.poll().await;

    assert_eq!(setup.status("P1"), None);
    let left = setup.account().left;
    assert_eq!(left.iter().map(|left| (left.id.as_str(), left.fate)).collect::<Vec<_>>(), [("P1", Fate::Unknown)]);

    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    assert!(setup.account().left.is_empty(), "it is shown again");
}

#[tokio::test]
async fn what_left_the_view_and_could_not_be_asked_for_yet_is_shown_as_such_until_it_is() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    setup.fake.put_created("P1", Status::Resolved, Timestamp::UNIX_EPOCH);
    // Both lists are answered.
    setup.fake.fail_reads_after(2, ProviderError::Broken { status: 500, reason: "oops".into() }, 1);

    setup.round.poll().await;
    let left = setup.account().left;
    assert_eq!(left.iter().map(|left| left.fate).collect::<Vec<_>>(), [Fate::Asked]);
    assert_eq!(setup.status("P1"), Some(Status::Triggered), "not called resolved before that is known");

    setup.round.poll().await;
    assert_eq!((setup.status("P1"), setup.account().left), (Some(Status::Resolved), vec![]));
}

impl Setup {
    /// Those that left the view, and what is known of each.
    fn left(&self) -> Vec<(String, Fate)> {
        self.account().left.into_iter().map(|left| (left.id.to_string(), left.fate)).collect()
    }

    /// A webhook told, at this time by the provider's clock, that this one is open.
    async fn push(&self, id: &str, at: Timestamp) {
        let seen = self.fake.put(id, Status::Triggered, 0);
        self.fake.remove(id);
        let pushed = Observation { stamp: Stamp::push(at), ..seen };
        assert_eq!(pushed.stamp.source, Source::Push);
        self.round.asker.desk.observe(&pushed).await;
    }
}

fn ago(time: SignedDuration) -> Timestamp {
    Timestamp::now() - time
}

#[tokio::test]
async fn one_that_cannot_be_had_holds_up_none_of_the_others_and_is_in_doubt_until_it_can() {
    for error in [broken(), ProviderError::Refused { status: 400, reason: "no".into() }] {
        let mut setup = setup();
        for id in ["P1", "P8", "P9"] {
            setup.fake.put(id, Status::Triggered, 0);
        }
        setup.round.poll().await;
        for id in ["P1", "P8", "P9"] {
            setup.fake.put_created(id, Status::Resolved, Timestamp::UNIX_EPOCH);
        }
        setup.fake.hide("P9", error);

        for _ in 0..2 {
            let before = setup.account().rest.last_success;
            setup.round.poll().await;
            assert_eq!((setup.status("P1"), setup.status("P8")), (Some(Status::Resolved), Some(Status::Resolved)));
            assert_eq!(setup.left(), [("P9".into(), Fate::Asked)]);
            assert!(setup.account().rest.last_success > before, "the list is as fresh as it was asked for");
        }
    }
}

#[tokio::test]
async fn those_that_could_not_be_had_are_asked_for_behind_the_others() {
    let mut setup = setup();
    for n in 1..=9 {
        setup.fake.put(&format!("P{n}"), Status::Triggered, 0);
    }
    setup.round.poll().await;
    for n in 1..=9 {
        setup.fake.put_created(&format!("P{n}"), Status::Resolved, Timestamp::UNIX_EPOCH);
    }
    for n in 5..=9 {
        setup.fake.hide(&format!("P{n}"), broken());
    }

    setup.round.poll().await;
    assert_eq!(setup.status("P4"), Some(Status::Triggered), "the provider seems to be in trouble");
    setup.round.poll().await;

    let open: Vec<_> = (1..=9).filter(|n| setup.status(&format!("P{n}")) == Some(Status::Triggered)).collect();
    assert_eq!(open, [5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn one_that_its_webhook_just_told_of_and_nobody_else_shows_yet_stays_and_is_asked_for_again() {
    let mut setup = setup();
    setup.round.poll().await;
    setup.push("P1", ago(SignedDuration::from_secs(1))).await;

    setup.round.poll().await;

    assert_eq!((setup.status("P1"), setup.left()), (Some(Status::Triggered), vec![("P1".into(), Fate::Asked)]));
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    assert_eq!((setup.status("P1"), setup.left()), (Some(Status::Triggered), vec![]));
}

#[tokio::test]
async fn what_webhooks_tell_of_and_this_key_may_not_see_stays_with_a_word_and_is_not_asked_for_each_time() {
    let mut setup = setup();
    setup.round.poll().await;
    setup.push("P1", ago(SignedDuration::from_hours(1))).await;
    setup.fake.hide("P1", ProviderError::Forbidden { reason: "not yours".into() });

    for _ in 0..3 {
        setup.round.poll().await;
        assert_eq!((setup.status("P1"), setup.left()), (Some(Status::Triggered), vec![("P1".into(), Fate::Unseen)]));
        let words = setup.account().left_words(Timestamp::now()).concat();
        assert!(words.starts_with("1 incident open by webhooks alone"), "{words}");
    }
    assert_eq!(setup.fake.asked().1, 1);

    setup.push("P2", ago(SignedDuration::from_hours(8 * 24))).await;
    setup.round.poll().await;
    assert_eq!((setup.status("P2"), setup.left().len()), (None, 2), "told of as gone");
}

#[tokio::test]
async fn what_is_known_from_another_address_is_not_called_fresh_and_goes_where_this_one_does_not_know_it() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.asker.desk.observe(&setup.fake.put("P2", Status::Resolved, 0)).await;
    setup.round.poll().await;
    let desk = Arc::clone(&setup.round.asker.desk);
    setup.fake.remove("P1");
    setup.fake.remove("P2");

    desk.moved(&fake::account_name(), "https://elsewhere.example").await;

    let Standing::Stale { cause, .. } = setup.account().rest_standing(Timestamp::now()) else { panic!("not stale") };
    assert!(cause.as_str().ends_with("https://elsewhere.example was not asked yet"), "{cause}");
    assert_eq!((setup.status("P1"), setup.status("P2")), (Some(Status::Triggered), None));
    setup.round.poll().await;
    assert_eq!((setup.status("P1"), setup.left()), (None, vec![("P1".into(), Fate::Unknown)]));
    assert!(matches!(setup.account().rest_standing(Timestamp::now()), Standing::Fresh { .. }));
}

#[tokio::test]
async fn a_change_that_cannot_be_asked_for_alone_is_found_in_the_list() {
    let mut setup = setup();
    setup.fake.keep_a_log();
    setup.round.poll().await;
    with_a_long_list(&mut setup.round);
    setup.fake.put("P1", Status::Triggered, 0);
    setup.fake.hide("P1", broken());

    setup.round.poll().await;

    assert_eq!(setup.status("P1"), Some(Status::Triggered));
}

#[tokio::test]
async fn changes_that_push_should_have_told_are_counted_but_not_those_of_the_first_poll() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    assert_eq!(setup.account().push.missed, 0);
    setup.fake.put("P1", Status::Acknowledged, 10);
    setup.fake.put("P2", Status::Triggered, 10);

    setup.round.poll().await;
    assert_eq!(setup.account().push.missed, 0, "push may still tell");
    setup.round.push_grace = SignedDuration::ZERO;
    setup.round.poll().await;
    setup.round.poll().await;

    assert_eq!(setup.account().push.missed, 2);
}

#[tokio::test]
async fn what_the_key_may_not_see_is_told_as_that_and_what_was_known_of_it_stays() {
    let mut setup = setup();
    let (from, to) = (Timestamp::now(), Timestamp::now() + SignedDuration::from_hours(1));
    let rota = setup.fake.rota().expect("rota");
    let window = rota.start_maintenance(&[], Span { from, to }, "new disks").await.expect("made");
    setup.on_call.poll().await;
    let windows = |setup: &Setup| {
        setup.round.asker.desk.hub.look(|board| board.accounts[&fake::account_name()].services.windows.clone())
    };
    assert_eq!(windows(&setup), std::slice::from_ref(&window));
    // Who is on call, the schedules and people are shown, and services but for the first time.
    for (shown, sight, what) in [(3, Sight::Services, "services"), (4, Sight::Windows, "maintenance windows")] {
        setup.fake.fail_reads_after(shown, ProviderError::Forbidden { reason: "no".into() }, 1);

        setup.on_call.ask_for_all().await;

        assert_eq!(windows(&setup), std::slice::from_ref(&window));
        let words = format!("{what} cannot be seen with this key: not permitted: no");
        let account = setup.account();
        assert_eq!((account.barred_words(sight), account.barred.len()), (Some(words), 1));
    }
    let account = setup.account();
    assert!(matches!(account.on_call_standing(Timestamp::now()), Standing::Fresh { .. }));
    setup.on_call.ask_for_all().await;
    assert!(setup.account().barred.is_empty());
}

#[tokio::test]
async fn on_call_that_cannot_be_had_does_not_make_incidents_stale() {
    let mut setup = setup();
    setup.fake.fail_on_calls(ProviderError::Forbidden { reason: "scope".into() });
    setup.fake.put("P1", Status::Triggered, 0);

    setup.round.poll().await;
    setup.on_call.poll().await;

    let account = setup.account();
    assert!(matches!(account.rest_standing(Timestamp::now()), Standing::Fresh { .. }));
    assert!(matches!(account.on_call_standing(Timestamp::now()), Standing::Down { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_look_up_of_who_is_on_call_that_hangs_holds_up_no_incident() {
    let Setup { fake, round, .. } = setup();
    let (desk, account) = (Arc::clone(&round.asker.desk), Arc::clone(&round.asker.account));
    fake.hang_on_calls();
    let (_, mut feed) = desk.hub.subscribe();
    let stop = CancellationToken::new();
    let polling = tokio::spawn(run(desk, account, stop.clone()));

    for id in ["P1", "P2"] {
        fake.put(id, Status::Triggered, 0);
        while !matches!(&*feed.recv().await.expect("change"), Change::Incident(new) if new.key == key(id)) {}
    }

    stop.cancel();
    polling.await.expect("ends at once");
}

#[tokio::test]
async fn refused_credentials_and_rate_limits_are_waited_out() {
    let mut setup = setup();
    setup.fake.fail_reads(ProviderError::Unauthorised { advice: "key".into() }, 1);
    assert_eq!(setup.round.poll().await, Duration::from_mins(1));
    assert!(setup.account().rest.failure.is_some_and(|f| f.unauthorised));

    setup.fake.fail_reads(ProviderError::RateLimited { wait: Duration::from_secs(7) }, 1);
    assert_eq!(setup.round.poll().await, Duration::from_secs(7));
}

#[tokio::test]
async fn a_start_without_network_shows_what_was_known_with_its_age() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    let before = setup.account().rest.last_success;

    let store = setup.round.asker.desk.store.clone();
    let mut board = crate::core::board::Board::default();
    board.apply(&Change::Account(Box::new(crate::server::first_look(&fake::settings()))));
    let (board, _, _) =
        store.read(move |reader| crate::server::restore(reader, board, Timestamp::now())).await.expect("restored");

    assert!(board.incidents.contains_key(&key("P1")));
    let account = &board.accounts[&fake::account_name()].account;
    assert_eq!((account.rest.last_success, account.rest.failure.clone()), (before, None));
}

/// As if everything had stood still for an hour.
fn sleep_an_hour(round: &mut Round) {
    let before = Timestamp::now() - SignedDuration::from_hours(1);
    (round.ended, round.complete_to) = (Some((before, Instant::now())), Some(before));
}

#[tokio::test]
async fn what_began_and_ended_while_this_machine_slept_is_found_and_push_is_not_blamed() {
    let mut setup = setup();
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    sleep_an_hour(&mut setup.round);
    setup.fake.put_created("P2", Status::Resolved, Timestamp::now() - SignedDuration::from_mins(20));
    setup.fake.put("P1", Status::Acknowledged, 10);

    setup.round.poll().await;

    assert_eq!((setup.status("P1"), setup.status("P2")), (Some(Status::Acknowledged), Some(Status::Resolved)));
    setup.round.push_grace = SignedDuration::ZERO;
    setup.round.poll().await;
    assert_eq!(setup.account().push.missed, 0);
}

#[tokio::test]
async fn push_is_to_tell_only_of_what_its_subscriptions_cover() {
    let mut setup = setup();
    setup.round.asker.account.scope.set(vec!["service:PELSE01".parse().expect("filter")]);
    setup.fake.put("P1", Status::Triggered, 0);
    setup.round.poll().await;
    setup.fake.put("P1", Status::Acknowledged, 10);
    setup.round.push_grace = SignedDuration::ZERO;

    setup.round.poll().await;

    assert_eq!(setup.account().push.missed, 0);
}

/// As if the list had been so long that it took many requests.
fn with_a_long_list(round: &mut Round) {
    round.cost.all = 100;
    round.all_due = Instant::now() + Duration::from_hours(1);
}

#[tokio::test]
async fn of_a_long_list_only_what_changed_is_asked_for_until_the_whole_is_due() {
    let mut setup = setup();
    setup.fake.keep_a_log();
    for id in ["P1", "P2", "P3"] {
        setup.fake.put(id, Status::Triggered, 0);
    }
    setup.round.poll().await;
    with_a_long_list(&mut setup.round);
    setup.round.poll().await;
    assert_eq!(setup.fake.asked(), (1, 3), "entries that came shortly before the list are looked at once");
    setup.fake.put("P2", Status::Resolved, 10);
    setup.fake.put("P4", Status::Triggered, 10);

    setup.round.poll().await;

    assert_eq!((setup.status("P2"), setup.status("P4")), (Some(Status::Resolved), Some(Status::Triggered)));
    assert_eq!(setup.fake.asked(), (1, 5), "two changed, and nothing else was asked for");
    setup.round.poll().await;
    assert_eq!(setup.fake.asked(), (1, 5), "nothing happened");
    setup.round.all_due = Instant::now();
    setup.round.poll().await;
    assert_eq!(setup.fake.asked(), (2, 5));
}

#[tokio::test]
async fn a_round_of_changes_that_fails_is_no_success_and_the_next_one_misses_nothing() {
    let mut setup = setup();
    setup.fake.keep_a_log();
    setup.round.poll().await;
    with_a_long_list(&mut setup.round);
    let success = setup.account().rest.last_success;
    setup.fake.put("P1", Status::Triggered, 0);
    // Alone, and in the list.
    setup.fake.fail_reads_after(1, broken(), 2);

    setup.round.poll().await;
    assert_eq!((setup.status("P1"), setup.account().rest.last_success), (None, success));
    setup.round.poll().await;

    assert_eq!(setup.status("P1"), Some(Status::Triggered));
    assert!(setup.account().rest.last_success > success);
}

#[tokio::test]
async fn more_changes_than_pages_a_gap_and_a_provider_without_a_log_mean_the_whole_list() {
    let mut setup = setup();
    setup.round.poll().await;
    with_a_long_list(&mut setup.round);
    setup.round.poll().await;
    assert_eq!(setup.fake.asked().0, 2, "it keeps no log");

    setup.fake.keep_a_log();
    with_a_long_list(&mut setup.round);
    (0..100).for_each(|n| drop(setup.fake.put(&format!("P{n}"), Status::Triggered, 0)));
    setup.round.poll().await;
    assert_eq!(setup.fake.asked(), (3, 0), "one by one would be dearer");

    with_a_long_list(&mut setup.round);
    sleep_an_hour(&mut setup.round);
    setup.round.poll().await;
    assert_eq!(setup.fake.asked(), (4, 0), "who knows what the log still tells of so long ago");
}

#[tokio::test]
async fn who_wants_to_know_gets_the_whole_list_unless_it_was_just_read() {
    let mut setup = setup();
    setup.round.poll().await;
    with_a_long_list(&mut setup.round);

    setup.round.is_wanted(Instant::now());
    assert!(setup.round.all_due > Instant::now());
    setup.round.is_wanted(Instant::now() + ALL_WHEN_WANTED * 2);

    assert!(setup.round.all_due <= Instant::now() + ALL_WHEN_WANTED * 2);
}

#[tokio::test]
async fn a_short_budget_slows_the_polls_and_the_screen_knows_how_fresh_things_can_be() {
    let mut setup = setup();
    setup.round.cost.all = 10;
    setup.fake.set_budget(Budget { limit: Some(960), left: 100, reserve: 96, resets_in: 55 });

    assert_eq!(setup.round.pause(&setup.fake), Duration::from_secs(55));
    assert_eq!(setup.account().poll_seconds, 55);
    setup.fake.set_budget(Budget { limit: Some(960), left: 960, reserve: 96, resets_in: 55 });
    assert_eq!(setup.round.pause(&setup.fake), Duration::from_secs(30));
    assert_eq!(setup.account().poll_seconds, 30);
}

#[tokio::test]
async fn of_many_that_left_the_list_the_rest_is_asked_for_in_the_rounds_that_follow() {
    let mut setup = setup();
    for n in 0..60 {
        setup.fake.put(&format!("P{n}"), Status::Triggered, 0);
    }
    setup.round.poll().await;
    // Resolved by now, but too long ago to be in the list of those.
    for n in 0..60 {
        setup.fake.put_created(&format!("P{n}"), Status::Resolved, Timestamp::UNIX_EPOCH);
    }
    let open = |setup: &Setup| (0..60).filter(|n| setup.status(&format!("P{n}")) == Some(Status::Triggered)).count();

    setup.round.poll().await;
    assert_eq!(open(&setup), 10, "asked for one by one, and not called resolved before");
    setup.round.poll().await;

    assert_eq!(open(&setup), 0);
}
