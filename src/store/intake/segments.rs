//! The intake on disk: files of fixed size, filled one after the other, used again when all in them is in the log.
//!
//! Their room is written before it is needed, so that a sync has nothing but the records to carry to the disk. A record is
//! its length, its checksum, its number and its bytes. Numbers rise by one, so whatever an earlier use of the file left
//! behind the last record cannot be taken for the next one.

mod reading;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use rustix::{fs::OFlags, io::Errno};

#[cfg(test)]
pub(super) use self::reading::read_at;
pub(super) use self::reading::{Found, Known, Left, Lost};

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

/// What the files begin with that are kept because they are damaged; a number follows.
const DAMAGED: &str = "intake-damaged-";

/// Which record it is. Copies of a state directory count on alike, so its number alone does not tell; the checksum does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct RecordId {
    /// 0: none.
    pub number: u64,
    pub sum: u32,
}

struct Segment {
    path: PathBuf,
    file: File,
    size: u64,
    /// Where the next record goes.
    end: u64,
    /// The number of its last record, 0 without one.
    last: u64,
    /// Something stands there that cannot be read.
    is_broken: bool,
    /// It has another name too, under which it is kept: nothing is written there any more.
    is_kept: bool,
    /// It could not be read or written everywhere: nor there.
    is_bad: bool,
}

/// All files of a state directory; the last one is being filled.
pub(super) struct Segments {
    dir: PathBuf,
    all: Vec<Segment>,
    /// The number of the next record.
    next: u64,
    skipped: Option<(u64, u64)>,
    /// One that is being made, so that nobody waits for it when this one is full.
    making: Option<JoinHandle<io::Result<Segment>>>,
}

/// A record in two parts.
pub(super) type Record<'a> = [&'a [u8]; 2];

impl Segments {
    /// Opens what is there, and gives what the log does not have. Files in which some of that is missing are kept under
    /// another name, and not written to.
    pub(super) fn open(dir: &Path, known: &Known) -> Result<(Self, Left), StoreError> {
        let mut all = vec![];
        for name in names() {
            let path = dir.join(name);
            all.extend(Segment::open(&path).map_err(|error| unusable(&path, &error))?);
        }
        if !all.is_empty() {
            files::sync_dir(dir).map_err(|error| StoreError::io(dir, &error))?;
        }
        let mut left = reading::read(&mut all, known)?;
        all.sort_by_key(|segment| segment.last);
        left.kept = keep(dir, &mut all, &left.lost)?;
        let (entered, last) = (known.entered.number, all.last().map_or(0, |segment| segment.last));
        let skipped = (entered > last).then_some((last, entered));
        for (at, segment) in (1..=all.len()).rev().zip(&mut all) {
            // Where the next number does not follow the last one there, nobody would find what came behind it.
            if segment.is_over() || at == 1 && skipped.is_some() {
                segment.end = segment.size;
            }
        }
        Ok((Self { dir: dir.to_owned(), all, next: entered.max(last) + 1, skipped, making: None }, left))
    }

    /// What is written into its file from now on fails.
    #[cfg(test)]
    pub(super) fn spoil_last(&mut self) {
        let last = self.all.last_mut().expect("a file");
        last.file = File::open(&last.path).expect("open");
    }

    /// Numbers that are those of no record: behind the first and up to the second.
    pub(super) fn skipped(&self) -> Option<(u64, u64)> {
        self.skipped
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
        if self.all.last().is_none_or(Segment::is_over)
            && let Err(error) = self.add(0)
        {
            tracing::warn!(%error, "no room for deliveries could be made ready: {error}");
        }
    }

    /// Tries whether a record of so many bytes could be appended: makes room if there is none, and writes where the next
    /// one goes what is none. `None`: as with [`append`](Self::append).
    pub(super) fn try_out(&mut self, bytes: u64, safe: u64) -> Result<Option<()>, StoreError> {
        let bytes = bytes.max(HEAD_BYTES);
        if self.all.last().is_none_or(|segment| segment.room() < bytes) && !self.turn_over(bytes, safe)? {
            return Ok(None);
        }
        let tried = self
            .all
            .last()
            .map_or(Ok(()), |segment| segment.try_out().map_err(|error| StoreError::io(&segment.path, &error)));
        tried.map(Some)
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
        let was_bad = self.is_last_bad();
        match self.append_there(records, safe) {
            // It may be this one place of the disk.
            Err(error) if self.is_last_bad() && !was_bad => {
                let appended = self.append_there(records, safe);
                if matches!(appended, Ok(Some(_))) {
                    tracing::error!(%error, "deliveries go on in another file: {error}");
                }
                appended
            }
            appended => appended,
        }
    }

    fn is_last_bad(&self) -> bool {
        self.all.last().is_some_and(|segment| segment.is_bad)
    }

