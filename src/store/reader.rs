//! Reading: each call sees the last commit, never half of one. Blocking; within async code go through [`Store::read`].
//!
//! A reader never writes, so any number of them, in any process, may look while the owner works.
//!
//! [`Store::read`]: super::Store::read

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{PrunedFor, StoreError, files, intake, pack, schema};
use crate::core::{
    action::{Action, By, Verb},
    delivery::{DeliverySummary, Direction, Format, Proof, Scheme, Timings, Verdict},
    id::{AccountName, ActionId, DeliveryId, EventId, IncidentId, IncidentKey, StoreId, TargetName},
    incident::Incident,
    push::PING,
    text::Shown,
};

/// A delivery as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    pub summary: DeliverySummary,
    pub peer: String,
    /// In the order received; secrets were replaced before they came here.
    pub headers: Vec<(String, String)>,
    /// The bytes as they came. Of rejected ones and duplicates only the first 64 KiB: cut when shorter than
    /// `summary.size`.
    pub body: Vec<u8>,
    pub timings: Timings,
    /// The first of what a target answered, as it came; empty of those that came in.
    pub response: Vec<u8>,
    /// What made its body; `None` of those that came in, and of what is no event's.
    pub format: Option<Format>,
}

/// How many deliveries of a verdict are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// `None`: their paths named no account of ours.
    pub account: Option<AccountName>,
    pub verdict: Verdict,
    pub deliveries: u64,
}

/// Where the log begins, and whether it began earlier once. Rejected ones and duplicates, of which only the newest
/// are kept, do not count as pruned when a newer one takes their place: they are [`Fallen`](super::Fallen).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The oldest delivery that is kept, and when it came.
    pub first: Option<(DeliveryId, Timestamp)>,
    /// Deliveries that are not kept any more.
    pub pruned: u64,
    /// Why the last of them went.
    pub pruned_for: Option<PrunedFor>,
}

impl Beginning {
    /// What was before, in words; `None`: the log was never longer.
    pub fn let_go(&self) -> Option<String> {
        let cause = match self.pruned_for? {
            PrunedFor::Age => "too old",
            PrunedFor::Number => "too many",
            PrunedFor::Size => "too large",
        };
        (self.pruned > 0).then(|| format!("{} older let go: {cause}", self.pruned))
    }
}

/// An accepted delivery whose content has not reached the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unapplied {
    pub summary: DeliverySummary,
    pub account: AccountName,
    pub body: Vec<u8>,
}

/// A read-only connection.
pub struct Reader {
    db: Connection,
    path: PathBuf,
}

pub(super) const SUMMARY: &str = "id, at, account, verdict, reason, status, event_id, event_type, incident, subject,
     read_us + check_us + commit_us AS latency_us, size, scheme,
     secret, altered, changed, target";

const ACTION: &str = "id, at, actor, uid, name, verb, outcomes";

