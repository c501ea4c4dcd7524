//! Looking for incidents: the filter line, completion, marking by a query, saved views.

use proptest::prelude::*;

use super::{notice, selected};
use crate::{
    app::{
        Effect, Event, Model, Role,
        fixtures::{
            account, account_name, action, ago, answer, attached, board, change, delivery, detail, incident, key,
            model, press, type_text, zone,
        },
        incidents::matching,
        update,
    },
    core::{
        action::{Outcome, Verb},
        board::Change,
        delivery::{DeliverySummary, Verdict},
        detail::Detail,
        freshness::{Account, Identity},
        incident::{Status, Urgency},
        text::Shown,
        view::{SavedView, SavedViews},
    },
    proto::{Access, Answer},
};

fn ids(model: &Model) -> Vec<&str> {
    model.incidents.rows.keys().iter().map(|key| key.id.as_str()).collect()
}

fn filtered(text: &str) -> Model {
    let mut model = model(80, 24);
    filter(&mut model, text);
    model
}

fn filter(model: &mut Model, text: &str) {
    press(model, "/ ctrl-u");
    type_text(model, text);
    press(model, "enter");
}

fn views() -> SavedViews {
    let view = |name: &str, query: &str, key: Option<&str>| SavedView {
        name: name.into(),
        query: query.to_owned(),
        key: key.map(|key| key.parse().expect("key")),
    };
    SavedViews {
        all: vec![
            view("mine", "is:mine", Some("alt-1")),
            view("databases", "service:database", Some("alt-2")),
            view("low", "urgency:low", None),
        ],
        first: Some("mine".into()),
    }
}

fn with_views(last: Option<&str>) -> Model {
    let mut model = model(80, 24);
    model.set_views(views(), last);
    model
}

fn view(model: &Model) -> Option<&str> {
    model.incidents.view().map(|view| view.name.as_str())
}

#[test]
fn the_filter_line_speaks_the_query_language() {
    for (query, listed) in [
        ("urgency:low", vec!["Q3CERT", "Q5BACK"]),
        ("is:acked !urgency:low", vec!["Q4QUEU"]),
        ("service:database or priority:P2 is:triggered", vec!["Q1DISK", "Q2LATE", "Q5BACK"]),
        ("assignee:bob", vec!["Q2LATE", "Q5BACK"]),
        ("is:mine is:acked", vec!["Q4QUEU"]),
        ("number:1195..1198", vec!["Q3CERT", "Q4QUEU"]),
        ("age:>1h is:open", vec!["Q3CERT", "Q5BACK"]),
        ("crtificate", vec!["Q3CERT"]),
        ("status:resolved", vec!["Q6LOGN", "Q7OLD0"]),
    ] {
        assert_eq!(ids(&filtered(query)), listed, "{query}");
    }
}

#[test]
fn a_query_that_is_not_understood_leaves_the_last_good_one_in_force_and_cannot_be_kept() {
    let mut model = filtered("urgency:low");
    press(&mut model, "/");
    type_text(&mut model, " sevice:edge");
    assert_eq!(ids(&model), ["Q3CERT", "Q5BACK"]);
    assert_eq!(model.incidents.filter.wrong().map(|wrong| wrong.column), Some(13));

    press(&mut model, "enter");
    assert!(model.incidents.typing.is_some(), "what stands there is not what holds");
    assert!(notice(&model).starts_with("column 13: no field `sevice`, perhaps `service:`"));

    press(&mut model, "ctrl-w");
    type_text(&mut model, "service:edge");
    assert!(model.notice.is_none(), "it is mended");
    press(&mut model, "enter");
    assert_eq!((ids(&model), model.incidents.typing), (vec!["Q3CERT"], None));
}

#[test]
fn tab_completes_fields_and_then_what_the_board_knows() {
    let mut model = model(80, 24);
    press(&mut model, "/");
    type_text(&mut model, "!serv");
    press(&mut model, "tab");
    type_text(&mut model, "da");
    press(&mut model, "tab");
    type_text(&mut model, "ass");
    press(&mut model, "tab");
    type_text(&mut model, "okafor");
    press(&mut model, "tab enter");

    assert_eq!(model.incidents.filter.as_str(), "!service:Database assignee:\"Bob Okafor\"");
    assert_eq!(ids(&model), ["Q2LATE"]);
}

