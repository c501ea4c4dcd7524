//! The helpers a template can call: those of handlebars.js and the most used of handlebars-helpers, with the
//! same names, arguments and results. What one does not take is refused; nothing is guessed.

mod blocks;
mod json;
mod lists;
mod logic;
mod text;

use std::{ops::RangeInclusive, sync::LazyLock};

use handlebars::{
    Context, Handlebars, Helper as Call, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson,
};
use serde_json::Value;

pub(super) use json::as_javascript;

/// How a helper is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{{x …}}` or `(x …)`
    Inline,
    /// `{{#x …}}…{{/x}}`
    Block,
}

/// The value of a call; `None` is JavaScript's `undefined`.
type Outcome = Result<Option<Value>, String>;

/// The name under which a printed value goes through [`json::text`]; no template can write it.
pub(super) const PRINT: &str = "$";

/// One helper, as a template sees it.
pub(super) struct Helper {
    name: &'static str,
    forms: &'static [Form],
    /// How many unnamed arguments.
    pub(super) takes: RangeInclusive<usize>,
    /// Whether it takes `name=value`.
    pub(super) named: bool,
    /// `None`: works on its block, see [`blocks`].
    run: Option<fn(&Arguments<'_>) -> Outcome>,
}

impl Helper {
    pub(super) fn has(&self, form: Form) -> bool {
        self.forms.contains(&form)
    }
}

/// What a helper was called with.
struct Arguments<'a> {
    values: Vec<Option<&'a Value>>,
}

impl<'a> Arguments<'a> {
    /// The value at `at`; `None` when it is missing, in the call or in the data.
    fn get(&self, at: usize) -> Option<&'a Value> {
        self.values.get(at).copied().flatten()
    }

    /// The text at `at`; `None` when it is something else.
    fn text(&self, at: usize) -> Option<&'a str> {
        self.get(at).and_then(Value::as_str)
    }
}

const INLINE: &[Form] = &[Form::Inline];
const BLOCK: &[Form] = &[Form::Block];
const BOTH: &[Form] = &[Form::Inline, Form::Block];

const fn block(name: &'static str, named: bool) -> Helper {
    Helper { name, forms: BLOCK, takes: 1..=1, named, run: None }
}

const fn inline(name: &'static str, takes: RangeInclusive<usize>, run: fn(&Arguments<'_>) -> Outcome) -> Helper {
    Helper { name, forms: INLINE, takes, named: false, run: Some(run) }
}

const fn choice(name: &'static str, takes: RangeInclusive<usize>, run: fn(&Arguments<'_>) -> Outcome) -> Helper {
    Helper { name, forms: BOTH, takes, named: false, run: Some(run) }
}

static HELPERS: &[Helper] = &[
    block("if", true),
    block("unless", true),
    block("each", false),
    block("with", false),
    inline("lookup", 2..=2, lists::lookup),
    choice("eq", 2..=2, logic::eq),
    choice("is", 2..=2, logic::is),
    choice("isnt", 2..=2, logic::isnt),
    choice("gt", 2..=2, logic::gt),
    choice("gte", 2..=2, logic::gte),
    choice("lt", 2..=2, logic::lt),
    choice("lte", 2..=2, logic::lte),
    choice("and", 1..=usize::MAX, logic::and),
    choice("or", 1..=usize::MAX, logic::or),
    choice("not", 1..=1, logic::not),
    choice("contains", 2..=2, logic::contains),
    inline("default", 1..=usize::MAX, logic::default),
    inline("uppercase", 1..=1, text::uppercase),
    inline("upcase", 1..=1, text::uppercase),
    inline("lowercase", 1..=1, text::lowercase),
    inline("downcase", 1..=1, text::lowercase),
    inline("capitalize", 1..=1, text::capitalize),
    inline("trim", 1..=1, text::trim),
    inline("replace", 2..=3, text::replace),
    inline("truncate", 2..=3, text::truncate),
    inline("ellipsis", 2..=2, text::ellipsis),
    inline("append", 2..=2, text::append),
    inline("prepend", 2..=2, text::prepend),
    inline("split", 1..=2, text::split),
    inline("encodeURI", 1..=1, text::encode_uri),
    inline("url_encode", 1..=1, text::encode_uri),
    inline("join", 1..=2, lists::join),
    inline("length", 1..=1, lists::length),
    inline("first", 1..=2, lists::first),
    inline("last", 1..=2, lists::last),
    inline("itemAt", 2..=2, lists::item_at),
    inline("JSONstringify", 1..=2, json::stringify),
    inline("stringify", 1..=2, json::stringify),
];

/// Helpers of handlebars-helpers that open files by a path from the template.
pub(super) const READS_FILES: &[&str] = &["read", "readdir", "embed", "md"];

