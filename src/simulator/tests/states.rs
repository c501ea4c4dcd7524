//! What happens to incidents: states, assignment, escalation, and who may do what.

use serde_json::json;

use super::{Stage, assignees, ids, item, text};
use crate::simulator::{
    clock,
    world::{Agent, Audience, IncidentIx, ServiceIx, Trigger, UserIx, World},
};

#[tokio::test]
async fn acknowledging_a_resolved_incident_reopens_it_for_the_one_who_did() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    let resolved = stage.change(&id, json!({"status": "resolved"})).await;
    assert_eq!((assignees(&resolved).len(), &resolved["pending_actions"]), (0, &json!([])));
    assert!(resolved["resolved_at"].is_string());

    let reopened = stage.change(&id, json!({"status": "acknowledged"})).await;

    assert_eq!(reopened["status"], "acknowledged");
    assert!(reopened["resolved_at"].is_null());
    assert_eq!(assignees(&reopened), [stage.user(0)]);
    assert_eq!(reopened["acknowledgements"][0]["acknowledger"]["id"], stage.user(0).as_str());
    let kinds: Vec<_> = stage.inbox.first(4).await.iter().map(super::Delivery::kind).collect();
    assert_eq!(kinds, ["incident.triggered", "incident.resolved", "incident.reopened", "incident.acknowledged"]);
}

#[tokio::test]
async fn a_status_that_cannot_be_changed_is_refused_with_its_code() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    let path = format!("/incidents/{id}");
    let put = async |fields| stage.put(&path, item(fields)).await;

    assert_eq!(put(json!({"status": "sleeping"})).await.code(), 1003);
    assert_eq!(put(json!({"assignments": [{"assignee": {"id": "PNOBODY"}}]})).await.code(), 1007);
    assert_eq!(put(json!({"escalation_policy": {"id": "PNOWHERE"}})).await.code(), 1014);
    assert_eq!(put(json!({"priority": "P9"})).await.code(), 1020);
    assert_eq!(put(json!({"escalation_level": 9})).await.code(), 1006);
    let untyped = stage.put(&path, json!({"incident": {"status": "resolved"}})).await;
    assert_eq!((untyped.status, untyped.code()), (400, 2001));
    stage.change(&id, json!({"status": "resolved"})).await;
    assert_eq!(put(json!({"status": "resolved"})).await.code(), 1001);
    let missing = stage.put("/incidents/QNOTHERE", item(json!({"status": "resolved"}))).await;
    assert_eq!((missing.status, missing.code()), (404, 2100));
}

#[tokio::test]
async fn reassigning_by_hand_stops_escalation_and_delegating_starts_it_again() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    stage.change(&id, json!({"status": "acknowledged"})).await;

    let to = json!([{"assignee": {"id": stage.user(4), "type": "user_reference"}}]);
    let reassigned = stage.change(&id, json!({"assignments": to})).await;
    let policy = stage.policy("Platform").await;
    let delegated = stage.change(&id, json!({"escalation_policy": {"id": policy, "type": "x"}})).await;

    assert_eq!(assignees(&reassigned), [stage.user(4)]);
    assert_eq!(reassigned["assigned_via"], "direct_assignment");
    assert_eq!(reassigned["status"], "triggered");
    assert!(reassigned["pending_actions"].as_array().unwrap().iter().all(|p| p["type"] == "resolve"));
    assert_eq!(delegated["assigned_via"], "escalation_policy");
    assert_eq!(delegated["escalation_policy"]["id"], policy.as_str());
    assert_eq!(delegated["pending_actions"][0]["type"], "escalate");
    let told = stage.inbox.of_kind("incident.delegated").await;
    assert_eq!(told["data"]["assignees"][0]["id"], delegated["assignments"][0]["assignee"]["id"]);
    assert_eq!(stage.inbox.of_kind("incident.reassigned").await["data"]["assignees"][0]["id"], stage.user(4).as_str());
}

#[tokio::test]
async fn a_snooze_needs_an_acknowledged_incident_and_ends_by_itself() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    let path = format!("/incidents/{id}/snooze");

    assert_eq!(stage.post(&path, json!({"duration": 60})).await.code(), 1012);
    stage.change(&id, json!({"status": "acknowledged"})).await;
    assert_eq!(stage.post(&path, json!({"duration": 604_801})).await.code(), 1013);
    assert_eq!(stage.post(&path, json!({})).await.code(), 1013);
    let snoozed = stage.post(&path, json!({"duration": 1})).await;

    assert_eq!((snoozed.status, &snoozed.body["incident"]["status"]), (201, &json!("acknowledged")));
    let pending = snoozed.body["incident"]["pending_actions"].as_array().unwrap();
    assert_eq!(pending.iter().map(|p| text(&p["type"])).collect::<Vec<_>>(), ["unacknowledge"]);
    let woken = stage.inbox.of_kind("incident.unacknowledged").await;
    assert_eq!((&woken["data"]["status"], &woken["agent"]), (&json!("triggered"), &json!(null)));
}

