//! A believable night for the tests of `app` and `ui`: one account, three people, one policy, seven incidents.
//! Everything is fixed: the clock stands at 04:17:30 in Berlin on 10 June 2025.

mod opened;
mod targets;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub(crate) use opened::{context, detail};
pub(crate) use targets::{board_with_targets, forward_target, targets};

use super::{Effect, Event, Model, Role, update};
use crate::{
    core::{
        action::{Action, By, Outcome, Target, Verb},
        board::{AccountBoard, Board, Change},
        call::{ApiCall, End, Purpose},
        delivery::{DeliverySummary, Direction, Proof, Scheme, Verdict},
        escalation::{Policy, Responder, Rule},
        freshness::{Account, Door, Freshness, Identity, Push},
        id::{
            AccountName, ActionId, DeliveryId, EventId, IncidentId, IncidentKey, PolicyId, ScheduleId, ServiceId,
            StoreId, UserId, WindowId,
        },
        incident::{Extra, Incident, Named, Observation, Pending, Stamp, State, Status, Urgency},
        oncall::{OnCall, Person, Schedule, Shift},
        service::{Service, Services, Window},
        template::TemplateSummary,
        text::Shown,
    },
    proto::{Access, Answer, Request},
};

/// 04:17:30 CEST.
pub(crate) fn now() -> Timestamp {
    time("2025-06-10T02:17:30Z")
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").expect("zone")
}

pub(crate) fn shown(text: &str) -> Shown {
    Shown::line(text)
}

pub(crate) fn account_name() -> AccountName {
    AccountName::new("prod").expect("name")
}

pub(crate) fn key(id: &str) -> IncidentKey {
    IncidentKey { account: account_name(), id: IncidentId::new(id).expect("id") }
}

pub(crate) fn user(id: &str, name: &str) -> Named<UserId> {
    Named { id: UserId::new(id).expect("id"), name: shown(name) }
}

pub(crate) fn alice() -> Named<UserId> {
    user("PALICE1", "Alice Moreau")
}

pub(crate) fn bob() -> Named<UserId> {
    user("PBOB001", "Bob Okafor")
}

pub(crate) fn carol() -> Named<UserId> {
    user("PCAROL1", "Carol Lindqvist")
}

pub(crate) fn policy() -> Named<PolicyId> {
    Named { id: PolicyId::new("PPOLPAY").expect("id"), name: shown("Payments") }
}

pub(crate) fn account() -> Account {
    Account {
        name: account_name(),
        provider: shown("pagerduty"),
        identity: Some(Identity {
            name: shown("Alice Moreau"),
            email: Some(shown("alice@example.com")),
            user: Some(alice()),
            account_key: false,
            may_not_look: false,
        }),
        cannot_act: None,
        rest_off: None,
        skew: None,
        left: vec![],
        barred: std::collections::BTreeMap::new(),
        lacks: vec![],
        rest: Freshness { last_success: Some(ago(12)), failure: None },
        on_call: Freshness { last_success: Some(ago(12)), failure: None },
        poll_seconds: 30,
        push: Push { last_delivery: Some(ago(5)), ..Push::default() },
    }
}

/// A call to the provider that went well.
pub(crate) fn call(number: u64) -> ApiCall {
    ApiCall {
        number,
        at: ago(600 - i64::try_from(number).expect("small")),
        account: account_name(),
        purpose: Purpose::Poll,
        method: shown("GET"),
        path: shown("/incidents?date_range=all&statuses[]=triggered&statuses[]=acknowledged&limit=100&offset=0"),
        end: End::Status(200),
        took: 84,
        request_id: Some(shown("5b5e1c3e-9a1b-4a52-8d8e-0a6c1f0f5f27")),
        left: Some(960u64.saturating_sub(number)),
    }
}

/// An incident as its shortest description; change the fields that matter to the test.
pub(crate) fn incident(id: &str, number: u64, status: Status, title: &str, age_seconds: i64) -> Incident {
    Incident::first(Observation {
        key: key(id),
        stamp: Stamp::rest(ago(age_seconds / 2), ago(age_seconds / 2)),
        state: State {
            status,
            urgency: Urgency::High,
            title: shown(title),
            number: Some(number),
            priority: None,
            service: Some(Named { id: ServiceId::new("PSVCPAY").expect("id"), name: shown("Payments API") }),
            escalation_policy: Some(policy()),
            assignees: if status.is_open() { vec![alice()] } else { vec![] },
            teams: vec![],
            created_at: ago(age_seconds),
            url: Some(shown(&format!("https://acme.pagerduty.com/incidents/{id}"))),
            dedup_key: None,
        },
        extra: Some(Extra::default()),
    })
}

