//! `JSON.parse` and `JSON.stringify`.

use std::{fmt::Write as _, rc::Rc};

use super::{Outcome, Problem, Value, number, throw};

/// Deeper texts are refused, and deeper values not printed.
const DEEPEST: usize = 500;

/// `JSON.parse(text)`. Half of a surrogate pair becomes U+FFFD.
pub(crate) fn parse(text: &str) -> Outcome {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.spaces();
    if reader.at < text.len() { reader.unexpected() } else { Ok(value) }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, word: &str) -> bool {
        let next = self.rest().starts_with(word);
        if next {
            self.at += word.len();
        }
        next
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn unexpected<T>(&self) -> Result<T, Problem> {
        match self.peek() {
            Some(c) => throw(format!("unexpected {c:?} in JSON at byte {}", self.at)),
            None => throw("unexpected end of JSON"),
        }
    }

    fn value(&mut self) -> Outcome {
        self.spaces();
        if self.depth > DEEPEST {
            return throw(format!("JSON that is nested more than {DEEPEST} deep"));
        }
        self.depth += 1;
        let value = match self.peek() {
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some('"') => Ok(Value::Text(self.string()?)),
            Some('-' | '0'..='9') => self.number(),
            _ if self.take("true") => Ok(Value::Bool(true)),
            _ if self.take("false") => Ok(Value::Bool(false)),
            _ if self.take("null") => Ok(Value::Null),
            _ => self.unexpected(),
        };
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Outcome {
        self.take("{");
        let mut fields: Vec<(Rc<str>, Value)> = vec![];
        self.spaces();
        if self.take("}") {
            return Ok(Value::object(fields));
        }
        loop {
            self.spaces();
            let key = self.string()?;
            self.spaces();
            if !self.take(":") {
                return self.unexpected();
            }
            fields.push((key, self.value()?));
            self.spaces();
            if self.take("}") {
                return Ok(Value::object(fields));
            }
            if !self.take(",") {
                return self.unexpected();
            }
        }
    }

    fn list(&mut self) -> Outcome {
        self.take("[");
        let mut items = vec![];
        self.spaces();
        if self.take("]") {
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value()?);
            self.spaces();
            if self.take("]") {
                return Ok(Value::list(items));
            }
            if !self.take(",") {
                return self.unexpected();
            }
        }
    }

    fn number(&mut self) -> Outcome {
        let rest = self.rest();
        let length = rest.bytes().take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b)).count();
        let word = rest.get(..length).unwrap_or_default();
        let plain = word.strip_prefix('-').unwrap_or(word);
        let leading_zero = plain.starts_with('0') && plain.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let loose_point =
            plain.starts_with('.') || plain.ends_with('.') || plain.contains(".e") || plain.contains(".E");
        if leading_zero || loose_point || plain.starts_with(['+', '-', 'e', 'E']) || number::read(word).is_nan() {
            return self.unexpected();
        }
        self.at += length;
        Ok(Value::Number(number::read(word)))
    }

    /// What stands before the quote, where nothing in it is written otherwise than it is.
    fn plain(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let length = rest.bytes().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))?;
        let plain = rest.get(..length).filter(|_| rest.as_bytes().get(length) == Some(&b'"'))?;
        self.at += length + 1;
        Some(plain)
    }

    fn string(&mut self) -> Result<Rc<str>, Problem> {
        if !self.take("\"") {
            return self.unexpected();
        }
        if let Some(plain) = self.plain() {
            return Ok(plain.into());
        }
        let mut units = vec![];
        loop {
            let Some(c) = self.peek() else { return self.unexpected() };
            match c {
                '\0'..='\u{1f}' => return self.unexpected(),
                '"' => {
                    self.at += 1;
                    return Ok(String::from_utf16_lossy(&units).into());
                }
                '\\' => {
                    self.at += 1;
                    let unit = self.escape()?;
                    units.push(unit);
                }
                _ => {
                    self.at += c.len_utf8();
                    units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<u16, Problem> {
        let Some(c) = self.peek() else { return self.unexpected() };
        let unit = match c {
            '"' | '\\' | '/' => u32::from(c),
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digits = self.rest().get(1..5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let Some(digits) = digits else { return self.unexpected() };
                self.at += 4;
                u32::from_str_radix(digits, 16).unwrap_or_default()
            }
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(u16::try_from(unit).unwrap_or(0xfffd))
    }
}

/// `JSON.stringify(value, null, indent)`; `undefined` gives `undefined`. Without an indent it is one line, and an
/// empty one still ends lines.
pub(crate) fn stringify(value: &Value, indent: Option<&str>) -> Outcome {
    let mut writer = Writer { out: String::new(), indent, depth: 0 };
    if matches!(value, Value::Undefined) {
        return Ok(Value::Undefined);
    }
    writer.value(value)?;
    Ok(Value::from(writer.out))
}

struct Writer<'i> {
    out: String,
    indent: Option<&'i str>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Problem> {
        if self.depth > DEEPEST {
            return throw("a value that holds itself, or is nested too deep, has no JSON");
        }
        match value {
            Value::Undefined | Value::Null => self.out.push_str("null"),
            Value::Number(number) if !number.is_finite() => self.out.push_str("null"),
            Value::Bool(_) | Value::Number(_) => self.out.push_str(&value.to_text()),
            Value::Text(text) => quote(&mut self.out, text),
            Value::List(list) => self.list(&list.items())?,
            Value::Object(_) => self.object(value)?,
            Value::Pattern(_) => self.out.push_str("{}"),
            Value::Options(_) => return throw("the call itself has no JSON: name a value"),
        }
        Ok(())
    }

    fn line(&mut self) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str(indent);
            }
        }
    }

    fn list(&mut self, items: &[Value]) -> Result<(), Problem> {
        self.out.push('[');
        self.depth += 1;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.line();
            self.value(item)?;
        }
        self.depth -= 1;
        if !items.is_empty() {
            self.line();
        }
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, object: &Value) -> Result<(), Problem> {
        self.out.push('{');
        self.depth += 1;
        let fields = object.fields().into_iter().filter(|(_, value)| !matches!(value, Value::Undefined));
        let mut any = false;
        for (key, value) in fields {
            if any {
                self.out.push(',');
            }
            any = true;
            self.line();
            quote(&mut self.out, &key);
            self.out.push_str(if self.indent.is_none() { ":" } else { ": " });
            self.value(&value)?;
        }
        self.depth -= 1;
        if any {
            self.line();
        }
        self.out.push('}');
        Ok(())
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        let value = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        stringify(&value, None).expect("JSON").to_text().to_string()
    }

    #[test]
    fn json_is_read_and_written_as_javascript_does() {
        assert_eq!(
            again(r#" {"b": 1.0, "2": [], "1": null, "a": "é\u00e9\n\ud83d\ude92"} "#),
            "{\"1\":null,\"2\":[],\"b\":1,\"a\":\"éé\\n🚒\"}"
        );
        assert_eq!(again("[1e400, -0, 1e21]"), "[null,0,1e+21]");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1", "\"\t\"", "nul", "1 2", "'a'"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
