//! What this console asked for of targets, and what became of it. Nothing is called done before the server says so.

use crate::{
    app::{Effect, Model, NoticeKind, handoff, incidents, wait::Wait},
    core::{
        delivery::{DeliverySummary, Verdict},
        id::{DeliveryId, TargetName},
        template::Subject,
        text::Shown,
        words,
    },
    proto::{Answer, Request, RequestId},
};

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Remove(TargetName),
    On(TargetName),
    Off(TargetName),
    Test { target: TargetName, on: Subject },
    Resend { target: TargetName, delivery: DeliveryId },
    ResendFailed(Option<TargetName>),
    SendHandoff(TargetName),
}

impl Wish {
    /// The question that a prompt asks, and what saying yes means.
    pub fn question(&self) -> (String, String) {
        match self {
            Self::Remove(name) => (
                format!("Remove target {name}?"),
                "Its settings and secrets are forgotten, and so is what waits to be sent to it. The log keeps its attempts."
                    .to_owned(),
            ),
            Self::On(name) => (
                format!("Switch target {name} on?"),
                "From now on events are sent to it again; failures so far are forgiven. What was missed is not sent."
                    .to_owned(),
            ),
            Self::Off(name) => (
                format!("Switch target {name} off?"),
                "Nothing is sent to it then: events that happen meanwhile, and those that wait, are not sent later either."
                    .to_owned(),
            ),
            Self::Test { target, .. } => (format!("Test target {target}?"), String::new()),
            Self::Resend { target, delivery } => (
                format!("Send delivery {delivery} again?"),
                format!("{target} gets the event once more, with the same id, as its template is now."),
            ),
            Self::ResendFailed(target) => {
                let whose = target.as_ref().map_or("every target".to_owned(), ToString::to_string);
                (
                    "Send all that failed again?".to_owned(),
                    format!("The last failed attempt of each event is made again, for {whose}."),
                )
            }
            Self::SendHandoff(target) => {
                (format!("Send the hand-off to {target}?"), format!("Whoever reads {target} can read it."))
            }
        }
    }

    /// The word for the key that says yes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Remove(_) => "remove",
            Self::On(_) => "switch on",
            Self::Off(_) => "switch off",
            Self::Test { .. } | Self::SendHandoff(_) => "send",
            Self::Resend { .. } | Self::ResendFailed(_) => "send again",
        }
    }

    /// What is being done, while nobody knows yet what became of it.
    fn doing(&self) -> String {
        match self {
            Self::Remove(name) => format!("removing {name}"),
            Self::On(name) => format!("switching {name} on"),
            Self::Off(name) => format!("switching {name} off"),
            Self::Test { target, .. } => format!("sending a test to {target}"),
            Self::Resend { delivery, .. } => format!("sending delivery {delivery} again"),
            Self::ResendFailed(_) => "sending again what failed".to_owned(),
            Self::SendHandoff(target) => format!("sending the hand-off to {target}"),
        }
    }

    fn request(&self, model: &Model) -> Option<Request> {
        Some(match self {
            Self::Remove(name) => Request::RemoveTarget { name: name.clone() },
            Self::On(name) => Request::SwitchTarget { name: name.clone(), on: true },
            Self::Off(name) => Request::SwitchTarget { name: name.clone(), on: false },
            Self::Test { target, on } => Request::TestTarget { name: target.clone(), on: on.clone() },
            Self::Resend { delivery, .. } => Request::ResendDelivery { id: *delivery },
            Self::ResendFailed(target) => Request::ResendFailed { target: target.clone() },
            Self::SendHandoff(target) => handoff::request_to_send(model, target.clone())?,
        })
    }

    fn done(&self) -> String {
        match self {
            Self::Remove(name) => format!("{name} is removed"),
            Self::On(name) => format!("{name} is on"),
            Self::Off(name) => format!("{name} is off: nothing is sent to it"),
            Self::Test { .. } | Self::Resend { .. } | Self::ResendFailed(_) | Self::SendHandoff(_) => "done".to_owned(),
        }
    }
}

/// Asks the server, once; says why not when that cannot be.
pub(in crate::app) fn send(model: &mut Model, wish: Wish) -> Vec<Effect> {
    if let Err(reason) = incidents::may_act(model, &[], None) {
        model.say(NoticeKind::Bad, &reason);
        return vec![];
    }
    let Some(request) = wish.request(model) else { return vec![] };
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    model.say(NoticeKind::Working, &format!("{} …", wish.doing()));
    model.targets.asked.push((wait, wish));
    vec![effect]
}

/// An answer; `None`: not to one of these.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let at = model.targets.asked.iter().position(|(wait, _)| wait.is(id))?;
    let (_, wish) = model.targets.asked.remove(at);
    match answer {
        Ok(Answer::TargetKept { .. }) => model.say(NoticeKind::Good, &wish.done()),
        Ok(Answer::Attempted { delivery }) => {
            let (kind, words) = outcome(delivery);
            model.say(kind, &words);
        }
        Ok(Answer::Resent { count: 0 }) => model.say(NoticeKind::Good, "nothing failed that could be sent again"),
        Ok(Answer::Resent { count }) => {
            let count = words::count(*count as usize, "event waits", "events wait");
            model.say(NoticeKind::Good, &format!("{count} to be sent again; the log tells what becomes of it"));
        }
        Ok(_) => doubt(model, &wish, "the server answered something else"),
        Err(reason) => model.say(NoticeKind::Bad, &format!("{}: not done: {reason}", wish.doing())),
    }
    Some(vec![])
}

/// A request went out and no answer came; `None`: not one of these.
pub(in crate::app) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    let at = model.targets.asked.iter().position(|(wait, _)| wait.is(id))?;
    let (_, wish) = model.targets.asked.remove(at);
    doubt(model, &wish, why);
    Some(vec![])
}

/// The link broke: what was asked may or may not be done.
pub(super) fn detached(model: &mut Model) {
    for (_, wish) in std::mem::take(&mut model.targets.asked) {
        doubt(model, &wish, "the link to the server broke");
    }
}

fn doubt(model: &mut Model, wish: &Wish, why: &str) {
    model.say(NoticeKind::Bad, &format!("{}: not known whether it is done: {why}", wish.doing()));
}

/// What became of an attempt.
fn outcome(attempt: &DeliverySummary) -> (NoticeKind, String) {
    let target = attempt.target.as_ref().map_or("the target", |name| name.as_str());
    let reason = Shown::as_str(&attempt.reason);
    match attempt.verdict {
        Verdict::Sent => (NoticeKind::Good, format!("{target} took it: {reason}")),
        _ => (NoticeKind::Bad, format!("{target} did not take it: {reason} (delivery {} of the log)", attempt.id)),
    }
}
