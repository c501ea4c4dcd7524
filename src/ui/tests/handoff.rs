//! The hand-off of a shift.

use super::both;
use crate::app::{
    Model,
    fixtures::{answer, model, press, type_text},
    handoff::tests::handed,
};

const TEXT: &str = "HAND-OFF Mon 08:00 - 04:17 CEST (20h)\n\
Open: 5 (3 triggered, 2 acknowledged). In the shift: 6 new, 1 resolved.\n\n\
TRIGGERED\n\
- #1201 high P1, Database: Disk 97 % full on db-3\n  opened 3m ago, with Alice Moreau\n\
- #1200 high P2, Payments API: p99 latency above 2 s at checkout\n  opened 12m ago, with Alice Moreau, Bob Okafor\n\
- #1198 low, Edge: Certificate for api.example.com expires in 6 days\n  opened 3h ago, with Alice Moreau\n\n\
ACKNOWLEDGED\n\
- #1195 high P2, Payments API: Queue depth above 10 000: orders\n\
  opened 41m ago, with Alice Moreau, acknowledged 38m ago by Alice Moreau\n\
  comes back by itself at 04:47\n\
- #1190 low, Database: Backup of db-1 took too long\n  opened 9h ago, with Bob Okafor\n\n\
RESOLVED IN THE SHIFT\n\
- #1187 Identity: Login errors above 5 % (04:13)\n";

fn after(keys: &str) -> impl Fn(u16, u16) -> Model {
    move |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "H");
        answer(&mut model, &effects, Ok(handed(Ok(TEXT))));
        press(&mut model, keys);
        model
    }
}

#[test]
fn its_text() {
    both("handoff", after(""));
}

#[test]
fn scrolled_to_its_end() {
    both("handoff_end", after("G"));
}

#[test]
fn before_the_answer_comes() {
    both("handoff_asking", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "H");
        model
    });
}

#[test]
fn with_a_template_that_is_wrong() {
    both("handoff_wrong", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "H");
        answer(&mut model, &effects, Ok(handed(Err("`each` is not closed"))));
        model
    });
}

#[test]
fn where_to_write_it() {
    both("handoff_path", after("w"));
}

#[test]
fn since_when() {
    both("handoff_since", |width, height| {
        let mut model = after("s")(width, height);
        type_text(&mut model, "fri 08:00");
        model
    });
}

#[test]
fn whether_to_post_it() {
    both("handoff_posting", after("n"));
}

#[test]
fn whether_to_hand_mine_over() {
    both("handoff_passing", after("p"));
}
