//! Paths, as `path.posix` of Node.js takes them apart. The working directory is always `/`.

use std::rc::Rc;

use super::{
    Table,
    rules::{assigned, described, options},
};
use crate::template::{
    javascript::{Outcome, Problem, Value, text},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("absolute", absolute),
    ("dirname", |call| path_at(call, 0).map(|path| Value::from(parent(&path)))),
    ("relative", |call| Ok(Value::from(relative(&path_at(call, 0)?, &path_at(call, 1)?)))),
    ("basename", |call| path_at(call, 0).map(|path| Value::from(base(&path)))),
    ("stem", |call| path_at(call, 0).map(|path| Value::from(stem(&path)))),
    ("extname", |call| path_at(call, 0).map(|path| Value::from(extension(&path)))),
    ("resolve", resolve_all),
    ("segments", segments),
];

fn path_at(call: &Invocation<'_>, at: usize) -> Result<Rc<str>, Problem> {
    match call.arg(at) {
        Value::Text(path) => Ok(path),
        other => call.fails(&format!("takes a path, this is {}", described(&other))),
    }
}

/// The context's or the call's own `cwd`.
fn directory(call: &Invocation<'_>, set: &Value) -> Result<Rc<str>, Problem> {
    match set.get("cwd") {
        Value::Text(path) if !path.is_empty() => Ok(path),
        other if other.is_true() => call.fails(&format!("`cwd` is {}, not a path", described(&other))),
        _ => Ok("/".into()),
    }
}

fn absolute(call: &Invocation<'_>) -> Outcome {
    let path = path_at(call, 0)?;
    let given = call.arg(1);
    let root = match &given {
        Value::Options(options) => options.data.vars.get("root"),
        other if !other.is_true() => Value::Undefined,
        _ => return call.fails("takes one path"),
    };
    let set = Value::Object(Rc::new(options(&call.this, &given, &Value::Undefined)));
    let directory = directory(call, &Value::Object(Rc::new(assigned([&root, &set]))))?;
    Ok(Value::from(resolve(&[&directory, &path])))
}

fn resolve_all(call: &Invocation<'_>) -> Outcome {
    let given = Value::Options(call.options.clone());
    let set = Value::Object(Rc::new(options(&call.this, &given, &Value::Undefined)));
    let directory = directory(call, &set)?;
    let paths: Vec<Rc<str>> = (0..call.args.len()).map(|at| path_at(call, at)).collect::<Result<_, _>>()?;
    let all: Vec<&str> = [&*directory].into_iter().chain(paths.iter().map(|path| &**path)).collect();
    Ok(Value::from(resolve(&all)))
}

fn segments(call: &Invocation<'_>) -> Outcome {
    let path = path_at(call, 0)?;
    let (from, to) = (call.arg(1), call.arg(2));
    let parts = split_at_slashes(&path);
    let end = if matches!(to, Value::Undefined) { f64::INFINITY } else { to.to_number() };
    let (start, end) = (text::position(from.to_number(), parts.len()), text::position(end, parts.len()));
    Ok(Value::from(parts.get(start..end.max(start)).unwrap_or_default().join("/")))
}

/// Between runs of slashes, forward or back.
fn split_at_slashes(path: &str) -> Vec<&str> {
    let mut parts = vec![];
    let mut rest = path;
    while let Some(at) = rest.find(['/', '\\']) {
        parts.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default().trim_start_matches(['/', '\\']);
    }
    parts.push(rest);
    parts
}

/// `path.dirname`
fn parent(path: &str) -> String {
    let trimmed = trim_end(path);
    match trimmed.rfind('/') {
        None if path.starts_with('/') => "/".to_owned(),
        None => ".".to_owned(),
        Some(0) => "/".to_owned(),
        Some(1) if path.starts_with("//") => "//".to_owned(),
        Some(at) => match trimmed.get(..at).unwrap_or_default() {
            "" => "/".to_owned(),
            parent => parent.to_owned(),
        },
    }
}

