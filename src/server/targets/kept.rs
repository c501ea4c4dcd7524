//! How targets stand without a server: by the settings, the file of those made here, and what the last server left. No
//! secret is read for it, as that may take long.

use std::{collections::BTreeMap, path::Path};

use super::{Targets, ready};
use crate::{
    config::{SecretRef, TargetSettings},
    core::{
        forward::{Kept, TargetSummary, standing::Standing},
        id::TargetName,
        template::Fault,
        text::Shown,
    },
    store::{Reader, StoreError},
    template::{Library, LibraryError, check},
};

/// The targets of a state directory.
#[derive(Debug)]
pub struct KeptTargets {
    pub all: Vec<KeptTarget>,
    /// Why those that were made here cannot be read; of them only those are known that something waits for.
    pub unread: Option<Shown>,
}

/// A target as a state directory has it.
#[derive(Debug, Clone)]
pub struct KeptTarget {
    pub summary: TargetSummary,
    /// `None`: they cannot be read.
    settings: Option<TargetSettings>,
}

/// What keeps anything from being sent to a target, whoever is there.
#[derive(Debug)]
pub enum Obstacle {
    /// Its address or a secret cannot be read, and why.
    Secret(String),
    /// Its template is not there, or cannot be read.
    NoTemplate(LibraryError),
    /// The first thing that is wrong with its template.
    Template(Fault),
}

/// All targets, as the last server of `dir` left them; without a store, as they will be at the first start.
pub fn kept(dir: &Path, configured: Vec<TargetSettings>, reader: Option<&Reader>) -> Result<KeptTargets, StoreError> {
    let left = reader.map_or_else(|| Ok(Left::default()), Left::by)?;
    let (targets, library) = (Targets::open(dir, configured), Library::open(&dir.join("templates")));
    let mut all: Vec<_> =
        targets.all().into_iter().map(|(kept, settings)| left.target(kept, settings, &library)).collect();
    let unread = targets.unread();
    if let Some(why) = &unread {
        let known: Vec<TargetName> = all.iter().map(|one| one.summary.name.clone()).collect();
        all.extend(left.waits.iter().filter(|(name, _)| !known.contains(name)).map(|(name, waiting)| {
            let (_, summary) = ready::unknown(name, why);
            KeptTarget { summary: TargetSummary { waiting: *waiting, ..summary }, settings: None }
        }));
    }
    Ok(KeptTargets { all, unread })
}

/// What the last server left of all targets.
#[derive(Debug, Default)]
struct Left {
    standings: BTreeMap<TargetName, Standing>,
    waits: BTreeMap<TargetName, u32>,
}

impl Left {
    fn by(reader: &Reader) -> Result<Self, StoreError> {
        let read = |(name, json): (_, String)| (name, serde_json::from_str(&json).unwrap_or_default());
        let standings = reader.standings()?.into_iter().map(read).collect();
        Ok(Self { standings, waits: reader.waits()?.into_iter().collect() })
    }

    fn target(&self, kept: Kept, settings: TargetSettings, library: &Library) -> KeptTarget {
        let standing = self.standings.get(&settings.name).cloned().unwrap_or_default();
        let missing = settings.template.as_ref().and_then(|name| library.read(name).err());
        let broken = missing.map(|error| Shown::line(&error.to_string()));
        let state = standing.state(settings.enabled.into(), broken);
        let summary = TargetSummary {
            failing_since: standing.failing_since(),
            last: standing.last,
            waiting: self.waits.get(&settings.name).copied().unwrap_or_default(),
            ..ready::summary(kept, &settings, ready::told(&settings.url), state)
        };
        KeptTarget { summary, settings: Some(settings) }
    }
}

impl KeptTarget {
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.settings.iter().flat_map(|settings| settings.secrets()).map(|(_, secret)| secret)
    }

    /// What is in the way, its secrets read as whoever asks.
    pub async fn obstacle(&self, library: &Library) -> Option<Obstacle> {
        let settings = self.settings.as_ref()?;
        if let Err(why) = ready::read(settings).await {
            return Some(Obstacle::Secret(why));
        }
        match library.read(settings.template.as_ref()?) {
            Err(error) => Some(Obstacle::NoTemplate(error)),
            Ok(text) => check(&text).faults.into_iter().next().map(Obstacle::Template),
        }
    }
}
