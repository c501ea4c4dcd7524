//! What targets promise: what is typed is kept, for its owner alone, and never told again.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use super::*;
use crate::{
    core::{
        board::Board,
        delivery::Verdict,
        forward::{
            EventType, TargetState, TargetSummary,
            form::{Hidden, Making, Secret, TargetForm},
        },
        incident::Status,
        template::{SAMPLES, Subject, USUAL_SAMPLE},
        text::Shown,
    },
    proto::{Answer, Request},
    server::{
        fake::{self, Fake},
        people::Caller,
    },
    store::{NewEvent, Write},
};

const SECRET: &str = "hunter2hunter2";

struct Setup {
    fake: Fake,
    desk: Arc<Desk>,
    dir: TempDir,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().expect("tempdir");
    let fake = Fake::default();
    let desk = fake::desk(&fake, dir.path());
    Setup { fake, desk, dir }
}

async fn sink(status: u16) -> MockServer {
    let sink = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_string("\u{1b}[2Jnoted");
    Mock::given(method("POST")).respond_with(answer).mount(&sink).await;
    sink
}

fn name(text: &str) -> TargetName {
    text.parse().expect("name")
}

fn typed(text: &str) -> Secret {
    Secret::Typed(Hidden::new(text))
}

fn form(url: &str) -> TargetForm {
    let created = EventType::new(EventType::CREATED).expect("name");
    TargetForm { url: typed(url), events: vec![created], ..TargetForm::new(name("chat")) }
}

const NEW: Making = Making::New { on: true };

async fn save(desk: &Arc<Desk>, form: TargetForm, making: Making) -> Result<Answer, String> {
    desk.answer(&Caller::ourselves(), Request::SaveTarget { form: Box::new(form), making, base: None }).await
}

fn summary(desk: &Desk, of: &str) -> TargetSummary {
    desk.forwarder.summaries().into_iter().find(|target| target.name.as_str() == of).expect("target")
}

fn file(setup: &Setup) -> String {
    fs::read_to_string(setup.dir.path().join(FILE)).unwrap_or_default()
}

fn guest() -> Caller {
    Caller { uid: Some(4_000_001), login: "mallory".into() }
}

/// What a guest who may act asks for.
async fn save_as_guest(desk: &Arc<Desk>, form: TargetForm, making: Making) -> Result<Answer, String> {
    desk.save_target(&guest(), form, making, None).await
}

#[tokio::test]
async fn a_target_that_is_made_is_kept_for_its_owner_alone_and_is_there_at_the_next_start() {
    let setup = setup();
    let full = TargetForm {
        user: Some("dog".into()),
        password: typed(SECRET),
        headers: vec![("X-Token".into(), typed(SECRET)), ("X-Ref".into(), typed("{ env = \"CHAT\" }"))],
        ..form(&format!("https://hooks.example.com/{SECRET}"))
    };

    let answer = save(&setup.desk, full, NEW).await.expect("kept");

    assert_eq!(answer, Answer::TargetKept { name: name("chat"), advice: vec![] });
    let mode = fs::metadata(setup.dir.path().join(FILE)).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(file(&setup).contains("\"X-Ref\" = { env = \"CHAT\" }"), "a reference stays one");
    let again = Targets::open(setup.dir.path(), vec![]).all();
    assert_eq!(again, setup.desk.targets.all());
    assert_eq!((again.len(), again[0].0), (1, Kept::Here));
}

