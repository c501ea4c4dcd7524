//! The words of a language for dates.

use crate::template::javascript::{Problem, Value, throw};

/// A language that dates are written in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locale(&'static Words);

#[derive(Debug)]
struct Words {
    months: [&'static str; 12],
    short_months: [&'static str; 12],
    weekdays: [&'static str; 7],
    short_weekdays: [&'static str; 7],
    least_weekdays: [&'static str; 7],
    /// The patterns of `LT`, `LTS`, `L`, `LL`, `LLL`, `LLLL`.
    patterns: [&'static str; 6],
    /// Of `sameDay`, `nextDay`, `nextWeek`, `lastDay`, `lastWeek`, `sameElse`.
    calendar: [&'static str; 6],
    ordinal: fn(i64, &str) -> String,
    future: &'static str,
    past: &'static str,
    relative: fn(i64, &str, Suffix) -> String,
    first_weekday: i64,
    /// The week that holds it is the first of the year.
    first_week: i64,
}

/// Whether `ago` and its like go with a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffix {
    With,
    Without,
}

/// Those of moment that are not here.
const UNKNOWN_HERE: &str = " af am ar az be bg bm bn bo br bs ca cs cv cy da dv el eo es et eu fa fi fil fo fy ga gd gl \
    gom he hi hr hu hy id is it ja jv ka kk km kn ko ku ky lb lo lt lv me mi mk ml mn mr ms mt my nb ne nl nn oc pa pl ps \
    pt ro ru sd se si sk sl sq sr ss sv sw ta te tet tg th tk tl tlh tr tzl tzm ug uk ur uz vi x yo zh ";

/// Dialects that write dates in another way than their language.
const DIALECTS: &str = " de-at de-ch en-au en-ca en-gb en-ie en-il en-in en-nz en-sg fr-ca fr-ch ";

impl Locale {
    pub(super) const ENGLISH: Self = Self(&ENGLISH);

    /// The language of that name; English for one that moment does not know.
    pub(super) fn find(name: &Value) -> Result<Self, Problem> {
        let name = name.as_text().map(|name| name.to_lowercase().replace('_', "-")).unwrap_or_default();
        let language = name.split('-').next().unwrap_or_default();
        let refused = UNKNOWN_HERE.contains(&format!(" {language} ")) && !language.is_empty();
        if refused || DIALECTS.contains(&format!(" {name} ")) {
            return throw(format!("dates in the language `{name}` are not supported: en, de and fr are"));
        }
        Ok(match language {
            "de" => Self(&GERMAN),
            "fr" => Self(&FRENCH),
            _ => Self(&ENGLISH),
        })
    }

    pub(super) fn month(self, month: i64) -> &'static str {
        nth(&self.0.months, month)
    }

    pub(super) fn short_month(self, month: i64) -> &'static str {
        nth(&self.0.short_months, month)
    }

    pub(super) fn weekday(self, day: i64) -> &'static str {
        nth(&self.0.weekdays, day)
    }

    pub(super) fn short_weekday(self, day: i64) -> &'static str {
        nth(&self.0.short_weekdays, day)
    }

    pub(super) fn least_weekday(self, day: i64) -> &'static str {
        nth(&self.0.least_weekdays, day)
    }

    pub(super) fn ordinal(self, number: i64, of: &str) -> String {
        (self.0.ordinal)(number, of)
    }

    pub(super) fn first_weekday(self) -> i64 {
        self.0.first_weekday
    }

    pub(super) fn first_week(self) -> i64 {
        self.0.first_week
    }

    /// What `LT`, `LLL` or `ll` stands for.
    pub(super) fn pattern(self, name: &str) -> Option<String> {
        let names = ["LT", "LTS", "L", "LL", "LLL", "LLLL"];
        let at = |name: &str| names.iter().position(|known| *known == name).and_then(|at| self.0.patterns.get(at));
        if let Some(pattern) = at(name) {
            return Some((*pattern).to_owned());
        }
        let long = at(&name.to_uppercase())?;
        let shorter = [("MMMM", "MMM"), ("dddd", "ddd"), ("MM", "M"), ("DD", "D")];
        let words = super::format::tokens(long).into_iter().map(|token| {
            shorter
                .iter()
                .find(|(long, _)| *long == token)
                .map_or_else(|| token.to_owned(), |(_, short)| (*short).to_owned())
        });
        Some(words.collect())
    }

    /// The pattern for a day so many days away.
    pub(super) fn calendar(self, days: f64) -> &'static str {
        let at = match days {
            days if days < -6.0 => 5,
            days if days < -1.0 => 4,
            days if days < 0.0 => 3,
            days if days < 1.0 => 0,
            days if days < 2.0 => 1,
            days if days < 7.0 => 2,
            _ => 5,
        };
        nth(&self.0.calendar, at)
    }

    /// A span of time in words; `key` is moment's name for it, such as `mm`.
    pub(super) fn span(self, number: i64, key: &str, suffix: Suffix) -> String {
        (self.0.relative)(number, key, suffix)
    }

    pub(super) fn suffixed(self, span: &str, is_future: bool) -> String {
        (if is_future { self.0.future } else { self.0.past }).replace("%s", span)
    }
}

