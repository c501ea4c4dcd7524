//! Unsaved text on disk: a directory for each console, which holds a lock in it as long as it lives. What the
//! directory of a console that is gone holds is moved into that of the next one to start, so that nothing is lost and
//! no two consoles write the same file.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, SystemTime},
};

use rustix::fs::OFlags;
use tokio::sync::mpsc;

use crate::app::{
    Event,
    templates::drafts::{DraftId, FoundDrafts, KeptDraft},
};

/// Writes that wait for the disk; more are tried again later.
const WAITING: usize = 16;
/// How long the end waits for the disk.
const LAST: Duration = Duration::from_secs(2);
/// No draft is longer, in bytes: a text and what it was begun from, both escaped.
const LONGEST: u64 = 2 * 1024 * 1024;
const LOCK: &str = ".lock";
const ENDING: &str = "json";
/// A text that is out in the person's own editor.
const OUT: &str = "hbs";

enum Work {
    Keep(DraftId, Box<KeptDraft>),
    Drop(DraftId),
    /// Write a text beside its draft, for another program; answered with where it is.
    Lend(DraftId, String, SyncSender<io::Result<PathBuf>>),
}

/// The drafts of this console, written on a thread of their own: a disk may be slow, or far away.
pub(super) struct Drafts {
    work: SyncSender<Work>,
    done: Receiver<()>,
}

impl Drafts {
    /// Looks at `directory`, which need not be there, and tells what it holds; `None` where no thread can be started.
    pub(super) fn start(directory: PathBuf, events: mpsc::Sender<Event>) -> Option<Self> {
        let (work, asked) = sync_channel(WAITING);
        let (ended, done) = sync_channel(1);
        let started = thread::Builder::new().name("drafts".into()).spawn(move || {
            let mut shelf = Shelf::new(directory);
            let found = shelf.adopt();
            if events.blocking_send(Event::FoundDrafts(found)).is_ok() {
                serve(&mut shelf, &asked, &events);
            }
            shelf.leave();
            let _ = ended.send(());
        });
        started.inspect_err(|error| tracing::warn!("drafts are not kept: {error}")).ok()?;
        Some(Self { work, done })
    }

    /// Keeps a draft; gives back what the event loop is to be told when it cannot be taken now.
    pub(super) fn keep(&self, id: DraftId, draft: Box<KeptDraft>) -> Option<Event> {
        let cause = match self.work.try_send(Work::Keep(id.clone(), draft)) {
            Ok(()) => return None,
            Err(TrySendError::Full(_)) => "the disk is too slow",
            Err(TrySendError::Disconnected(_)) => "what keeps it broke",
        };
        Some(Event::KeptDraft { id, result: Err(cause.to_owned()) })
    }

    pub(super) fn remove(&self, id: DraftId) {
        let _ = self.work.try_send(Work::Drop(id));
    }

    /// Writes `text` to a file for another program, beside the draft.
    pub(super) fn lend(&self, id: DraftId, text: String) -> io::Result<PathBuf> {
        let (answer, answered) = sync_channel(1);
        let asked = self.work.try_send(Work::Lend(id, text, answer));
        asked.map_err(|_| io::Error::other("the disk is too slow"))?;
        answered.recv_timeout(LAST).map_err(|_| io::Error::other("the disk is too slow"))?
    }

    /// Waits until everything is on disk, or too long.
    pub(super) fn finish(self) {
        drop(self.work);
        let _ = self.done.recv_timeout(LAST);
    }
}

fn serve(shelf: &mut Shelf, asked: &Receiver<Work>, events: &mpsc::Sender<Event>) {
    while let Ok(work) = asked.recv() {
        match work {
            Work::Keep(id, draft) => {
                let result = shelf.keep(&id, &draft).map_err(|error| error.to_string());
                // The screen ended meanwhile: nobody is left to tell, and the rest is written all the same.
                let _ = events.try_send(Event::KeptDraft { id, result });
            }
            Work::Drop(id) => shelf.remove(&id),
            Work::Lend(id, text, answer) => {
                let _ = answer.send(shelf.lend(&id, &text));
            }
        }
    }
}

/// The directory of all drafts, and this console's own in it.
struct Shelf {
    all: PathBuf,
    own: Option<Own>,
}

struct Own {
    directory: PathBuf,
    /// Held as long as this console lives.
    _lock: File,
}

impl Shelf {
    fn new(all: PathBuf) -> Self {
        Self { all, own: None }
    }

