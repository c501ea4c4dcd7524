//! What a prompt says: what is to be done to how many, and who else will notice.

use crate::{
    app::{
        Model,
        prompt::{Ask, Means, Pick, Prompt, Stage, Wish},
    },
    core::{action::Assignee, delivery::DeliverySummary, incident::Urgency, text::Shown, words::moment},
    ui::words::count,
};

pub(super) fn title(prompt: &Prompt) -> String {
    let what = match prompt.aims.as_slice() {
        [] => "an incident".to_owned(),
        [one] => one.name().to_owned(),
        many => count(many.len(), "incident", "incidents"),
    };
    match &prompt.ask {
        Ask::Acknowledge => format!("Acknowledge {what}?"),
        Ask::Resolve { .. } => format!("Resolve {what}?"),
        Ask::Pick(pick) => picking(pick, &what),
        Ask::Text(Wish::StatusUpdate, _) => format!("Status update on {what}"),
        Ask::Text(..) => format!("Note on {what}"),
        Ask::Replay(delivery) => format!("Replay delivery {}?", delivery.id),
        Ask::Arrange(arranging) => arranging.title(),
        Ask::Forward(wish) => wish.question().0,
        Ask::Conflict { verb, .. } => format!("{} {what} all the same?", capital(verb.word())),
    }
}

fn picking(pick: &Pick, what: &str) -> String {
    let confirming = pick.stage == Stage::Confirming;
    let (verb, question) = match pick.wish {
        Wish::HandOff => ("Hand off", " to whom?"),
        Wish::Snooze => ("Snooze", " for how long?"),
        Wish::Escalate => ("Escalate", " to which level?"),
        Wish::Merge => ("Merge", " into which?"),
        Wish::Edit => ("Change", ": what?"),
        Wish::AddResponders => ("Ask for help with", ": whom?"),
        Wish::RunWorkflow => ("Run a workflow on", ": which?"),
        Wish::ResolveAlert => ("Resolve an alert of", ": which?"),
        Wish::Create => ("Create", " on which service?"),
        other => (other.word(), "?"),
    };
    let more = if pick.waiting.is_empty() || confirming { "" } else { " (more is asked for)" };
    format!("{verb} {what}{}{more}", if confirming { "?" } else { question })
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Who else will notice.
pub(super) fn noticed(model: &Model, prompt: &Prompt) -> String {
    let mut names: Vec<&str> = vec![];
    for name in prompt.aims.iter().flat_map(|aim| &aim.assignees) {
        if !names.contains(&name.as_str()) {
            names.push(name.as_str());
        }
    }
    let assigned =
        if names.is_empty() { "nobody is assigned".into() } else { format!("assigned: {}", names.join(", ")) };
    match &prompt.ask {
        Ask::Acknowledge => format!("Stops the paging; others see that you have it ({assigned})."),
        Ask::Resolve { .. } => format!("Closes it for everybody ({assigned})."),
        Ask::Pick(pick) => chosen(model, pick, &assigned),
        Ask::Conflict { .. } => "Nothing was sent.".into(),
        Ask::Replay(delivery) => replaying(delivery),
        Ask::Text(Wish::StatusUpdate, _) => "Goes by e-mail to everybody who follows the incident.".into(),
        Ask::Text(..) => "Everybody who can see the incident can read the note.".into(),
        Ask::Arrange(_) => String::new(),
        Ask::Forward(wish) => wish.question().1,
    }
}

fn replaying(delivery: &DeliverySummary) -> String {
    let kind = delivery.event_type.as_ref().map_or("an unknown event", Shown::as_str);
    format!(
        "{kind} is applied once more, by the ordinary rules: where a newer state is known, nothing changes. Nobody is \
         told."
    )
}

fn chosen(model: &Model, pick: &Pick, assigned: &str) -> String {
    let Some(choice) = pick.chosen() else { return "Nothing is chosen yet.".into() };
    let text = Shown::line(pick.text.as_str().trim());
    let noted = |name: &str| if text.as_str().is_empty() { String::new() } else { format!(" {name}: {text}") };
    match &choice.means {
        Means::HandOff(to) => format!("{} ({assigned} until now).{}", paged("To", to), noted("Note")),
        Means::Responder(to) => format!("{}; {assigned}, and stays so.{}", paged("Asks", to), noted("Message")),
        Means::SnoozeUntil(at) => {
            let until = moment(*at, model.now, &model.zone);
            format!("Quiet until {until}; what is triggered is acknowledged first, in your name ({assigned}).")
        }
        Means::Escalate(level) => format!("To level {level}: {}. {assigned} until now.", choice.about),
        Means::MergeInto(_) => {
            format!("Into {} {}: closes it for everybody, its alerts go over ({assigned}).", choice.name, choice.about)
        }
        Means::Title(_) => format!("The new title: {text}"),
        Means::Urgency(Urgency::High) => format!("Urgency high: it may page ({assigned})."),
        Means::Urgency(Urgency::Low) => format!("Urgency low: it pages less, and does not escalate ({assigned})."),
        Means::Priority(_) => format!("Priority: {}.", choice.name),
        Means::Field(field) if text.as_str().is_empty() => format!("{} is emptied.", field.name),
        Means::Field(field) => format!("{}: {text}", field.name),
        Means::Workflow(workflow) => {
            format!("Runs {}, which does what it is set to: {}", workflow.name, choice.about)
        }
        Means::Alert(alert) => format!("Resolves the alert {}, and leaves the others.", alert.name),
        Means::Service(service) => format!("On {}, whose policy pages whoever is on call: {text}", service.name),
    }
}

fn paged(word: &str, to: &Assignee) -> String {
    match to {
        Assignee::User(user) => format!("{word} {}, who is paged", user.name),
        Assignee::EscalationPolicy(policy) => format!("{word} the policy {}, whose level 1 is paged", policy.name),
    }
}
