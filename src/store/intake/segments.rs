//! The intake on disk: files of fixed size, filled one after the other, used again when all in them is in the log.
//!
//! Their room is written before it is needed, so that a sync has nothing but the records to carry to the disk. A record is
//! its length, its checksum, its number and its bytes. Numbers rise by one, so whatever an earlier use of the file left
//! behind the last record cannot be taken for the next one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use rustix::{fs::OFlags, io::Errno};

use super::super::{
    StoreError,
    crash::{self, Point},
    files,
};

/// Bytes of one file, unless a record is larger or the disk is small.
const SIZE: u64 = 8 * 1024 * 1024;
/// A small disk is not filled with room that is not needed yet.
const SMALLEST: u64 = 256 * 1024;
/// The share of the free room that a file may take.
const SHARE: u64 = 16;
/// Files at most: a bound on what waits to be entered.
const FILES: usize = 8;
/// What all of them hold at least.
pub(super) const LEAST: u64 = SMALLEST * FILES as u64;
/// Free ones that are kept for use.
const SPARE: usize = 1;
/// Bytes before those of a record.
const HEAD: usize = 16;
const HEAD_BYTES: u64 = HEAD as u64;

/// Which record it is. Copies of a state directory count on alike, so its number alone does not tell; the checksum does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct RecordId {
    /// 0: none.
    pub number: u64,
    pub sum: u32,
}

/// A record that was read back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub id: RecordId,
    pub bytes: Vec<u8>,
}

struct Segment {
    path: PathBuf,
    file: File,
    size: u64,
    /// Where the next record goes.
    end: u64,
    /// The number of its last record, 0 without one.
    last: u64,
}

/// All files of a state directory; the last one is being filled.
pub(super) struct Segments {
    dir: PathBuf,
    all: Vec<Segment>,
    /// The number of the next record.
    next: u64,
    /// One that is being made, so that nobody waits for it when this one is full.
    making: Option<JoinHandle<io::Result<Segment>>>,
}

/// A record in two parts.
pub(super) type Record<'a> = [&'a [u8]; 2];

impl Segments {
    /// Opens what is there, and gives every record behind `entered`, the oldest first. Where that is not there, these files
    /// and whoever tells of it may have nothing in common, and every record is given.
    pub(super) fn open(dir: &Path, entered: RecordId) -> Result<(Self, Vec<Found>), StoreError> {
        Self::open_where(dir, entered, entered.number == 0)
    }

    /// The same, where it is known otherwise that the record of that number is the one.
    pub(super) fn open_behind(dir: &Path, entered: u64) -> Result<(Self, Vec<Found>), StoreError> {
        Self::open_where(dir, RecordId { number: entered, sum: 0 }, true)
    }

    fn open_where(dir: &Path, entered: RecordId, is_there: bool) -> Result<(Self, Vec<Found>), StoreError> {
        let mut all = vec![];
        for name in names() {
            let path = dir.join(name);
            all.extend(Segment::open(&path).map_err(|error| unusable(&path, &error))?);
        }
        if !all.is_empty() {
            files::sync_dir(dir).map_err(|error| StoreError::io(dir, &error))?;
        }
        let mut found = match read_behind(&mut all, entered, is_there)? {
            Some(found) => found,
            None => read_behind(&mut all, RecordId::default(), true)?.unwrap_or_default(),
        };
        all.sort_by_key(|segment| segment.last);
        found.sort_by_key(|record| record.id.number);
        let last = all.last().map_or(0, |segment| segment.last);
        if let Some(current) = all.last_mut().filter(|_| entered.number > last) {
            // The next number does not follow the last one there, so nobody would find what came behind it.
            current.end = current.size;
        }
        Ok((Self { dir: dir.to_owned(), all, next: entered.number.max(last) + 1, making: None }, found))
    }

    /// Bytes of all files that there may be.
    pub(super) fn whole_room(&self) -> usize {
        usize::try_from(usual_size(&self.dir)).unwrap_or(usize::MAX).saturating_mul(FILES)
    }

    /// The number of the last record.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Makes room for the first records, if there is none yet. Without room on the disk the first record tells.
    pub(super) fn prepare(&mut self) {
        if self.all.is_empty()
            && let Err(error) = self.add(0)
        {
            tracing::warn!(%error, "no room for deliveries could be made ready: {error}");
        }
    }

    /// Tries whether a record could be appended: makes room if there is none, and writes where the next one goes what is
    /// none.
    pub(super) fn try_out(&mut self, safe: u64) -> Result<(), StoreError> {
        if self.all.last().is_none_or(|segment| segment.room() < HEAD_BYTES) && !self.turn_over(HEAD_BYTES, safe)? {
            return Err(StoreError::Busy);
        }
        self.all
            .last()
            .map_or(Ok(()), |segment| segment.try_out().map_err(|error| StoreError::io(&segment.path, &error)))
    }