    /// This console's directory. It gets its name only with the lock held: what has a name and no lock is left behind.
    fn own(&mut self) -> io::Result<&Path> {
        if self.own.is_none() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.all)?;
            let name = format!("{:016x}", fastrand::u64(..));
            let new = self.all.join(format!(".{name}"));
            DirBuilder::new().mode(0o700).create(&new)?;
            let lock = open_lock(&new.join(LOCK))?;
            lock.try_lock().map_err(io::Error::from)?;
            let directory = self.all.join(name);
            fs::rename(&new, &directory)?;
            self.own = Some(Own { directory, _lock: lock });
        }
        self.own.as_ref().map(|own| own.directory.as_path()).ok_or_else(|| io::Error::other("no directory"))
    }

    fn keep(&mut self, id: &DraftId, draft: &KeptDraft) -> io::Result<()> {
        let text = serde_json::to_string(draft)?;
        let directory = self.own()?;
        let mut file = tempfile::Builder::new().prefix(".keeping-").tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(directory.join(file_name(id, ENDING))).map(drop).map_err(|error| error.error)
    }

    fn lend(&mut self, id: &DraftId, text: &str) -> io::Result<PathBuf> {
        let path = self.own()?.join(file_name(id, OUT));
        write_new(&path, text)?;
        Ok(path)
    }

    fn remove(&mut self, id: &DraftId) {
        let Some(own) = &self.own else { return };
        if let Err(error) = fs::remove_file(own.directory.join(file_name(id, ENDING)))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("a draft that is not needed any more stays: {error}");
        }
    }

    /// Takes over what consoles that are gone left behind.
    fn adopt(&mut self) -> FoundDrafts {
        let mut found = FoundDrafts::default();
        let Ok(entries) = fs::read_dir(&self.all) else { return found };
        let consoles = entries.flatten().map(|entry| entry.path()).filter(|path| is_console(path));
        for directory in consoles.collect::<Vec<_>>() {
            let locked = open_lock(&directory.join(LOCK)).map(|lock| (lock.try_lock(), lock));
            match locked {
                Ok((Ok(()), _lock)) => self.take_over(&directory, &mut found),
                Ok((Err(TryLockError::WouldBlock), _)) => {
                    let drafts = drafts_in(&directory).into_iter();
                    found.elsewhere.extend(drafts.map(|(_, draft)| draft.name));
                }
                Ok((Err(TryLockError::Error(error)), _)) | Err(error) => {
                    tracing::warn!("{}: drafts cannot be looked at: {error}", directory.display());
                }
            }
        }
        found
    }

    fn take_over(&mut self, directory: &Path, found: &mut FoundDrafts) {
        for (path, draft) in drafts_in(directory) {
            let number = found.drafts.len() + 1;
            let id = DraftId(format!("{}.{number}", draft.name));
            let moved = self.own().map(|own| own.join(file_name(&id, ENDING)));
            // What was out in an editor goes into the draft itself, so that it is one file again.
            let moved = moved.and_then(|to| fs::rename(&path, to)).and_then(|()| self.keep(&id, &draft));
            match moved {
                Ok(()) => found.drafts.push((id, draft)),
                Err(error) => tracing::warn!("{}: the draft stays there: {error}", path.display()),
            }
        }
        clear(directory);
    }

    /// The console ends: without drafts its directory goes too.
    fn leave(&mut self) {
        if let Some(own) = self.own.take()
            && drafts_in(&own.directory).is_empty()
        {
            clear(&own.directory);
        }
    }
}

/// Removes a directory of a console that holds no drafts any more.
fn clear(directory: &Path) {
    if !drafts_in(directory).is_empty() {
        return;
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = [".keeping-", LOCK].iter().any(|ours| name.to_string_lossy().starts_with(ours));
        if ours || entry.path().extension().is_some_and(|ending| ending == OUT) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(directory);
}

fn is_console(path: &Path) -> bool {
    let named = path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    named && path.symlink_metadata().is_ok_and(|about| about.is_dir())
}

fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)
}

fn file_name(id: &DraftId, ending: &str) -> String {
    format!("{}.{ending}", id.0)
}

/// The drafts in a console's directory; what cannot be read is passed over, and stays.
fn drafts_in(directory: &Path) -> Vec<(PathBuf, KeptDraft)> {
    let mut out = vec![];
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        match read(&path).and_then(|text| Ok(serde_json::from_str::<KeptDraft>(&text)?)) {
            Ok(draft) if is_name(&draft.name) => {
                let text = edited_since(&path).unwrap_or_else(|| draft.text.clone());
                out.push((path, KeptDraft { text, ..draft }));
            }
            Ok(_) => tracing::warn!("{}: a draft of no template", path.display()),
            Err(error) => tracing::warn!("{}: {error}", path.display()),
        }
    }
    out.sort_by(|(a, _), (b, _)| a.cmp(b));
    out
}

/// What the person's own editor wrote after the draft was kept: the console died meanwhile.
fn edited_since(draft: &Path) -> Option<String> {
    let out = draft.with_extension(OUT);
    let modified = |path: &Path| -> Option<SystemTime> { path.symlink_metadata().ok()?.modified().ok() };
    (modified(&out)? > modified(draft)?).then(|| read(&out).ok()).flatten()
}

