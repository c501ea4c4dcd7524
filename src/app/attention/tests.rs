//! Stories of somebody who looks away and comes back.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::Novelty;
use crate::{
    app::{
        Effect, Event, Model, Role,
        fixtures::{ago, attached, board, board_of_two, bob, change, incident, key, model, now, press, requests},
        incidents::Line,
        update,
    },
    core::{
        board::{Board, Change},
        freshness::Freshness,
        id::{IncidentKey, ServiceId},
        incident::{Incident, Named, Stamp, Status, Urgency},
        notify::{Except, Means, Notify, Quiet, WindowTitle},
        text::Shown,
    },
    proto::{Access, Request},
};

fn told(model: &mut Model, incident: Incident) -> Vec<Effect> {
    change(model, Change::Incident(Box::new(incident)))
}

/// A new incident, created at `seconds` from now, of a service of its own number.
fn arrival(id: &str, service: &str) -> Incident {
    let mut new = incident(id, 2000, Status::Triggered, "Disk full", 0);
    new.state.service = Some(Named { id: ServiceId::new(service).expect("id"), name: Shown::line(service) });
    new
}

fn later(model: &mut Model, seconds: i64) -> Vec<Effect> {
    update(model, Event::Ticked(model.now + SignedDuration::from_secs(seconds)))
}

/// The calls among the effects: `Ring` and `Notify`.
fn calls(effects: &[Effect]) -> Vec<Effect> {
    effects.iter().filter(|effect| matches!(effect, Effect::Ring | Effect::Notify(_))).cloned().collect()
}

fn titles(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Title(title) = effect { Some(title.as_str()) } else { None })
        .collect()
}

/// In the background, as a terminal tells it.
fn unseen() -> Model {
    let mut model = model(80, 24);
    update(&mut model, Event::FocusLost);
    model
}

fn novelties(model: &Model) -> (usize, usize) {
    model.attention.news.counts()
}

#[test]
fn a_new_incident_calls_whoever_is_not_looking_by_bell_and_desktop() {
    let mut model = unseen();

    let effects = told(&mut model, arrival("QNEW", "Database"));

    let text = "#2000 high, Database: Disk full".into();
    assert_eq!(calls(&effects), [Effect::Ring, Effect::Notify(text)]);
}

#[test]
fn of_several_accounts_a_call_names_the_account() {
    let mut model = attached(board_of_two(), 80, 24);
    update(&mut model, Event::FocusLost);

    let effects = told(&mut model, arrival("QNEW", "Database"));

    assert!(calls(&effects).contains(&Effect::Notify("prod #2000 high, Database: Disk full".into())), "{effects:?}");
}

#[test]
fn whoever_looks_is_not_called() {
    let mut model = model(80, 24);

    assert_eq!(calls(&told(&mut model, arrival("QNEW", "Database"))), []);
    update(&mut model, Event::FocusLost);
    update(&mut model, Event::FocusGained);
    assert_eq!(calls(&told(&mut model, arrival("QNEW2", "Database"))), []);
}

#[test]
fn where_the_terminal_tells_nothing_nobody_looks_after_five_minutes_without_a_key() {
    let mut model = model(80, 24);
    later(&mut model, 299);
    assert_eq!(calls(&told(&mut model, arrival("Q1", "Database"))), []);

    later(&mut model, 1);
    assert_eq!(calls(&told(&mut model, arrival("Q2", "Database"))).len(), 2);

    press(&mut model, "j");
    assert_eq!(calls(&told(&mut model, arrival("Q3", "Database"))), []);
}

#[test]
fn a_terminal_in_front_is_no_proof_that_somebody_sits_there() {
    let mut model = model(80, 24);
    update(&mut model, Event::FocusGained);

    later(&mut model, 300);

    assert_eq!(calls(&told(&mut model, arrival("Q1", "Database"))).len(), 2);
}

#[test]
fn a_terminal_that_gets_keys_is_in_front_whatever_it_said() {
    let mut model = unseen();

    press(&mut model, "j");

    assert_eq!(calls(&told(&mut model, arrival("Q1", "Database"))), []);
}

#[test]
fn only_what_calls_for_somebody_calls() {
    let mut model = unseen();
    let mut acked = arrival("Q1", "Database");
    acked.state.status = Status::Acknowledged;
    assert_eq!(calls(&told(&mut model, acked.clone())), []);
    let mut renamed = board().incidents[&key("Q1DISK")].clone();
    (renamed.stamp, renamed.state.title) = (Stamp::push(now()), "Disk 98 % full".into());
    assert_eq!(calls(&told(&mut model, renamed)), []);

    let again = Incident { stamp: Stamp::push(now()), ..arrival("Q1", "Database") };
    assert_eq!(calls(&told(&mut model, again)).len(), 2, "it is triggered again");
}

