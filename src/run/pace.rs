//! When to draw: the first change at once, what follows soon after joined into frames, nothing when idle.

use std::time::Duration;

use tokio::time::Instant;

/// Frames are at least this far apart.
pub(super) const FRAME: Duration = Duration::from_millis(16);

/// Knows whether a frame is owed, and since when one may be drawn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    /// Something changed: a frame is owed.
    pub(super) fn changed(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| now.max(last + FRAME));
        self.due.get_or_insert(earliest);
    }

    /// A frame was drawn, with all changes up to now. `now` is when drawing ended: a slow terminal gets
    /// its pause too.
    pub(super) fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
        self.due = None;
    }

    /// When to draw; `None`: not until something changes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn the_first_change_is_drawn_at_once_and_idleness_never() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(), None);

        pace.changed(start);
        assert_eq!(pace.due(), Some(start));
        pace.drawn(start);
        assert_eq!(pace.due(), None);
        pace.changed(ms(start, 500));
        assert_eq!(pace.due(), Some(ms(start, 500)));
    }

    #[test]
    fn changes_soon_after_a_frame_are_joined_into_the_next() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.changed(start);
        pace.drawn(ms(start, 2));

        for at in [3, 5, 9, 17] {
            pace.changed(ms(start, at));
            assert_eq!(pace.due(), Some(ms(start, 18)));
        }
    }

    #[test]
    fn a_steady_flood_makes_sixty_frames_a_second() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut frames = 0;
        for at in 0..1000 {
            pace.changed(ms(start, at));
            if pace.due().is_some_and(|due| due <= ms(start, at)) {
                pace.drawn(ms(start, at));
                frames += 1;
            }
        }
        assert_eq!(frames, 63);
    }
}
