//! The on-call view as lines. Says what is known and no more: a level that the provider did not name has
//! no line, and old data stays what it was.

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{Model, filter::Words, page::Tone},
    core::{
        board::AccountBoard,
        freshness::Standing,
        id::{AccountName, PolicyId, ScheduleId, UserId},
        oncall::{OnCall, Schedule},
        rota::{self, EmptyLevel, Relief, empty_levels, relief_of},
        text::Shown,
        words,
    },
};

use super::mine::{self, Next, Now};

pub use crate::core::rota::Edge;

/// Shifts shown of each schedule; how many more there are is said.
const SHIFTS: usize = 5;

/// Schedules that are older than this beside who is on call say so.
const OLDER: SignedDuration = SignedDuration::from_secs(60);

/// Below this width a person or a shift takes two lines.
pub const TWO_LINES: u16 = 64;

/// Columns before each line, for the mark of the selection.
pub const MARGIN: usize = 2;

/// Which line it is, whatever else changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Account(AccountName),
    Policy {
        account: AccountName,
        id: PolicyId,
    },
    Person {
        account: AccountName,
        policy: PolicyId,
        level: u32,
        user: UserId,
    },
    Schedule {
        account: AccountName,
        id: ScheduleId,
    },
    Shift {
        account: AccountName,
        schedule: ScheduleId,
        /// `None`: the one that runs, and began before what was asked for.
        start: Option<Timestamp>,
    },
    /// Nobody, until then; its start moves with the clock.
    Gap {
        account: AccountName,
        schedule: ScheduleId,
        until: Timestamp,
    },
    More {
        account: AccountName,
        schedule: ScheduleId,
    },
    /// A line of what is wrong with what stands below.
    Trouble {
        account: AccountName,
        line: usize,
    },
    /// Whether I have the pager.
    MeNow(AccountName),
    /// When I have it next.
    MeNext(AccountName),
    /// Who follows at a level.
    Then {
        account: AccountName,
        policy: PolicyId,
        level: u32,
        schedule: ScheduleId,
    },
    /// A level with nobody on it.
    Empty {
        account: AccountName,
        policy: PolicyId,
        level: u32,
        schedule: Option<ScheduleId>,
    },
    /// Says why there is nothing to say.
    Remark {
        account: AccountName,
        about: About,
    },
    /// An empty line before another.
    Before(Box<Place>),
    /// The second line of a person or a shift on a narrow screen.
    Below(Box<Place>),
}

impl Place {
    /// Whose it is.
    pub fn account(&self) -> &AccountName {
        match self {
            Self::Account(account)
            | Self::MeNow(account)
            | Self::MeNext(account)
            | Self::Then { account, .. }
            | Self::Empty { account, .. }
            | Self::Policy { account, .. }
            | Self::Person { account, .. }
            | Self::Schedule { account, .. }
            | Self::Shift { account, .. }
            | Self::Gap { account, .. }
            | Self::More { account, .. }
            | Self::Trouble { account, .. }
            | Self::Remark { account, .. } => account,
            Self::Before(place) | Self::Below(place) => place.account(),
        }
    }

