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
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    account::Account,
    certificate::{self, Certificate, Loaded},
    desk::Desk,
    door, first_look,
    hooks::{self, Hooks},
    ingest, metrics, poller, push,
    secrets::{Print, Prints},
    snapshot,
    targets::Reread,
    upkeep,
};
use crate::{
    config::{Acts, SecretRef, Settings},
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

/// Between two tries to read secrets that could not be read.
const RETRY: Duration = Duration::from_secs(15);
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
    /// Of the secrets that are in use.
    prints: Prints,
}

/// The door for webhooks, while there is one.
pub(super) struct OpenDoor {
    pub(super) receiver: Receiver,
    pub(super) router: axum::Router,
    /// Ends the listening on the present address.
    listening: CancellationToken,
    /// The port is held by a service manager, who alone can change it.
    is_given: bool,
    /// When secrets that could not be read are tried again.
    retry: Option<Instant>,
}

/// Everything of a new configuration that can fail, done.
struct Checked {
    settings: Settings,
    accounts: Vec<Arc<Account>>,
    hooks: Hooks,
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
            prints: Prints::default(),
        }
    }

    /// These secrets of doors are in use from now on.
    pub(super) fn has_read(&mut self, hooks: &[Hook]) {
        self.prints.doors(&self.settings.accounts, hooks);
    }

    /// Lets webhooks in; not `whole`: some of their secrets are not read yet.
    pub(super) async fn open_the_door(
        &mut self,
        receiver: Receiver,
        router: axum::Router,
        whole: bool,
        given: Option<TcpListener>,
    ) {
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
        let retry = (!whole).then(Instant::now);
        self.door = Some(OpenDoor { receiver, router, listening, is_given, retry });
        self.tell();
    }

    fn front(&self, receiver: &Receiver) -> Front {
        Front {
            entrance: self.certificate.entrance(),
            connections: self.desk.metrics.connections.clone(),
            networks: self.networks.clone(),
            receiver: Some(receiver.clone()),
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
    pub(super) async fn poll(&mut self, account: &Arc<Account>) {
        if let Some(former) = self.polling.remove(&account.settings.name) {
            former.cancel();
        }
        if account.has_rest().await {
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
            let retry = self.door.as_ref().and_then(|door| door.retry);
            tokio::select! {
                () = stop.cancelled() => return,
                Some(answer) = orders.recv() => {
                    let outcome = self.reload().await;
                    let _ = answer.send(outcome);
                }
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => self.read_again().await,
                _ = looks.tick(), if self.settings.receiver.tls.is_some() => {
                    self.certificate.look().await;
                    self.tell();
                }
            }
        }
    }

    /// Tries to read the secrets that could not be read.
    async fn read_again(&mut self) {
        let accounts: Vec<Arc<Account>> = self.desk.accounts.all().values().cloned().collect();
        let read = Hooks::read(&accounts).await;
        read.tell(&self.desk);
        self.has_read(&read.hooks);
        if let Some(door) = &mut self.door {
            door.retry = (!read.wrong.is_empty()).then(|| Instant::now() + RETRY);
            door.receiver.set_hooks(read.hooks);
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
        let upkeep = Upkeep { settings: refused, certificate: self.certificate.says(Timestamp::now()), targets };
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
        let mut prints = Prints::default();
        for account in &accounts {
            if let Some(token) = &account.settings.token {
                let read = token.read().await;
                let read = read.map_err(|error| format!("account {}: {error}", account.settings.name))?;
                prints.token(&account.settings, token, Print::of(&read));
            }
        }
        for person in &settings.people {
            if let Acts::With { token } = &person.acts {
                let read = token.read().await.map_err(|error| format!("a [[person]]: {error}"))?;
                prints.token_of(person, token, Print::of(&read));
            }
        }
        let receives = self.door.is_some();
        let hooks = if receives { Hooks::read(&accounts).await } else { Hooks::default() };
        if let Some((account, wrong)) = hooks.wrong.first() {
            return Err(format!("account {account}: {wrong}"));
        }
        prints.doors(&settings.accounts, &hooks.hooks);
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
        Ok(Checked { settings, accounts, hooks, prints, tls, door, metrics })
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

    /// Puts the new configuration into force; says what is different.
    async fn apply(&mut self, new: Checked) -> Vec<String> {
        let Checked { settings, accounts, hooks, prints, tls, door, metrics } = new;
        let (others, none_is) = self.compare(prints);
        let mut changes = self.apply_accounts(accounts, hooks).await;
        let former = std::mem::replace(&mut self.settings, settings);
        let now = &self.settings;
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
        self.desk.put_targets(Reread::Everybodys).await;
        if (&former.server.socket, &former.server.group) != (&now.server.socket, &now.server.group) {
            changes.push("server.socket and server.group need a restart, and stay as they were".to_owned());
        }
        if former.receiver.listen != now.receiver.listen && door.is_none() {
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
        if self.door.is_some() {
            self.certificate.set(tls);
        }
        if let Some(listener) = door {
            changes.push(format!("the door is on {} now", self.settings.receiver.listen));
            self.move_the_door(listener);
        }
        if let Some(listener) = metrics {
            self.serve_metrics_on(listener);
        }
        if changes.is_empty() && others.is_empty() {
            changes.push("nothing is different".to_owned());
        }
        changes.extend(if others.is_empty() { vec![none_is.to_owned()] } else { others });
        if self.settings.secrets().iter().any(|(_, secret)| matches!(secret, SecretRef::Credential { .. })) {
            changes.push(CREDENTIALS.to_owned());
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

    async fn apply_accounts(&mut self, accounts: Vec<Arc<Account>>, hooks: Hooks) -> Vec<String> {
        let former = self.desk.accounts.all();
        let has = |name: &AccountName| accounts.iter().any(|account| account.settings.name == *name);
        let mut changes = vec![];
        self.desk.accounts.set(accounts.iter().cloned());
        for account in &accounts {
            let name = &account.settings.name;
            match former.get(name) {
                None => changes.push(format!("account {name} is new")),
                Some(known) if !Arc::ptr_eq(known, account) => changes.push(format!("account {name} is another")),
                // The token may have been replaced behind its reference.
                Some(_) => {
                    account.forget().await;
                    account.look.notify_one();
                    continue;
                }
            }
            self.show(account).await;
            let address = &account.settings.base_url;
            if former.get(name).is_some_and(|known| known.settings.base_url != *address) {
                // An answer from the former address would be taken for one from here.
                if let Some(polling) = self.polling.remove(name) {
                    polling.cancel();
                }
                self.desk.moved(name, address).await;
            }
            self.poll(account).await;
        }
        if let Some(door) = &mut self.door {
            hooks.tell(&self.desk);
            door.retry = None;
            door.receiver.set_hooks(hooks.hooks);
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

/// Reads the secrets for a moment; those that take longer are read while senders are asked to retry.
pub(super) async fn first_hooks(desk: &Desk) -> (Vec<Hook>, bool) {
    let accounts: Vec<Arc<Account>> = desk.accounts.all().values().cloned().collect();
    match hooks::read_for_a_moment(&accounts).await {
        Some(read) => {
            read.tell(desk);
            let whole = read.wrong.is_empty();
            (read.hooks, whole)
        }
        None => (hooks::unread(&accounts), false),
    }
}
