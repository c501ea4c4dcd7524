//! Dates: `moment` with its formats, and `date.js` for texts, with the turns that handlebars-helpers takes between
//! them. Two texts go through `date.js`, which is wrong on the 30th and 31st of a month; numbers are milliseconds.

mod format;
mod locale;
mod moment;
mod natural;

use std::rc::Rc;

use super::{
    Table,
    rules::{assigned, is_options},
};
use crate::template::{
    clock::Clock,
    javascript::{Outcome, Problem, Value, date, throw},
    machine::Invocation,
};
use locale::Locale;
use moment::Moment;

pub(super) const HELPERS: Table = &[("year", year), ("moment", moment), ("date", moment)];

fn year(call: &Invocation<'_>) -> Outcome {
    let now = call.machine.clock.now.as_millisecond();
    let year = date::parts(now, &jiff::tz::TimeZone::UTC).year.to_string();
    let Value::Text(pattern) = call.arg(0) else { return Ok(Value::from(year)) };
    let run = pattern.split(|c: char| !matches!(c, 'y' | 'Y')).map(str::len).max().unwrap_or(0);
    Ok(match run {
        4.. => Value::from(year),
        2 | 3 => Value::text(year.get(2..4).unwrap_or_default()),
        _ => Value::Undefined,
    })
}

fn moment(call: &Invocation<'_>) -> Outcome {
    let (mut value, mut pattern, mut options) = (call.arg(0), call.arg(1), call.arg(2));
    if is_options(&pattern) {
        (options, pattern) = (pattern, Value::Null);
    }
    if is_options(&value) {
        (options, pattern, value) = (value, Value::Null, Value::Null);
    }
    let clock = &call.machine.clock;
    if value.is_nullish() && pattern.is_nullish() {
        return Moment::now(clock).format("MMMM DD, YYYY", Locale::ENGLISH).map(Value::from);
    }
    let set = settings(call, &options);
    let language = Some(set.get("lang")).filter(Value::is_true).unwrap_or_else(|| set.get("language"));
    let locale = Locale::find(&language)?;
    if matches!(set.get("datejs"), Value::Bool(false)) {
        return printed(&moment::of_date(&value, clock), &pattern, locale);
    }
    if let (Value::Text(text), Value::Text(_)) = (&value, &pattern) {
        return printed(&Moment::new(natural::read(text, clock)?, clock), &pattern, locale);
    }
    for (key, argument) in options.get("hash").fields() {
        let read = moment::of_value(&value, clock)?;
        if let Some(made) = method(&read, &key, &argument, locale, clock)? {
            return Ok(made);
        }
        call.machine.say(&format!("moment.js does not support \"{key}\""));
    }
    if let Value::Text(own) = &value
        && !pattern.is_true()
    {
        return printed(&Moment::now(clock), &Value::Text(own.clone()), locale);
    }
    printed(&moment::of_value(&value, clock)?, &pattern, locale)
}

/// `utils.context`: the context's fields under the call's own.
fn settings(call: &Invocation<'_>, options: &Value) -> Value {
    let usual = Value::object([(Rc::from("lang"), Value::from("en"))]);
    let hash = options.get("hash");
    let root = matches!(hash.get("root"), Value::Bool(true)).then(|| call.options.data.vars.get("root"));
    let root = root.unwrap_or(Value::Undefined);
    Value::Object(Rc::new(assigned([&call.this, &root, &usual, &hash])))
}

fn printed(moment: &Moment, pattern: &Value, locale: Locale) -> Outcome {
    match pattern {
        _ if moment.number().is_nan() => moment.format("", locale).map(Value::from),
        Value::Text(pattern) if !pattern.is_empty() => moment.format(pattern, locale).map(Value::from),
        pattern if !pattern.is_true() => moment.format("YYYY-MM-DDTHH:mm:ssZ", locale).map(Value::from),
        other => throw(format!("`{}` is no pattern of a date", other.to_text())),
    }
}

/// The methods of `moment` that the hash of a call can name.
const METHODS: &[&str] = &[
    "add",
    "calendar",
    "clone",
    "creationData",
    "date",
    "dates",
    "day",
    "dayOfYear",
    "days",
    "daysInMonth",
    "diff",
    "endOf",
    "eraAbbr",
    "eraName",
    "eraNarrow",
    "eraYear",
    "format",
    "from",
    "fromNow",
    "get",
    "hasAlignedHourOffset",
    "hour",
    "hours",
    "inspect",
    "invalidAt",
    "isAfter",
    "isBefore",
    "isBetween",
    "isDST",
    "isDSTShifted",
    "isLeapYear",
    "isLocal",
    "isSame",
    "isSameOrAfter",
    "isSameOrBefore",
    "isUTC",
    "isUtc",
    "isUtcOffset",
    "isValid",
    "isoWeek",
    "isoWeekYear",
    "isoWeekday",
    "isoWeeks",
    "isoWeeksInISOWeekYear",
    "isoWeeksInYear",
    "lang",
    "local",
    "locale",
    "localeData",
    "max",
    "millisecond",
    "milliseconds",
    "min",
    "minute",
    "minutes",
    "month",
    "months",
    "parseZone",
    "parsingFlags",
    "quarter",
    "quarters",
    "second",
    "seconds",
    "set",
    "startOf",
    "subtract",
    "to",
    "toArray",
    "toDate",
    "toISOString",
    "toJSON",
    "toNow",
    "toObject",
    "toString",
    "unix",
    "utc",
    "utcOffset",
    "valueOf",
    "week",
    "weekYear",
    "weekday",
    "weeks",
    "weeksInWeekYear",
    "weeksInYear",
    "year",
    "years",
    "zone",
    "zoneAbbr",
    "zoneName",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
];

/// What the method gives; `None` when there is none of that name.
fn method(
    moment: &Moment,
    name: &str,
    argument: &Value,
    locale: Locale,
    clock: &Clock,
) -> Result<Option<Value>, Problem> {
    let number = moment.number();
    Ok(Some(match name {
        "format" => printed(moment, argument, locale)?,
        "fromNow" => Value::from(moment.relative(clock, argument.is_true(), locale, moment::Towards::This)),
        "toNow" => Value::from(moment.relative(clock, argument.is_true(), locale, moment::Towards::Now)),
        "calendar" if !argument.is_true() || matches!(argument, Value::Bool(_)) => {
            Value::from(moment.calendar(clock, locale)?)
        }
        "unix" => Value::Number((number / 1000.0).floor()),
        // As text, a moment is its milliseconds.
        "valueOf" | "clone" | "local" => Value::Number(number),
        "isValid" => Value::Bool(!number.is_nan()),
        "toISOString" | "toJSON" => moment.iso(name == "toISOString" && argument.is_true())?,
        "toString" => Value::from(moment.format("ddd MMM DD YYYY HH:mm:ss [GMT]ZZ", Locale::ENGLISH)?),
        "lang" | "locale" if matches!(argument, Value::Text(_)) => Value::Number(number),
        "daysInMonth" | "isLeapYear" => moment.of_month_or_year(name),
        _ if METHODS.contains(&name) => {
            return throw(format!(
                "`{name}=` is not supported: moment's method may give another text than could be given here"
            ));
        }
        _ => return Ok(None),
    }))
}
