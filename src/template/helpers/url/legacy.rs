//! Addresses as the old `url` module of Node.js takes them apart: not as a browser does.

use std::fmt::Write as _;

use std::{fmt, rc::Rc};

use super::encoded_except;
use crate::template::javascript::{Problem, Value, text, throw};

/// The parts of an address. `None` is JavaScript's `null`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) protocol: Option<String>,
    slashes: bool,
    auth: Option<String>,
    host: Option<String>,
    port: Option<String>,
    hostname: Option<String>,
    hash: Option<String>,
    search: Option<String>,
    pathname: Option<String>,
    path: Option<String>,
}

/// Whether `//x/y` names a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slashes {
    Path,
    Host,
}

const LONGEST_HOST: usize = 255;

/// Those with `//` behind their name.
fn is_slashed(protocol: &str) -> bool {
    matches!(protocol.trim_end_matches(':'), "http" | "https" | "ftp" | "gopher" | "file" | "ws" | "wss")
}

fn is_hostless(protocol: &str) -> bool {
    matches!(protocol.trim_end_matches(':'), "javascript")
}

fn is_trimmed(c: char) -> bool {
    c <= ' ' || c == '\u{a0}' || c == '\u{feff}'
}

/// `url.parse(text, false, slashes)`
pub(super) fn parse(text: &str, slashes: Slashes) -> Result<Address, Problem> {
    let rest = with_forward_slashes(text.trim_matches(is_trimmed));
    let mut address = Address::default();
    if slashes == Slashes::Path && !text.contains('#') && !has_at(text) && is_simple_path(&rest) {
        let (path, search) = rest.split_once('?').map_or((rest.as_str(), None), |(path, query)| (path, Some(query)));
        address.pathname = Some(path.to_owned());
        address.search = search.map(|query| format!("?{query}"));
        address.path = Some(rest.clone());
        return Ok(address);
    }
    let mut rest = rest.as_str();
    let written = protocol(rest);
    if let Some(written) = written {
        address.protocol = Some(text::lower(written));
        rest = rest.get(written.len()..).unwrap_or_default();
    }
    let lower = address.protocol.clone().unwrap_or_default();
    let mut has_slashes = false;
    if slashes == Slashes::Host || written.is_some() || names_host(rest) {
        has_slashes = rest.starts_with("//");
        if has_slashes && !(written.is_some() && is_hostless(&lower)) {
            rest = rest.get(2..).unwrap_or_default();
            address.slashes = true;
        }
    }
    let mut rest = rest.to_owned();
    if !is_hostless(&lower) && (has_slashes || written.is_some_and(|written| !is_slashed(written))) {
        rest = address.take_host(&rest)?;
    }
    if !is_hostless(&lower) {
        rest = auto_escaped(&rest);
    }
    address.take_path(&rest, &lower);
    Ok(address)
}

/// Backslashes before the query are slashes.
fn with_forward_slashes(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    format!("{}{rest}", path.replace('\\', "/"))
}

fn has_at(text: &str) -> bool {
    text.split(['?', '#']).next().is_some_and(|path| path.contains('@'))
}

/// `/^(\/\/?(?!\/)[^?\s]*)(\?[^\s]*)?$/`
fn is_simple_path(text: &str) -> bool {
    let after = text.strip_prefix("//").or_else(|| text.strip_prefix('/'));
    after.is_some_and(|after| !after.starts_with('/')) && !text.contains(text::is_space)
}

/// `/^[a-z0-9.+-]+:/i`
fn protocol(text: &str) -> Option<&str> {
    let (name, _) = text.split_once(':')?;
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
    fits.then(|| text.get(..=name.len())).flatten()
}

/// `/^\/\/[^@/]+@[^@/]+/`
fn names_host(text: &str) -> bool {
    let Some((user, host)) = text.strip_prefix("//").and_then(|rest| rest.split_once('@')) else { return false };
    !user.is_empty() && !user.contains('/') && !host.is_empty() && !host.starts_with(['@', '/'])
}

