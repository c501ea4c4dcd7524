//! Which incidents a command acts on: those that are named, or the open ones that a query finds. What a query finds is
//! shown first, and acted on only when that is said.

use super::{
    Client, Exit, Failure,
    find::{find, target, unknown},
    looking, output, table,
};
use crate::core::{
    action::{Target, Verb},
    id::IncidentKey,
    incident::{Incident, Status},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Which {
    /// Numbers, ids, account/id, or web addresses.
    #[arg(required_unless_present = "matching", conflicts_with = "matching")]
    incidents: Vec<String>,
    /// All open incidents that this query finds. Without --yes it only says which these are, and ends with 2.
    #[arg(long, value_name = "QUERY")]
    matching: Option<String>,
    /// Act on all that --matching finds by now.
    #[arg(long, requires = "matching")]
    yes: bool,
    /// Act also when the incident stands elsewhere than expected by the time of acting.
    #[arg(long)]
    even_if_changed: bool,
    #[arg(long)]
    json: bool,
}

/// Whether others are merged into this one.
fn is_the_end_of(verb: &Verb, key: &IncidentKey) -> bool {
    matches!(verb, Verb::Merge { into, .. } if into == key)
}

/// What came of choosing.
pub(super) enum Chosen {
    These(Vec<Target>),
    /// Nothing is to be done, and that was said.
    Said(Exit),
}

impl Which {
    pub(super) fn even_if_changed(&self) -> bool {
        self.even_if_changed
    }

    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Those that are named.
    pub(super) fn named(&self) -> &[String] {
        &self.incidents
    }

    /// The first of those that are meant.
    pub(super) fn first(&self, client: &Client) -> Result<IncidentKey, Failure> {
        let Some(query) = &self.matching else {
            return find(client, self.incidents.first().map_or("", String::as_str));
        };
        let wanted = looking::wanted(query)?;
        let found = looking::found(client, &wanted, false).incidents;
        let first = found.into_iter().find(|incident| incident.state.status.is_open());
        first.map(|incident| incident.key.clone()).ok_or_else(|| unknown(client, "no open incident matches"))
    }

    pub(super) fn choose(&self, client: &Client, verb: &Verb) -> Result<Chosen, Failure> {
        if let Some(query) = &self.matching {
            return self.by_query(client, verb, query);
        }
        let targets = self.by_name(client)?;
        match targets.iter().find(|target| is_the_end_of(verb, &target.key)) {
            Some(target) => Err(Failure::new(Exit::Usage, format!("{} cannot be merged into itself", target.key))),
            None => Ok(Chosen::These(targets)),
        }
    }

    fn by_name(&self, client: &Client) -> Result<Vec<Target>, Failure> {
        let mut targets = vec![];
        for text in &self.incidents {
            let mut target = target(client, &find(client, text)?)?;
            // A command expects an open incident: one that is resolved gives a conflict, so that nothing is
            // reopened by a command typed from memory.
            if !target.seen.is_open() {
                target.seen = Status::Triggered;
            }
            targets.push(target);
        }
        targets.sort_by(|a, b| a.key.cmp(&b.key));
        targets.dedup_by(|a, b| a.key == b.key);
        Ok(targets)
    }

    fn by_query(&self, client: &Client, verb: &Verb, query: &str) -> Result<Chosen, Failure> {
        let wanted = looking::wanted(query)?;
        if wanted.is_empty() {
            return Err(Failure::new(Exit::Usage, "--matching needs a query; `is:open` finds every open incident"));
        }
        if let Some(doubt) = client.doubts().first() {
            return Err(Failure::new(Exit::Stale, format!("what matches is not known, nothing was done: {doubt}")));
        }
        let found = looking::found(client, &wanted, false);
        let meant = |one: &&Incident| one.state.status.is_open() && !is_the_end_of(verb, &one.key);
        let open: Vec<_> = found.incidents.iter().copied().filter(meant).collect();
        found.doubt().iter().for_each(|doubt| output::complain(&format!("{doubt}; they are left alone")));
        if open.is_empty() {
            output::line("no open incident matches: nothing to do");
            return Ok(Chosen::Said(if found.not_known > 0 { Exit::Stale } else { Exit::Done }));
        }
        if self.yes {
            return Ok(Chosen::These(open.into_iter().map(Target::at).collect()));
        }
        table(client, &open);
        let keys: Vec<String> = open.iter().map(|incident| incident.key.to_string()).collect();
        output::complain(&format!(
            "nothing was done. --yes acts on all that match by then ({}); just these {} are: {}",
            verb.word(),
            keys.len(),
            keys.join(" ")
        ));
        Ok(Chosen::Said(Exit::Usage))
    }
}