#[test]
fn every_printable_key_reaches_both_lines_that_take_a_query() {
    let all: String = (' '..='~').collect();
    for open in ["/", "V"] {
        let mut model = model(80, 24);
        press(&mut model, open);
        type_text(&mut model, &all);
        let state = &model.incidents;
        assert_eq!(if open == "/" { state.filter.as_str() } else { state.marking.as_str() }, all);
        assert!(model.prompt.is_none() && model.incidents.marked.is_empty());
    }
}

#[test]
fn an_open_incident_is_never_hidden_by_its_age_and_what_is_hidden_is_counted() {
    let mut model = model(80, 24);
    let old = incident("QOLD", 7, Status::Acknowledged, "forgotten for over a year", 500 * 24 * 3600);
    change(&mut model, Change::Incident(Box::new(old)));
    update(&mut model, Event::Ticked(ago(-24 * 3600)));

    let rows = &model.incidents.rows;
    assert!(rows.lists(&key("QOLD")));
    assert_eq!((rows.keys().len(), rows.filtered_out(), rows.unknown(), rows.hidden_resolved()), (6, 0, 0, 2));

    filter(&mut model, "age:<7d");
    assert_eq!((ids(&model).contains(&"QOLD"), model.incidents.rows.filtered_out()), (false, 1));
}

#[test]
fn ctrl_a_marks_what_the_filter_lists_and_takes_these_marks_off_again() {
    let mut model = model(80, 24);
    press(&mut model, "space");
    filter(&mut model, "service:database");
    press(&mut model, "j space");
    filter(&mut model, "urgency:low");

    press(&mut model, "ctrl-a");
    let marked: Vec<_> = model.incidents.marked.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(marked, ["Q1DISK", "Q3CERT", "Q5BACK"]);

    press(&mut model, "ctrl-a");
    assert_eq!(model.incidents.marked.iter().collect::<Vec<_>>(), [&key("Q1DISK")], "it was not listed");
}

#[test]
fn marking_by_a_query_marks_listed_ones_only_and_says_how_many() {
    let mut model = filtered("is:triggered");
    press(&mut model, "V");
    type_text(&mut model, "urgency:low");
    assert_eq!(matching(&model), [&key("Q3CERT")]);

    press(&mut model, "enter");

    assert_eq!(notice(&model), "1 incident marked by “urgency:low”");
    assert_eq!(model.incidents.marked.iter().collect::<Vec<_>>(), [&key("Q3CERT")]);
    assert_eq!(model.incidents.filter.as_str(), "is:triggered", "the filter is another one");
}

#[test]
fn a_query_that_marks_nothing_says_so_and_an_empty_one_marks_nothing() {
    let mut model = model(80, 24);
    press(&mut model, "V");
    type_text(&mut model, "service:nowhere");
    press(&mut model, "enter");
    assert!(notice(&model).contains("nothing was marked"));

    press(&mut model, "V enter V esc");
    assert!(model.incidents.marked.is_empty());
}

#[test]
fn what_is_marked_is_listed_as_it_is_marked() {
    let mut model = filtered("is:marked");
    assert_eq!(ids(&model), [""; 0]);
    press(&mut model, "esc space");
    filter(&mut model, "is:marked");
    assert_eq!(ids(&model), ["Q1DISK"]);

    press(&mut model, "g space");

    assert_eq!(ids(&model), [""; 0]);
}

