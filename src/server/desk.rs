//! Where a console's requests are answered. Every request is checked against what its sender may do.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    account::Accounts,
    actions::{AtWork, undo::Waiting},
    audit::Audit,
    calls::Calls,
    contexts::{Contexts, Runbooks},
    details::Details,
    hub::Hub,
    keeper::Order,
    look::Looks,
    metrics::Metrics,
    outbox::Integrations,
    people::{Caller, People},
    rate::Rate,
    targets::Targets,
    turns::{GivesWay, Limits, Turns},
    unsaved::Unsaved,
};
use crate::{
    core::{
        board::{Board, Change},
        delivery::{Bytes, DeliveryView, RAW_LIMIT},
        forward::happening::{Before, Seen},
        freshness::Failure,
        id::{AccountName, DeliveryId, IncidentKey},
        incident::Observation,
        text::{Shown, ShownBody},
    },
    forward::Forwarder,
    proto::{Access, Answer, Request},
    store::{Fallen, Reader, Search, Store, StoreError, StoredDelivery, Write},
    template::{Library, Renderer},
};

/// The most lines of the log that one request gets.
pub(super) const PAGE: u32 = 500;

/// Why nothing new is begun any more.
const ENDING: &str = "this dogwatch is about to end and finishes what was asked for before; nothing was done, try again in half a minute";

/// What a request needs. Everything that changes something, here or at a provider, needs [`Need::Act`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Look,
    Act,
}

/// What `request` needs: reading is for everybody who was let in.
pub fn need(request: &Request) -> Need {
    match request {
        Request::Detail { .. }
        | Request::Delivery { .. }
        | Request::Deliveries { .. }
        | Request::SearchDeliveries { .. }
        | Request::Actions { .. }
        | Request::Template { .. }
        | Request::Render { .. }
        | Request::Choices { .. }
        | Request::Handoff { .. }
        | Request::Duties { .. }
        | Request::Shifts { .. }
        | Request::Overrides { .. }
        | Request::Pages { .. }
        | Request::Refresh
        | Request::DetailAnew { .. }
        | Request::ApiLog { .. }
        | Request::TemplateContext { .. }
        | Request::TemplateHistory { .. }
        | Request::TemplateVersion { .. }
        | Request::Context { .. }
        | Request::ContextAnew { .. } => Need::Look,
        Request::Arrange { .. }
        | Request::Act { .. }
        | Request::Create { .. }
        | Request::TakeBack { .. }
        | Request::Replay { .. }
        | Request::SaveTemplate { .. }
        | Request::SaveTarget { .. }
        | Request::RemoveTarget { .. }
        | Request::SwitchTarget { .. }
        | Request::TestTarget { .. }
        | Request::ResendDelivery { .. }
        | Request::ResendFailed { .. }
        | Request::SendHandoff { .. }
        | Request::RestoreTemplate { .. }
        | Request::Reload => Need::Act,
    }
}

/// Whether it begins an action, for which the end would have to wait.
fn begins_an_action(request: &Request) -> bool {
    matches!(request, Request::Act { .. } | Request::Create { .. } | Request::Arrange { .. })
}

/// Whether it changes something, of which a user may do so much in a short time. To take back what was not sent is always
/// possible.
pub fn is_act(request: &Request) -> bool {
    need(request) == Need::Act && !matches!(request, Request::TakeBack { .. })
}