#[test]
fn what_the_first_list_brings_is_no_news() {
    let mut model = unseen();
    let account = &mut model.board.accounts.values_mut().next().expect("account").account;
    account.rest = Freshness::default();

    assert_eq!(calls(&told(&mut model, arrival("Q1", "Database"))), []);
    assert_eq!(novelties(&model), (0, 0));
}

#[test]
fn rules_and_quiet_hours_decide_how_one_is_called() {
    let mut model = unseen();
    let quiet =
        Quiet { from: "22:00".parse().expect("time"), to: "07:00".parse().expect("time"), except: Except::HighUrgency };
    let bell: BTreeSet<Means> = [Means::Bell].into();
    model.set_notify(Notify { means: bell, quiet: Some(quiet), ..Notify::default() });
    let mut low = arrival("Q1", "Database");
    low.state.urgency = Urgency::Low;

    // It is 04:17.
    assert_eq!(calls(&told(&mut model, low)), []);
    assert_eq!(calls(&told(&mut model, arrival("Q2", "Database"))), [Effect::Ring]);
}

#[test]
fn several_at_one_moment_ring_once_and_are_told_one_by_one() {
    let mut model = unseen();

    let all: Vec<_> = ["Q1", "Q2", "Q3"].iter().flat_map(|id| told(&mut model, arrival(id, "Database"))).collect();

    assert_eq!(all.iter().filter(|effect| **effect == Effect::Ring).count(), 1);
    assert_eq!(calls(&all).len(), 4);
}

#[test]
fn what_came_unseen_stays_marked_until_the_hand_is_on_it() {
    let mut model = unseen();
    told(&mut model, arrival("QNEW", "Database"));
    let mut taken = board().incidents[&key("Q2LATE")].clone();
    (taken.stamp, taken.state.assignees) = (Stamp::push(now()), vec![bob()]);
    told(&mut model, taken);
    assert_eq!(novelties(&model), (1, 1));

    update(&mut model, Event::FocusGained);
    press(&mut model, "G");
    assert_eq!(novelties(&model), (1, 1), "coming back is not looking at each");
    assert_eq!(model.attention.news.of(&key("QNEW")), Some(Novelty::New));

    press(&mut model, "g");
    assert_eq!(model.incidents.cursor.selected(), Some(&key("QNEW")));
    assert_eq!(novelties(&model), (0, 1));
    press(&mut model, "z");
    assert_eq!((novelties(&model), model.attention.news.since()), ((0, 0), None));
}

#[test]
fn what_came_while_one_looked_is_marked_until_the_next_key() {
    let mut model = model(80, 24);
    told(&mut model, arrival("QNEW", "Database"));
    assert_eq!(novelties(&model), (1, 0));

    press(&mut model, "j");

    assert_eq!(novelties(&model), (0, 0));
}

#[test]
fn what_came_while_the_list_was_out_of_sight_stays_marked_until_it_is_looked_at() {
    for (cover, back) in
        [("2", "1"), ("3", "1"), ("4", "1"), ("enter", "esc"), ("?", "esc"), ("L", "L"), ("H", "esc"), ("a", "esc")]
    {
        let mut model = model(80, 24);
        press(&mut model, cover);
        told(&mut model, arrival("QNEW", "Database"));

        press(&mut model, back);
        press(&mut model, "G");

        assert_eq!(novelties(&model), (1, 0), "{cover}");
        press(&mut model, "g");
        assert_eq!(model.incidents.cursor.selected(), Some(&key("QNEW")), "{cover}");
        assert_eq!(novelties(&model), (0, 0), "{cover}");
    }
}

#[test]
fn what_came_before_one_was_known_to_be_gone_counts_as_unseen() {
    let mut model = model(80, 24);
    later(&mut model, 100);
    told(&mut model, arrival("QNEW", "Database"));
    later(&mut model, 200);

    press(&mut model, "G");

    assert_eq!(novelties(&model), (1, 0));
    assert_eq!(model.attention.news.since(), Some(now()), "the last key was then");
}

#[test]
fn a_new_snapshot_of_the_board_hides_no_news() {
    let mut model = unseen();
    let mut newer = board();
    let new = arrival("QNEW", "Database");
    newer.incidents.insert(new.key.clone(), new);
    newer.incidents.remove(&key("Q2LATE"));
    let access = Access::Act { actor: "alice".into() };

    let effects = update(&mut model, Event::Attached { board: Box::new(newer), access, role: Role::Attached });

    assert_eq!((calls(&effects).len(), novelties(&model)), (2, (1, 0)));
}

