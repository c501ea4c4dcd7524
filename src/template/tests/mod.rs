//! What a template renders to, and what it is told when it does not.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{render::check_json, *};
use crate::core::template::Fault;

mod built_in;
mod promises;

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

/// As the worker does, on a stack that the deepest template fits in.
fn result(text: &str, data: Value) -> Result<String, Fault> {
    let text = text.to_owned();
    let thread = std::thread::Builder::new().stack_size(64 * 1024 * 1024);
    thread.spawn(move || render_here(&text, &data)).expect("thread").join().expect("no panic")
}

fn rendered(text: &str) -> String {
    result(text, data()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

/// `line:column message` of what is wrong with `text`.
fn refused(text: &str) -> String {
    let fault = result(text, data()).expect_err(text);
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
    assert_eq!(rendered("{{incident.people}}"), "[object Object],[object Object]");
}

#[test]
fn blocks_choose_and_repeat() {
    let text = "{{#each incident.people as |p i|}}{{i}}={{p.name}}{{@key}}{{#unless @last}},{{/unless}}{{/each}}";
    assert_eq!(rendered(text), "0=Ann0,1=Bo1");
    assert_eq!(rendered("{{#each incident.none}}x{{else}}none{{/each}}"), "none");
    assert_eq!(rendered("{{#each list}}{{#each this}}{{this}}{{length ../this}}{{/each}};{{/each}}"), "1222;32;");
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
fn the_whole_language_is_read() {
    assert_eq!(rendered("{{#each incident.tags}}{{.}};{{/each}}"), "db;eu;");
    assert_eq!(rendered("{{^incident.none}}none{{/incident.none}}"), "none");
    assert_eq!(rendered("{{#incident.people}}{{name}}{{../incident.zero}} {{/incident.people}}"), "Ann0 Bo0 ");
    assert_eq!(rendered("{{#> frame}}default {{incident.half}}{{/frame}}"), "default 0.5");
    assert_eq!(rendered("{{#*inline \"b\"}}<{{> @partial-block}}>{{/inline}}{{#> b}}x{{/b}}"), "<x>");
    assert_eq!(rendered("{{{{raw}}}} {{a}} {{{{/raw}}}}"), " \\{{a}} ");
    assert_eq!(rendered("{{lookup incident.tags 1}}{{incident.tags.[0]}}{{incident.tags.length}}"), "eudb2");
}

#[test]
fn the_odd_results_of_handlebars_helpers_are_kept() {
    assert_eq!(rendered("{{#each incident.tags}}{{@first}}{{/each}}"), "");
    assert_eq!(rendered("{{truncateWords \"a b c\" 2}} {{bytes 999}} {{toAbbr 999}}"), "a b c… 1 kB 1k");
    assert_eq!(rendered("{{moment \"2018-07-30T10:00:00.000Z\" \"YYYY-MM-DD\"}}"), "Invalid date");
    assert_eq!(rendered("{{moment \"2018-07-30T10:00:00.000Z\" \"YYYY-MM-DD\" datejs=false}}"), "2018-07-30");
    assert_eq!(rendered("{{sort list}} {{list}}"), "1,2,3 1,2,3");
    assert_eq!(rendered("{{{incident.ten}}}{{{incident.half}}}{{{incident.ten}}}"), "20.5");
    assert_eq!(rendered("{{{incident.ten}}}{{incident.half}}{{{incident.ten}}}"), "100.510");
    assert_eq!(rendered(" {{{incident.ten}}}{{{incident.half}}}"), " 100.5");
}

#[test]
fn what_handlebars_would_not_render_is_refused_with_its_place() {
    for (text, start) in [
        ("{{read \"/etc/hostname\"}}", "1:3 helper \"read\" is refused: it reads files on this host"),
        ("{{#if (md x)}}{{/if}}", "1:8 helper \"md\" is refused"),
        ("{{#if nothing}}{{embed x}}{{/if}}", "1:18 helper \"embed\" is refused"),
        ("{{ne a b}}", "1:1 there is no helper `ne`"),
        ("a\n {{if a}}", "2:2 `if` needs a block"),
        ("{{#if a b}}{{/if}}", "1:1 `if`: takes exactly one value"),
        ("{{uppercase (subtract incident.nothing 1)}}", "1:13 `subtract`: takes numbers; value 1 is a missing value"),
        ("{{a.0}}", "1:5 `0` is not expected here"),
        ("{{(lookup a \"b\")}}", "1:3 `(` is not expected here"),
        ("{{> footer}}", "1:1 there is no partial `footer`"),
        ("{{* a}}", "1:1 there are no decorators but {{#*inline}}"),
        ("{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", "1:17 blocks and partials run more than 200 deep"),
        ("{{center \"x\" 1000000000}}", "1:1 `center`: makes a text of more than 4194304 bytes"),
        ("{{occurrences \"abc\" \"\"}}", "1:1 `occurrences`: would search for ever"),
    ] {
        let said = refused(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
}

#[test]
fn a_long_list_of_several_kinds_is_not_sorted_by_guess() {
    let list = |length: usize| json!({"l": (0..length).map(|at| json!({"k": if at % 2 == 0 { json!(at) } else { json!("x") }})).collect::<Vec<_>>()});
    let text = "{{#each (sortBy l \"k\")}}{{k}}{{/each}}";

    assert!(result(text, list(32)).is_ok());
    let fault = result(text, list(33)).expect_err("no one order");

    assert!(fault.message.as_str().contains("have no one order"), "{fault:?}");
}

#[test]
fn a_mistake_in_a_partial_is_placed_in_it() {
    let job =
        Job { partials: vec![("p".to_owned(), "a\n{{divide 1}}".to_owned())], ..Job::new("{{> p}}", &Value::Null) };

    let fault = render_within(&job, &Limits::default(), &TimeZone::UTC).expect_err("a fault");

    assert_eq!((fault.line, fault.column), (2, 1));
    assert!(fault.message.as_str().starts_with("in the partial `p`: `divide`"), "{fault:?}");
}

#[test]
fn what_a_template_logs_is_kept_apart() {
    let job = Job::new("a{{log \"x\" 1}}{{warn \"y\"}}b", &Value::Null);

    let made = render_within(&job, &Limits::default(), &TimeZone::UTC).expect("rendered");

    assert_eq!(
        (made.output.as_str(), made.log.as_slice()),
        ("ab", ["log: x 1".to_owned(), "warning: y".to_owned()].as_slice())
    );
}

#[test]
fn sizes_and_depths_are_bounded() {
    assert!(refused(&"x".repeat(64 * 1024 + 1)).starts_with("1:1 the template has 65537 bytes"));
    let nested = |depth: usize| format!("{}{}", "{{#if 1}}".repeat(depth), "{{/if}}".repeat(depth));
    assert_eq!(rendered(&nested(100)), "");
    assert!(refused(&nested(101)).starts_with("1:901 blocks are nested more than 100 deep"));
    let inner = |depth: usize| format!("{{{{not {}1{}}}}}", "(not ".repeat(depth), ")".repeat(depth));
    assert_eq!(rendered(&inner(100)), "false");
    assert!(refused(&inner(101)).contains("parentheses are nested more than 100 deep"));
    let long = json!({"list": vec!["x".repeat(1000); 1100]});
    let fault = render_here("{{#each list}}{{this}}{{/each}}", &long).expect_err("too long");
    assert_eq!(fault.message.as_str(), "the output is longer than 1048576 bytes");
    let many = json!({"l": vec![0; 2000]});
    let fault = render_here("{{#each l}}{{#each ../l}}{{/each}}{{/each}}", &many).expect_err("too many steps");
    assert!(fault.message.as_str().contains("more than 2000000 steps"), "{fault:?}");
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