/// Whether answering takes requests to a provider, of which there are so many a minute for all.
pub fn asks_a_provider(request: &Request) -> bool {
    match request {
        Request::Detail { .. }
        | Request::Choices { .. }
        | Request::Duties { .. }
        | Request::Shifts { .. }
        | Request::Overrides { .. }
        | Request::Pages { .. }
        | Request::DetailAnew { .. }
        | Request::Handoff { .. }
        | Request::SendHandoff { .. }
        | Request::Context { .. }
        | Request::ContextAnew { .. }
        | Request::Refresh => true,
        Request::Act { .. }
        | Request::Arrange { .. }
        | Request::Create { .. }
        | Request::TakeBack { .. }
        | Request::Delivery { .. }
        | Request::Deliveries { .. }
        | Request::SearchDeliveries { .. }
        | Request::Reload
        | Request::Replay { .. }
        | Request::Actions { .. }
        | Request::Template { .. }
        | Request::SaveTemplate { .. }
        | Request::Render { .. }
        | Request::SaveTarget { .. }
        | Request::RemoveTarget { .. }
        | Request::SwitchTarget { .. }
        | Request::TestTarget { .. }
        | Request::ResendDelivery { .. }
        | Request::ResendFailed { .. }
        | Request::TemplateContext { .. }
        | Request::TemplateHistory { .. }
        | Request::TemplateVersion { .. }
        | Request::RestoreTemplate { .. }
        | Request::ApiLog { .. } => false,
    }
}

/// Everything that requests need.
pub struct Desk {
    pub hub: Hub,
    pub store: Store,
    pub accounts: Accounts,
    pub renderer: Renderer,
    /// Whose templates it renders next.
    pub rendering: Arc<Turns>,
    /// Whom it tells next what a template sees.
    pub seeing: Arc<Turns>,
    pub library: Library,
    /// Actions being carried out: the end waits for them.
    pub under_way: TaskTracker,
    /// Actions that can still be taken back.
    pub waiting: Waiting,
    /// Whose turn it is on each incident.
    pub at_work: AtWork,
    /// The end has come: what waits is sent.
    pub ending: CancellationToken,
    /// Where events go that wait on disk.
    pub integrations: Integrations,
    /// Held from a change on the board until the store has it, so that both end with the same.
    pub order: Mutex<()>,
    /// What of that the store did not take.
    pub unsaved: Unsaved,
    /// Incidents that only another look at the provider can tell of.
    pub looks: Looks,
    /// What time it is.
    pub now: fn() -> Timestamp,
    /// The pauses between looks at what became of something whose answer was lost.
    pub read_back: &'static [Duration],
    /// Who acts as whom.
    pub people: People,
    /// Asks for the settings to be read again.
    pub reload: mpsc::Sender<Order>,
    pub metrics: Metrics,
    /// The newest calls to providers.
    pub calls: Calls,
    /// The details that were looked at.
    pub details: Details,
    /// What lies around the incidents that were looked at.
    pub contexts: Contexts,
    pub runbooks: Runbooks,
    pub audit: Audit,
    pub targets: Targets,
    /// Sends what happens to the targets that want to know.
    pub forwarder: Forwarder,
}

/// Nobody has more than a tenth of the time for long.
const TENTH: Rate = Rate { burst: 5000, every: Duration::from_millis(10) };

/// Turns at rendering. An editor wants its newest text rendered.
pub(super) fn rendering() -> Arc<Turns> {
    let limits = Limits { waiting: 2, gives_way: GivesWay::Oldest, time: Some(TENTH) };
    Turns::new("the rendering of a template", limits)
}

/// Turns at what a template sees: it is gathered from the board, for which all else waits.
pub(super) fn seeing() -> Arc<Turns> {
    Turns::new("what a template sees", Limits { waiting: 8, gives_way: GivesWay::Newest, time: Some(TENTH) })
}

