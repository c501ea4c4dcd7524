//! Pieces of HTML. Nothing in them is escaped: that is what handlebars-helpers does.

use std::fmt::Write as _;

use std::rc::Rc;

use super::{
    Table,
    path::{extension, join},
    rules::{arrayify, described, expect_list, full_text},
};
use crate::template::{
    javascript::{Outcome, Problem, Value, text},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("attr", attr),
    ("css", css),
    ("js", js),
    ("sanitize", sanitize),
    ("ul", |call| list(call, "ul")),
    ("ol", |call| list(call, "ol")),
    ("thumbnailImage", thumbnail_image),
];

/// `a="1" b="2"`
fn attributes(fields: &[(Rc<str>, Value)]) -> String {
    let one = |(key, value): &(Rc<str>, Value)| {
        let value = value.to_text();
        let value = value.strip_prefix(['\'', '"']).unwrap_or(&value);
        let value = value.strip_suffix(['\'', '"']).unwrap_or(value);
        format!("{key}=\"{value}\"")
    };
    fields.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The library `html-tag`, for tags with an end: only texts become attributes.
pub(super) fn tag(name: &str, fields: &[(Rc<str>, Value)]) -> String {
    let mut out = format!("<{name}");
    for (key, value) in fields {
        match value {
            Value::Bool(true) => {
                let _ = write!(out, " {key}");
            }
            Value::Text(text) => {
                let _ = write!(out, " {key}=\"{text}\"");
            }
            _ => {}
        }
    }
    format!("{out}></{name}>")
}

fn attr(call: &Invocation<'_>) -> Outcome {
    let text = attributes(&call.arg(0).get("hash").fields());
    Ok(Value::from(if text::trim(&text).is_empty() { String::new() } else { format!(" {text}") }))
}

/// A path's ending, or what Node.js throws.
fn ending_of(call: &Invocation<'_>, path: &Value) -> Result<String, Problem> {
    match path {
        Value::Text(path) => Ok(extension(path)),
        other => call.fails(&format!("takes paths, this is {}", described(other))),
    }
}

fn css(call: &Invocation<'_>) -> Outcome {
    let (list, options) =
        if call.args.is_empty() { (Value::Undefined, call.arg(0)) } else { (call.arg(0), call.arg(1)) };
    let hash = options.read("hash")?;
    let href = hash.read("href")?;
    let styles = if href.is_true() { arrayify(&href) } else { arrayify(&list) };
    let assets = Some(call.this.get("options").get("assets")).filter(Value::is_true).unwrap_or_else(|| Value::from(""));
    let mut out = vec![];
    for item in &styles {
        let ending = ending_of(call, item)?;
        let item = item.to_text();
        let is_whole = item.starts_with("//") || item.contains("://");
        let place = match &assets {
            _ if is_whole => item.to_string(),
            Value::Text(assets) => join(&[assets, &item]),
            other => return call.fails(&format!("`options.assets` is {}, not a path", described(other))),
        };
        let kind = if ending == ".less" { "stylesheet/less" } else { "stylesheet" };
        out.push(format!("<link type=\"text/css\" rel=\"{kind}\" href=\"{place}\">"));
    }
    Ok(Value::from(out.join("\n")))
}

fn js(call: &Invocation<'_>) -> Outcome {
    let context = call.arg(0);
    match &context {
        value if value.is_object() => {
            let hash = value.get("hash");
            if hash.is_nullish() {
                return call.fails("takes a path, a list of paths, or attributes");
            }
            let text = attributes(&hash.fields());
            let space = if text.is_empty() { "" } else { " " };
            Ok(Value::from(format!("<script{space}{text}></script>")))
        }
        Value::Text(source) => Ok(Value::from(format!("<script src=\"{source}\"></script>"))),
        other => {
            let scripts = arrayify(other).into_iter().map(|path| script(call, path));
            Ok(Value::from(scripts.collect::<Result<Vec<_>, _>>()?.join("\n")))
        }
    }
}

fn script(call: &Invocation<'_>, path: Value) -> Result<String, Problem> {
    let is_coffee = ending_of(call, &path)? == ".coffee";
    let kind = is_coffee.then(|| ("type".into(), Value::from("text/coffeescript")));
    let fields: Vec<(Rc<str>, Value)> = kind.into_iter().chain([("src".into(), path)]).collect();
    Ok(tag("script", &fields))
}

fn sanitize(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    let clean = full_text(&value).map(|html| text::trim(&without_tags(html)).to_owned());
    Ok(Value::from(clean.unwrap_or_default()))
}

/// The library `striptags`.
fn without_tags(html: &str) -> String {
    enum State {
        Text,
        Tag,
        Comment,
    }
    let (mut state, mut out, mut tag, mut depth, mut quote) = (State::Text, String::new(), String::new(), 0, None);
    for c in html.chars() {
        match state {
            State::Text if c == '<' => {
                state = State::Tag;
                tag.push(c);
            }
            State::Text => out.push(c),
            State::Tag => match c {
                '<' if quote.is_none() => depth += 1,
                '>' if quote.is_none() && depth > 0 => depth -= 1,
                '>' if quote.is_none() => {
                    state = State::Text;
                    tag.clear();
                }
                '<' | '>' => {}
                ' ' | '\n' if tag == "<" => {
                    state = State::Text;
                    out.push_str("< ");
                    tag.clear();
                }
                _ => {
                    match c {
                        '"' | '\'' if quote == Some(c) => quote = None,
                        '"' | '\'' => quote = quote.or(Some(c)),
                        '-' if tag == "<!-" => state = State::Comment,
                        _ => {}
                    }
                    tag.push(c);
                }
            },
            State::Comment if c == '>' => {
                if tag.ends_with("--") {
                    state = State::Text;
                }
                tag.clear();
            }
            State::Comment => tag.push(c),
        }
    }
    out
}

fn list(call: &Invocation<'_>, name: &str) -> Outcome {
    let value = call.arg(0);
    let hash = call.arg(1).read("hash")?;
    if hash.is_nullish() {
        return call.fails("takes one list");
    }
    let mut items = vec![];
    for item in expect_list(call, &value)?.items() {
        let item = if matches!(item, Value::Text(_)) { item } else { call.then(item)? };
        items.push(format!("<li>{}</li>", item.to_text()));
    }
    Ok(Value::from(format!("<{name} {}>{}</{name}>", attributes(&hash.fields()), items.join("\n"))))
}

fn thumbnail_image(call: &Invocation<'_>) -> Outcome {
    let context = call.arg(0);
    let link = Some(context.read("full")?).filter(Value::is_true);
    let size = context.get("size");
    let field = |key: &str, value: Value| (Rc::from(key), value);
    let mut image = vec![
        field("alt", context.get("alt")),
        field("src", context.get("thumbnail")),
        field("width", size.read("width")?),
        field("height", size.read("height")?),
    ];
    let mut figure = vec![field("id", Value::from(format!("image-{}", context.get("id").to_text())))];
    let mut anchor =
        vec![field("href", link.clone().unwrap_or(Value::Bool(false))), field("rel", Value::from("thumbnail"))];
    let classes = context.get("classes");
    for (part, of) in [("image", &mut image), ("figure", &mut figure), ("link", &mut anchor)] {
        let class = classes.get(part);
        if class.is_true() {
            let names = expect_list(call, &class)?.join(" ");
            of.push(field("class", Value::from(names)));
        }
    }
    let picture = format!("<img {}>\n", attributes(&image));
    let inner = if link.is_some() { format!("<a {}>\n{picture}</a>\n", attributes(&anchor)) } else { picture };
    let caption = Some(context.get("caption")).filter(Value::is_true);
    let caption = caption.map(|text| format!("<figcaption>{}</figcaption>\n", text.to_text())).unwrap_or_default();
    Ok(Value::from(format!("<figure {}>\n{inner}{caption}</figure>", attributes(&figure))))
}