#[test]
fn notes_are_known_of_once_they_were_seen_and_not_before() {
    let mut model = filtered("has:note");
    assert_eq!((ids(&model), model.incidents.rows.unknown()), (vec!["Q1DISK"], 5), "a webhook told of that one");

    press(&mut model, "esc j j enter");
    let id = model.incidents.opened.as_ref().map(|opened| opened.key.clone()).expect("open");
    let effects = press(&mut model, "esc enter");
    let read = Box::new(Detail { key: id.clone(), notes: vec![], ..detail() });
    answer(&mut model, &effects, Ok(Answer::Detail { detail: read }));
    press(&mut model, "esc");
    filter(&mut model, "has:note");
    assert_eq!(model.incidents.rows.unknown(), 4, "{id} has none");

    let done = &[("Q2LATE", Outcome::Confirmed { notice: None })];
    change(&mut model, Change::Action(Box::new(action(9, Verb::Note { text: "x".into() }, done))));
    assert_eq!((ids(&model), model.incidents.rows.unknown()), (vec!["Q1DISK", "Q2LATE"], 3));
    let told = delivery(9, 1, Verdict::Accepted, "incident.annotated");
    let told = DeliverySummary { incident: Some(key("Q4QUEU")), ..told };
    change(&mut model, Change::Delivery(Box::new(told)));
    assert_eq!(ids(&model), ["Q1DISK", "Q2LATE", "Q4QUEU"]);
}

#[test]
fn mine_follows_who_i_am_and_is_not_guessed() {
    let mut known = board();
    known.accounts.get_mut(&account_name()).expect("account").account.identity = None;
    let mut model = attached(known, 80, 24);
    filter(&mut model, "is:mine");
    assert_eq!((ids(&model).len(), model.incidents.rows.unknown()), (0, 5));

    change(&mut model, Change::Account(Box::new(account())));
    assert_eq!(ids(&model), ["Q1DISK", "Q2LATE", "Q3CERT", "Q4QUEU"]);

    let identity = Some(Identity { user: None, ..account().identity.expect("identity") });
    change(&mut model, Change::Account(Box::new(Account { identity, ..account() })));
    assert_eq!(ids(&model).len(), 0);
}

#[test]
fn who_is_meant_by_an_address_is_known_once_the_people_are() {
    let mut model = filtered("assignee:bob@example.com");
    assert_eq!(ids(&model).len(), 0);
    let known = &model.board.accounts[&account_name()];
    let mut people = known.people.clone();
    for person in &mut people {
        let address = person.user.name.as_str().replace(" Okafor", "@example.com");
        person.email = Some(Shown::line(&address));
    }
    let policies = known.policies.clone();

    change(&mut model, Change::Directory { account: account_name(), people, policies, policy_teams: [].into() });

    assert_eq!(ids(&model), ["Q2LATE", "Q5BACK"]);
}

#[test]
fn ages_in_the_filter_come_true_as_time_passes() {
    let mut model = filtered("age:>5m is:triggered urgency:high");
    assert_eq!(ids(&model), ["Q2LATE"]);

    update(&mut model, Event::Ticked(ago(-101)));

    assert_eq!(ids(&model), ["Q1DISK", "Q2LATE"]);
}

#[test]
fn a_saved_view_is_a_key_away_and_its_name_is_kept_for_the_next_start() {
    let mut model = with_views(None);
    assert_eq!((view(&model), ids(&model).len()), (Some("mine"), 4), "the settings begin with it");

    assert_eq!(press(&mut model, "enter alt-2")[1..], [Effect::RememberView(Some("databases".into()))]);
    assert!(model.incidents.opened.is_none());
    assert_eq!((view(&model), ids(&model)), (Some("databases"), vec!["Q1DISK", "Q5BACK"]));
    assert_eq!(press(&mut model, "alt-2"), []);

    assert_eq!(press(&mut model, "esc"), [Effect::RememberView(None)]);
    assert_eq!((view(&model), ids(&model).len()), (None, 6));
}

#[test]
fn a_console_starts_with_the_view_it_had_last_time_if_there_still_is_one() {
    assert_eq!(view(&with_views(Some("databases"))), Some("databases"));
    assert_eq!(view(&with_views(Some("gone"))), Some("mine"));

    let mut model = Model::new(ago(0), zone(), (80, 24));
    model.set_views(views(), Some("databases"));
    let access = Access::Act { actor: "alice".into() };
    update(&mut model, Event::Attached { board: Box::new(board()), access, role: Role::Owner });
    assert_eq!(ids(&model), ["Q1DISK", "Q5BACK"], "also what comes in later");
}

