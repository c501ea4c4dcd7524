//! What stands beside the files of the intake: how far it is, for other processes, and what the next start has to know.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{super::StoreError, segments};

/// Where in it the number stands that an earlier version of dogwatch gave an intake.
const OWN: u64 = 8;
/// Where the notes stand, and how many numbers they are.
const NOTES: u64 = 16;
const NUMBERS: usize = 4;

/// Tells other processes how far it is, so that whoever looks at the log there can wait for what was answered before: the
/// number of its last record.
///
/// It is written after the records are synced, and not synced itself: what it tells was taken, but after a loss of power
/// more may have been.
pub(super) struct Marker {
    pub path: PathBuf,
    file: File,
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
}

impl Marker {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(super::NAME);
        let file = segments::plain().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| segments::unusable(&path, &error))?;
        Ok(Self { path, file })
    }

    /// The number that earlier versions of dogwatch gave an intake, and noted in the log that followed it; 0: none.
    pub(super) fn own(&self) -> u64 {
        self.numbers::<1>(OWN)[0]
    }

    pub(super) fn taken(&self) -> u64 {
        self.numbers::<1>(0)[0]
    }

    pub(super) fn notes(&self) -> Notes {
        let [store, from, to, doubted] = self.numbers::<NUMBERS>(NOTES);
        Notes { store, skipped: (from, to), doubted }
    }

    /// When this fails, they do not wait.
    pub(super) fn set(&self, taken: u64) {
        let _ = self.file.write_all_at(&taken.to_le_bytes(), 0);
    }

    /// Begins anew at a start. When this fails, the next one may tell what this one told.
    pub(super) fn begin(&self, taken: u64, notes: Notes) {
        if (self.taken(), self.notes()) == (taken, notes) {
            return;
        }
        let numbers = [notes.store, notes.skipped.0, notes.skipped.1, notes.doubted];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        self.set(taken);
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
    bytes.first_chunk().map_or(0, |taken| u64::from_le_bytes(*taken))
}
