//! The word that was perhaps meant.

/// The one of `known` that is nearest to `word`, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let starts = known.iter().copied().find(|known| !word.is_empty() && known.starts_with(&word));
    let near = known.iter().copied().map(|known| (distance(&word, known), known)).min();
    starts.or_else(|| near.filter(|(steps, known)| steps * 2 <= known.chars().count().min(6)).map(|(_, known)| known))
}

/// How many characters to put in, leave out, change or swap with their neighbour. Long words count as far away.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 32;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX / 4;
    }
    let width = b.len() + 1;
    let mut rows: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(ca != cb)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["verdict", "type", "from", "since"];
        for (word, meant) in [("verdct", "verdict"), ("vredict", "verdict"), ("Typ", "type"), ("form", "from")] {
            assert_eq!(nearest(word, &known), Some(meant), "{word}");
        }
        for word in ["", "zzz", "banana", &"x".repeat(1000)] {
            assert_eq!(nearest(word, &known), None, "{word}");
        }
    }
}
