//! Logging: nothing is printed into the output, and the text goes to the log of the rendering.

use super::Table;
use crate::template::{
    javascript::{Outcome, Value, json},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("log", |call| log(call, "log")),
    ("ok", |call| log(call, "ok")),
    ("success", |call| log(call, "success")),
    ("info", |call| log(call, "info")),
    ("warning", |call| log(call, "warning")),
    ("warn", |call| log(call, "warning")),
    ("error", |call| log(call, "error")),
    ("danger", |call| log(call, "error")),
    ("bold", |call| log(call, "bold")),
    ("_debug", debug),
    ("_inspect", inspect),
];

fn log(call: &Invocation<'_>, kind: &str) -> Outcome {
    let words: Vec<_> = call.args.iter().map(shown).collect();
    call.machine.say(&format!("{kind}: {}", words.join(" ")));
    Ok(Value::Undefined)
}

/// As one line of text.
fn shown(value: &Value) -> String {
    match value {
        Value::List(_) | Value::Object(_) => {
            json::stringify(value, None).map_or_else(|_| "…".to_owned(), |text| text.to_text().to_string())
        }
        other => other.to_text().to_string(),
    }
}

fn debug(call: &Invocation<'_>) -> Outcome {
    call.machine.say(&format!("context: {}", shown(&call.this)));
    if !call.args.is_empty() {
        log(call, "value")?;
    }
    Ok(Value::Undefined)
}

fn inspect(call: &Invocation<'_>) -> Outcome {
    let text = json::stringify(&call.arg(0), Some("  "))?.to_text();
    let kind = Some(call.arg(1).get("hash").get("type")).filter(Value::is_true).unwrap_or_else(|| Value::from("html"));
    let kind = kind.to_text();
    Ok(Value::from(match kind.strip_prefix('.').unwrap_or(&kind) {
        "md" => format!("\n```json\n{text}\n```\n"),
        "html" => {
            format!("<div class=\"highlight highlight-json\">\n<pre><code>\n{text}</code></pre></div>")
        }
        _ => text.to_string(),
    }))
}
