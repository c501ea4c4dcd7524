//! The chain of push, link by link from the configuration to the board: where it breaks, and what mends it.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Kept, State, out_of_reach};
use crate::{
    cli::{
        Exit, Outcome, Places, output,
        webhook::{self, Keep, Way},
    },
    config::{AccountSettings, WebhookSettings},
    core::{
        delivery::{DeliverySummary, Direction, Verdict},
        id::AccountName,
        subscription::{self, Filter, Subscription},
        text::Shown,
        words,
    },
    server::hooks,
    store::Reader,
};

/// What is committed is on the board well within this.
const APPLIED: SignedDuration = SignedDuration::from_secs(10);

/// What would mend the first broken link.
pub(super) enum Remedy {
    Enable(Box<Way>, Subscription),
    Create(Box<Way>),
    /// Nothing is known to be broken: a test shows it.
    Ping(Box<Way>, Subscription),
}

/// Every link of an account's chain, and what could be done.
pub(super) async fn chain(
    settings: &AccountSettings,
    places: &Places,
    kept: Kept,
    door: &Finding,
) -> (Vec<Finding>, Option<Remedy>) {
    let what = |link: &str| format!("{}{link}", prefix(&settings.name));
    let Some(configured) = &settings.webhook else {
        let says = "[account.webhook] is not configured: changes show only when polled";
        return (vec![Finding::note(what("1 webhook"), says)], None);
    };
    let secrets = words::count(configured.secrets.len(), "secret", "secrets");
    let mut links = vec![Finding::ok(what("1 webhook"), format!("configured with url_key and {secrets}"))];
    let readable = secrets_readable(what("2 secrets"), configured).await;
    let has_all = readable.iter().all(|finding| finding.state != State::Wrong);
    links.extend(readable);
    links.push(Finding { what: what("3 door"), state: door.state, says: door.says.clone(), exit: Exit::Done });
    links.push(match &configured.public_url {
        Some(url) => Finding::ok(what("4 public address"), format!("{url}/hooks/{}/…", settings.name)),
        None => Finding::note(what("4 public address"), "`public_url` is not set: a host is not compared"),
    });
    let remedy = if has_all {
        let (finding, remedy) = subscribed(what("5 subscription"), settings, configured, places).await;
        links.extend(finding);
        // With nobody to receive it, a test would only be waited for; so it would where the log is not looked at.
        let is_test = |remedy: &Remedy| matches!(remedy, Remedy::Ping(..));
        remedy.filter(|remedy| door.state == State::Ok && (kept == Kept::Here || !is_test(remedy)))
    } else {
        links.push(Finding::note(what("5 subscription"), "not looked for: a secret is missing or of no use"));
        None
    };
    if kept == Kept::Here {
        links.extend(arrivals(&what, settings, places));
    }
    let broken = links.iter().find(|link| link.state == State::Wrong).map(|link| link.what.clone());
    if let Some(broken) = broken {
        links.push(Finding::wrong(what("result"), format!("the first broken link is {broken}"), Exit::Failed));
    }
    (links, remedy)
}

/// With what the findings about an account's chain begin.
fn prefix(account: &AccountName) -> String {
    format!("push {account}: ")
}

/// Whether a finding is about this account's chain.
pub(super) fn is_of(finding: &Finding, account: &AccountName) -> bool {
    finding.what.starts_with(&prefix(account))
}

async fn secrets_readable(what: String, configured: &WebhookSettings) -> Vec<Finding> {
    let mut findings = vec![];
    for (purpose, secret) in hooks::secrets(configured) {
        if secret.is_out_of_reach() {
            findings.push(Finding::note(what.clone(), out_of_reach(secret)));
        } else if let Err(why) = purpose.usable(secret).await {
            findings.push(Finding::wrong(what.clone(), why.as_str(), Exit::Usage));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(what, "readable"));
    }
    findings
}