fn trim_end(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// `path.basename`
pub(super) fn base(path: &str) -> String {
    trim_end(path).rsplit('/').next().unwrap_or_default().to_owned()
}

/// `path.extname`
pub(super) fn extension(path: &str) -> String {
    let base = base(path);
    match base.rfind('.') {
        Some(at) if at > 0 && base != ".." => base.get(at..).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// `path.basename(path, path.extname(path))`
fn stem(path: &str) -> String {
    let (base, ending) = (base(path), extension(path));
    match base.strip_suffix(&ending) {
        Some(stem) if !stem.is_empty() && !ending.is_empty() => stem.to_owned(),
        _ => base,
    }
}

/// `.` and `..` worked out. Above the root there is nothing; above a relative path they stay.
fn normal_parts(path: &str, is_absolute: bool) -> Vec<&str> {
    let mut out: Vec<&str> = vec![];
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => {
                out.pop();
            }
            ".." if is_absolute => {}
            part => out.push(part),
        }
    }
    out
}

/// `path.resolve`
pub(super) fn resolve(paths: &[&str]) -> String {
    let from = paths.iter().rposition(|path| path.starts_with('/')).unwrap_or(0);
    let joined = paths.get(from..).unwrap_or_default().join("/");
    format!("/{}", normal_parts(&joined, true).join("/"))
}

/// `path.join`
pub(super) fn join(paths: &[&str]) -> String {
    let joined = paths.iter().filter(|path| !path.is_empty()).copied().collect::<Vec<_>>().join("/");
    if joined.is_empty() {
        return ".".to_owned();
    }
    let is_absolute = joined.starts_with('/');
    let mut out = normal_parts(&joined, is_absolute).join("/");
    if out.is_empty() && !is_absolute {
        out.push('.');
    }
    if joined.ends_with('/') && !out.is_empty() {
        out.push('/');
    }
    if is_absolute { format!("/{out}") } else { out }
}

/// `path.relative`
fn way(from: &str, to: &str) -> String {
    let (from, to) = (resolve(&[from]), resolve(&[to]));
    let (from, to) = (normal_parts(&from, true), normal_parts(&to, true));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    up.chain(to.into_iter().skip(shared)).collect::<Vec<_>>().join("/")
}

/// The library `relative`: a name with a dot in it is a file, and the way starts at its directory.
fn relative(from: &str, to: &str) -> String {
    if from.is_empty() && to.is_empty() {
        return String::new();
    }
    let unified = |path: &str| split_at_slashes(path).join("/");
    let mut start = unified(from);
    if from.ends_with('/') {
        start.push('/');
    }
    let is_directory = start.ends_with('/') || !start.rsplit('/').next().is_some_and(|last| last.contains('.'));
    if !is_directory {
        start = parent(&start);
    }
    let found = way(&start, &unified(to));
    if found.is_empty() {
        return ".".to_owned();
    }
    let bare = to.strip_suffix('/');
    let ends = |bare: &str| found == bare || (text::length(bare) == 1 && found.ends_with(bare));
    if bare.is_some_and(ends) { format!("{found}/") } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_node_does() {
        for (path, dir, name, ending) in [
            ("/a/b.txt", "/a", "b.txt", ".txt"),
            ("a", ".", "a", ""),
            ("/", "/", "", ""),
            ("", ".", "", ""),
            ("a/b/", "a", "b", ""),
            (".bashrc", ".", ".bashrc", ""),
            ("a.", ".", "a.", "."),
            ("..", ".", "..", ""),
            ("/a", "/", "a", ""),
        ] {
            assert_eq!((&*parent(path), &*base(path), &*extension(path)), (dir, name, ending), "{path}");
        }
        assert_eq!(resolve(&["/a", "../b/./c", "d/.."]), "/b/c");
        assert_eq!((join(&["a", "../../b/"]), join(&["", ""])), ("../b/".to_owned(), ".".to_owned()));
        assert_eq!(relative("a/b.js", "a/c.js"), "c.js");
    }
}
