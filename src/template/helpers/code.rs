//! Code that is shown elsewhere: the helpers print the HTML that loads it.

use std::rc::Rc;

use super::{Table, html::tag, rules::described};
use crate::template::{
    javascript::{Outcome, Value},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[("gist", gist), ("jsfiddle", jsfiddle)];

fn gist(call: &Invocation<'_>) -> Outcome {
    let source = format!("https://gist.github.com/{}.js", call.arg(0).to_text());
    Ok(Value::from(tag("script", &[("src".into(), Value::from(source))])))
}

fn jsfiddle(call: &Invocation<'_>) -> Outcome {
    let hash = call.arg(0).get("hash");
    if matches!(hash.get("id"), Value::Undefined) {
        return call.fails(&format!("needs an `id`, this is {}", described(&hash.get("id"))));
    }
    let or = |key: &str, usual: &str| Some(hash.get(key)).filter(Value::is_true).unwrap_or_else(|| Value::from(usual));
    let skin = or("skin", "/presentation/").to_text();
    let tabs = format!("{}{skin}", or("tabs", "result,js,html,css").to_text());
    let source = format!("http://jsfiddle.net/{}/embedded/{tabs}", hash.get("id").to_text());
    let set = [
        ("width", or("width", "100%")),
        ("height", or("height", "300")),
        ("src", Value::from(source)),
        ("allowfullscreen", or("allowfullscreen", "allowfullscreen")),
        ("frameborder", or("frameborder", "0")),
    ];
    let mut attributes: Vec<(Rc<str>, Value)> = hash.fields();
    for (key, value) in set {
        match attributes.iter_mut().find(|(known, _)| **known == *key) {
            Some((_, old)) => *old = value,
            None => attributes.push((key.into(), value)),
        }
    }
    attributes.retain(|(key, _)| !matches!(&**key, "tabs" | "skin" | "id"));
    Ok(Value::from(tag("iframe", &attributes)))
}
