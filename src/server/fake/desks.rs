//! Desks over a fake, and what stands on them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use super::{Fake, READ_BACK, account_name};
use crate::{
    config::{AccountSettings, ProviderKind},
    core::{
        board::{Board, Change},
        forward::{EventType, Kept, TargetState, TargetSummary},
        freshness::{self, Freshness, Push},
        id::TargetName,
        text::Shown,
    },
    forward::{Forwarder, Target},
    provider::Provider,
    server::{
        account::{Account, Accounts},
        desk::Desk,
        hub::Hub,
        people::People,
    },
    store::Store,
    template::{Library, Limits, Renderer},
};

pub(in crate::server) fn settings() -> AccountSettings {
    AccountSettings {
        name: account_name(),
        provider: ProviderKind::PagerDuty,
        base_url: "http://127.0.0.1:1".into(),
        token: None,
        from: None,
        poll: Duration::from_secs(30),
        webhook: None,
    }
}

/// A desk over `fake` with a store in `dir`.
pub(in crate::server) fn desk(fake: &Fake, dir: &std::path::Path) -> Arc<Desk> {
    desk_of(settings(), Arc::new(fake.clone()), dir)
}

/// The same for other settings and another provider.
pub(in crate::server) fn desk_of(
    settings: AccountSettings,
    provider: Arc<dyn Provider>,
    dir: &std::path::Path,
) -> Arc<Desk> {
    let mut board = Board::default();
    let account = freshness::Account {
        name: account_name(),
        provider: "fake".into(),
        identity: None,
        cannot_act: None,
        rest_off: None,
        skew: None,
        left: vec![],
        barred: std::collections::BTreeMap::new(),
        lacks: vec![],
        rest: Freshness::default(),
        on_call: Freshness::default(),
        poll_seconds: 30,
        push: Push::default(),
    };
    board.apply(&Change::Account(Box::new(account)));
    let account = Account::with_provider(settings, provider);
    Arc::new(parts(Hub::new(board), Store::open(dir).expect("store"), Accounts::new([account]), dir, Timestamp::now))
}

/// A target that wants to know of everything, and takes nothing for now, so that everything it is to be told waits.
pub(in crate::server) fn want_everything(desk: &Desk) {
    const ALSO: [&str; 7] = [
        "incident.annotated",
        "incident.priority_updated",
        "incident.reopened",
        "incident.responder.added",
        "incident.service_updated",
        "incident.unacknowledged",
        "incident.workflow.started",
    ];
    let events = EventType::SHARED.iter().chain(&ALSO).filter_map(|name| EventType::new(name));
    let target = Target {
        name: chat(),
        url: String::new().into(),
        basic: None,
        headers: vec![],
        events: events.collect(),
        filter: None,
        enabled: true,
        linked: false,
        template: None,
        retries: 0,
        signing: None,
        allow_link_local: false,
    };
    let summary = TargetSummary {
        name: chat(),
        kept: Kept::Config,
        address: Shown::default(),
        user: None,
        headers: vec![],
        signed: false,
        events: target.events.clone(),
        linked: false,
        template: None,
        filter: None,
        retries: 0,
        allow_link_local: false,
        state: TargetState::Broken { reason: "as the test says".into() },
        failing_since: None,
        last: None,
        waiting: 0,
    };
    desk.forwarder.set(vec![(target, summary)]);
}

/// Its name.
pub(in crate::server) fn chat() -> TargetName {
    "chat".parse().expect("name")
}

/// One that shows on `hub` what it does.
fn forwarder(hub: &Hub, store: &Store, now: fn() -> Timestamp) -> Forwarder {
    let hub = hub.clone();
    Forwarder::new(store.clone(), vec!["false".into()], now, vec![], Arc::new(move |change| hub.publish(change)))
}

/// A desk of these parts, for which it is `now`.
pub(in crate::server) fn parts(
    hub: Hub,
    store: Store,
    accounts: Accounts,
    dir: &std::path::Path,
    now: fn() -> Timestamp,
) -> Desk {
    let forwarder = forwarder(&hub, &store, now);
    Desk {
        hub,
        store,
        accounts,
        forwarder,
        renderer: Renderer::new(vec!["false".into()], Limits::default()),
        rendering: super::super::desk::rendering(),
        seeing: super::super::desk::seeing(),
        library: Library::open(&dir.join("templates")),
        under_way: TaskTracker::new(),
        waiting: super::super::actions::undo::Waiting::default(),
        at_work: super::super::actions::AtWork::default(),
        ending: tokio_util::sync::CancellationToken::new(),
        integrations: super::super::outbox::Integrations::default(),
        order: tokio::sync::Mutex::default(),
        unsaved: super::super::unsaved::Unsaved::default(),
        looks: super::super::look::Looks::default(),
        now,
        read_back: READ_BACK,
        people: People::default(),
        reload: tokio::sync::mpsc::channel(1).0,
        metrics: super::super::metrics::Metrics::default(),
        calls: super::super::calls::Calls::default(),
        details: super::super::details::Details::default(),
        contexts: super::super::contexts::Contexts::default(),
        runbooks: super::super::contexts::Runbooks::default(),
        audit: super::super::audit::Audit::in_dir(dir),
        targets: super::super::targets::Targets::open(dir, vec![]),
    }
}
