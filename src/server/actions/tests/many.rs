//! Many incidents in one action.

use super::*;

#[tokio::test]
async fn many_go_out_by_one_request_and_each_gets_its_own_outcome() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2", "P3"] {
        fake.put(id, Status::Triggered, 0);
    }
    fake.put("P4", Status::Resolved, 0);

    let targets = ["P1", "P2", "P3", "P4"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert_eq!(outcomes[..3], [NONE, NONE, NONE]);
    assert!(matches!(outcomes[3], Outcome::Conflict { now: Status::Resolved, .. }), "{outcomes:?}");
    assert_eq!(fake.requests(), [["P1", "P2", "P3"].map(|id| key(id).id)]);
}

#[tokio::test]
async fn one_that_spoils_a_request_for_many_spoils_only_itself() {
    let Setup { fake, desk, _dir } = setup();
    for id in ["P1", "P2", "P3"] {
        fake.put(id, Status::Triggered, 0);
    }
    fake.refuse("P2");

    let targets = ["P1", "P2", "P3"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    assert_eq!((&outcomes[0], &outcomes[2]), (&NONE, &NONE));
    assert!(matches!(&outcomes[1], Outcome::Failed { reason } if reason.as_str().contains("not your team")));
    assert_eq!((fake.status("P1"), fake.status("P2")), (Status::Acknowledged, Status::Triggered));
}

#[tokio::test]
async fn of_a_hundred_with_ten_stale_and_five_forbidden_the_counts_are_exact() {
    let Setup { fake, desk, _dir } = setup();
    let ids: Vec<String> = (0..100).map(|n| format!("P{n}")).collect();
    for (n, id) in ids.iter().enumerate() {
        fake.put(id, if n < 10 { Status::Resolved } else { Status::Triggered }, 0);
    }
    ids[10..15].iter().for_each(|id| fake.refuse(id));

    let targets = ids.iter().map(|id| target(id, Status::Triggered)).collect();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    let count = |wanted: &str| outcomes.iter().filter(|outcome| outcome.word() == wanted).count();
    assert_eq!((count("confirmed"), count("conflict"), count("failed")), (85, 10, 5));
    let acknowledged = ids.iter().filter(|id| fake.status(id) == Status::Acknowledged).count();
    let resolved = ids.iter().filter(|id| fake.status(id) == Status::Resolved).count();
    assert_eq!((acknowledged, resolved), (85, 10));
}

#[tokio::test]
async fn many_whose_answer_is_lost_are_read_back_one_by_one() {
    let Setup { fake, desk, _dir } = setup();
    fake.put("P1", Status::Triggered, 0);
    fake.put("P2", Status::Triggered, 0);
    fake.spoil_next_write(Spoil::AnswerLost);

    let targets = ["P1", "P2"].map(|id| target(id, Status::Triggered)).to_vec();
    let outcomes = act(&desk, targets, Verb::Acknowledge).await;

    let read_back =
        |o: &Outcome| matches!(o, Outcome::Confirmed { notice: Some(notice) } if notice.as_str().contains("read back"));
    assert!(outcomes.iter().all(read_back), "{outcomes:?}");
    assert_eq!(fake.writes(), 1);
}
