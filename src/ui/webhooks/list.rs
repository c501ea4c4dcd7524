//! The webhook log as a table: as many columns as the width has room for, the verdict always with its word.

use jiff::Timestamp;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Clear,
};

use crate::{
    app::{
        Link, Model, filter,
        page::Tone,
        webhooks::{
            Older, TITLE,
            detail::{mark, milliseconds},
            hunt::Reach,
            incident_words, number, rows,
        },
    },
    core::{
        delivery::{DeliverySummary, Direction, Verdict},
        freshness::Door,
        text::{Shown, columns as columns_of, fit},
        words,
    },
};

use crate::ui::parts::{self, GUTTER, cell, right, span};

/// From this width on the title has room for all there is to say.
const ROOMY: u16 = 60;

/// From this width on the incident has a column.
const WITH_INCIDENT: u16 = 60;

/// From this width on the subject has a column.
const WITH_SUBJECT: u16 = 76;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Time,
    Direction,
    Verdict,
    Account,
    Type,
    Incident,
    Subject,
    Latency,
    Size,
}

/// The columns for a width, with their widths; one of them takes what is left.
fn columns(model: &Model, width: usize, time: usize) -> Vec<(Column, usize)> {
    use Column::{Account, Direction, Incident, Latency, Size, Subject, Time, Type, Verdict};
    let several = model.board.accounts.len() > 1;
    // Of several accounts each line says whose it is: where there is little room, what the opened delivery says too gives way.
    let verdict = if several && width < 60 { 8 } else { 13 };
    let mut columns = vec![(Time, time), (Direction, 1), (Verdict, verdict)];
    match width {
        ..60 => columns.push((Type, 0)),
        60..76 => columns.extend([(Type, 0), (Incident, 8)]),
        76..100 => columns.extend([(Type, 18), (Incident, 8), (Subject, 0), (Latency, 5)]),
        100..140 => columns.extend([(Type, 24), (Incident, 14), (Subject, 0), (Latency, 5), (Size, 8)]),
        _ => columns.extend([(Type, 28), (Incident, 14), (Subject, 0), (Latency, 5), (Size, 8)]),
    }
    if several {
        columns.retain(|(column, _)| !matches!((column, width), (Latency, ..100) | (Size, ..120)));
        let account = match width {
            ..60 => 4,
            60..120 => 8,
            _ => 12,
        };
        columns.insert(3, (Account, account));
    }
    let used: usize = GUTTER + columns.iter().map(|(_, wide)| wide + 1).sum::<usize>();
    for (_, wide) in columns.iter_mut().filter(|(_, wide)| *wide == 0) {
        *wide = (width + 1).saturating_sub(used);
    }
    columns
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.webhooks;
    let at = filter::list_areas(area, TITLE, &state.filter);
    let rows = rows(model);
    let shown: Vec<_> = rows.iter().skip(state.cursor.offset()).take(at.rows.height.into()).collect();
    title(model, frame, Rect { height: 1, ..at.title }, &rows);
    if rows.is_empty() {
        parts::remarks(model, frame, at.rows, &nothing(model));
    } else {
        let time = shown.iter().map(|row| time(model, row.at).chars().count()).max().unwrap_or(8);
        let columns = columns(model, area.width.into(), time);
        if at.title.height > 1 {
            let headings = Rect { y: at.title.y + 1, height: 1, ..at.title };
            parts::line(frame, headings, heading(model, &columns));
        }
        for (row, y) in shown.iter().zip(at.rows.y..) {
            let selected = state.cursor.selected() == Some(&row.id);
            let line = parts::selected(cells(model, &columns, row, selected), selected);
            parts::line(frame, Rect { y, height: 1, ..at.rows }, line);
        }
        parts::above(model, frame, at.title, state.cursor.offset());
    }
    query(model, frame, at.filter, rows.len());
    wrong(model, frame, at.rows);
}

