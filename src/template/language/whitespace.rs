//! Which white space a tag takes with it: all of it beside a `~`, and the whole line of a tag that stands alone.
//! Follows `WhitespaceControl` of handlebars.js step by step, since the steps read what earlier ones left.

use super::tree::{Block, Content, Program, Statement, Strip};
use crate::template::javascript::text::is_space;

pub(super) fn control(program: &mut Program) {
    control_program(program, Place::Root);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Inner,
}

/// How much goes: all white space, or what is left of the line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    All,
    Line,
}

/// What a statement asks of its neighbours.
#[derive(Default)]
struct Wish {
    strip: Strip,
    alone: bool,
    open_alone: bool,
    close_alone: bool,
}

fn control_program(program: &mut Program, place: Place) {
    for at in 0..program.body.len() {
        let Some(wish) = program.body.get_mut(at).and_then(wish_of) else { continue };
        apply(&mut program.body, at, &wish, place);
    }
}

fn apply(body: &mut [Statement], at: usize, wish: &Wish, place: Place) {
    let before = ends_line(body, at, place);
    let after = starts_line(body, at + 1, place);
    if wish.strip.close {
        cut_start(body, Some(at + 1), Reach::All);
    }
    if wish.strip.open {
        cut_end(body, at.checked_sub(1), Reach::All);
    }
    if wish.alone && before && after {
        cut_start(body, Some(at + 1), Reach::Line);
        if cut_end(body, at.checked_sub(1), Reach::Line) {
            indent_partial(body, at);
        }
    }
    if wish.open_alone && before {
        if let Some(Statement::Block(block)) = body.get_mut(at)
            && let Some(first) = block.program.as_mut().or(block.inverse.as_mut())
        {
            cut_start(&mut first.body, Some(0), Reach::Line);
        }
        cut_end(body, at.checked_sub(1), Reach::Line);
    }
    if wish.close_alone && after {
        cut_start(body, Some(at + 1), Reach::Line);
        if let Some(Statement::Block(block)) = body.get_mut(at)
            && let Some(last) = block.inverse.as_mut().or(block.program.as_mut())
        {
            let end = last.body.len().checked_sub(1);
            cut_end(&mut last.body, end, Reach::Line);
        }
    }
}

fn wish_of(statement: &mut Statement) -> Option<Wish> {
    match statement {
        Statement::Content(_) => None,
        Statement::Print(print) | Statement::Decorator(print) => Some(Wish { strip: print.strip, ..Wish::default() }),
        Statement::Comment(strip) => Some(Wish { strip: *strip, alone: true, ..Wish::default() }),
        Statement::Partial(partial) => Some(Wish { strip: partial.strip, alone: true, ..Wish::default() }),
        Statement::Block(block) => Some(wish_of_block(block)),
    }
}

fn wish_of_block(block: &mut Block) -> Wish {
    for program in block.program.iter_mut().chain(block.inverse.iter_mut()) {
        control_program(program, Place::Inner);
    }
    let strip = Strip { open: block.open.open, close: block.close.close };
    // With `{{^x}}` alone there is only an inverse: it is the program then.
    let (program, inverse) = match (&mut block.program, &mut block.inverse) {
        (Some(program), inverse) => (program, inverse.as_mut()),
        (None, Some(inverse)) => (inverse, None),
        (None, None) => return Wish::default(),
    };
    let open_alone = starts_line(&program.body, 0, Place::Inner);
    let Some(inverse) = inverse else {
        let close_alone = ends_line(&program.body, program.body.len(), Place::Inner);
        if block.open.close {
            cut_start(&mut program.body, Some(0), Reach::All);
        }
        if block.close.open {
            cut_last(program, Reach::All);
        }
        return Wish { strip, alone: false, open_alone, close_alone };
    };
    let first = first_inverse(inverse);
    let close_alone = ends_line(&first.body, first.body.len(), Place::Inner);
    if block.open.close {
        cut_start(&mut program.body, Some(0), Reach::All);
    }
    if block.between.open {
        cut_last(program, Reach::All);
    }
    if block.between.close {
        cut_start(&mut first_inverse(inverse).body, Some(0), Reach::All);
    }
    if block.close.open {
        cut_last(last_inverse(inverse), Reach::All);
    }
    let else_alone = ends_line(&program.body, program.body.len(), Place::Inner)
        && starts_line(&first_inverse(inverse).body, 0, Place::Inner);
    if else_alone {
        cut_last(program, Reach::Line);
        cut_start(&mut first_inverse(inverse).body, Some(0), Reach::Line);
    }
    Wish { strip, alone: false, open_alone, close_alone }
}