fn incidents() -> Vec<Incident> {
    use Status::{Acknowledged, Resolved, Triggered};
    let service = |name: &str| Some(Named { id: ServiceId::new("PSVC001").expect("id"), name: shown(name) });
    let mut disk = incident("Q1DISK", 1201, Triggered, "Disk 97 % full on db-3", 200);
    disk.state.priority = Some(shown("P1"));
    disk.state.service = service("Database");
    disk.extra = Some((
        disk.stamp,
        Extra {
            pending: vec![Pending { what: shown("escalate"), at: ago(-900) }],
            alerts: Some((2, 2)),
            ..Extra::default()
        },
    ));
    let mut latency = incident("Q2LATE", 1200, Triggered, "p99 latency above 2 s at checkout", 744);
    latency.state.priority = Some(shown("P2"));
    latency.state.assignees.push(bob());
    let mut certificate =
        incident("Q3CERT", 1198, Triggered, "Certificate for api.example.com expires in 6 days", 11_000);
    certificate.state.urgency = Urgency::Low;
    certificate.state.service = service("Edge");
    certificate.state.url = None;
    let mut queue = incident("Q4QUEU", 1195, Acknowledged, "Queue depth above 10 000: orders", 2500);
    queue.state.priority = Some(shown("P2"));
    queue.extra = Some((
        queue.stamp,
        Extra {
            acknowledged: vec![(ago(2300), shown("Alice Moreau"))],
            pending: vec![Pending { what: shown("unacknowledge"), at: ago(-1800) }],
            alerts: Some((3, 1)),
            changed_by: Some(shown("Alice Moreau")),
            ..Extra::default()
        },
    ));
    let mut backup = incident("Q5BACK", 1190, Acknowledged, "Backup of db-1 took too long", 33_000);
    backup.state.urgency = Urgency::Low;
    backup.state.assignees = vec![bob()];
    backup.state.service = service("Database");
    let mut login = incident("Q6LOGN", 1187, Resolved, "Login errors above 5 %", 480);
    login.state.service = service("Identity");
    let mut night = incident("Q7OLD0", 1180, Resolved, "夜間バッチ failed on batch-2", 80_000);
    night.state.service = service("Batch");
    vec![disk, latency, certificate, queue, backup, login, night]
}

fn on_calls() -> Vec<OnCall> {
    let on = |level, user, end: Option<Timestamp>| OnCall {
        policy: policy(),
        level,
        user,
        schedule: end.is_some().then(|| schedule_name("PSCHED1", "Payments primary")),
        start: end.is_some().then(|| time("2025-06-09T06:00:00Z")),
        end,
    };
    vec![
        on(1, alice(), Some(time("2025-06-10T06:00:00Z"))),
        on(2, bob(), Some(time("2025-06-13T06:00:00Z"))),
        on(3, carol(), None),
    ]
}

pub(crate) fn schedule_name(id: &str, name: &str) -> Named<ScheduleId> {
    Named { id: ScheduleId::new(id).expect("id"), name: shown(name) }
}

fn schedules() -> Vec<Schedule> {
    let shift =
        |from: &str, to: &str, user, from_override| Shift { start: time(from), end: time(to), user, from_override };
    vec![
        Schedule {
            schedule: schedule_name("PSCHED1", "Payments primary"),
            zone: shown("Europe/Berlin"),
            shifts: vec![
                shift("2025-06-09T06:00:00Z", "2025-06-10T06:00:00Z", alice(), false),
                shift("2025-06-10T06:00:00Z", "2025-06-11T06:00:00Z", bob(), false),
                shift("2025-06-11T06:00:00Z", "2025-06-11T18:00:00Z", carol(), true),
                shift("2025-06-12T06:00:00Z", "2025-06-13T06:00:00Z", alice(), false),
            ],
            from: now(),
            to: ago(-7 * 24 * 3600),
        },
        Schedule {
            schedule: schedule_name("PSCHED2", "Payments secondary"),
            zone: shown("America/New_York"),
            shifts: vec![shift("2025-06-06T06:00:00Z", "2025-06-13T06:00:00Z", bob(), false)],
            from: now(),
            to: ago(-7 * 24 * 3600),
        },
    ]
}

pub(crate) fn databases() -> Named<PolicyId> {
    Named { id: PolicyId::new("PPOLDB1").expect("id"), name: shown("Databases") }
}

