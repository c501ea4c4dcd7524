//! The first two lines: which account, as whom, on call or not, how much is open; and how far all that can
//! be trusted. Each part has a long form and shorter ones; what matters least is shortened first.

use jiff::{SignedDuration, Timestamp};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    theme::{Tone, style},
    words::{about, age, ago, moment, since, zone_name},
};
use crate::{
    app::{
        Link, Model, Role, View,
        duty::{AsOf, Duty, duty},
        page::Piece,
        person::Who,
        troubles::is_zero_true,
    },
    core::{
        forward::TargetState,
        freshness::{Account, Door, Push, Standing},
        push::{Subscribed, Witness},
        text::columns,
    },
};

/// Part of a header line: its forms, longest first, and how much they matter.
struct Part {
    forms: Vec<Vec<Piece>>,
    /// Lower is shortened first.
    weight: u8,
}

impl Part {
    fn new(weight: u8, forms: Vec<Vec<Piece>>) -> Self {
        Self { forms, weight }
    }

    fn of(weight: u8, tone: Tone, forms: &[String]) -> Self {
        Self::new(weight, forms.iter().map(|form| vec![Piece::new(tone, form.clone())]).collect())
    }
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut rows = area.rows();
    let width = usize::from(area.width);
    if let Some(row) = rows.next() {
        frame.render_widget(fitted(model, who_and_what(model), width), row);
    }
    if let Some(row) = rows.next() {
        frame.render_widget(fitted(model, views_and_sources(model), width), row);
    }
}

/// Shortens the parts, least important first, until they fit; then leaves out all but the first as needed.
fn fitted(model: &Model, mut parts: Vec<Part>, width: usize) -> Line<'static> {
    let length = |parts: &[Part]| {
        let form = |part: &Part| part.forms.first().map_or(0, |form| form.iter().map(|p| columns(&p.text)).sum());
        parts.iter().map(|part| form(part) + 2).sum::<usize>().saturating_sub(2)
    };
    while length(&parts) > width {
        let longest = parts.iter_mut().filter(|part| part.forms.len() > 1).min_by_key(|part| part.weight);
        if let Some(part) = longest {
            part.forms.remove(0);
            parts.retain(|part| part.forms.first().is_some_and(|form| form.iter().any(|p| !p.text.is_empty())));
        } else if let Some(least) = (1..parts.len()).min_by_key(|at| parts[*at].weight) {
            parts.remove(least);
        } else {
            break;
        }
    }
    let mut line = Line::default();
    for part in parts {
        for piece in part.forms.into_iter().next().unwrap_or_default() {
            line.push_span(Span::styled(piece.text, style(model, piece.tone)));
        }
        line.push_span("  ");
    }
    line
}

fn who_and_what(model: &Model) -> Vec<Part> {
    vec![accounts(model), identity(model), on_call(model), counts(model)]
}

fn accounts(model: &Model) -> Part {
    let names: Vec<_> = model.board.accounts.keys().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => Part::of(3, Tone::Faint, &["no account".into()]),
        [one] => Part::of(3, Tone::Strong, &[one.clone(), crate::core::text::fit(one, 8)]),
        many => Part::of(3, Tone::Strong, &[many.join(" "), format!("{} accounts", many.len())]),
    }
}

/// As whom one acts; and why not, if one cannot.
fn identity(model: &Model) -> Part {
    let (name, cannot) = match model.who() {
        Who::Acts(name) => (name, None),
        Who::CannotAct(name, why) => (name, Some(why)),
        // Before a server said so there is nothing to tell.
        Who::Watches(_) if !matches!(model.link, Link::Up(_)) => {
            return Part::of(2, Tone::Caution, &["look only".into()]);
        }
        Who::Watches(why) => {
            return Part::of(2, Tone::Caution, &[format!("look only: {why}"), "look only".into()]);
        }
    };
    let first = name.and_then(|name| name.split(' ').next()).unwrap_or("who?");
    let name = name.unwrap_or("who I am is not known");
    match cannot {
        Some(reason) => {
            let long = format!("{name}, look only: {reason}");
            Part::of(2, Tone::Caution, &[long, format!("{name}, look only"), "look only".into()])
        }
        None => Part::of(2, Tone::Plain, &[name.into(), first.into()]),
    }
}

