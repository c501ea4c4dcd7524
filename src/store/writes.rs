//! The statements that write. Each runs inside the writer's transaction and may run again after a rollback.

use std::{collections::HashMap, iter, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    Applied, NewDelivery, Write, forwards,
    intake::RecordId,
    pack::{self, Packed},
    reader::unsigned,
    rings::{self, RING_BODY},
};
use crate::core::{
    action::{Action, By, Outcome, Verb},
    delivery::{DeliverySummary, Direction, Verdict},
    id::{AccountName, ActionId, DeliveryId, EventId, IncidentKey},
    incident::Incident,
    text::Shown,
};

/// Bytes written by a probe with weight.
const PROBE: u32 = 64 * 1024;

/// Nanoseconds since 1970; the years 1677 to 2262.
pub(super) fn nanoseconds(at: Timestamp) -> i64 {
    let at = at.as_nanosecond();
    i64::try_from(at).unwrap_or(if at < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A delivery with all that can be worked out before its transaction.
pub(super) struct Prepared {
    new: NewDelivery,
    headers: String,
    packed: Packed,
    /// Of the body.
    digest: [u8; 32],
    /// It may stand in the log already.
    is_left: bool,
}

impl Prepared {
    pub(super) fn new(new: NewDelivery) -> Self {
        let headers = serde_json::to_string(&new.headers).expect("texts can be JSON");
        let packed = pack::pack(headers.clone(), new.body.get(..kept(&new, new.verdict)).unwrap_or_default());
        let digest = Sha256::digest(&new.body).into();
        Self { new, headers, packed, digest, is_left: false }
    }

    /// One that may stand in the log already.
    pub(super) fn left(new: NewDelivery) -> Self {
        Self { is_left: true, ..Self::new(new) }
    }

    pub(super) fn delivery(&self) -> &NewDelivery {
        &self.new
    }

    /// Bytes of its record in the intake, or a few more.
    pub(super) fn size(&self) -> u64 {
        const REST: usize = 1024;
        u64::try_from(self.new.body.len() + self.headers.len() + REST).unwrap_or(u64::MAX)
    }

    /// Whether it was understood.
    pub(super) fn has_content(&self) -> bool {
        self.new.decoded.is_some()
    }

    /// The same as one that was not understood, because what was read in it cannot be stored.
    pub(super) fn without_content(&self, cause: &str) -> Self {
        let reason = Shown::line(&format!("{}, but what it says cannot be stored: {cause}", self.new.reason));
        let new = NewDelivery { decoded: None, verdict: Verdict::Undecodable, reason, ..self.new.clone() };
        Self { is_left: self.is_left, ..Self::new(new) }
    }
}

/// Bytes kept of its body.
fn kept(new: &NewDelivery, verdict: Verdict) -> usize {
    match verdict {
        Verdict::Accepted | Verdict::Undecodable | Verdict::Sent | Verdict::Failed => new.body.len(),
        Verdict::Duplicate | Verdict::Rejected => new.body.len().min(RING_BODY),
    }
}

/// Writes the delivery down. An event that is known already makes it a duplicate.
pub(super) fn record(db: &Connection, prepared: &Prepared) -> Result<DeliverySummary> {
    let Prepared { new, digest, .. } = prepared;
    let event = event_of(prepared);
    let known = event.as_ref().map(|(account, id)| known_event(db, account, id)).transpose()?.flatten();
    let mut summary = summary(new);
    if let Some(first) = &known {
        summary.verdict = Verdict::Duplicate;
        summary.altered = first.digest.is_some_and(|first| first != *digest);
        let but = if summary.altered { ", but with other content" } else { "" };
        summary.reason = Shown::line(&format!("{}; the same event as delivery {}{but}", new.reason, first.delivery));
    }
    insert_delivery(db, &summary, prepared)?;
    summary.id = DeliveryId(db.last_insert_rowid());
    if let (Some((account, id)), None) = (event, known) {
        db.prepare_cached("INSERT INTO known_event (account, event_id, delivery, digest) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![account.as_str(), id, summary.id.0, digest])?;
    }
    rings::prune(db, summary.verdict, summary.account.as_ref())?;
    Ok(summary)
}

/// What came of entering.
pub(super) enum Entered {
    /// The lines of the log; `None`: it stood there already.
    Lines(Vec<Option<DeliverySummary>>),
    /// All of it was written before, though that commit is said to have failed.
    Before,
    /// Nothing: that is not the log which has all before.
    Elsewhere,
}

/// Writes down what was taken, from behind one record of the intake up to another, each after a `pause`.
pub(super) fn enter(
    db: &Connection,
    taken: &[Arc<Prepared>],
    (before, last): (RecordId, RecordId),
    pause: fn(),
) -> Result<Entered> {
    let stands = entered(db)?;
    if stands == last && last != before {
        return Ok(Entered::Before);
    }
    if stands != before {
        return Ok(Entered::Elsewhere);
    }
    let by_body = events_by_body(db, taken)?;
    let enter = |prepared: &Prepared| {
        let is_there = prepared.is_left && stands_there(db, prepared, &by_body)?;
        if is_there { Ok(None) } else { record(db, prepared).map(Some) }
    };
    let lines = taken.iter().inspect(|_| pause()).map(|prepared| enter(prepared)).collect::<Result<Vec<_>>>()?;
    db.prepare_cached("UPDATE log SET entered = ?1, entered_sum = ?2")?
        .execute(params![signed(last.number), last.sum])?;
    Ok(Entered::Lines(lines))
}

/// Whether the log has this very delivery, or had it once: its event is known, and came at this moment, or is not kept
/// any more. One that nobody here can read is known by its body.
fn stands_there(db: &Connection, prepared: &Prepared, by_body: &ByBody) -> Result<bool> {
    let Some((account, id)) = event_of(prepared) else { return Ok(false) };
    let mut known = known_event(db, account, &id)?;
    if known.is_none() && !prepared.has_content() {
        known = by_body.get(&(account.clone(), prepared.digest)).copied();
    }
    let Some(first) = known else { return Ok(false) };
    let at = nanoseconds(prepared.new.at);
    let first_at = db
        .prepare_cached("SELECT at FROM delivery WHERE id = ?1")?
        .query_row([first.delivery], |row| row.get::<_, i64>(0))
        .optional()?;
    match first_at {
        Some(first_at) if first_at == at => Ok(true),
        None if first.digest.is_none_or(|digest| digest == prepared.digest) => Ok(true),
        _ => db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM delivery
                     WHERE verdict = 'duplicate' AND account = ?1 AND id > ?2 AND at = ?3)",
            )?
            .query_row(params![account.as_str(), first.delivery, at], |row| row.get(0)),
    }
}

/// Notes up to which record of the intake beside it the log has all, and syncs it. Of another one than it knows the
/// checksum is not known. `None`: that is not the log, or not as it was, to which this was to be told.
pub(super) fn follow(db: &Connection, (store, from): (u64, RecordId), before: u64) -> Result<Option<RecordId>> {
    let there = db.query_row("SELECT store FROM log", [], |row| unsigned(row, "store"))?;
    let stands = entered(db)?;
    if there != store || ![from, RecordId { number: before, sum: 0 }].contains(&stands) {
        return Ok(None);
    }
    let note = "UPDATE log SET entered_sum = CASE entered WHEN ?1 THEN entered_sum ELSE 0 END, entered = ?1";
    db.execute(note, [signed(before)])?;
    sync_entered(db).map(Some)
}

/// Writes something, so that all that was written before is synced too; gives how far the log goes.
pub(super) fn sync_entered(db: &Connection) -> Result<RecordId> {
    // Of what changes nothing, no page would be written, and then nothing synced.
    probe(db)?;
    entered(db)
}

/// The last record of the intake that the log has.
fn entered(db: &Connection) -> Result<RecordId> {
    let (number, sum): (i64, i64) = db
        .prepare_cached("SELECT entered, entered_sum FROM log")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(RecordId { number: u64::try_from(number).unwrap_or_default(), sum: u32::try_from(sum).unwrap_or_default() })
}

/// What a genuine delivery is known by.
fn event_of(Prepared { new, digest, .. }: &Prepared) -> Option<(&AccountName, String)> {
    match new.verdict {
        Verdict::Accepted | Verdict::Undecodable => {}
        Verdict::Duplicate | Verdict::Rejected | Verdict::Sent | Verdict::Failed => return None,
    }
    let id = match &new.decoded {
        Some(decoded) => decoded.event_id.as_str().to_owned(),
        None => format!("body sha256:{}", hex::encode(digest)),
    };
    Some((new.account.as_ref()?, id))
}

/// The delivery with which an event came first.
#[derive(Clone, Copy)]
struct First {
    delivery: i64,
    /// Of its body; `None` of those from before digests were kept.
    digest: Option<[u8; 32]>,
}

fn known_event(db: &Connection, account: &AccountName, id: &str) -> Result<Option<First>> {
    db.prepare_cached("SELECT delivery, digest FROM known_event WHERE account = ?1 AND event_id = ?2")?
        .query_row([account.as_str(), id], |row| Ok(First { delivery: row.get(0)?, digest: row.get(1)? }))
        .optional()
}

/// Known events by their accounts and the digests of their bodies.
type ByBody = HashMap<(AccountName, [u8; 32]), First>;

/// The known events whose bodies are those of deliveries that nobody here can read and that may stand in the log. There is
/// no index of bodies, so all are looked for in one go.
fn events_by_body(db: &Connection, taken: &[Arc<Prepared>]) -> Result<ByBody> {
    let unread = taken.iter().filter(|prepared| prepared.is_left && !prepared.has_content());
    let digests: Vec<[u8; 32]> = unread.map(|prepared| prepared.digest).collect();
    if digests.is_empty() {
        return Ok(ByBody::new());
    }
    let places = iter::repeat_n("?", digests.len()).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT account, digest, delivery FROM known_event WHERE digest IN ({places})");
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(digests))?;
    let mut found = ByBody::new();
    while let Some(row) = rows.next()? {
        let digest = row.get(1)?;
        let first = First { delivery: row.get(2)?, digest: Some(digest) };
        if let Ok(account) = AccountName::new(row.get::<_, String>(0)?) {
            found.entry((account, digest)).or_insert(first);
        }
    }
    Ok(found)
}

