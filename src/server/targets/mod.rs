//! The targets of outgoing webhooks: those of the configuration and those made in a console, with their secrets read and
//! their templates' text, handed to the forwarder. What cannot be read is tried again until it can; its events wait.

mod handoff;
mod kept;
mod ready;
mod requests;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::{Mutex as Turn, broadcast::error::RecvError},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use kept::{KeptTarget, KeptTargets, Obstacle, kept};

use self::ready::{Secrets, read, ready};
use super::desk::Desk;
use crate::{
    config::{TargetSettings, targets as file},
    core::{board::Change, forward::Kept, id::TargetName, text::Shown},
};

/// Those that were made here stand in this file of the state directory.
const FILE: &str = "targets.toml";
/// How long the start waits for secrets; those that take longer are read while events wait.
const MOMENT: Duration = Duration::from_millis(500);
/// Between two tries to read what could not be read.
const RETRY: Duration = Duration::from_secs(15);

/// What is known of all targets.
pub struct Targets {
    path: PathBuf,
    known: Mutex<Known>,
    /// Held from reading secrets until the forwarder has them: one change after the other.
    turn: Turn<()>,
    /// Held from looking at those made here until they are written anew.
    saving: Turn<()>,
}

#[derive(Default)]
struct Known {
    configured: Vec<TargetSettings>,
    here: Vec<TargetSettings>,
    /// Why those made here cannot be read.
    unread: Option<Shown>,
    /// Targets that nothing is known of but that something waits for them: theirs may be the file that cannot be read.
    strangers: Vec<TargetName>,
    read: Read,
}

/// Whose secrets are read, beside those of new settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reread {
    Nobodys,
    /// Of targets whose secrets could not be read.
    Unread,
}

/// What was read for which settings.
type Read = BTreeMap<TargetName, (TargetSettings, Result<Secrets, String>)>;

/// The secrets of all targets, read anew before new settings are in force.
pub(super) struct Reloaded {
    read: Read,
    /// Which could not be read, and what becomes of their targets.
    pub(super) unread: Vec<String>,
}

impl Targets {
    /// Those of the settings, and those that were made here before.
    pub fn open(state_dir: &Path, configured: Vec<TargetSettings>) -> Self {
        let path = state_dir.join(FILE);
        let known = Known { configured, ..Known::default() };
        let targets = Self { path, known: Mutex::new(known), turn: Turn::default(), saving: Turn::default() };
        targets.read_file();
        targets
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file of those made here; what cannot be read leaves the former ones in force.
    fn read_file(&self) {
        let read = file::load(&self.path);
        let mut known = self.known();
        match read {
            Ok(here) => (known.here, known.unread) = (here, None),
            Err(error) => {
                tracing::error!(%error, "targets made here cannot be read: {error}");
                let first = error.to_string();
                known.unread = Some(Shown::line(first.lines().next().unwrap_or_default()));
            }
        }
    }

    /// Takes over those of new settings, and reads the file of those made here again.
    pub(super) fn configure(&self, configured: Vec<TargetSettings>) {
        self.known().configured = configured;
        self.read_file();
    }

    /// Why those made here cannot be read.
    pub(super) fn unread(&self) -> Option<Shown> {
        self.known().unread.clone()
    }

    /// All of them. A name of the configuration stands for the one there, whatever was made here.
    fn all(&self) -> Vec<(Kept, TargetSettings)> {
        let known = self.known();
        let here = known.here.iter().filter(|one| known.configured.iter().all(|other| other.name != one.name));
        let configured = known.configured.iter().map(|one| (Kept::Config, one.clone()));
        configured.chain(here.map(|one| (Kept::Here, one.clone()))).collect()
    }

    /// What was read for these settings before.
    fn read_before(&self, settings: &TargetSettings, again: Reread) -> Option<Result<Secrets, String>> {
        let known = self.known();
        let (of, read) = known.read.get(&settings.name)?;
        let still_good = match again {
            Reread::Nobodys => true,
            Reread::Unread => read.is_ok(),
        };
        (still_good && of == settings).then(|| read.clone())
    }

    /// Reads the secrets of all targets as they will be with `configured`. `Err`: what worked, or is new, would not work with
    /// these settings. What was made here does not keep the settings from being taken: its secrets stay as they are.
    pub(super) async fn reload(&self, configured: &[TargetSettings]) -> Result<Reloaded, String> {
        let here = self.all().into_iter().filter(|(kept, _)| *kept == Kept::Here).map(|(_, settings)| settings);
        let here = here.filter(|one| configured.iter().all(|other| other.name != one.name));
        let all = configured.iter().cloned().map(|one| (Kept::Config, one)).chain(here.map(|one| (Kept::Here, one)));
        let read = all.map(|(kept, settings)| async move {
            let read = read(&settings).await;
            (kept, settings, read)
        });
        let mut reloaded = Reloaded { read: Read::new(), unread: vec![] };
        for (kept, settings, mut read) in join_all(read).await {
            let name = settings.name.clone();
            if let Err(why) = &read {
                let before = self.read_before(&settings, Reread::Nobodys);
                let becomes = match (kept, &before) {
                    (Kept::Config, None | Some(Ok(_))) => return Err(format!("target {name}: {why}")),
                    (Kept::Here, Some(Ok(_))) => "it is sent to with what was read before",
                    (Kept::Config, Some(Err(_))) | (Kept::Here, None | Some(Err(_))) => "it cannot be sent to",
                };
                reloaded.unread.push(format!("target {name}: {why}; {becomes}"));
                read = before.unwrap_or(read);
            }
            reloaded.read.insert(name, (settings, read));
        }
        Ok(reloaded)
    }

    fn is_whole(&self) -> bool {
        let known = self.known();
        known.unread.is_none() && known.read.values().all(|(_, read)| read.is_ok())
    }
}

impl Desk {
    /// Hands all targets over before any secret is read: from now on their events wait, and none is lost.
    pub(super) async fn begin_targets(&self) {
        if self.targets.unread().is_some() {
            let waited_for = self.store.read(crate::store::Reader::waited_for).await.unwrap_or_default();
            self.targets.known().strangers = waited_for;
        }
        let unread = |(kept, settings): &(Kept, TargetSettings)| {
            ready(*kept, settings, &Err("its secrets are being read".to_owned()), &self.library)
        };
        let all = self.targets.all();
        self.hand_over(all.iter().map(unread).collect());
        let _ = timeout(MOMENT, self.put_targets(Reread::Unread)).await;
    }