    /// Has another file made where the one being filled is half full and none is free. Whether that works shows when it is
    /// needed.
    pub(super) fn make_ready(&mut self, safe: u64) {
        let Some((current, others)) = self.all.split_last() else { return };
        let is_needed = current.room() < current.size / 2 && others.iter().all(|segment| segment.last > safe);
        if is_needed
            && self.making.is_none()
            && let Some(path) = self.free_path()
        {
            let size = usual_size(&self.dir);
            self.making = thread::Builder::new().name("room".to_owned()).spawn(move || Segment::make(path, size)).ok();
        }
    }

    /// Writes as many of `records` as fit into one file, at least one, and syncs them; says which these are. `None`:
    /// all files are full of what is not safely in the log, which reaches to `safe`. After an error none of them counts.
    pub(super) fn append(&mut self, records: &[Record<'_>], safe: u64) -> Result<Option<Vec<RecordId>>, StoreError> {
        let Some(first) = records.first() else { return Ok(Some(vec![])) };
        let first = framed(first);
        if self.all.last().is_none_or(|segment| segment.room() < first) && !self.turn_over(first, safe)? {
            return Ok(None);
        }
        let next = self.next;
        let Some(segment) = self.all.last_mut() else { return Ok(None) };
        let (mut bytes, mut appended) = (vec![], vec![]);
        for (number, record) in (next..).zip(records) {
            if length(&bytes) + framed(record) > segment.room() {
                break;
            }
            appended.push(frame(&mut bytes, number, record));
        }
        segment.write(&bytes).map_err(|error| StoreError::io(&segment.path, &error))?;
        segment.last = appended.last().map_or(segment.last, |last| last.number);
        self.next = segment.last + 1;
        Ok(Some(appended))
    }

    /// Goes on in another file with room for so many bytes; `false` if there is none and no more may be made.
    fn turn_over(&mut self, bytes: u64, safe: u64) -> Result<bool, StoreError> {
        let free = |segment: &Segment| segment.last <= safe;
        match self.all.iter().position(|segment| free(segment) && segment.size >= bytes) {
            Some(at) => {
                let segment = self.all.remove(at);
                self.all.push(Segment { end: 0, last: 0, ..segment });
                self.let_go(safe);
            }
            None if self.all.len() < FILES => self.add(bytes)?,
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Deletes what a flood needed, the oldest first: by the last record that is in the log it is seen that this follows.
    fn let_go(&mut self, safe: u64) {
        let current = self.all.len() - 1;
        let free = |segment: &Segment| segment.last <= safe;
        let mut more = self.all.iter().take(current).filter(|segment| free(segment)).count().saturating_sub(SPARE);
        self.all.retain(|segment| {
            let stays = more == 0 || !free(segment);
            more -= usize::from(!stays);
            // One that cannot be deleted is found at the next start.
            stays || !is_deleted(&segment.path)
        });
    }

    fn add(&mut self, bytes: u64) -> Result<(), StoreError> {
        let ready = self.making.take().and_then(|making| making.join().ok()).and_then(Result::ok);
        let made = match (ready.filter(|segment| segment.size >= bytes), self.free_path()) {
            (Some(segment), _) => segment,
            (None, Some(path)) => Segment::make(path.clone(), bytes.max(usual_size(&self.dir)))
                .map_err(|error| unusable(&path, &error))?,
            (None, None) => return Err(StoreError::Busy),
        };
        // Before it counts: a file without a name is not there after a loss of power.
        files::sync_dir(&self.dir).map_err(|error| StoreError::io(&self.dir, &error))?;
        self.all.push(made);
        Ok(())
    }

    fn free_path(&self) -> Option<PathBuf> {
        let taken: Vec<_> = self.all.iter().map(|segment| &segment.path).collect();
        names().map(|name| self.dir.join(name)).find(|path| !taken.contains(&path))
    }
}

impl Segment {
    /// `None`: there is none.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        match plain().read(true).write(true).open(path) {
            Ok(file) => {
                let size = file.metadata()?.len();
                Ok(Some(Self { path: path.to_owned(), file, size, end: 0, last: 0 }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Half a file is of no use: the room is given back.
    fn make(path: PathBuf, size: u64) -> io::Result<Self> {
        let file = Self::fill(&path, size).inspect_err(|_| drop(fs::remove_file(&path)))?;
        Ok(Self { path, file, size, end: 0, last: 0 })
    }

    fn fill(path: &Path, size: u64) -> io::Result<File> {
        let mut file = plain().read(true).write(true).create(true).truncate(true).open(path)?;
        let zeros = vec![0; 256 * 1024];
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        while left > 0 {
            let some = left.min(zeros.len());
            file.write_all(zeros.get(..some).unwrap_or(&zeros))?;
            left -= some;
        }
        file.sync_all()?;
        Ok(file)
    }

    fn room(&self) -> u64 {
        self.size - self.end
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        crash::passing(Point::BeforeAppend);
        self.file.write_all_at(bytes, self.end)?;
        crash::passing(Point::BeforeSync);
        self.file.sync_data()?;
        crash::passing(Point::AfterSync);
        self.end += length(bytes);
        Ok(())
    }

    fn try_out(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; HEAD], self.end)?;
        self.file.sync_data()
    }

    /// Finds its end. The records behind `entered` are read and checked, for those before that they follow each other.
    /// What is found is synced: a run that was killed may not have come to that. Says whether `entered` is there.
    fn read(&mut self, entered: RecordId, found: &mut Vec<Found>) -> io::Result<bool> {
        (self.end, self.last) = (0, 0);
        let (before, mut is_there) = (found.len(), false);
        while let Some((size, id)) = self.head()? {
            let is_behind = id.number > entered.number;
            let bytes = if is_behind { self.bytes(size)? } else { vec![] };
            if is_behind && checksum(id.number, [&bytes, &[]]) != id.sum {
                break;
            }
            self.end += u64::from(size) + HEAD_BYTES;
            self.last = id.number;
            is_there |= id == entered;
            if is_behind {
                found.push(Found { id, bytes });
            }
        }
        if found.len() > before {
            self.file.sync_data()?;
        }
        Ok(is_there)
    }

    /// The length of what stands at its end, and which record it is, if it may be the next one.
    fn head(&self) -> io::Result<Option<(u32, RecordId)>> {
        let mut head = [0; HEAD];
        if self.room() < HEAD_BYTES {
            return Ok(None);
        }
        self.file.read_exact_at(&mut head, self.end)?;
        let [l0, l1, l2, l3, s0, s1, s2, s3, number @ ..] = head;
        let (size, sum) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([s0, s1, s2, s3]));
        let number = u64::from_le_bytes(number);
        let follows = number > 0 && (self.last == 0 || number == self.last + 1);
        let fits = size > 0 && HEAD_BYTES + u64::from(size) <= self.room();
        Ok((follows && fits).then_some((size, RecordId { number, sum })))
    }

    fn bytes(&self, size: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        self.file.read_exact_at(&mut bytes, self.end + HEAD_BYTES)?;
        Ok(bytes)
    }
}

/// The records behind `entered`; `None`: that is in none of them, and not known to have been.
fn read_behind(all: &mut [Segment], entered: RecordId, mut is_there: bool) -> Result<Option<Vec<Found>>, StoreError> {
    let mut found = vec![];
    for segment in all {
        is_there |= segment.read(entered, &mut found).map_err(|error| StoreError::io(&segment.path, &error))?;
    }
    Ok(is_there.then_some(found))
}

/// Whether it is gone now, by whomever.
fn is_deleted(path: &Path) -> bool {
    fs::remove_file(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

fn names() -> impl Iterator<Item = String> {
    (1..=FILES).map(|number| format!("{}-{number}", super::NAME))
}

/// Why a file cannot be opened or made.
pub(super) fn unusable(path: &Path, error: &io::Error) -> StoreError {
    if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
        return StoreError::Unsafe { path: path.display().to_string(), reason: "is a link: move it away".to_owned() };
    }
    StoreError::io(path, error)
}

/// Ours alone, and never through a link.
pub(super) fn plain() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// What a new file may take of the disk.
fn usual_size(dir: &Path) -> u64 {
    let free = rustix::fs::statvfs(dir).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    (free / SHARE).clamp(SMALLEST, SIZE)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Bytes that a record takes.
fn framed(record: &Record<'_>) -> u64 {
    record.iter().map(|part| length(part)).sum::<u64>() + HEAD_BYTES
}

fn frame(to: &mut Vec<u8>, number: u64, record: &Record<'_>) -> RecordId {
    let sum = checksum(number, *record);
    let size = u32::try_from(framed(record) - HEAD_BYTES).unwrap_or(u32::MAX);
    to.extend_from_slice(&size.to_le_bytes());
    to.extend_from_slice(&sum.to_le_bytes());
    to.extend_from_slice(&number.to_le_bytes());
    for part in record {
        to.extend_from_slice(part);
    }
    RecordId { number, sum }
}

fn checksum(number: u64, record: Record<'_>) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    for part in record {
        sum.update(part);
    }
    sum.finalize()
}
