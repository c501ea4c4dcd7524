//! How a server ends: what was asked for is finished, and nobody is kept out meanwhile.

use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};

use super::{
    Guests, Lease, Server,
    fake::{self, Fake, key},
    guests::Limits,
    ownership::socket_path,
};
use crate::{
    core::{
        action::{Target, Verb},
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

#[tokio::test]
async fn while_actions_are_finished_whoever_comes_is_served_and_only_new_actions_are_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lease = || Lease::acquire(&dir.path().join("owner.lock")).expect("io");
    let fake = Fake::default();
    let seen = fake.put("P1", Status::Triggered, 0);
    let desk = fake::desk(&fake, dir.path());
    let server = Server {
        desk: Arc::clone(&desk),
        tasks: tokio_util::task::TaskTracker::new(),
        stop: tokio_util::sync::CancellationToken::new(),
        guests: Guests::new(Limits::default()),
        lease: lease(),
    };
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