async fn subscribed(
    what: String,
    settings: &AccountSettings,
    configured: &WebhookSettings,
    places: &Places,
) -> (Vec<Finding>, Option<Remedy>) {
    let Some(token) = &settings.token else {
        return (vec![Finding::note(what, "no token: it cannot be looked at from here")], None);
    };
    if let Some(secret) = [token, &configured.url_key].into_iter().find(|secret| secret.is_out_of_reach()) {
        return (vec![Finding::note(what, format!("not looked for: {}", out_of_reach(secret)))], None);
    }
    let way = match Way::open(places, settings.clone()).await {
        Ok(way) => way,
        Err(failure) => return (vec![Finding::wrong(what, failure.to_string(), Exit::Usage)], None),
    };
    let all = match way.list().await {
        Ok(all) => all,
        // Many keys may not; what arrives tells as much.
        Err(failure) => return (vec![Finding::note(what, format!("cannot be looked at: {failure}"))], None),
    };
    let mut ours: Vec<Subscription> = all.into_iter().filter(|one| way.is_ours(one)).collect();
    ours.sort_by_key(|one| one.state == subscription::State::Active);
    let mut findings: Vec<Finding> = ours.iter().map(|one| described(&what, &way, configured, one)).collect();
    // Those that do not send stand first.
    let Some(worst) = ours.into_iter().next() else {
        let says = format!("none leads to /hooks/{}/…: `dogwatch webhook create`", settings.name);
        findings.push(Finding::wrong(what, says, Exit::Failed));
        return (findings, Some(Remedy::Create(Box::new(way))));
    };
    let way = Box::new(way);
    let remedy = match worst.state {
        subscription::State::Active => Remedy::Ping(way, worst),
        subscription::State::Disabled | subscription::State::Inactive => Remedy::Enable(way, worst),
    };
    (findings, Some(remedy))
}

fn described(what: &str, way: &Way, configured: &WebhookSettings, one: &Subscription) -> Finding {
    let (id, place) = (&one.id, one.place());
    let mend = format!("`dogwatch webhook enable {id}`");
    match one.state {
        subscription::State::Disabled => {
            let says = format!("{id} is disabled at the provider for a day after three refusals: {mend}");
            return Finding::wrong(what, says, Exit::Failed);
        }
        subscription::State::Inactive => {
            return Finding::wrong(what, format!("{id} is switched off: {mend}"), Exit::Failed);
        }
        subscription::State::Active => {}
    }
    if let Some(url) = configured.public_url.as_ref().filter(|url| !place.as_str().starts_with(url.as_str())) {
        let says = format!("{id} leads to {place}, not to {url}: correct `public_url`, or delete it and make another");
        return Finding::wrong(what, says, Exit::Failed);
    }
    let lacks = way.lacks(one);
    let says = format!("{id} is active for {}, to {place}", one.filter);
    if lacks.is_empty() {
        return Finding::ok(what, says);
    }
    Finding::note(what, format!("{says}; it does not send {}, which shows only when polled", lacks.join(", ")))
}

/// What the log tells: whether anything comes, is refused, is taken, and reaches the board.
fn arrivals(what: &dyn Fn(&str) -> String, settings: &AccountSettings, places: &Places) -> Vec<Finding> {
    let reader = match places.state_dir().and_then(|dir| Ok(Reader::open(&dir)?)) {
        Ok(reader) => reader,
        Err(failure) => return vec![Finding::note(what("6 deliveries"), failure.to_string())],
    };
    let now = Timestamp::now();
    let recent = reader.recent(None, 500).unwrap_or_default();
    let own: Vec<&DeliverySummary> =
        recent.iter().filter(|line| is_incoming(line) && line.concerns(&settings.name)).collect();
    let Some(newest) = own.first() else {
        return vec![Finding::note(what("6 deliveries"), "none has come yet (a test: `dogwatch webhook ping`)")];
    };
    let age = |delivery: &DeliverySummary| words::ago(words::since(delivery.at, now));
    let mut links = vec![Finding::ok(what("6 deliveries"), format!("the last came {}", age(newest)))];
    let refused = own.iter().take_while(|delivery| delivery.verdict == Verdict::Rejected).count();
    links.push(if refused > 0 {
        let webhooks = words::count(refused, "delivery", "deliveries");
        let says = format!("the last {webhooks} refused with {}, {}: {}", newest.status, age(newest), newest.reason);
        Finding::wrong(what("7 refusals"), says, Exit::Failed)
    } else {
        Finding::ok(what("7 refusals"), "none since the last genuine one")
    });
    links.push(match own.iter().find(|delivery| delivery.tells()) {
        Some(genuine) => {
            let says = format!("{} {}: {}", genuine.verdict.word(), age(genuine), genuine.reason);
            Finding::ok(what("8 accepted"), says)
        }
        None => Finding::note(what("8 accepted"), "none lately"),
    });
    links.push(board(what("9 board"), &settings.name, &reader, &own, now));
    links
}