impl Desk {
    /// Answers one request; a refusal is a sentence for the person who asked.
    pub async fn answer(self: &Arc<Self>, caller: &Caller, request: Request) -> Result<Answer, String> {
        if need(&request) == Need::Act {
            may_act(&self.access(caller))?;
        }
        // Held before it is asked whether the end has come: the end waits for whoever was told that it has not.
        let _begun = begins_an_action(&request).then(|| self.under_way.token());
        if begins_an_action(&request) && self.ending.is_cancelled() {
            return Err(ENDING.to_owned());
        }
        match request {
            Request::Act { targets, verb, undoable } => self.act(caller, targets, verb, undoable).await,
            Request::Create { account, new, undoable } => self.create(caller, account, *new, undoable).await,
            Request::TakeBack { action } => self.take_back(caller, action),
            Request::Choices { account, of } => self.choices(account, of).await,
            Request::Detail { key } => self.detail(key).await,
            Request::Delivery { id } => self.delivery(id).await,
            Request::Deliveries { before, limit } => self.deliveries(before, limit).await,
            Request::SearchDeliveries { query, before, limit } => self.search(&query, before, limit).await,
            Request::Replay { id } => self.replay(caller, id).await,
            Request::Actions { limit } => self.actions(limit).await,
            Request::Template { name } => self.template(name),
            Request::SaveTemplate { name, text, base } => self.save_template(caller, name, &text, base.as_deref()),
            Request::Render { text, on } => self.preview(caller, &text, on).await,
            Request::Handoff { template, from, zone } => self.handoff(caller, template, from, &zone).await,
            Request::Duties { account, user, span } => self.duties(&account, &user, span).await,
            Request::Shifts { account, schedule, span } => self.shifts(&account, &schedule, span).await,
            Request::Overrides { account, schedule, span } => self.overrides(&account, &schedule, span).await,
            Request::Pages { account, span } => self.pages(&account, span).await,
            Request::Arrange { account, what } => self.arrange(caller, account, *what).await,
            Request::Reload => self.reload_for(caller).await,
            Request::Refresh => {
                for account in self.accounts.all().values() {
                    account.look.notify_one();
                }
                Ok(Answer::Refreshing)
            }
            Request::DetailAnew { key } => self.detail_anew(key).await,
            Request::ApiLog { after, limit } => Ok(self.api_log(after, limit)),
            Request::Context { key } => self.context(caller, key).await,
            Request::ContextAnew { key } => self.context_anew(caller, key).await,
            Request::SaveTarget { form, making, base } => {
                self.save_target(caller, *form, making, base.as_deref()).await
            }
            Request::RemoveTarget { name } => self.remove_target(caller, name).await,
            Request::SwitchTarget { name, on } => self.switch_target(caller, name, on).await,
            Request::TestTarget { name, on } => self.test_target(caller, name, on).await,
            Request::ResendDelivery { id } => self.resend_delivery(caller, id).await,
            Request::ResendFailed { target } => self.resend_failed(caller, target.as_ref()).await,
            Request::SendHandoff { target, template, from, zone } => {
                self.send_handoff(caller, target, template, from, &zone).await
            }
            Request::TemplateContext { on } => self.template_context(caller, on).await,
            Request::TemplateHistory { name } => self.template_history(name),
            Request::TemplateVersion { name, version } => self.template_version(name, version),
            Request::RestoreTemplate { name, version, base } => self.restore_template(caller, name, version, &base),
        }
    }

    /// What `caller` may do now.
    pub fn access(&self, caller: &Caller) -> Access {
        self.people.access(caller, self.accounts.all().keys())
    }

    async fn actions(&self, limit: u32) -> Result<Answer, String> {
        let limit = limit.min(PAGE);
        let actions = self.store.read(move |reader| reader.actions(limit)).await.map_err(|e| e.to_string())?;
        Ok(Answer::Actions { actions })
    }