#[test]
fn what_is_older_than_what_is_known_is_no_news() {
    let mut model = unseen();
    let mut older = board();
    let disk = older.incidents.get_mut(&key("Q1DISK")).expect("incident");
    (disk.stamp, disk.state.title) = (Stamp::push(ago(9000)), "before".into());
    let access = Access::Act { actor: "alice".into() };

    update(&mut model, Event::Attached { board: Box::new(older), access, role: Role::Attached });

    assert_eq!(novelties(&model), (0, 0));
}

/// So many new incidents at once, two services by turns.
fn storm(model: &mut Model, count: usize) -> Vec<Effect> {
    let service = |n: usize| if n.is_multiple_of(3) { "Edge" } else { "Database" };
    (0..count).flat_map(|n| told(model, arrival(&format!("QSTORM{n:02}"), service(n)))).collect()
}

fn lines(model: &Model) -> Vec<String> {
    let groups = model.incidents.groups.as_ref().expect("grouped");
    let line = |line: &Line| match line {
        Line::Group(key) => format!("[{}]", groups.group(key).map_or("?", |group| group.service.as_str())),
        Line::Incident(key) => key.id.to_string(),
    };
    groups.lines.iter().map(line).collect()
}

#[test]
fn more_than_ten_in_a_minute_are_grouped_by_service_and_the_hand_stays() {
    let mut model = model(80, 24);
    press(&mut model, "j");
    assert_eq!(model.incidents.cursor.selected(), Some(&key("Q2LATE")));
    storm(&mut model, 10);
    assert!(model.incidents.groups.is_none());

    told(&mut model, arrival("QLAST", "Edge"));

    later(&mut model, 0);
    assert_eq!(model.incidents.cursor.selected(), Some(&key("Q2LATE")));
    let shown = lines(&model);
    assert!(shown.contains(&"Q2LATE".to_owned()), "{shown:?}");
    assert!(shown.contains(&"[Database]".to_owned()) && shown.contains(&"[Edge]".to_owned()), "{shown:?}");
    let counted: usize = model
        .incidents
        .groups
        .as_ref()
        .expect("grouped")
        .lines
        .iter()
        .map(|line| match line {
            Line::Group(key) => {
                model.incidents.groups.as_ref().and_then(|g| g.group(key)).map_or(0, |g| g.members.len())
            }
            Line::Incident(_) => 0,
        })
        .sum();
    assert_eq!(counted, model.incidents.rows.keys().len(), "every listed incident is counted in a group");
}

#[test]
fn enter_unfolds_a_group_and_a_key_that_acts_means_all_of_it() {
    let mut model = model(80, 24);
    storm(&mut model, 11);
    press(&mut model, "g");
    let groups = model.incidents.groups.as_ref().expect("grouped");
    let members: BTreeSet<IncidentKey> = groups.at_hand().expect("a group").1.members.iter().cloned().collect();
    let folded = groups.lines.len();

    press(&mut model, "enter");
    assert!(model.incidents.groups.as_ref().expect("grouped").lines.len() >= folded + members.len() - 1);
    press(&mut model, "enter");
    let effects = press(&mut model, "a enter");

    let asked: BTreeSet<IncidentKey> = requests(&effects)
        .into_iter()
        .flat_map(|(_, request)| match request {
            Request::Act { targets, .. } => targets.into_iter().map(|target| target.key).collect(),
            _ => vec![],
        })
        .collect();
    assert_eq!(asked, members);
}

#[test]
fn a_storm_is_called_out_once_a_minute_with_all_that_it_brought() {
    let mut model = unseen();
    let effects = storm(&mut model, 30);
    let first = calls(&effects);
    let about = |text: &str, effects: &[Effect]| {
        effects.iter().filter(|e| matches!(e, Effect::Notify(said) if said.as_str().contains(text))).count()
    };
    assert_eq!(about("in a minute", &first), 1, "{first:?}");
    assert_eq!(about("Disk full", &first), 10, "{first:?}");
    later(&mut model, 30);
    assert_eq!(calls(&told(&mut model, arrival("QMORE", "Edge"))), []);

    let effects = later(&mut model, 30);

    assert_eq!(about("1 incidents in a minute: Edge 1", &calls(&effects)), 1, "{effects:?}");
    assert_eq!(calls(&later(&mut model, 60)), [], "nothing came since");
}

#[test]
fn grouping_ends_with_the_storm_or_with_a_key() {
    let mut model = model(80, 24);
    storm(&mut model, 30);
    later(&mut model, 299);
    assert!(model.incidents.groups.is_some());
    later(&mut model, 1);
    assert!(model.incidents.groups.is_none(), "five minutes without as many in a minute");

    storm_again(&mut model);
    press(&mut model, "S");
    assert!(model.incidents.groups.is_none() && model.attention.storm.is_on());
    told(&mut model, arrival("QMORE", "Edge"));
    assert!(model.incidents.groups.is_none(), "the person switched it off");
    press(&mut model, "S");
    assert!(model.incidents.groups.is_some());
}