impl Reader {
    /// Opens the store of a state directory; fails when there is none, or one of another version. Waits a moment for
    /// what was taken and does not stand in the log yet, so that whatever was answered before is found.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let taken = intake::taken_in(dir);
        let reader = Self::open_with(dir, super::LOCK_WAIT)?;
        let until = Instant::now() + intake::LOOK;
        while reader.entered()? < taken && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(reader)
    }

    /// How many deliveries were taken, also just now, and do not stand in the log: those that wait for a store that fails,
    /// or for the next start.
    pub fn unentered(&self) -> Result<u64, StoreError> {
        let taken = self.path.parent().map_or(0, intake::taken_in);
        Ok(taken.saturating_sub(self.entered()?))
    }

    pub(super) fn open_with(dir: &Path, lock_wait: Duration) -> Result<Self, StoreError> {
        Self::open_file(&files::path_in(dir), lock_wait)
    }

    pub(super) fn open_file(path: &Path, lock_wait: Duration) -> Result<Self, StoreError> {
        let db = schema::open_reader(path, lock_wait)?;
        Ok(Self { db, path: path.to_owned() })
    }

    /// Writes a copy into the empty file `to`, as of now.
    pub(super) fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let Some(name) = to.to_str() else {
            let cause = "its name is not UTF-8: choose another".to_owned();
            return Err(StoreError::Other { path: to.display().to_string(), cause });
        };
        let copied = self.db.execute("VACUUM INTO ?1", [name]);
        copied.map(drop).map_err(|error| StoreError::sqlite(to, &error))
    }

    /// The number of the last record of the intake that stands in the log.
    pub(super) fn entered(&self) -> Result<u64, StoreError> {
        self.of_the_log("entered")
    }

    /// Which record that is.
    pub(super) fn entered_record(&self) -> Result<intake::RecordId, StoreError> {
        let sum = self.of_the_log("entered_sum")?;
        // What is none is that of no record.
        Ok(intake::RecordId { number: self.entered()?, sum: u32::try_from(sum).unwrap_or_default() })
    }

    /// Which intake that is, where an earlier version of dogwatch noted it; else 0.
    pub(super) fn intake(&self) -> Result<u64, StoreError> {
        self.of_the_log("intake")
    }

    /// Which store this is.
    pub fn store_id(&self) -> Result<StoreId, StoreError> {
        self.of_the_log("store").map(StoreId)
    }

    fn of_the_log(&self, column: &str) -> Result<u64, StoreError> {
        let number = self.db.prepare_cached(&format!("SELECT {column} FROM log"));
        let number = number.and_then(|mut sql| sql.query_row([], |row| unsigned(row, column)));
        number.map_err(|error| self.failed(&error))
    }

    /// How many deliveries are kept.
    pub(super) fn deliveries(&self) -> Result<u64, StoreError> {
        let count = self.db.query_row("SELECT count(*) AS n FROM delivery", [], |row| unsigned(row, "n"));
        count.map_err(|error| self.failed(&error))
    }

    /// Up to `limit` lines of the log older than `before`, newest first.
    pub fn recent(&self, before: Option<DeliveryId>, limit: u32) -> Result<Vec<DeliverySummary>, StoreError> {
        let before = before.map_or(i64::MAX, |id| id.0);
        let sql = format!("SELECT {SUMMARY} FROM delivery WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
        self.rows(&sql, params![before, limit], summary)
    }

    /// Up to `limit` deliveries newer than `after`, oldest first.
    pub fn following(&self, after: DeliveryId, limit: u32) -> Result<Vec<DeliveryId>, StoreError> {
        let sql = "SELECT id FROM delivery WHERE id > ?1 ORDER BY id LIMIT ?2";
        self.rows(sql, params![after.0, limit], |row| row.get("id").map(DeliveryId))
    }

    pub fn delivery(&self, id: DeliveryId) -> Result<Option<StoredDelivery>, StoreError> {
        let sql = format!(
            "SELECT {SUMMARY}, peer, headers, body, packed, response, format, read_us, check_us, commit_us FROM delivery
             WHERE id = ?1"
        );
        let found = self.db.query_row(&sql, [id.0], |row| {
            let (headers, body) = content(row)?;
            Ok(StoredDelivery {
                summary: summary(row)?,
                peer: row.get("peer")?,
                headers: serde_json::from_str(&headers).map_err(|error| unusable("headers", error))?,
                body,
                timings: Timings {
                    read_us: unsigned(row, "read_us")?,
                    check_us: unsigned(row, "check_us")?,
                    commit_us: row.get::<_, Option<i64>>("commit_us")?.and_then(|us| u64::try_from(us).ok()),
                },
                response: row.get::<_, Option<Vec<u8>>>("response")?.unwrap_or_default(),
                format: checked_if_any(row, "format", |word| format(&word))?,
            })
        });
        found.optional().map_err(|error| self.failed(&error))
    }

    /// When the last `limit` new and genuine deliveries of `account` came, test deliveries left out; newest first.
    /// Looks no further back than some ten thousand deliveries of any kind.
    pub fn rhythm(&self, account: &AccountName, limit: u32) -> Result<Vec<Timestamp>, StoreError> {
        let sql = "SELECT at FROM delivery
                   WHERE id > (SELECT COALESCE(MAX(id), 0) FROM delivery) - 20000
                     AND account = ?1 AND verdict IN ('accepted', 'undecodable') AND event_type IS NOT ?2
                   ORDER BY id DESC LIMIT ?3";
        self.rows(sql, params![account.as_str(), PING, limit], |row| timestamp(row, "at"))
    }

    /// How many deliveries are kept, by account and verdict; looks only at those that are not filed yet.
    pub fn counts(&self) -> Result<Vec<Count>, StoreError> {
        let sql = "SELECT nullif(account, '') AS account, verdict, sum(deliveries) AS deliveries FROM counted
                   GROUP BY 1, 2 HAVING sum(deliveries) > 0";
        self.rows(sql, [], |row| {
            Ok(Count {
                account: checked_if_any(row, "account", AccountName::new)?,
                verdict: checked(row, "verdict", |word| verdict(&word))?,
                deliveries: unsigned(row, "deliveries")?,
            })
        })
    }

    /// Where the log begins.
    pub fn beginning(&self) -> Result<Beginning, StoreError> {
        self.look(|db| {
            let first = "SELECT id, at FROM delivery ORDER BY id LIMIT 1";
            let first =
                db.prepare_cached(first)?.query_row([], |row| Ok((DeliveryId(row.get("id")?), timestamp(row, "at")?)));
            let sql = "SELECT pruned, pruned_for FROM log";
            db.prepare_cached(sql)?.query_row([], |row| {
                Ok(Beginning {
                    first: first.optional()?,
                    pruned: unsigned(row, "pruned")?,
                    pruned_for: checked_if_any(row, "pruned_for", |word| PrunedFor::of(&word))?,
                })
            })
        })
    }

    /// Visits the event ids of all kept deliveries that are genuine and no duplicates, one a row, oldest first.
    pub fn event_ids(&self, mut visit: impl FnMut(&EventId) -> ControlFlow<()>) -> Result<(), StoreError> {
        let sql = "SELECT event_id FROM delivery
                   WHERE verdict IN ('accepted', 'undecodable') AND event_id IS NOT NULL ORDER BY id";
        self.look(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if visit(&checked(row, "event_id", EventId::new)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    pub fn incidents(&self) -> Result<Vec<Incident>, StoreError> {
        self.rows("SELECT incident FROM incident ORDER BY account, id", [], |row| parsed(row, "incident"))
    }

    /// Accepted deliveries that were never marked [`Write::Applied`](super::Write::Applied), oldest first.
    pub fn unapplied(&self) -> Result<Vec<Unapplied>, StoreError> {
        let sql = format!("SELECT {SUMMARY}, headers, body, packed FROM delivery WHERE applied = 0 ORDER BY id");
        self.rows(&sql, [], |row| {
            Ok(Unapplied {
                summary: summary(row)?,
                account: checked(row, "account", AccountName::new)?,
                body: content(row)?.1,
            })
        })
    }

    /// Newest first.
    pub fn actions(&self, limit: u32) -> Result<Vec<Action>, StoreError> {
        self.rows(&format!("SELECT {ACTION} FROM action ORDER BY id DESC LIMIT ?1"), [limit], action)
    }

    /// Those with an outcome that is not final, oldest first.
    pub fn unsettled_actions(&self) -> Result<Vec<Action>, StoreError> {
        self.rows(&format!("SELECT {ACTION} FROM action WHERE settled = 0 ORDER BY id"), [], action)
    }

    /// What was saved of this kind, and when that was true.
    pub fn snapshot(&self, account: &AccountName, kind: &str) -> Result<Option<(Timestamp, String)>, StoreError> {
        let sql = "SELECT at, json FROM snapshot WHERE account = ?1 AND kind = ?2";
        let found =
            self.db.query_row(sql, [account.as_str(), kind], |row| Ok((timestamp(row, "at")?, row.get("json")?)));
        found.optional().map_err(|error| self.failed(&error))
    }

    /// Reads everything and looks for damage; the error says what is broken.
    pub fn check(&self) -> Result<(), String> {
        let failed = |error: StoreError| error.to_string();
        let found: Vec<String> = self.rows("PRAGMA integrity_check(5)", [], |row| row.get(0)).map_err(failed)?;
        if found != ["ok"] {
            return Err(format!("{}: {}", self.path.display(), found.join("; ")));
        }
        let unknown: Vec<i64> = self
            .rows(
                "SELECT id FROM delivery WHERE verdict = 'accepted' AND event_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM known_event
                 WHERE account = delivery.account AND known_event.event_id = delivery.event_id)",
                [],
                |row| row.get(0),
            )
            .map_err(failed)?;
        if !unknown.is_empty() {
            let count = unknown.len();
            let what = format!("the events of {count} deliveries would be taken a second time");
            return Err(format!("{}: {what}", self.path.display()));
        }
        let lost = self.waiting_for_nothing().map_err(failed)?;
        if lost > 0 {
            return Err(format!("{}: {lost} events that wait to be sent are not there", self.path.display()));
        }
        self.check_content().map_err(failed)
    }

    /// Compares what pages may be whole and yet not hold: bodies as they came, incidents under their own keys.
    fn check_content(&self) -> Result<(), StoreError> {
        self.look(|db| {
            let sql = "SELECT delivery.id, headers, body, packed, digest FROM known_event
                       JOIN delivery ON delivery.id = known_event.delivery WHERE digest IS NOT NULL";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                as_it_came(row.get("id")?, &content(row)?.1, row.get("digest")?)?;
            }
            let mut statement = db.prepare_cached("SELECT account, id, status, incident FROM incident")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let Incident { key, state, .. } = parsed(row, "incident")?;
                let columns: [String; 3] = [row.get("account")?, row.get("id")?, row.get("status")?];
                if columns != [key.account.as_str(), key.id.as_str(), state.status.word()] {
                    return Err(unusable("incident", format!("{key} is stored as another one")));
                }
            }
            Ok(())
        })
    }

    /// Runs statements that only read.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        look(&self.db).map_err(|error| self.failed(&error))
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.look(|db| db.prepare_cached(sql)?.query_map(parameters, read)?.collect())
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }
}