#[tokio::test]
async fn t37_no_secret_is_told_to_a_console_nor_stands_in_the_log_the_board_or_the_audit_file() {
    let Setup { fake: _, desk, dir } = setup();
    let sink = sink(500).await;
    let full = TargetForm {
        user: Some("dog".into()),
        password: typed(SECRET),
        headers: vec![("X-Token".into(), typed(SECRET))],
        ..form(&format!("{}/{SECRET}?k={SECRET}", sink.uri()))
    };
    let kept = save(&desk, full, NEW).await.expect("kept");
    let test = Request::TestTarget { name: name("chat"), on: Subject::default() };
    let tested = desk.answer(&Caller::ourselves(), test).await.expect("tested");
    let Answer::Attempted { delivery } = &tested else { panic!("{tested:?}") };
    assert_eq!((delivery.verdict, delivery.status), (Verdict::Failed, 500));
    let view = desk.answer(&Caller::ourselves(), Request::Delivery { id: delivery.id }).await.expect("view");
    let board = desk.hub.look(Board::clone);

    let told = [
        serde_json::to_string(&(&kept, &tested, &view)).expect("json"),
        serde_json::to_string(&board).expect("json"),
        serde_json::to_string(&desk.forwarder.summaries()).expect("json"),
        fs::read_to_string(dir.path().join("audit.jsonl")).expect("audit"),
        format!("{:?}", desk.targets.all()),
    ];
    let received = sink.received_requests().await.expect("recorded");
    assert_eq!((received.len(), received[0].url.query()), (1, Some("k=hunter2hunter2")));
    for text in told {
        assert!(!text.contains(SECRET) && !text.contains("ZG9nOmh1bnRlcj"), "{text}");
    }
}

#[tokio::test]
async fn t36_what_a_target_answers_is_cleaned_before_a_console_sees_it() {
    let Setup { desk, dir: _dir, .. } = setup();
    let sink = sink(200).await;
    save(&desk, form(&sink.uri()), NEW).await.expect("kept");
    let test = Request::TestTarget { name: name("chat"), on: Subject::default() };
    let Ok(Answer::Attempted { delivery }) = desk.answer(&Caller::ourselves(), test).await else {
        panic!("not tested")
    };

    let view = desk.answer(&Caller::ourselves(), Request::Delivery { id: delivery.id }).await.expect("view");

    let Answer::Delivery { delivery } = view else { panic!("{view:?}") };
    assert_eq!(delivery.response.as_ref().map(crate::core::text::ShownBody::as_str), Some("␛[2Jnoted"));
    assert_eq!(delivery.summary.verdict, Verdict::Sent);
}

#[tokio::test]
async fn a_name_of_the_configuration_is_only_switched_here() {
    let setup = setup();
    let text = "[[target]]\nname = \"chat\"\nurl = \"https://hooks.example.com/x\"\nevents = [\"incident.created\"]\n";
    let configured = crate::config::targets::parse(text, Path::new("c.toml")).expect("valid");
    save(&setup.desk, form("https://hooks.example.com/y"), NEW).await.expect("kept");
    setup.desk.targets.configure(configured);
    setup.desk.put_targets(Reread::Nobodys).await;
    assert_eq!(summary(&setup.desk, "chat").kept, Kept::Config);

    let ours = Caller::ourselves();
    let ask = |request| setup.desk.answer(&ours, request);
    for request in [
        Request::SaveTarget {
            form: Box::new(form("https://hooks.example.com/z")),
            making: Making::Changed,
            base: None,
        },
        Request::SaveTarget { form: Box::new(form("https://hooks.example.com/z")), making: NEW, base: None },
        Request::RemoveTarget { name: name("chat") },
    ] {
        let refused = ask(request).await.expect_err("refused");
        assert!(refused.contains("stands in the configuration file"), "{refused}");
    }
    ask(Request::SwitchTarget { name: name("chat"), on: false }).await.expect("off");
    assert_eq!(summary(&setup.desk, "chat").state, TargetState::Off);
    setup.desk.targets.configure(vec![]);
    setup.desk.put_targets(Reread::Nobodys).await;
    assert_eq!(summary(&setup.desk, "chat").kept, Kept::Here, "what was made here comes back");
}

#[tokio::test]
async fn a_form_that_cannot_be_kept_is_refused_in_words_and_changes_nothing() {
    let setup = setup();
    save(&setup.desk, form("https://hooks.example.com/x"), NEW).await.expect("kept");
    let before = file(&setup);
    let other = |form: TargetForm| TargetForm { name: name("other"), ..form };
    let base = || other(form("https://hooks.example.com/x"));
    let cases = [
        (form("https://hooks.example.com/x"), NEW, "there is a target chat already"),
        (base(), Making::Changed, "no target is called other"),
        (TargetForm { url: Secret::Kept, ..base() }, NEW, "needs an address"),
        (other(form(&format!("ftp://{SECRET}"))), NEW, "must begin with https://"),
        (TargetForm { filter: Some("urgency:loud".into()), ..base() }, NEW, "column 9"),
        (TargetForm { retries: 99, ..base() }, NEW, "`retries` must be from 0 to 10"),
        (TargetForm { password: typed(SECRET), ..base() }, NEW, "needs `user`"),
        (TargetForm { headers: vec![("Host".into(), typed(SECRET))], ..base() }, NEW, "dogwatch's own"),
        (TargetForm { headers: vec![("X".into(), Secret::Kept)], ..base() }, NEW, "has no value"),
        (TargetForm { secret: typed(SECRET), ..base() }, NEW, "whsec_"),
    ];
    for (form, making, words) in cases {
        let refused = save(&setup.desk, form, making).await.expect_err(words);
        assert!(refused.contains(words), "{refused}");
        assert!(!refused.contains(SECRET), "{refused}");
    }
    assert_eq!(file(&setup), before);
    assert_eq!(setup.desk.forwarder.summaries().len(), 1);
}