/// The query, what is wrong in it marked; how many were found, and how far was looked.
fn query(model: &Model, frame: &mut Frame<'_>, area: Rect, found: usize) {
    let (filter, hunt) = (&model.webhooks.filter, &model.webhooks.hunt);
    let Some(wrong) = &hunt.wrong else {
        return parts::filter(model, frame, area, filter, &reach(model, found, area.width));
    };
    let right: String = filter.as_str().chars().take(wrong.column - 1).collect();
    let rest: String = filter.as_str().chars().skip(wrong.column - 1).collect();
    let cursor = if filter.is_typing() { "▏" } else { "" };
    let spans = vec![
        span(model, Tone::Accent, "/"),
        span(model, Tone::Strong, Shown::line(&right).as_str()),
        span(model, Tone::Alarm, format!("{}{cursor}", Shown::line(&rest))),
    ];
    if area.height > 0 {
        parts::line(frame, area, Line::from(spans));
    }
}

/// How many are listed, and whether these are all there are. `width` is that of the screen.
fn reach(model: &Model, found: usize, width: u16) -> String {
    let (hunt, log) = (&model.webhooks.hunt, &model.webhooks.log);
    if hunt.is_empty() {
        return words::count(found, "delivery", "deliveries");
    }
    match &hunt.reach {
        Reach::Nowhere if model.webhooks.filter.is_typing() => {
            format!("{found} of {} read; enter: all", log.lines().len())
        }
        Reach::Nowhere => format!("{found} of {} read", log.lines().len()),
        Reach::Asked(wait) if wait.overdue(model.now) => format!("{found}; ! no answer, down asks again"),
        Reach::Asked(_) => format!("{found}, searching{}…", oldest_seen(model)),
        Reach::Part | Reach::Whole | Reach::Full if hunt.lacks_news() => format!("{found}; ! newest not searched yet"),
        Reach::Part => format!("{found}, searched{}; down goes on", oldest_seen(model)),
        Reach::Whole => match &hunt.let_go {
            Some(_) if width < ROOMY => format!("{found}; older not kept"),
            Some(let_go) => format!("{found} found; {let_go}"),
            None => format!("{found} in the whole log"),
        },
        Reach::Full => format!("newest {found} only: narrow it"),
        Reach::Failed(why) => format!("{found}; ! not searched: {why}"),
    }
}

/// ` back to delivery 41`.
fn oldest_seen(model: &Model) -> String {
    model.webhooks.hunt.next.map_or_else(String::new, |id| format!(" back to delivery {id}"))
}

/// What is wrong in the query, in the last rows above it.
fn wrong(model: &Model, frame: &mut Frame<'_>, rows: Rect) {
    let Some(wrong) = model.webhooks.hunt.wrong.as_ref().filter(|_| model.webhooks.filter.is_shown()) else { return };
    let mut lines = words::wrap(&format!("! {}", Shown::line(&wrong.to_string())), rows.width.into());
    lines.truncate(3);
    let height = u16::try_from(lines.len()).unwrap_or(1).min(rows.height);
    let area = Rect { y: rows.bottom() - height, height, ..rows };
    frame.render_widget(Clear, area);
    for (row, text) in area.rows().zip(lines) {
        parts::line(frame, row, Line::from(span(model, Tone::Alarm, text)));
    }
}

/// What a line is about, in the room that is left: of what went out, where it went.
fn subject<'a>(model: &Model, row: &DeliverySummary, wide: usize) -> Span<'a> {
    if let Some(target) = &row.target {
        let said = match &row.subject {
            Some(subject) if row.verdict == Verdict::Sent => format!("{target} {}: {subject}", row.status),
            _ => format!("{target}: {}", row.reason),
        };
        return span(model, Tone::Plain, cell(&said, wide));
    }
    match (&row.subject, row.caution()) {
        (Some(subject), Some(word)) => span(model, Tone::Caution, cell(&format!("({word}) {subject}"), wide)),
        (Some(subject), None) => span(model, Tone::Plain, cell(subject.as_str(), wide)),
        (None, _) => span(model, Tone::Faint, cell(row.reason.as_str(), wide)),
    }
}