pub(super) fn summary(row: &Row<'_>) -> rusqlite::Result<DeliverySummary> {
    let account = checked_if_any(row, "account", AccountName::new)?;
    let incident = checked_if_any(row, "incident", IncidentId::new)?;
    let shown = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.map(|text| Shown::line(&text)));
    let target = checked_if_any(row, "target", TargetName::new)?;
    Ok(DeliverySummary {
        id: DeliveryId(row.get("id")?),
        at: timestamp(row, "at")?,
        direction: if target.is_some() { Direction::Outgoing } else { Direction::Incoming },
        verdict: checked(row, "verdict", |word| verdict(&word))?,
        reason: Shown::line(&row.get::<_, String>("reason")?),
        status: row.get("status")?,
        event_id: checked_if_any(row, "event_id", EventId::new)?,
        event_type: shown("event_type")?,
        incident: account.clone().zip(incident).map(|(account, id)| IncidentKey { account, id }),
        subject: shown("subject")?,
        latency_us: row.get::<_, Option<i64>>("latency_us")?.map(i64::unsigned_abs),
        size: unsigned(row, "size")?,
        proof: proof(row)?,
        altered: row.get("altered")?,
        changed: shown("changed")?,
        target,
        account,
    })
}

/// Headers as JSON, and the body.
pub(super) fn content(row: &Row<'_>) -> rusqlite::Result<(String, Vec<u8>)> {
    let column = |name| row.get_ref(name);
    let unpacked = pack::unpack(row.get("packed")?, column("headers")?.as_str()?, column("body")?.as_blob()?);
    unpacked.map_err(|error| unusable("body", error))
}