#[tokio::test]
async fn what_is_left_empty_stays_but_not_for_another_host() {
    let setup = setup();
    let full = TargetForm { user: Some("dog".into()), password: typed(SECRET), ..form("https://hooks.example.com/x") };
    save(&setup.desk, full, NEW).await.expect("kept");
    let kept = |url: Secret| TargetForm { url, user: Some("dog".into()), ..form("") };

    save(&setup.desk, TargetForm { retries: 2, ..kept(Secret::Kept) }, Making::Changed).await.expect("kept");
    assert!(file(&setup).contains(SECRET) && file(&setup).contains("hooks.example.com/x"));
    save(&setup.desk, kept(typed("https://hooks.example.com/other")), Making::Changed).await.expect("same host");
    let refused = save(&setup.desk, kept(typed("https://evil.example/")), Making::Changed).await.expect_err("refused");
    assert!(refused.contains("type the password too"), "{refused}");
    assert!(!file(&setup).contains("evil"));

    let audit = fs::read_to_string(setup.dir.path().join("audit.jsonl")).expect("audit");
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["what"].as_str(), line["changed"].to_string())).collect();
    assert_eq!(
        told,
        [
            (Some("target made"), "null".to_owned()),
            (Some("target changed"), "[\"retries\"]".to_owned()),
            (Some("target changed"), "[\"url\",\"retries\"]".to_owned()),
        ]
    );
    assert_eq!(lines[0]["who"].as_str(), Some(Caller::ourselves().login.as_str()));
}

#[tokio::test]
async fn a_change_that_was_begun_before_another_does_not_undo_it() {
    let setup = setup();
    save(&setup.desk, form("https://hooks.example.com/x"), NEW).await.expect("kept");
    let base = TargetForm::of(&summary(&setup.desk, "chat"));
    let change = |form: TargetForm| {
        let base = Some(Box::new(base.clone()));
        let request = Request::SaveTarget { form: Box::new(form), making: Making::Changed, base };
        async { setup.desk.answer(&Caller::ourselves(), request).await }
    };
    let retried = TargetForm { retries: 3, ..base.clone() };

    change(retried.clone()).await.expect("kept");
    change(retried).await.expect("the same again");
    let refused = change(TargetForm { linked: true, ..base.clone() }).await.expect_err("refused");

    assert!(refused.contains("changed by somebody else meanwhile"), "{refused}");
    let now = summary(&setup.desk, "chat");
    assert_eq!((now.retries, now.linked), (3, false));
}