/// One row. What was not taken or not understood says why, in the room of what it would have said.
fn cells<'a>(model: &Model, columns: &[(Column, usize)], row: &DeliverySummary, selected: bool) -> Line<'a> {
    let untold = matches!(row.verdict, Verdict::Rejected | Verdict::Undecodable);
    let gives_way = |column: Column| untold && matches!(column, Column::Type | Column::Incident | Column::Subject);
    let room: usize = columns.iter().filter(|(column, _)| gives_way(*column)).map(|(_, wide)| wide + 1).sum();
    let mut spans = vec![parts::gutter(model, selected)];
    for (column, wide) in columns {
        if !gives_way(*column) {
            spans.extend([value(model, *column, row, *wide), Span::raw(" ")]);
        } else if *column == Column::Type {
            spans.push(span(model, Tone::Plain, cell(row.reason.as_str(), room.saturating_sub(1))));
            spans.push(Span::raw(" "));
        }
    }
    Line::from(spans)
}

/// What the list is, and what to know about it: what came in above, the door, what happens at its end.
fn title(model: &Model, frame: &mut Frame<'_>, area: Rect, rows: &[&DeliverySummary]) {
    let state = &model.webhooks;
    // Nothing on this line matters as much as a door that takes nothing.
    if let Door::Failing { cause, .. } = &model.board.door
        && !rows.is_empty()
    {
        let alarm = span(model, Tone::Alarm, format!("! webhooks get 503: {cause}"));
        return parts::line(frame, area, with_zone(model, vec![alarm], area.width.into()));
    }
    let at_end = state.cursor.selected().is_some() && state.cursor.selected() == rows.last().map(|row| &row.id);
    let end = match &state.older {
        Older::Asked { wait, .. } if !wait.overdue(model.now) => Some((Tone::Faint, "reading older…".into())),
        Older::Asked { .. } => Some((Tone::Caution, "! no answer about older ones".into())),
        Older::Failed(why) => Some((Tone::Caution, format!("! older ones not read: {why}"))),
        Older::None { let_go } if at_end => Some((Tone::Faint, beginning(let_go.as_ref(), area.width))),
        Older::Perhaps if at_end && state.hunt.is_empty() && state.log.is_full() => {
            Some((Tone::Faint, full(rows.len(), area.width)))
        }
        Older::None { .. } | Older::Perhaps => None,
    };
    let mut spans = vec![span(model, Tone::Strong, "Webhooks")];
    if model.board.unshown > 0 {
        spans.push(span(model, Tone::Caution, format!("  ! {} not shown yet", model.board.unshown)));
    }
    if !rows.is_empty() {
        let news = match state.news(rows) {
            _ if model.board.unshown > 0 && area.width < ROOMY => None,
            _ if state.follows() => Some((Tone::Calm, "following".to_owned())),
            // At its end the log does not follow: where there is little room, that goes without saying.
            0 if end.is_some() && area.width < ROOMY => None,
            0 => Some((Tone::Faint, "paused".to_owned())),
            new => Some((Tone::Accent, format!("paused, {new} new"))),
        };
        spans.extend(news.map(|(tone, words)| span(model, tone, format!("  {words}"))));
    }
    if let Some((tone, words)) = end {
        spans.push(span(model, tone, format!("  {words}")));
    }
    if let Some((tone, words)) = door(model).filter(|_| !rows.is_empty()) {
        spans.push(span(model, tone, format!("  {words}")));
    }
    let line = if rows.is_empty() { Line::from(spans) } else { with_zone(model, spans, area.width.into()) };
    parts::line(frame, area, line);
}

/// That older lines find no room, and how they are found nevertheless.
fn full(read: usize, width: u16) -> String {
    if width < ROOMY { format!("{read} read: narrow with /") } else { format!("{read} read: narrow it with /") }
}

