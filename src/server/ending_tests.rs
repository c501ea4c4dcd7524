//! How a server ends: what was asked for is finished, and nobody is kept out meanwhile.

use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};

use super::{
    Desk, Guests, Lease, Server,
    fake::{self, Fake, key},
    guests::Limits,
    ownership::socket_path,
};
use crate::{
    core::{
        action::{By, Outcome, Target, Verb},
        incident::Status,
    },
    proto::{
        Answer, FromConsole, FromServer, PROTOCOL, Request, RequestId,
        wire::{self, Line},
    },
};

/// Asks over a line that is greeted.
async fn ask(line: &mut Line<UnixStream>, id: RequestId, request: Request) -> Result<Answer, String> {
    wire::send(line, &FromConsole::Request { id, request }).await.expect("sent");
    loop {
        if let FromServer::Answer { answer, .. } = wire::receive(line).await.expect("a message") {
            return *answer;
        }
    }
}

fn owner(desk: &Arc<Desk>, lease: Option<Lease>) -> Server {
    Server {
        desk: Arc::clone(desk),
        tasks: tokio_util::task::TaskTracker::new(),
        stop: tokio_util::sync::CancellationToken::new(),
        guests: Guests::new(Limits::default()),
        lease,
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_what_was_sent_before_keeps_no_server_from_ending() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lease = || Lease::acquire(&dir.path().join("owner.lock")).expect("io");
    let fake = Fake::default();
    let _never = fake.slow("P1", "P1");
    let desk = fake::desk(&fake, dir.path());
    let by = By { actor: "alice".into(), uid: None, name: None };
    let asked = desk.write_down(by, Verb::Acknowledge, vec![key("P1")], false).await;
    let (mut action, _) = asked.expect("written down");
    action.outcomes[0].1 = Outcome::Sent;
    let server = owner(&desk, lease());
    server.settle(vec![action]);
    while fake.asked().1 == 0 {
        tokio::task::yield_now().await;
    }

    server.stop().await;

    assert!(lease().is_some(), "the next one may begin");
}

#[tokio::test]
async fn while_an_action_may_still_be_sent_nobody_else_begins() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lease = || Lease::acquire(&dir.path().join("owner.lock")).expect("io");
    let desk = fake::desk(&Fake::default(), dir.path());
    let server = owner(&desk, lease());
    let _under_way = desk.under_way.token();
    tokio::time::pause();

    server.stop().await;

    assert!(lease().is_none());
}

#[tokio::test]
async fn while_actions_are_finished_whoever_comes_is_served_and_only_new_actions_are_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lease = || Lease::acquire(&dir.path().join("owner.lock")).expect("io");
    let fake = Fake::default();
    let seen = fake.put("P1", Status::Triggered, 0);
    let desk = fake::desk(&fake, dir.path());
    let server = owner(&desk, lease());
    server.let_in(UnixListener::bind(socket_path(dir.path())).expect("a socket"));
    let under_way = desk.under_way.token();

    let ended = tokio::spawn(server.stop());
    desk.ending.cancelled().await;

    let mut line = wire::line(UnixStream::connect(socket_path(dir.path())).await.expect("let in"));
    let hello = FromConsole::Hello { protocol: PROTOCOL, version: "0".into() };
    wire::send(&mut line, &hello).await.expect("sent");
    assert_eq!(ask(&mut line, 1, Request::Actions { limit: 5 }).await, Ok(Answer::Actions { actions: vec![] }));
    let assignees = seen.state.assignees.iter().map(|user| user.id.clone()).collect();
    let targets = vec![Target { key: key("P1"), seen: Status::Triggered, assignees }];
    let refused = ask(&mut line, 2, Request::Act { targets, verb: Verb::Acknowledge, undoable: true }).await;
    assert!(refused.expect_err("refused").contains("about to end"));
    assert!(lease().is_none(), "it writes still");

    drop(under_way);

    ended.await.expect("no panic");
    assert!(lease().is_some());
    assert_eq!(fake.status("P1"), Status::Triggered);
}
