//! What called people, and when: each page went out by push and by e-mail.

use serde_json::{Value, json};

use super::{
    super::{
        clock,
        world::{UserIx, World, incident::Entry},
    },
    Answer, Call,
};

pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let account = &world.account;
    let zone = call.query.zone(account.zone)?;
    let (Some(since), Some(until)) = (call.query.time("since", &zone)?, call.query.time("until", &zone)?) else {
        return Err(super::bad_request(2004, "Invalid time values in 'since' and/or 'until' parameters"));
    };
    if until < since || until.as_second() - since.as_second() > 92 * 86_400 {
        return Err(super::bad_request(2005, "Invalid Query Date Range"));
    }
    let lines = world.incidents().flat_map(|(_, incident)| &incident.log);
    let pages = lines.filter_map(|line| match line.entry {
        Entry::Notify(user) if since <= line.at && line.at < until => Some((line.id.clone(), line.at, user)),
        _ => None,
    });
    let both = pages.flat_map(|(id, at, user)| {
        [("push_notification", 'P'), ("email_notification", 'E')]
            .map(|(kind, sign)| (format!("{id}{sign}"), kind, at, user))
    });
    let wanted = |kind: &str| call.query.one("filter").is_none_or(|filter| kind == filter);
    let mut found: Vec<(String, &str, jiff::Timestamp, UserIx)> = both.filter(|(_, kind, ..)| wanted(kind)).collect();
    found.sort_by_key(|(id, _, at, _)| (*at, id.clone()));
    let includes = call.query.includes();
    let write = |(id, kind, at, user): &(String, &str, jiff::Timestamp, UserIx)| -> Value {
        let person = if includes.has("users") {
            account.user_json(*user, &super::super::json::Includes::default())
        } else {
            account.user_ref(*user)
        };
        let address = (*kind == "email_notification").then(|| account.user(*user).email.clone());
        json!({
            "id": id, "type": kind, "started_at": clock::zoned(*at, &zone), "address": address,
            "user": person, "status": "success",
        })
    };
    Ok(Answer::ok(call.query.page()?.of("notifications", &found, write)))
}
