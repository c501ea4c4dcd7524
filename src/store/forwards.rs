//! What goes out: events, the queue of each target, and what came of each attempt.
//!
//! An event stands in the queue from the transaction that made it until the one that writes down what came of its last
//! attempt. An attempt is written down before it is made, so that a crash leaves it to be seen.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::{
    Store, StoreError,
    pack::{self, Packed},
    reader::{Reader, SUMMARY, checked, content, parsed, summary, timestamp},
    writes::{json, nanoseconds, signed},
};
use crate::core::{
    delivery::{DeliverySummary, Format, Timings, Verdict},
    forward::{Event, EventType},
    id::{AccountName, DeliveryId, EventId, IncidentId, IncidentKey, TargetName},
    text::Shown,
};

/// The number of a place in a queue: rises, never used again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForwardId(pub i64);

impl fmt::Display for ForwardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event, and who is to be told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub event: Event,
    /// When it became known here.
    pub at: Timestamp,
    pub targets: Vec<TargetName>,
    /// Those whose queue is full; the log says so.
    pub full: Vec<TargetName>,
}

/// An event in the queue of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub id: ForwardId,
    pub event: String,
    pub incident: IncidentKey,
    /// Attempts that were made.
    pub attempts: u32,
    /// When the attempt under way was begun: by an earlier run, if nobody here makes it.
    pub begun: Option<Timestamp>,
    /// Not before.
    pub due: Timestamp,
}

/// Whether an attempt could be written down as begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    Yes,
    /// It does not wait any more.
    Gone,
}

/// An attempt, as the log tells of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub at: Timestamp,
    pub target: TargetName,
    /// Of an event; `None`: it is about the target alone.
    pub about: Option<About>,
    /// [`Verdict::Sent`] or [`Verdict::Failed`].
    pub verdict: Verdict,
    pub reason: Shown,
    /// What was answered; 0: nothing.
    pub status: u16,
    /// Where it went, without what may be secret.
    pub peer: String,
    /// As sent, secrets replaced.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Vec<u8>,
    /// The first of what was answered.
    pub response: Vec<u8>,
    /// What made the body; `None` where there is none, or none of an event.
    pub format: Option<Format>,
    /// `check_us` is the rendering, `commit_us` the exchange.
    pub timings: Timings,
}

/// What an attempt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub event: String,
    pub kind: EventType,
    pub incident: Option<IncidentKey>,
    pub title: Shown,
}

impl From<&Event> for About {
    fn from(event: &Event) -> Self {
        let Event { id, kind, incident, title, .. } = event;
        Self { event: id.clone(), kind: kind.clone(), incident: Some(incident.clone()), title: title.clone() }
    }
}

/// What becomes of the place in the queue after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It was not in the queue.
    Nothing,
    Leave(ForwardId),
    /// It is tried again.
    Again {
        id: ForwardId,
        due: Timestamp,
    },
    /// It was begun by an earlier run, and is made again as if it had not been.
    Anew(ForwardId),
    /// It leaves, and with it all that wait for this target.
    LeaveAll(ForwardId),
}

/// An attempt that was made.
#[derive(Debug, Clone)]
pub struct Ended {
    pub attempt: Attempt,
    pub then: Then,
    /// How its target stands after it, if that is new.
    pub standing: Option<String>,
}

impl Store {
    /// Writes down how a target stands. After an error, what was kept before still holds.
    pub async fn save_standing(&self, target: TargetName, json: String) -> std::result::Result<(), StoreError> {
        self.ask_surely(move |db| save_standing(db, &target, &json)).await
    }

    /// Writes down that an attempt begins. After an error nothing is begun.
    pub async fn begin(&self, id: ForwardId, at: Timestamp) -> std::result::Result<Begun, StoreError> {
        self.ask_surely(move |db| begin(db, id, at)).await
    }

    /// Writes down what came of an attempt, all of it or nothing.
    pub async fn end(&self, ended: Ended) -> std::result::Result<DeliverySummary, StoreError> {
        let packed = packed(&ended.attempt)?;
        let recorded = self.ask_surely(move |db| end(db, &ended, &packed)).await;
        self.grown().notify_one();
        recorded
    }