fn is_incoming(line: &DeliverySummary) -> bool {
    line.direction == Direction::Incoming
}

fn board(what: String, account: &AccountName, reader: &Reader, own: &[&DeliverySummary], now: Timestamp) -> Finding {
    let waiting = reader.unapplied().unwrap_or_default();
    let late = waiting.iter().filter(|waiting| {
        let known = own.iter().find(|delivery| delivery.id == waiting.summary.id);
        waiting.account == *account && known.is_none_or(|delivery| now.duration_since(delivery.at) > APPLIED)
    });
    match late.count() {
        0 => Finding::ok(what, "everything taken is on it"),
        late => {
            let says = words::count(late, "delivery waits", "deliveries wait");
            Finding::wrong(what, format!("{says} to be applied: start `dogwatch` or `dogwatch serve`"), Exit::Failed)
        }
    }
}

/// Whether a remedy may be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// `--fix`
    Given,
    /// Somebody is there to be asked.
    Ask,
    Refused,
}

impl Consent {
    pub(super) fn of(fix: bool, json: bool) -> Self {
        match (fix, json) {
            (true, _) => Self::Given,
            (false, false) if io::stdin().is_terminal() && io::stdout().is_terminal() => Self::Ask,
            (false, _) => Self::Refused,
        }
    }

    fn to(self, question: &str) -> bool {
        match self {
            Self::Given => true,
            Self::Refused => false,
            Self::Ask => {
                let mut out = io::stdout().lock();
                // Nobody who does not see the question answers it.
                let _ = write!(out, "{} [y/N] ", Shown::line(question)).and_then(|()| out.flush());
                let mut answer = String::new();
                io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
            }
        }
    }
}

impl Remedy {
    fn account(&self) -> &AccountName {
        let (Self::Enable(way, _) | Self::Create(way) | Self::Ping(way, _)) = self;
        way.account()
    }

    fn question(&self, kept: Kept) -> String {
        let account = self.account();
        match self {
            Self::Enable(_, off) if kept == Kept::ByAServer => format!("{account}: enable {}?", off.id),
            Self::Enable(_, off) => format!("{account}: enable {} and test it?", off.id),
            Self::Create(_) => format!("{account}: make a subscription that leads here?"),
            Self::Ping(..) => format!("{account}: ask for a test delivery?"),
        }
    }
}

/// Mends what can be mended, if that is wanted; nothing, if it was not tried.
pub(super) async fn mend(remedy: Remedy, consent: Consent, kept: Kept) -> Option<(AccountName, Outcome)> {
    if !consent.to(&remedy.question(kept)) {
        return None;
    }
    let account = remedy.account().clone();
    let outcome = match remedy {
        Remedy::Enable(way, off) => match (webhook::enable(&way, &off).await, kept) {
            (Ok(()), Kept::Here) => webhook::test(&way, &off).await,
            (Ok(()), Kept::ByAServer) => {
                output::line(
                    "not tested: whether a test arrives stands in the server's log (`dogwatch delivery list`)",
                );
                Ok(Exit::Done)
            }
            (Err(failure), _) => Err(failure),
        },
        Remedy::Create(way) => webhook::create(&way, None, Filter::Account, Keep::InFile(None)).await,
        Remedy::Ping(way, active) => webhook::test(&way, &active).await,
    };
    Some((account, outcome))
}
