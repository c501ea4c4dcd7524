//! The console as a person uses it: keys in, and what the screen shows within a deadline.

use rustix::process::{Pid, Signal};

use super::{holds_in_time, terminal::Terminal};

pub(crate) const ROWS: u16 = 30;
pub(crate) const COLUMNS: u16 = 160;

/// A console in its terminal. Dropped, it is gone.
pub(crate) struct Console(pub(crate) Terminal);

impl Drop for Console {
    fn drop(&mut self) {
        if let Ok(None) = self.0.child.try_wait() {
            self.signal(Signal::KILL);
            // Nothing more to do about it, and the test may be failing already.
            let _ = self.0.child.wait();
        }
    }
}

impl Console {
    pub(crate) fn pid(&self) -> Pid {
        let id = self.0.child.process_id().expect("runs");
        Pid::from_raw(i32::try_from(id).expect("small")).expect("a process")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("kill");
    }

    pub(crate) fn until(&self, what: &str, check: impl Fn(&str) -> bool) {
        let holds = holds_in_time(|| check(&self.0.contents()));
        assert!(holds, "gave up waiting: {what}; the screen is\n{}", self.0.contents());
    }

    pub(crate) fn shows(&self, text: &str) {
        self.until(&format!("`{text}` is shown"), |screen| screen.contains(text));
    }

    pub(crate) fn shows_all(&self, texts: &[String]) {
        for text in texts {
            self.shows(text);
        }
    }

    pub(crate) fn shows_no_more(&self, text: &str) {
        self.until(&format!("`{text}` is not shown"), |screen| !screen.contains(text));
    }

    /// Presses keys, and waits for what they lead to: a key means another thing once the screen has changed.
    pub(crate) fn press(&mut self, keys: &str, shows: &str) {
        self.0.press(keys);
        self.shows(shows);
    }

    /// The incidents as listed, without their ages and the mark of the selected one.
    pub(crate) fn list(&self) -> Vec<String> {
        let contents = self.0.contents();
        let rows = contents.lines().skip_while(|line| !line.contains(" assignee ")).skip(1);
        let plain = |word: &&str| !is_age(word) && *word != "▸";
        rows.take_while(|row| !row.trim().is_empty())
            .map(|row| row.split_whitespace().filter(plain).collect::<Vec<_>>().join(" "))
            .collect()
    }
}

pub(crate) fn is_age(word: &str) -> bool {
    word == "now" || word.strip_suffix(['s', 'm', 'h', 'd']).is_some_and(|number| number.parse::<u32>().is_ok())
}
