//! What is wrong with the sources right now, in words. An empty list of incidents means "all is well" only
//! when nothing stands here.

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{
        Link, Model,
        page::{Page, Piece, Tone},
    },
    core::{
        board::AccountBoard,
        forward::TargetState,
        freshness::{Account, Door, Standing},
        push::{REFUSALS_TO_DISABLE, Subscribed, Witness},
        words::{ago, count, moment, since, zone_name},
    },
};

/// A target that takes nothing for so long is worth a line.
const FAILING: SignedDuration = SignedDuration::from_mins(15);

/// Who is on call may be so old, where nothing failed, before it is worth a line.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub tone: Tone,
    pub text: String,
}

fn trouble(tone: Tone, text: String) -> Trouble {
    Trouble { tone, text }
}

/// Whether a zero means "none": every source has answered, lately, and the link stands.
pub fn is_zero_true(model: &Model) -> bool {
    let answers = |account: &Account| {
        account.rest_off.is_none() && matches!(account.rest_standing(model.now), Standing::Fresh { .. })
    };
    let accounts = &model.board.accounts;
    let linked = matches!(model.link, Link::Up(_));
    linked && model.board.unshown == 0 && !accounts.is_empty() && accounts.values().all(|board| answers(&board.account))
}

/// All that is wrong, in full, as lines of `width`.
pub fn page(model: &Model, width: usize) -> Vec<Vec<Piece>> {
    let mut page = Page::new(width);
    page.text(0, Tone::Strong, "What is wrong now");
    let mut troubles = troubles(model);
    troubles.extend(unseen(model));
    for Trouble { tone, text } in &troubles {
        page.blank();
        page.entry(0, *tone, &format!("! {text}"));
    }
    if troubles.is_empty() {
        page.blank();
        let on_call =
            |board: &AccountBoard| matches!(board.account.on_call_standing(model.now), Standing::Fresh { .. });
        let (tone, text) = if is_zero_true(model) && model.board.accounts.values().all(on_call) {
            (Tone::Calm, "Nothing: every source has answered lately.")
        } else {
            (Tone::Caution, "Nothing that is known, but not every source has answered yet.")
        };
        page.text(0, tone, text);
    }
    page.lines
}

/// Everything that is wrong: alarms before all else, what is over but for its traces last.
pub fn troubles(model: &Model) -> Vec<Trouble> {
    let mut out = vec![];
    if let Link::Lost { reason, since: at } = &model.link {
        let when = format!("{} {}", moment(*at, model.now, &model.zone), zone_name(*at, &model.zone));
        out.push(trouble(Tone::Alarm, format!("no link to the server since {when}, this is old: {reason}")));
    }
    if let Door::Failing { cause, .. } = &model.board.door {
        out.push(trouble(Tone::Alarm, format!("webhooks get 503: {cause}")));
    }
    for board in model.board.accounts.values() {
        rest(&mut out, model, &board.account);
    }
    for board in model.board.accounts.values() {
        out.extend(on_call(model, &board.account));
    }
    for account in model.board.accounts.values().map(|board| &board.account) {
        let skew = account.skew_words().map(|words| trouble(Tone::Alarm, format!("{}: {words}", account.name)));
        out.extend(skew);
    }
    for board in model.board.accounts.values() {
        push(&mut out, model, &board.account);
    }
    let lacking = model.board.unshown_words().into_iter().chain(model.board.left_out.words());
    out.extend(lacking.map(|words| trouble(Tone::Caution, words)));
    door(&mut out, &model.board.door);
    let upkeep = &model.board.upkeep;
    targets(&mut out, model);
    for said in upkeep.settings.iter().chain(&upkeep.certificate).chain(&upkeep.targets).chain(&upkeep.intake) {
        out.push(trouble(Tone::Caution, said.as_str().to_owned()));
    }
    for account in model.board.accounts.values().map(|board| &board.account) {
        let left = account.left_words(model.now);
        out.extend(left.into_iter().map(|words| trouble(Tone::Caution, format!("{}: {words}", account.name))));
    }
    out.sort_by_key(|trouble| trouble.tone != Tone::Alarm);
    out
}