#[tokio::test]
async fn merging_resolves_the_sources_and_moves_their_alerts() {
    let stage = Stage::empty().await;
    let (target, source) = (stage.trigger("one").await, stage.trigger("two").await);
    let sources = json!({"source_incidents": [{"id": source, "type": "incident_reference"}]});

    let merged = stage.put(&format!("/incidents/{target}/merge"), sources.clone()).await;

    assert_eq!((merged.status, &merged.body["incident"]["id"]), (200, &json!(target)));
    let gone = stage.get(&format!("/incidents/{source}")).await.body["incident"].take();
    assert_eq!(gone["status"], "resolved");
    assert_eq!(gone["resolve_reason"]["type"], "merge_resolve_reason");
    assert_eq!(gone["resolve_reason"]["incident"]["id"], target.as_str());
    let kept = stage.get(&format!("/incidents/{target}/alerts")).await;
    assert_eq!(kept.body["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(
        stage.inbox.of_kind("incident.resolved").await["data"]["resolve_reason"]["type"],
        "merge_resolve_reason"
    );
    assert_eq!(stage.put(&format!("/incidents/{target}/merge"), sources).await.code(), 1019);
}

#[tokio::test]
async fn many_are_changed_together_or_not_at_all() {
    let stage = Stage::empty().await;
    let (one, two) = (stage.trigger("one").await, stage.trigger("two").await);
    let put = async |changes: Vec<(&str, &str)>| {
        let items: Vec<_> = changes
            .into_iter()
            .map(|(id, status)| json!({"id": id, "type": "incident_reference", "status": status}))
            .collect();
        stage.put("/incidents", json!({"incidents": items})).await
    };

    let refused = put(vec![(&one, "acknowledged"), ("QNOTHERE", "acknowledged")]).await;
    assert_eq!(refused.status, 400);
    assert_eq!(stage.get(&format!("/incidents/{one}")).await.body["incident"]["status"], "triggered");

    let done = put(vec![(&one, "acknowledged"), (&two, "resolved")]).await;
    assert_eq!(
        (&done.body["incidents"][0]["status"], &done.body["incidents"][1]["status"]),
        (&json!("acknowledged"), &json!("resolved"))
    );
    assert_eq!(put(vec![(&one, "resolved"), (&two, "resolved")]).await.code(), 1001);
    assert_eq!(stage.get(&format!("/incidents/{one}")).await.body["incident"]["status"], "acknowledged");
    assert_eq!(put(vec![(&one, "resolved"); 251]).await.status, 413);
}

#[tokio::test]
async fn an_account_key_has_no_identity_and_acts_as_from() {
    let mut stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    let path = format!("/incidents/{id}");
    let acknowledge = || item(json!({"status": "acknowledged"}));
    stage.token = "account-y_NbAkKc66ry".to_owned();

    let me = stage.get("/users/me").await;
    assert_eq!(me.status, 400);
    assert!(text(&me.body["error"]).contains("account-level access token"));
    let nobody = stage.put(&path, acknowledge()).await;
    assert_eq!((nobody.status, nobody.code()), (400, 2016));
    assert!(text(&nobody.body["error"]["message"]).contains("\"From\" header"));
    stage.from = Some("nobody@example.com".to_owned());
    let unknown = stage.put(&path, acknowledge()).await;
    assert_eq!((unknown.code(), &unknown.body["error"]["errors"]), (1008, &json!([])));

    stage.from = Some(stage.simulator.users()[2].email.to_uppercase());
    let incident = stage.change(&id, json!({"status": "acknowledged"})).await;
    assert_eq!(assignees(&incident), [stage.user(2)]);
    assert_eq!(incident["last_status_change_by"]["id"], stage.user(2).as_str());
    stage.token = "readonly-y_NbAkKc66ry".to_owned();
    assert_eq!(stage.put(&path, acknowledge()).await.status, 403);
    assert_eq!(stage.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_users_own_key_acts_as_that_user() {
    let mut stage = Stage::empty().await;
    let person = stage.simulator.users()[5].clone();
    stage.token = secrecy::ExposeSecret::expose_secret(&person.token).to_owned();

    assert_eq!(stage.get("/users/me").await.body["user"]["id"], person.id.as_str());
    let id = stage.trigger("db").await;
    assert_eq!(assignees(&stage.change(&id, json!({"status": "acknowledged"})).await), [person.id.to_string()]);
}

#[tokio::test]
async fn the_timeline_tells_the_story_newest_first_and_in_pages() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    stage.change(&id, json!({"status": "acknowledged"})).await;
    stage.post(&format!("/incidents/{id}/notes"), json!({"note": {"content": "On it"}})).await;
    stage.change(&id, json!({"status": "resolved", "resolution": "restarted"})).await;
    let path = format!("/incidents/{id}/log_entries");

    let overview = stage.get(&format!("{path}?is_overview=true&total=true&include[]=channels")).await.body;
    let page = stage.get(&format!("{path}?limit=2&offset=1")).await.body;

    let kinds: Vec<_> = overview["log_entries"].as_array().unwrap().iter().map(|e| text(&e["type"])).collect();
    assert_eq!(
        kinds,
        ["resolve_log_entry", "annotate_log_entry", "acknowledge_log_entry", "assign_log_entry", "trigger_log_entry"]
    );
    assert_eq!(overview["log_entries"][0]["note"], "restarted");
    assert_eq!(overview["log_entries"][1]["channel"]["summary"], "On it");
    assert_eq!(overview["log_entries"][4]["channel"]["details"]["host"], "eu1-db-02");
    assert_eq!((page["log_entries"].as_array().unwrap().len(), &page["more"]), (2, &json!(true)));
    assert_eq!(ids(&page["log_entries"])[0], ids(&overview["log_entries"])[1]);
}

#[tokio::test]
async fn an_empty_note_is_refused_and_a_long_one_is_trimmed_in_its_webhook_only() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    let path = format!("/incidents/{id}/notes");
    let long = "ä".repeat(2500);

    assert_eq!(stage.post(&path, json!({"note": {"content": " "}})).await.status, 400);
    let made = stage.post(&path, json!({"note": {"content": long}})).await;

    assert_eq!((made.status, &made.body["note"]["content"]), (200, &json!(long)));
    let told = stage.inbox.of_kind("incident.annotated").await;
    assert_eq!(
        (&told["data"]["trimmed"], told["data"]["content"].as_str().unwrap().chars().count()),
        (&json!(true), 2000)
    );
    assert_eq!(stage.get(&path).await.body["notes"][0]["content"], long.as_str());
}

// The account without HTTP: what needs more time than a test has.

fn world() -> (World, jiff::Timestamp) {
    let now = "2026-03-04T12:00:00.250Z".parse().unwrap();
    (World::new(1, 0, now, Audience::Subscribed), now)
}

fn trigger(world: &mut World, service: &str, now: jiff::Timestamp) -> IncidentIx {
    let service = world.account.find_service(service).unwrap();
    let new = Trigger {
        title: "db".to_owned(),
        service,
        urgency: crate::core::incident::Urgency::High,
        agent: Agent::Service(ServiceIx(0)),
        priority: None,
        key: None,
        alert: None,
        policy: None,
        assignee: None,
        kind: None,
    };
    world.trigger(new, now)
}

fn told(world: &mut World) -> Vec<serde_json::Value> {
    let events = std::mem::take(&mut world.outbox);
    events.iter().map(|e| serde_json::from_slice::<serde_json::Value>(&e.body).unwrap()["event"].take()).collect()
}

#[test]
fn nobody_answers_so_it_climbs_the_policy_as_often_as_that_says_and_then_stays() {
    let (mut world, now) = world();
    let ix = trigger(&mut world, "Payments API", now);
    let manager = UserIx(1);

    world.tick(clock::after(now, 5 * 60));
    assert_eq!(world.incident(ix).level, 1);
    world.tick(clock::after(now, 15 * 60));
    assert_eq!((world.incident(ix).level, world.assignees(ix)), (2, vec![manager]));
    world.tick(clock::after(now, 30 * 60));
    assert_eq!((world.incident(ix).level, world.incident(ix).walked), (0, 1));
    world.tick(clock::after(now, 3 * 3600));

    let incident = world.incident(ix);
    assert_eq!((incident.level, incident.walked, incident.timers.escalate), (2, 2, None));
    let kinds: Vec<_> = told(&mut world).iter().map(|e| text(&e["event_type"])).collect();
    assert_eq!(kinds.iter().filter(|k| *k == "incident.escalated").count(), 8);
}

#[test]
fn an_acknowledgement_is_forgotten_and_an_old_incident_resolves_by_itself() {
    let (mut world, now) = world();
    let ix = trigger(&mut world, "Payments API", now);
    world.acknowledge(ix, UserIx(0), now);
    told(&mut world);

    world.tick(clock::after(now, 30 * 60));
    let event = told(&mut world).remove(0);
    assert_eq!((&event["event_type"], &event["agent"]), (&json!("incident.unacknowledged"), &json!(null)));
    world.tick(clock::after(now, 4 * 3600));

    let last = told(&mut world).pop().unwrap();
    assert_eq!((&last["event_type"], &last["agent"]), (&json!("incident.resolved"), &json!(null)));
    assert_eq!(last["occurred_at"], "2026-03-04T16:00:00.250Z");
    assert!(world.assignees(ix).is_empty());
}

#[test]
fn nothing_resolves_by_itself_while_snoozed_and_another_hand_ends_the_snooze() {
    let (mut world, now) = world();
    let ix = trigger(&mut world, "Payments API", now);
    world.acknowledge(ix, UserIx(0), now);
    world.snooze(ix, 5 * 3600, UserIx(0), now);

    world.tick(clock::after(now, 4 * 3600 + 60));
    assert_eq!(world.incident(ix).status.word(), "acknowledged");
    world.acknowledge(ix, UserIx(3), clock::after(now, 4 * 3600 + 61));

    let incident = world.incident(ix);
    let after = |seconds: i64| Some(clock::after(now, 4 * 3600 + 61 + seconds));
    assert!(!incident.timers.snoozed);
    assert_eq!((incident.timers.unacknowledge, incident.timers.resolve), (after(30 * 60), after(4 * 3600)));
}

#[test]
fn two_things_at_one_moment_are_told_one_after_the_other() {
    let (mut world, now) = world();
    let ix = trigger(&mut world, "Checkout Web", now);
    world.acknowledge(ix, UserIx(0), now);
    world.resolve(ix, Agent::User(UserIx(0)), None, now);

    let times: Vec<_> = told(&mut world).iter().map(|e| text(&e["occurred_at"])).collect();

    assert_eq!(times, ["2026-03-04T12:00:00.250Z", "2026-03-04T12:00:00.251Z", "2026-03-04T12:00:00.252Z"]);
}

#[test]
fn the_last_webhook_of_each_incident_says_how_it_stands() {
    let (_, now) = world();
    let mut world = World::new(5, 20, now, Audience::Subscribed);
    for n in 1..400 {
        let at = clock::after(now, n * 20);
        world.tick(at);
        world.night_step(at);
        let resolved = world.incidents().find(|(_, i)| i.resolved_at.is_some()).map(|(ix, _)| ix);
        match (n % 9, resolved) {
            (0, Some(ix)) => world.reopen(ix, Agent::User(UserIx(2)), at),
            (4, Some(ix)) => world.acknowledge(ix, UserIx(0), at),
            _ => {}
        }
    }

    let events = told(&mut world);
    let last: std::collections::HashMap<_, _> =
        events.iter().map(|e| &e["data"]).filter(|d| d["type"] == "incident").map(|d| (text(&d["id"]), d)).collect();

    assert!(last.len() > 50);
    for (id, data) in last {
        let ix = world.find(&id).unwrap();
        assert_eq!(*data, crate::simulator::json::event::incident(&world, ix));
    }
}

#[test]
fn the_same_seed_lives_through_the_same_night() {
    let now: jiff::Timestamp = "2026-03-04T12:00:00Z".parse().unwrap();
    let night = |seed| {
        let mut world = World::new(seed, 30, now, Audience::Subscribed);
        (1..200).for_each(|n| world.night_step(clock::after(now, n)));
        world.outbox.into_iter().map(|e| e.body).collect::<Vec<_>>()
    };

    assert!(night(7) == night(7));
    assert!(night(7) != night(8));
    assert!(night(7).len() > 150);
}

#[test]
fn the_start_has_as_many_open_incidents_as_asked_in_every_state_and_some_older_than_a_month() {
    let (_, now) = world();
    let world = World::new(3, 100, now, Audience::Nobody);

    let open: Vec<_> = world.open().map(|ix| world.incident(ix)).collect();

    assert_eq!(open.len(), 100);
    let month_ago = clock::after(now, -32 * 86_400);
    assert!(open.iter().any(|i| i.created_at < month_ago));
    assert!(open.iter().any(|i| i.status.word() == "triggered") && open.iter().any(|i| i.timers.snoozed));
    assert!(open.iter().all(|i| i.timers.due(now).is_none() && !i.assignments.is_empty()));
    assert!(world.incidents().any(|(_, i)| i.resolved_at.is_some()));
    assert!(world.incidents().all(|(_, i)| i.updated_at <= now && i.log.is_sorted_by_key(|l| l.at)));
    assert!(world.outbox.is_empty());
}