/// Level 1 for 5 minutes, level 2 for 10, level 3, and twice more.
fn escalation() -> Vec<Policy> {
    let rule = |delay, responder| Rule { delay, responders: vec![responder] };
    let schedule = |id, name| Responder::Schedule(schedule_name(id, name));
    let rules = vec![
        rule(5, schedule("PSCHED1", "Payments primary")),
        rule(10, schedule("PSCHED2", "Payments secondary")),
        rule(15, Responder::User(carol())),
    ];
    vec![Policy { policy: policy(), rules, repeats: 2 }]
}

pub(crate) fn service_name(id: &str, name: &str) -> Named<ServiceId> {
    Named { id: ServiceId::new(id).expect("id"), name: shown(name) }
}

/// Four services: one in maintenance now, one soon, one that is disabled.
fn services() -> Services {
    let service = |id, name, policy, told: &str| Service {
        service: service_name(id, name),
        disabled: told == "disabled",
        told: shown(told),
        policy: Some(policy),
    };
    let window = |id: &str, from: i64, to: i64, services| Window {
        id: WindowId::new(id).expect("id"),
        start: ago(-from),
        end: ago(-to),
        description: shown("Disk swap"),
        services,
        created_by: Some(shown("Bob Okafor")),
    };
    let (batch, edge) = (service_name("PSVCBAT", "Batch"), service_name("PSVCEDG", "Edge"));
    Services {
        services: vec![
            service("PSVCPAY", "Payments API", policy(), "critical"),
            service("PSVCBAT", "Batch", databases(), "maintenance"),
            service("PSVCEDG", "Edge", policy(), "active"),
            service("PSVCOLD", "Old shop", databases(), "disabled"),
        ],
        windows: vec![window("PWIN001", -1800, 1800, vec![batch]), window("PWIN002", 20_000, 27_200, vec![edge])],
        as_of: Some(ago(12)),
    }
}

pub(crate) fn delivery(id: i64, seconds_ago: i64, verdict: Verdict, event: &str) -> DeliverySummary {
    let (status, reason) = match verdict {
        Verdict::Accepted => (202, "signed with secret 1"),
        Verdict::Duplicate => (202, "event id seen before (delivery 2)"),
        Verdict::Undecodable => (202, "not JSON: expected value at line 1 column 1"),
        Verdict::Rejected => (401, "no signature matches any configured secret"),
        Verdict::Sent => (200, "200 OK"),
        Verdict::Failed => (500, "500 Internal Server Error"),
    };
    let genuine = matches!(verdict, Verdict::Accepted | Verdict::Duplicate | Verdict::Undecodable);
    let outgoing = matches!(verdict, Verdict::Sent | Verdict::Failed);
    DeliverySummary {
        id: DeliveryId(id),
        at: ago(seconds_ago),
        direction: if outgoing { Direction::Outgoing } else { Direction::Incoming },
        account: Some(account_name()),
        verdict,
        reason: shown(reason),
        status,
        event_id: genuine.then(|| EventId::new(format!("01EVENT{id:04}")).expect("id")),
        event_type: (!event.is_empty()).then(|| shown(event)),
        incident: event.starts_with("incident.").then(|| key("Q1DISK")),
        subject: event.starts_with("incident.").then(|| shown("Disk 97 % full on db-3")),
        latency_us: Some(1800),
        size: 2311,
        proof: genuine.then(|| Proof { scheme: Scheme::PagerdutyV3, secret: shown("env PD_SECRET") }),
        altered: false,
        changed: None,
        target: outgoing.then(|| "chat".parse().expect("name")),
    }
}

fn deliveries() -> Vec<DeliverySummary> {
    vec![
        delivery(6, 5, Verdict::Accepted, "incident.triggered"),
        delivery(5, 190, Verdict::Rejected, ""),
        delivery(4, 200, Verdict::Duplicate, "incident.triggered"),
        delivery(3, 2300, Verdict::Undecodable, ""),
        delivery(2, 2400, Verdict::Accepted, "incident.annotated"),
        delivery(1, 9000, Verdict::Accepted, "pagey.ping"),
    ]
}

pub(crate) fn by(actor: &str) -> By {
    By { actor: shown(actor), uid: Some(1000), name: None }
}

pub(crate) fn action(id: i64, verb: Verb, outcomes: &[(&str, Outcome)]) -> Action {
    let outcomes = outcomes.iter().map(|(id, outcome)| (key(id), outcome.clone())).collect();
    Action { id: ActionId(id), at: ago(60), by: by("alice"), verb, outcomes, due: None }
}