impl Address {
    /// Takes the host off `rest`, and gives what follows it.
    fn take_host(&mut self, rest: &str) -> Result<String, Problem> {
        let rest: String = without_breaks_in_host(rest);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let before = rest.get(..end).unwrap_or_default();
        let at = before.rfind('@');
        let start = at.map_or(0, |at| at + 1);
        if let Some(at) = at {
            let auth = before.get(..at).unwrap_or_default();
            let Some(auth) = super::decoded(auth) else {
                return throw("a `%` that is not followed by the code of a character");
            };
            self.auth = Some(auth);
        }
        let never = [' ', '"', '%', '\'', ';', '<', '>', '\\', '^', '`', '{', '|', '}'];
        let bad = before.get(start..).and_then(|host| host.find(never)).map_or(end, |at| at + start);
        let host = rest.get(start..bad).unwrap_or_default();
        let mut after = rest.get(bad..).unwrap_or_default().to_owned();
        self.take_port(host);
        let mut hostname = self.hostname.clone().unwrap_or_default();
        let is_v6 = hostname.starts_with('[') && hostname.ends_with(']') && hostname.len() > 1;
        if !is_v6 && let Some(bad) = hostname.find(is_no_host_char) {
            after = format!("/{}{after}", hostname.get(bad..).unwrap_or_default());
            hostname.truncate(bad);
        }
        hostname = if text::length(&hostname) > LONGEST_HOST { String::new() } else { text::lower(&hostname) };
        if !hostname.is_ascii() {
            return throw("a host name that is not ASCII is not supported: its punycode may differ");
        }
        let port = self.port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
        self.host = Some(format!("{hostname}{port}"));
        if is_v6 {
            hostname.retain(|c| !matches!(c, '[' | ']'));
            if !after.starts_with('/') {
                after.insert(0, '/');
            }
        }
        self.hostname = Some(hostname);
        Ok(after)
    }

    /// `host:80`
    fn take_port(&mut self, host: &str) {
        let digits = host
            .rfind(':')
            .filter(|at| host.get(at + 1..).is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit())));
        let mut name = host;
        if let Some(at) = digits {
            name = host.get(..at).unwrap_or_default();
            self.port = host.get(at + 1..).filter(|port| !port.is_empty()).map(str::to_owned);
        }
        self.hostname = Some(name.to_owned());
    }

    fn take_path(&mut self, rest: &str, protocol: &str) {
        let (before_hash, hash) =
            rest.find('#').map_or((rest, None), |at| (rest.get(..at).unwrap_or_default(), rest.get(at..)));
        self.hash = hash.map(str::to_owned);
        let (path, search) = before_hash
            .find('?')
            .map_or((before_hash, None), |at| (before_hash.get(..at).unwrap_or_default(), before_hash.get(at..)));
        self.search = search.map(str::to_owned);
        self.pathname = Some(path.to_owned()).filter(|path| !path.is_empty());
        let has_host = self.hostname.as_ref().is_some_and(|name| !name.is_empty());
        if is_slashed(protocol) && !protocol.is_empty() && has_host && self.pathname.is_none() {
            self.pathname = Some("/".to_owned());
        }
        self.set_path();
    }

    fn set_path(&mut self) {
        if full(self.pathname.as_ref()) || full(self.search.as_ref()) {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            self.path = Some(format!("{}{}", part(&self.pathname), part(&self.search)));
        }
    }

    /// What `url.parse` gives, as an object.
    pub(super) fn fields(&self) -> Value {
        let text = |part: &Option<String>| part.as_ref().map_or(Value::Null, Value::text);
        let query = self.search.as_ref().and_then(|search| search.strip_prefix('?'));
        let fields: [(&str, Value); 12] = [
            ("protocol", text(&self.protocol)),
            ("slashes", if self.slashes { Value::Bool(true) } else { Value::Null }),
            ("auth", text(&self.auth)),
            ("host", text(&self.host)),
            ("port", text(&self.port)),
            ("hostname", text(&self.hostname)),
            ("hash", text(&self.hash)),
            ("search", text(&self.search)),
            ("query", query.map_or(Value::Null, Value::from)),
            ("pathname", text(&self.pathname)),
            ("path", text(&self.path)),
            ("href", Value::from(self.to_string())),
        ];
        Value::object(fields.into_iter().map(|(key, value)| (Rc::from(key), value)))
    }
}

/// Tabs and line ends are nothing in a host.
fn without_breaks_in_host(rest: &str) -> String {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, after) = rest.split_at(end);
    format!("{}{after}", host.replace(['\t', '\n', '\r'], ""))
}

/// What ends a host name wherever it stands.
fn is_no_host_char(c: char) -> bool {
    matches!(
        c,
        '\0' | '\t' | '\n' | '\r' | ' ' | '#' | '%' | '/' | ':' | '<' | '>' | '?' | '@' | '[' | '\\' | ']' | '^' | '|'
    )
}

