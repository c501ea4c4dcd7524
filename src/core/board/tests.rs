//! One board, whatever order observations come in; and the newest lines of the log.

use super::*;
use crate::core::{
    action::{Action, By, Outcome, Verb},
    delivery::{Direction, Verdict},
    freshness::tests::account,
    id::{ActionId, DeliveryId, IncidentId, UserId},
    incident::{
        Stamp,
        tests::{any_observation, observation},
    },
};
use proptest::prelude::*;

pub(in crate::core) fn summary(id: i64) -> DeliverySummary {
    DeliverySummary {
        id: DeliveryId(id),
        at: Timestamp::UNIX_EPOCH,
        direction: Direction::Incoming,
        account: None,
        verdict: Verdict::Accepted,
        reason: Shown::default(),
        status: 202,
        event_id: None,
        event_type: None,
        incident: None,
        subject: None,
        latency_us: Some(1),
        size: 1,
        proof: None,
        altered: false,
        changed: None,
        target: None,
    }
}

fn delivery(id: i64) -> Change {
    Change::Delivery(Box::new(summary(id)))
}

#[test]
fn the_log_is_newest_first_bounded_and_without_repetitions() {
    let mut board = Board::default();
    for id in [3, 1, 2, 3, 2] {
        board.apply(&delivery(id));
    }
    assert_eq!(board.deliveries.iter().map(|d| d.id.0).collect::<Vec<_>>(), [3, 2, 1]);
    for id in 0..2000 {
        board.apply(&delivery(id));
    }
    assert_eq!(board.deliveries.len(), LOG_LENGTH);
    assert_eq!(board.deliveries[0].id.0, 1999);
}

#[test]
fn an_action_under_way_is_never_dropped_for_newer_ones() {
    let action = |id: i64, outcome: Outcome| {
        let key = IncidentKey { account: "prod".parse().expect("id"), id: "P1".parse().expect("id") };
        Change::Action(Box::new(Action {
            id: ActionId(id),
            at: Timestamp::UNIX_EPOCH,
            by: By { actor: "alice".into(), uid: None, name: None },
            verb: Verb::Resolve { note: None },
            outcomes: vec![(key, outcome)],
            due: None,
        }))
    };
    let mut board = Board::default();
    board.apply(&action(0, Outcome::Sent));
    for id in 1..=2 * i64::try_from(ACTIONS_LENGTH).expect("small") {
        board.apply(&action(id, Outcome::Confirmed { notice: None }));
    }

    assert_eq!(board.actions.len(), ACTIONS_LENGTH);
    assert_eq!(board.actions.back().map(|a| a.id), Some(ActionId(0)));
}

#[test]
fn a_board_reads_back_as_it_was_written() {
    let mut board = Board::default();
    board.apply(&delivery(7));
    let text = serde_json::to_string(&board).expect("json");
    assert_eq!(serde_json::from_str::<Board>(&text).expect("board"), board);
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("small")
}

fn push(status: Status, at: i64) -> Observation {
    observation(status, Stamp::push(second(at)), "disk full")
}

fn name(text: &str) -> AccountName {
    text.parse().expect("name")
}

fn of(account: &str, seen: Observation) -> Observation {
    Observation { key: IncidentKey { account: name(account), ..seen.key }, ..seen }
}

