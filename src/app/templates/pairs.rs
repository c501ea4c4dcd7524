//! What belongs together in a template: brackets, and the tags of a block.

use super::syntax::{Kind, State, Token, tokens};

/// A place in the text: line, and byte in it.
pub type Place = (usize, usize);

/// A stretch of the text, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: Place,
    pub to: Place,
}

impl Stretch {
    fn holds(self, at: Place) -> bool {
        self.from <= at && at < self.to
    }
}

/// A tag, or a bracket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    at: Stretch,
    role: Role,
    shape: Shape,
    /// What a tag says between its ends.
    inner: String,
    /// A tag has its end.
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Open,
    /// `{{else}}`
    Middle,
    Close,
    /// A tag that opens nothing.
    Alone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Block,
    Curly,
    Square,
    Round,
}

impl Shape {
    /// Shapes of one family must not overlap.
    fn family(self) -> usize {
        match self {
            Self::Block => 0,
            Self::Curly | Self::Square => 1,
            Self::Round => 2,
        }
    }
}

/// What belongs to the part at (or just before) `cursor`, in order; empty where there is no part or nothing belongs
/// to it.
pub fn pair(lines: &[String], states: &[State], cursor: Place) -> Vec<Stretch> {
    let parts = parts(lines, states);
    let groups = groups(&parts);
    let at = |place: Place| {
        let held = |group: &&Vec<usize>| group.iter().any(|part| parts[*part].at.holds(place));
        // The innermost: a bracket in a tag goes before the tag.
        groups.iter().filter(held).min_by_key(|group| parts[group[0]].shape.family() == 0)
    };
    let before = cursor.1.checked_sub(1).map(|byte| (cursor.0, byte));
    let group = at(cursor).or_else(|| before.and_then(at));
    group.map(|group| group.iter().map(|part| parts[*part].at).collect()).unwrap_or_default()
}

/// Where a jump from `cursor` leads: to the next of what belongs together, and from the last to the first.
pub fn jump(stretches: &[Stretch], cursor: Place) -> Option<Place> {
    let here = stretches.iter().position(|stretch| {
        let before = cursor.1.checked_sub(1).map(|byte| (cursor.0, byte));
        stretch.holds(cursor) || before.is_some_and(|before| stretch.holds(before))
    })?;
    stretches.get((here + 1) % stretches.len()).map(|stretch| stretch.from)
}

/// The blocks that are open before `cursor`, the outermost first: what stands in their first tag behind the sign.
pub fn open_blocks(lines: &[String], states: &[State], cursor: Place) -> Vec<String> {
    let mut open = vec![];
    for part in parts(lines, states).into_iter().filter(|part| part.shape == Shape::Block) {
        if part.at.to > cursor || !part.ended {
            break;
        }
        match part.role {
            Role::Open => open.push(part.inner),
            Role::Close => drop(open.pop()),
            Role::Middle | Role::Alone => {}
        }
    }
    open
}

/// All tags and brackets, in order of their starts.
fn parts(lines: &[String], states: &[State]) -> Vec<Part> {
    let mut out: Vec<Part> = vec![];
    let (mut found, mut open): (Vec<Token>, Option<usize>) = (vec![], None);
    for (row, (line, state)) in lines.iter().zip(states).enumerate() {
        found.clear();
        tokens(*state, line, &mut found);
        let mut from = 0;
        for token in &found {
            let text = line.get(token.start..token.end).unwrap_or_default();
            let at = Stretch { from: (row, token.start), to: (row, token.end) };
            match token.kind {
                Kind::Tag | Kind::Raw if text.starts_with("{{") => {
                    open = Some(out.len());
                    out.push(Part { at, role: opening(text), shape: Shape::Block, inner: String::new(), ended: false });
                    from = token.end;
                }
                Kind::Tag | Kind::Raw | Kind::Bad if text.starts_with(['}', '~']) => {
                    if let Some(part) = open.take().and_then(|open| out.get_mut(open)) {
                        part.inner.push_str(line.get(from..token.start).unwrap_or_default());
                        part.at.to = at.to;
                        part.settle();
                    }
                }
                Kind::Bracket | Kind::Parenthesis => out.extend(bracket(text, at)),
                _ => {}
            }
        }
        if let Some(part) = open.and_then(|open| out.get_mut(open)) {
            part.inner.push_str(line.get(from..).unwrap_or_default());
            part.inner.push(' ');
            part.at.to = (row, line.len());
        }
    }
    out
}

impl Part {
    /// What a tag is shows only at its end.
    fn settle(&mut self) {
        self.ended = true;
        self.inner = self.inner.trim().to_owned();
        let is_else = self.inner == "else" || self.inner.starts_with("else ");
        self.role = match self.role {
            Role::Alone if is_else => Role::Middle,
            // `{{^}}`
            Role::Middle if !self.inner.is_empty() => Role::Open,
            role => role,
        };
    }
}