    /// Empties the queue of a target but for what is under way; says how many waited, and the line of the log that tells of it.
    pub async fn drop_waiting(
        &self,
        target: TargetName,
        at: Timestamp,
        why: &str,
    ) -> std::result::Result<(usize, Option<DeliverySummary>), StoreError> {
        let why = why.to_owned();
        self.ask_surely(move |db| drop_waiting(db, &target, at, &why)).await
    }

    /// Puts events into the queues of targets once more; says how many of them are still kept.
    pub async fn queue_again(
        &self,
        events: Vec<(TargetName, String)>,
        at: Timestamp,
    ) -> std::result::Result<u32, StoreError> {
        self.ask_surely(move |db| {
            events.iter().try_fold(0, |done, (target, event)| Ok(done + u32::from(queue_again(db, target, event, at)?)))
        })
        .await
    }
}

/// Headers, as JSON, and body as they are kept.
fn packed(attempt: &Attempt) -> std::result::Result<Packed, StoreError> {
    let headers = serde_json::to_string(&attempt.headers);
    let headers = headers.map_err(|error| StoreError::Unstorable { cause: error.to_string() })?;
    Ok(pack::pack(headers, &attempt.body))
}

/// Writes an event down and queues it, unless it is known, or happens once and was told before.
pub(super) fn enqueue(db: &Connection, new: &NewEvent) -> Result<()> {
    let NewEvent { event, at, targets, full } = new;
    let key = &event.incident;
    if event.kind.is_once() {
        let sql = "INSERT OR IGNORE INTO told (account, incident, event_type) VALUES (?1, ?2, ?3)";
        if db.prepare_cached(sql)?.execute([key.account.as_str(), key.id.as_str(), event.kind.as_str()])? == 0 {
            return Ok(());
        }
    }
    let sql =
        "INSERT OR IGNORE INTO event (id, at, account, incident, delivery, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let delivery = event.delivery.map(|delivery| delivery.0);
    let known = db.prepare_cached(sql)?.execute(params![
        event.id,
        nanoseconds(event.at),
        key.account.as_str(),
        key.id.as_str(),
        delivery,
        json(event)?
    ])? == 0;
    if known {
        return Ok(());
    }
    for target in targets {
        put(db, target, event, *at)?;
    }
    for target in full {
        let reason = format!("not sent: too many events wait for {target}; it can be sent with `delivery resend`");
        let attempt = Attempt { about: Some(event.into()), ..failure(target, *at, &reason) };
        insert(db, &attempt, &pack::pack("[]".to_owned(), &[]))?;
    }
    Ok(())
}

fn put(db: &Connection, target: &TargetName, event: &Event, due: Timestamp) -> Result<()> {
    let key = &event.incident;
    db.prepare_cached("INSERT INTO forward (event, target, account, incident, due) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![event.id, target.as_str(), key.account.as_str(), key.id.as_str(), nanoseconds(due)])
        .map(drop)
}

fn queue_again(db: &Connection, target: &TargetName, event: &str, at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO forward (event, target, account, incident, due)
               SELECT id, ?2, account, incident, ?3 FROM event WHERE id = ?1";
    Ok(db.prepare_cached(sql)?.execute(params![event, target.as_str(), nanoseconds(at)])? > 0)
}

fn save_standing(db: &Connection, target: &TargetName, json: &str) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO target (name, state) VALUES (?1, ?2)")?
        .execute([target.as_str(), json])
        .map(drop)
}

fn begin(db: &Connection, id: ForwardId, at: Timestamp) -> Result<Begun> {
    let sql = "UPDATE forward SET begun = ?2, attempt = attempt + 1 WHERE id = ?1";
    let there = db.prepare_cached(sql)?.execute(params![id.0, nanoseconds(at)])? > 0;
    Ok(if there { Begun::Yes } else { Begun::Gone })
}

