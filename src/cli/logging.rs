//! Where the log goes: a bounded file under the screen, standard error for the server and the commands.
//!
//! One event is one line, whatever outside text is in it. A log that cannot be written is given up, and never holds
//! up or ends anything else.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::fs::OFlags;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// A log that has grown beyond this, in bytes, is started anew, the former one kept beside it.
const LIMIT: u64 = 8 * 1024 * 1024;
/// Bytes of the disk that the log leaves to the store: the log stops first.
const RESERVE: u64 = 64 * 1024 * 1024;
/// Bytes written between two looks at the disk.
const LOOK: u64 = 64 * 1024;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

fn filter() -> EnvFilter {
    EnvFilter::try_from_env("DOGWATCH_LOG").unwrap_or_else(|_| EnvFilter::new("dogwatch=info"))
}

/// Logs to standard error, from `DOGWATCH_LOG`'s level on (default `dogwatch=info`).
pub(super) fn to_stderr(format: Format) {
    let to = Plain(io::stderr);
    let log = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(to).with_ansi(false);
    let _ = match format {
        Format::Text => log.log_internal_errors(false).try_init(),
        Format::Json => log.log_internal_errors(false).json().flatten_event(true).try_init(),
    };
}

/// Logs to `dogwatch.log` in `dir`, so that nothing is written over the screen.
pub(super) fn to_file(dir: &Path) -> io::Result<()> {
    let file = Mutex::new(Bounded::open(dir, LIMIT, RESERVE)?);
    let file: &'static Mutex<Bounded> = Box::leak(Box::new(file));
    let to = Plain(move || Shared(file));
    let log = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(to).with_ansi(false);
    let _ = log.log_internal_errors(false).try_init();
    Ok(())
}

/// Lets lines through in which nothing acts on a terminal, and which nothing from outside can break in two.
struct Plain<M>(M);

impl<'a, W: Write + 'a, M: Fn() -> W> MakeWriter<'a> for Plain<M> {
    type Writer = PlainLine<W>;

    fn make_writer(&'a self) -> Self::Writer {
        PlainLine((self.0)())
    }
}

struct PlainLine<W>(W);

impl<W: Write> Write for PlainLine<W> {
    /// Gets one whole event.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // What becomes of the log is nobody's trouble but its own.
        let _ = self.0.write_all(plain(event).as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

/// One event as one line, with everything written out that could act on a terminal.
fn plain(event: &[u8]) -> String {
    use std::fmt::Write as _;
    let text = String::from_utf8_lossy(event);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let mut out = String::with_capacity(line.len() + 1);
    for c in line.chars() {
        if c.is_control() || is_treacherous(c) {
            // As JSON writes it, so that a line of JSON stays one.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

/// Line breaks of Unicode, and what turns the order of letters around.
fn is_treacherous(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// A file that is followed by a new one when it is long enough, and stops when the disk is nearly full.
struct Bounded {
    path: PathBuf,
    file: File,
    length: u64,
    limit: u64,
    reserve: u64,
    /// Bytes until the disk is looked at again.
    look_in: u64,
    /// Lines left out since the disk was too full.
    left_out: u64,
}

impl Bounded {
    fn open(dir: &Path, limit: u64, reserve: u64) -> io::Result<Self> {
        let path = dir.join("dogwatch.log");
        let file = opened(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { path, file, length, limit, reserve, look_in: 0, left_out: 0 })
    }

    fn has_room(&mut self, line: u64) -> bool {
        if let Some(left) = self.look_in.checked_sub(line) {
            self.look_in = left;
            return true;
        }
        let free =
            rustix::fs::fstatvfs(&self.file).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let room = free >= self.reserve;
        self.look_in = if room { LOOK } else { 0 };
        room
    }

    fn start_anew(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension("log.1"))?;
        self.file = opened(&self.path)?;
        self.length = 0;
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let bytes = line.len() as u64;
        if !self.has_room(bytes) {
            self.left_out += 1;
            return Ok(());
        }
        if self.length > 0 && self.length + bytes > self.limit {
            self.start_anew()?;
        }
        if self.left_out > 0 {
            let said = format!("… {} lines left out: the disk was nearly full\n", std::mem::take(&mut self.left_out));
            self.file.write_all(said.as_bytes())?;
            self.length += said.len() as u64;
        }
        self.file.write_all(line)?;
        self.length += bytes;
        Ok(())
    }
}

/// The file at its very place: a link there could lead into another's file.
fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

struct Shared(&'static Mutex<Bounded>);

impl Write for Shared {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).line(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_is_one_line_and_nothing_in_it_acts_on_a_terminal() {
        let event = "refused: a\r\nINFO all is well \u{1b}[2J \u{9b}31m \u{202e}tcartsba \u{2028} b\tc\u{7f}\n";

        let line = plain(event.as_bytes());

        assert_eq!(line.lines().count(), 1);
        assert!(line.strip_suffix('\n').is_some_and(|line| !line.contains(|c: char| c.is_control())), "{line}");
        assert!(
            line.contains("\\u000d\\u000aINFO") && line.contains("\\u001b[2J") && !line.contains('\u{202e}'),
            "{line}"
        );
    }

    #[test]
    fn the_file_and_the_one_before_it_stay_within_their_bounds() {
        let dir = tempfile::tempdir().expect("dir");
        let mut log = Bounded::open(dir.path(), 1000, 0).expect("log");
        for n in 0..500 {
            log.line(format!("line {n:06}\n").as_bytes()).expect("written");
        }

        let length = |name: &str| fs::metadata(dir.path().join(name)).expect("there").len();
        assert!(length("dogwatch.log") <= 1000 && length("dogwatch.log.1") <= 1000);
        assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 2);
        let newest = fs::read_to_string(dir.path().join("dogwatch.log")).expect("text");
        assert!(newest.ends_with("line 000499\n"), "{newest}");
    }

    #[test]
    fn nothing_is_logged_through_a_link() {
        let dir = tempfile::tempdir().expect("dir");
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "").expect("written");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("dogwatch.log")).expect("link");

        assert!(Bounded::open(dir.path(), 1000, 0).is_err());
    }

    #[test]
    fn a_disk_that_is_nearly_full_gets_no_line_and_a_word_about_it_later() {
        let dir = tempfile::tempdir().expect("dir");
        let mut log = Bounded::open(dir.path(), 1000, u64::MAX).expect("log");
        for _ in 0..3 {
            log.line(b"lost\n").expect("no error");
        }
        let text = || fs::read_to_string(dir.path().join("dogwatch.log")).expect("text");
        assert_eq!(text(), "");

        log.reserve = 0;
        log.line(b"kept\n").expect("written");

        assert_eq!(text(), "… 3 lines left out: the disk was nearly full\nkept\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_no_error_to_anybody() {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("there");
        let mut line = PlainLine(full);

        assert_eq!(line.write(b"text\n").expect("no error"), 5);
    }
}
