//! Who did what: a line of JSON for each outcome on each incident, in a file beside the store that only its owner can
//! read. Texts of notes and secrets are not in it. It is bounded: a full file makes room for a new one, and so many old
//! ones are kept.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    iter,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::Serialize;
use serde_json::{Value, json};

use super::{desk::Desk, people::Caller};
use crate::{
    core::{
        action::{Action, Assignee, Edit, Outcome, Verb},
        arrangement::Arrangement,
        id::{ActionId, IncidentKey},
        incident::{Incident, Urgency},
        text::Shown,
    },
    store,
};

const NAME: &str = "audit.jsonl";
/// A file of this many bytes is full.
const FULL: u64 = 8 * 1024 * 1024;
/// Full files that are kept.
const OLD: u32 = 4;

/// One outcome.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    action: i64,
    asked_at: Timestamp,
    who: &'a Shown,
    uid: Option<u32>,
    in_the_name_of: Option<&'a Shown>,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Shown>,
    /// Of what `to` names, in the same order: a name is only what it was called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_ids: Vec<&'a str>,
    account: &'a str,
    incident: &'a str,
    number: Option<u64>,
    title: Option<&'a Shown>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a Shown>,
}

/// A handle to the one file.
#[derive(Clone)]
pub struct Audit {
    path: PathBuf,
    full: u64,
    /// Held while a line is written or the files change places.
    order: Arc<Mutex<()>>,
}

impl Audit {
    /// The file in a state directory; it is made with the first line.
    pub fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join(NAME), full: FULL, order: Arc::default() }
    }

    /// Adds lines, and returns when they are on the disk.
    fn write(&self, lines: &str) -> io::Result<()> {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        if file.metadata()?.len() >= self.full {
            self.make_room()?;
            file = self.open()?;
        }
        // A disk that was full has cut a line off, perhaps in an earlier run.
        let cut = if is_cut(&file)? { "\n" } else { "" };
        file.write_all(format!("{cut}{lines}").as_bytes())?;
        file.sync_data()
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&self.path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    fn old(&self, number: u32) -> PathBuf {
        self.path.with_extension(format!("jsonl.{number}"))
    }

    fn make_room(&self) -> io::Result<()> {
        for number in (1..OLD).rev().filter(|number| self.old(*number).exists()) {
            fs::rename(self.old(number), self.old(number + 1))?;
        }
        fs::rename(&self.path, self.old(1))
    }
}