fn end(db: &Connection, ended: &Ended, packed: &Packed) -> Result<DeliverySummary> {
    let target = &ended.attempt.target;
    // The line comes first: an event that is neither in the log nor in a queue is not kept.
    let id = insert(db, &ended.attempt, packed)?;
    let leave = |id: ForwardId| db.prepare_cached("DELETE FROM forward WHERE id = ?1")?.execute([id.0]);
    match ended.then {
        Then::Nothing => {}
        Then::Leave(id) => drop(leave(id)?),
        Then::Again { id, due } => {
            let sql = "UPDATE forward SET begun = NULL, due = ?2 WHERE id = ?1";
            db.prepare_cached(sql)?.execute([id.0, nanoseconds(due)])?;
        }
        Then::Anew(id) => {
            let sql = "UPDATE forward SET begun = NULL, attempt = max(attempt - 1, 0) WHERE id = ?1";
            db.prepare_cached(sql)?.execute([id.0])?;
        }
        Then::LeaveAll(place) => {
            leave(place)?;
            let dropped = empty(db, target)?;
            if dropped > 0 {
                let told = format!("{}; {} that waited will not be sent", ended.attempt.reason, events(dropped));
                let sql = "UPDATE delivery SET reason = ?2 WHERE id = ?1";
                db.prepare_cached(sql)?.execute(params![id.0, told])?;
            }
        }
    }
    if let Some(standing) = &ended.standing {
        save_standing(db, target, standing)?;
    }
    line(db, id)
}

fn events(count: usize) -> String {
    crate::core::words::count(count, "event", "events")
}

/// What is under way leaves the queue with the line that tells what came of it.
fn empty(db: &Connection, target: &TargetName) -> Result<usize> {
    db.prepare_cached("DELETE FROM forward WHERE target = ?1 AND begun IS NULL")?.execute([target.as_str()])
}

fn drop_waiting(
    db: &Connection,
    target: &TargetName,
    at: Timestamp,
    why: &str,
) -> Result<(usize, Option<DeliverySummary>)> {
    let dropped = empty(db, target)?;
    if dropped == 0 {
        return Ok((0, None));
    }
    let reason = format!("{why}; {} that waited will not be sent", events(dropped));
    let id = insert(db, &failure(target, at, &reason), &pack::pack("[]".to_owned(), &[]))?;
    Ok((dropped, Some(line(db, id)?)))
}

/// A line about a target of which nothing was sent.
fn failure(target: &TargetName, at: Timestamp, reason: &str) -> Attempt {
    Attempt {
        at,
        target: target.clone(),
        about: None,
        verdict: Verdict::Failed,
        reason: Shown::line(reason),
        status: 0,
        peer: String::new(),
        headers: vec![],
        body: vec![],
        response: vec![],
        format: None,
        timings: Timings { commit_us: Some(0), ..Timings::default() },
    }
}

fn insert(db: &Connection, attempt: &Attempt, packed: &Packed) -> Result<DeliveryId> {
    let about = attempt.about.as_ref();
    let incident = about.and_then(|about| about.incident.as_ref());
    db.prepare_cached(
        "INSERT INTO delivery (at, account, verdict, reason, status, event_id, event_type, incident, subject,
             size, peer, headers, body, packed, check_us, commit_us, target, response, format)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?
    .execute(params![
        nanoseconds(attempt.at),
        incident.map(|key| key.account.as_str()),
        attempt.verdict.word(),
        attempt.reason.as_str(),
        attempt.status,
        about.map(|about| about.event.as_str()),
        about.map(|about| about.kind.as_str()),
        incident.map(|key| key.id.as_str()),
        about.map(|about| about.title.as_str()),
        signed(attempt.body.len()),
        attempt.peer,
        packed.headers,
        packed.body,
        packed.way,
        signed(attempt.timings.check_us),
        attempt.timings.commit_us.map(signed),
        attempt.target.as_str(),
        attempt.response,
        attempt.format.map(Format::word),
    ])?;
    Ok(DeliveryId(db.last_insert_rowid()))
}

/// The line of the log as it is kept.
fn line(db: &Connection, id: DeliveryId) -> Result<DeliverySummary> {
    let sql = format!("SELECT {} FROM delivery WHERE id = ?1", super::reader::SUMMARY);
    db.prepare_cached(&sql)?.query_row([id.0], summary)
}

/// An event, and the body of the delivery that told of it.
type WithBody = (Event, Option<Vec<u8>>);

impl Reader {
    /// What waits for a target behind `after`, in order.
    pub fn waiting(&self, target: &TargetName, after: ForwardId) -> std::result::Result<Vec<Queued>, StoreError> {
        let sql = "SELECT id, event, account, incident, attempt, begun, due FROM forward
                   WHERE target = ?1 AND id > ?2 ORDER BY id";
        self.rows(sql, params![target.as_str(), after.0], waiting)
    }