fn on_call(model: &Model) -> Part {
    match duty(&model.board, &model.access, model.now) {
        Duty::On { level, until, as_of, .. } => on_duty(model, level, until, as_of),
        Duty::Off(None) => Part::of(5, Tone::Plain, &["not on call".into()]),
        Duty::Off(Some(old)) => {
            let (ago, age) = (ago(old), age(old));
            let forms = [format!("not on call as of {ago}"), format!("not on call? {age}"), format!("off? {age}")];
            Part::of(5, Tone::Caution, &forms)
        }
        Duty::Unknown => Part::of(5, Tone::Caution, &["on call: not known".into(), "on call?".into()]),
    }
}

fn on_duty(model: &Model, level: u32, until: Option<Timestamp>, as_of: AsOf) -> Part {
    let (tone, short, old) = match as_of {
        None => (Tone::Strong, format!("ON CALL L{level}"), String::new()),
        Some(old) => (Tone::Caution, format!("on call L{level}"), format!(" as of {}", ago(old))),
    };
    let shortest = as_of.map_or_else(|| short.clone(), |old| format!("L{level}? {}", age(old)));
    let mut forms = vec![format!("{short}{old}"), shortest];
    if let Some(until) = until {
        let long = format!("{short} until {}", moment(until, model.now, &model.zone));
        forms.splice(0..0, [format!("{long} {}{old}", zone_name(until, &model.zone)), format!("{long}{old}")]);
    }
    forms.dedup();
    Part::of(5, tone, &forms)
}

fn counts(model: &Model) -> Part {
    let counts = model.board.counts();
    if counts.triggered + counts.acknowledged == 0 && !is_zero_true(model) {
        return Part::of(6, Tone::Caution, &["open: not known".into(), "open ?".into()]);
    }
    let tone = |n: usize, tone| if n == 0 { Tone::Faint } else { tone };
    let (triggered, acknowledged) = (tone(counts.triggered, Tone::Alarm), tone(counts.acknowledged, Tone::Caution));
    let open = |words: [&str; 2]| {
        vec![
            Piece::new(triggered, format!("{} {}", counts.triggered, words[0])),
            Piece::new(acknowledged, format!("  {} {}", counts.acknowledged, words[1])),
        ]
    };
    let resolved = Piece::new(Tone::Faint, format!("  {} resolved", counts.resolved));
    let with_resolved = |form: Vec<Piece>| form.into_iter().chain([resolved.clone()]).collect();
    let forms = vec![
        with_resolved(open(["triggered", "acknowledged"])),
        with_resolved(open(["triggered", "acked"])),
        open(["triggered", "acked"]),
        open(["trig", "ack"]),
    ];
    Part::new(4, forms)
}

fn views_and_sources(model: &Model) -> Vec<Part> {
    let mut parts = vec![tabs(model)];
    parts.extend(link(model));
    parts.extend(clock(model));
    let several = model.board.accounts.len() > 1;
    parts.extend(rest(model, several));
    parts.extend(push(model, several));
    parts.extend(targets(model));
    parts.push(door(model));
    parts
}

fn tabs(model: &Model) -> Part {
    let tab = |at: usize, view: View, open_named: bool, all_named: bool| {
        let open = view == model.view;
        let name = if all_named || (open && open_named) { format!(" {}", view.name()) } else { String::new() };
        let space = if at == 0 { "" } else { " " };
        if open {
            Piece::new(Tone::Strong, format!("{space}[{}{name}]", at + 1))
        } else {
            Piece::new(Tone::Faint, format!("{space}{}{name}", at + 1))
        }
    };
    let form = |open_named, all_named| {
        View::ALL.iter().enumerate().map(|(at, view)| tab(at, *view, open_named, all_named)).collect()
    };
    Part::new(1, vec![form(true, true), form(true, false), form(false, false)])
}