#[test]
fn the_log_says_what_an_observation_did() {
    let mut board = Board::default();
    let mut told = |seen: &Observation| {
        let (change, told) = board.observe_told(seen);
        (change.is_some(), told.to_string())
    };
    let rest = observation(Status::Acknowledged, Stamp::rest(second(20), second(30)), "disk full");

    assert_eq!(told(&push(Status::Triggered, 10)), (true, "new incident, triggered".to_owned()));
    assert_eq!(told(&push(Status::Triggered, 10)), (false, format!("{NOTHING}: this was known already")));
    assert_eq!(told(&push(Status::Acknowledged, 20)), (true, "triggered -> acknowledged".to_owned()));
    assert_eq!(told(&push(Status::Resolved, 15)), (false, format!("{NOTHING}: a newer state was known")));
    assert_eq!(told(&rest), (true, "what only REST tells".to_owned()));
    assert_eq!(
        told(&push(Status::Acknowledged, 40)),
        (true, format!("{NOTHING}: a later time of what was known")),
        "somebody else acknowledged it too"
    );
    assert_eq!(told(&push(Status::Acknowledged, 50).unsigned(second(51))), (true, "unsigned now".to_owned()));
    assert_eq!(told(&push(Status::Acknowledged, 60)), (true, "confirmed: it was unsigned".to_owned()));
}

#[test]
fn another_look_is_asked_for_where_nobody_signed_or_the_times_leave_it_open_and_nowhere_else() {
    let mut board = Board::default();
    board.observe(&push(Status::Resolved, 10));

    assert!(board.doubts(&push(Status::Triggered, 10)), "which came last?");
    assert!(board.doubts(&push(Status::Triggered, 20).unsigned(second(21))));
    assert!(!board.doubts(&push(Status::Triggered, 20)));
    assert!(!board.doubts(&of("lab", push(Status::Triggered, 10))), "nothing is known of that one");
}

proptest! {
    #[test]
    fn a_console_that_takes_over_every_change_shows_what_the_server_knows(
        history in prop::collection::vec(any_observation(), 1..9)
    ) {
        let (mut server, mut console) = (Board::default(), Board::default());
        for seen in &history {
            if let Some(change) = server.observe(seen) { console.apply(&change); }
        }

        let shown = |board: &Board| -> Vec<_> {
            let all = board.incidents.values();
            all.map(|one| (one.headline(), one.state.clone(), one.stamp.at, one.extra().cloned())).collect()
        };
        prop_assert_eq!(shown(&console), shown(&server));
    }
}

proptest! {
    /// Peer fault: a list that was asked for before a webhook came, and arrives after it, or the other way round.
    #[test]
    fn a_poll_and_webhooks_that_race_end_in_the_same_board_in_either_order(
        seen in prop::collection::vec((any_observation(), 0..3_u8), 1..12), cut in 0..12_usize
    ) {
        let named = |(seen, n): (Observation, u8)| {
            let key = IncidentKey { id: IncidentId::new(format!("P{n}")).expect("id"), ..seen.key };
            Observation { key, ..seen }
        };
        let seen: Vec<Observation> = seen.into_iter().map(named).collect();
        let (polled, pushed): (Vec<_>, Vec<_>) = seen.into_iter().partition(|seen| seen.stamp.source == Source::Rest);
        let end = |order: &[&[Observation]]| {
            let mut board = Board::default();
            order.iter().flat_map(|part| part.iter()).for_each(|seen| drop(board.observe(seen)));
            let all = board.incidents.values();
            all.map(|one| (one.headline(), one.state.clone(), one.stamp.at, one.extra().cloned())).collect::<Vec<_>>()
        };
        let (before, after) = pushed.split_at(cut.min(pushed.len()));

        let first = end(&[&polled, &pushed]);

        prop_assert_eq!(&end(&[&pushed, &polled]), &first);
        prop_assert_eq!(&end(&[before, &polled, after]), &first);
    }
}

fn user(id: &str) -> Named<UserId> {
    Named { id: id.parse().expect("id"), name: id.into() }
}

fn push_of(rejected: u32) -> Push {
    Push { rejected, ..Push::default() }
}

