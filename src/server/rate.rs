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
    left: u32,
    at: Instant,
}

impl Budget {
    pub fn new(rate: Rate) -> Self {
        Self { rate, left: rate.burst, at: Instant::now() }
    }

    /// Takes one, if one is left.
    pub fn take(&mut self) -> bool {
        let any = self.is_any_left();
        self.spend(1);
        any
    }

    pub fn is_any_left(&mut self) -> bool {
        self.fill();
        self.left > 0
    }

    /// Takes so many, or all that are left.
    pub fn spend(&mut self, many: u32) {
        self.fill();
        self.left = self.left.saturating_sub(many);
    }

    fn fill(&mut self) {
        if self.is_full() {
            (self.left, self.at) = (self.rate.burst, Instant::now());
            return;
        }
        let gained = self.at.elapsed().as_millis() / self.rate.every.as_millis().max(1);
        // Fewer than are missing.
        let gained = u32::try_from(gained).unwrap_or_default();
        self.at += self.rate.every.saturating_mul(gained);
        self.left += gained;
    }

    pub fn is_full(&self) -> bool {
        let missing = self.rate.burst.saturating_sub(self.left);
        self.at.elapsed() >= self.rate.every.saturating_mul(missing)
    }
}