fn opening(text: &str) -> Role {
    let bare = text.strip_prefix("{{{{").or_else(|| text.strip_prefix("{{")).unwrap_or(text);
    match bare.trim_start_matches('~').chars().next() {
        Some('#') => Role::Open,
        Some('/') => Role::Close,
        Some('^') => Role::Middle,
        _ if text.starts_with("{{{{") => Role::Open,
        _ => Role::Alone,
    }
}

fn bracket(text: &str, at: Stretch) -> Option<Part> {
    let (role, shape) = match text {
        "{" => (Role::Open, Shape::Curly),
        "}" => (Role::Close, Shape::Curly),
        "[" => (Role::Open, Shape::Square),
        "]" => (Role::Close, Shape::Square),
        "(" => (Role::Open, Shape::Round),
        ")" => (Role::Close, Shape::Round),
        _ => return None,
    };
    Some(Part { at, role, shape, inner: String::new(), ended: true })
}

/// Parts that belong together, by their places. What is not closed, or closes nothing, is in none.
fn groups(parts: &[Part]) -> Vec<Vec<usize>> {
    let mut open: [Vec<Vec<usize>>; 3] = Default::default();
    let mut out = vec![];
    for (at, part) in parts.iter().enumerate() {
        let stack = &mut open[part.shape.family()];
        match part.role {
            Role::Alone => {}
            Role::Open => stack.push(vec![at]),
            Role::Middle => stack.last_mut().into_iter().for_each(|group| group.push(at)),
            Role::Close => {
                if stack.last().is_some_and(|group| parts[group[0]].shape == part.shape)
                    && let Some(mut group) = stack.pop()
                {
                    group.push(at);
                    out.push(group);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::templates::syntax::states;

    fn lines(text: &str) -> Vec<String> {
        text.split('\n').map(str::to_owned).collect()
    }

    /// What belongs to the place of `|` in `text`.
    fn marked(text: &str) -> Vec<String> {
        let before = text.split('|').next().unwrap_or_default();
        let cursor = (before.matches('\n').count(), before.len() - before.rfind('\n').map_or(0, |at| at + 1));
        let lines = lines(&text.replacen('|', "", 1));
        let part = |stretch: Stretch| {
            assert_eq!(stretch.from.0, stretch.to.0);
            lines[stretch.from.0].get(stretch.from.1..stretch.to.1).expect("a stretch").to_owned()
        };
        pair(&lines, &states(&lines), cursor).into_iter().map(part).collect()
    }

    #[test]
    fn the_tags_of_a_block_belong_together_wherever_in_one_the_cursor_stands() {
        let all = ["{{#if a}}", "{{else}}", "{{/if}}"];
        assert_eq!(marked("{{#if| a}}x{{#if b}}{{/if}}\n{{else}}\n{{/if}}"), all);
        assert_eq!(marked("{{#if a}}x{{#if b}}{{/if}}\n{{|else}}\n{{/if}}"), all);
        assert_eq!(marked("{{#if a}}x{{#if b}}{{/if}}\n{{else}}\n{{/if}}|"), all);
        assert_eq!(marked("{{#if a}}x{{#if |b}}{{/if}}{{/if}}"), ["{{#if b}}", "{{/if}}"]);
        assert_eq!(marked("{{^a}}|x{{/a}}"), ["{{^a}}", "{{/a}}"]);
        assert_eq!(marked("{{#if a}}x|y{{/if}}"), Vec::<String>::new());
        assert_eq!(marked("{{#if |a}}xy"), Vec::<String>::new());
    }

    #[test]
    fn brackets_belong_together_in_json_and_in_tags_and_not_in_texts() {
        assert_eq!(marked("|{\"a\": [1, \"]\"]}"), ["{", "}"]);
        assert_eq!(marked("|{ ]"), Vec::<String>::new(), "they are not of one kind");
        assert_eq!(marked("{\"a\": |[1, \"]\"]}"), ["[", "]"]);
        assert_eq!(marked("{{#if (or a (not b)|)}}x{{/if}}"), ["(", ")"]);
        assert_eq!(marked("{\"a\": {{#if b}}1{{else}}2{{/if}} }|"), ["{", "}"]);
    }

    #[test]
    fn a_jump_goes_round() {
        let lines = lines("{{#if a}}x\n{{else}}\n{{/if}}");
        let stretches = pair(&lines, &states(&lines), (0, 3));
        assert_eq!(jump(&stretches, (0, 3)), Some((1, 0)));
        assert_eq!(jump(&stretches, (1, 0)), Some((2, 0)));
        assert_eq!(jump(&stretches, (2, 7)), Some((0, 0)));
        assert_eq!(jump(&stretches, (0, 10)), None);
    }

    #[test]
    fn the_blocks_around_a_place_are_known_by_what_they_say() {
        let lines = lines("{{#each raw.list}}{{#if a}}{{/if}}\n{{#with b}} {{ {{/with}}{{/each}}");
        assert_eq!(open_blocks(&lines, &states(&lines), (1, 12)), ["each raw.list", "with b"]);
        assert_eq!(open_blocks(&lines, &states(&lines), (0, 5)), Vec::<String>::new());
    }
}
