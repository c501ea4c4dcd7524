//! How often something may be done: so often at once, and then at a steady pace.

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, and then one every `every`.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub burst: u32,
    pub every: Duration,
}

/// A bucket that fills with time.
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    /// Below zero where more was taken than there was.
    left: i64,
    at: Instant,
}

impl Budget {
    pub fn new(rate: Rate) -> Self {
        Self { rate, left: rate.burst.into(), at: Instant::now() }
    }

    /// Takes one, if one is left.
    pub fn take(&mut self) -> bool {
        let any = self.is_any_left();
        if any {
            self.spend(1);
        }
        any
    }

    pub fn is_any_left(&mut self) -> bool {
        self.fill();
        self.left > 0
    }

    /// Takes so many, also more than are left: then none is left until these have come back too.
    pub fn spend(&mut self, many: u32) {
        self.fill();
        self.left = self.left.saturating_sub(many.into());
    }

    fn fill(&mut self) {
        if self.is_full() {
            (self.left, self.at) = (self.rate.burst.into(), Instant::now());
            return;
        }
        let gained = self.at.elapsed().as_millis() / self.rate.every.as_millis().max(1);
        // Fewer than are missing.
        let gained = u32::try_from(gained).unwrap_or_default();
        self.at += self.rate.every.saturating_mul(gained);
        self.left += i64::from(gained);
    }

    pub fn is_full(&self) -> bool {
        let missing = i64::from(self.rate.burst).saturating_sub(self.left);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        self.at.elapsed() >= self.rate.every.saturating_mul(missing)
    }
}