    fn append_there(&mut self, records: &[Record<'_>], safe: u64) -> Result<Option<Vec<RecordId>>, StoreError> {
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
        let end = segment.end + length(&bytes);
        if end + HEAD_BYTES <= segment.size {
            // By that it is seen that nothing of this use of the file follows.
            bytes.extend_from_slice(&[0; HEAD]);
        }
        segment.write(&bytes, end).map_err(|error| StoreError::io(&segment.path, &error))?;
        segment.last = appended.last().map_or(segment.last, |last| last.number);
        self.next = segment.last + 1;
        Ok(Some(appended))
    }

    /// Goes on in another file with room for so many bytes; `false` if there is none and no more may be made.
    fn turn_over(&mut self, bytes: u64, safe: u64) -> Result<bool, StoreError> {
        let free = |segment: &Segment| segment.last <= safe;
        let fits = |segment: &Segment| free(segment) && !segment.is_over() && segment.size >= bytes;
        if let Some(at) = self.all.iter().position(fits) {
            let segment = self.all.remove(at);
            self.all.push(Segment { end: 0, last: 0, ..segment });
            self.let_go(safe);
            return Ok(true);
        }
        // Those that are free are too small.
        while self.all.len() >= FILES
            && let Some(at) = self.all.iter().position(|segment| free(segment) && is_deleted(&segment.path))
        {
            self.all.remove(at);
        }
        if self.all.len() >= FILES {
            return Ok(false);
        }
        self.add(bytes).map(|()| true)
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
                let about = file.metadata()?;
                let (size, is_kept) = (about.len(), about.nlink() > 1);
                let path = path.to_owned();
                Ok(Some(Self { path, file, size, end: 0, last: 0, is_broken: false, is_kept, is_bad: false }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Half a file is of no use: the room is given back.
    fn make(path: PathBuf, size: u64) -> io::Result<Self> {
        let file = Self::fill(&path, size).inspect_err(|_| drop(fs::remove_file(&path)))?;
        Ok(Self { path, file, size, end: 0, last: 0, is_broken: false, is_kept: false, is_bad: false })
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

    /// Whether these may have stood there.
    fn lacks(&self, lost: &Lost) -> bool {
        self.is_broken || self.is_bad || self.last > 0 && self.last == lost.after
    }

    /// Nothing more is written there.
    fn is_over(&self) -> bool {
        self.is_kept || self.is_bad
    }

    fn room(&self) -> u64 {
        self.size - self.end
    }

    /// Writes at its end, which is there afterwards.
    fn write(&mut self, bytes: &[u8], end: u64) -> io::Result<()> {
        let written = self.write_here(bytes);
        match &written {
            Ok(()) => self.end = end,
            Err(error) => {
                // Without an answer it is no record, if that can still be said there.
                let is_clear =
                    self.file.write_all_at(&vec![0; bytes.len()], self.end).and_then(|()| self.file.sync_data());
                if !is_full(error) || is_clear.is_err() {
                    (self.end, self.is_bad) = (self.size, true);
                }
            }
        }
        written
    }

    fn write_here(&self, bytes: &[u8]) -> io::Result<()> {
        crash::passing(Point::BeforeAppend);
        self.file.write_all_at(bytes, self.end)?;
        crash::passing(Point::BeforeSync);
        self.file.sync_data()?;
        crash::passing(Point::AfterSync);
        Ok(())
    }

    fn try_out(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; HEAD], self.end)?;
        self.file.sync_data()
    }
}

/// Gives the files in which some is missing another name, under which they stay when nobody here needs them any more.
fn keep(dir: &Path, all: &mut [Segment], lost: &[Lost]) -> Result<Vec<PathBuf>, StoreError> {
    let mut kept = vec![];
    let is_missing = |segment: &Segment| lost.iter().any(|lost| lost.is_taken && segment.lacks(lost));
    for segment in all.iter_mut().filter(|segment| !segment.is_kept && is_missing(segment)) {
        match keep_one(dir, &segment.path) {
            Ok(path) => {
                segment.is_kept = true;
                kept.push(path);
            }
            Err(error) => {
                tracing::error!("{} is damaged and could not be kept: {error}", segment.path.display());
            }
        }
    }
    if !kept.is_empty() {
        files::sync_dir(dir).map_err(|error| StoreError::io(dir, &error))?;
    }
    Ok(kept)
}

fn keep_one(dir: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let name = dir.join(format!("{DAMAGED}{number}"));
        match fs::hard_link(path, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            linked => return linked.map(|()| name),
        }
    }
}

/// The damaged files that are kept in a state directory.
pub(super) fn damaged_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let is_damaged = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(DAMAGED));
    let files = fs::read_dir(dir)?.map(|file| file.map(|file| file.path()));
    let mut damaged = files.collect::<io::Result<Vec<_>>>()?;
    damaged.retain(is_damaged);
    damaged.sort();
    Ok(damaged)
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

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
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
pub(super) fn framed(record: &Record<'_>) -> u64 {
    record.iter().map(|part| length(part)).sum::<u64>() + HEAD_BYTES
}

pub(super) fn frame(to: &mut Vec<u8>, number: u64, record: &Record<'_>) -> RecordId {
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
