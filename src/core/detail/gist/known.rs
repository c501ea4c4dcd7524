//! Senders who name their fields in a fixed way.

use super::Facts;
use crate::core::detail::Tree;

/// An alarm as SNS carries it: the fields themselves, or all of them as a text in `Message`.
pub(super) fn cloudwatch(tree: &Tree) -> Option<Facts> {
    let places = [Some(tree), tree.get("Message"), tree.get("details")];
    let is_alarm = |tree: &&Tree| tree.say("AlarmName").is_some() && tree.say("NewStateValue").is_some();
    let alarm = places.into_iter().flatten().find(is_alarm)?;
    let mut facts = Facts::default();
    facts.add("alarm", alarm.say("AlarmName"));
    let state = alarm.say("NewStateValue")?;
    let was = alarm.say("OldStateValue").map(|was| format!(", was {was}")).unwrap_or_default();
    let since = alarm.say("StateChangeTime").map(|at| format!(", since {at}")).unwrap_or_default();
    facts.add("state", Some(format!("{state}{was}{since}")));
    facts.add("why", alarm.say("NewStateReason"));
    if let Some(trigger) = alarm.get("Trigger") {
        facts.add("metric", metric(trigger));
        let dimension = |one: &Tree| Some(format!("{}={}", one.say("name")?, one.say("value")?));
        let dimensions = trigger.get("Dimensions").map(Tree::items).unwrap_or_default();
        let of: Vec<String> = dimensions.iter().filter_map(dimension).collect();
        facts.add("of", Some(of.join(", ")));
    }
    facts.add_joined("where", ", account ", &[alarm.say("Region"), alarm.say("AWSAccountId")]);
    facts.add("says", alarm.say("AlarmDescription"));
    Some(facts)
}

/// `AWS/RDS CPUUtilization: Average > 85, 3 periods of 60 s`.
fn metric(trigger: &Tree) -> Option<String> {
    let name = trigger.say("MetricName")?;
    let space = trigger.say("Namespace").map(|space| format!("{space} ")).unwrap_or_default();
    let statistic = trigger.say("Statistic").or_else(|| trigger.say("ExtendedStatistic")).unwrap_or("value");
    let than = match trigger.say("ComparisonOperator") {
        Some("GreaterThanThreshold") => ">",
        Some("GreaterThanOrEqualToThreshold") => ">=",
        Some("LessThanThreshold") => "<",
        Some("LessThanOrEqualToThreshold") => "<=",
        Some(other) => other,
        None => "against",
    };
    let threshold = trigger.say("Threshold").map(|bound| format!(": {statistic} {than} {bound}")).unwrap_or_default();
    let often = match (trigger.say("EvaluationPeriods"), trigger.say("Period")) {
        (Some(times), Some(seconds)) => format!(", {times} periods of {seconds} s"),
        _ => String::new(),
    };
    Some(format!("{space}{name}{threshold}{often}"))
}

/// The macros that its notification command passes on.
pub(super) fn nagios(tree: &Tree) -> Option<Facts> {
    let state = tree.say("SERVICESTATE").or_else(|| tree.say("HOSTSTATE"))?;
    let host = tree.say("HOSTNAME")?;
    let mut facts = Facts::default();
    facts.add("host", tree.say("HOSTDISPLAYNAME").filter(|name| *name != host).map(|name| format!("{host} ({name})")));
    if facts.0.is_empty() {
        facts.add("host", Some(host));
    }
    facts.add("check", tree.say("SERVICEDESC").or_else(|| tree.say("SERVICEDISPLAYNAME")));
    let kind = tree.say("NOTIFICATIONTYPE").map(|kind| format!(" ({})", kind.to_lowercase())).unwrap_or_default();
    facts.add("state", Some(format!("{state}{kind}")));
    facts.add("host is", tree.say("HOSTSTATE").filter(|_| tree.say("SERVICESTATE").is_some()));
    facts.add("output", tree.say("SERVICEOUTPUT").or_else(|| tree.say("HOSTOUTPUT")));
    facts.add("more", tree.say("LONGSERVICEOUTPUT").or_else(|| tree.say("LONGHOSTOUTPUT")));
    facts.add("address", tree.say("HOSTADDRESS"));
    facts.add_joined("attempt", " of ", &[tree.say("SERVICEATTEMPT"), tree.say("MAXSERVICEATTEMPTS")]);
    Some(facts)
}

