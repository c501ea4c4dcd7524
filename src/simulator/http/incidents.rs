//! `GET /incidents`: filters intersect, values within one filter unite, and without a date range only the last month is seen.

use std::cmp::Ordering;

use serde_json::json;

use super::{
    super::{
        json::incident::urgency,
        world::{Incident, IncidentIx, World, update},
    },
    Answer, Call,
};

type Answered = Result<Answer, Answer>;

pub(super) fn list(world: &mut World, call: &Call) -> Answered {
    check_words(call)?;
    let window = call.query.past(world.account.zone, call.now)?;
    let page = call.query.page()?;
    let order = Order::parse(call.query.one("sort_by"))?;
    let choice = Choice::of(call);
    let wanted = |incident: &Incident| {
        let time = window.is_none_or(|(since, until)| since <= incident.created_at && incident.created_at <= until);
        time && choice.takes(world, incident)
    };
    let mut found: Vec<IncidentIx> = world.incidents().filter(|(_, i)| wanted(i)).map(|(ix, _)| ix).collect();
    found.sort_by(|a, b| order.compare(world.incident(*a), world.incident(*b)));
    let includes = call.query.includes();
    Ok(Answer::ok(page.of("incidents", &found, |ix| world.incident_json(*ix, &includes))))
}

pub(super) fn one(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    let mut incident = world.incident_json(ix, &call.query.includes());
    // Custom fields are only shown when asked for; this account has none.
    if call.query.includes().has("custom_fields") {
        incident["custom_fields"] = json!([]);
    }
    Ok(Answer::ok(json!({"incident": incident})))
}

fn check_words(call: &Call) -> Result<(), Answer> {
    if call.query.set("statuses").iter().any(|s| update::status(s).is_none()) {
        return Err(super::super::world::Objection::InvalidStatus.into());
    }
    if call.query.set("urgencies").iter().any(|u| update::urgency(u).is_none()) {
        return Err(Answer::invalid("urgencies[] must be high or low"));
    }
    Ok(())
}

/// What a request asks for, read once for all incidents.
struct Choice<'a> {
    statuses: Vec<&'a str>,
    urgencies: Vec<&'a str>,
    services: Vec<&'a str>,
    teams: Vec<&'a str>,
    priorities: Vec<&'a str>,
    users: Vec<&'a str>,
    key: Option<&'a str>,
}

impl<'a> Choice<'a> {
    fn of(call: &'a Call) -> Self {
        let set = |name| call.query.set(name);
        Self {
            statuses: set("statuses"),
            urgencies: set("urgencies"),
            services: set("service_ids"),
            teams: set("team_ids"),
            priorities: set("priority_ids"),
            users: set("user_ids"),
            key: call.query.one("incident_key"),
        }
    }

    fn takes(&self, world: &World, incident: &Incident) -> bool {
        let account = &world.account;
        let service = account.service(incident.service);
        let within = |set: &[&str], value: &str| set.is_empty() || set.contains(&value);
        let assigned = || {
            let users = &self.users;
            users.is_empty() || incident.assignments.iter().any(|(_, u)| users.contains(&account.user(*u).id.as_str()))
        };
        let keyed = || self.key.is_none_or(|key| incident.key == key || incident.alerts.iter().any(|a| a.key == key));
        let ranked = || incident.priority.map_or("", |p| account.priority(p).id.as_str());
        within(&self.statuses, incident.status.word())
            && within(&self.urgencies, urgency(incident.urgency))
            && within(&self.services, &service.id)
            && within(&self.teams, &account.team(service.team).id)
            && within(&self.priorities, ranked())
            && assigned()
            && keyed()
    }
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Number,
    CreatedAt,
    ResolvedAt,
    Urgency,
}

/// Up to two fields, each up or down.
struct Order(Vec<(Field, Direction)>);

#[derive(Debug, Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl Order {
    fn parse(text: Option<&str>) -> Result<Self, Answer> {
        let one = |part: &str| {
            let (field, direction) = part.split_once(':').unwrap_or((part, "asc"));
            let field = match field {
                "incident_number" => Field::Number,
                "created_at" => Field::CreatedAt,
                "resolved_at" => Field::ResolvedAt,
                "urgency" => Field::Urgency,
                _ => return None,
            };
            match direction {
                "asc" => Some((field, Direction::Up)),
                "desc" => Some((field, Direction::Down)),
                _ => None,
            }
        };
        let text = text.unwrap_or("created_at:asc");
        let fields: Option<Vec<_>> = text.split(',').map(one).collect();
        fields
            .filter(|f| f.len() <= 2)
            .map(Self)
            .ok_or_else(|| Answer::invalid("sort_by is not one of the documented forms"))
    }

    fn compare(&self, a: &Incident, b: &Incident) -> Ordering {
        let by = |field| match field {
            Field::Number => a.number.cmp(&b.number),
            Field::CreatedAt => a.created_at.cmp(&b.created_at),
            Field::ResolvedAt => a.resolved_at.cmp(&b.resolved_at),
            Field::Urgency => a.urgency.cmp(&b.urgency),
        };
        let directed = |&(field, direction): &(Field, Direction)| match direction {
            Direction::Up => by(field),
            Direction::Down => by(field).reverse(),
        };
        self.0.iter().map(directed).find(|o| o.is_ne()).unwrap_or_else(|| a.number.cmp(&b.number))
    }
}
