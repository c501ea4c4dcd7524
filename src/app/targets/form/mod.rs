//! A target being written down: one line for each thing, checked while it is typed. What may be a secret is not shown,
//! and what is kept of it at the server never comes here.

mod secret;

use secret::{HeaderLine, LONGEST_SECRET, SecretLine, is_reference};

use crate::{
    app::{
        list::{self, Step},
        typing::TypedLine,
        wait::Wait,
    },
    core::{
        board::Board,
        forward::{
            EventType, TargetSummary,
            checks::{self, Address, LONGEST_ADDRESS, MOST_HEADERS, MOST_RETRIES},
            form::{Making, Secret, TargetForm},
            names,
        },
        id::TargetName,
        keys::{Chord, Key},
        text::Shown,
    },
    proto::Request,
};

/// A line of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Name,
    Url,
    /// Whether this event is sent, by its place among the shared names.
    Event(usize),
    /// Further events, by name.
    OtherEvents,
    Template,
    Filter,
    Linked,
    User,
    Password,
    /// A header that is added, by its place; the last one is empty.
    Header(usize),
    Retries,
    Secret,
    LinkLocal,
    /// Whether a new target is on from the start.
    On,
}

/// A target being made or changed.
#[derive(Debug)]
pub struct Form {
    /// The target as it was when the form opened; `None`: a new one.
    pub former: Option<TargetSummary>,
    /// Where the keys go: the place among [`Form::fields`].
    pub at: usize,
    /// First line shown.
    pub offset: usize,
    pub(super) saving: Option<Wait>,
    /// Leaving was asked for once although something would be lost.
    pub(super) leaving: bool,
    touched: bool,
    name: TypedLine,
    url: SecretLine,
    events: [bool; EventType::SHARED.len()],
    others: TypedLine,
    template: Option<String>,
    filter: TypedLine,
    flags: Flags,
    user: TypedLine,
    password: SecretLine,
    headers: Vec<HeaderLine>,
    retries: TypedLine,
    secret: SecretLine,
}

/// What is so or not.
#[derive(Debug, Clone, Copy)]
struct Flags {
    linked: bool,
    link_local: bool,
    on: bool,
}

fn line(text: &str) -> TypedLine {
    let mut line = TypedLine::default();
    line.insert(text);
    line
}

impl Form {
    /// An empty form.
    pub(super) fn empty() -> Self {
        Self {
            former: None,
            at: 0,
            offset: 0,
            saving: None,
            leaving: false,
            touched: false,
            name: TypedLine::default(),
            url: SecretLine { typed: TypedLine::of_at_most(LONGEST_ADDRESS), ..SecretLine::new(false) },
            events: [false; EventType::SHARED.len()],
            others: TypedLine::of_at_most(LONGEST_SECRET),
            template: None,
            filter: TypedLine::default(),
            flags: Flags { linked: false, link_local: false, on: true },
            user: TypedLine::default(),
            password: SecretLine::new(false),
            headers: vec![HeaderLine::new(None)],
            retries: line("0"),
            secret: SecretLine::new(false),
        }
    }

    /// A form with what is known of a target.
    pub(super) fn of(target: &TargetSummary) -> Self {
        let empty = Self::empty();
        let is_shared = |event: &&EventType| EventType::SHARED.contains(&event.as_str());
        let others: Vec<&str> = target.events.iter().filter(|event| !is_shared(event)).map(EventType::as_str).collect();
        let mut other_events = empty.others;
        other_events.insert(&others.join(", "));
        Self {
            at: 1,
            name: line(target.name.as_str()),
            url: SecretLine { typed: TypedLine::of_at_most(LONGEST_ADDRESS), ..SecretLine::new(true) },
            events: EventType::SHARED.map(|name| target.events.iter().any(|event| event.as_str() == name)),
            others: other_events,
            template: target.template.clone(),
            filter: line(target.filter.as_deref().unwrap_or_default()),
            flags: Flags { linked: target.linked, link_local: target.allow_link_local, on: true },
            user: line(target.user.as_ref().map_or("", Shown::as_str)),
            password: SecretLine::new(target.user.is_some()),
            headers: target.headers.iter().map(Some).chain([None]).map(HeaderLine::new).collect(),
            retries: line(&target.retries.to_string()),
            secret: SecretLine::new(target.signed),
            former: Some(target.clone()),
            ..Self::empty()
        }
    }

