//! Incidents by a query: what is found, and what is not listed although it may have been meant.

use jiff::{Timestamp, tz::TimeZone};

use super::{Client, Exit, Failure, Places};
use crate::core::{
    incident::{Incident, Status},
    query::{
        Clock, Truth,
        incident::{Condition, Noted, Record, Wanted, asks, judge, names_resolved, read},
    },
    words,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Looking {
    /// Words, `field:value`, `!not`, `or`, as after `/` in the console; `?` there lists the fields.
    query: Vec<String>,
    /// A saved view of the configuration, in place of a query.
    #[arg(long, value_name = "NAME", conflicts_with = "query")]
    view: Option<String>,
}

impl Looking {
    /// Whether nothing is said: all that is open is wanted, and nobody needs to know who is who.
    pub(super) fn is_plain(&self) -> bool {
        self.query.is_empty() && self.view.is_none()
    }
}

/// What a query finds.
pub(super) struct Found<'a> {
    /// Triggered before acknowledged, newest first.
    pub(super) incidents: Vec<&'a Incident>,
    /// Resolved ones that it finds too, and did not ask for.
    pub(super) resolved_hidden: usize,
    /// Of these it is not known whether it finds them.
    pub(super) not_known: usize,
    pub(super) is_filtered: bool,
}

impl Found<'_> {
    /// Why this may not be all.
    pub(super) fn doubt(&self) -> Option<String> {
        let may = words::count(self.not_known, "more incident may match", "more incidents may match");
        (self.not_known > 0).then(|| format!("{may}: what the query asks is not known of them"))
    }
}

impl Looking {
    /// Fails where the query cannot be understood, before anything is asked for.
    pub(super) fn check(&self, places: &Places) -> Result<(), Failure> {
        wanted(&self.text(places)?).map(drop)
    }

    fn text(&self, places: &Places) -> Result<String, Failure> {
        let Some(name) = &self.view else { return Ok(self.query.join(" ")) };
        let views = places.settings()?.views;
        let names: Vec<&str> = views.all.iter().map(|view| view.name.as_str()).collect();
        let known =
            if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
        let view = views.named(name).map(|view| view.query.clone());
        view.ok_or_else(|| Failure::new(Exit::Usage, format!("no [[view]] is named `{name}`; {known}")))
    }

    pub(super) fn find<'a>(&self, places: &Places, client: &'a Client, all: bool) -> Result<Found<'a>, Failure> {
        Ok(found(client, &wanted(&self.text(places)?)?, all))
    }
}

/// Makes sense of a query.
pub(super) fn wanted(text: &str) -> Result<Wanted, Failure> {
    let usage = |said: String| Failure::new(Exit::Usage, format!("the query, {said}"));
    let clock = Clock { now: Timestamp::now(), zone: &TimeZone::system() };
    let wanted = read(text, clock).map_err(|wrong| usage(wrong.to_string()))?;
    if asks(&wanted, &Condition::Marked) {
        return Err(usage("is:marked: marks are a console's, a command has none".to_owned()));
    }
    Ok(wanted)
}

/// What the query finds by now; resolved ones only with `all`, or where it asks for them.
pub(super) fn found<'a>(client: &'a Client, wanted: &Wanted, all: bool) -> Found<'a> {
    let noted = Noted::of(&client.board);
    let mut found = Found { incidents: vec![], resolved_hidden: 0, not_known: 0, is_filtered: !wanted.is_empty() };
    for incident in client.board.incidents.values() {
        let record = record(client, incident, &noted);
        let hidden = incident.state.status == Status::Resolved && !all && !names_resolved(wanted, &record);
        match judge(wanted, &record) {
            Truth::Yes if hidden => found.resolved_hidden += 1,
            Truth::Yes => found.incidents.push(incident),
            Truth::Perhaps if !hidden => found.not_known += 1,
            Truth::Perhaps | Truth::No => {}
        }
    }
    found.incidents.sort_by_key(|i| (i.state.status, std::cmp::Reverse((i.state.created_at, i.key.clone()))));
    found
}

fn record<'a>(client: &'a Client, incident: &'a Incident, noted: &Noted) -> Record<'a> {
    let key = &incident.key;
    let account = client.board.accounts.get(&key.account);
    Record {
        incident,
        account,
        now: client.board.provider_time(&key.account, Timestamp::now()),
        me: account.and_then(|account| client.me(account)),
        marked: false,
        noted: noted.truth(key),
    }
}
