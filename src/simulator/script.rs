//! A night by the book: lines that say what happens when. The format is for people to write by hand:
//!
//! ```text
//! # seconds  what      which  more
//! 0          trigger   db     "Primary unreachable" service="Orders Database" urgency=high priority=P1 details="no route"
//! 12         ack       db     by="Mira Okafor"
//! 15.5       note      db     "Failing over" by=sven.brandt@example.com
//! 20         escalate  db
//! 25         reassign  db     to="Priya Raman"
//! 30         delegate  db     to="Platform On-Call"
//! 35         ack       db
//! 40         snooze    db     3600
//! 50         resolve   db
//! ```
//!
//! `which` is a name of the script's own, given by `trigger`. Without `by` it is done by whoever has the incident, and resolved by the
//! monitoring. A line whose time has come for something impossible (an `ack` without need, say) is passed over. People, services and policies go by name, id
//! or e-mail.

use std::{collections::HashMap, fs, path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::world::{Account, Agent, IncidentIx, Trigger, UserIx, World, update};
use crate::core::incident::{Status, Urgency};

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("script {path}: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("script, line {line}: {what}")]
    Line { line: usize, what: String },
}

/// What happens when, in order of time.
#[derive(Debug, Clone, Default)]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    at: Duration,
    line: usize,
    incident: String,
    by: Option<String>,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Trigger {
        title: String,
        service: Option<String>,
        urgency: Urgency,
        priority: Option<String>,
        details: Option<String>,
    },
    Acknowledge,
    Note(String),
    Escalate,
    Reassign(String),
    Delegate(String),
    Snooze(i64),
    Resolve,
}

impl Script {
    /// Reads and parses a file.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let text =
            fs::read_to_string(path).map_err(|error| ScriptError::Read { path: path.display().to_string(), error })?;
        Self::parse(&text)
    }

    /// Parses the lines; the first one that cannot be understood is named.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut steps = vec![];
        let mut named: Vec<String> = vec![];
        for (at, text) in text.lines().enumerate() {
            let line = at + 1;
            let step = parse_line(text, line).map_err(|what| ScriptError::Line { line, what })?;
            let Some(step) = step else { continue };
            if matches!(step.what, What::Trigger { .. }) {
                named.push(step.incident.clone());
            } else if !named.contains(&step.incident) {
                let what = format!("nothing called {} has been triggered above", step.incident);
                return Err(ScriptError::Line { line, what });
            }
            steps.push(step);
        }
        steps.sort_by_key(|step| step.at);
        Ok(Self { steps })
    }

    /// Whether everybody and everything named exists.
    pub(crate) fn check(&self, account: &Account) -> Result<(), ScriptError> {
        for step in &self.steps {
            let unknown = step.unknown(account);
            if let Some(what) = unknown {
                return Err(ScriptError::Line { line: step.line, what });
            }
        }
        Ok(())
    }

    /// The times of the steps, with their numbers.
    pub(crate) fn times(&self) -> Vec<(Duration, usize)> {
        self.steps.iter().enumerate().map(|(n, step)| (step.at, n)).collect()
    }

    /// Lets step `n` happen. `names` keeps which incident is meant by which name.
    pub(crate) fn run(&self, n: usize, names: &mut HashMap<String, IncidentIx>, world: &mut World, now: Timestamp) {
        let Some(step) = self.steps.get(n) else { return };
        if let What::Trigger { .. } = step.what {
            if let Some(new) = step.new_incident(&world.account) {
                names.insert(step.incident.clone(), world.trigger(new, now));
            }
        } else if let Some(ix) = names.get(&step.incident) {
            step.happen(*ix, world, now);
        }
    }
}

impl Step {
    fn unknown(&self, account: &Account) -> Option<String> {
        let user = |word: &String| account.find_user(word).is_none().then(|| format!("no user {word}"));
        let by = self.by.as_ref().and_then(user);
        let other = match &self.what {
            What::Trigger { service: Some(word), .. } if account.find_service(word).is_none() => {
                Some(format!("no service {word}"))
            }
            What::Trigger { priority: Some(word), .. } if account.find_priority(word).is_none() => {
                Some(format!("no priority {word}"))
            }
            What::Reassign(word) => user(word),
            What::Delegate(word) => account.find_policy(word).is_none().then(|| format!("no escalation policy {word}")),
            _ => None,
        };
        by.or(other)
    }

    fn new_incident(&self, account: &Account) -> Option<Trigger> {
        let What::Trigger { title, service, urgency, priority, details } = &self.what else { return None };
        let service = account.find_service(service.as_deref().unwrap_or("Payments API"))?;
        let severity = update::severity(*urgency);
        let details = details.clone().map_or(Value::Null, Value::String);
        Some(Trigger {
            title: title.clone(),
            service,
            urgency: *urgency,
            agent: Agent::Service(service),
            priority: priority.as_ref().and_then(|p| account.find_priority(p)),
            key: None,
            alert: Some((severity, details, vec![])),
            policy: None,
            assignee: None,
            kind: None,
        })
    }

