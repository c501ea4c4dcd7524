//! Markdown, as `remarkable` 1.7 with line breaks writes it. `pulldown-cmark` reads it; the HTML is written here.
//! Code with a fence is refused: it would have to be coloured as `highlight.js` colours it.

use std::rc::Rc;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{
    Table,
    rules::{assigned, is_options, options},
};
use crate::template::{
    javascript::{Outcome, Problem, Value, throw},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[("markdown", markdown)];

fn markdown(call: &Invocation<'_>) -> Outcome {
    // Without a text all arguments stand one place before.
    let first = call.arg(0);
    let behind = usize::from(matches!(first, Value::Text(_)));
    let (mut locals, mut given) = (call.arg(behind), call.arg(behind + 1));
    if is_options(&locals) {
        (locals, given) = (Value::object([]), locals);
    }
    let set = options(&call.this, &locals, &given);
    if let Some(name) = ["html", "breaks", "xhtmlOut", "typographer", "linkify", "lang", "langPrefix", "maxNesting"]
        .iter()
        .find(|name| !matches!(set.get(name), Value::Undefined))
    {
        return call.fails(&format!("`{name}` is not supported"));
    }
    let is_block = matches!(&given, Value::Options(options) if options.is_block());
    let text = match (is_block, &first) {
        (true, first) => {
            let context = Value::Object(Rc::new(assigned([&call.this, &locals, &given.get("hash")])));
            let is_empty = matches!(first, Value::Text(text) if text.is_empty());
            if is_empty { call.otherwise(context)? } else { call.then(context)? }.to_text()
        }
        (false, Value::Text(text)) => text.clone(),
        (false, _) => return call.fails("takes a text, or a block"),
    };
    html(&normal(&text)).map(Value::from)
}

/// White space as `remarkable` takes it: a tab goes to the next of its stops, of which the first is behind the tab before.
fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    // In UTF-16 units, from the start of the line or the last tab.
    let mut column = 0;
    while let Some(c) = chars.next() {
        let c = match c {
            '\u{a0}' => ' ',
            '\u{2424}' | '\u{2028}' | '\u{85}' => '\n',
            '\r' if matches!(chars.peek(), Some('\n' | '\u{85}')) => {
                chars.next();
                '\n'
            }
            c => c,
        };
        match c {
            '\t' => out.push_str("    ".get(column % 4..).unwrap_or_default()),
            c => out.push(c),
        }
        column = if matches!(c, '\t' | '\n') { 0 } else { column + c.len_utf16() };
    }
    out
}

