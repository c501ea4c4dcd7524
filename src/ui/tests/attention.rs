//! What is new, and a storm.

use super::both;
use crate::{
    app::{
        Event, Model,
        fixtures::{change, incident, model, press, type_text},
        update,
    },
    core::{
        board::Change,
        id::ServiceId,
        incident::{Named, Status},
        text::Shown,
    },
    ui::snapshot::screen,
};

/// Looked away from, and come back to after so many new incidents.
fn after(width: u16, height: u16, count: usize) -> Model {
    let mut model = model(width, height);
    update(&mut model, Event::FocusLost);
    for n in 0..count {
        let id = if n.is_multiple_of(3) { "Edge" } else { "Payments-API" };
        let mut new = incident(&format!("QNEW{n:02}"), 1300 + n as u64, Status::Triggered, "Connection refused", 20);
        new.state.service = Some(Named { id: ServiceId::new(id).expect("id"), name: Shown::line(id) });
        change(&mut model, Change::Incident(Box::new(new)));
    }
    let mut known = model.board.incidents[&crate::app::fixtures::key("Q5BACK")].clone();
    known.state.status = Status::Resolved;
    known.stamp = crate::core::incident::Stamp::push(model.now);
    change(&mut model, Change::Incident(Box::new(known)));
    update(&mut model, Event::FocusGained);
    model
}

#[test]
fn what_is_new_since_one_looked() {
    both("news", |width, height| after(width, height, 2));
}

#[test]
fn a_storm_grouped_by_service() {
    both("storm", |width, height| after(width, height, 12));
}

#[test]
fn a_group_unfolded() {
    both("storm_unfolded", |width, height| {
        let mut model = after(width, height, 12);
        press(&mut model, "g enter j space");
        model
    });
}

#[test]
fn a_storm_listed_one_by_one() {
    both("storm_one_by_one", |width, height| {
        let mut model = after(width, height, 12);
        press(&mut model, "S enter esc");
        model
    });
}

#[test]
fn a_storm_that_is_over_says_until_when_the_list_stays_grouped() {
    both("storm_over", |width, height| {
        let mut model = after(width, height, 30);
        let later = model.now + jiff::SignedDuration::from_secs(90);
        update(&mut model, Event::Ticked(later));
        model
    });
}

#[test]
fn a_filter_is_read_beside_a_storm_and_news() {
    both("storm_filtered", |width, height| filtered(after(width, height, 12)));
}

fn filtered(mut model: Model) -> Model {
    press(&mut model, "/");
    type_text(&mut model, "urgency:high service:payments");
    press(&mut model, "enter");
    model
}

#[test]
fn which_filter_is_in_force_is_seen_whatever_else_is_to_be_said() {
    for keys in ["", "S", "g enter j space", "v"] {
        let mut model = after(40, 12, 12);
        press(&mut model, keys);
        let model = filtered(model);

        let line = screen(&model, 40, 12).lines().nth(2).unwrap_or_default().to_owned();

        assert!(line.starts_with("/urge") && line.contains('…'), "{keys}: {line}");
        let rows = &model.incidents.rows;
        assert!(line.contains(&format!("{} out", rows.filtered_out())), "{keys}: {line}");
    }
}