    fn api_log(&self, after: u64, limit: u32) -> Answer {
        let calls = self.calls.newest(after, limit.try_into().unwrap_or(usize::MAX));
        let accounts = self.accounts.all();
        let budgets = accounts.iter().filter_map(|(name, account)| Some((name.clone(), account.budget()?))).collect();
        Answer::ApiLog { calls, budgets }
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Answer, String> {
        let found = self.store.read(move |reader| reader.delivery(id)).await.map_err(|e| e.to_string())?;
        let stored = found.ok_or_else(|| format!("delivery {id} is not kept any more"))?;
        Ok(Answer::Delivery { delivery: Box::new(view(stored)) })
    }

    async fn deliveries(&self, before: DeliveryId, limit: u32) -> Result<Answer, String> {
        let limit = limit.min(PAGE);
        let read = self.store.read(move |reader| {
            let page = reader.recent(Some(before), limit)?;
            let let_go = if page.is_empty() { let_go(reader)? } else { None };
            Ok((page, let_go))
        });
        let (deliveries, let_go) = read.await.map_err(|error| error.to_string())?;
        Ok(Answer::Deliveries { deliveries, let_go: let_go.map(|words| Shown::line(&words)) })
    }
}

/// What was before the log begins, and what fell out of its rings.
fn let_go(reader: &Reader) -> Result<Option<String>, StoreError> {
    let fallen = Fallen::words(&reader.fallen(&Search::default())?);
    let both: Vec<_> = reader.beginning()?.let_go().into_iter().chain(fallen).collect();
    Ok((!both.is_empty()).then(|| both.join("; ")))
}

impl Desk {
    /// The same for somebody who asked for it, which is written down.
    async fn reload_for(&self, caller: &Caller) -> Result<Answer, String> {
        tracing::info!(uid = caller.uid, "the settings are read again, as was asked for");
        let outcome = self.reload().await;
        let more = match &outcome {
            Ok(changes) => ("changes", json!(changes)),
            Err(problem) => ("because", json!(Shown::line(problem))),
        };
        self.audit_deed(caller, "settings read again", &[more]).await;
        Ok(Answer::Reloaded { changes: outcome? })
    }

    /// Reads settings and secrets again. `Ok`: what is different now; `Err`: why nothing is.
    pub async fn reload(&self) -> Result<Vec<String>, String> {
        const GONE: &str = "nothing changed: this dogwatch is about to end";
        let (answer, answered) = oneshot::channel();
        self.reload.send(answer).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)?
    }

    /// Takes in one look at an incident, shows and keeps what is new in it.
    pub async fn observe(&self, seen: &Observation) {
        self.observe_all(vec![seen.clone()]).await;
    }

    /// Takes in several; returns those whose status is another now.
    pub async fn observe_all(&self, seen: Vec<Observation>) -> Vec<IncidentKey> {
        let _order = self.order.lock().await;
        let told = !self.forwarder.is_idle();
        let (mut writes, moved, doubted, events) = self.hub.change(|board| {
            let (mut changes, mut writes, mut moved, mut doubted, mut events) =
                (vec![], vec![], vec![], vec![], vec![]);
            for seen in seen {
                if !board.accounts.contains_key(&seen.key.account) {
                    continue;
                }
                doubted.extend(board.doubts(&seen).then(|| seen.key.clone()));
                let known = board.incidents.get(&seen.key);
                let stood = told.then(|| Before::of(known));
                let before = known.map(|known| known.state.status);
                let Some(change) = board.take(seen) else { continue };
                if let Change::Incident(incident) = &change {
                    self.details.overtaken(&incident.key);
                    if before != Some(incident.state.status) {
                        moved.push(incident.key.clone());
                    }
                    if let Some(stood) = stood {
                        events.extend(self.forwarder.happened(
                            board,
                            &stood,
                            &incident.key,
                            looked(board, &incident.key),
                        ));
                    }
                    writes.push(Write::Incident(incident.clone()));
                }
                changes.push(change);
            }
            (changes, (writes, moved, doubted, events))
        });
        self.looks.ask(doubted);
        writes.extend(events.iter().cloned().map(Write::Event));
        if writes.is_empty() {
            return moved;
        }
        let writes = Arc::new(writes);
        let saved = self.store.save(Arc::clone(&writes)).await;
        if let Err(error) = &saved {
            tracing::warn!(%error, "incidents could not be kept; they are when the store works again");
            self.unsaved.add(&writes);
        }
        self.forwarder.written(events, saved.as_ref().map(drop));
        moved
    }

    /// The provider does not know this incident any more.
    pub async fn forget(&self, key: &IncidentKey) {
        self.forget_all(std::slice::from_ref(key)).await;
    }