/// Only what keeps the screen from being true; who owns the port stands with the door.
fn link(model: &Model) -> Option<Part> {
    match &model.link {
        Link::Connecting => Some(Part::of(9, Tone::Caution, &["connecting…".into()])),
        Link::Lost { since: at, .. } => {
            let age = age(since(*at, model.now));
            Some(Part::of(9, Tone::Alarm, &[format!("LINK LOST {age}"), "NO LINK".into()]))
        }
        Link::Up(_) => None,
    }
}

/// How far the clock here is off, by the account that finds it so most.
fn clock(model: &Model) -> Option<Part> {
    let account = worst(model, |account| account.skew.map(SignedDuration::abs))?;
    let skew = account.skew?;
    let (about, provider) = (about(skew), &account.provider);
    let [word, sign] = if skew.is_negative() { ["AHEAD of", "+"] } else { ["BEHIND", "-"] };
    let long = format!("CLOCK {about} {word} {provider}'s");
    Some(Part::of(8, Tone::Alarm, &[long, format!("CLOCK {sign}{about}")]))
}

/// The account whose part is the most worrying; all the same when there is one.
fn worst<T>(model: &Model, rank: impl Fn(&Account) -> T) -> Option<&Account>
where
    T: Ord,
{
    model.board.accounts.values().map(|board| &board.account).max_by_key(|account| rank(account))
}

fn named(account: &Account, several: bool, text: &str) -> String {
    if several { format!("{} {text}", account.name) } else { text.to_owned() }
}

fn rest(model: &Model, several: bool) -> Option<Part> {
    let rank = |account: &Account| match account.rest_standing(model.now) {
        _ if account.rest_off.is_some() => (1, SignedDuration::ZERO),
        Standing::Fresh { age } => (0, age),
        Standing::Waiting => (2, SignedDuration::ZERO),
        Standing::Stale { age, .. } => (3, age),
        Standing::Down { .. } => (4, SignedDuration::ZERO),
    };
    let account = worst(model, rank)?;
    let name = |text: &str| named(account, several, text);
    if let Some(reason) = &account.rest_off {
        return Some(Part::of(7, Tone::Caution, &[name(&format!("rest off: {reason}")), name("rest off")]));
    }
    let refused = account.rest.failure.as_ref().is_some_and(|failure| failure.unauthorised);
    Some(match account.rest_standing(model.now) {
        Standing::Fresh { age: old } => Part::of(7, Tone::Calm, &[name(&format!("rest {}", age(old)))]),
        Standing::Waiting => Part::of(7, Tone::Caution, &[name("rest: waiting"), "rest …".into()]),
        Standing::Stale { age: old, .. } if refused => {
            Part::of(8, Tone::Alarm, &[name(&format!("rest KEY REFUSED {}", age(old))), "KEY REFUSED".into()])
        }
        Standing::Stale { age: old, cause } => {
            let short = name(&format!("rest STALE {}", age(old)));
            Part::of(8, Tone::Alarm, &[format!("{short}: {cause}"), short])
        }
        Standing::Down { .. } if refused => Part::of(8, Tone::Alarm, &[name("rest KEY REFUSED"), "KEY REFUSED".into()]),
        Standing::Down { cause } => {
            Part::of(8, Tone::Alarm, &[format!("{}: {cause}", name("rest DOWN")), name("rest DOWN")])
        }
    })
}

