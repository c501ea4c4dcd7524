//! What a crash leaves behind: at each named point of a delivery's way the server dies as by a kill, is started again,
//! and the sender repeats what got no 2xx. Nothing may be lost, doubled, or made up, and the board says what was sent.

#![cfg(debug_assertions)]

use std::{sync::Arc, thread};

use dogwatch::store::crash::Point;
use support::{
    door::{Door, Happening, door, life},
    holds_in_time,
};

mod support;

/// Senders at the same time, so that several deliveries share a transaction.
const SENDERS: usize = 4;
/// Incidents that each of them tells of.
const INCIDENTS: usize = 2;

fn incidents() -> Vec<String> {
    (0..SENDERS * INCIDENTS).map(|n| format!("QCRASH{n}")).collect()
}

/// Each sender posts its events in order, each until it is accepted.
fn send_everything(door: &Arc<Door>) -> Vec<thread::JoinHandle<()>> {
    let all = incidents();
    let senders = all.chunks(INCIDENTS).map(|own| {
        let (door, own) = (Arc::clone(door), own.to_vec());
        thread::spawn(move || {
            for happening in own.iter().flat_map(|incident| life(incident)) {
                door.post_until_accepted(&happening.body);
            }
        })
    });
    senders.collect()
}

/// That everything that was sent is stored once, and nothing else, and that the board says so, now and after
/// another start.
fn assert_whole(door: &Door, point: &str) {
    let mut sent: Vec<String> = incidents().iter().flat_map(|id| life(id)).map(|Happening { id, .. }| id).collect();
    sent.sort();
    let board: Vec<String> = incidents().iter().map(|id| format!("{id}\tresolved")).collect();

    assert_eq!(door.stored(), sent, "{point}: lost, doubled or made up");
    // An answer says that it is stored; the board has it a moment later.
    let shown = holds_in_time(|| door.board() == board);
    assert!(shown, "{point}: the running server's board is {:?}", door.board());
    door.stop();
    assert_eq!(door.board(), board, "{point}: the board after another start");
    assert_eq!(door.stored(), sent, "{point}: the log after another start");
    assert_eq!(door.run(&["doctor", "--store"]).stdout, b"ok\n", "{point}");
}

fn die_at(point: Point, passing: u32) {
    let (door, at) = (door(), format!("{}:{passing}", point.name()));
    door.start(Some(&at));
    let senders = send_everything(&door);
    door.died_there(&at);
    door.start(None);
    for sender in senders {
        sender.join().expect("everything is accepted in the end");
    }
    assert_whole(&door, &at);
}

#[test]
fn wherever_it_dies_nothing_is_lost_doubled_or_made_up() {
    for point in Point::ALL {
        die_at(point, 1);
        die_at(point, 2);
    }
}

#[test]
fn dying_again_while_catching_up_after_a_crash_loses_nothing_either() {
    let door = door();
    door.start(Some("after-commit:2"));
    let senders = send_everything(&door);
    door.died_there("after-commit");
    for point in [Point::BeforeApply, Point::BeforePublish, Point::AfterPublish, Point::AfterMark] {
        door.start(Some(point.name()));
        door.died_there(point.name());
    }
    door.start(None);
    for sender in senders {
        sender.join().expect("everything is accepted in the end");
    }
    assert_whole(&door, "twice");
}
