//! The hand-off of a shift, sent to a target: as the target's own template for hand-offs says it, or as plain text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    core::{
        forward::EventType,
        handoff::{Facts, Handoff},
        id::TargetName,
        text::{Shown, ShownBody},
    },
    forward::Post,
    proto::Answer,
    server::{desk::Desk, people::Caller},
};

/// What such a thing is called in the log and in the body.
const KIND: &str = "shift.handoff";
/// Templates whose names begin so are for hand-offs, not for events of incidents.
const FOR_HANDOFFS: [&str; 2] = ["handoff", "digest"];

impl Desk {
    /// Makes the hand-off anew and sends it.
    pub(in crate::server) async fn send_handoff(
        &self,
        caller: &Caller,
        target: TargetName,
        template: String,
        from: Timestamp,
        zone: &str,
    ) -> Result<Answer, String> {
        let own = self.template_for_handoffs(&target)?;
        let Answer::Handoff { handoff } = self.handoff(caller, own.unwrap_or(template), from, zone).await? else {
            return Err("the hand-off could not be made".to_owned());
        };
        let Handoff { template, text, facts } = *handoff;
        let text = text.map_err(|fault| {
            format!("template {template}, line {}, column {}: {}", fault.line, fault.column, fault.message)
        })?;
        let kind = EventType::new(KIND).ok_or("the hand-off has no name")?;
        let shift = &facts.shift;
        let title = Shown::line(&format!("shift from {} to {} {}", shift.from_words, shift.to_words, shift.zone));
        let post = Post { kind, title, body: body(&text, &facts).to_string().into_bytes() };
        self.audit_target(caller, "hand-off sent", &target, &[]).await;
        let line = self.forwarder.post(&target, post).await?;
        Ok(Answer::Attempted { delivery: Box::new(line) })
    }

    /// The target's own template, if it is one for hand-offs.
    fn template_for_handoffs(&self, target: &TargetName) -> Result<Option<String>, String> {
        let known = self.forwarder.summaries().into_iter().find(|known| known.name == *target);
        let known = known.ok_or_else(|| format!("no target is called {target}"))?;
        let is_for = |name: &String| FOR_HANDOFFS.iter().any(|start| name.starts_with(start));
        Ok(known.template.filter(is_for))
    }
}

/// What the template made, if it is an object; else the text, where chat services look for it, with what it tells of.
fn body(text: &ShownBody, facts: &Facts) -> Value {
    if let Ok(object @ Value::Object(_)) = serde_json::from_str(text.as_str()) {
        return object;
    }
    let text = text.as_str().trim_end();
    let data: BTreeMap<&str, Value> = [
        ("text", json!(text)),
        ("from", json!(facts.shift.from)),
        ("to", json!(facts.shift.to)),
        ("counts", json!(facts.counts)),
    ]
    .into();
    json!({ "text": text, "type": KIND, "data": data })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::core::{
        board::Board,
        handoff::{At, gather},
    };

    fn facts() -> Facts {
        let from: Timestamp = "2025-06-09T20:00:00Z".parse().expect("time");
        let now = "2025-06-10T04:00:00Z".parse().expect("time");
        gather(&Board::default(), &BTreeMap::new(), vec![], At { from, now, zone: &TimeZone::UTC })
    }

    #[test]
    fn a_text_stands_where_chat_services_look_for_it_and_json_goes_as_it_is() {
        let plain = body(&ShownBody::new("Nothing is open.\n\n"), &facts());
        assert_eq!(plain["text"], "Nothing is open.");
        assert_eq!((&plain["type"], &plain["data"]["text"]), (&json!(KIND), &json!("Nothing is open.")));
        assert_eq!(plain["data"]["from"], "2025-06-09T20:00:00Z");

        let own = body(&ShownBody::new("{\"blocks\": [1]}"), &facts());
        assert_eq!(own, json!({ "blocks": [1] }));
        assert_eq!(body(&ShownBody::new("[1]"), &facts())["text"], "[1]", "only an object is a body");
    }
}
