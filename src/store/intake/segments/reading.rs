//! Reading the files back at a start: what stands behind the log's last record, also behind what is damaged, and what is
//! missing there.
//!
//! A record that was written half before the power went was never answered, and ends its file like one of an earlier use.
//! One that is not the last, or that is known to have been answered, is missing.

use std::{io, os::unix::fs::FileExt, path::PathBuf};

use rustix::io::Errno;

use super::{super::super::StoreError, HEAD, HEAD_BYTES, RecordId, Segment, checksum, length};
use crate::core::words::count;

/// What a disk can read at least, or not.
const SECTOR: u64 = 4096;
/// Numbers of records are smaller: the log could not note others.
const LARGEST: u64 = 1 << 48;

/// What is known of the records before they are read.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store::intake) struct Known {
    /// The last one in the log.
    pub entered: RecordId,
    /// Its checksum is not known, but its number is one of this intake.
    pub is_numbered: bool,
    /// They were entered into this very log before.
    pub is_same_log: bool,
    /// It had all up to this number when it was told to go on from an earlier one; else 0.
    pub had: u64,
    /// The number of the last one that was answered; 0: not known.
    pub taken: u64,
    /// Numbers behind the first and up to the second are those of no record.
    pub skipped: (u64, u64),
}

/// A record that was read back.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store::intake) struct Found {
    pub id: RecordId,
    pub bytes: Vec<u8>,
}

/// Records that are missing.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store::intake) struct Lost {
    /// The number of the one before them.
    pub after: u64,
    pub count: u64,
    /// What stands in their place, where something does.
    pub bytes: Vec<u8>,
    /// They were answered; else that is not known.
    pub is_taken: bool,
}

impl Lost {
    pub(in crate::store::intake) fn words(&self) -> String {
        let perhaps = if self.is_taken { "" } else { "perhaps " };
        let (one, many) = (format!("delivery that was {perhaps}taken"), format!("deliveries that were {perhaps}taken"));
        let deliveries = count(usize::try_from(self.count).unwrap_or(usize::MAX), &one, &many);
        // What was never answered may be cut off by a loss of power, as it should be.
        let is_damaged = self.is_taken && !self.bytes.is_empty();
        let damaged = if is_damaged { ": what stands in the intake is damaged" } else { "" };
        format!("{deliveries} cannot be read back{damaged}")
    }
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub(in crate::store::intake) struct Left {
    /// The records behind the log's last one, the oldest first. Where that is not there, these files and whoever tells of
    /// it may have nothing in common, and all of them.
    pub found: Vec<Found>,
    pub lost: Vec<Lost>,
    /// The log's last one is there, so it has none of these.
    pub is_there: bool,
    /// The number of the last one that is in the log, as far as these files go.
    pub before: u64,
    /// What damaged files were kept as.
    pub kept: Vec<PathBuf>,
}

/// What is read of the records that are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Their heads alone: a length may be wrong, and what follows then not found.
    Heads,
    Whole,
}

#[derive(Default)]
struct Reading {
    found: Vec<Found>,
    is_there: bool,
    /// A record ends a file that is not as it was written.
    is_torn: bool,
    /// What stands between two records of a file, with the numbers of both; 0 before the first.
    between: Vec<(u64, u64, Vec<u8>)>,
}

/// Reads all files, also what stands behind what cannot be read.
pub(super) fn read(all: &mut [Segment], known: &Known) -> Result<Left, StoreError> {
    let mut reading = read_as_known(all, known, Depth::Heads)?;
    if reading.is_torn || !reading.is_there || !reading.between.is_empty() || !reading.missing(known).is_empty() {
        reading = read_as_known(all, known, Depth::Whole)?;
    }
    let (lost, before) = (reading.missing(known), reading.before(known));
    Ok(Left { lost, before, is_there: reading.is_there, found: reading.found, kept: vec![] })
}

fn read_as_known(all: &mut [Segment], known: &Known, depth: Depth) -> Result<Reading, StoreError> {
    let reading = read_all(all, known, depth)?;
    if reading.is_there {
        return Ok(reading);
    }
    let none = Known { entered: RecordId::default(), ..*known };
    Ok(Reading { is_there: false, ..read_all(all, &none, depth)? })
}