/// That the log begins here, and why it does not begin earlier.
fn beginning(let_go: Option<&Shown>, width: u16) -> String {
    match let_go {
        Some(let_go) if width < ROOMY => let_go.to_string(),
        Some(let_go) => format!("the log begins here; {let_go}"),
        None => "the log begins here".to_owned(),
    }
}

/// The title and its news, shortened so that the zone has room: by its letters, or better by its name.
fn with_zone<'a>(model: &Model, title: Vec<Span<'a>>, width: usize) -> Line<'a> {
    let letters = words::zone_name(model.now, &model.zone);
    let mut room = width.saturating_sub(2 + columns_of(&letters));
    let mut spans = vec![];
    for part in title {
        let text = fit(&part.content, room);
        room -= columns_of(&text);
        spans.push(Span::styled(text, part.style));
    }
    room += columns_of(&letters);
    let roomy = [format!("times in {}", parts::zone(model)), format!("times in {letters}")];
    let zone = roomy.into_iter().find(|words| columns_of(words) <= room).unwrap_or(letters);
    spans.push(span(model, Tone::Faint, format!("  {zone}")));
    Line::from(spans)
}

/// Why nothing comes in, in short.
fn door(model: &Model) -> Option<(Tone, String)> {
    match (&model.board.door, &model.link) {
        (Door::Open { .. } | Door::Failing { .. }, _) | (_, Link::Connecting) => None,
        (Door::Closed, _) => Some((Tone::Caution, "! the door is closed".into())),
        (Door::Taken { by, .. }, _) => Some((Tone::Caution, format!("! the port belongs to {by}"))),
        (Door::Refused { cause, .. }, _) => Some((Tone::Caution, format!("! the port cannot be had: {cause}"))),
    }
}

fn heading<'a>(model: &Model, columns: &[(Column, usize)]) -> Line<'a> {
    let mut words = " ".repeat(GUTTER);
    for (column, wide) in columns {
        let text = match column {
            Column::Time => cell("time", *wide),
            Column::Direction => cell("", *wide),
            Column::Verdict => cell("verdict", *wide),
            Column::Account => cell("account", *wide),
            Column::Type => cell("event type", *wide),
            Column::Incident => cell("incident", *wide),
            Column::Subject if *wide < "subject or reason".len() => cell("subject", *wide),
            Column::Subject => cell("subject or reason", *wide),
            Column::Latency => right("ms", *wide),
            Column::Size => right("bytes", *wide),
        };
        words += &text;
        words.push(' ');
    }
    Line::from(span(model, Tone::Faint, words.trim_end()))
}

/// What happened; where the subject or the incident has no column, where it went or what it is about comes first.
fn event(model: &Model, row: &DeliverySummary) -> Option<String> {
    let kind = row.event_type.as_ref()?.as_str();
    // Nearly all are an incident's; the opened delivery has the whole word.
    let kind = kind.strip_prefix("incident.").unwrap_or(kind);
    if let Some(target) = row.target.as_ref().filter(|_| model.size.0 < WITH_SUBJECT) {
        return Some(format!("{target}: {kind}"));
    }
    let number = number(model, row).filter(|_| model.size.0 < WITH_INCIDENT);
    Some(number.map_or_else(|| kind.to_owned(), |number| format!("#{number} {kind}")))
}

fn value<'a>(model: &Model, column: Column, row: &DeliverySummary, wide: usize) -> Span<'a> {
    let plain = |text: &str| span(model, Tone::Plain, cell(text, wide));
    match column {
        Column::Time => plain(&time(model, row.at)),
        Column::Direction => plain(match row.direction {
            Direction::Incoming => "←",
            Direction::Outgoing => "→",
        }),
        Column::Verdict => {
            let (mark, tone) = mark(row.verdict);
            span(model, tone, cell(&format!("{mark} {}", row.verdict.word()), wide))
        }
        Column::Account => plain(row.account.as_ref().map_or("", |name| name.as_str())),
        Column::Type => match event(model, row) {
            Some(event) => plain(&event),
            None => span(model, Tone::Faint, cell("not known", wide)),
        },
        Column::Incident => {
            let words = row.incident.as_ref().map(|key| incident_words(model, key)).unwrap_or_default();
            span(model, Tone::Accent, cell(&words, wide))
        }
        Column::Subject => subject(model, row, wide),
        Column::Latency => plain(&right(&row.latency_us.map_or_else(|| "?".to_owned(), milliseconds), wide)),
        Column::Size => plain(&right(&row.size.to_string(), wide)),
    }
}