#[tokio::test]
async fn a_guest_cannot_have_the_server_read_or_run_anything() {
    let setup = setup();
    for reference in ["{ env = \"PD_TOKEN\" }", "{ file = \"/etc/shadow\" }", "{ command = [\"id\"] }"] {
        let refused = save_as_guest(&setup.desk, form(reference), NEW).await.expect_err(reference);
        assert!(refused.contains("only that user can set one"), "{refused}");
        let with_password =
            TargetForm { user: Some("x".into()), password: typed(reference), ..form("https://hooks.example.com/x") };
        assert!(save_as_guest(&setup.desk, with_password, NEW).await.is_err());
    }
    let local = TargetForm { allow_link_local: true, ..form("http://169.254.169.254/latest") };
    assert!(save_as_guest(&setup.desk, local, NEW).await.expect_err("refused").contains("link-local"));
    assert!(file(&setup).is_empty());

    let ours =
        TargetForm { user: Some("x".into()), password: typed("{ env = \"CHAT\" }"), ..form("https://a.example/") };
    save(&setup.desk, ours, NEW).await.expect("kept");
    let kept = TargetForm { url: Secret::Kept, user: Some("x".into()), retries: 1, ..form("") };
    save_as_guest(&setup.desk, kept, Making::Changed).await.expect("what was there may stay");
    let away = TargetForm { user: Some("x".into()), ..form("https://evil.example/") };
    assert!(save_as_guest(&setup.desk, away, Making::Changed).await.is_err());
    let again = typed("{ env = \"CHAT\" }");
    let elsewhere = [
        TargetForm { user: Some("x".into()), password: again.clone(), ..form("https://evil.example/") },
        TargetForm { headers: vec![("x-it".into(), again)], ..form("https://evil.example/") },
    ];
    for typed_again in elsewhere {
        let refused = save_as_guest(&setup.desk, typed_again, Making::Changed).await.expect_err("refused");
        assert!(refused.contains("only that user can set one"), "{refused}");
    }
}