fn read_all(all: &mut [Segment], known: &Known, depth: Depth) -> Result<Reading, StoreError> {
    let mut reading = Reading { is_there: known.entered.number == 0, ..Reading::default() };
    for segment in all {
        segment.read(known, depth, &mut reading).map_err(|error| StoreError::io(&segment.path, &error))?;
    }
    reading.found.sort_by_key(|record| (record.id.number, record.id.sum));
    // One that was not answered may have gone into two files.
    reading.found.dedup_by_key(|record| record.id);
    Ok(reading)
}

impl Reading {
    /// Up to which number nothing is missing, whatever was read.
    fn before(&self, known: &Known) -> u64 {
        let (entered, first) = (known.entered.number, self.found.first().map(|first| first.id.number - 1));
        match first {
            _ if self.is_there && entered > 0 => entered,
            Some(first) if known.is_same_log => first.min(entered),
            Some(first) => first,
            None if known.is_same_log => entered,
            // Of another log, and without a record, nothing can be told.
            None => entered.max(known.taken),
        }
    }

    fn missing(&self, known: &Known) -> Vec<Lost> {
        let mut before = self.before(known);
        if known.is_same_log {
            // What it has is not missing, whatever became of the records.
            before = before.max(known.entered.number).max(known.had);
        }
        let (numbers, end) = (self.found.iter().map(|found| found.id.number), known.taken.saturating_add(1));
        let mut lost = vec![];
        for number in numbers.chain([end]) {
            let (count, between) = (known.given(before, number), self.between(before, number));
            // Between two files stood what another log may have, as its room was used again.
            if count > 0 && (known.is_same_log || between.is_some() || number == end) {
                let (bytes, is_taken) = (between.unwrap_or_default().to_owned(), before < known.taken);
                lost.push(Lost { after: before, count, bytes, is_taken });
            }
            before = before.max(number);
        }
        lost
    }

    /// What stands in a file between two records.
    fn between(&self, before: u64, number: u64) -> Option<&[u8]> {
        let fits = |(from, to, _): &&(u64, u64, Vec<u8>)| (*from == before || *from == 0) && *to == number;
        self.between.iter().find(fits).map(|(_, _, bytes)| &**bytes)
    }
}

impl Known {
    /// How many numbers between two were those of a record.
    fn given(&self, before: u64, number: u64) -> u64 {
        let between = number.saturating_sub(before).saturating_sub(1);
        let (from, to) = (before.max(self.skipped.0), (number - 1).min(self.skipped.1));
        between.saturating_sub(to.saturating_sub(from))
    }

    fn is_entered(&self, id: RecordId) -> bool {
        id == self.entered || self.is_numbered && id.number == self.entered.number
    }
}