    /// The provider of an account is asked at another address from now on: nothing here is known from there yet, and what
    /// was over at the former one says nothing of it. What was open is asked for like anything else that is in no list, and
    /// goes where this one does not know it.
    pub async fn moved(&self, name: &AccountName, address: &str) {
        let cause = Shown::line(&format!("what is shown is from another address: {address} was not asked yet"));
        let failure = Failure { at: (self.now)(), cause, unauthorised: false };
        self.hub.account(name, |known| {
            known.rest.failed(failure.clone());
            known.on_call.failed(failure);
        });
        let over = self.hub.look(|board| {
            let of_this = board.incidents.values().filter(|one| one.key.account == *name);
            of_this.filter(|one| !one.state.status.is_open()).map(|one| one.key.clone()).collect::<Vec<_>>()
        });
        self.forget_all(&over).await;
        let _order = self.order.lock().await;
        let writes = self.hub.change(|board| {
            let mut open: Vec<_> = board.incidents.values_mut().filter(|one| one.key.account == *name).collect();
            for one in &mut open {
                one.stamp = one.stamp.from_elsewhere();
            }
            let open: Vec<_> = open.into_iter().map(|one| Box::new(one.clone())).collect();
            (open.iter().cloned().map(Change::Incident).collect(), open.into_iter().map(Write::Incident).collect())
        });
        self.keep(writes, "incidents of a former address could not be kept; they are when the store works again").await;
    }

    /// Has `writes` kept; `otherwise` says what it means that the store does not work.
    async fn keep(&self, writes: Vec<Write>, otherwise: &str) {
        let writes = Arc::new(writes);
        if let Err(error) = self.store.save(Arc::clone(&writes)).await {
            tracing::warn!(%error, "{otherwise}");
            self.unsaved.add(&writes);
        }
    }

    /// Lets go of these.
    pub async fn forget_all(&self, keys: &[IncidentKey]) {
        let _order = self.order.lock().await;
        self.hub.change(|board| {
            let changes: Vec<_> = keys.iter().cloned().map(Change::Forgotten).collect();
            for change in &changes {
                board.apply(change);
            }
            (changes, ())
        });
        let writes = keys.iter().cloned().map(Write::Forget).collect();
        self.keep(writes, "forgotten incidents could not be removed; they are when the store works again").await;
    }
}

/// How a look at the provider tells of `key`: where no webhook is configured it is all there is.
fn looked(board: &Board, key: &IncidentKey) -> Seen<'static> {
    let pushed = board.accounts.get(&key.account).is_some_and(|known| known.account.push.off.is_none());
    if pushed { Seen::Looked } else { Seen::LookedAlone }
}

fn may_act(access: &Access) -> Result<(), String> {
    match access {
        Access::Act { .. } | Access::ActAs { .. } => Ok(()),
        Access::Watch { reason } => Err(format!("you may look, not act: {reason}")),
    }
}

/// A stored delivery, cleaned for the screen.
pub fn view(stored: StoredDelivery) -> DeliveryView {
    let json = serde_json::from_slice::<serde_json::Value>(&stored.body).ok();
    let pretty = json.as_ref().and_then(|value| serde_json::to_string_pretty(value).ok());
    let body = match &pretty {
        Some(text) => ShownBody::new(text),
        None => ShownBody::new(&String::from_utf8_lossy(&stored.body)),
    };
    let answered = stored.summary.target.is_some() && stored.summary.status != 0;
    let response = answered.then(|| ShownBody::new(&String::from_utf8_lossy(&stored.response)));
    DeliveryView {
        summary: stored.summary,
        peer: Shown::line(&stored.peer),
        headers: stored.headers.iter().map(|(name, value)| (Shown::line(name), Shown::line(value))).collect(),
        body,
        body_is_json: pretty.is_some(),
        raw: Bytes(stored.body.iter().take(RAW_LIMIT).copied().collect()),
        timings: stored.timings,
        response,
        format: stored.format,
    }
}