fn rest(out: &mut Vec<Trouble>, model: &Model, account: &Account) {
    let name = &account.name;
    if account.rest_off.is_some() {
        return;
    }
    if let Some(failure) = account.rest.failure.as_ref().filter(|failure| failure.unauthorised) {
        let as_of = account.rest.last_success.map(|at| format!(", list as of {}", ago(since(at, model.now))));
        let text = format!("{name}: the key is refused{}: {}", as_of.unwrap_or_default(), failure.cause);
        return out.push(trouble(Tone::Alarm, text));
    }
    match account.rest_standing(model.now) {
        Standing::Waiting | Standing::Fresh { .. } => {}
        Standing::Stale { age: old, cause } => {
            out.push(trouble(Tone::Alarm, format!("{name}: STALE, as of {}: {cause}", ago(old))));
        }
        Standing::Down { cause } => out.push(trouble(Tone::Alarm, format!("{name}: no answer yet: {cause}"))),
    }
}

/// Who is on call is asked for by itself. Where the incidents fail of the same, that is told once.
fn on_call(model: &Model, account: &Account) -> Option<Trouble> {
    let name = &account.name;
    if account.rest_off.is_some() {
        return None;
    }
    let failed = account.on_call.failure.is_some();
    let (text, cause) = match account.on_call_standing(model.now) {
        Standing::Waiting | Standing::Fresh { .. } => return None,
        // A round that is late, as a rate limit has it, is no trouble yet.
        Standing::Stale { age: old, .. } if !failed && old < LATE => return None,
        Standing::Stale { age: old, cause } => {
            (format!("{name}: who is on call is STALE, as of {}: {cause}", ago(old)), cause)
        }
        Standing::Down { cause } => (format!("{name}: who is on call is not known: {cause}"), cause),
    };
    let told = match account.rest_standing(model.now) {
        Standing::Waiting | Standing::Fresh { .. } => false,
        Standing::Stale { cause: known, .. } | Standing::Down { cause: known } => known == cause,
    };
    (!told).then(|| trouble(Tone::Caution, text))
}

/// What keys may not see, and what is left out of the schedules. It is that for good, so it is no trouble of the day.
fn unseen(model: &Model) -> Vec<Trouble> {
    let accounts = model.board.accounts.values().map(|board| &board.account);
    let each = accounts.flat_map(|account| {
        let barred = account.barred.keys().filter_map(|sight| account.barred_words(*sight));
        let words = barred.chain(account.lacks.iter().map(ToString::to_string));
        words.map(move |words| trouble(Tone::Caution, format!("{}: {words}", account.name)))
    });
    each.collect()
}

/// What is wrong with the way of webhooks: the cause first, where it is known, then what it leads to.
fn push(out: &mut Vec<Trouble>, model: &Model, account: &Account) {
    let (name, push) = (&account.name, &account.push);
    let when = |at| format!("{} {}", moment(at, model.now, &model.zone), zone_name(at, &model.zone));
    let last = push.last_rejection.as_ref().map_or("no reason told", |reason| reason.as_str());
    if push.has_wrong_secret() {
        let webhooks = count(push.unproved as usize, "webhook", "webhooks");
        let text = format!(
            "{name}: WRONG SECRET? {webhooks} refused, {REFUSALS_TO_DISABLE} in a row stop push for a day: {last}"
        );
        out.push(trouble(Tone::Alarm, text));
    }
    let provider = &account.provider;
    let subscribed = match push.subscribed {
        Subscribed::Disabled { until } => Some(format!("webhooks OFF at {provider} until {}", when(until))),
        other => other.trouble().map(str::to_owned),
    };
    if let Some(subscribed) = subscribed {
        out.push(trouble(Tone::Alarm, format!("{name}: {subscribed}: dogwatch doctor --fix")));
    }
    if let Some(silence) = push.silence() {
        let witness = match silence.witness {
            Witness::Changes(changes) => format!("{} only polled", count(changes as usize, "change", "changes")),
            Witness::Ping(_) => "a ping did not come".to_owned(),
        };
        let text = format!("{name}: push SILENT since {}, {witness}: dogwatch doctor", when(silence.since));
        out.push(trouble(Tone::Alarm, text));
    }
    if push.rejected > push.unproved {
        let webhooks = count(push.rejected as usize, "webhook", "webhooks");
        out.push(trouble(Tone::Caution, format!("{name}: {webhooks} refused, the last: {last}")));
    }
}

