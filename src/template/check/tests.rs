//! What is said of a template before it is rendered.

use std::thread;

use serde_json::json;

use super::*;
use crate::template::{library::BUILT_IN, render_here};

fn words(found: &[Fault]) -> Vec<String> {
    found.iter().map(|fault| format!("{}:{} {}", fault.line, fault.column, fault.message)).collect()
}

/// `line:column message` of the one fault of `text`.
fn fault(text: &str) -> String {
    let found = words(&check(text).faults);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.concat()
}

/// The same of the one warning; `text` has no faults.
fn warning(text: &str) -> String {
    let Checked { faults, warnings } = check(text);
    assert_eq!((words(&faults), warnings.len()), (vec![], 1), "{text}: {:?}", words(&warnings));
    words(&warnings).concat()
}

fn is_fine(text: &str) {
    assert_eq!(check(text), Checked::default(), "{text}");
}

#[test]
fn what_fails_wherever_it_is_reached_is_a_fault_with_its_place() {
    for (text, start) in [
        ("a\n{{#if x}}{{upercase event.id}}{{/if}}", "2:10 there is no helper `upercase`: did you mean `uppercase`?"),
        ("{{event.type 1}}", "1:1 there is no helper `event.type`: a field takes no values"),
        ("{{#if (md event.id)}}{{/if}}", "1:8 helper \"md\" is refused: it reads files on this host"),
        ("{{if event.id}}", "1:1 `if` needs a block: {{#if …}}…{{/if}}"),
        ("{{#if event.id event.type}}{{/if}}", "1:1 `if` takes 1 value, here are 2"),
        ("{{uppercase (subtract 1)}}", "1:13 `subtract` takes 2 values at least, here are 1"),
        ("{{> footer}}", "1:1 there is no partial `footer`: {{#*inline \"footer\"}}"),
        ("{{* x}}", "1:1 there are no decorators but {{#*inline}}"),
        ("{{#if event.id}}", "1:1 `if` is never closed"),
    ] {
        let said = fault(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
    let two = check("{{read 1}}{{nope 1}}");
    assert_eq!(words(&two.faults).len(), 2);
}

#[test]
fn what_pagertrees_helpers_do_unexpectedly_is_a_warning() {
    for (text, start) in [
        ("{{#each incident.tags}}{{@first}}{{/each}}", "1:26 `{{@first}}` calls the helper `first`: it prints nothing"),
        (
            "{{#with raw}}{{error}}{{/with}}",
            "1:16 `error` is a helper here, whatever the data hold; a field of that name is {{this.error}}",
        ),
        ("{{date}}", "1:3 `date` is a helper here"),
        (
            "{{moment incident.createdAt \"YYYY\"}}",
            "1:1 `moment` reads a text with date.js, which is wrong on the 30th and 31st",
        ),
        (
            "{{moment incident.created \"YYYY\"}}",
            "1:10 it is in seconds, `moment` takes milliseconds: (multiply incident.created 1000)",
        ),
        (
            "{{subtract incident.resolved incident.created}}",
            "1:12 `subtract` fails while there is no `incident.resolved`",
        ),
        ("{{nope x=1}}", "1:1 there is no helper `nope`"),
    ] {
        let said = warning(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
}

#[test]
fn names_that_no_context_has_are_a_warning_and_say_what_was_perhaps_meant() {
    for (text, start) in [
        ("{{incident.titel}}", "1:3 there is no field `incident.titel`: did you mean `incident.title`?"),
        ("{{alert.d_user.nme}}", "1:3 there is no field `alert.d_user.nme`: did you mean `alert.d_user.name`?"),
        ("{{incident.created_at}}", "1:3 there is no field `incident.created_at`: did you mean `incident.createdAt`?"),
        ("{{note.content}}", "1:3 there is no field `note`: did you mean `raw.event.data.content`?"),
        ("{{#each incident.tags}}{{@root.event.kind}}{{/each}}", "1:26 there is no field `event.kind`"),
        ("{{uppercase title}}", "1:13 there is no field `title`"),
    ] {
        let said = warning(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
}

#[test]
fn what_breaks_json_or_arrives_otherwise_is_a_warning() {
    for (text, part) in [
        ("{\"a\": \"{{incident.title}}\"}", "arrive as &quot;"),
        ("{\"a\": \"{{{incident.title}}}\"}", "breaks the JSON"),
        ("{\"a\": {{{incident.title}}}}", "it is a text, which JSON has in quotes: {{{JSONstringify incident.title}}}"),
        ("{\"a\": {{JSONstringify incident.title}} }", "two braces write &quot;"),
        ("{\"a\": \"{{{JSONstringify incident.title}}}\"}", "brings its own quotes"),
        ("{{! x }}\n[{{#if event.id}}\"{{{append incident.title \"!\"}}}\"{{else}}\"\"{{/if}}]", "breaks the JSON"),
    ] {
        let text = text.replace("}}}}", "}}} }");
        let said = warning(&text);
        assert!(said.contains(part), "{text}: {said}");
    }
}

#[test]
fn what_is_meant_so_is_not_warned_of() {
    for text in [
        "{{#each incident.assignees}}{{#unless @last}}{{name}}, {{/unless}}{{@index}}{{/each}}",
        "{\"a\": {{{JSONstringify incident.title}}}, \"b\": \"{{incident.id}} {{event.type}}\", \"c\": {{incident.created}} }",
        "{{moment incident.createdAt \"YYYY\" datejs=false}} {{moment (multiply incident.created 1000) \"YYYY\"}}",
        "{{#if incident.resolved}}{{subtract incident.resolved incident.created}}{{/if}}",
        "{{#eq incident.status \"resolved\"}}{{subtract incident.resolved incident.created}}{{/eq}}",
        "{{this.error}} {{#if raw.error}}{{raw.error}}{{/if}} {{year}} {{raw.whatever.it.is}}",
        "{{#each incident.tags as |first|}}{{first}}{{/each}}",
        "{{#*inline \"p\"}}{{what}}{{/inline}}{{> p what=1}}{{#> other}}{{event.id}}{{/other}}",
        "{{#with incident.d_user}}{{name}} {{anything}}{{/with}}",
        "a \"{{incident.title}}\" b",
        "{{#triggered}}{{name}}{{/triggered}}{{counts.open}}",
    ] {
        is_fine(text);
    }
}

#[test]
fn the_built_in_templates_are_fine() {
    for (name, text) in BUILT_IN {
        assert_eq!(check(text), Checked::default(), "{name}");
    }
}

#[test]
fn nothing_is_called_a_fault_that_renders() {
    // Of each helper: a call that is called a fault for the number of its values does fail.
    let values = ["\"a\"", "1", "list", "object", "\"==\"", "(toRegex \"a\")", "true"];
    let data = json!({"list": [{"k": 1}, {"k": 2}], "object": {"a": 1}});
    let check_all = move || {
        for (name, count, value) in helpers::names()
            .into_iter()
            .flat_map(|name| (0..4).flat_map(move |count| values.into_iter().map(move |value| (name, count, value))))
        {
            let call = format!("{name}{}", format!(" {value}").repeat(count));
            for text in [format!("{{{{{call}}}}}"), format!("{{{{#{call}}}}}x{{{{/{name}}}}}")] {
                if check(&text).faults.is_empty() {
                    continue;
                }
                assert!(render_here(&text, &data).is_err(), "{text} renders");
            }
        }
    };
    thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(check_all).expect("thread").join().expect("no panic");
}

#[test]
fn any_text_is_looked_at() {
    for text in ["", "}}", "{{", "{{#", &"{{a ".repeat(5000), &"{{#if a}}".repeat(90), &"x".repeat(70_000)] {
        let Checked { faults, warnings } = check(text);
        assert!(faults.len() + warnings.len() <= 2 * MOST);
    }
}