/// A legacy notification channel's fields, or the names that a workflow's message has to begin with.
pub(super) fn new_relic(tree: &Tree) -> Option<Facts> {
    let old = tree.say("condition_name").filter(|_| tree.say("policy_name").is_some());
    let one = |names: &[&str]| names.iter().find_map(|name| words(tree.get(name)?));
    let condition = old.map(str::to_owned).or_else(|| {
        let named = one(&["Alert Condition Names", "alertConditionNames"]);
        named.filter(|_| one(&["Alert Policy Names", "alertPolicyNames", "Workflow Name", "workflowName"]).is_some())
    })?;
    let mut facts = Facts::default();
    facts.add("condition", Some(condition));
    facts.add("policy", one(&["policy_name", "Alert Policy Names", "alertPolicyNames"]));
    facts.add("state", one(&["current_state", "State", "state"]));
    facts.add("severity", one(&["severity", "NewRelic priority", "priority"]));
    facts.add("says", one(&["details", "Description", "description", "title"]));
    let targets = tree.get("targets").map(Tree::items).unwrap_or_default();
    let targets: Vec<&str> = targets.iter().filter_map(|target| target.say("name")).collect();
    facts.add("of", (!targets.is_empty()).then(|| targets.join(", ")));
    facts.add("of", one(&["Impacted Entities", "impactedEntities"]));
    facts.add("runbook", one(&["runbook_url", "Runbook", "runbookUrl"]));
    facts.add("issue", one(&["incident_url", "IssueURL", "issueUrl", "violation_callback_url"]));
    facts.add("chart", one(&["violation_chart_url"]));
    Some(facts)
}

/// A text, or the texts of a list.
fn words(tree: &Tree) -> Option<String> {
    let items: Vec<&str> = tree.items().iter().filter_map(Tree::as_text).collect();
    match tree.as_text() {
        // Templates of messages write texts as JSON, quotes and all.
        Some(text) => Some(text.trim_matches('"').replace("\",\"", ", ")),
        None => (!items.is_empty()).then(|| items.join(", ")),
    }
}

/// Markdown between `%%%`, and tags as one text or a list.
pub(super) fn datadog(tree: &Tree) -> Option<Facts> {
    let tags = tree.get("tags").and_then(words)?;
    let state =
        ["monitor_state", "alert_transition", "alert_type", "event_type"].iter().find_map(|name| tree.say(name))?;
    if tree.get("org").is_none() && tree.say("monitor_state").is_none() && tree.say("alert_transition").is_none() {
        return None;
    }
    let mut facts = Facts::default();
    facts.add("monitor", tree.say("monitor_name").or_else(|| tree.say("title")));
    facts.add("state", Some(state));
    facts.add("says", tree.say("body").map(plain));
    facts.add("query", tree.say("query").or_else(|| tree.get("alert").and_then(|alert| alert.say("query"))));
    let tag = |name: &str| {
        let mut values = tags.split(',').filter_map(|tag| tag.trim().split_once(':'));
        values.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    facts.add("host", tree.say("hostname").or_else(|| tag("host")));
    for name in ["service", "env", "team"] {
        facts.add(name, tag(name));
    }
    Some(facts)
}

/// Without the marks around Markdown, pictures, and those whom it mentions.
fn plain(body: &str) -> String {
    let says = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("%%%") && !line.starts_with("[![") && !line.starts_with('@')
    };
    body.lines().filter(says).map(|line| line.trim().replace("**", "")).collect::<Vec<_>>().join("\n")
}