fn proof(row: &Row<'_>) -> rusqlite::Result<Option<Proof>> {
    let scheme = checked_if_any(row, "scheme", |word| {
        let known = Scheme::ALL.into_iter().find(|scheme| scheme.word() == word);
        known.ok_or_else(|| format!("no scheme is called {word}"))
    })?;
    let secret = row.get::<_, Option<String>>("secret")?.unwrap_or_default();
    Ok(scheme.map(|scheme| Proof { scheme, secret: Shown::line(&secret) }))
}

fn action(row: &Row<'_>) -> rusqlite::Result<Action> {
    Ok(Action {
        id: ActionId(row.get("id")?),
        at: checked(row, "at", |text| text.parse::<Timestamp>())?,
        by: By {
            actor: Shown::line(&row.get::<_, String>("actor")?),
            uid: row.get("uid")?,
            name: row.get::<_, Option<String>>("name")?.map(|name| Shown::line(&name)),
        },
        verb: checked(row, "verb", |text| verb(&text))?.cut(),
        outcomes: parsed(row, "outcomes")?,
        due: None,
    })
}

/// Resolving took no note once, and was kept as the bare word.
fn verb(text: &str) -> serde_json::Result<Verb> {
    if text == "\"resolve\"" { Ok(Verb::Resolve { note: None }) } else { serde_json::from_str(text) }
}

fn format(word: &str) -> Result<Format, String> {
    let known = Format::ALL.into_iter().find(|format| format.word() == word);
    known.ok_or_else(|| format!("no format is called {word}"))
}

pub(super) fn verdict(word: &str) -> Result<Verdict, String> {
    Verdict::ALL
        .into_iter()
        .find(|verdict| verdict.word() == word)
        .ok_or_else(|| format!("no verdict is called {word}"))
}

/// Whether the body of delivery `id` is what its digest was made of.
fn as_it_came(id: i64, body: &[u8], digest: [u8; 32]) -> rusqlite::Result<()> {
    if <[u8; 32]>::from(Sha256::digest(body)) == digest {
        return Ok(());
    }
    Err(unusable("body", format!("delivery {id} is not as it came")))
}

/// A failure to understand a column, as `SQLite`'s wrapper tells it.
pub(super) fn unusable(column: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    let cause = format!("{column}: {}", error.into());
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, cause.into())
}

pub(super) fn checked<T, E>(
    row: &Row<'_>,
    column: &str,
    check: impl FnOnce(String) -> Result<T, E>,
) -> rusqlite::Result<T>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    check(row.get(column)?).map_err(|error| unusable(column, error))
}

pub(super) fn checked_if_any<T, E>(
    row: &Row<'_>,
    column: &str,
    check: impl FnOnce(String) -> Result<T, E>,
) -> rusqlite::Result<Option<T>>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    row.get::<_, Option<String>>(column)?.map(check).transpose().map_err(|error| unusable(column, error))
}

pub(super) fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    checked(row, column, |text| serde_json::from_str(&text))
}

pub(super) fn timestamp(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    let nanoseconds: i64 = row.get(column)?;
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(|error| unusable(column, error))
}

pub(super) fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|error| unusable(column, error))
}
