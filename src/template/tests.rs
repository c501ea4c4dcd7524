//! What a template renders to, and what it is told when it does not.

use serde_json::{Value, json};

use super::{render::check_json, *};
use crate::core::id::AccountName;

fn account() -> AccountName {
    AccountName::new("prod").expect("id")
}

fn data() -> Value {
    json!({
        "incident": {
            "title": "Disk <full> & \"hot\"",
            "tags": ["db", "eu"],
            "people": [{"name": "Ann"}, {"name": "Bo"}],
            "none": [],
            "empty": {},
            "zero": 0,
            "half": 0.5,
            "ten": 10.0,
        },
        "list": [[1, 2], [3]],
    })
}

fn rendered(text: &str) -> String {
    render_here(text, &data()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

/// `line:column message` of what is wrong with `text`.
fn refused(text: &str) -> String {
    let fault = render_here(text, &data()).expect_err(text);
    format!("{}:{} {}", fault.line, fault.column, fault.message)
}

#[test]
fn values_are_escaped_unless_asked_for_raw() {
    assert_eq!(rendered("{{incident.title}}"), "Disk &lt;full&gt; &amp; &quot;hot&quot;");
    assert_eq!(rendered("{{{incident.title}}} {{&incident.title}}"), "Disk <full> & \"hot\" Disk <full> & \"hot\"");
    assert_eq!(rendered("{{uppercase incident.title}}"), "DISK &lt;FULL&gt; &amp; &quot;HOT&quot;");
    assert_eq!(rendered("{{{JSONstringify incident.title}}}"), r#""Disk <full> & \"hot\"""#);
}

#[test]
fn what_is_missing_prints_nothing() {
    assert_eq!(rendered("[{{nothing}}{{incident.nothing.at.all}}{{JSONstringify nothing}}]"), "[]");
}

#[test]
fn numbers_and_lists_print_as_in_javascript() {
    assert_eq!(rendered("{{incident.zero}} {{incident.half}} {{incident.ten}}"), "0 0.5 10");
    assert_eq!(rendered("{{incident.tags}} {{list}}"), "db,eu 1,2,3");
    assert_eq!(
        refused("a\n  {{incident.people}}"),
        "2:3 incident.people is or holds an object, which would print as [object Object]: name a field, use {{#each}}, or write {{{JSONstringify …}}}"
    );
    assert!(refused("{{{incident}}}").starts_with("1:1 incident is or holds an object"));
}

#[test]
fn blocks_choose_and_repeat() {
    let text = "{{#each incident.people as |p i|}}{{i}}={{p.name}}{{@key}}{{#unless @last}},{{/unless}}{{/each}}";
    assert_eq!(rendered(text), "0=Ann0,1=Bo1");
    assert_eq!(rendered("{{#each incident.none}}x{{else}}none{{/each}}"), "none");
    assert_eq!(rendered("{{#each list}}{{#each this}}{{this}}{{length ../this}}{{/each}};{{/each}}"), "1222;31;");
    assert_eq!(rendered("{{#with incident}}{{half}}{{#each tags}}{{../zero}}{{/each}}{{/with}}"), "0.500");
    assert_eq!(
        rendered("{{#if incident.empty}}y{{/if}}{{#if incident.none}}n{{/if}}{{#if incident.zero}}n{{/if}}"),
        "y"
    );
    assert_eq!(rendered("{{#if incident.zero includeZero=true}}y{{/if}}"), "y");
    assert_eq!(rendered("{{#with incident.zero}}{{this}}{{/with}}"), "0");
    assert_eq!(rendered("{{#if nothing}}a{{else if incident.half}}b{{else}}c{{/if}}"), "b");
    assert_eq!(rendered("{{#eq incident.half 0.5}}same{{else}}other{{/eq}}"), "same");
    assert_eq!(rendered("{{#each incident.tags}}{{@root.incident.zero}}{{length @root}}{{/each}}"), "0202");
    assert_eq!(
        rendered("{{#*inline \"p\"}}<{{name}}>{{/inline}}{{#each incident.people}}{{> p}}{{/each}}"),
        "<Ann><Bo>"
    );
}

#[test]
fn what_would_be_read_differently_is_refused_with_its_place() {
    for (text, start) in [
        ("a {{.}}", "1:5 not supported yet: {{.}}"),
        ("{{uppercase .}}", "1:13 not supported yet: `.` as a value"),
        ("\n{{^incident}}x{{/incident}}", "2:1 not supported yet: {{^incident}}"),
        ("{{#incident.tags}}x{{/incident.tags}}", "1:4 not supported yet: a section over data, {{#incident.tags}}"),
        ("{{#people}}x{{/people}}", "1:4 not supported yet: a section over data, {{#people}}"),
        ("{{date incident.created}}", "1:3 not supported yet: the helper `date`"),
        ("{{error}}", "1:3 not supported yet: the helper `error`; a field of that name is {{this.error}}"),
        ("{{read \"/etc/hostname\"}}", "1:3 helper \"read\" is refused: it reads files on this host"),
        ("{{#if (md x)}}{{/if}}", "1:8 helper \"md\" is refused"),
        ("{{ne a b}}", "1:3 there is no helper `ne`"),
        ("{{if a}}", "1:3 `if` needs a block"),
        ("{{#uppercase}}{{/uppercase}}", "1:4 `uppercase` takes no block"),
        ("{{replace a}}", "1:3 `replace` takes 2 to 3 values, here are 1"),
        ("{{#if a b}}{{/if}}", "1:4 `if` takes 1 value, here are 2"),
        ("{{length}}", "1:3 `length` takes 1 value, here are 0"),
        ("{{uppercase a b=1}}", "1:15 not supported yet: `b=`"),
        ("{{a.0}}", "1:3 a path must not end in a bare number: write .[0]"),
        ("{{../a}}", "1:3 `../a` leads out of the data"),
        ("{{#each a}}{{else}}{{../b}}{{/each}}", "1:22 `../b` leads out of the data"),
        ("{{@../index}}", "1:3 not supported yet: `@../index`"),
        ("{{uppercase \"a\\n\"}}", "1:13 not supported yet: a backslash"),
        ("{{join [1]}}", "1:8 not supported yet: a path that starts with `[`"),
        ("{{(lookup a \"b\")}}", "1:3 a tag must start with a name"),
        ("{{#> a}}{{/a}}", "1:1 not supported yet: a partial with a block"),
        ("{{> (lookup a b)}}", "1:1 not supported yet: a partial whose name is computed"),
        ("{{> footer}}", "1:5 no partial `footer` is defined"),
        ("{{{{raw}}}}{{{{/raw}}}}", "1:1 not supported yet: raw blocks"),
        ("{{* a}}", "1:1 not supported yet: decorators"),
        ("{{@first}}", "1:3 @first prints nothing with handlebars-helpers"),
        ("{{#eq incident.people incident.tags}}{{/eq}}", "1:1 `eq`: cannot compare two lists or objects"),
    ] {
        let said = refused(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    for (text, start) in [
        ("{{#if a}}\n{{#each b}}\n{{/if}}", "3:1 {{/if}} closes {{#each}} of line 2"),
        ("x\n {{#if a}}y", "2:2 `if` is never closed"),
        ("{{/if}}", "1:1 {{/if}} closes nothing"),
        ("é {{else}}", "1:3 {{else}} outside of a block"),
        ("{\"n\": {{a}}}", "1:10 }}} closes only {{{"),
        ("ab {{ x", "1:4 a tag that is never closed"),
        ("{{}}", "1:1 an empty tag"),
        ("{{a b=}}", "1:3 there is no helper `a`"),
        ("{{uppercase (lowercase a}}", "1:13 a parenthesis that is never closed"),
        ("é\n{{incident.people.name}}", "2:1 a list has no field `name`"),
        ("éé {{#if a}}{{/if}}{{incident}}", "1:20 incident is or holds an object"),
        ("{{#if incident}}\n\n  é {{incident}}{{/if}}", "3:5 incident is or holds an object"),
    ] {
        let said = refused(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
}

#[test]
fn sizes_and_depths_are_bounded() {
    assert!(refused(&"x".repeat(64 * 1024 + 1)).starts_with("1:1 the template has 65537 bytes"));
    assert!(refused(&"{{a}}".repeat(2001)).starts_with("1:10001 more than 2000 tags"));
    assert!(refused(&"{{! x }}".repeat(2001)).contains("more than 2000 tags"));
    let nested = |depth: usize| format!("{}{}", "{{#if 1}}".repeat(depth), "{{/if}}".repeat(depth));
    assert_eq!(rendered(&nested(50)), "");
    assert!(refused(&nested(51)).starts_with("1:451 blocks are nested more than 50 deep"));
    let inner = |depth: usize| format!("{{{{not {}1{}}}}}", "(not ".repeat(depth), ")".repeat(depth));
    assert_eq!(rendered(&inner(50)), "false");
    assert!(refused(&inner(51)).contains("parentheses are nested more than 50 deep"));
    let long = json!({"list": vec!["x".repeat(1000); 1100]});
    let fault = render_here("{{#each list}}{{this}}{{/each}}", &long).expect_err("too long");
    assert_eq!(fault.message.as_str(), "the output is longer than 1048576 bytes");
}

#[test]
fn output_that_is_not_json_is_shown_where_it_stops() {
    let place = |text: &str| check_json(text).expect_err("not JSON");
    assert_eq!(check_json("{\"a\": [1]}\n"), Ok(()));
    let fault = place("{\n  \"é\": \"é\" x\n}");
    assert_eq!((fault.line, fault.column), (2, 12), "{fault:?}");
    let fault = place("");
    assert_eq!((fault.line, fault.column), (1, 1), "{fault:?}");
    let fault = place("{} x");
    assert_eq!((fault.line, fault.column), (1, 4), "{fault:?}");
    let fault = place("[1,\n");
    assert!(fault.line >= 1 && fault.column >= 1, "{fault:?}");
}

const REAL: &[&str] = &[
    include_str!("../../tests/fixtures/pagerduty/webhook_real.acknowledged.json"),
    include_str!("../../tests/fixtures/pagerduty/webhook_real.annotated.json"),
    include_str!("../../tests/fixtures/pagerduty/webhook_real.ping.json"),
    include_str!("../../tests/fixtures/pagerduty/webhook_real.resolved.json"),
    include_str!("../../tests/fixtures/pagerduty/webhook_real.triggered.json"),
    SAMPLE_BODY,
    "{}",
    "not JSON",
];

#[test]
fn the_built_in_templates_render_every_kind_of_delivery() {
    for body in REAL {
        let context = context(&account(), body.as_bytes());
        for (name, text) in library::BUILT_IN {
            let output = render_here(text, &context).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
            assert!(!output.trim().is_empty(), "{name}");
            if !["handoff", "plain"].contains(name) {
                assert_eq!(check_json(&output), Ok(()), "{name}: {output}");
            }
        }
    }
}

#[test]
fn a_template_sees_what_the_delivery_says() {
    let sample = sample_context(&account());
    assert_eq!(sample["event"]["type"], "incident.triggered");
    assert_eq!(sample["event"]["account"], "prod");
    assert_eq!(sample["incident"]["number"], 4217);
    assert_eq!(sample["incident"]["service"], "Checkout");
    assert_eq!(sample["incident"]["priority"], "P1");
    assert_eq!(sample["incident"]["assignees"][0]["name"], "Alice Example");

    let note = context(&account(), REAL[1].as_bytes());
    assert_eq!(note["note"]["content"], "Resolution Note: I'm resolving it");
    assert_eq!(note["incident"]["title"], "Test");

    let ping = context(&account(), REAL[2].as_bytes());
    assert_eq!((&ping["incident"], &ping["message"]), (&Value::Null, &json!("Hello from your friend Pagey!")));
    assert_eq!(context(&account(), b"not JSON")["raw"], "not JSON");
}