/// What is never left as it is in a path.
fn auto_escaped(rest: &str) -> String {
    let mut out = String::with_capacity(rest.len());
    for c in rest.chars() {
        match c {
            '\t' | '\n' | '\r' | ' ' | '"' | '\'' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let mut protocol = text(&self.protocol);
        if !protocol.is_empty() && !protocol.ends_with(':') {
            protocol.push(':');
        }
        let auth = self.auth.as_ref().filter(|auth| !auth.is_empty());
        let auth = auth.map(|auth| format!("{}@", encoded_except(auth, ":"))).unwrap_or_default();
        let mut host = match (full(self.host.as_ref()), full(self.hostname.as_ref())) {
            (true, _) => format!("{auth}{}", text(&self.host)),
            (false, true) => {
                let port = self.port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{auth}{}{port}", text(&self.hostname))
            }
            (false, false) => String::new(),
        };
        let mut pathname = text(&self.pathname).replace('#', "%23").replace('?', "%3F");
        if self.slashes || is_slashed(&protocol) && !protocol.is_empty() {
            if self.slashes || !host.is_empty() {
                if !pathname.is_empty() && !pathname.starts_with('/') {
                    pathname.insert(0, '/');
                }
                host.insert_str(0, "//");
            } else if protocol.starts_with("file") {
                host.push_str("//");
            }
        }
        let search = text(&self.search).replace('#', "%23");
        write!(f, "{protocol}{host}{pathname}{search}{}", text(&self.hash))
    }
}

fn full(part: Option<&String>) -> bool {
    part.is_some_and(|part| !part.is_empty())
}

fn parts(path: Option<&String>) -> Vec<String> {
    path.filter(|path| !path.is_empty()).map(|path| path.split('/').map(str::to_owned).collect()).unwrap_or_default()
}

fn first_is_empty(path: &[String]) -> bool {
    path.first().is_some_and(String::is_empty)
}

impl Address {
    /// `this.resolveObject(relative)`
    pub(super) fn resolve(self, relative: Address) -> Address {
        let mut result = Address { hash: relative.hash.clone(), ..self };
        if relative.to_string().is_empty() {
            return result;
        }
        if relative.slashes && relative.protocol.is_none() {
            let protocol = result.protocol.take();
            let mut result = Address { protocol, ..relative };
            let slashed = result.protocol.as_deref().is_some_and(is_slashed);
            if slashed && full(result.hostname.as_ref()) && result.pathname.is_none() {
                result.pathname = Some("/".to_owned());
            }
            return result;
        }
        match &relative.protocol {
            Some(protocol) if Some(protocol) != result.protocol.as_ref() => {
                let protocol = protocol.clone();
                result.with_other_protocol(relative, &protocol)
            }
            _ => result.with_path_of(relative),
        }
    }

    fn with_other_protocol(mut self, mut relative: Address, protocol: &str) -> Address {
        if !is_slashed(protocol) {
            return relative;
        }
        self.protocol = Some(protocol.to_owned());
        self.pathname.clone_from(&relative.pathname);
        let needs_host = !full(relative.host.as_ref()) && !matches!(protocol, "file" | "file:");
        if needs_host {
            let mut path: Vec<String> =
                relative.pathname.clone().unwrap_or_default().split('/').map(str::to_owned).collect();
            let named = path.iter().position(|part| !part.is_empty());
            let host = named.and_then(|at| path.drain(..=at).next_back());
            if host.is_none() {
                path.clear();
            }
            relative.host = Some(host.unwrap_or_default());
            relative.hostname.get_or_insert_default();
            if !first_is_empty(&path) {
                path.insert(0, String::new());
            }
            if path.len() < 2 {
                path.insert(0, String::new());
            }
            self.pathname = Some(path.join("/"));
        }
        self.search = relative.search;
        self.host = Some(relative.host.clone().unwrap_or_default());
        self.auth = relative.auth;
        self.hostname = relative.hostname.filter(|name| !name.is_empty()).or(relative.host);
        self.port = relative.port;
        self.slashes = self.slashes || relative.slashes;
        self
    }

    fn with_path_of(mut self, mut relative: Address) -> Address {
        let starts_at_root = |path: Option<&String>| path.is_some_and(|path| path.starts_with('/'));
        let is_source_absolute = starts_at_root(self.pathname.as_ref());
        let is_absolute = full(relative.host.as_ref()) || starts_at_root(relative.pathname.as_ref());
        let mut must_end_absolute =
            is_absolute || is_source_absolute || (full(self.host.as_ref()) && full(relative.pathname.as_ref()));
        let removes_all_dots = must_end_absolute;
        let mut path = parts(self.pathname.as_ref());
        let mut other = parts(relative.pathname.as_ref());
        let bare = self.protocol.as_deref().is_some_and(|protocol| !protocol.is_empty() && !is_slashed(protocol));
        if bare {
            self.hostname = Some(String::new());
            self.port = None;
            put_host_first(&mut path, self.host.take());
            self.host = Some(String::new());
            if relative.protocol.is_some() {
                relative.hostname = None;
                relative.port = None;
                self.auth = None;
                put_host_first(&mut other, relative.host.take());
            }
            must_end_absolute = must_end_absolute && (first_is_empty(&other) || first_is_empty(&path));
        }
        if is_absolute {
            self.take_host_of(&relative);
            self.search.clone_from(&relative.search);
            path = other;
        } else if !other.is_empty() {
            path.pop();
            path.append(&mut other);
            self.search.clone_from(&relative.search);
        } else if relative.search.is_some() {
            if bare {
                self.host_from(&mut path);
            }
            self.search = relative.search;
            return self;
        }
        if path.is_empty() {
            self.pathname = None;
            return self;
        }
        let has_host = full(self.host.as_ref()) || full(relative.host.as_ref());
        self.settle(path, has_host, bare, (must_end_absolute, removes_all_dots), &relative)
    }

    fn take_host_of(&mut self, relative: &Address) {
        if relative.host.is_some() {
            if self.host != relative.host {
                self.auth = None;
            }
            self.host.clone_from(&relative.host);
            self.port.clone_from(&relative.port);
        }
        if relative.hostname.is_some() {
            if self.hostname != relative.hostname {
                self.auth = None;
            }
            self.hostname.clone_from(&relative.hostname);
        }
    }

    /// Without slashes the first part of the path is the host.
    fn host_from(&mut self, path: &mut Vec<String>) {
        let host = if path.is_empty() { None } else { Some(path.remove(0)) };
        self.host.clone_from(&host);
        self.hostname.clone_from(&host);
        if let Some((auth, name)) =
            host.as_ref().and_then(|host| host.split_once('@')).filter(|(auth, _)| !auth.is_empty())
        {
            self.auth = Some(auth.to_owned());
            let name = name.split('@').next().unwrap_or_default().to_owned();
            self.host = Some(name.clone());
            self.hostname = Some(name);
        }
    }

    /// Works out the dots, and puts host and path back.
    fn settle(
        mut self,
        mut path: Vec<String>,
        has_host: bool,
        bare: bool,
        (mut must_end_absolute, removes_all_dots): (bool, bool),
        relative: &Address,
    ) -> Address {
        let last = path.last().cloned().unwrap_or_default();
        let is_dots = last == "." || last == "..";
        let ends_in_slash = ((has_host || path.len() > 1) && is_dots) || last.is_empty();
        let up = without_dots(&mut path);
        if !must_end_absolute && !removes_all_dots {
            path.splice(0..0, std::iter::repeat_n("..".to_owned(), up));
        }
        if must_end_absolute && path.first().is_none_or(|first| !first.is_empty()) {
            path.insert(0, String::new());
        }
        if ends_in_slash && !path.join("/").ends_with('/') {
            path.push(String::new());
        }
        let is_absolute = first_is_empty(&path);
        if bare {
            if is_absolute {
                self.host = Some(String::new());
                self.hostname = Some(String::new());
            } else {
                self.host_from(&mut path);
                self.host.get_or_insert_default();
            }
        }
        must_end_absolute = must_end_absolute || (full(self.host.as_ref()) && !path.is_empty());
        if must_end_absolute && !is_absolute {
            path.insert(0, String::new());
        }
        self.pathname = (!path.is_empty()).then(|| path.join("/"));
        self.auth = relative.auth.clone().filter(|auth| !auth.is_empty()).or(self.auth);
        self.slashes = self.slashes || relative.slashes;
        self
    }
}

fn put_host_first(path: &mut Vec<String>, host: Option<String>) {
    let Some(host) = host.filter(|host| !host.is_empty()) else { return };
    match path.first_mut() {
        Some(first) if first.is_empty() => *first = host,
        _ => path.insert(0, host),
    }
}

/// Takes `.` and `..` out; gives how far the path goes above its start.
fn without_dots(path: &mut Vec<String>) -> usize {
    let mut up = 0;
    for at in (0..path.len()).rev() {
        match path.get(at).map(String::as_str) {
            Some(".") => {
                path.remove(at);
            }
            Some("..") => {
                path.remove(at);
                up += 1;
            }
            _ if up > 0 => {
                path.remove(at);
                up -= 1;
            }
            _ => {}
        }
    }
    up
}
