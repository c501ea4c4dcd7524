//! What is looked at again and again while a server runs.

use super::*;
use crate::server::fake::{self, Fake};

#[tokio::test(start_paused = true)]
async fn that_files_are_damaged_is_said_until_they_are_moved_away() {
    let dir = tempfile::tempdir().expect("tempdir");
    let damaged = dir.path().join("intake-damaged-1");
    std::fs::write(&damaged, "x").expect("written");
    let desk = fake::desk(&Fake::default(), dir.path());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let load: Load = Arc::new(|| Ok(Settings::default()));
    let mut keeper = Keeper::new(Arc::clone(&desk), Settings::default(), load, tasks, stop.clone());
    keeper.look_for_damage().await;
    keeper.tell();
    let said = || desk.hub.look(|board| board.upkeep.intake.clone());
    assert!(said().is_some_and(|said| said.as_str().contains("intake-damaged-1")));
    let away = dir.path().with_extension("away");
    std::fs::rename(dir.path(), &away).expect("away");
    keeper.look_for_damage().await;
    std::fs::rename(&away, dir.path()).expect("back");
    assert!(keeper.damaged.is_some(), "nobody could look");
    let (_orders, none) = mpsc::channel(1);
    let mut feed = desk.hub.feed();
    let running = tokio::spawn(keeper.run(none));

    std::fs::remove_file(&damaged).expect("moved away");
    let told = tokio::time::timeout(10 * certificate::LOOK, feed.recv()).await.expect("told").expect("a change");

    assert!(matches!(&*told, Change::Upkeep(Upkeep { intake: None, .. })), "{told:?}");
    stop.cancel();
    running.await.expect("ended");
}