    fn happen(&self, ix: IncidentIx, world: &mut World, now: Timestamp) {
        let named = self.by.as_ref().and_then(|word| world.account.find_user(word));
        let by = named.or_else(|| world.assignees(ix).first().copied()).unwrap_or(UserIx(0));
        let status = world.incident(ix).status;
        match &self.what {
            What::Acknowledge => world.acknowledge(ix, by, now),
            What::Note(content) => {
                world.annotate(ix, by, content, now);
            }
            What::Escalate if status == Status::Triggered => world.climb(ix, now),
            What::Reassign(to) if status.is_open() => {
                if let Some(to) = world.account.find_user(to) {
                    world.reassign(ix, &[to], Agent::User(by), now);
                }
            }
            What::Delegate(to) if status.is_open() => {
                if let Some(to) = world.account.find_policy(to) {
                    world.delegate(ix, to, Agent::User(by), now);
                }
            }
            What::Snooze(seconds) if status == Status::Acknowledged => world.snooze(ix, *seconds, by, now),
            What::Resolve if status.is_open() => {
                let agent = named.map_or(Agent::Service(world.incident(ix).service), Agent::User);
                world.resolve(ix, agent, None, now);
            }
            What::Trigger { .. }
            | What::Escalate
            | What::Reassign(_)
            | What::Delegate(_)
            | What::Snooze(_)
            | What::Resolve => {}
        }
    }
}

/// The words of a line; quotes keep blanks together, also behind `key=`. Everything from a free-standing `#` is a comment.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut out, mut word, mut begun, mut quoted) = (vec![], String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '#' if !quoted && !begun => break,
            c if c.is_whitespace() && !quoted => {
                if begun {
                    out.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    if begun {
        out.push(word);
    }
    Ok(out)
}

/// What follows the incident's name: plain words, and those of the form `key=value`.
#[derive(Default)]
struct Rest {
    plain: Vec<String>,
    keyed: HashMap<String, String>,
}

impl Rest {
    fn new(words: &[String], known: &[&str]) -> Result<Self, String> {
        let mut rest = Self::default();
        for word in words {
            match word.split_once('=') {
                Some((key, value)) if known.contains(&key) => {
                    rest.keyed.insert(key.to_owned(), value.to_owned());
                }
                Some((key, _)) if key.chars().all(char::is_alphanumeric) => {
                    return Err(format!("{key}= means nothing here (known: {})", known.join(", ")));
                }
                _ => rest.plain.push(word.clone()),
            }
        }
        Ok(rest)
    }

    fn text(&mut self, what: &str) -> Result<String, String> {
        if self.plain.len() == 1 {
            Ok(self.plain.remove(0))
        } else {
            Err(format!("{what} is expected (in quotes, once)"))
        }
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.keyed.remove(key)
    }

    fn need(&mut self, key: &str) -> Result<String, String> {
        self.take(key).ok_or_else(|| format!("{key}= is missing"))
    }
}

fn parse_line(text: &str, line: usize) -> Result<Option<Step>, String> {
    let words = words(text)?;
    let (at, verb, incident, rest) = match words.as_slice() {
        [] => return Ok(None),
        [at, verb, incident, rest @ ..] => (at, verb.as_str(), incident, rest),
        _ => return Err("a line is: seconds, what, which incident, more".to_owned()),
    };
    let seconds = at.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let at = seconds.ok_or_else(|| format!("{at} is not a number of seconds"))?;
    let known: &[&str] = match verb {
        "trigger" => &["service", "urgency", "priority", "details"],
        "reassign" | "delegate" => &["to", "by"],
        _ => &["by"],
    };
    let mut rest = Rest::new(rest, known)?;
    let what = parse_what(verb, &mut rest)?;
    if let Some(word) = rest.plain.first() {
        return Err(format!("{word} is too much"));
    }
    Ok(Some(Step { at, line, incident: incident.clone(), by: rest.take("by"), what }))
}

fn parse_what(verb: &str, rest: &mut Rest) -> Result<What, String> {
    Ok(match verb {
        "trigger" => What::Trigger {
            title: rest.text("a title")?,
            service: rest.take("service"),
            urgency: match rest.take("urgency") {
                None => Urgency::High,
                Some(word) => update::urgency(&word).ok_or("urgency is high or low")?,
            },
            priority: rest.take("priority"),
            details: rest.take("details"),
        },
        "ack" => What::Acknowledge,
        "note" => What::Note(rest.text("the note")?),
        "escalate" => What::Escalate,
        "reassign" => What::Reassign(rest.need("to")?),
        "delegate" => What::Delegate(rest.need("to")?),
        "snooze" => {
            let seconds = rest.text("a number of seconds")?.parse().ok().filter(|s| *s > 0);
            What::Snooze(seconds.ok_or("a snooze lasts a whole number of seconds")?)
        }
        "resolve" => What::Resolve,
        other => {
            return Err(format!(
                "{other} is not something that happens (trigger, ack, note, escalate, reassign, delegate, snooze, resolve)"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Script::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_script_is_read_in_order_of_time_with_quotes_and_comments() {
        let text = "# a night\n10 ack db by=\"Mira Okafor\"\n";
        let text = format!(
            "0 trigger db \"Disk # 3 is full\" service=\"Mail Relay\" urgency=low\n{text}5.5 note db \"on it\" # now"
        );

        let script = Script::parse(&text).unwrap();

        let times: Vec<_> = script.steps.iter().map(|s| s.at.as_millis()).collect();
        assert_eq!(times, [0, 5500, 10_000]);
        assert!(
            matches!(&script.steps[0].what, What::Trigger { title, urgency: Urgency::Low, .. } if title == "Disk # 3 is full")
        );
        assert_eq!(script.steps[2].by.as_deref(), Some("Mira Okafor"));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        assert_eq!(error("\n5 ack db"), "script, line 2: nothing called db has been triggered above");
        assert_eq!(error("x ack db"), "script, line 1: x is not a number of seconds");
        assert!(error("1 explode db").contains("explode is not something that happens"));
        assert!(error("1 trigger db").contains("a title is expected"));
        assert!(error("1 trigger db \"open").contains("quote"));
        assert!(error("1 trigger db t urgncy=low").contains("urgncy= means nothing here"));
        assert!(error("1 trigger db t\n2 reassign db").contains("to= is missing"));
    }
}
