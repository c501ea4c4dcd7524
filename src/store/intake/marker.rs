//! What stands beside the files of the intake: how far it is, for other processes, and what the next start has to know.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{super::StoreError, segments};

/// Where in it the number stands that an earlier version of dogwatch gave an intake.
const OWN: u64 = 8;
/// Where the notes stand, and how many numbers they are.
const NOTES: u64 = 16;
const NUMBERS: usize = 5;
/// Bits of a number; those above check it, where they are not 0, as an earlier version of dogwatch left them.
const BITS: u32 = 48;

/// Tells other processes how far it is, so that whoever looks at the log there can wait for what was answered before: the
/// number of its last record.
///
/// It is written after the records are synced, and not synced itself: what it tells was taken, but after a loss of power
/// more may have been.
pub(super) struct Marker {
    pub path: PathBuf,
    file: File,
    /// Records were taken since it began.
    is_set: Mutex<bool>,
}

/// What a start notes for the next ones. Synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// The log that its records are entered into; 0: not known.
    pub store: u64,
    /// Numbers behind the first one and up to the second are those of no record.
    pub skipped: (u64, u64),
    /// Records up to this one may stand in the log already, wherever that goes on.
    pub doubted: u64,
    /// The log had all up to this one before it was told to go on from an earlier one.
    pub had: u64,
}

impl Marker {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(super::NAME);
        let file = segments::plain().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| segments::unusable(&path, &error))?;
        Ok(Self { path, file, is_set: Mutex::default() })
    }

    /// The number that earlier versions of dogwatch gave an intake, and noted in the log that followed it; 0: none.
    pub(super) fn own(&self) -> u64 {
        self.numbers::<1>(OWN)[0]
    }

    pub(super) fn taken(&self) -> u64 {
        checked(self.numbers::<1>(0)[0])
    }

    pub(super) fn notes(&self) -> Notes {
        let [store, from, to, doubted, had] = self.numbers::<NUMBERS>(NOTES);
        Notes { store, skipped: (from, to), doubted, had }
    }

    pub(super) fn set(&self, taken: u64) {
        let mut is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        *is_set = true;
        self.write(taken);
    }

    /// Those that are missing behind this one are told.
    pub(super) fn told(&self, taken: u64) {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_set {
            self.write(taken);
        }
    }

    /// When this fails, they do not wait.
    fn write(&self, taken: u64) {
        let _ = self.file.write_all_at(&(taken | check(taken) << BITS).to_le_bytes(), 0);
    }

    /// Begins anew at a start. When this fails, the next one may tell what this one told.
    pub(super) fn begin(&self, taken: u64, notes: Notes) {
        if (self.taken(), self.notes()) == (taken, notes) {
            return;
        }
        let numbers = [notes.store, notes.skipped.0, notes.skipped.1, notes.doubted, notes.had];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        self.write(taken);
        let _ = self.file.write_all_at(&bytes, NOTES).and_then(|()| self.file.sync_data());
    }

    fn numbers<const N: usize>(&self, at: u64) -> [u64; N] {
        let mut numbers = [0; N];
        for (number, place) in numbers.iter_mut().zip((at..).step_by(8)) {
            let mut bytes = [0; 8];
            *number = self.file.read_exact_at(&mut bytes, place).map_or(0, |()| u64::from_le_bytes(bytes));
        }
        numbers
    }
}

/// The number of the last record that was taken in a state directory, by whichever process; 0: none, or not known.
pub(in crate::store) fn taken_in(dir: &Path) -> u64 {
    let bytes = fs::read(dir.join(super::NAME)).unwrap_or_default();
    bytes.first_chunk().map_or(0, |taken| checked(u64::from_le_bytes(*taken)))
}

fn check(number: u64) -> u64 {
    u64::from(crc32fast::hash(&number.to_le_bytes()) >> 16)
}

/// The number that was written; 0 if that is damaged.
fn checked(written: u64) -> u64 {
    let number = written & ((1 << BITS) - 1);
    let is_sound = [0, check(number)].contains(&(written >> BITS));
    if is_sound { number } else { 0 }
}
