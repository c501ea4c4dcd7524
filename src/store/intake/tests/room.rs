//! Where there is no room for what comes: that is told until there is, and the room of what is in the log is used again.

use super::*;

/// The thread that answers, on a directory of its own, and nobody who enters what it takes.
struct Answering {
    progress: Arc<Progress>,
    queue: mpsc::Sender<Job>,
    store: Store,
    thread: JoinHandle<()>,
    _entries: mpsc::UnboundedReceiver<Entry>,
}

impl Answering {
    fn on(dir: &Path, store: &Store) -> Self {
        let (segments, _) = opened(dir, NONE).expect("open");
        let progress = Arc::<Progress>::default();
        let (queue, jobs) = mpsc::channel(4);
        *progress.queue.lock().expect("lock") = Some(queue.downgrade());
        let (entries, waiting) = mpsc::unbounded_channel();
        let (marker, store) = (Arc::new(Marker::open(dir).expect("marker")), store.clone());
        let (entries, complaints) = (Some(entries), Repeated::default());
        let shared = Arc::clone(&progress);
        let appending =
            Appending { store: store.clone(), segments, marker, progress: shared, entries, complaints, wanted: 0 };
        let thread = threads::start("intake", dir, appending, jobs).expect("started").expect("a thread");
        Self { progress, queue, store, thread, _entries: waiting }
    }

    async fn take(&self, new: NewDelivery) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let (since, head) = (time::Instant::now(), record::head(&new).expect("head"));
        let waiting = Waiting { new, head, since, call: self.store.call(), answer };
        self.queue.send(Job::Take(Box::new(waiting))).await.expect("sent");
        answered.await.expect("answered")
    }

    fn end(self) {
        drop(self.queue);
        self.thread.join().expect("ended");
    }
}

#[tokio::test]
async fn while_nothing_can_be_appended_that_is_known_and_it_is_tried_until_it_can() {
    let (_dir, store) = store();
    let small = tempfile::tempdir().expect("tempdir");
    let answering = Answering::on(small.path(), &store);
    let in_the_way = || (1..=8).map(|n| small.path().join(format!("intake-{n}")));
    in_the_way().for_each(|path| fs::create_dir(path).expect("dir"));
    assert_eq!(answering.progress.takes().await, Ok(()), "nothing is known against it");

    let refused = answering.take(raw("E1")).await.expect_err("refused");

    assert_eq!(answering.progress.takes().await, Err(refused));
    in_the_way().for_each(|path| fs::remove_dir(path).expect("removed"));
    assert_eq!(answering.progress.takes().await, Ok(()));
    assert_eq!(answering.take(raw("E2")).await, Ok(()));
    answering.end();
}

/// As many files as there may be, each of so many bytes, and with one record of an earlier run.
fn small_files(dir: &Path, bytes: usize) {
    const RECORD: usize = 17;
    let elsewhere = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(elsewhere.path(), NONE).expect("open");
    append(&mut segments, &["1", "2", "3", "4", "5", "6", "7", "8"], 0);
    let records = fs::read(elsewhere.path().join("intake-1")).expect("read");
    for (n, record) in (1..=8).zip(records.chunks_exact(RECORD)) {
        let mut file = record.to_vec();
        file.resize(bytes, 0);
        fs::write(dir.join(format!("intake-{n}")), file).expect("written");
    }
}

fn large(id: &str, bytes: usize) -> NewDelivery {
    NewDelivery { account: None, ..raw(&format!("{id}{}", "x".repeat(bytes))) }
}

#[tokio::test]
async fn what_found_no_room_is_told_until_there_is_room_for_as_much() {
    let (_dir, store) = store();
    let small = tempfile::tempdir().expect("tempdir");
    small_files(small.path(), 16 * 1024);
    let answering = Answering::on(small.path(), &store);
    while answering.take(large("E", 9_000)).await.is_ok() {}

    assert_eq!(answering.progress.takes().await, Err(StoreError::Busy), "a smaller one would find room");

    answering.progress.safe.store(9, Ordering::Release);
    assert_eq!(answering.progress.takes().await, Ok(()));
    assert_eq!(answering.take(large("E", 9_000)).await, Ok(()));
    answering.end();
}

#[tokio::test]
async fn the_room_of_what_is_in_the_log_is_used_again_however_little_came_since() {
    let (dir, store) = store();
    small_files(dir.path(), 16 * 1024);
    let (intake, _) = intake(&store);

    for n in 0..20 {
        intake.take(large(&format!("E{n}"), 9_000)).await.expect("taken");
        until("it is entered", || store.unentered() == 0).await;
    }
}

#[tokio::test]
async fn one_that_is_larger_than_all_files_gets_a_file_once_one_is_free() {
    let (dir, store) = store();
    small_files(dir.path(), 16 * 1024);
    let (intake, _) = intake(&store);
    until("all is entered", || store.unentered() == 0).await;

    intake.take(large("E", 100_000)).await.expect("taken");

    until("it is entered", || store.unentered() == 0).await;
    let largest =
        (1..=8).filter_map(|n| fs::metadata(dir.path().join(format!("intake-{n}"))).ok()).map(|file| file.len());
    assert!(largest.max() > Some(100_000));
}
