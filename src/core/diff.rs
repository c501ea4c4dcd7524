//! What is different between two texts, line by line.

/// So many lines may differ; more is told as one text in place of the other.
const MOST_STEPS: usize = 300;
/// Equal lines shown around those that differ.
const AROUND: usize = 3;

/// A line of one or both texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
    /// So many equal lines are left out here.
    Skipped(usize),
}

impl<'a> Line<'a> {
    /// The sign before it, as `diff` writes it.
    pub fn sign(self) -> char {
        match self {
            Self::Same(_) => ' ',
            Self::Gone(_) => '-',
            Self::New(_) => '+',
            Self::Skipped(_) => '…',
        }
    }

    pub fn text(self) -> &'a str {
        match self {
            Self::Same(text) | Self::Gone(text) | Self::New(text) => text,
            Self::Skipped(_) => "",
        }
    }
}

/// The lines of both texts in order, the equal ones far from any difference left out. Empty: nothing differs.
pub fn difference<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    if old == new {
        return vec![];
    }
    fold(&whole(&lines(old), &lines(new)))
}

/// How many lines are new, and how many gone.
pub fn counts(lines: &[Line<'_>]) -> (usize, usize) {
    let count = |wanted: fn(&Line<'_>) -> bool| lines.iter().filter(|line| wanted(line)).count();
    (count(|line| matches!(line, Line::New(_))), count(|line| matches!(line, Line::Gone(_))))
}

/// A text without a line end at its end differs from one with it: by an empty last line.
fn lines(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

fn whole<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_part, new_part) = (&old_rest[..old_rest.len() - after], &new_rest[..new_rest.len() - after]);

    let mut out: Vec<_> = old[..before].iter().map(|line| Line::Same(line)).collect();
    out.extend(part(old_part, new_part));
    out.extend(old_rest[old_part.len()..].iter().map(|line| Line::Same(line)));
    out
}

/// The shortest way from one to the other, after Myers.
fn part<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let Some(trace) = trace(old, new) else {
        return old.iter().map(|line| Line::Gone(line)).chain(new.iter().map(|line| Line::New(line))).collect();
    };
    let (mut x, mut y, mut out) = (old.len(), new.len(), vec![]);
    for (steps, reached) in trace.iter().enumerate().rev() {
        let at = |diagonal: isize| reached.get(place(diagonal, steps)).copied().unwrap_or(0);
        let diagonal = x.cast_signed() - y.cast_signed();
        let down = goes_down(diagonal, steps, at);
        let from = if down { diagonal + 1 } else { diagonal - 1 };
        let (from_x, from_y) = if steps == 0 {
            (0, 0)
        } else {
            let from_x = at(from);
            (from_x, (from_x.cast_signed() - from).cast_unsigned())
        };
        while x > from_x && y > from_y {
            (x, y) = (x - 1, y - 1);
            out.push(Line::Same(old[x]));
        }
        if steps > 0 && down {
            y -= 1;
            out.push(Line::New(new[y]));
        } else if steps > 0 {
            x -= 1;
            out.push(Line::Gone(old[x]));
        }
    }
    out.reverse();
    out
}

/// How far each diagonal was reached before each number of steps; `None`: it takes too many.
fn trace(old: &[&str], new: &[&str]) -> Option<Vec<Vec<usize>>> {
    let most = (old.len() + new.len()).min(MOST_STEPS);
    let mut reached = vec![0; 3];
    let mut trace = vec![];
    for steps in 0..=most {
        // One wider at both ends than the step before needs.
        let mut next = vec![0; 2 * steps + 5];
        for (at, value) in reached.iter().enumerate() {
            next[at + 1] = *value;
        }
        trace.push(next.clone());
        let wide = steps.cast_signed();
        for diagonal in (-wide..=wide).step_by(2) {
            let at = |diagonal: isize| next.get(place(diagonal, steps)).copied().unwrap_or(0);
            let mut x = if steps == 0 {
                0
            } else if goes_down(diagonal, steps, at) {
                at(diagonal + 1)
            } else {
                at(diagonal - 1) + 1
            };
            let y = |x: usize| (x.cast_signed() - diagonal).cast_unsigned();
            while old.get(x).is_some_and(|line| new.get(y(x)) == Some(line)) {
                x += 1;
            }
            next[place(diagonal, steps)] = x;
            if x >= old.len() && y(x) >= new.len() {
                return Some(trace);
            }
        }
        reached = next;
    }
    None
}

/// Where a diagonal stands in the row of so many steps.
fn place(diagonal: isize, steps: usize) -> usize {
    (diagonal + steps.cast_signed() + 2).cast_unsigned()
}

fn goes_down(diagonal: isize, steps: usize, at: impl Fn(isize) -> usize) -> bool {
    let wide = steps.cast_signed();
    diagonal == -wide || (diagonal != wide && at(diagonal - 1) < at(diagonal + 1))
}

fn fold<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    let differs = |line: &Line<'_>| !matches!(line, Line::Same(_));
    let near = |at: usize| {
        let from = at.saturating_sub(AROUND);
        lines.iter().skip(from).take(at - from + AROUND + 1).any(differs)
    };
    let mut out = vec![];
    for (at, line) in lines.iter().enumerate() {
        match (near(at), out.last_mut()) {
            (true, _) => out.push(*line),
            (false, Some(Line::Skipped(n))) => *n += 1,
            (false, _) => out.push(Line::Skipped(1)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signed(old: &str, new: &str) -> String {
        let line = |line: &Line<'_>| match line {
            Line::Skipped(n) => format!("…{n}"),
            line => format!("{}{}", line.sign(), line.text()),
        };
        difference(old, new).iter().map(line).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn only_what_differs_is_told_with_what_stands_around_it() {
        assert_eq!(signed("a\nb", "a\nb"), "");
        assert_eq!(signed("a\nb\nc", "a\nx\nc"), " a|-b|+x| c");
        assert_eq!(signed("", "a"), "-|+a");
        assert_eq!(signed("a", "a\n"), " a|+");
        assert_eq!(signed("a\nb\nc\nd", "b\nc\ne\nd"), "-a| b| c|+e| d");
        let long: Vec<_> = (0..20).map(|n| n.to_string()).collect();
        let other = long.join("\n").replace("10", "ten");
        assert_eq!(signed(&long.join("\n"), &other), "…7| 7| 8| 9|-10|+ten| 11| 12| 13|…6");
    }

    #[test]
    fn texts_with_nothing_in_common_are_told_one_after_the_other() {
        let text = |letter: char| (0..2000).map(|n| format!("{letter}{n}")).collect::<Vec<_>>().join("\n");
        let (old, new) = (text('a'), text('b'));
        let lines = difference(&old, &new);
        assert_eq!(counts(&lines), (2000, 2000));
        assert_eq!((lines[0], lines[2000]), (Line::Gone("a0"), Line::New("b0")));
    }

    proptest! {
        #[test]
        fn both_texts_can_be_put_together_from_the_difference(
            old in prop::collection::vec("[abc]", 0..30),
            new in prop::collection::vec("[abc]", 0..30),
        ) {
            let (old, new): (Vec<_>, Vec<_>) =
                (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
            let lines = whole(&old, &new);
            let side = |left_out: fn(&Line<'_>) -> bool| {
                lines.iter().filter(|line| !left_out(line)).map(|line| line.text()).collect::<Vec<_>>()
            };
            prop_assert_eq!(side(|line| matches!(line, Line::New(_))), old);
            prop_assert_eq!(side(|line| matches!(line, Line::Gone(_))), new);
        }
    }
}
