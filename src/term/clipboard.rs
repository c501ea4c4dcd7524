//! The terminal's clipboard (OSC 52). The text travels as base64, so that nothing in it can act on the way.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What terminals take at most, in bytes of base64.
const LIMIT: usize = 100_000;
/// Terminals that would show the sequence, or do not know it.
const WITHOUT: &[&str] = &["dumb", "linux"];

/// The bytes that put `text` on the clipboard of a terminal of this `kind` (its TERM), if it can.
pub(super) fn sequence(text: &str, kind: &str) -> Option<Vec<u8>> {
    if WITHOUT.contains(&kind) || text.len().div_ceil(3) * 4 > LIMIT {
        return None;
    }
    Some(format!("\x1b]52;c;{}\x07", STANDARD.encode(text)).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_copied_as_base64_where_the_terminal_can() {
        assert_eq!(sequence("a\u{1b}b", "xterm").as_deref(), Some(&b"\x1b]52;c;YRti\x07"[..]));
        assert!(sequence("x", "").is_some());
        assert_eq!(sequence("x", "linux"), None);
        assert_eq!(sequence("x", "dumb"), None);
    }

    #[test]
    fn too_much_for_a_terminal_is_not_sent() {
        assert!(sequence(&"x".repeat(75_000), "xterm").is_some());
        assert_eq!(sequence(&"x".repeat(76_000), "xterm"), None);
    }
}