fn push(model: &Model, several: bool) -> Option<Part> {
    let rank = |account: &Account| {
        let push = &account.push;
        let alarmed = push.off.is_none() && push_alarm(model, push).is_some();
        let silent_for = push.last_delivery.map_or(i64::MAX, |at| since(at, model.now).as_secs());
        (alarmed, push.rejected, push.off.is_none(), silent_for)
    };
    let account = worst(model, rank)?;
    let name = |text: &str| named(account, several, text);
    let push = &account.push;
    if let Some(reason) = &push.off {
        return Some(Part::of(4, Tone::Caution, &[name(&format!("push off: {reason}")), name("push off")]));
    }
    if let Some([long, short]) = push_alarm(model, push) {
        return Some(Part::of(7, Tone::Alarm, &[name(&long), short]));
    }
    let last = match push.last_delivery {
        Some(at) => format!("push {}", age(since(at, model.now))),
        None => "push none yet".into(),
    };
    let last = name(&last);
    Some(match push.rejected {
        0 if push.last_delivery.is_none() => Part::of(4, Tone::Caution, &[last]),
        0 => Part::of(4, Tone::Calm, &[last]),
        rejected => {
            Part::of(4, Tone::Caution, &[format!("{last}, {rejected} refused"), format!("push {rejected} refused")])
        }
    })
}

/// What cannot wait until somebody wonders, long and short: the cause, where it is known.
fn push_alarm(model: &Model, push: &Push) -> Option<[String; 2]> {
    if push.has_wrong_secret() {
        return Some([format!("push SECRET? {} refused", push.unproved), "push SECRET?".into()]);
    }
    match push.subscribed {
        Subscribed::Disabled { until } => {
            let until = moment(until, model.now, &model.zone);
            return Some([format!("push DISABLED until {until}"), "push DISABLED".into()]);
        }
        Subscribed::Missing => return Some(["push NOT SUBSCRIBED".into(), "push NONE".into()]),
        Subscribed::Inactive => return Some(["push SWITCHED OFF".into(), "push OFF".into()]),
        Subscribed::Unknown | Subscribed::Active => {}
    }
    let silence = push.silence()?;
    let short = format!("push SILENT {}", age(since(silence.since, model.now)));
    let witness = match silence.witness {
        Witness::Changes(changes) => format!("{changes} missed"),
        Witness::Ping(_) => "no ping".to_owned(),
    };
    Some([format!("{short}, {witness}"), short])
}

/// Targets that are not sent to any more although somebody wants it.
fn targets(model: &Model) -> Option<Part> {
    let disabled = model.board.targets.iter().filter_map(|target| match &target.state {
        TargetState::Disabled { at, .. } => Some((at, &target.name)),
        TargetState::On | TargetState::Off | TargetState::Broken { .. } => None,
    });
    let (at, name) = disabled.clone().min()?;
    let more = match disabled.count() {
        1 => String::new(),
        several => format!(" +{}", several - 1),
    };
    let since = moment(*at, model.now, &model.zone);
    let short = format!("target {name} DISABLED{more}");
    Some(Part::of(7, Tone::Alarm, &[format!("{short} since {since}"), short, "TARGET OFF".into()]))
}

/// Whose server it is, and how its door for webhooks stands.
fn door(model: &Model) -> Part {
    let role = match &model.link {
        Link::Up(Role::Owner) => "owner",
        Link::Up(Role::Attached) => "attached",
        Link::Connecting | Link::Lost { .. } => "door",
    };
    match &model.board.door {
        Door::Closed => Part::of(0, Tone::Faint, &[format!("{role}, door closed"), role.into(), String::new()]),
        Door::Open { address } => {
            let port = address.rsplit(':').next().unwrap_or(address);
            let long = format!("{role}, door {address}");
            Part::of(0, Tone::Faint, &[long, format!("{role} :{port}"), role.into(), String::new()])
        }
        Door::Taken { by, .. } => {
            let long = format!("{role}, door taken by {by}");
            Part::of(5, Tone::Caution, &[long, "door taken".into(), "no door".into()])
        }
        Door::Refused { cause, .. } => {
            Part::of(5, Tone::Caution, &[format!("{role}, no door: {cause}"), "no door".into()])
        }
        Door::Failing { cause, .. } => {
            Part::of(8, Tone::Alarm, &[format!("door FAILING: {cause}"), "door FAILING".into()])
        }
    }
}