#[test]
fn a_view_that_was_typed_over_is_that_view_no_more() {
    let mut model = with_views(Some("databases"));

    press(&mut model, "/");
    type_text(&mut model, " urgency:low");
    assert_eq!(press(&mut model, "enter"), [Effect::RememberView(None)]);

    assert_eq!((view(&model), ids(&model)), (None, vec!["Q5BACK"]));
}

#[test]
fn views_without_a_key_are_reached_through_their_list() {
    let mut model = with_views(None);
    press(&mut model, "f");
    assert_eq!(model.incidents.picking.as_ref().map(Shown::as_str), Some("mine"));
    assert_eq!(press(&mut model, "G a enter"), [Effect::RememberView(Some("low".into()))]);
    assert_eq!((view(&model), model.prompt.is_none()), (Some("low"), true));

    press(&mut model, "f k esc");
    assert_eq!((view(&model), model.incidents.picking.as_ref()), (Some("low"), None));
    model.set_views(SavedViews::default(), None);
    press(&mut model, "f");
    assert!(notice(&model).contains("[[view]]"));
}

#[test]
fn no_key_acts_while_nothing_is_selected() {
    let acting = ["a enter", "R enter", "h enter", "n x ctrl-s", "s enter", "x enter", "m enter", "e enter", "+ enter"];
    let further = ["U x ctrl-s", "W enter", "A enter", "o", "enter", "w"];
    for keys in acting.into_iter().chain(further) {
        let mut model = filtered("nothing-matches-this");
        assert_eq!(selected(&model), None);
        assert_eq!(press(&mut model, keys), [], "{keys}");
        assert!(model.prompt.is_none() && notice(&model).contains("no incident is selected"), "{keys}");
    }
}

/// What may happen between looking and acting.
#[derive(Debug, Clone)]
enum Happening {
    Filter(&'static str),
    Keys(&'static str),
    Incident { id: u8, status: Status, low: bool },
    Forgotten(u8),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    use Happening::{Filter, Forgotten, Keys};
    let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
    prop_oneof![
        proptest::sample::select(vec!["", "!is:acked", "urgency:high", "is:mine", "status:resolved", "disk"])
            .prop_map(Filter),
        proptest::sample::select(vec!["j", "k", "g", "G", "v", "pgdn", "j j"]).prop_map(Keys),
        (0..9u8, status, any::<bool>()).prop_map(|(id, status, low)| Happening::Incident { id, status, low }),
        (0..9u8).prop_map(Forgotten),
    ]
}

proptest! {
    #[test]
    fn a_key_means_the_row_that_the_hand_is_on_whatever_the_filter_hides(
        happenings in prop::collection::vec(any_happening(), 1..12)
    ) {
        let mut model = model(80, 24);
        for happening in happenings {
            match happening {
                Happening::Filter(text) => filter(&mut model, text),
                Happening::Keys(keys) => drop(press(&mut model, keys)),
                Happening::Incident { id, status, low } => {
                    let mut seen = incident(&format!("QNEW{id}"), u64::from(id), status, "disk", i64::from(id) * 100);
                    if low { seen.state.urgency = Urgency::Low; }
                    change(&mut model, Change::Incident(Box::new(seen)));
                }
                Happening::Forgotten(id) => drop(change(&mut model, Change::Forgotten(key(&format!("QNEW{id}"))))),
            }
            let hand = model.incidents.cursor.selected().cloned();
            prop_assert!(hand.as_ref().is_none_or(|key| model.incidents.rows.lists(key)), "the hand is on a row");
            press(&mut model, "n");
            let aims: Vec<_> = model.prompt.iter().flat_map(|prompt| &prompt.aims).map(|aim| aim.target.key.clone()).collect();
            prop_assert_eq!(aims, hand.into_iter().collect::<Vec<_>>());
            press(&mut model, "esc");
        }
    }
}
