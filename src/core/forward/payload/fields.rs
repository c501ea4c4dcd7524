//! What the context holds, field by field: for the help, for completion, and for finding names that are not there.

use std::fmt::Write as _;

use serde_json::Value;

/// A field that templates can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// `incident.d_user.name`; `[]` stands behind the name of a list.
    pub path: &'static str,
    pub meaning: &'static str,
}

const fn field(path: &'static str, meaning: &'static str) -> Field {
    Field { path, meaning }
}

/// Every field, in the order of the context. `alert` is `incident` by another name, and `raw` holds whatever the
/// provider sent.
pub const FIELDS: &[Field] = &[
    field("event.id", "of this event alone: the same when it is sent again"),
    field(
        "event.type",
        "`incident.created`, `.acknowledged`, `.timeout`, `.handoff`, `.resolved`, or the provider's own name",
    ),
    field("event.time", "when it happened, by the provider's clock"),
    field("event.account", "the account's name in the configuration"),
    field("event.provider", "which kind of provider it is"),
    field("incident.id", "at its provider"),
    field("incident.sid", "the account again, where PagerTree has it"),
    field("incident.title", "on one line"),
    field("incident.description", "empty: providers tell no more than a title with an event"),
    field("incident.status", "`open`, `acknowledged` or `resolved`"),
    field("incident.urgency", "`low` or `high`"),
    field("incident.created", "in seconds since 1970: `moment` takes milliseconds"),
    field("incident.acknowledged", "the same; absent until then"),
    field("incident.resolved", "the same; absent until then"),
    field("incident.ttl", "the same; a year after `created`, as PagerTree has it"),
    field("incident.createdAt", "ISO 8601 in UTC"),
    field("incident.updatedAt", "when what is told of it was true"),
    field("incident.source_id", "of the service it came from; absent where there is none"),
    field("incident.d_team_id", "of the first team that has it; absent where there is none"),
    field("incident.d_user_id", "of whoever has it; absent where nobody does"),
    field("incident.s_log_id", "number of the delivery that first told of it; absent where none did"),
    field("incident.subscribers[]", "always empty"),
    field("incident.tags[]", "always empty"),
    field("incident.additional_data[]", "always empty"),
    field("incident.workflows[]", "always empty"),
    field("incident.number", "as people call it; null where it has none"),
    field("incident.provider_status", "`triggered`, `acknowledged` or `resolved`"),
    field("incident.priority", "its name; null where it has none"),
    field("incident.service", "its name, or null"),
    field("incident.escalation_policy", "its name, or null"),
    field("incident.assignees[].id", "of each who has it"),
    field("incident.assignees[].name", "as the provider spells it"),
    field("incident.teams[].id", "of each team that has it"),
    field("incident.teams[].name", "as the provider spells it"),
    field("incident.url", "its page at the provider, or null"),
    field("incident.dedup_key", "by which its alerts are told to be the same, or null"),
    field("incident.source.sid", "`incident.source` is null without a service"),
    field("incident.source.id", "the same as `incident.source_id`"),
    field("incident.source.name", "the same as `incident.service`"),
    field("incident.source.type", "`service`"),
    field("incident.s_log.sid", "`incident.s_log` is null without a delivery"),
    field("incident.s_log.id", "the same as `incident.s_log_id`"),
    field("incident.s_log.createdAt", "when it came in, or when its event happened"),
    field("incident.s_log.owner_id", "the incident's id"),
    field("incident.s_log.content", "the provider's name for what it told"),
    field("incident.d_team.sid", "`incident.d_team` is null without a team"),
    field("incident.d_team.id", "the same as `incident.d_team_id`"),
    field("incident.d_team.name", "as the provider spells it"),
    field("incident.d_team.type", "`team`"),
    field("incident.d_user.sid", "`incident.d_user` is null while nobody has it"),
    field("incident.d_user.id", "the same as `incident.d_user_id`"),
    field("incident.d_user.name", "of the first of `incident.assignees`"),
    field("incident.d_user.type", "`user`"),
    field("incident.d_user.email", "null where it is not known"),
];

impl Field {
    /// Its value in `context`; of a list its first item's.
    pub fn of<'v>(&self, context: &'v Value) -> Option<&'v Value> {
        self.path.split('.').try_fold(context, |value, name| match name.strip_suffix("[]") {
            Some(list) if self.path.ends_with(name) => value.get(list),
            Some(list) => value.get(list)?.get(0),
            None => value.get(name),
        })
    }
}

const HEAD: &str = "# What a template sees

A template of an outgoing webhook sees `event`, `incident` and `raw`. `incident` has the shape that PagerTree's webhooks
have, whichever provider it comes from; `alert` is another name for it. `raw` is the body that the provider delivered, as
JSON: null where polling told of the event. An incident has `incident.d_user` and its like in every template, whatever
the target's switch for linked data says: that is for the default body.

The time of an event is the provider's. What PagerTree tells and what has not happened yet is absent; what dogwatch adds
(from `number` on) is null instead. Of a delivery that names no incident, `incident` is null.

| field | for example | |
|---|---|---|
";

/// The help page, with examples out of `contexts`: of each field the first that has a value.
pub fn reference(contexts: &[Value]) -> String {
    let mut out = HEAD.to_owned();
    for field in FIELDS {
        let values = || contexts.iter().filter_map(|context| field.of(context));
        let example = values().find(|value| !value.is_null()).or_else(|| values().next());
        let example = example.map(Value::to_string).unwrap_or_default();
        let _ = writeln!(out, "| `{}` | `{example}` | {} |", field.path, field.meaning);
    }
    out
}