impl Segment {
    /// Finds its end. The records behind the log's last one are read and checked, of those before only that they follow
    /// each other. What is found is synced: a run that was killed may not have come to that.
    fn read(&mut self, known: &Known, depth: Depth, reading: &mut Reading) -> io::Result<()> {
        (self.end, self.last, self.is_broken) = (0, 0, false);
        let before = reading.found.len();
        loop {
            while self.read_next(known, depth, reading)? {}
            let is_over = depth == Depth::Heads && self.ends_as_written()?;
            if is_over || !self.look_on(known, reading)? {
                break;
            }
        }
        if reading.found.len() > before {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Reads what stands at its end; `false`: that is not the next record.
    fn read_next(&mut self, known: &Known, depth: Depth, reading: &mut Reading) -> io::Result<bool> {
        let Some((size, id)) = self.head()? else { return Ok(false) };
        let is_behind = id.number > known.entered.number;
        // Its length may be wrong.
        let is_checked = id.number >= known.entered.number || depth == Depth::Whole;
        reading.is_there |= known.is_entered(id);
        let bytes = if is_checked { self.bytes(size)? } else { vec![] };
        if is_checked && checksum(id.number, [&bytes, &[]]) != id.sum {
            reading.is_torn = true;
            return Ok(false);
        }
        self.end += u64::from(size) + HEAD_BYTES;
        self.last = id.number;
        if is_behind {
            reading.found.push(Found { id, bytes });
        }
        Ok(true)
    }

    /// Goes on to the next record behind what cannot be read: the one right behind a record whose body is damaged; else one
    /// that is known to have been answered; else any, as after a loss of power the latest of those are not known. The order
    /// is for what looks like a record and stands in the body of another one.
    fn look_on(&mut self, known: &Known, reading: &mut Reading) -> io::Result<bool> {
        let damaged = self.head()?;
        let mut rest = vec![0; usize::try_from(self.room()).unwrap_or_default()];
        self.is_bad |= !read_at(&self.file, &mut rest, self.end)?;
        let sound = |at: usize, most: u64| {
            let (head, bytes): (&[u8; HEAD], _) = rest.get(at..)?.split_first_chunk()?;
            let (size, id) = Self::told_by(head);
            let may_be = size > 0 && id.number > self.last && id.number <= most;
            let bytes = bytes.get(..usize::try_from(size).ok()?).filter(|_| may_be)?;
            (checksum(id.number, [bytes, &[]]) == id.sum).then_some((at, id.number))
        };
        let told_end = damaged.map_or(0, |(size, _)| HEAD + usize::try_from(size).unwrap_or_default());
        let next = damaged.map_or(0, |(_, id)| id.number.saturating_add(1));
        // The least room for those between.
        let fits = |at: usize| match self.last {
            0 => LARGEST,
            last => last.saturating_add(1 + length(rest.get(..at).unwrap_or_default()) / (HEAD_BYTES + 1)),
        };
        let end = written(&rest);
        let found = sound(told_end, next).filter(|(_, number)| *number == next);
        let found = found.or_else(|| (0..end).find_map(|at| sound(at, fits(at).min(known.taken))));
        let found = found.or_else(|| (0..end).find_map(|at| sound(at, fits(at))));
        let Some((at, number)) = found else {
            self.is_broken |= self.last == 0 && rest.iter().take(HEAD).any(|byte| *byte != 0);
            return Ok(false);
        };
        let between = rest.get(..at).unwrap_or_default().to_owned();
        self.is_broken |= !between.is_empty();
        self.end += length(&between);
        reading.between.push((self.last, number, between));
        self.last = number - 1;
        Ok(true)
    }

    /// Nothing of this use of the file follows.
    fn ends_as_written(&self) -> io::Result<bool> {
        let mut head = [0; HEAD];
        Ok(self.room() < HEAD_BYTES || read_at(&self.file, &mut head, self.end)? && head == [0; HEAD])
    }

    /// The length of what stands at its end, and which record it is, if it may be the next one.
    fn head(&self) -> io::Result<Option<(u32, RecordId)>> {
        let mut head = [0; HEAD];
        if self.room() < HEAD_BYTES {
            return Ok(None);
        }
        // Of one that cannot be read the length is 0.
        read_at(&self.file, &mut head, self.end)?;
        let (size, id) = Self::told_by(&head);
        let follows = id.number > 0 && (self.last == 0 || id.number == self.last + 1);
        let fits = size > 0 && HEAD_BYTES + u64::from(size) <= self.room();
        Ok((follows && fits).then_some((size, id)))
    }

    fn told_by(head: &[u8; HEAD]) -> (u32, RecordId) {
        let [l0, l1, l2, l3, s0, s1, s2, s3, number @ ..] = *head;
        let (size, sum) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([s0, s1, s2, s3]));
        (size, RecordId { number: u64::from_le_bytes(number), sum })
    }

    fn bytes(&self, size: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        read_at(&self.file, &mut bytes, self.end + HEAD_BYTES)?;
        Ok(bytes)
    }
}

/// Reads what stands there; `false`: some of it cannot be read by the disk, and is zeros.
pub(in crate::store::intake) fn read_at(file: &impl FileExt, bytes: &mut [u8], at: u64) -> io::Result<bool> {
    let is_bad = |error: &io::Error| error.raw_os_error() == Some(Errno::IO.raw_os_error());
    match file.read_exact_at(bytes, at) {
        Err(error) if is_bad(&error) => {}
        read => return read.map(|()| true),
    }
    let (mut rest, mut at) = (bytes, at);
    while !rest.is_empty() {
        let to_the_next = usize::try_from(SECTOR - at % SECTOR).unwrap_or(usize::MAX);
        let (part, behind) = rest.split_at_mut(to_the_next.min(rest.len()));
        match file.read_exact_at(part, at) {
            Err(error) if is_bad(&error) => part.fill(0),
            read => read?,
        }
        at += length(part);
        rest = behind;
    }
    Ok(false)
}

/// Up to where anything was ever written: the rest is room.
fn written(bytes: &[u8]) -> usize {
    const PART: usize = 4096;
    let zeros = [0; PART];
    let last = bytes.chunks(PART).rposition(|part| zeros.get(..part.len()) != Some(part));
    last.map_or(0, |last| (last + 1) * PART).min(bytes.len())
}