    /// Lines on which the selection does not rest.
    pub(super) fn is_between(&self) -> bool {
        matches!(
            self,
            Self::Before(_)
                | Self::Below(_)
                | Self::Trouble { .. }
                | Self::MeNow(_)
                | Self::MeNext(_)
                | Self::Then { .. }
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    People,
    Schedules,
}

/// One line: which it is, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    pub place: Place,
    pub says: Says<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Says<'a> {
    /// The account, and how old what follows is, when nothing is wrong with it.
    Account {
        name: &'a AccountName,
        as_of: Option<SignedDuration>,
        /// How old the schedules are, when that is more.
        shifts_as_of: Option<SignedDuration>,
    },
    Trouble(Tone, String),
    MeNow(Now<'a>),
    MeNext(Next<'a>),
    /// Who follows those above.
    Then {
        who: Relief<'a>,
        me: bool,
    },
    /// A level of the policy that nobody is on, and through which schedules somebody could be.
    Empty {
        level: u32,
        through: Vec<Shown>,
    },
    Policy(Shown),
    /// `level` only on the first of a level.
    Person {
        level: Option<u32>,
        name: &'a Shown,
        me: bool,
        /// Empty: named directly by the policy.
        via: Vec<&'a Shown>,
        /// `None`: always.
        end: Option<Timestamp>,
    },
    /// What does not fit beside the person.
    Until {
        via: Vec<&'a Shown>,
        end: Option<Timestamp>,
    },
    Schedule {
        name: &'a Shown,
        zone: &'a Shown,
    },
    Shift(Stretch<'a>),
    /// What did not fit beside the times.
    Who(Stretch<'a>),
    /// Shifts left out.
    More {
        shifts: usize,
        until: Edge,
    },
    /// No shift from here on; where the known ones ended, if there were any.
    NoShifts {
        after: Option<Timestamp>,
    },
    /// The provider's answer named nobody.
    Nobody,
    NoSchedules,
    Blank,
}

/// A stretch of a schedule with somebody or nobody on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch<'a> {
    pub start: Edge,
    pub end: Edge,
    /// `None`: nobody.
    pub who: Option<&'a Shown>,
    pub me: bool,
    pub from_override: bool,
    pub now: bool,
}

/// All lines of the view, in order, those that the filter leaves.
pub fn lines(model: &Model) -> Vec<Line<'_>> {
    let words = model.oncall.filter.words();
    let mut out = vec![];
    for board in model.board.accounts.values() {
        let mut inner = Builder { model, board, words: &words, lines: vec![] };
        inner.people();
        inner.schedules();
        if !inner.lines.is_empty() || !model.oncall.filter.is_set() {
            let place = Place::Account(board.account.name.clone());
            if !out.is_empty() {
                out.push(blank(&place));
            }
            out.extend(heading(model, board, place));
            out.extend(inner.lines);
        }
    }
    out
}

/// The account's name, what I am there, and how far what is told of it can be trusted: however much is to be said of
/// that, it does not push me off the screen.
fn heading<'a>(model: &'a Model, board: &'a AccountBoard, place: Place) -> Vec<Line<'a>> {
    let account = &board.account;
    let (as_of, trouble) = match (&account.rest_off, account.on_call_standing(model.now)) {
        (Some(why), _) => (None, Some((Tone::Caution, format!("! not asked: {why}")))),
        (None, Standing::Waiting) => (None, Some((Tone::Faint, "waiting for the first answer…".into()))),
        (None, Standing::Fresh { age }) => (Some(age), None),
        (None, Standing::Stale { age, cause }) => {
            (None, Some((Tone::Caution, format!("! stale, as of {}: {cause}", words::ago(age)))))
        }
        (None, Standing::Down { cause }) => (None, Some((Tone::Alarm, format!("! not known: {cause}")))),
    };
    let mut lines = vec![Line {
        place,
        says: Says::Account { name: &account.name, as_of, shifts_as_of: shifts_as_of(model, board) },
    }];
    if !model.oncall.filter.is_set() {
        lines.extend(me(model, board));
    }
    let lacks = account.lacking().into_iter().map(|words| (Tone::Caution, format!("! {words}")));
    let width = usize::from(model.size.0).saturating_sub(MARGIN);
    let wrapped = |(tone, text): (Tone, String)| words::wrap(&text, width).into_iter().map(move |text| (tone, text));
    for (line, (tone, text)) in trouble.into_iter().chain(lacks).flat_map(wrapped).enumerate() {
        let place = Place::Trouble { account: account.name.clone(), line };
        lines.push(Line { place, says: Says::Trouble(tone, text) });
    }
    lines
}

/// Whether I am on call, and when next.
fn me<'a>(model: &'a Model, board: &'a AccountBoard) -> Vec<Line<'a>> {
    let standing = mine::standing(model, board).filter(|_| board.account.rest_off.is_none());
    let Some((now, next)) = standing else { return vec![] };
    let name = &board.account.name;
    vec![
        Line { place: Place::MeNow(name.clone()), says: Says::MeNow(now) },
        Line { place: Place::MeNext(name.clone()), says: Says::MeNext(next) },
    ]
}

/// How old the schedules are, when that is so much more than who is on call that it has to be said: they are asked for
/// less often.
fn shifts_as_of(model: &Model, board: &AccountBoard) -> Option<SignedDuration> {
    let asked_at = board.schedules.iter().map(|schedule| schedule.from).min()?;
    let age = board.account.provider_time(model.now).duration_since(asked_at);
    let on_call = board.account.on_call.last_success.map(|at| model.now.duration_since(at)).unwrap_or_default();
    (age - on_call >= OLDER).then_some(age)
}

fn blank<'a>(before: &Place) -> Line<'a> {
    Line { place: Place::Before(Box::new(before.clone())), says: Says::Blank }
}

/// The lines of one account.
struct Builder<'a, 'w> {
    model: &'a Model,
    board: &'a AccountBoard,
    words: &'w Words,
    lines: Vec<Line<'a>>,
}

impl<'a> Builder<'a, '_> {
    fn name(&self) -> AccountName {
        self.board.account.name.clone()
    }

    fn is_me(&self, user: &UserId) -> bool {
        self.model.me(self.board).is_some_and(|me| me.id == *user)
    }

    fn two_lines(&self) -> bool {
        self.model.size.0 < TWO_LINES
    }

    fn push(&mut self, place: Place, says: Says<'a>) {
        self.lines.push(Line { place, says });
    }

    fn push_apart(&mut self, place: Place, says: Says<'a>) {
        self.lines.push(blank(&place));
        self.push(place, says);
    }

    /// Whether an empty list means that there is nothing, and not that nothing is known.
    fn empty_is_known(&self) -> bool {
        let standing = self.board.account.on_call_standing(self.model.now);
        self.board.account.rest_off.is_none() && matches!(standing, Standing::Fresh { .. } | Standing::Stale { .. })
    }

    fn people(&mut self) {
        if self.board.oncalls.is_empty() && self.empty_is_known() && self.words.admit(&[]) {
            self.push(Place::Remark { account: self.name(), about: About::People }, Says::Nobody);
        }
        let mut oncalls: Vec<_> = self.board.oncalls.iter().collect();
        oncalls.sort_by_key(|on| (&on.policy, on.level, &on.user.name, &on.user.id, &on.schedule));
        oncalls.sort_by_key(|on| &on.policy.name);
        let mut empty = if self.empty_is_known() { empty_levels(self.board) } else { vec![] };
        for group in oncalls.chunk_by(|a, b| a.policy.id == b.policy.id) {
            let here = |level: &EmptyLevel| group.first().is_some_and(|on| on.policy.id == level.policy.id);
            let gaps: Vec<_> = empty.extract_if(.., |level| here(level)).collect();
            self.policy(group, gaps);
        }
        for group in empty.chunk_by(|a, b| a.policy.id == b.policy.id) {
            self.policy(&[], group.to_vec());
        }
    }

    fn empty_level(&mut self, gap: EmptyLevel) {
        let (account, schedule) = (self.name(), gap.schedules.first().map(|schedule| schedule.id.clone()));
        let place = Place::Empty { account, policy: gap.policy.id, level: gap.level, schedule };
        let through = gap.schedules.into_iter().map(|schedule| schedule.name).collect();
        self.push(place, Says::Empty { level: gap.level, through });
    }

    /// Who follows on each schedule that puts somebody on this level.
    fn then(&mut self, entries: &[&'a OnCall]) {
        let mut told: Vec<&ScheduleId> = vec![];
        let theirs = self.board.account.provider_time(self.model.now);
        let (over, running): (Vec<&OnCall>, Vec<&OnCall>) = entries.iter().partition(|on| on.has_ended(theirs));
        for on in running.into_iter().chain(over) {
            let Some(schedule) = on.schedule.as_ref().filter(|schedule| !told.contains(&&schedule.id)) else {
                continue;
            };
            told.push(&schedule.id);
            let Some(known) = self.board.schedules.iter().find(|known| known.schedule.id == schedule.id) else {
                continue;
            };
            let Some(who) = relief_of(on, known, theirs) else { continue };
            let me = match &who {
                Relief::Person(stretch) => stretch.who.is_some_and(|who| self.is_me(&who.id)),
                Relief::Gap { .. } | Relief::Beyond(_) => false,
            };
            let (account, policy, level) = (self.name(), on.policy.id.clone(), on.level);
            let place = Place::Then { account, policy, level, schedule: schedule.id.clone() };
            self.push(place, Says::Then { who, me });
        }
    }

    fn policy(&mut self, oncalls: &[&'a OnCall], gaps: Vec<EmptyLevel>) {
        let named = oncalls.first().map(|on| on.policy.clone()).or_else(|| gaps.first().map(|gap| gap.policy.clone()));
        let Some(policy) = named else { return };
        let mut gaps: Vec<_> = gaps
            .into_iter()
            .filter(|gap| {
                let through = gap.schedules.iter().map(|schedule| schedule.name.as_str());
                self.words.admit(&[policy.name.as_str(), "nobody"].into_iter().chain(through).collect::<Vec<_>>())
            })
            .collect();
        let admitted = |group: &&[&'a OnCall]| {
            group.iter().any(|on| {
                let via = on.schedule.as_ref().map_or("", |schedule| schedule.name.as_str());
                self.words.admit(&[policy.name.as_str(), on.user.name.as_str(), via])
            })
        };
        let same = |a: &&OnCall, b: &&OnCall| (a.level, &a.user.id) == (b.level, &b.user.id);
        let people: Vec<&[&'a OnCall]> = oncalls.chunk_by(same).filter(admitted).collect();
        if people.is_empty() && gaps.is_empty() {
            return;
        }
        self.push_apart(Place::Policy { account: self.name(), id: policy.id.clone() }, Says::Policy(policy.name));
        for level in people.chunk_by(|a, b| a.first().map(|on| on.level) == b.first().map(|on| on.level)) {
            let number = level.first().and_then(|entries| entries.first()).map(|on| on.level);
            for gap in gaps.extract_if(.., |gap| number.is_some_and(|number| gap.level < number)).collect::<Vec<_>>() {
                self.empty_level(gap);
            }
            for (at, entries) in level.iter().enumerate() {
                self.person(entries, number.filter(|_| at == 0));
            }
            self.then(&level.concat());
        }
        for gap in gaps {
            self.empty_level(gap);
        }
    }

    /// One person at one level: the entries differ in the schedule only.
    fn person(&mut self, entries: &[&'a OnCall], level: Option<u32>) {
        let Some(first) = entries.first() else { return };
        let via: Vec<_> = entries.iter().filter_map(|on| on.schedule.as_ref()).map(|schedule| &schedule.name).collect();
        let always = entries.iter().any(|on| on.end.is_none());
        let place = Place::Person {
            account: self.name(),
            policy: first.policy.id.clone(),
            level: first.level,
            user: first.user.id.clone(),
        };
        let end = entries.iter().filter_map(|on| on.end).max().filter(|_| !always);
        let says =
            Says::Person { level, name: &first.user.name, me: self.is_me(&first.user.id), via: via.clone(), end };
        self.push(place.clone(), says);
        if self.two_lines() {
            self.push(Place::Below(Box::new(place)), Says::Until { via, end });
        }
    }

    fn schedules(&mut self) {
        if self.board.schedules.is_empty() && self.empty_is_known() && self.words.admit(&[]) {
            self.push_apart(Place::Remark { account: self.name(), about: About::Schedules }, Says::NoSchedules);
        }
        for schedule in &self.board.schedules {
            self.schedule(schedule);
        }
    }

    fn schedule(&mut self, schedule: &'a Schedule) {
        let name = &schedule.schedule.name;
        let admitted = |stretch: &Stretch<'_>| {
            let word = if stretch.from_override { "override" } else { "" };
            self.words.admit(&[name.as_str(), stretch.who.map_or("nobody", Shown::as_str), word])
        };
        let all = stretches(schedule, self.board.account.provider_time(self.model.now), |user| self.is_me(user));
        let empty = all.is_empty();
        let shifts: Vec<_> = all.into_iter().filter(admitted).collect();
        if shifts.is_empty() && !(empty && self.words.admit(&[name.as_str()])) {
            return;
        }
        let (account, id) = (self.name(), schedule.schedule.id.clone());
        let place = Place::Schedule { account: account.clone(), id: id.clone() };
        self.push_apart(place, Says::Schedule { name, zone: &schedule.zone });
        if empty {
            let after = schedule.shifts.last().map(|shift| shift.end);
            self.push(Place::More { account: account.clone(), schedule: id.clone() }, Says::NoShifts { after });
        }
        for stretch in shifts.iter().take(SHIFTS) {
            let (account, schedule) = (account.clone(), id.clone());
            let place = match (stretch.who, stretch.end) {
                (None, Edge::At(until)) => Place::Gap { account, schedule, until },
                _ => Place::Shift { account, schedule, start: stretch.start.known() },
            };
            self.push(place.clone(), Says::Shift(*stretch));
            if self.two_lines() {
                self.push(Place::Below(Box::new(place)), Says::Who(*stretch));
            }
        }
        if let (Some(last), Some(left @ 1..)) = (shifts.last(), shifts.len().checked_sub(SHIFTS)) {
            self.push(Place::More { account, schedule: id }, Says::More { shifts: left, until: last.end });
        }
    }
}

/// What is left of the shifts at `now`, with the gaps between them.
fn stretches(schedule: &Schedule, now: Timestamp, is_me: impl Fn(&UserId) -> bool) -> Vec<Stretch<'_>> {
    rota::stretches(schedule, now).into_iter().map(|stretch| own(stretch, &is_me)).collect()
}

fn own(stretch: rota::Stretch<'_>, is_me: impl Fn(&UserId) -> bool) -> Stretch<'_> {
    let rota::Stretch { start, end, who, from_override, now } = stretch;
    let me = who.is_some_and(|who| is_me(&who.id));
    Stretch { start, end, who: who.map(|who| &who.name), me, from_override, now }
}