    /// Whether anything was typed or chosen.
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// All lines, in their order. The name of a target that is there stays.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::Name, Field::Url];
        fields.extend((0..EventType::SHARED.len()).map(Field::Event));
        fields.extend([
            Field::OtherEvents,
            Field::Template,
            Field::Filter,
            Field::Linked,
            Field::User,
            Field::Password,
        ]);
        fields.extend((0..self.headers.len()).map(Field::Header));
        fields.extend([Field::Retries, Field::Secret, Field::LinkLocal]);
        if self.former.is_none() {
            fields.push(Field::On);
        }
        fields
    }

    /// The line that the keys go to.
    pub fn field(&self) -> Field {
        self.fields().get(self.at).copied().unwrap_or(Field::Name)
    }

    /// What a line is called.
    pub fn label(field: Field) -> &'static str {
        match field {
            Field::Name => "name",
            Field::Url => "url",
            Field::Event(0) => "events",
            Field::OtherEvents => "others",
            Field::Template => "template",
            Field::Filter => "filter",
            Field::Linked => "linked",
            Field::User => "user",
            Field::Password => "password",
            Field::Header(0) => "headers",
            Field::Event(_) | Field::Header(_) => "",
            Field::Retries => "retries",
            Field::Secret => "sign with",
            Field::LinkLocal => "link-local",
            Field::On => "on",
        }
    }

    /// What stands on a line.
    pub fn value(&self, field: Field) -> String {
        match field {
            Field::Name => self.name.as_str().to_owned(),
            Field::Url => self.url_shown(),
            Field::Event(at) => {
                let name = EventType::SHARED.get(at).copied().unwrap_or_default();
                let sent = self.events.get(at).copied().unwrap_or_default();
                let short = name.strip_prefix("incident.").unwrap_or(name);
                format!("{} {short}: {}", if sent { "[x]" } else { "[ ]" }, names::meaning(name))
            }
            Field::OtherEvents => self.others.as_str().to_owned(),
            Field::Template => match &self.template {
                Some(name) => format!("< {name} >"),
                None => "< none: {type, data} >".to_owned(),
            },
            Field::Filter => self.filter.as_str().to_owned(),
            Field::Linked => yes_or_no(self.flags.linked).to_owned(),
            Field::User => self.user.as_str().to_owned(),
            Field::Password => self.password.shown(),
            Field::Header(at) => self.headers.get(at).map(HeaderLine::shown).unwrap_or_default(),
            Field::Retries => self.retries.as_str().to_owned(),
            Field::Secret => self.secret.shown(),
            Field::LinkLocal => yes_or_no(self.flags.link_local).to_owned(),
            Field::On => yes_or_no(self.flags.on).to_owned(),
        }
    }

    /// Scheme and host are shown as they are typed; what comes after them may be a secret.
    fn url_shown(&self) -> String {
        let typed = self.url.typed.as_str();
        let origin = typed.split_once("://").map(|(scheme, rest)| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            scheme.len() + 3 + authority.len()
        });
        let origin = origin.and_then(|end| typed.split_at_checked(end)).filter(|(origin, _)| !origin.contains('@'));
        match (origin, &self.former) {
            (None, Some(former)) if typed.is_empty() => format!("{}/… (as it is)", former.address),
            _ if is_reference(typed) => typed.to_owned(),
            (Some((origin, rest)), _) => format!("{origin}{}", "•".repeat(rest.chars().count())),
            (None, _) if "https://".starts_with(typed) || "http://".starts_with(typed) => typed.to_owned(),
            (None, _) => self.url.shown(),
        }
    }

    /// Whether a line is typed text, so that its end is where the cursor is.
    pub fn is_typed(field: Field) -> bool {
        !matches!(field, Field::Event(_) | Field::Template | Field::Linked | Field::LinkLocal | Field::On)
    }

    /// Whether something is typed on a line: else it shows its beginning, not its end.
    pub fn has_text(&self, field: Field) -> bool {
        match field {
            Field::Url => !self.url.typed.is_empty(),
            Field::Password => !self.password.typed.is_empty(),
            Field::Secret => !self.secret.typed.is_empty(),
            field => Self::is_typed(field),
        }
    }

    /// What can be said about a line that is not wrong.
    pub fn hint(&self, field: Field) -> &'static str {
        match field {
            Field::Name if self.former.is_some() => "the name stays; a target under another name is a new one",
            Field::Name => "how it is called here, in queries and on command lines",
            Field::Url if self.url.kept && self.url.typed.is_empty() => "typing replaces it; it is not shown again",
            Field::Password if self.password.was_kept => "typing replaces it; ctrl-u takes it away, and again keeps it",
            Field::Secret if self.secret.was_kept => "typing replaces it; ctrl-u takes it away, and again keeps it",
            Field::Url => "https://…, or where the address is: { env = \"NAME\" }, { file = \"/path\" }",
            Field::Event(_) => "space: send it, or do not",
            Field::OtherEvents => "further events by name, as incident.annotated, incident.reopened",
            Field::Template => "space, left and right choose; a letter goes to the next that begins so",
            Field::Filter => "incidents that are meant, as account:prod service:checkout urgency:high",
            Field::Linked => "space; whether the default body tells of user, team and source too",
            Field::User => "for Basic authentication",
            Field::Password => "for Basic authentication; { env = \"NAME\" } says where it is",
            Field::Header(_) => "Name: value, or Name: { env = \"NAME\" }; an empty line takes one away",
            Field::Retries => "how often a failed attempt is made again, 0 to 10",
            Field::Secret => "whsec_…: every request gets a webhook-signature by Standard Webhooks",
            Field::LinkLocal => "space; whether link-local and cloud metadata addresses may be sent to",
            Field::On => "space; off: nothing is sent until somebody switches it on",
        }
    }

    /// What is wrong with a line.
    pub fn wrong(&self, field: Field) -> Option<String> {
        match field {
            Field::Name if self.name.is_empty() => Some("a target needs a name".to_owned()),
            Field::Name => checks::name(self.name.as_str()).err(),
            Field::Url if !self.url.is_there() => Some("a target needs an address".to_owned()),
            Field::Url => match self.url.typed.as_str() {
                "" => None,
                typed if is_reference(typed) => None,
                typed => Address::read(typed).err(),
            },
            Field::OtherEvents => self.others().find_map(|name| checks::event(name).err()),
            Field::Filter => match self.filter.as_str().trim() {
                "" => None,
                text => checks::filter(text).err().map(|wrong| wrong.to_string()),
            },
            Field::User => match self.user.as_str() {
                "" if !self.password.typed.is_empty() => Some("a password needs a user".to_owned()),
                "" => None,
                user => checks::user(user).err(),
            },
            Field::Header(at) => self.wrong_header(at),
            Field::Retries => {
                let number = self.retries.as_str().parse::<u32>().ok().filter(|number| *number <= MOST_RETRIES);
                number.is_none().then(|| format!("a number from 0 to {MOST_RETRIES}"))
            }
            Field::Secret => match self.secret.typed.as_str() {
                "" => None,
                typed if is_reference(typed) => None,
                typed => checks::signing(typed).err(),
            },
            Field::Event(_) | Field::Template | Field::Linked | Field::Password | Field::LinkLocal | Field::On => None,
        }
    }

    fn wrong_header(&self, at: usize) -> Option<String> {
        let header = self.headers.get(at).filter(|header| !header.is_empty())?;
        let (name, _) = header.parts();
        let twice = self.headers.iter().take(at).any(|other| other.parts().0.eq_ignore_ascii_case(name));
        if twice {
            return Some(format!("a second header {name}"));
        }
        if name.eq_ignore_ascii_case("authorization") && !self.user.is_empty() {
            return Some("either a user or a header Authorization, not both".to_owned());
        }
        header.wrong()
    }

    /// What is allowed on a line but probably not meant.
    pub fn doubt(&self, field: Field, board: &Board) -> Option<String> {
        match field {
            Field::Name if self.former.is_none() => {
                let known = board.targets.iter().any(|target| target.name.as_str() == self.name.as_str());
                known.then(|| "there is a target of this name already".to_owned())
            }
            Field::Url => {
                let address = Address::read(self.url.typed.as_str()).ok()?;
                address.is_readable_on_the_way().then(|| "plain http: whoever is on the way can read it".to_owned())
            }
            Field::Event(_) if self.events().is_empty() => Some("no event is chosen: nothing is sent".to_owned()),
            Field::OtherEvents => self.others().filter_map(EventType::new).find_map(|event| names::doubt(&event)),
            Field::Template => {
                let name = self.template.as_ref()?;
                let known = board.templates.iter().any(|template| template.name == *name);
                (!known).then(|| format!("there is no template {name}"))
            }
            Field::Linked if self.flags.linked && self.template.is_some() => {
                Some("it means nothing with a template".to_owned())
            }
            _ => None,
        }
    }

    fn others(&self) -> impl Iterator<Item = &str> {
        self.others.as_str().split([',', ' ']).filter(|name| !name.is_empty())
    }

    fn events(&self) -> Vec<EventType> {
        let shared = EventType::SHARED.iter().zip(self.events).filter(|(_, sent)| *sent).map(|(name, _)| *name);
        let mut events: Vec<EventType> = vec![];
        for event in shared.chain(self.others()).filter_map(EventType::new) {
            if !events.contains(&event) {
                events.push(event);
            }
        }
        events
    }

    /// The first line with something wrong on it.
    pub(super) fn first_wrong(&self) -> Option<(usize, String)> {
        self.fields().into_iter().enumerate().find_map(|(at, field)| Some((at, self.wrong(field)?)))
    }

    /// What is sent to the server; `None` while something is wrong with the name.
    pub(super) fn made(&self) -> Option<Request> {
        let name: TargetName = checks::name(self.name.as_str()).ok()?;
        let text = |line: &TypedLine| Some(line.as_str().trim().to_owned()).filter(|text| !text.is_empty());
        let form = TargetForm {
            url: self.url.secret(),
            user: text(&self.user),
            password: if self.user.is_empty() { Secret::None } else { self.password.secret() },
            headers: self.headers.iter().filter(|header| !header.is_empty()).map(HeaderLine::header).collect(),
            events: self.events(),
            linked: self.flags.linked,
            template: self.template.clone(),
            filter: text(&self.filter),
            retries: self.retries.as_str().parse().unwrap_or_default(),
            secret: self.secret.secret(),
            allow_link_local: self.flags.link_local,
            ..TargetForm::new(name)
        };
        let making = if self.former.is_some() { Making::Changed } else { Making::New { on: self.flags.on } };
        let base = self.former.as_ref().map(|former| Box::new(TargetForm::of(former)));
        Some(Request::SaveTarget { form: Box::new(form), making, base })
    }

    /// A key that belongs to the line at hand or moves between lines. `height`: lines that are shown.
    pub(super) fn take(&mut self, chord: Chord, templates: &[String], height: usize) {
        let step = match chord.key {
            Key::Tab if chord.shift => Some(Step::Up),
            Key::Tab | Key::Down | Key::Enter => Some(Step::Down),
            Key::Up => Some(Step::Up),
            Key::PageDown => Some(Step::PageDown),
            Key::PageUp => Some(Step::PageUp),
            Key::Home => Some(Step::Top),
            Key::End => Some(Step::Bottom),
            _ => None,
        };
        match step {
            Some(step) => self.step(step, height),
            None => self.edit(chord, templates),
        }
        self.settle(height);
    }

    fn step(&mut self, step: Step, height: usize) {
        let last = self.fields().len().saturating_sub(1);
        self.at = match step {
            // Round, so that the first line is as near as the last.
            Step::Down if self.at >= last => 0,
            Step::Up if self.at == 0 => last,
            Step::Down => self.at + 1,
            Step::Up => self.at - 1,
            Step::Top => 0,
            Step::Bottom => last,
            Step::PageDown => (self.at + height.max(2) - 1).min(last),
            Step::PageUp => self.at.saturating_sub(height.max(2) - 1),
        };
    }

    /// Keeps the line at hand in sight.
    pub(super) fn settle(&mut self, height: usize) {
        let lines = self.fields().len();
        self.at = self.at.min(lines.saturating_sub(1));
        let height = height.max(1);
        self.offset = self.offset.clamp((self.at + 1).saturating_sub(height), self.at);
        self.offset = list::scroll(self.offset, Step::Down, lines, height).min(self.offset);
    }

    fn edit(&mut self, chord: Chord, templates: &[String]) {
        let field = self.field();
        let took = match field {
            Field::Name if self.former.is_some() => false,
            Field::Name => self.name.take(chord),
            Field::Url => self.take_url(chord),
            Field::OtherEvents => self.others.take(chord),
            Field::Filter => self.filter.take(chord),
            Field::User => self.user.take(chord),
            Field::Password => self.password.take(chord),
            Field::Header(at) => self.headers.get_mut(at).is_some_and(|header| header.typed.take(chord)),
            Field::Retries => self.retries.take(chord),
            Field::Secret => self.secret.take(chord),
            Field::Template => self.choose_template(chord, templates),
            Field::Event(_) | Field::Linked | Field::LinkLocal | Field::On => self.flip(field, chord),
        };
        self.touched |= took;
        self.keep_an_empty_header();
    }

    /// The address cannot be taken away, so that `ctrl-u` only takes back what was typed.
    fn take_url(&mut self, chord: Chord) -> bool {
        let clears = chord.ctrl && chord.key == Key::Char('u');
        if clears && self.url.typed.is_empty() { false } else { self.url.take(chord) }
    }

    fn flip(&mut self, field: Field, chord: Chord) -> bool {
        if !matches!(chord.key, Key::Char(' ' | 'x' | 'y' | 'n') | Key::Left | Key::Right) || chord.ctrl || chord.alt {
            return false;
        }
        let flag = match field {
            Field::Event(at) => self.events.get_mut(at),
            Field::Linked => Some(&mut self.flags.linked),
            Field::LinkLocal => Some(&mut self.flags.link_local),
            Field::On => Some(&mut self.flags.on),
            _ => None,
        };
        let Some(flag) = flag else { return false };
        *flag = match chord.key {
            Key::Char('y') => true,
            Key::Char('n') => false,
            _ => !*flag,
        };
        true
    }

    fn choose_template(&mut self, chord: Chord, templates: &[String]) -> bool {
        // None comes first; one that is not there any more counts as none.
        let at = self.template.as_ref().and_then(|name| templates.iter().position(|known| known == name));
        let at = at.map_or(0, |at| at + 1);
        let of = templates.len() + 1;
        let next = match chord.key {
            Key::Char(' ') | Key::Right => (at + 1) % of,
            Key::Left => (at + of - 1) % of,
            Key::Backspace | Key::Delete => 0,
            Key::Char(c) if !chord.ctrl && !chord.alt => {
                let places = (at + 1..of).chain(1..=at).find(|place| templates[place - 1].starts_with(c));
                match places {
                    Some(place) => place,
                    None => return false,
                }
            }
            _ => return false,
        };
        self.template = next.checked_sub(1).and_then(|at| templates.get(at)).cloned();
        true
    }

    /// One empty line at the end of the headers, for the next one.
    fn keep_an_empty_header(&mut self) {
        let is_full = self.headers.len() >= MOST_HEADERS;
        if !is_full && self.headers.last().is_none_or(|last| !last.is_empty()) {
            self.headers.push(HeaderLine::new(None));
        }
    }

    /// Pasted text goes where typing goes.
    pub(super) fn paste(&mut self, text: &str) {
        let text = text.trim();
        let line = match self.field() {
            Field::Name if self.former.is_none() => &mut self.name,
            Field::Url => &mut self.url.typed,
            Field::OtherEvents => &mut self.others,
            Field::Filter => &mut self.filter,
            Field::User => &mut self.user,
            Field::Password => &mut self.password.typed,
            Field::Secret => &mut self.secret.typed,
            Field::Retries => &mut self.retries,
            Field::Header(at) => match self.headers.get_mut(at) {
                Some(header) => &mut header.typed,
                None => return,
            },
            _ => return,
        };
        line.insert(text);
        self.touched = true;
        self.keep_an_empty_header();
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "[x] yes" } else { "[ ] no" }
}
