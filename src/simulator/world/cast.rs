//! Who and what is in the invented account. Everybody here is made up; the addresses are at `example.com`.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::{
    super::{clock, dice::Dice},
    account::{
        Account, Daily, Feed, Kind, Layer, Policy, PolicyIx, Priority, Rule, Schedule, ScheduleIx, Service, Target,
        Team, TeamIx, User, UserIx,
    },
};

const ACCOUNT_ZONE: &str = "America/New_York";
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// For how long there have been rotations, at least.
const HISTORY: i64 = 400 * DAY;

/// Name, zone, role, job title, team.
const USERS: &[(&str, &str, &str, &str, usize)] = &[
    ("Mira Okafor", "Europe/Berlin", "user", "Site Reliability Engineer", 0),
    ("Jonas Lindqvist", "Europe/Stockholm", "admin", "Engineering Manager", 0),
    ("Priya Raman", "Asia/Kolkata", "user", "Senior Engineer", 0),
    ("Tomás Herrera", "America/Lima", "user", "Software Engineer", 0),
    ("Aiko Watanabe", "Asia/Tokyo", "user", "Platform Engineer", 1),
    ("Léa Fontaine", "Europe/Paris", "user", "Platform Engineer", 1),
    ("Dmitri Volkov", "Europe/Helsinki", "limited_user", "Network Engineer", 1),
    ("Zanele Mbatha", "Africa/Johannesburg", "admin", "Platform Lead", 1),
    ("Sven Brandt", "Europe/Berlin", "user", "Database Engineer", 2),
    ("Noor Haddad", "Asia/Beirut", "user", "Data Engineer", 2),
    ("Callum Reid", "Europe/London", "owner", "Director of Engineering", 2),
    ("Wei Zhang", "Asia/Singapore", "observer", "Support Engineer", 2),
];

const TEAMS: &[(&str, &str)] = &[
    ("Payments", "Takes the money"),
    ("Platform", "Clusters, network and identity"),
    ("Data", "Databases, search and reports"),
];

