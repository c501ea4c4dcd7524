//! Named places on a delivery's way at which a debug build can be told to die, for tests of what a crash leaves.
//!
//! A release build has none of it: there, passing a point costs nothing.

use std::{
    env, process,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Names the point, and at which passing of it to abort: `after-commit:3`; without a number, the first.
const VARIABLE: &str = "DOGWATCH_CRASH_AT";

/// A place between two steps of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Its bytes are read; nothing is checked.
    BeforeVerify,
    /// It is judged; nothing is written.
    AfterVerify,
    /// The intake has it; nothing is written.
    BeforeAppend,
    /// Its bytes are in the file; nothing is synced.
    BeforeSync,
    /// It is synced; nobody was told.
    AfterSync,
    /// The sender is about to have its answer.
    BeforeAnswer,
    /// The writer has it; no transaction is open.
    BeforeWrite,
    /// Its row is written; nothing is committed.
    BeforeCommit,
    /// It stands in the log; nobody was told.
    AfterCommit,
    /// The server has it; the board does not.
    BeforeApply,
    /// On the board; no console was told.
    BeforePublish,
    /// Consoles were told; it is not marked as applied.
    AfterPublish,
    /// It is marked as applied, and what targets are to be told of it waits.
    AfterMark,
    /// An attempt to tell a target is written down as begun; nothing is sent.
    BeforeSend,
    /// The target has answered; nobody knows it here.
    AfterSend,
    /// What came of the attempt is written down.
    AfterRecord,
}

impl Point {
    /// Those on the way of what goes out.
    pub const FORWARD: [Self; 3] = [Self::BeforeSend, Self::AfterSend, Self::AfterRecord];

    /// Those on the way of what comes in.
    pub const ALL: [Self; 13] = [
        Self::BeforeVerify,
        Self::AfterVerify,
        Self::BeforeAppend,
        Self::BeforeSync,
        Self::AfterSync,
        Self::BeforeAnswer,
        Self::BeforeWrite,
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::BeforeApply,
        Self::BeforePublish,
        Self::AfterPublish,
        Self::AfterMark,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeVerify => "before-verify",
            Self::AfterVerify => "after-verify",
            Self::BeforeAppend => "before-append",
            Self::BeforeSync => "before-sync",
            Self::AfterSync => "after-sync",
            Self::BeforeAnswer => "before-answer",
            Self::BeforeWrite => "before-write",
            Self::BeforeCommit => "before-commit",
            Self::AfterCommit => "after-commit",
            Self::BeforeApply => "before-apply",
            Self::BeforePublish => "before-publish",
            Self::AfterPublish => "after-publish",
            Self::AfterMark => "after-mark",
            Self::BeforeSend => "before-send",
            Self::AfterSend => "after-send",
            Self::AfterRecord => "after-record",
        }
    }
}

/// Where this process is to die, and how many passings are left before that.
struct Plan {
    point: Point,
    left: AtomicU32,
}

static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| plan(&env::var(VARIABLE).ok()?));

fn plan(text: &str) -> Option<Plan> {
    let (name, passing) = text.split_once(':').unwrap_or((text, "1"));
    let point = Point::ALL.into_iter().chain(Point::FORWARD).find(|point| point.name() == name)?;
    Some(Plan { point, left: AtomicU32::new(passing.parse().ok()?) })
}

/// Aborts here if the environment says so, as a kill would: nothing is flushed, nothing is cleaned up.
pub fn passing(point: Point) {
    if !cfg!(debug_assertions) {
        return;
    }
    if let Some(plan) = PLAN.as_ref().filter(|plan| plan.point == point)
        && plan.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_found_by_its_name_and_a_number() {
        for point in Point::ALL.into_iter().chain(Point::FORWARD) {
            let plan = plan(&format!("{}:3", point.name())).expect("known");
            assert_eq!((plan.point, plan.left.into_inner()), (point, 3));
        }
        assert_eq!(plan("after-mark").map(|plan| plan.left.into_inner()), Some(1));
        assert!(plan("nowhere:1").is_none() && plan("after-mark:often").is_none());
    }
}
