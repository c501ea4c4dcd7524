//! The targets of outgoing webhooks: whether anything reaches them, and what mends it where nothing does.

use std::path::Path;

use futures_util::future::join_all;

use super::{Finding, out_of_reach};
use crate::{
    cli::{Exit, Failure, Places},
    config::Settings,
    core::{
        forward::{Kept, TargetState, TargetSummary},
        text::Shown,
        words,
    },
    server::targets::{KeptTarget, Obstacle, kept},
    store::Reader,
    template::Library,
};

/// A finding for each target.
pub(super) async fn findings(settings: &Settings, places: &Places) -> Vec<Finding> {
    match looked_at(settings, places).await {
        Ok(findings) => findings,
        Err(failure) => vec![Finding::wrong("targets", failure.to_string(), Exit::Failed)],
    }
}

async fn looked_at(settings: &Settings, places: &Places) -> Result<Vec<Finding>, Failure> {
    let dir = places.state_dir()?;
    // What is wrong with the store is said of the store.
    let reader = Reader::open(&dir).ok();
    let kept = kept(&dir, settings.targets.clone(), reader.as_ref())?;
    let unread = kept.unread.map(|why| Finding::wrong("targets made here", why.as_str(), Exit::Usage));
    let looked = join_all(kept.all.iter().map(|target| obstacle(target, &dir))).await;
    let each = kept.all.iter().zip(looked).map(|(target, obstacle)| {
        let unseen = target.secrets().find(|secret| secret.is_out_of_reach());
        if let (Some(secret), Some(Obstacle::Secret(_))) = (unseen, &obstacle) {
            return Finding::note(format!("target {}", target.summary.name), out_of_reach(secret));
        }
        let failure = reader.as_ref().and_then(|reader| reader.last_failure(&target.summary.name).ok()?);
        finding(&target.summary, obstacle.as_ref(), failure.map(|line| line.reason).as_ref())
    });
    Ok(unread.into_iter().chain(each).collect())
}

/// What is in the way. A target that is off needs neither secrets nor template.
async fn obstacle(target: &KeptTarget, dir: &Path) -> Option<Obstacle> {
    if target.summary.state == TargetState::Off {
        return None;
    }
    target.obstacle(&Library::open(&dir.join("templates"))).await
}

/// How a target stands, and what to do. `failure`: what the log says of the last attempt that failed.
fn finding(target: &TargetSummary, obstacle: Option<&Obstacle>, failure: Option<&Shown>) -> Finding {
    let (name, what) = (&target.name, format!("target {}", target.name));
    let failure = failure.map(|reason| format!("; the last failure: {reason}")).unwrap_or_default();
    match (&target.state, obstacle) {
        (TargetState::Off, _) => {
            let says = format!("switched off by hand, nothing is sent: `dogwatch target enable {name}` switches it on");
            Finding::note(what, says)
        }
        (TargetState::Disabled { at, reason }, _) => {
            let mend = format!("mend that, then `dogwatch target enable {name}`");
            Finding::wrong(what, format!("disabled since {at:.0}: {reason}{failure}: {mend}"), Exit::Failed)
        }
        (_, Some(obstacle)) => Finding::wrong(what, says(target, obstacle), Exit::Usage),
        (TargetState::Broken { reason }, None) => Finding::wrong(what, reason.as_str(), Exit::Usage),
        (TargetState::On, None) => working(target, what, &failure),
    }
}

/// What is in the way, and where to mend it.
fn says(target: &TargetSummary, obstacle: &Obstacle) -> String {
    let waiting = match target.waiting {
        0 => String::new(),
        some => format!("; {} meanwhile", words::count(some as usize, "event waits", "events wait")),
    };
    let settings = match target.kept {
        Kept::Config => "in its [[target]] of the configuration file".to_owned(),
        Kept::Here => format!("with `dogwatch target edit {}`", target.name),
    };
    match obstacle {
        Obstacle::Secret(why) => {
            format!("its address or a secret cannot be read: {why}{waiting}: mend that, or name another {settings}")
        }
        Obstacle::NoTemplate(error) => format!("{error}{waiting}: make it in view 4, or name another {settings}"),
        Obstacle::Template(fault) => {
            let template = target.template.as_deref().unwrap_or_default();
            let place = format!("line {}, column {}", fault.line, fault.column);
            format!("template {template}, {place}: {}: `dogwatch template edit {template}`", fault.message)
        }
    }
}

fn working(target: &TargetSummary, what: String, failure: &str) -> Finding {
    let (name, address) = (&target.name, &target.address);
    if let Some(at) = target.failing_since {
        let mend = format!("mend that, `dogwatch target test {name}` tries it; what it refuses for 3 days disables it");
        return Finding::wrong(what, format!("every attempt fails since {at:.0}{failure}: {mend}"), Exit::Failed);
    }
    if target.events.is_empty() {
        return Finding::note(what, format!("it has no events, so nothing is sent to {address}"));
    }
    let last = target.last.map_or_else(|| "nothing was sent yet".to_owned(), |(at, _)| format!("taken {at:.0}"));
    Finding::ok(what, format!("{address}: {last}"))
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};
    use crate::{
        app::fixtures::{forward_target, shown, targets},
        core::template::Fault,
        template::LibraryError,
    };

    fn told(target: &TargetSummary, obstacle: Option<&Obstacle>) -> (State, Exit, String) {
        let found = finding(target, obstacle, Some(&shown("503 Service Unavailable")));
        assert_eq!(found.what, format!("target {}", target.name));
        (found.state, found.exit, found.says)
    }

    #[test]
    fn each_state_of_a_target_has_its_words_and_its_way_out() {
        let [chat, jira, log, mail] = targets().try_into().expect("four");

        let (state, exit, says) = told(&chat, None);
        assert!(state == State::Ok && exit == Exit::Done && says.contains("taken 2025-"), "{says}");
        let (state, exit, says) = told(&jira, None);
        assert!(state == State::Wrong && exit == Exit::Failed, "{says}");
        assert!(says.contains("fails since 2025-") && says.contains("the last failure: 503"), "{says}");
        let (state, exit, says) = told(&log, Some(&Obstacle::Secret("not looked at".into())));
        assert!(state == State::Note && exit == Exit::Done && says.contains("`dogwatch target enable log`"), "{says}");
        let (state, exit, says) = told(&mail, None);
        assert!(state == State::Wrong && exit == Exit::Failed && says.starts_with("disabled since 2025-"), "{says}");
        assert!(says.contains("the last failure: 503") && says.contains("`dogwatch target enable mail`"), "{says}");
    }

    #[test]
    fn what_is_in_the_way_is_named_with_the_place_to_mend_it() {
        let chat = TargetSummary { waiting: 2, ..forward_target("chat") };
        let configured = TargetSummary { kept: Kept::Config, ..chat.clone() };
        let fault = Fault { message: shown("what is this"), line: 3, column: 7 };
        let cases = [
            (&chat, Obstacle::Secret("env CHAT is not set".into()), "env CHAT is not set; 2 events wait meanwhile"),
            (&chat, Obstacle::Secret(String::new()), "`dogwatch target edit chat`"),
            (&configured, Obstacle::Secret(String::new()), "[[target]] of the configuration file"),
            (&chat, Obstacle::NoTemplate(LibraryError::Missing("chat".into())), "there is no template `chat`"),
            (&chat, Obstacle::Template(fault), "template chat, line 3, column 7: what is this"),
        ];
        for (target, obstacle, words) in cases {
            let (state, exit, says) = told(target, Some(&obstacle));
            assert!(state == State::Wrong && exit == Exit::Usage && says.contains(words), "{says}");
        }
    }
}