fn html(text: &str) -> Result<String, Problem> {
    if text.contains("[^") || text.lines().any(|line| line.trim_start().starts_with("*[")) {
        return throw("markdown with footnotes or abbreviations is not supported");
    }
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let (events, places): (Vec<Event<'_>>, Vec<_>) = parser.into_offset_iter().unzip();
    let mut writer = Writer::default();
    for ((at, event), place) in events.iter().enumerate().zip(places) {
        // The last line of code ends like any other, unless the text ends there.
        let rest = text.get(place.start..).unwrap_or_default();
        let code = text.get(place).unwrap_or_default().trim_end_matches('\n');
        let ends_line = rest.get(code.len()..).is_some_and(|behind| behind.starts_with('\n'));
        writer.end_of_code = if ends_line { "\n</code></pre>" } else { "</code></pre>" };
        writer.event(event, events.get(at + 1))?;
    }
    Ok(writer.out)
}

#[derive(Default)]
struct Writer {
    out: String,
    columns: Vec<Alignment>,
    column: usize,
    in_head: bool,
    /// Of the image that is open: its tag behind the text.
    image: Option<String>,
    /// Items whose text stands without a paragraph: a line ends before what follows it.
    in_tight_item: bool,
    in_code: bool,
    /// What ends the code that is written.
    end_of_code: &'static str,
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A target that `remarkable` leaves as it is.
fn target(url: &str) -> Result<String, Problem> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(c);
    let scheme = url.split(':').next().unwrap_or_default().to_lowercase();
    if !url.chars().all(plain) || matches!(scheme.as_str(), "javascript" | "vbscript" | "file" | "data") {
        return throw(format!("the markdown link to `{url}` is not supported"));
    }
    Ok(escaped(url))
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// The line ends, but for the last thing in an item of a list.
    fn end_line(&mut self, next: Option<&Event<'_>>) {
        if !matches!(next, Some(Event::End(TagEnd::Item))) {
            self.out.push('\n');
        }
    }

    fn event(&mut self, event: &Event<'_>, next: Option<&Event<'_>>) -> Result<(), Problem> {
        if self.image.is_some() && !matches!(event, Event::Text(_) | Event::End(TagEnd::Image)) {
            return throw("a markdown image whose text is more than plain text is not supported");
        }
        match event {
            Event::Start(tag) => self.start(tag)?,
            Event::End(tag) => self.end(*tag, next),
            Event::Text(text) => {
                self.push(&escaped(text));
                self.end_tight_text(next);
            }
            Event::Code(text) => {
                self.push(&format!("<code>{}</code>", escaped(text)));
                self.end_tight_text(next);
            }
            Event::Html(text) | Event::InlineHtml(text) => self.push(text),
            Event::SoftBreak | Event::HardBreak => self.push("<br>\n"),
            Event::Rule => {
                self.push("<hr>");
                self.end_line(next);
            }
            _ => return throw("this markdown is not supported"),
        }
        Ok(())
    }

    /// The text of an item ends its line when a block follows in it.
    fn end_tight_text(&mut self, next: Option<&Event<'_>>) {
        let block = matches!(
            next,
            Some(
                Event::Start(Tag::List(_) | Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::Heading { .. }) | Event::Rule
            )
        );
        if block && self.in_tight_item && !self.in_code {
            self.push("\n");
        }
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), Problem> {
        match tag {
            Tag::Paragraph => {
                self.in_tight_item = false;
                self.push("<p>");
            }
            Tag::Heading { level, .. } => self.push(&format!("<{level}>")),
            Tag::BlockQuote(None) => self.push("<blockquote>\n"),
            Tag::CodeBlock(CodeBlockKind::Indented) => {
                self.in_code = true;
                self.push("<pre><code>");
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => {
                return throw("markdown with fenced code is not supported: highlight.js would colour it");
            }
            Tag::List(None) => self.push("<ul>\n"),
            Tag::List(Some(1)) => self.push("<ol>\n"),
            Tag::List(Some(first)) => self.push(&format!("<ol start=\"{first}\">\n")),
            Tag::Item => {
                self.in_tight_item = true;
                self.push("<li>");
            }
            Tag::Emphasis => self.push("<em>"),
            Tag::Strong => self.push("<strong>"),
            Tag::Strikethrough => self.push("<del>"),
            Tag::Link { dest_url, title, .. } => {
                let (target, title) = (target(dest_url)?, titled(title));
                self.push(&format!("<a href=\"{target}\"{title}>"));
            }
            Tag::Image { dest_url, title, .. } => {
                let target = target(dest_url)?;
                self.push(&format!("<img src=\"{target}\" alt=\""));
                self.image = Some(format!("\"{}>", titled(title)));
            }
            Tag::HtmlBlock => {}
            Tag::Table(columns) => {
                self.columns.clone_from(columns);
                self.push("<table>\n");
            }
            Tag::TableHead => {
                (self.in_head, self.column) = (true, 0);
                self.push("<thead>\n<tr>");
            }
            Tag::TableRow => {
                self.column = 0;
                self.push("<tr>");
            }
            Tag::TableCell => self.cell(),
            _ => return throw("this markdown is not supported"),
        }
        Ok(())
    }

    fn cell(&mut self) {
        let align = match self.columns.get(self.column) {
            Some(Alignment::Left) => " style=\"text-align:left\"",
            Some(Alignment::Right) => " style=\"text-align:right\"",
            Some(Alignment::Center) => " style=\"text-align:center\"",
            _ => "",
        };
        self.column += 1;
        self.push(&format!("<{}{align}>", if self.in_head { "th" } else { "td" }));
    }

    fn end(&mut self, tag: TagEnd, next: Option<&Event<'_>>) {
        match tag {
            TagEnd::Paragraph => {
                self.push("</p>");
                self.end_line(next);
            }
            TagEnd::Heading(level) => self.push(&format!("</{level}>\n")),
            TagEnd::BlockQuote(_) => {
                self.push("</blockquote>");
                self.end_line(next);
            }
            TagEnd::CodeBlock => {
                let length = self.out.trim_end_matches('\n').len();
                self.out.truncate(length);
                self.in_code = false;
                self.push(self.end_of_code);
                self.end_line(next);
            }
            TagEnd::List(ordered) => {
                self.push(if ordered { "</ol>" } else { "</ul>" });
                self.end_line(next);
            }
            TagEnd::Item => self.push("</li>\n"),
            TagEnd::Emphasis => self.push("</em>"),
            TagEnd::Strong => self.push("</strong>"),
            TagEnd::Strikethrough => self.push("</del>"),
            TagEnd::Link => self.push("</a>"),
            TagEnd::Image => {
                let rest = self.image.take().unwrap_or_default();
                self.push(&rest);
            }
            TagEnd::Table => {
                self.push("</tbody>\n</table>");
                self.end_line(next);
            }
            TagEnd::TableHead => {
                self.in_head = false;
                self.push("</tr>\n</thead>\n<tbody>\n");
            }
            TagEnd::TableRow => self.push("</tr>\n"),
            TagEnd::TableCell => self.push(if self.in_head { "</th>" } else { "</td>" }),
            _ => {}
        }
        if matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image) {
            self.end_tight_text(next);
        }
    }
}

fn titled(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escaped(title)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_the_html_of_remarkable() {
        for (text, wanted) in [
            ("a\nb", "<p>a<br>\nb</p>\n"),
            ("* a\n\n* b", "<ul>\n<li><p>a</p></li>\n<li><p>b</p></li>\n</ul>\n"),
            ("- a\n  - b\n  - c\n- d", "<ul>\n<li>a\n<ul>\n<li>b</li>\n<li>c</li>\n</ul></li>\n<li>d</li>\n</ul>\n"),
            ("> q\n> r", "<blockquote>\n<p>q<br>\nr</p>\n</blockquote>\n"),
            ("**b** *i* ~~d~~ `c < d`", "<p><strong>b</strong> <em>i</em> <del>d</del> <code>c &lt; d</code></p>\n"),
            (
                "[t](http://x \"ti\") ![alt](src)",
                "<p><a href=\"http://x\" title=\"ti\">t</a> <img src=\"src\" alt=\"alt\"></p>\n",
            ),
            ("<b>x</b> & &amp; \"q\"", "<p><b>x</b> &amp; &amp; &quot;q&quot;</p>\n"),
            ("    code <x>\n    y", "<pre><code>code &lt;x&gt;\ny</code></pre>\n"),
            ("    code\n\nx", "<pre><code>code\n</code></pre>\n<p>x</p>\n"),
            ("# h\n\n---", "<h1>h</h1>\n<hr>\n"),
            (
                "| a | b |\n|:--|---|\n| 1 | 2 |",
                "<table>\n<thead>\n<tr><th style=\"text-align:left\">a</th><th>b</th></tr>\n</thead>\n<tbody>\n\
                 <tr><td style=\"text-align:left\">1</td><td>2</td></tr>\n</tbody>\n</table>\n",
            ),
            ("<div>\nx\n</div>\n\ny", "<div>\nx\n</div>\n<p>y</p>\n"),
        ] {
            assert_eq!(html(text).as_deref(), Ok(wanted), "{text}");
        }
        assert_eq!(normal("a\tb\tc\n\t\u{a0}x\r\ny"), "a   b   c\n     x\ny");
    }

    #[test]
    fn what_would_be_written_otherwise_is_refused() {
        for text in ["```js\nx\n```", "a[^1]\n\n[^1]: b", "[x](javascript:alert)", "![*a*](b)", "[é](http://é)"] {
            assert!(html(text).is_err(), "{text}");
        }
    }
}