/// The same while it can be taken back, for four seconds more.
pub(crate) fn waiting(id: i64, verb: Verb, incidents: &[&str]) -> Action {
    let outcomes: Vec<_> = incidents.iter().map(|id| (*id, Outcome::PENDING)).collect();
    Action { due: Some(ago(-4)), ..action(id, verb, &outcomes) }
}

pub(crate) fn board() -> Board {
    let people = [alice(), bob(), carol()].map(|user| Person { user, email: None });
    let account_board = AccountBoard {
        account: account(),
        oncalls: on_calls(),
        schedules: schedules(),
        people: people.to_vec(),
        policies: vec![policy(), databases()],
        escalation: escalation(),
        services: services(),
        ..AccountBoard::of(account())
    };
    let done = Outcome::Confirmed { notice: None };
    Board {
        store: StoreId(1),
        upkeep: crate::core::freshness::Upkeep::default(),
        unshown: 0,
        left_out: crate::core::board::LeftOut::default(),
        targets: vec![],
        incidents: incidents().into_iter().map(|incident| (incident.key.clone(), incident)).collect(),
        accounts: [(account_name(), account_board)].into(),
        deliveries: deliveries().into(),
        actions: [action(1, Verb::Acknowledge, &[("Q4QUEU", done)])].into(),
        templates: vec![
            TemplateSummary { name: "chat".into(), saved_at: None, built_in: true },
            TemplateSummary { name: "night-mail".into(), saved_at: Some(ago(7200)), built_in: false },
        ],
        door: Door::Open { address: "127.0.0.1:8484".into() },
    }
}

/// The same board with another account, of which nothing is open.
pub(crate) fn board_of_two() -> Board {
    let mut board = board();
    let eu = Account { name: AccountName::new("eu").expect("name"), ..account() };
    board.accounts.insert(eu.name.clone(), AccountBoard::of(eu));
    board
}

/// A console attached to [`board`], as alice, who may act.
pub(crate) fn model(width: u16, height: u16) -> Model {
    attached(board(), width, height)
}

pub(crate) fn attached(board: Board, width: u16, height: u16) -> Model {
    let mut model = Model::new(now(), zone(), (width, height));
    let access = Access::Act { actor: "alice".into() };
    update(&mut model, Event::Attached { board: Box::new(board), access, role: Role::Owner });
    model
}

/// A board with another account in this state.
pub(crate) fn board_with(change: impl FnOnce(&mut Account)) -> Board {
    let mut board = board();
    change(&mut board.accounts.get_mut(&account_name()).expect("account").account);
    board
}

/// Presses keys by their names, one after another; gives all effects.
pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split_whitespace().flat_map(|name| update(model, Event::Key(name.parse().expect("a key")))).collect()
}

/// Types `text`, each character as a key.
pub(crate) fn type_text(model: &mut Model, text: &str) -> Vec<Effect> {
    let name = |c: char| if c == ' ' { "space".to_owned() } else { c.to_string() };
    text.chars().flat_map(|c| update(model, Event::Key(name(c).parse().expect("a key")))).collect()
}

pub(crate) fn change(model: &mut Model, change: Change) -> Vec<Effect> {
    update(model, Event::Changed(change))
}

/// Answers the last of `effects` that asks the server for something.
pub(crate) fn answer(model: &mut Model, effects: &[Effect], answer: Result<Answer, String>) -> Vec<Effect> {
    let (id, _) = requests(effects).last().cloned().expect("a request");
    update(model, Event::Answered { id, answer })
}

/// What `effects` ask the server for.
pub(crate) fn requests(effects: &[Effect]) -> Vec<(u64, Request)> {
    let request = |effect: &Effect| match effect {
        Effect::Send { id, request } => Some((*id, request.clone())),
        Effect::Copy(_)
        | Effect::Suspend
        | Effect::Quit
        | Effect::RememberView(_)
        | Effect::Ring
        | Effect::Notify(_)
        | Effect::Title(_)
        | Effect::Write { .. }
        | Effect::KeepDraft { .. }
        | Effect::DropDraft { .. }
        | Effect::EditExternally { .. } => None,
    };
    effects.iter().filter_map(request).collect()
}

/// An incident of [`board`], as an action on it would name it.
pub(crate) fn target(id: &str) -> Target {
    Target::at(&board().incidents[&key(id)])
}