/// Targets that nothing goes to although it should.
fn targets(out: &mut Vec<Trouble>, model: &Model) {
    let when = |at| format!("{} {}", moment(at, model.now, &model.zone), zone_name(at, &model.zone));
    let mut targets: Vec<_> = model.board.targets.iter().collect();
    targets.sort_by_key(|target| matches!(target.state, TargetState::On));
    for target in targets {
        let name = &target.name;
        match &target.state {
            TargetState::Disabled { at, reason } => {
                let text = format!("target {name} DISABLED since {}: {reason}; 6 and x switch it on", when(*at));
                out.push(trouble(Tone::Alarm, text));
            }
            TargetState::Broken { reason } => {
                out.push(trouble(Tone::Alarm, format!("target {name} cannot be sent to: {reason}")));
            }
            TargetState::On => {
                let long = |at: &Timestamp| model.now.duration_since(*at) >= FAILING;
                if let Some(at) = target.failing_since.filter(long) {
                    out.push(trouble(Tone::Caution, format!("target {name} takes nothing since {}", when(at))));
                }
            }
            TargetState::Off => {}
        }
    }
}

fn door(out: &mut Vec<Trouble>, door: &Door) {
    let text = match door {
        Door::Taken { address, by } => format!("{address} is taken by {by}: polling only"),
        Door::Refused { address, cause } => {
            format!("cannot listen on {address}: {cause}; polling only until `receiver.listen` is another")
        }
        Door::Closed | Door::Open { .. } | Door::Failing { .. } => return,
    };
    out.push(trouble(Tone::Caution, text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fixtures::{model, now},
        core::{freshness::Failure, text::Shown},
    };

    #[test]
    fn a_clock_that_is_another_than_the_provider_s_is_told_in_words() {
        let said = |seconds| {
            let mut model = model(80, 24);
            let account = &mut model.board.accounts.values_mut().next().expect("one").account;
            account.skew = Some(jiff::SignedDuration::from_secs(seconds));
            troubles(&model).into_iter().map(|trouble| trouble.text).next()
        };

        let ahead = "prod: server's clock is 10m ahead of pagerduty's: set it, its times are off";
        assert_eq!(said(-600).as_deref(), Some(ahead));
        let behind = "prod: server's clock is 1h behind pagerduty's: set it, its times are off";
        assert_eq!(said(3_700).as_deref(), Some(behind));
    }

    #[test]
    fn a_failure_right_after_a_success_reads_as_a_sentence() {
        let mut model = model(80, 24);
        let account = &mut model.board.accounts.values_mut().next().expect("one").account;
        account.rest.succeeded(now());
        account.rest.failed(Failure { at: now(), cause: Shown::line("500"), unauthorised: false });

        let said = troubles(&model).into_iter().map(|trouble| trouble.text).next();

        assert_eq!(said.as_deref(), Some("prod: STALE, as of just now: 500"));
    }

    #[test]
    fn what_could_not_be_read_back_is_told_as_long_as_the_damaged_file_is_there() {
        let mut model = model(80, 24);
        model.board.upkeep.intake = Some(Shown::line("move intake-damaged-1 away"));

        let said = troubles(&model).pop().expect("one");

        assert_eq!((said.tone, said.text.as_str()), (Tone::Caution, "move intake-damaged-1 away"));
    }
}