#[test]
fn every_change_reaches_the_board_and_twice_is_as_once() {
    let policy = || Named { id: "EP1".parse().expect("id"), name: "web".into() };
    let oncall =
        OnCall { policy: policy(), level: 1, user: user("U1"), schedule: None, start: None, end: Some(second(9)) };
    let schedule = Schedule {
        schedule: Named { id: "S1".parse().expect("id"), name: "nights".into() },
        zone: "UTC".into(),
        shifts: vec![],
        from: second(0),
        to: second(9),
    };
    let person = Person { user: user("U1"), email: None };
    let teams: BTreeMap<_, _> =
        [(policy().id, vec![Named { id: "T1".parse().expect("id"), name: "nights".into() }])].into();
    let template = TemplateSummary { name: "slack".to_owned(), saved_at: None, built_in: true };
    let door = Door::Open { address: "127.0.0.1:8484".to_owned() };
    let upkeep = Upkeep { settings: Some("line 3".into()), ..Upkeep::default() };
    let incident = Incident::first(push(Status::Triggered, 10));
    let changes = [
        Change::Account(Box::new(account("prod"))),
        Change::OnCalls { account: name("prod"), oncalls: vec![oncall.clone()] },
        Change::Schedules { account: name("prod"), schedules: vec![schedule.clone()] },
        Change::Directory {
            account: name("prod"),
            people: vec![person.clone()],
            policies: vec![policy()],
            policy_teams: teams.clone(),
        },
        // What is known of its people outlives another look at the account itself.
        Change::Account(Box::new(Account { poll_seconds: 60, ..account("prod") })),
        Change::Incident(Box::new(incident.clone())),
        Change::Templates(vec![template.clone()]),
        Change::Door(door.clone()),
        Change::Upkeep(upkeep.clone()),
        Change::Unshown(3),
        Change::Push { account: name("prod"), push: Box::new(push_of(3)) },
    ];

    let mut board = Board::default();
    for change in changes.iter().flat_map(|change| [change, change]) {
        board.apply(change);
    }

    let prod = AccountBoard {
        account: Account { poll_seconds: 60, push: push_of(3), ..account("prod") },
        oncalls: vec![oncall],
        schedules: vec![schedule],
        people: vec![person],
        policies: vec![policy()],
        policy_teams: teams,
        ..AccountBoard::of(account("prod"))
    };
    let whole = Board {
        incidents: [(incident.key.clone(), incident)].into(),
        accounts: [(name("prod"), prod)].into(),
        templates: vec![template],
        door,
        upkeep,
        unshown: 3,
        ..Board::default()
    };
    assert_eq!(board, whole);
}

#[test]
fn what_is_forgotten_or_not_watched_any_more_leaves_the_board_and_nothing_else_does() {
    let mut board = Board::default();
    let other = IncidentKey { account: name("prod"), id: IncidentId::new("P2").expect("id") };
    for seen in [push(Status::Triggered, 1), of("lab", push(Status::Triggered, 1))] {
        board.apply(&Change::Account(Box::new(account(seen.key.account.as_str()))));
        board.observe(&seen);
    }
    board.observe(&Observation { key: other.clone(), ..push(Status::Triggered, 1) });

    board.apply(&Change::Forgotten(other));
    assert_eq!(board.incidents.keys().map(ToString::to_string).collect::<Vec<_>>(), ["lab/P1", "prod/P1"]);

    board.apply(&Change::Unwatched(name("lab")));
    assert_eq!(board.incidents.keys().map(ToString::to_string).collect::<Vec<_>>(), ["prod/P1"]);
    assert_eq!(board.accounts.keys().map(AccountName::as_str).collect::<Vec<_>>(), ["prod"]);
}

#[test]
fn the_header_counts_each_incident_where_it_stands() {
    let mut board = Board::default();
    let all = [(Status::Triggered, 3), (Status::Acknowledged, 2), (Status::Resolved, 1)];
    for (status, n) in all.into_iter().flat_map(|(status, many)| (0..many).map(move |n| (status, n))) {
        board.observe(&of(&format!("{}-{n}", status.word()), push(status, 1)));
    }

    assert_eq!(board.counts(), Counts { triggered: 3, acknowledged: 2, resolved: 1 });
}
