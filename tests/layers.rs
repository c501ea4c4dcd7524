//! One crate has no walls between its modules, so this test is the wall.

use std::{collections::BTreeSet, fs, path::Path};

/// For each room, the rooms it may name beside itself. `cli` may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("config", &["core"]),
    ("template", &["core"]),
    ("provider", &["core"]),
    ("store", &["core"]),
    ("receiver", &["core", "store"]),
    ("forward", &["core", "store", "template"]),
    ("server", &["core", "config", "template", "provider", "store", "receiver", "forward", "proto"]),
    ("proto", &["core"]),
    ("app", &["core", "proto"]),
    ("ui", &["core", "app"]),
    ("term", &["core"]),
    ("run", &["core", "app", "ui", "term", "proto"]),
    ("simulator", &["core"]),
];

/// What the pure rooms may not even mention.
const PURE: &[&str] = &["core", "app", "ui"];
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "tokio",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "Instant::now",
    "fastrand",
];

fn sources(path: &Path, out: &mut Vec<(String, String)>) {
    if path.file_stem().is_some_and(|name| name == "tests") {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("readable").flatten() {
            sources(&entry.path(), out);
        }
    } else if path.extension().is_some_and(|e| e == "rs") {
        let text = fs::read_to_string(path).expect("source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        out.push((path.display().to_string(), code));
    }
}

fn room(name: &str) -> Vec<(String, String)> {
    let mut out = vec![];
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name), &mut out);
    assert!(!out.is_empty(), "no sources for {name}");
    out
}

/// The modules that a path names after `crate::`: one, or each of a `{…}` group.
fn named(rest: &str) -> Vec<String> {
    let word = |s: &str| s.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut start, mut out) = (0, 0, vec![]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                out.extend(group.get(start..at).map(word));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    out.retain(|w| !w.is_empty());
    out
}

#[test]
fn rooms_only_use_the_rooms_below_them() {
    for (name, allowed) in MAY_USE {
        for (file, code) in room(name) {
            for used in code.split("crate::").skip(1).flat_map(named) {
                assert!(used == *name || allowed.contains(&used.as_str()), "{file} uses crate::{used}");
            }
        }
    }
}

#[test]
fn every_room_is_in_the_table() {
    let known: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).chain(["cli".to_owned()]).collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).expect("src").flatten().filter(|e| e.path().is_dir()) {
        let name = entry.file_name().into_string().expect("name");
        assert!(known.contains(&name), "src/{name} is not in the table of rooms");
    }
}

#[test]
fn the_pure_rooms_are_pure() {
    for (file, code) in PURE.iter().flat_map(|name| room(name)) {
        for word in IMPURE {
            assert!(!code.contains(word), "{file} mentions {word}");
        }
    }
}