    /// The targets that something waits for.
    pub fn waited_for(&self) -> std::result::Result<Vec<TargetName>, StoreError> {
        let sql = "SELECT DISTINCT target FROM forward";
        self.rows(sql, [], |row| checked(row, "target", TargetName::new))
    }

    /// How many events wait for each target that something waits for.
    pub fn waits(&self) -> std::result::Result<Vec<(TargetName, u32)>, StoreError> {
        let sql = "SELECT target, count(*) AS n FROM forward GROUP BY target";
        self.rows(sql, [], |row| Ok((checked(row, "target", TargetName::new)?, row.get("n")?)))
    }

    /// The newest attempt at a target that failed.
    pub fn last_failure(&self, target: &TargetName) -> std::result::Result<Option<DeliverySummary>, StoreError> {
        let sql =
            format!("SELECT {SUMMARY} FROM delivery WHERE target = ?1 AND verdict = 'failed' ORDER BY id DESC LIMIT 1");
        Ok(self.rows(&sql, [target.as_str()], summary)?.pop())
    }

    /// An event, and the body of the delivery that told of it, if that is kept and can be read.
    pub fn event(&self, id: &str) -> std::result::Result<Option<WithBody>, StoreError> {
        self.look(|db| {
            let sql = "SELECT event, event.delivery AS told, headers, body, packed FROM event
                       LEFT JOIN delivery ON delivery.id = event.delivery WHERE event.id = ?1";
            let read = |row: &Row<'_>| {
                let kept = row.get::<_, Option<i64>>("packed")?.is_some();
                let body = kept.then(|| content(row)).and_then(Result::ok).map(|(_, body)| body);
                Ok((parsed(row, "event")?, body))
            };
            db.prepare_cached(sql)?.query_row([id], read).optional()
        })
    }

    /// Places in a queue whose event is not kept.
    pub(super) fn waiting_for_nothing(&self) -> std::result::Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM forward WHERE NOT EXISTS (SELECT 1 FROM event WHERE id = forward.event)";
        self.look(|db| db.query_row(sql, [], |row| row.get::<_, i64>(0))).map(i64::unsigned_abs)
    }

    /// How the targets stood that were tried, as it was kept.
    pub fn standings(&self) -> std::result::Result<Vec<(TargetName, String)>, StoreError> {
        self.rows("SELECT name, state FROM target ORDER BY name", [], |row| {
            Ok((checked(row, "name", TargetName::new)?, row.get("state")?))
        })
    }

    /// The events whose last attempt failed and which do not wait for another, in the order of those attempts: of
    /// `target`, or of all. Tests are no attempts; they had the ids of real events once.
    pub fn unsent(&self, target: Option<&TargetName>) -> std::result::Result<Vec<(TargetName, String)>, StoreError> {
        let sql = "SELECT target, event_id FROM delivery AS tried
                   WHERE target IS NOT NULL AND (?1 IS NULL OR target = ?1) AND verdict = 'failed'
                     AND reason NOT GLOB 'test: *'
                     AND EXISTS (SELECT 1 FROM event WHERE id = tried.event_id)
                     AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_id = tried.event_id AND target = tried.target
                                     AND target IS NOT NULL AND id > tried.id AND reason NOT GLOB 'test: *')
                     AND NOT EXISTS (SELECT 1 FROM forward WHERE event = tried.event_id AND target = tried.target)
                   ORDER BY id";
        self.rows(sql, [target.map(TargetName::as_str)], |row| {
            Ok((checked(row, "target", TargetName::new)?, row.get("event_id")?))
        })
    }
}

fn waiting(row: &Row<'_>) -> Result<Queued> {
    let account = checked(row, "account", AccountName::new)?;
    let id = checked(row, "incident", IncidentId::new)?;
    let begun = row.get::<_, Option<i64>>("begun")?.is_some();
    Ok(Queued {
        id: ForwardId(row.get("id")?),
        event: checked(row, "event", EventId::new)?.to_string(),
        incident: IncidentKey { account, id },
        attempts: row.get("attempt")?,
        begun: if begun { Some(timestamp(row, "begun")?) } else { None },
        due: timestamp(row, "due")?,
    })
}
