//! What may change while the server runs: accounts, secrets, the door's address and certificate. One task owns it
//! all, so that there is never half of one configuration and half of another.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinError,
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    account::Account,
    certificate::{self, Certificate, Loaded},
    desk::Desk,
    door, first_look,
    hooks::{Doors, Place, Reading, Secret},
    ingest, metrics, poller, push,
    secrets::{self, Prints, Tokens},
    snapshot,
    targets::Reloaded,
    upkeep,
};
use crate::{
    config::{SecretRef, Settings},
    core::{
        board::{AccountBoard, Board, Change},
        freshness::Upkeep,
        id::AccountName,
        text::Shown,
        words,
    },
    receiver::{
        Hook, Networks, Receiver,
        http::{self, Front},
    },
};

/// Reads the settings from where they came from.
pub type Load = Arc<dyn Fn() -> Result<Settings, String> + Send + Sync>;
/// A request to read them again, and where the answer goes.
pub type Order = oneshot::Sender<Result<Vec<String>, String>>;

/// How long the door waits for secrets before it opens. A key in a password store may have to be unlocked first, and senders
/// are asked to retry meanwhile.
const MOMENT: Duration = Duration::from_millis(500);
/// What reading credentials again comes to.
const CREDENTIALS: &str = "secrets behind `credential` are new only after `systemctl reload dogwatch` with systemd 260 \
                           or newer; with an older one after `systemctl restart dogwatch`";

/// The owner of what may change.
pub(super) struct Keeper {
    pub(super) desk: Arc<Desk>,
    pub(super) settings: Settings,
    pub(super) load: Load,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) door: Option<OpenDoor>,
    polling: BTreeMap<AccountName, CancellationToken>,
    certificate: Certificate,
    pub(super) networks: Networks,
    metrics: Option<CancellationToken>,
    /// Looking after the store, by the settings that hold now.
    store: Option<CancellationToken>,
    /// By which it is seen whether this machine's clock can be believed, whatever the settings.
    clocks: Arc<Mutex<upkeep::Clocks>>,
    /// Why the settings that were last read are not in force.
    refused: Option<String>,
    /// What was damaged of what deliveries were taken into, when that was last looked at.
    damaged: Option<Shown>,
    /// Of the secrets that are in use.
    prints: Prints,
    /// The secrets of the doors, and those of them that are being read.
    doors: Doors,
    reading: Reading,
}

/// The door for webhooks, while there is one.
pub(super) struct OpenDoor {
    pub(super) receiver: Receiver,
    pub(super) router: axum::Router,
    /// Ends the listening on the present address.
    listening: CancellationToken,
    /// The port is held by a service manager, who alone can change it.
    is_given: bool,
}