pub(super) fn read(path: &Path) -> io::Result<String> {
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = vec![];
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other("it is too long"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text in UTF-8"))
}

/// Writes a file that nobody else can read.
pub fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// As templates are named.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn draft(name: &str, text: &str) -> KeptDraft {
        let at = "2025-06-10T02:17:30Z".parse().expect("time");
        KeptDraft { name: name.into(), text: text.into(), base: Some("base".into()), at }
    }

    fn id(id: &str) -> DraftId {
        DraftId(id.into())
    }

    /// A console that kept a draft of `chat`, and lives.
    fn console(all: &Path, text: &str) -> Shelf {
        let mut shelf = Shelf::new(all.to_owned());
        shelf.keep(&id("chat"), &draft("chat", text)).expect("kept");
        shelf
    }

    /// It is gone, as after a kill: nothing is put in order.
    fn dies(shelf: Shelf) {
        drop(shelf);
    }

    #[test]
    fn what_a_console_left_behind_is_found_once_and_kept_on() {
        let dir = tempfile::tempdir().expect("directory");
        let all = dir.path().join("drafts");
        assert_eq!(Shelf::new(all.clone()).adopt(), FoundDrafts::default());
        dies(console(&all, "typed"));

        let mut next = Shelf::new(all.clone());
        let found = next.adopt();

        assert_eq!(found.drafts, [(id("chat.1"), draft("chat", "typed"))]);
        assert_eq!(Shelf::new(all.clone()).adopt().drafts, [], "another one leaves it alone");
        dies(next);
        let found = Shelf::new(all).adopt();
        assert_eq!(found.drafts, [(id("chat.1"), draft("chat", "typed"))], "it is still there");
    }

    #[test]
    fn two_consoles_of_one_person_keep_both_texts() {
        let dir = tempfile::tempdir().expect("directory");
        let first = console(dir.path(), "one");
        let mut second = console(dir.path(), "two");

        assert_eq!(second.adopt().elsewhere.len(), 2, "its own is in use too");
        assert_eq!(
            Shelf::new(dir.path().into()).adopt(),
            FoundDrafts { drafts: vec![], elsewhere: vec!["chat".into(); 2] }
        );
        dies(first);
        dies(second);
        let mut texts: Vec<_> =
            Shelf::new(dir.path().into()).adopt().drafts.into_iter().map(|(id, draft)| (id.0, draft.text)).collect();
        texts.sort();
        assert_eq!(texts.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["chat.1", "chat.2"]);
        assert_eq!(texts.iter().map(|(_, text)| text.len()).sum::<usize>(), 6);
    }

    #[test]
    fn drafts_are_for_their_owner_alone_and_leave_nothing_when_they_are_gone() {
        let dir = tempfile::tempdir().expect("directory");
        let all = dir.path().join("drafts");
        let mut shelf = console(&all, "one");
        shelf.keep(&id("chat"), &draft("chat", "two")).expect("kept");
        let own = shelf.own().expect("own").to_owned();
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;

        assert_eq!([mode(&all), mode(&own), mode(&own.join("chat.json"))], [0o700, 0o700, 0o600]);
        assert_eq!(fs::read_dir(&own).expect("own").count(), 2, "the draft and the lock");
        shelf.remove(&id("chat"));
        shelf.remove(&id("chat"));
        shelf.leave();
        assert_eq!(fs::read_dir(&all).expect("all").count(), 0);
    }

    #[test]
    fn what_an_editor_wrote_while_the_console_died_is_the_draft() {
        let dir = tempfile::tempdir().expect("directory");
        let mut shelf = console(dir.path(), "before");
        let out = shelf.own().expect("own").join("chat.hbs");
        fs::write(&out, "after").expect("file");
        let later = SystemTime::now() + Duration::from_secs(5);
        File::options().write(true).open(&out).expect("file").set_modified(later).expect("time");
        dies(shelf);

        let found = Shelf::new(dir.path().into()).adopt();

        assert_eq!(found.drafts, [(id("chat.1"), draft("chat", "after"))]);
    }

    #[test]
    fn what_is_no_draft_stays_where_it_is() {
        let dir = tempfile::tempdir().expect("directory");
        let mut shelf = console(dir.path(), "one");
        let own = shelf.own().expect("own").to_owned();
        for (name, text) in
            [("torn.json", "{"), ("odd.json", r#"{"name":"../x","text":"","base":null,"at":"2025-06-10T02:17:30Z"}"#)]
        {
            fs::write(own.join(name), text).expect("file");
        }
        std::os::unix::fs::symlink("/dev/zero", own.join("link.json")).expect("link");
        shelf.remove(&id("chat"));
        dies(shelf);

        assert_eq!(Shelf::new(dir.path().into()).adopt(), FoundDrafts::default());
    }
}