#[tokio::test]
async fn whoever_may_only_look_changes_no_target() {
    let Setup { desk, dir: _dir, .. } = setup();
    for request in [
        Request::SaveTarget { form: Box::new(form("https://a.example/")), making: NEW, base: None },
        Request::RemoveTarget { name: name("chat") },
        Request::SwitchTarget { name: name("chat"), on: true },
        Request::TestTarget { name: name("chat"), on: Subject::default() },
        Request::ResendFailed { target: None },
    ] {
        let refused = desk.answer(&guest(), request).await.expect_err("refused");
        assert!(refused.starts_with("you may look, not act"), "{refused}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_told_with_why_and_read_again() {
    let setup = setup();
    let path = setup.dir.path().join("url");
    save(&setup.desk, form(&format!("{{ file = \"{}\" }}", path.display())), NEW).await.expect("kept");
    let TargetState::Broken { reason } = summary(&setup.desk, "chat").state else { panic!("not broken") };
    assert!(reason.as_str().contains("no such file"), "{reason}");
    let refused =
        setup.desk.test_target(&Caller::ourselves(), name("chat"), Subject::default()).await.expect_err("refused");
    assert!(refused.contains("no such file"), "{refused}");

    fs::write(&path, "https://hooks.example.com/x").expect("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    setup.desk.put_targets(Reread::Unread).await;

    let now = summary(&setup.desk, "chat");
    assert_eq!((now.state, now.address.as_str()), (TargetState::On, "https://hooks.example.com"));
}

#[tokio::test]
async fn new_settings_are_not_taken_where_a_target_that_worked_would_not_and_take_nothing_from_what_was_made_here() {
    let setup = setup();
    let secret = |of: &str| {
        let path = setup.dir.path().join(of);
        fs::write(&path, format!("https://{of}.example.com/x")).expect("file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
        path
    };
    let (ops, chat) = (secret("ops"), secret("chat"));
    let text = "[[target]]\nname = \"ops\"\nurl = { file = \"ops\" }\nevents = [\"incident.created\"]\n";
    let configured = crate::config::targets::parse(text, &setup.dir.path().join("c.toml")).expect("valid");
    save(&setup.desk, form(&format!("{{ file = \"{}\" }}", chat.display())), NEW).await.expect("kept");
    setup.desk.targets.configure(configured.clone());
    setup.desk.put_targets(Reread::Nobodys).await;
    let address = |of: &str| summary(&setup.desk, of).address.to_string();

    fs::write(&ops, "https://new.example.com/x").expect("rotated");
    fs::remove_file(&chat).expect("gone");
    let read = setup.desk.targets.reload(&configured).await.expect("what was made here is in nobody's way");
    assert!(read.unread[0].contains("target chat: ") && read.unread[0].ends_with("with what was read before"));
    assert_eq!(address("ops"), "https://ops.example.com", "nothing is in force yet");
    setup.desk.put_reloaded_targets(read).await;
    assert_eq!(
        (address("ops").as_str(), address("chat").as_str()),
        ("https://new.example.com", "https://chat.example.com")
    );
    assert_eq!(summary(&setup.desk, "chat").state, TargetState::On);

    fs::remove_file(&ops).expect("gone");
    let refused = setup.desk.targets.reload(&configured).await.map(|_| ()).expect_err("refused");
    assert!(refused.starts_with("target ops: ") && refused.ends_with("no such file"), "{refused}");
    setup.desk.put_targets(Reread::Unread).await;
    assert_eq!(summary(&setup.desk, "ops").state, TargetState::On);
}

#[tokio::test]
async fn a_missing_template_is_told_and_a_saved_one_holds_at_once() {
    let setup = setup();
    let with = TargetForm { template: Some("own".into()), ..form("https://hooks.example.com/x") };
    let answer = save(&setup.desk, with, NEW).await.expect("kept");
    let Answer::TargetKept { advice, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(advice.iter().map(Shown::as_str).collect::<Vec<_>>(), ["there is no template `own`"]);
    assert!(matches!(summary(&setup.desk, "chat").state, TargetState::Broken { .. }));
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(run(Arc::clone(&setup.desk), stop.clone()));
    tokio::task::yield_now().await;

    let save = Request::SaveTemplate { name: "own".into(), text: "{}".into(), base: None };
    setup.desk.answer(&Caller::ourselves(), save).await.expect("saved");

    let on = async {
        while summary(&setup.desk, "chat").state != TargetState::On {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), on).await.expect("on");
    stop.cancel();
    keeping.await.expect("ended");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_changes_nothing_and_is_not_written_over() {
    let setup = setup();
    save(&setup.desk, form("https://hooks.example.com/x"), NEW).await.expect("kept");
    fs::write(setup.dir.path().join(FILE), "[[target]]\nnam = 5\n").expect("edit");

    setup.desk.targets.configure(vec![]);
    setup.desk.put_targets(Reread::Nobodys).await;

    assert_eq!(summary(&setup.desk, "chat").state, TargetState::On);
    assert!(setup.desk.targets.unread().expect("why").as_str().contains("targets.toml:1:1"));
    let refused = setup.desk.remove_target(&Caller::ourselves(), name("chat")).await.expect_err("refused");
    assert!(refused.contains("none is changed"), "{refused}");
    assert_eq!(file(&setup), "[[target]]\nnam = 5\n");
}

#[tokio::test]
async fn one_that_is_removed_is_gone_and_one_of_its_name_begins_anew() {
    let setup = setup();
    save(&setup.desk, form("https://hooks.example.com/x"), NEW).await.expect("kept");
    setup.desk.switch_target(&Caller::ourselves(), name("chat"), false).await.expect("off");
    setup.desk.remove_target(&Caller::ourselves(), name("chat")).await.expect("removed");
    assert!(setup.desk.forwarder.summaries().is_empty() && !file(&setup).contains("chat"));

    save(&setup.desk, form("https://hooks.example.com/x"), NEW).await.expect("kept");

    assert_eq!(summary(&setup.desk, "chat").state, TargetState::On);
}

#[tokio::test]
async fn a_test_sends_what_a_delivery_told_of_and_stands_in_the_log() {
    let Setup { fake, desk, dir: _dir } = setup();
    let sink = sink(204).await;
    desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
    save(&desk, TargetForm { events: vec![], ..form(&sink.uri()) }, Making::New { on: false }).await.expect("kept");

    let answer = desk.test_target(&Caller::ourselves(), name("chat"), Subject::default()).await.expect("tested");

    let Answer::Attempted { delivery } = answer else { panic!("{answer:?}") };
    assert_eq!((delivery.verdict, delivery.status, delivery.target), (Verdict::Sent, 204, Some(name("chat"))));
    let received = sink.received_requests().await.expect("recorded");
    let body: Value = received[0].body_json().expect("JSON");
    assert_eq!(body["type"], "incident.created");
    assert!(body["data"]["id"].is_string(), "{body}");
    let refused = desk
        .test_target(&Caller::ourselves(), name("chat"), Subject::Delivery(delivery.id))
        .await
        .expect_err("refused");
    assert!(refused.contains("went out"), "{refused}");
    let refused = desk.test_target(&Caller::ourselves(), name("nope"), Subject::default()).await.expect_err("refused");
    assert!(refused.contains("no target is called nope"), "{refused}");
}

#[tokio::test]
async fn what_waits_is_not_dropped_because_the_file_of_its_target_cannot_be_read() {
    let Setup { fake, desk, dir } = setup();
    save(&desk, form("{ file = \"/nonexistent\" }"), NEW).await.expect("kept");
    let (event, _) = desk.made_up(USUAL_SAMPLE).expect("event");
    let new = NewEvent { event, at: (desk.now)(), targets: vec![name("chat")], full: vec![] };
    desk.store.save(vec![Write::Event(Arc::new(new))]).await.expect("queued");
    desk.forwarder.finish(Duration::from_secs(5)).await;
    drop(desk);
    fs::write(dir.path().join(FILE), "nonsense").expect("edit");

    let desk = fake::desk(&fake, dir.path());
    desk.begin_targets().await;
    desk.forwarder.finish(Duration::from_secs(5)).await;

    assert!(matches!(summary(&desk, "chat").state, TargetState::Broken { .. }));
    let waited_for = desk.store.read(crate::store::Reader::waited_for).await.expect("read");
    assert_eq!(waited_for, [name("chat")]);
}

#[tokio::test]
async fn a_hand_off_goes_to_a_target_that_is_there_in_the_words_of_its_own_template_if_it_has_one_for_that() {
    let Setup { desk, dir: _dir, .. } = setup();
    let ask = |target: &str| Request::SendHandoff {
        target: name(target),
        template: "handoff".into(),
        from: (desk.now)(),
        zone: "UTC".into(),
    };
    let refused = desk.answer(&Caller::ourselves(), ask("chat")).await.expect_err("refused");
    assert!(refused.contains("no target is called chat"), "{refused}");

    let with = TargetForm { template: Some("handoff-none".into()), ..form("https://hooks.example.com/x") };
    save(&desk, with, NEW).await.expect("kept");
    let refused = desk.answer(&Caller::ourselves(), ask("chat")).await.expect_err("refused");
    assert!(refused.contains("no template `handoff-none`"), "{refused}");
}

#[tokio::test]
async fn every_sample_about_an_incident_can_be_sent_as_a_test_and_the_others_say_why_not() {
    let Setup { desk, dir: _dir, .. } = setup();
    for event_type in SAMPLES {
        match desk.made_up(event_type) {
            Ok((event, raw)) => {
                assert!(event_type.starts_with("incident.") && event.data["id"].is_string(), "{event_type}");
                assert_eq!(raw["event"]["event_type"], *event_type);
            }
            Err(why) => {
                assert!(!event_type.starts_with("incident."), "{event_type}: {why}");
                assert!(why.contains("about no incident"), "{why}");
            }
        }
    }
    assert_eq!(desk.made_up("no.such").expect_err("refused"), "there is no sample no.such");
}

#[tokio::test]
async fn a_test_sends_the_event_of_a_delivery_that_went_out_as_long_as_it_is_kept() {
    let Setup { desk, dir: _dir, .. } = setup();
    let sink = sink(204).await;
    save(&desk, form(&sink.uri()), NEW).await.expect("kept");
    let (event, _) = desk.made_up("incident.annotated").expect("event");
    let id = event.id.clone();
    let new = Arc::new(NewEvent { event, at: (desk.now)(), targets: vec![name("chat")], full: vec![] });
    desk.store.save(vec![Write::Event(Arc::clone(&new))]).await.expect("queued");
    desk.forwarder.written(vec![new], Ok(()));
    let reader = desk.store.reader().expect("reader");
    let sent = async {
        loop {
            if let Some(line) = reader.recent(None, 9).expect("log").pop() {
                return line.id;
            }
            tokio::task::yield_now().await;
        }
    };
    let went_out = timeout(Duration::from_secs(10), sent).await.expect("sent");

    let on = Subject::Delivery(went_out);
    desk.test_target(&Caller::ourselves(), name("chat"), on).await.expect("tested");

    let received = sink.received_requests().await.expect("recorded");
    let [sent, tested] = received.as_slice() else { panic!("{} requests", received.len()) };
    let body = |of: &wiremock::Request| of.body_json::<Value>().expect("JSON");
    assert_eq!(body(sent), body(tested));
    assert_eq!(sent.headers["webhook-id"], id.as_str());
    assert!(tested.headers["webhook-id"].as_bytes().starts_with(b"test_"), "no repetition of that event");
}