/// Everything of a new configuration that can fail, done.
struct Checked {
    settings: Settings,
    accounts: Vec<Arc<Account>>,
    tokens: Tokens,
    doors: Doors,
    targets: Reloaded,
    prints: Prints,
    tls: Option<Loaded>,
    door: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Keeper {
    pub(super) fn new(
        desk: Arc<Desk>,
        settings: Settings,
        load: Load,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let networks = Networks::new(settings.receiver.allow.clone(), settings.receiver.trusted_proxies.clone());
        Self {
            desk,
            settings,
            load,
            tasks,
            stop,
            door: None,
            polling: BTreeMap::new(),
            certificate: Certificate::new(),
            networks,
            metrics: None,
            store: None,
            clocks: Arc::default(),
            refused: None,
            damaged: None,
            prints: Prints::default(),
            doors: Doors::default(),
            reading: Reading::default(),
        }
    }

    /// Begins to read the secrets of the doors, and waits a moment for them: what the receiver begins with.
    pub(super) async fn first_hooks(&mut self) -> Vec<Hook> {
        self.doors = Doors::closed(self.desk.accounts.all().values());
        self.doors.read(&mut self.reading);
        let moment = Instant::now() + MOMENT;
        for _ in 0..self.reading.len() {
            let Ok(Some(read)) = timeout_at(moment, self.reading.join_next()).await else { break };
            self.take(read);
        }
        self.hooks()
    }

    /// Takes a secret that was read; one whose reading broke down stays unread.
    fn take(&mut self, read: Result<(Place, Secret), JoinError>) {
        if let Ok(read) = read {
            self.doors.take(&mut self.reading, read);
        }
    }

    /// The doors as they are from now on.
    fn hooks(&mut self) -> Vec<Hook> {
        self.doors.tell(&self.desk);
        let hooks = self.doors.hooks();
        self.prints.doors(&self.settings.accounts, &hooks);
        hooks
    }

    /// Lets webhooks in.
    pub(super) async fn open_the_door(&mut self, receiver: Receiver, router: axum::Router, given: Option<TcpListener>) {
        let tls = match self.settings.receiver.tls.clone() {
            Some(files) => Some(Loaded::from(files).await),
            None => None,
        };
        self.certificate.set(tls);
        let listening = self.stop.child_token();
        let (hub, listen) = (self.desk.hub.clone(), self.settings.receiver.listen);
        let (front, stop, is_given) = (self.front(&receiver), listening.clone(), given.is_some());
        let address = given.as_ref().and_then(|given| given.local_addr().ok()).unwrap_or(listen);
        match given {
            Some(listener) => self.tasks.spawn(door::open(hub, listener, router.clone(), front, stop)),
            None => self.tasks.spawn(door::keep(hub, listen, router.clone(), front, stop)),
        };
        self.desk.forwarder.listens_on(Some(address));
        self.door = Some(OpenDoor { receiver, router, listening, is_given });
        self.look_for_damage().await;
        self.tell();
    }

    fn front(&self, receiver: &Receiver) -> Front {
        Front {
            entrance: self.certificate.entrance(),
            connections: self.desk.metrics.connections.clone(),
            networks: self.networks.clone(),
            receiver: Some(receiver.clone()),
            end: Some(self.stop.clone()),
        }
    }

    /// Keeps as much of the log as the settings say.
    pub(super) fn look_after_the_store(&mut self) {
        let stop = self.stop.child_token();
        let (store, clocks) = (self.desk.store.clone(), Arc::clone(&self.clocks));
        self.tasks.spawn(upkeep::run(store, self.settings.store, clocks, stop.clone()));
        if let Some(former) = self.store.replace(stop) {
            former.cancel();
        }
    }

    /// Serves the figures, if that is wanted; that they cannot be served keeps nothing else from running.
    pub(super) async fn serve_metrics(&mut self) {
        let Some(address) = self.settings.server.metrics else { return };
        match metrics::bind(address).await {
            Ok(listener) => self.serve_metrics_on(listener),
            Err(problem) => tracing::error!("{problem}"),
        }
    }

    fn serve_metrics_on(&mut self, listener: TcpListener) {
        let stop = self.stop.child_token();
        let meter = self.door.as_ref().map(|door| door.receiver.meter());
        self.tasks.spawn(metrics::serve(listener, Arc::clone(&self.desk), meter, stop.clone()));
        self.metrics = Some(stop);
    }

    /// Asks the account's provider from now on, in place of whoever does so already.
    pub(super) fn poll(&mut self, account: &Arc<Account>) {
        if let Some(former) = self.polling.remove(&account.settings.name) {
            former.cancel();
        }
        if account.has_rest() {
            let stop = self.stop.child_token();
            self.tasks.spawn(poller::run(Arc::clone(&self.desk), Arc::clone(account), stop.clone()));
            if self.door.is_some() && account.settings.webhook.is_some() {
                self.tasks.spawn(push::watch(Arc::clone(&self.desk), Arc::clone(account), stop.clone()));
            }
            self.polling.insert(account.settings.name.clone(), stop);
        }
    }

    /// Works until the server stops.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let stop = self.stop.clone();
        let mut looks = interval(certificate::LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(answer) = orders.recv() => {
                    let outcome = self.reload().await;
                    let _ = answer.send(outcome);
                }
                Some(read) = self.reading.join_next() => self.has_read(read),
                _ = looks.tick(), if self.settings.receiver.tls.is_some() || self.damaged.is_some() => self.look().await,
            }
        }
    }

    /// Whether the certificate was renewed, and what is damaged moved away.
    async fn look(&mut self) {
        if self.settings.receiver.tls.is_some() {
            self.certificate.look().await;
        }
        if self.damaged.is_some() {
            self.look_for_damage().await;
        }
        self.tell();
    }

    /// Where nobody can look, it stays as it was.
    async fn look_for_damage(&mut self) {
        if let Ok(damaged) = self.desk.store.damaged().await {
            self.damaged = damaged;
        }
    }

    /// A secret was read, or could not be: what is there is in force at once.
    fn has_read(&mut self, read: Result<(Place, Secret), JoinError>) {
        self.take(read);
        self.set_hooks();
    }

    fn set_hooks(&mut self) {
        let hooks = self.hooks();
        if let Some(door) = &self.door {
            door.receiver.set_hooks(hooks);
        }
    }

    /// Reads settings and secrets again. Either all of the new is in force afterwards, or all of the former.
    async fn reload(&mut self) -> Result<Vec<String>, String> {
        let outcome = match self.check().await {
            Ok(checked) => Ok(self.apply(checked).await),
            Err(problem) => Err(problem),
        };
        self.desk.metrics.reloaded(outcome.is_ok());
        match &outcome {
            Ok(changes) => tracing::info!("settings read again: {}", changes.join("; ")),
            Err(problem) => tracing::error!("the former settings stay in force: {problem}"),
        }
        self.refused = outcome.as_ref().err().cloned();
        self.look_for_damage().await;
        self.tell();
        outcome
    }

    /// Says on the board what has to be seen to.
    fn tell(&self) {
        let refused = self.refused.as_ref().map(|problem| {
            let first = problem.lines().next().unwrap_or_default();
            Shown::line(&format!("the former settings are in force, the new ones are wrong: {first}"))
        });
        let targets = self.desk.targets.unread().map(|why| Shown::line(&format!("targets made here: {why}")));
        let (certificate, intake) = (self.certificate.says(Timestamp::now()), self.damaged.clone());
        let upkeep = Upkeep { settings: refused, certificate, targets, intake };
        if self.desk.hub.look(|board| board.upkeep != upkeep) {
            self.desk.hub.publish(Change::Upkeep(upkeep));
        }
    }

    async fn check(&self) -> Result<Checked, String> {
        let load = Arc::clone(&self.load);
        let read = tokio::task::spawn_blocking(move || load()).await;
        let settings = read.map_err(|_| "reading the configuration was broken off".to_owned())??;
        let accounts: Vec<Arc<Account>> = settings
            .accounts
            .iter()
            .map(|new| {
                let known = self.desk.accounts.get(&new.name).filter(|known| known.settings == *new);
                known.unwrap_or_else(|| Arc::new(Account::new(new.clone(), &self.desk.calls)))
            })
            .collect();
        let (mut prints, tokens) = secrets::tokens(&accounts, &settings.people).await?;
        let receives = self.door.is_some();
        let doors = if receives { Doors::whole(&accounts).await? } else { Doors::default() };
        prints.doors(&settings.accounts, &doors.hooks());
        let targets = self.desk.targets.reload(&settings.targets).await?;
        let tls = match settings.receiver.tls.clone().filter(|_| receives) {
            Some(files) => Some(Loaded::from(files).await),
            None => None,
        };
        if let Some(Err(problem)) = tls.as_ref().map(|tls| &tls.pair) {
            return Err(problem.clone());
        }
        let door = if receives { self.new_door(settings.receiver.listen)? } else { None };
        let metrics = match settings
            .server
            .metrics
            .filter(|new| self.settings.server.metrics != Some(*new) || self.metrics.is_none())
        {
            Some(address) => Some(metrics::bind(address).await?),
            None => None,
        };
        Ok(Checked { settings, accounts, tokens, doors, targets, prints, tls, door, metrics })
    }

    /// The port of a door that moves.
    fn new_door(&self, listen: SocketAddr) -> Result<Option<TcpListener>, String> {
        if listen == self.settings.receiver.listen || self.door.as_ref().is_some_and(|door| door.is_given) {
            return Ok(None);
        }
        let bound = http::listen(listen);
        let advice = "choose another, or restart dogwatch if it is this one's own port";
        bound.map(Some).map_err(|error| format!("receiver.listen cannot become {listen}: {error}; {advice}"))
    }

    /// Puts the new configuration into force; says what is different. What waits comes last, and not for anybody's secret.
    async fn apply(&mut self, new: Checked) -> Vec<String> {
        let Checked { settings, accounts, tokens, doors, targets, prints, tls, door, metrics } = new;
        let (others, none_is) = self.compare(prints);
        let known = self.desk.accounts.all();
        self.desk.accounts.set(accounts.iter().cloned());
        let former = std::mem::replace(&mut self.settings, settings);
        let of_settings = self.apply_settings(&former, door.is_none());
        if self.door.is_some() {
            self.certificate.set(tls);
        }
        let moved = door.map(|listener| {
            self.move_the_door(listener);
            format!("the door is on {} now", self.settings.receiver.listen)
        });
        if let Some(listener) = metrics {
            self.serve_metrics_on(listener);
        }
        let mut changes = self.apply_accounts(&known, &accounts, tokens, doors).await;
        changes.extend(of_settings.into_iter().chain(moved));
        changes.extend(targets.unread.iter().cloned());
        self.desk.put_reloaded_targets(targets).await;
        if changes.is_empty() && others.is_empty() {
            changes.push("nothing is different".to_owned());
        }
        changes.extend(if others.is_empty() { vec![none_is.to_owned()] } else { others });
        if self.settings.secrets().iter().any(|(_, secret)| matches!(secret, SecretRef::Credential { .. })) {
            changes.push(CREDENTIALS.to_owned());
        }
        changes
    }

    /// The part of it that takes no time.
    fn apply_settings(&mut self, former: &Settings, door_stays: bool) -> Vec<String> {
        let (mut changes, now) = (vec![], &self.settings);
        if former.receiver.tls != now.receiver.tls {
            changes.push(
                if now.receiver.tls.is_some() { "the door speaks TLS" } else { "the door speaks plain HTTP" }.into(),
            );
        }
        if (&former.receiver.allow, &former.receiver.trusted_proxies)
            != (&now.receiver.allow, &now.receiver.trusted_proxies)
        {
            self.networks.set(now.receiver.allow.clone(), now.receiver.trusted_proxies.clone());
            changes.push("who may deliver, or whose word on it is taken, is another".to_owned());
        }
        // Also the same ones: what their references lead to may have been replaced, and an account may be new to them.
        self.desk.people.set(&now.people);
        if former.people != now.people {
            changes.push("who acts as whom is another".to_owned());
        }
        if former.runbooks != now.runbooks {
            self.desk.runbooks.set(now.runbooks.clone());
            changes.push("where runbooks are is another".to_owned());
        }
        if former.integrations != now.integrations {
            self.desk.integrations.set(&now.integrations);
            changes.push("where events go is another".to_owned());
        }
        if former.targets != now.targets {
            changes.push("targets of outgoing webhooks are others".to_owned());
        }
        self.desk.targets.configure(now.targets.clone());
        if former.actions != now.actions {
            self.desk.waiting.set_window(now.actions.undo_window);
            changes.push("how long an action can be taken back is another".to_owned());
        }
        if (&former.server.socket, &former.server.group) != (&now.server.socket, &now.server.group) {
            changes.push("server.socket and server.group need a restart, and stay as they were".to_owned());
        }
        if former.receiver.listen != now.receiver.listen && door_stays {
            changes.push("receiver.listen stays as it was: whoever started the service holds the port".to_owned());
        }
        if former.server.metrics != now.server.metrics {
            changes.push("server.metrics is another".to_owned());
            if let Some(stop) = self.metrics.take() {
                stop.cancel();
            }
        }
        if former.store != self.settings.store {
            changes.push("how much of the log is kept is another".to_owned());
            self.look_after_the_store();
        }
        changes
    }

    /// Which secrets are others than those in use, and what there is to say if none is. From now on these are in use.
    fn compare(&mut self, now: Prints) -> (Vec<String>, &'static str) {
        let mut former = std::mem::take(&mut self.prints);
        for account in self.desk.accounts.all().values() {
            if let (Some(token), Some(print)) = (&account.settings.token, account.print()) {
                former.token(&account.settings, token, print);
            }
        }
        let told = (now.others(&former), now.none_is_other(&former));
        self.prints = now;
        told
    }

    /// The new port is open before the old one closes; requests in progress there are finished.
    fn move_the_door(&mut self, listener: TcpListener) {
        let Some(front) = self.door.as_ref().map(|door| self.front(&door.receiver)) else { return };
        let listening = self.stop.child_token();
        self.desk.forwarder.listens_on(listener.local_addr().ok());
        let Some(door) = &mut self.door else { return };
        let (hub, router) = (self.desk.hub.clone(), door.router.clone());
        self.tasks.spawn(door::open(hub, listener, router, front, listening.clone()));
        std::mem::replace(&mut door.listening, listening).cancel();
    }

    /// Puts the accounts that are configured now in the place of the `former` ones.
    async fn apply_accounts(
        &mut self,
        former: &BTreeMap<AccountName, Arc<Account>>,
        accounts: &[Arc<Account>],
        mut tokens: Tokens,
        doors: Doors,
    ) -> Vec<String> {
        let has = |name: &AccountName| accounts.iter().any(|account| account.settings.name == *name);
        let is_new = |account: &&Arc<Account>| {
            former.get(&account.settings.name).is_none_or(|known| !Arc::ptr_eq(known, account))
        };
        let mut changes = vec![];
        for account in accounts.iter().filter(is_new) {
            let name = &account.settings.name;
            changes.push(format!("account {name} is {}", if former.contains_key(name) { "another" } else { "new" }));
            self.show(account).await;
            let address = &account.settings.base_url;
            if former.get(name).is_some_and(|known| known.settings.base_url != *address) {
                // An answer from the former address would be taken for one from here.
                if let Some(polling) = self.polling.remove(name) {
                    polling.cancel();
                }
                self.desk.moved(name, address).await;
            }
        }
        (self.doors, self.reading) = (doors, Reading::default());
        self.set_hooks();
        for account in accounts {
            let name = &account.settings.name;
            if let Some(token) = tokens.remove(name) {
                account.go_on(former.get(name).map(|known| &**known), token);
            }
            if is_new(&account) {
                self.poll(account);
            } else {
                account.look.notify_one();
            }
        }
        for name in former.keys().filter(|name| !has(name)) {
            changes.push(self.let_go(name).await);
        }
        if let Err(error) = ingest::catch_up(&self.desk).await {
            tracing::error!(%error, "deliveries wait to be applied");
        }
        changes
    }

    /// Puts an account onto the board: what is known of it stays, what is kept of it comes back.
    async fn show(&self, account: &Account) {
        let look = first_look(&account.settings);
        let name = look.name.clone();
        if self.desk.hub.look(|board| board.accounts.contains_key(&name)) {
            return self.desk.hub.account(&name, |known| {
                let push = crate::core::freshness::Push { off: look.push.off.clone(), ..known.push.clone() };
                let (rest, on_call, skew) = (known.rest.clone(), known.on_call.clone(), known.skew);
                *known = crate::core::freshness::Account { rest, on_call, push, skew, ..look };
            });
        }
        let now = (self.desk.now)();
        let kept = self.desk.store.read(move |reader| {
            let mut board = Board::default();
            board.apply(&Change::Account(Box::new(look)));
            for known in board.accounts.values_mut() {
                snapshot::restore(reader, known, now)?;
            }
            let incidents = reader.incidents()?.into_iter().filter(|i| board.accounts.contains_key(&i.key.account));
            let incidents: Vec<_> = incidents.collect();
            Ok((board.accounts, incidents))
        });
        match kept.await {
            Ok((accounts, incidents)) => {
                let _order = self.desk.order.lock().await;
                accounts.into_values().flat_map(account_changes).for_each(|change| self.desk.hub.publish(change));
                for incident in incidents {
                    self.desk.hub.publish(Change::Incident(Box::new(incident)));
                }
            }
            Err(error) => {
                tracing::error!(account = %name, %error, "what is kept of an account could not be read");
                self.desk.hub.publish(Change::Account(Box::new(first_look(&account.settings))));
            }
        }
    }

    /// Takes an account that is not configured any more off the board.
    async fn let_go(&mut self, name: &AccountName) -> String {
        if let Some(polling) = self.polling.remove(name) {
            polling.cancel();
        }
        let _order = self.desk.order.lock().await;
        let left = self.desk.hub.look(|board| board.incidents.keys().filter(|key| key.account == *name).count());
        self.desk.hub.publish(Change::Unwatched(name.clone()));
        let left = words::count(left, "incident", "incidents");
        format!("account {name} is not configured any more: its {left} left the list")
    }
}

fn account_changes(known: AccountBoard) -> [Change; 6] {
    let account = known.account.name.clone();
    [
        Change::Account(Box::new(known.account)),
        Change::OnCalls { account: account.clone(), oncalls: known.oncalls },
        Change::Schedules { account: account.clone(), schedules: known.schedules },
        Change::Directory {
            account: account.clone(),
            people: known.people,
            policies: known.policies,
            policy_teams: known.policy_teams,
        },
        Change::Escalation { account: account.clone(), policies: known.escalation },
        Change::Services { account, services: known.services },
    ]
}

#[cfg(test)]
mod tests;