fn nth<const N: usize>(words: &'static [&'static str; N], at: i64) -> &'static str {
    usize::try_from(at).ok().and_then(|at| words.get(at)).copied().unwrap_or_default()
}

fn english_ordinal(number: i64, _: &str) -> String {
    let ending = match (number % 100 / 10, number % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn german_ordinal(number: i64, _: &str) -> String {
    format!("{number}.")
}

fn french_ordinal(number: i64, of: &str) -> String {
    let ending = match (of, number) {
        ("w" | "W", 1) => "re",
        (_, 1) => "er",
        ("D", _) => "",
        _ => "e",
    };
    format!("{number}{ending}")
}

fn english_span(number: i64, key: &str, _: Suffix) -> String {
    match key {
        "s" => "a few seconds".to_owned(),
        "ss" => format!("{number} seconds"),
        "m" => "a minute".to_owned(),
        "mm" => format!("{number} minutes"),
        "h" => "an hour".to_owned(),
        "hh" => format!("{number} hours"),
        "d" => "a day".to_owned(),
        "dd" => format!("{number} days"),
        "M" => "a month".to_owned(),
        "MM" => format!("{number} months"),
        "y" => "a year".to_owned(),
        _ => format!("{number} years"),
    }
}

fn german_span(number: i64, key: &str, suffix: Suffix) -> String {
    let by = |bare: &str, with: &str| (if suffix == Suffix::With { with } else { bare }).to_owned();
    match key {
        "s" => "ein paar Sekunden".to_owned(),
        "ss" => format!("{number} Sekunden"),
        "m" => by("eine Minute", "einer Minute"),
        "mm" => format!("{number} Minuten"),
        "h" => by("eine Stunde", "einer Stunde"),
        "hh" => format!("{number} Stunden"),
        "d" => by("ein Tag", "einem Tag"),
        "dd" => format!("{number} {}", by("Tage", "Tagen")),
        "M" => by("ein Monat", "einem Monat"),
        "MM" => format!("{number} {}", by("Monate", "Monaten")),
        "y" => by("ein Jahr", "einem Jahr"),
        _ => format!("{number} {}", by("Jahre", "Jahren")),
    }
}

fn french_span(number: i64, key: &str, _: Suffix) -> String {
    match key {
        "s" => "quelques secondes".to_owned(),
        "ss" => format!("{number} secondes"),
        "m" => "une minute".to_owned(),
        "mm" => format!("{number} minutes"),
        "h" => "une heure".to_owned(),
        "hh" => format!("{number} heures"),
        "d" => "un jour".to_owned(),
        "dd" => format!("{number} jours"),
        "M" => "un mois".to_owned(),
        "MM" => format!("{number} mois"),
        "y" => "un an".to_owned(),
        _ => format!("{number} ans"),
    }
}

static ENGLISH: Words = Words {
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    short_months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    weekdays: ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
    short_weekdays: ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
    least_weekdays: ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"],
    patterns: ["h:mm A", "h:mm:ss A", "MM/DD/YYYY", "MMMM D, YYYY", "MMMM D, YYYY h:mm A", "dddd, MMMM D, YYYY h:mm A"],
    calendar: ["[Today at] LT", "[Tomorrow at] LT", "dddd [at] LT", "[Yesterday at] LT", "[Last] dddd [at] LT", "L"],
    ordinal: english_ordinal,
    future: "in %s",
    past: "%s ago",
    relative: english_span,
    first_weekday: 0,
    first_week: 6,
};

static GERMAN: Words = Words {
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    short_months: ["Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.", "Dez."],
    weekdays: ["Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"],
    short_weekdays: ["So.", "Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa."],
    least_weekdays: ["So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"],
    patterns: ["HH:mm", "HH:mm:ss", "DD.MM.YYYY", "D. MMMM YYYY", "D. MMMM YYYY HH:mm", "dddd, D. MMMM YYYY HH:mm"],
    calendar: [
        "[heute um] LT [Uhr]",
        "[morgen um] LT [Uhr]",
        "dddd [um] LT [Uhr]",
        "[gestern um] LT [Uhr]",
        "[letzten] dddd [um] LT [Uhr]",
        "L",
    ],
    ordinal: german_ordinal,
    future: "in %s",
    past: "vor %s",
    relative: german_span,
    first_weekday: 1,
    first_week: 4,
};

static FRENCH: Words = Words {
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    short_months: ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."],
    weekdays: ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
    short_weekdays: ["dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."],
    least_weekdays: ["di", "lu", "ma", "me", "je", "ve", "sa"],
    patterns: ["HH:mm", "HH:mm:ss", "DD/MM/YYYY", "D MMMM YYYY", "D MMMM YYYY HH:mm", "dddd D MMMM YYYY HH:mm"],
    calendar: ["[Aujourd’hui à] LT", "[Demain à] LT", "dddd [à] LT", "[Hier à] LT", "dddd [dernier à] LT", "L"],
    ordinal: french_ordinal,
    future: "dans %s",
    past: "il y a %s",
    relative: french_span,
    first_weekday: 1,
    first_week: 4,
};