/// Whether the last line has no end.
fn is_cut(file: &File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

impl Desk {
    /// Puts outcomes of an action into the file. That they cannot be written keeps nobody from acting, but is said.
    pub(super) async fn audit(&self, id: ActionId, outcomes: &[(IncidentKey, Outcome)]) {
        let lines = self.hub.look(|board| {
            let action = board.actions.iter().find(|action| action.id == id)?;
            let lines = outcomes.iter().map(|one| line(action, one, board.incidents.get(&one.0), (self.now)()));
            Some(lines.collect::<String>())
        });
        let Some(lines) = lines else { return };
        self.audit_line(lines).await;
    }

    /// Puts into the file that somebody did what is no action on an incident, and more about it.
    pub(super) async fn audit_deed(&self, caller: &Caller, what: &'static str, more: &[(&str, Value)]) {
        let mut line = json!({ "at": (self.now)(), "who": caller.login, "uid": caller.uid, "what": what });
        if let Value::Object(line) = &mut line {
            line.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        self.audit_line(format!("{line}\n")).await;
    }

    /// Puts lines into the file as they are.
    async fn audit_line(&self, lines: String) {
        let audit = self.audit.clone();
        if let Some(Err(error)) = store::beside(move || audit.write(&lines)).await {
            let file = self.audit.path.display();
            tracing::error!(%error, "the audit file {file} lacks a line: make room, or see to its permissions");
        }
    }
}

fn line(action: &Action, (key, outcome): &(IncidentKey, Outcome), known: Option<&Incident>, at: Timestamp) -> String {
    let line = Line {
        at,
        action: action.id.0,
        asked_at: action.at,
        who: &action.by.actor,
        uid: action.by.uid,
        in_the_name_of: action.by.name.as_ref(),
        what: action.verb.word(),
        to: to(&action.verb),
        to_ids: ids(&action.verb),
        account: key.account.as_str(),
        incident: key.id.as_str(),
        number: known.and_then(|known| known.state.number),
        title: known.map(|known| &known.state.title),
        outcome: outcome.word(),
        because: because(outcome),
    };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// To whom or what, where the word alone does not say it. Texts and values that people typed are left out.
fn to(verb: &Verb) -> Option<Shown> {
    let to = match verb {
        Verb::HandOff { to, .. } => return Some(to.name().clone()),
        Verb::Snooze { until } => until.to_string(),
        Verb::Escalate { level } => format!("level {level}"),
        Verb::Merge { into, .. } => into.id.to_string(),
        Verb::Edit(Edit::Title(_)) => "title".to_owned(),
        Verb::Edit(Edit::Urgency(Urgency::High)) => "urgency high".to_owned(),
        Verb::Edit(Edit::Urgency(Urgency::Low)) => "urgency low".to_owned(),
        Verb::Edit(Edit::Priority(None)) => "no priority".to_owned(),
        Verb::Edit(Edit::Priority(Some(priority))) => format!("priority {}", priority.name),
        Verb::Edit(Edit::Field { field, .. }) => format!("field {}", field.name),
        Verb::AddResponders { to, .. } => to.iter().map(|one| one.name().as_str()).collect::<Vec<_>>().join(", "),
        Verb::RunWorkflow { workflow } => return Some(workflow.name.clone()),
        Verb::ResolveAlert { alert } => return Some(alert.name.clone()),
        Verb::Arrange(what) => (0..what.parts()).map(|at| what.subject(at)).collect::<Vec<_>>().join(", "),
        Verb::Create(new) => return Some(new.service.name.clone()),
        Verb::Acknowledge | Verb::Resolve { .. } | Verb::Note { .. } | Verb::StatusUpdate { .. } => return None,
    };
    Some(Shown::line(&to))
}

/// What is sent for what has a name.
fn ids(verb: &Verb) -> Vec<&str> {
    match verb {
        Verb::HandOff { to, .. } => vec![to.id()],
        Verb::Merge { into, .. } => vec![into.id.as_str()],
        Verb::Edit(Edit::Priority(Some(priority))) => vec![priority.id.as_str()],
        Verb::Edit(Edit::Field { field, .. }) => vec![field.id.as_str()],
        Verb::AddResponders { to, .. } => to.iter().map(Assignee::id).collect(),
        Verb::RunWorkflow { workflow } => vec![workflow.id.as_str()],
        Verb::ResolveAlert { alert } => vec![alert.id.as_str()],
        Verb::Create(new) => vec![new.service.id.as_str()],
        Verb::Arrange(what) => arranged(what),
        Verb::Acknowledge
        | Verb::Resolve { .. }
        | Verb::Note { .. }
        | Verb::StatusUpdate { .. }
        | Verb::Snooze { .. }
        | Verb::Escalate { .. }
        | Verb::Edit(Edit::Title(_) | Edit::Urgency(_) | Edit::Priority(None)) => vec![],
    }
}

/// The schedule and each person, the services, or the windows.
fn arranged(what: &Arrangement) -> Vec<&str> {
    match what {
        Arrangement::AddOverrides { schedule, covers } => {
            let users = covers.iter().map(|cover| cover.user.id.as_str());
            iter::once(schedule.id.as_str()).chain(users).collect()
        }
        Arrangement::RemoveOverrides { schedule, overrides } => {
            let users = overrides.iter().map(|known| known.user.id.as_str());
            iter::once(schedule.id.as_str()).chain(users).collect()
        }
        Arrangement::StartMaintenance { services, .. } => services.iter().map(|one| one.id.as_str()).collect(),
        Arrangement::EndMaintenance { windows } => windows.iter().map(|one| one.id.as_str()).collect(),
    }
}

fn because(outcome: &Outcome) -> Option<&Shown> {
    match outcome {
        Outcome::Pending { .. } | Outcome::Sent | Outcome::TakenBack => None,
        Outcome::Confirmed { notice } => notice.as_ref(),
        Outcome::Partly { failed, .. } => Some(failed),
        Outcome::Failed { reason } | Outcome::Conflict { reason, .. } | Outcome::Unknown { reason } => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        os::unix::fs::{MetadataExt as _, symlink},
        sync::Arc,
    };

    use super::*;
    use crate::{
        core::{
            action::{Outcome, Target},
            board::Change,
            id::UserId,
            incident::{Named, Status},
            oncall::Person,
        },
        proto::{Answer, Request},
        provider::ProviderError,
        server::fake::{self, Fake, Spoil, key},
    };

    fn lines(dir: &Path) -> Vec<Value> {
        let text = fs::read_to_string(dir.join(NAME)).expect("an audit file");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    async fn act(desk: &Arc<Desk>, verb: Verb, ids: &[&str]) {
        let targets = ids.iter().map(|id| desk.hub.look(|b| Target::at(&b.incidents[&key(id)]))).collect();
        let answer = desk.answer(&Caller::ourselves(), Request::Act { targets, verb, undoable: false }).await;
        assert!(matches!(answer, Ok(Answer::Accepted { .. })), "{answer:?}");
        desk.under_way.close();
        desk.under_way.wait().await;
        desk.under_way.reopen();
    }

    #[tokio::test]
    async fn every_outcome_leaves_a_line_that_says_who_did_what_and_no_note() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        for id in ["P1", "P2"] {
            desk.observe(&fake.put(id, Status::Triggered, 0)).await;
        }
        fake.spoil_next_write(Spoil::Error(ProviderError::Forbidden { reason: "no right".into() }));

        act(&desk, Verb::Acknowledge, &["P1"]).await;
        act(&desk, Verb::Acknowledge, &["P1", "P2"]).await;
        act(&desk, Verb::Note { text: "the password is hunter2".into() }, &["P1"]).await;

        let lines = lines(dir.path());
        let told: Vec<_> = lines.iter().map(|line| (line["what"].as_str(), line["outcome"].as_str())).collect();
        let acknowledged = (Some("acknowledge"), Some("confirmed"));
        let expected =
            [(Some("acknowledge"), Some("failed")), acknowledged, acknowledged, (Some("note"), Some("confirmed"))];
        assert_eq!(told, expected);
        assert!(lines[0]["because"].as_str().expect("why").contains("no right"));
        let ours = Caller::ourselves();
        assert_eq!(
            (lines[0]["who"].as_str(), lines[0]["uid"].as_u64()),
            (Some(ours.login.as_str()), ours.uid.map(u64::from))
        );
        assert_eq!((lines[0]["incident"].as_str(), lines[0]["title"].as_str()), (Some("P1"), Some("P1 is down")));
        let file = dir.path().join(NAME);
        assert!(!fs::read_to_string(&file).expect("text").contains("hunter2"));
        assert_eq!(fs::metadata(&file).expect("file").mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_line_says_the_id_that_was_sent_and_the_name_that_is_known_for_it_whatever_the_console_calls_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        let mira = fake::person("mira");
        desk.hub.publish(Change::Directory {
            account: fake::account_name(),
            people: vec![Person { user: mira.clone(), email: None }],
            policies: vec![],
            policy_teams: BTreeMap::new(),
        });
        let called_jonas = |id: &UserId| Assignee::User(Named { id: id.clone(), name: "Jonas".into() });
        let unknown = UserId::new("PX").expect("id");

        act(&desk, Verb::HandOff { to: called_jonas(&mira.id), note: None }, &["P1"]).await;
        let to = vec![called_jonas(&mira.id), called_jonas(&unknown)];
        act(&desk, Verb::AddResponders { to, message: String::new() }, &["P1"]).await;

        let lines = lines(dir.path());
        assert_eq!((&lines[0]["to"], &lines[0]["to_ids"]), (&json!("mira"), &json!(["Pmira"])));
        assert_eq!((&lines[1]["to"], &lines[1]["to_ids"]), (&json!("mira, Jonas"), &json!(["Pmira", "PX"])));
        let kept = desk.hub.look(|board| board.actions.iter().map(|action| action.verb.clone()).collect::<Vec<_>>());
        assert_eq!(kept[1], Verb::HandOff { to: Assignee::User(mira), note: None }, "as in the log of actions");
    }

    #[test]
    fn a_line_that_a_full_disk_cut_off_spoils_none_of_the_next() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::write(dir.path().join(NAME), "{\"n\":0}\n{\"n\":1,\"cut").expect("written");

        for n in 2..4 {
            Audit::in_dir(dir.path()).write(&format!("{{\"n\":{n}}}\n")).expect("written");
        }

        let text = fs::read_to_string(dir.path().join(NAME)).expect("text");
        assert_eq!(text, "{\"n\":0}\n{\"n\":1,\"cut\n{\"n\":2}\n{\"n\":3}\n");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().expect("tempdir");
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "").expect("written");
        symlink(&elsewhere, dir.path().join(NAME)).expect("link");

        assert!(Audit::in_dir(dir.path()).write("{}\n").is_err());

        assert_eq!(fs::read(&elsewhere).expect("there"), b"");
    }

    #[tokio::test]
    async fn who_has_a_delivery_applied_again_or_failed_ones_sent_again_or_reloads_is_written_down() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = Arc::new(fake::desk(&Fake::default(), dir.path()));
        let ours = Caller::ourselves();

        desk.answer(&ours, Request::ResendFailed { target: None }).await.expect("none");
        // Nobody reads settings here.
        desk.answer(&ours, Request::Reload).await.expect_err("refused");

        let lines = lines(dir.path());
        let told: Vec<_> = lines.iter().map(|line| (line["what"].as_str(), line["who"].as_str())).collect();
        let who = Some(ours.login.as_str());
        assert_eq!(told, [(Some("failed webhooks sent again"), who), (Some("settings read again"), who)]);
        assert_eq!(lines[0]["count"], 0);
        assert!(lines[1]["because"].as_str().expect("why").contains("about to end"));
    }

    #[test]
    fn a_full_audit_file_makes_room_and_only_so_many_are_kept() {
        let dir = tempfile::tempdir().expect("tempdir");
        let audit = Audit { full: 10, ..Audit::in_dir(dir.path()) };
        for n in 0..20 {
            audit.write(&format!("{{\"n\":{n},\"long\":\"enough\"}}\n")).expect("written");
        }

        let mut names: Vec<_> =
            fs::read_dir(dir.path()).expect("dir").map(|entry| entry.expect("entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3", "audit.jsonl.4"]);
        assert_eq!(lines(dir.path())[0]["n"], 19);
    }

    #[test]
    fn why_something_failed_is_in_the_line() {
        assert_eq!(because(&Outcome::Failed { reason: "gone".into() }).map(Shown::as_str), Some("gone"));
    }
}