/// The other helpers of handlebars-helpers: a field of such a name is not printed by `{{name}}` there.
pub(super) const NOT_YET: &[&str] = &[
    "JSONparse",
    "_debug",
    "_inspect",
    "abs",
    "absolute",
    "add",
    "addCommas",
    "after",
    "arrayify",
    "attr",
    "avg",
    "basename",
    "before",
    "bold",
    "bytes",
    "camelcase",
    "capitalizeAll",
    "ceil",
    "center",
    "chop",
    "compare",
    "css",
    "danger",
    "dashcase",
    "date",
    "decodeURI",
    "dirname",
    "divide",
    "dotcase",
    "eachIndex",
    "equalsLength",
    "error",
    "extend",
    "extname",
    "fileSize",
    "filter",
    "floor",
    "forEach",
    "forIn",
    "forOwn",
    "frame",
    "get",
    "getObject",
    "gist",
    "has",
    "hasOwn",
    "hyphenate",
    "i18n",
    "ifEven",
    "ifNth",
    "ifOdd",
    "inArray",
    "inflect",
    "info",
    "isArray",
    "isEmpty",
    "isFalsey",
    "isMatch",
    "isObject",
    "isString",
    "isTruthy",
    "iterate",
    "js",
    "jsfiddle",
    "lengthEqual",
    "log",
    "map",
    "markdown",
    "match",
    "merge",
    "minus",
    "mm",
    "modulo",
    "moment",
    "multiply",
    "neither",
    "noop",
    "occurrences",
    "ok",
    "ol",
    "option",
    "ordinalize",
    "parseJSON",
    "pascalcase",
    "pathcase",
    "phoneNumber",
    "pick",
    "pluck",
    "plus",
    "plusify",
    "random",
    "raw",
    "relative",
    "remainder",
    "remove",
    "removeFirst",
    "replaceFirst",
    "resolve",
    "reverse",
    "round",
    "sanitize",
    "segments",
    "sentence",
    "snakecase",
    "some",
    "sort",
    "sortBy",
    "startsWith",
    "stem",
    "stripProtocol",
    "stripQuerystring",
    "subtract",
    "success",
    "sum",
    "test",
    "thumbnailImage",
    "times",
    "titleize",
    "toAbbr",
    "toExponential",
    "toFixed",
    "toFloat",
    "toInt",
    "toPath",
    "toPrecision",
    "toRegex",
    "trimLeft",
    "trimRight",
    "truncateWords",
    "typeOf",
    "ul",
    "unique",
    "unlessEq",
    "unlessGt",
    "unlessGteq",
    "unlessLt",
    "unlessLteq",
    "urlParse",
    "urlResolve",
    "url_decode",
    "warn",
    "warning",
    "withAfter",
    "withBefore",
    "withFirst",
    "withGroup",
    "withHash",
    "withLast",
    "withSort",
    "year",
    "escape",
    "helperMissing",
    "blockHelperMissing",
];

pub(super) fn find(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// Whether `{{name}}` calls a helper, here or in handlebars-helpers, instead of printing a field.
pub(super) fn is_known_name(name: &str) -> bool {
    find(name).is_some() || NOT_YET.contains(&name) || READS_FILES.contains(&name)
}

/// The crate's registry with these helpers and no others.
pub(super) fn registry() -> &'static Handlebars<'static> {
    static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
        let mut registry = Handlebars::new();
        for extra in ["ne", "len", "raw", "log"] {
            registry.unregister_helper(extra);
        }
        for helper in HELPERS {
            if let Some(run) = helper.run {
                registry.register_helper(helper.name, Box::new(Plain(run)));
            }
        }
        blocks::register(&mut registry);
        registry.register_helper(PRINT, Box::new(Print));
        registry
    });
    &REGISTRY
}

/// A helper that makes a value of values.
struct Plain(fn(&Arguments<'_>) -> Outcome);

impl HelperDef for Plain {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let present = |value: &'_ handlebars::PathAndJson<'_>| !value.is_value_missing();
        let values = call.params().iter().map(|value| present(value).then(|| value.value())).collect();
        match (self.0)(&Arguments { values }) {
            Ok(Some(value)) => Ok(ScopedJson::Derived(value)),
            Ok(None) => Ok(ScopedJson::Missing),
            Err(problem) => Err(failed(format!("`{}`: {problem}", call.name()))),
        }
    }
}

/// Turns a value into what JavaScript prints for it; the crate escapes the result where that is due.
struct Print;

impl HelperDef for Print {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let Some(value) = call.param(0) else { return Ok(ScopedJson::Missing) };
        let name = value.relative_path().map_or("the value", String::as_str);
        let text = json::text(value.value()).map_err(|problem| {
            failed(format!("{name} {problem}: name a field, use {{{{#each}}}}, or write {{{{{{JSONstringify …}}}}}}"))
        })?;
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

fn failed(message: String) -> RenderError {
    RenderErrorReason::Other(message).into()
}

/// What the same call gives in a test.
#[cfg(test)]
fn run(name: &str, values: &[Value]) -> Outcome {
    let run = find(name).and_then(|helper| helper.run).expect("a helper");
    run(&Arguments { values: values.iter().map(Some).collect() })
}