#[test]
fn when_the_clock_ends_a_storm_a_key_meant_for_a_group_means_nothing() {
    let mut model = model(80, 24);
    storm(&mut model, 11);
    press(&mut model, "g");
    assert!(model.incidents.groups.as_ref().is_some_and(|groups| groups.at_hand().is_some()));

    later(&mut model, 300);

    assert!(model.incidents.groups.is_none());
    assert_eq!(press(&mut model, "a enter"), []);
    assert!(model.prompt.is_none() && model.incidents.cursor.selected().is_none());

    storm_again(&mut model);
    later(&mut model, 0);
    assert_eq!(press(&mut model, "a enter"), [], "nor when the next one begins");
}

#[test]
fn what_fits_the_screen_is_grouped_no_longer_than_incidents_come_in() {
    let mut model = model(80, 24);
    storm(&mut model, 11);
    later(&mut model, 59);
    assert!(model.incidents.groups.is_some());

    later(&mut model, 1);

    assert!(model.incidents.groups.is_none() && !model.attention.storm.is_on());
}

fn storm_again(model: &mut Model) {
    for n in 0..11 {
        told(model, arrival(&format!("QAGAIN{n:02}"), "Edge"));
    }
    assert!(model.incidents.groups.is_some());
}

#[test]
fn grouped_by_hand_it_stays_so_and_from_a_group_the_hand_goes_to_its_first() {
    let mut model = model(80, 24);
    press(&mut model, "S g");
    later(&mut model, 3600);
    let first =
        model.incidents.groups.as_ref().and_then(|groups| groups.at_hand()).expect("a group").1.members[0].clone();

    press(&mut model, "S");

    assert_eq!(model.incidents.cursor.selected(), Some(&first));
}

#[test]
fn a_filter_and_marks_work_on_groups() {
    let mut model = model(80, 24);
    press(&mut model, "S g space");
    let members = model.incidents.groups.as_ref().and_then(|groups| groups.at_hand()).expect("a group").1.members.len();
    assert_eq!(model.incidents.marked.len(), members);
    press(&mut model, "space");
    assert_eq!(model.incidents.marked.len(), 0);

    press(&mut model, "/ d b enter");

    let listed = model.incidents.rows.keys().len();
    let grouped: usize = lines(&model).iter().filter(|line| line.starts_with('[')).count();
    assert!(listed > 0 && grouped > 0 && grouped <= listed);
}

#[test]
fn the_title_tells_what_is_open_and_changes_with_it_only() {
    let mut model = model(80, 24);
    assert_eq!(titles(&later(&mut model, 0)), ["3 triggered, 2 acked - dogwatch"]);
    assert_eq!(titles(&later(&mut model, 1)), Vec::<&str>::new());
    update(&mut model, Event::FocusLost);
    let mut hostile = arrival("QNEW", "Database");
    hostile.state.title = "\u{1b}]0;owned\u{7}".into();
    told(&mut model, hostile);
    assert_eq!(titles(&later(&mut model, 1)), ["4 triggered, 2 acked, 1 new - dogwatch"]);
    update(&mut model, Event::Detached { reason: "gone".into() });
    assert_eq!(titles(&later(&mut model, 1)), ["4 triggered?, 2 acked?, 1 new - dogwatch"]);
}

#[test]
fn a_title_that_is_not_wanted_is_not_touched() {
    let mut model = model(80, 24);
    model.set_notify(Notify { title: WindowTitle::Untouched, ..Notify::default() });

    assert_eq!(titles(&later(&mut model, 1)), Vec::<&str>::new());
}

#[test]
fn nothing_open_is_said_only_when_that_is_known() {
    let mut model = Model::new(now(), crate::app::fixtures::zone(), (80, 24));
    assert_eq!(titles(&later(&mut model, 0)), ["connecting - dogwatch"]);
    let access = Access::Act { actor: "alice".into() };
    update(&mut model, Event::Attached { board: Box::new(Board::default()), access, role: Role::Owner });
    assert_eq!(titles(&later(&mut model, 0)), ["open: not known - dogwatch"]);
}

#[test]
fn in_a_flood_of_two_thousand_the_list_is_grouped_once_and_counts_them_all() {
    let mut model = unseen();
    for n in 0..2000_u32 {
        told(&mut model, arrival(&format!("QFLOOD{n}"), if n.is_multiple_of(2) { "Edge" } else { "Database" }));
    }

    later(&mut model, 0);

    let listed = model.incidents.rows.keys().len();
    assert!(listed > 2000 && lines(&model).len() < 20, "{:?}", lines(&model));
    assert_eq!(novelties(&model), (2000, 0));
}