/// Name, policy, team, minutes to forget an acknowledgement and to resolve by itself, feed.
type ServicePlan = (&'static str, usize, usize, [Option<i64>; 2], Feed);

const SERVICES: &[ServicePlan] = &[
    ("Payments API", 0, 0, [Some(30), Some(240)], Feed::Datadog),
    ("Checkout Web", 0, 0, [Some(30), None], Feed::Prometheus),
    ("Orders Database", 2, 2, [None, None], Feed::CloudWatch),
    ("Search Cluster", 2, 2, [Some(60), Some(480)], Feed::Prometheus),
    ("Mail Relay", 1, 1, [None, Some(240)], Feed::Nagios),
    ("Identity Provider", 1, 1, [Some(30), None], Feed::NewRelic),
    ("Edge CDN", 1, 1, [Some(30), Some(240)], Feed::CloudWatch),
    ("Batch Reports", 3, 2, [None, Some(1440)], Feed::Email),
];

const PRIORITIES: &[(&str, &str)] = &[
    ("P1", "Everything is down and the public must be told"),
    ("P2", "Many customers cannot use the product"),
    ("P3", "Some customers are affected, or soon will be"),
    ("P4", "Needs work, but nobody is kept from using the product"),
    ("P5", "Cosmetic"),
];

const COLORS: &[&str] = &["green", "red", "purple", "dark-slate-blue", "teal", "maroon"];

pub(super) fn account(dice: &mut Dice, now: Timestamp) -> Account {
    let mut account = Account {
        zone: ACCOUNT_ZONE,
        users: users(dice),
        teams: TEAMS.iter().map(|&(name, description)| Team { id: dice.short_id(), name, description }).collect(),
        services: services(dice, now),
        schedules: schedules(dice, now),
        policies: policies(dice),
        priorities: PRIORITIES
            .iter()
            .map(|&(name, description)| Priority { id: dice.short_id(), name, description })
            .collect(),
        subscription: dice.short_id(),
        maintenance: vec![],
    };
    add_shift_based(&mut account, now);
    account
}

/// What came with the newer system: a schedule of shifts that leaves the nights to nobody, and its policy. Its ids are
/// always the same, so that those of all others stay what the seed says.
fn add_shift_based(account: &mut Account, now: Timestamp) {
    let mut dice = Dice::new(3);
    let days = Daily { from: civil::time(7, 0, 0, 0), seconds: 15 * 3600 };
    let start = monday(now, "Europe/London", 7);
    let rotation = Layer { daily: Some(days), ..layer(&mut dice, "Weekdays and weekends", start, DAY, &[6, 7, 11]) };
    let schedule = ScheduleIx(account.schedules.len());
    account.schedules.push(Schedule {
        id: dice.short_id(),
        name: "Edge Days",
        description: "Shifts by day, nobody by night",
        zone: "Europe/London",
        layers: vec![rotation],
        overrides: vec![],
        team: TeamIx(1),
        kind: Kind::Shifts,
    });
    let targets = [(5, vec![Target::Schedule(schedule)]), (15, vec![Target::User(UserIx(7))])];
    let rule = |(delay_minutes, targets)| Rule { id: dice.short_id(), delay_minutes, targets };
    let rules = targets.into_iter().map(rule).collect();
    account.policies.push(Policy {
        id: dice.short_id(),
        name: "Edge On-Call",
        description: "The edge by day, the lead after that",
        rules,
        loops: 0,
        team: TeamIx(1),
    });
}

fn users(dice: &mut Dice) -> Vec<User> {
    let one = |(at, &(name, zone, role, job_title, team)): (usize, &(&'static str, _, _, _, _))| User {
        id: dice.short_id(),
        name,
        email: email(name),
        zone,
        color: COLORS[at % COLORS.len()],
        role,
        job_title,
        team: TeamIx(team),
        contact_method: dice.short_id(),
        notification_rule: dice.short_id(),
    };
    USERS.iter().enumerate().map(one).collect()
}

/// `Léa Fontaine` is `lea.fontaine@example.com`.
fn email(name: &str) -> String {
    let plain = name.to_lowercase().replace(' ', ".").replace(['á', 'à'], "a").replace(['é', 'è'], "e");
    format!("{plain}@example.com")
}

fn services(dice: &mut Dice, now: Timestamp) -> Vec<Service> {
    let one = |&(name, policy, team, minutes, feed): &ServicePlan| {
        let [acknowledgement, resolve] = minutes.map(|m| m.map(|m| m * 60));
        Service {
            id: dice.short_id(),
            name,
            policy: PolicyIx(policy),
            team: TeamIx(team),
            created_at: clock::after(now, -dice.between(200, 900) * DAY),
            acknowledgement_timeout: acknowledgement,
            auto_resolve_timeout: resolve,
            feed,
            integration: dice.short_id(),
        }
    };
    SERVICES.iter().map(one).collect()
}

/// The Monday before `now`, at `hour` o'clock in `zone`: where a rotation's current week began.
fn monday(now: Timestamp, zone: &str, hour: i8) -> Timestamp {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = now.to_zoned(zone.clone());
    let back = i64::from(local.weekday().to_monday_zero_offset());
    let at = clock::after(now, -back * DAY).to_zoned(zone.clone()).date().at(hour, 0, 0, 0);
    let at = at.to_zoned(zone).map_or(now, |z| z.timestamp());
    if at > now { clock::after(at, -WEEK) } else { at }
}

/// The first turn of `users` is the one that runs from `start`; the rotation itself is older, by whole rounds.
fn layer(dice: &mut Dice, name: &'static str, start: Timestamp, turn_seconds: i64, users: &[usize]) -> Layer {
    let round = turn_seconds.saturating_mul(i64::try_from(users.len()).unwrap_or(1));
    let start = clock::after(start, -(HISTORY / round + 1) * round);
    let users = users.iter().copied().map(UserIx).collect();
    Layer { id: dice.short_id(), name, start, turn_seconds, users, daily: None }
}

fn schedules(dice: &mut Dice, now: Timestamp) -> Vec<Schedule> {
    let mut schedule =
        |name, description, zone, hour, team, turn, layers: &[(&'static str, &[usize], Option<Daily>)]| {
            let start = monday(now, zone, hour);
            let layers = layers
                .iter()
                .map(|(name, users, daily)| Layer { daily: *daily, ..layer(dice, name, start, turn, users) });
            let layers = layers.collect();
            Schedule {
                id: dice.short_id(),
                name,
                description,
                zone,
                layers,
                overrides: vec![],
                team: TeamIx(team),
                kind: Kind::Layers,
            }
        };
    let days = Daily { from: civil::time(8, 0, 0, 0), seconds: 12 * 3600 };
    vec![
        schedule(
            "Payments Primary",
            "First to be called for money",
            "Europe/Berlin",
            9,
            0,
            WEEK,
            &[("Weekly", &[0, 2, 3], None)],
        ),
        schedule(
            "Payments Secondary",
            "When the first does not answer",
            "Europe/Berlin",
            9,
            0,
            WEEK,
            &[("Weekly", &[3, 0, 2], None)],
        ),
        schedule(
            "Platform Follow the Sun",
            "Nights in the east, days in the west",
            "Europe/Paris",
            8,
            1,
            DAY,
            &[("Nights", &[4, 6], None), ("Days", &[5, 7], Some(days))],
        ),
        schedule(
            "Data Daily",
            "A new one every morning",
            "America/New_York",
            8,
            2,
            DAY,
            &[("Daily", &[8, 9, 10], None)],
        ),
    ]
}

/// Name, description, loops, team; then for each level the minutes until the next, and the targets.
type PolicyPlan = (&'static str, &'static str, u32, usize, Vec<Level>);
type Level = (i64, Vec<Target>);

fn policies(dice: &mut Dice) -> Vec<Policy> {
    let schedule = |ix| Target::Schedule(ScheduleIx(ix));
    let user = |ix| Target::User(UserIx(ix));
    let plan: [PolicyPlan; 4] = [
        (
            "Payments On-Call",
            "Primary, secondary, then the manager",
            2,
            0,
            vec![(5, vec![schedule(0)]), (10, vec![schedule(1)]), (15, vec![user(1)])],
        ),
        (
            "Platform On-Call",
            "Whoever is awake, then the lead",
            1,
            1,
            vec![(15, vec![schedule(2)]), (30, vec![user(7), user(6)])],
        ),
        (
            "Data On-Call",
            "The day's engineer, then the director",
            1,
            2,
            vec![(10, vec![schedule(3)]), (20, vec![user(10), schedule(2)])],
        ),
        ("Office Hours", "Nothing that cannot wait", 0, 2, vec![(30, vec![user(9)])]),
    ];
    let rule = |dice: &mut Dice, (delay_minutes, targets)| Rule { id: dice.short_id(), delay_minutes, targets };
    plan.into_iter()
        .map(|(name, description, loops, team, rules)| Policy {
            id: dice.short_id(),
            name,
            description,
            rules: rules.into_iter().map(|r| rule(dice, r)).collect(),
            loops,
            team: TeamIx(team),
        })
        .collect()
}
