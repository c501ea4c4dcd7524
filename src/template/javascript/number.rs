//! Numbers as V8 reads and prints them.

use super::{Problem, text, throw};

/// A count as a number; counts here are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no text or list here is that long")]
pub(crate) fn of_count(count: usize) -> f64 {
    count as f64
}

/// `String(number)`
pub(crate) fn print(number: f64) -> String {
    ryu_js::Buffer::new().format(number).to_owned()
}

/// `Number(text)`
pub(crate) fn read(text: &str) -> f64 {
    let text = text::trim(text);
    for (sign, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let digits = text.get(..2).filter(|start| start.eq_ignore_ascii_case(sign)).and_then(|_| text.get(2..));
        if let Some(digits) = digits {
            return read_whole(digits, radix);
        }
    }
    match text {
        "" => 0.0,
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ if decimal_length(text) == text.len() => text.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

fn read_whole(digits: &str, radix: u32) -> f64 {
    let value = digits
        .chars()
        .try_fold(0.0, |sum: f64, c| c.to_digit(radix).map(|digit| sum * f64::from(radix) + f64::from(digit)));
    value.filter(|_| !digits.is_empty()).unwrap_or(f64::NAN)
}

/// The bytes of the decimal number at the start of `text`; 0 if there is none.
fn decimal_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits_from = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits_from(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits_from(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits_from(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// `parseFloat(text)`
pub(crate) fn parse_float(text: &str) -> f64 {
    let text = text.trim_start_matches(text::is_space);
    for (start, value) in [("Infinity", f64::INFINITY), ("+Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)]
    {
        if text.starts_with(start) {
            return value;
        }
    }
    text.get(..decimal_length(text)).and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// `parseInt(text, 10)`
pub(crate) fn parse_int(text: &str) -> f64 {
    let text = text.trim_start_matches(text::is_space);
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        f64::NAN
    } else {
        text.get(..sign + digits).and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
    }
}

/// `~~number`
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "JavaScript's own wrap to 32 bits"
)]
pub(crate) fn to_int32(number: f64) -> i32 {
    if !number.is_finite() {
        return 0;
    }
    number.trunc().rem_euclid(4_294_967_296.0) as u32 as i32
}

/// `Math.round(number)`: halves go up.
pub(crate) fn round(number: f64) -> f64 {
    let floor = number.floor();
    if number - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// `number.toFixed(digits)`
pub(crate) fn to_fixed(number: f64, digits: f64) -> Result<String, Problem> {
    let digits = digits_within(digits, 0.0, "toFixed")?;
    if number.abs() >= 1e21 || !number.is_finite() {
        return Ok(print(number));
    }
    let (negative, digits_text, exponent) = decimal(number);
    // The digit at `exponent - i` has weight 10^exponent: keep those down to 10^-digits.
    let keep = exponent + 1 + i64::try_from(digits).unwrap_or(0);
    let (rounded, exponent) = rounded(&digits_text, exponent, keep);
    let fraction_from = exponent + 1;
    let mut out = String::new();
    let is_zero = rounded.bytes().all(|b| b == b'0');
    if negative && !(is_zero && number == 0.0) {
        out.push('-');
    }
    let digit = |place: i64| -> char {
        let at = exponent - place;
        usize::try_from(at).ok().and_then(|at| rounded.as_bytes().get(at)).map_or('0', |b| char::from(*b))
    };
    for place in (0..fraction_from.max(1)).rev() {
        out.push(digit(place));
    }
    if digits > 0 {
        out.push('.');
        for place in 1..=i64::try_from(digits).unwrap_or(0) {
            out.push(digit(-place));
        }
    }
    Ok(out)
}

/// `number.toExponential(digits)`; `None` for as many digits as are needed.
pub(crate) fn to_exponential(number: f64, digits: f64) -> Result<String, Problem> {
    if !number.is_finite() {
        return Ok(print(number));
    }
    let digits = digits_within(digits, 0.0, "toExponential")?;
    let (negative, text, exponent) = decimal(number);
    let keep = i64::try_from(digits).unwrap_or(0) + 1;
    let (text, exponent) = rounded(&text, exponent, keep);
    Ok(scientific(negative, &text, exponent, keep))
}

/// `number.toPrecision(digits)`
pub(crate) fn to_precision(number: f64, digits: f64) -> Result<String, Problem> {
    if !number.is_finite() {
        return Ok(print(number));
    }
    let digits = i64::try_from(digits_within(digits, 1.0, "toPrecision")?).unwrap_or(1);
    let (negative, text, exponent) = decimal(number);
    let (text, exponent) = rounded(&text, exponent, digits);
    if exponent < -6 || exponent >= digits {
        return Ok(scientific(negative, &text, exponent, digits));
    }
    let sign = if negative && number != 0.0 { "-" } else { "" };
    let padded = cut(&text, digits);
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return Ok(format!("{sign}0.{zeros}{padded}"));
    }
    let (whole, fraction) = padded.split_at(usize::try_from(exponent + 1).unwrap_or(0).min(padded.len()));
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

fn digits_within(digits: f64, least: f64, of: &str) -> Result<usize, Problem> {
    let whole = if digits.is_nan() { 0.0 } else { digits.trunc() };
    if !(least..=100.0).contains(&whole) {
        return throw(format!("{of}() takes {least} to 100 digits"));
    }
    Ok(text::position(whole, 100))
}

/// So many digits: what rounding up put before them pushes out a zero at their end.
fn cut(digits: &str, length: i64) -> String {
    let length = usize::try_from(length).unwrap_or(0);
    digits.chars().chain(std::iter::repeat('0')).take(length).collect()
}

fn scientific(negative: bool, digits: &str, exponent: i64, keep: i64) -> String {
    let digits = cut(digits, keep);
    let (first, rest) = digits.split_at(1.min(digits.len()));
    let sign = if negative { "-" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{mark}{}", exponent.abs())
}

/// The exact decimal value: whether it is negative, its digits, and the power of ten of the first one.
fn decimal(number: f64) -> (bool, String, i64) {
    // No double has more than 767 digits.
    let text = format!("{:.780e}", number.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    (number.is_sign_negative() && number != 0.0, digits, exponent.parse().unwrap_or(0))
}

/// The first `keep` digits; a half goes away from zero.
fn rounded(digits: &str, exponent: i64, keep: i64) -> (String, i64) {
    let Ok(keep) = usize::try_from(keep) else { return ("0".to_owned(), exponent) };
    let up = digits.as_bytes().get(keep).is_some_and(|digit| *digit >= b'5');
    let mut kept: Vec<u8> = digits.bytes().take(keep).collect();
    if !up {
        return (String::from_utf8(kept).unwrap_or_default(), exponent);
    }
    for digit in kept.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return (String::from_utf8(kept).unwrap_or_default(), exponent);
        }
        *digit = b'0';
    }
    kept.insert(0, b'1');
    (String::from_utf8(kept).unwrap_or_default(), exponent + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_javascript() {
        for (number, text) in
            [(1.0, "1"), (-0.0, "0"), (1e21, "1e+21"), (1e-7, "1e-7"), (0.1 + 0.2, "0.30000000000000004")]
        {
            assert_eq!(print(number), text);
        }
    }

    #[test]
    fn texts_read_as_in_javascript() {
        for (text, number) in [("", 0.0), (" 12 ", 12.0), ("0x1F", 31.0), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0)] {
            assert!((read(text) - number).abs() < 1e-12, "{text}");
        }
        for text in ["abc", "1a", "inf", "nan", ".", "1_0", "0x"] {
            assert!(read(text).is_nan(), "{text}");
        }
        assert!((parse_float(" 1.5e2px") - 150.0).abs() < 1e-12);
        assert!((parse_int("-12.9") + 12.0).abs() < 1e-12);
    }

    #[test]
    fn digits_are_rounded_on_the_exact_value_and_halves_go_up() {
        assert_eq!(to_fixed(1.005, 2.0).as_deref(), Ok("1.00"));
        assert_eq!(to_fixed(2.5, 0.0).as_deref(), Ok("3"));
        assert_eq!(to_fixed(-2.5, 0.0).as_deref(), Ok("-3"));
        assert_eq!(to_fixed(0.000_001, 7.0).as_deref(), Ok("0.0000010"));
        assert_eq!(to_fixed(-0.0001, 2.0).as_deref(), Ok("-0.00"));
        assert_eq!(to_fixed(999.99, 1.0).as_deref(), Ok("1000.0"));
        assert_eq!(to_precision(123.456, 4.0).as_deref(), Ok("123.5"));
        assert_eq!(to_precision(0.000_012_3, 2.0).as_deref(), Ok("0.000012"));
        assert_eq!(to_precision(1234.0, 2.0).as_deref(), Ok("1.2e+3"));
        assert_eq!(to_exponential(5.5, 0.0).as_deref(), Ok("6e+0"));
        assert_eq!(to_precision(9.995, 3.0).as_deref(), Ok("9.99"));
        assert_eq!(to_precision(99.96, 3.0).as_deref(), Ok("100"));
        assert_eq!(to_precision(9.96, 2.0).as_deref(), Ok("10"));
        assert_eq!(to_precision(999.0, 2.0).as_deref(), Ok("1.0e+3"));
        assert_eq!(to_exponential(999.0, 1.0).as_deref(), Ok("1.0e+3"));
        assert_eq!(to_exponential(0.0, 2.0).as_deref(), Ok("0.00e+0"));
        assert!(to_fixed(1.0, 101.0).is_err());
    }
}