    /// Puts all targets into force as they are now, with the secrets and templates of now.
    pub(super) async fn put_targets(&self, again: Reread) {
        let _turn = self.targets.turn.lock().await;
        self.put_in_turn(again).await;
    }

    /// The same with secrets that were read for these settings.
    pub(super) async fn put_reloaded_targets(&self, reloaded: Reloaded) {
        let _turn = self.targets.turn.lock().await;
        self.targets.known().read.extend(reloaded.read);
        self.put_in_turn(Reread::Nobodys).await;
    }

    async fn put_in_turn(&self, again: Reread) {
        let all = self.targets.all();
        let secrets = join_all(all.iter().map(|(_, settings)| async move {
            match self.targets.read_before(settings, again) {
                Some(read) => read,
                None => read(settings).await,
            }
        }));
        let secrets = secrets.await;
        let mut out = vec![];
        for ((kept, settings), read) in all.iter().zip(&secrets) {
            if let Err(problem) = read {
                tracing::warn!(target = %settings.name, "target {} cannot be sent to: {problem}", settings.name);
            }
            out.push(ready(*kept, settings, read, &self.library));
        }
        let names = all.into_iter().zip(secrets).map(|((_, of), read)| (of.name.clone(), (of, read)));
        self.targets.known().read = names.collect();
        self.hand_over(out);
    }

    fn hand_over(&self, mut targets: Vec<(crate::forward::Target, crate::core::forward::TargetSummary)>) {
        let known = self.targets.known();
        if let Some(why) = &known.unread {
            let unknown = known.strangers.iter().filter(|name| targets.iter().all(|(target, _)| target.name != **name));
            let unknown: Vec<_> = unknown.map(|name| ready::unknown(name, why)).collect();
            targets.extend(unknown);
        }
        drop(known);
        self.forwarder.set(targets);
        self.tell_targets();
    }

    /// Puts on the board how all targets stand, where that is new.
    pub(super) fn tell_targets(&self) {
        let stand = self.forwarder.summaries();
        if self.hub.look(|board| board.targets != stand) {
            self.hub.publish(Change::Targets(stand));
        }
    }
}

/// Keeps the targets as their secrets, their templates and their file are, until `stop`.
pub(super) async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let mut feed = desk.hub.feed();
    loop {
        desk.put_targets(Reread::Unread).await;
        let mut retry = pin!(sleep(RETRY));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = retry.as_mut(), if !desk.targets.is_whole() => {
                    if desk.targets.unread().is_some() {
                        desk.targets.read_file();
                    }
                    break;
                }
                news = feed.recv() => match news {
                    Ok(change) if matches!(&*change, Change::Templates(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }
}