/// The text that follows the first `{{else}}`.
fn first_inverse(inverse: &mut Program) -> &mut Program {
    let goes_on =
        inverse.chained && matches!(inverse.body.first(), Some(Statement::Block(link)) if link.program.is_some());
    if !goes_on {
        return inverse;
    }
    match inverse.body.first_mut() {
        Some(Statement::Block(link)) => link.program.get_or_insert_default(),
        _ => unreachable!("looked at just before"),
    }
}

/// The program that handlebars.js takes for the last one: it goes from link to link by their first programs.
fn last_inverse(inverse: &mut Program) -> &mut Program {
    let mut last = inverse;
    while last.chained && matches!(last.body.last(), Some(Statement::Block(link)) if link.program.is_some()) {
        let Some(Statement::Block(link)) = last.body.last_mut() else { unreachable!("looked at just before") };
        last = link.program.get_or_insert_default();
    }
    last
}

fn cut_last(program: &mut Program, reach: Reach) {
    let end = program.body.len().checked_sub(1);
    cut_end(&mut program.body, end, reach);
}

fn content(body: &[Statement], at: usize) -> Option<&Content> {
    match body.get(at) {
        Some(Statement::Content(content)) => Some(content),
        _ => None,
    }
}

/// Whether what is before `at` ends a line, or is nothing at all at the start of the template.
fn ends_line(body: &[Statement], at: usize, place: Place) -> bool {
    let Some(previous) = at.checked_sub(1).filter(|at| *at < body.len()) else { return place == Place::Root };
    let Some(content) = content(body, previous) else { return false };
    let trailing = content.original.trim_end_matches(is_space);
    let spaces = content.original.get(trailing.len()..).unwrap_or_default();
    let first_of_all = place == Place::Root && previous == 0;
    spaces.contains('\n') || (first_of_all && trailing.is_empty())
}

/// Whether what comes at `at` starts a new line, or is nothing at all at the end of the template.
fn starts_line(body: &[Statement], at: usize, place: Place) -> bool {
    if at >= body.len() {
        return place == Place::Root;
    }
    let Some(content) = content(body, at) else { return false };
    let rest = content.original.trim_start_matches(is_space);
    let spaces = content.original.get(..content.original.len() - rest.len()).unwrap_or_default();
    let last_of_all = place == Place::Root && at + 1 == body.len();
    spaces.contains('\n') || (last_of_all && rest.is_empty())
}

fn cut_start(body: &mut [Statement], at: Option<usize>, reach: Reach) {
    let Some(Statement::Content(content)) = at.and_then(|at| body.get_mut(at)) else { return };
    if reach == Reach::Line && content.right_stripped {
        return;
    }
    let rest = match reach {
        Reach::All => content.value.trim_start_matches(is_space),
        Reach::Line => {
            let rest = content.value.trim_start_matches([' ', '\t']);
            let rest = rest.strip_prefix('\r').unwrap_or(rest);
            rest.strip_prefix('\n').unwrap_or(rest)
        }
    };
    content.right_stripped = rest.len() != content.value.len();
    content.value = rest.to_owned();
}

/// Gives whether something was cut.
fn cut_end(body: &mut [Statement], at: Option<usize>, reach: Reach) -> bool {
    let Some(Statement::Content(content)) = at.and_then(|at| body.get_mut(at)) else { return false };
    if reach == Reach::Line && content.left_stripped {
        return false;
    }
    let length = match reach {
        Reach::All => content.value.trim_end_matches(is_space).len(),
        Reach::Line => content.value.trim_end_matches([' ', '\t']).len(),
    };
    content.left_stripped = length != content.value.len();
    content.value.truncate(length);
    content.left_stripped
}

/// A partial alone on its line is indented like its tag.
fn indent_partial(body: &mut [Statement], at: usize) {
    let Some(before) = at.checked_sub(1).and_then(|at| content(body, at)) else { return };
    let trimmed = before.original.trim_end_matches([' ', '\t']).len();
    let indent = before.original.get(trimmed..).unwrap_or_default().to_owned();
    if let Some(Statement::Partial(partial)) = body.get_mut(at) {
        partial.indent = indent;
    }
}