/// The line of the log, still without its number.
fn summary(new: &NewDelivery) -> DeliverySummary {
    let decoded = new.decoded.as_ref();
    DeliverySummary {
        id: DeliveryId(0),
        at: new.at,
        direction: Direction::Incoming,
        account: new.account.clone(),
        verdict: new.verdict,
        reason: new.reason.clone(),
        status: new.status,
        event_id: decoded.map(|decoded| decoded.event_id.clone()),
        event_type: decoded.map(|decoded| decoded.event_type.clone()),
        incident: decoded.and_then(|decoded| decoded.incident.clone()),
        subject: decoded.and_then(|decoded| decoded.subject.clone()),
        latency_us: new.timings.answered_us(),
        size: u64::try_from(new.body.len()).unwrap_or(u64::MAX),
        proof: new.proof.clone(),
        altered: false,
        changed: None,
        target: None,
    }
}

fn insert_delivery(db: &Connection, line: &DeliverySummary, prepared: &Prepared) -> Result<()> {
    let Prepared { new, headers, packed, .. } = prepared;
    let applied = (line.verdict == Verdict::Accepted).then_some(0);
    let kept = kept(new, line.verdict);
    // One that turned out a duplicate keeps less than was packed.
    let cut = (kept < self::kept(new, new.verdict))
        .then(|| pack::pack(headers.clone(), new.body.get(..kept).unwrap_or_default()));
    let packed = cut.as_ref().unwrap_or(packed);
    db.prepare_cached(
        "INSERT INTO delivery (at, account, verdict, applied, reason, status, event_id, event_type, incident, subject,
             size, peer, headers, body, packed, scheme, secret, altered, read_us, check_us, commit_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?
    .execute(params![
        nanoseconds(line.at),
        line.account.as_ref().map(AccountName::as_str),
        line.verdict.word(),
        applied,
        line.reason.as_str(),
        line.status,
        line.event_id.as_ref().map(EventId::as_str),
        line.event_type.as_ref().map(Shown::as_str),
        line.incident.as_ref().map(|key| key.id.as_str()),
        line.subject.as_ref().map(Shown::as_str),
        signed(line.size),
        new.peer,
        packed.headers,
        packed.body,
        packed.way,
        line.proof.as_ref().map(|proof| proof.scheme.word()),
        line.proof.as_ref().map(|proof| proof.secret.as_str()),
        line.altered,
        signed(new.timings.read_us),
        signed(new.timings.check_us),
        new.timings.commit_us.map(signed),
    ])
    .map(drop)
}

pub(super) fn save(db: &Connection, writes: &[Write]) -> Result<()> {
    writes.iter().try_for_each(|write| match write {
        Write::Incident(incident) => save_incident(db, incident),
        Write::Applied(deliveries) => applied(db, deliveries),
        Write::Committed(deliveries) => committed(db, deliveries),
        Write::Forget(key) => forget(db, key),
        Write::Action(action) => save_action(db, action),
        Write::Snapshot { account, kind, at, json } => db
            .prepare_cached("INSERT OR REPLACE INTO snapshot (account, kind, at, json) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![account.as_str(), kind, nanoseconds(*at), json])
            .map(drop),
        Write::Event(event) => forwards::enqueue(db, event),
    })
}

fn save_incident(db: &Connection, incident: &Incident) -> Result<()> {
    let (key, state) = (&incident.key, &incident.state);
    db.prepare_cached(
        "INSERT OR REPLACE INTO incident (account, id, status, at, incident) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        key.account.as_str(),
        key.id.as_str(),
        state.status.word(),
        nanoseconds(incident.stamp.at),
        json(incident)?
    ])
    .map(drop)
}

fn applied(db: &Connection, deliveries: &[Applied]) -> Result<()> {
    let mut mark = db.prepare_cached(
        "UPDATE delivery SET applied = 1, changed = ?2, commit_us = ifnull(?3, commit_us) WHERE id = ?1 AND applied = 0",
    )?;
    deliveries.iter().try_for_each(|Applied { id, changed, commit_us }| {
        mark.execute(params![id.0, changed.as_ref().map(Shown::as_str), commit_us.map(signed)]).map(drop)
    })
}

fn committed(db: &Connection, deliveries: &[(DeliveryId, u64)]) -> Result<()> {
    let mut note = db.prepare_cached("UPDATE delivery SET commit_us = ?2 WHERE id = ?1")?;
    deliveries.iter().try_for_each(|(id, commit_us)| note.execute(params![id.0, signed(*commit_us)]).map(drop))
}

fn forget(db: &Connection, key: &IncidentKey) -> Result<()> {
    let parts = [key.account.as_str(), key.id.as_str()];
    db.prepare_cached("DELETE FROM incident WHERE account = ?1 AND id = ?2")?.execute(parts)?;
    db.prepare_cached("DELETE FROM told WHERE account = ?1 AND incident = ?2")?.execute(parts).map(drop)
}

pub(super) fn new_action(
    db: &Connection,
    at: Timestamp,
    by: &By,
    verb: &Verb,
    targets: &[IncidentKey],
) -> Result<Action> {
    let outcomes: Vec<_> = targets.iter().map(|key| (key.clone(), Outcome::PENDING)).collect();
    let mut action = Action { id: ActionId(0), at, by: by.clone(), verb: verb.clone(), outcomes, due: None };
    put_action(db, None, &action)?;
    action.id = ActionId(db.last_insert_rowid());
    Ok(action)
}

fn save_action(db: &Connection, action: &Action) -> Result<()> {
    put_action(db, Some(action.id), action)
}

/// Without a number it gets a new one.
fn put_action(db: &Connection, id: Option<ActionId>, action: &Action) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO action (id, at, actor, uid, name, verb, outcomes, settled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        id.map(|id| id.0),
        action.at.to_string(),
        action.by.actor.as_str(),
        action.by.uid,
        action.by.name.as_ref().map(Shown::as_str),
        json(&action.verb)?,
        json(&action.outcomes)?,
        action.is_final()
    ])
    .map(drop)
}

/// A commit for its own sake, to see whether one works.
pub(super) fn probe(db: &Connection) -> Result<()> {
    db.execute("UPDATE probe SET commits = commits + 1", []).map(drop)
}

/// A commit as large as that of a delivery: on a full disk, one that is smaller may find room.
pub(super) fn probe_with_weight(db: &Connection) -> Result<()> {
    let weigh =
        "INSERT OR REPLACE INTO snapshot (account, kind, at, json) VALUES ('', 'probe', 0, hex(randomblob(?1)))";
    db.prepare_cached(weigh)?.execute([PROBE / 2])?;
    probe(db)
}