/// The time of day with seconds, with the day when it is not today.
fn time(model: &Model, at: Timestamp) -> String {
    let zoned = at.to_zoned(model.zone.clone());
    let form =
        if zoned.date() == model.now.to_zoned(model.zone.clone()).date() { "%H:%M:%S" } else { "%b %d %H:%M:%S" };
    zoned.strftime(form).to_string()
}

/// Why the list is empty, and what can be done about it.
fn nothing(model: &Model) -> Vec<(Tone, String)> {
    if !model.webhooks.log.lines().is_empty() {
        return match model.webhooks.hunt.reach {
            Reach::Whole => vec![(
                Tone::Plain,
                match &model.webhooks.hunt.let_go {
                    Some(let_go) => format!("No delivery that is kept is like this; {let_go}."),
                    None => "No delivery in the whole log is like this.".into(),
                },
            )],
            Reach::Asked(_) => vec![(Tone::Plain, "None so far; searching further back…".into())],
            Reach::Full => vec![(Tone::Plain, "None of those found is like this any more: narrow the query.".into())],
            Reach::Nowhere | Reach::Part | Reach::Failed(_) => vec![
                (Tone::Plain, "None of the deliveries read so far is like this.".into()),
                (Tone::Faint, "The enter or down key searches the log further back.".into()),
            ],
        };
    }
    match (&model.board.door, &model.link) {
        (_, Link::Connecting) => vec![(Tone::Faint, "Connecting to the server…".into())],
        (Door::Open { address }, _) => where_to(model, address),
        (Door::Closed, _) => vec![(
            Tone::Caution,
            "! The door for webhooks is closed: none can come in. What changes is found by polling only.".into(),
        )],
        (Door::Taken { address, by }, _) => vec![(
            Tone::Caution,
            format!(
                "! The port {address} belongs to {by}: webhooks do not come here. What changes is found by polling only."
            ),
        )],
        (Door::Refused { address, cause }, _) => vec![(
            Tone::Caution,
            format!(
                "! dogwatch cannot listen on {address} ({cause}): no webhook comes in. Set `receiver.listen` to an \
                 address and port that it may have. What changes is found by polling only."
            ),
        )],
        (Door::Failing { address, cause }, _) => vec![(
            Tone::Alarm,
            format!("! Webhooks that reach {address} are answered 503, and sent again later: {cause}"),
        )],
    }
}

fn where_to(model: &Model, address: &str) -> Vec<(Tone, String)> {
    let mut out = vec![match model.board.unshown {
        0 => (Tone::Plain, "No webhook has come in yet.".to_owned()),
        _ => (Tone::Caution, "! Webhooks came in that are not shown yet.".to_owned()),
    }];
    for board in model.board.accounts.values() {
        let name = &board.account.name;
        out.push(match &board.account.push.off {
            None => (Tone::Plain, format!("Point the webhooks of {name} at http://{address}/hooks/{name}/<url-key>")),
            Some(why) => (Tone::Caution, format!("! {name} takes no webhooks: {}", Shown::as_str(why))),
        });
    }
    if model.board.accounts.is_empty() {
        out.push((Tone::Plain, "No account is configured. `dogwatch config init` writes a sample.".into()));
    } else if model.board.accounts.values().any(|board| board.account.push.off.is_none()) {
        out.push((Tone::Faint, "Providers send to public https addresses: put a proxy before this one.".into()));
    }
    out
}
