//! What is read, and what is refused where.

use super::*;

fn refused(text: &str) -> String {
    let fault = parse(text, 50).expect_err(text).in_text(text);
    format!("{}:{} {}", fault.line, fault.column, fault.message)
}

/// The text that is left between the tags.
fn left(text: &str) -> Vec<String> {
    fn walk(program: &Program, out: &mut Vec<String>) {
        for statement in &program.body {
            match statement {
                Statement::Content(content) => out.push(content.value.clone()),
                Statement::Block(block) => {
                    block.program.iter().chain(&block.inverse).for_each(|program| walk(program, out));
                }
                _ => {}
            }
        }
    }
    let mut out = vec![];
    walk(&parse(text, 50).expect(text), &mut out);
    out
}

#[test]
fn a_tag_alone_takes_its_line_with_it() {
    assert_eq!(left("a\n  {{#if b}}  \n  c\n  {{else}}\n d\n {{/if}} \ne"), ["a\n", "  c\n", " d\n", "e"]);
    assert_eq!(left("a {{! b }} \n c"), ["a ", " \n c"]);
    assert_eq!(left(" {{! b }} \n c"), ["", " c"]);
    assert_eq!(left("a \n{{~b~}}\n c"), ["a", "c"]);
}

#[test]
fn escaped_tags_are_text() {
    assert_eq!(left(r"\{{a}} {{b}}"), ["{{a}} "]);
    assert_eq!(left(r"x\\{{a}}"), [r"x\"]);
    assert_eq!(left("{{{{raw}}}} {{a}} {{{{/raw}}}}"), [" {{a}} "]);
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    for (text, start) in [
        ("{{#if a}}\n{{#each b}}\n{{/if}}", "3:1 {{/if}} closes {{#each}}"),
        ("x\n {{#if a}}y", "2:2 `if` is never closed"),
        ("{{/if}}", "1:1 {{/if}} closes nothing"),
        ("é {{else}}", "1:3 {{else}} outside of a block"),
        ("{\"n\": {{a}}}", "1:10 }}} closes only {{{"),
        ("ab {{ x", "1:7 `x` is not expected here"),
        ("{{}}", "1:3 `}}` comes too soon"),
        ("{{a b=}}", "1:7 `}}` comes too soon"),
        ("{{uppercase (lowercase a}}", "1:13 a parenthesis that is never closed"),
        ("{{a.0}}", "1:5 `0` is not expected here"),
        ("{{(a)}}", "1:3 `(` is not expected here"),
        ("{{!-- x", "1:1 a comment that is never closed"),
        ("{{a/../b}}", "1:3 `a/..` is no path"),
    ] {
        let said = refused(text);
        assert!(said.starts_with(start), "{text}\n said {said}\n not  {start}");
    }
}

#[test]
fn depth_is_bounded_before_anything_recurses() {
    let blocks = |depth: usize| format!("{}{}", "{{#if 1}}".repeat(depth), "{{/if}}".repeat(depth));
    assert!(parse(&blocks(50), 50).is_ok());
    assert!(refused(&blocks(10_000)).starts_with("1:451 blocks are nested more than 50 deep"));
    let inner = |depth: usize| format!("{{{{not {}1{}}}}}", "(not ".repeat(depth), ")".repeat(depth));
    assert!(parse(&inner(50), 50).is_ok());
    assert!(refused(&inner(10_000)).contains("parentheses are nested more than 50 deep"));
}
