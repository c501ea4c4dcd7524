//! Headers and body of a delivery as they lie on disk, made small where that is worth it.
//!
//! What was packed once must be read for ever: a way of packing, or a dictionary, is never changed, only followed by
//! another one.

use std::{cell::RefCell, io, sync::LazyLock};

use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

/// A fifth of the bytes for a tenth of the time of checking a signature; higher levels win little more.
const LEVEL: i32 = 1;
/// Nothing is won on less than that.
const WORTHWHILE: usize = 128;
/// What webhooks are made of. It halves a body of 3 KB once more.
const DICTIONARY: &[u8] = include_bytes!("../../assets/store/dictionary-1.txt");

static FOR_PACKING: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static FOR_READING: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static READER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Headers and body in the columns of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// 0: `headers` and `body` as they are. 1: `body` is zstd with [`DICTIONARY`], of headers, line feed, body.
    pub way: i64,
    pub headers: String,
    pub body: Vec<u8>,
}

/// Headers, as one line of JSON, and body.
pub(super) fn pack(headers: String, body: &[u8]) -> Packed {
    let whole = [headers.as_bytes(), b"\n", body].concat();
    let small = (whole.len() >= WORTHWHILE).then(|| compress(&whole)).and_then(Result::ok);
    match small.filter(|small| small.len() < whole.len()) {
        Some(body) => Packed { way: 1, headers: String::new(), body },
        None => Packed { way: 0, headers, body: body.to_owned() },
    }
}

/// Headers and body as they were; fails on what was not packed by [`pack`].
pub(super) fn unpack(way: i64, headers: &str, body: &[u8]) -> Result<(String, Vec<u8>), String> {
    match way {
        0 => Ok((headers.to_owned(), body.to_owned())),
        1 => {
            let mut whole = decompress(body).map_err(|error| format!("cannot be unpacked: {error}"))?;
            let end = whole.iter().position(|b| *b == b'\n').ok_or("unpacked, it has no headers")?;
            let body = whole.split_off(end + 1);
            whole.truncate(end);
            Ok((String::from_utf8(whole).map_err(|_| "unpacked, its headers are no text")?, body))
        }
        _ => Err(format!("packed in a way {way} that this dogwatch does not know")),
    }
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        let packer = match packer {
            Some(packer) => packer,
            None => packer.insert(Compressor::with_prepared_dictionary(&FOR_PACKING)?),
        };
        packer.compress(bytes)
    })
}

fn decompress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    // Its length stands in front; damage there must not take all memory.
    let length = Decompressor::upper_bound(bytes).filter(|length| *length <= LARGEST);
    let length = length.ok_or_else(|| io::Error::other("its length is wrong"))?;
    READER.with_borrow_mut(|reader| {
        let reader = match reader {
            Some(reader) => reader,
            None => reader.insert(Decompressor::with_prepared_dictionary(&FOR_READING)?),
        };
        reader.decompress(bytes, length)
    })
}

/// More than any door lets in.
const LARGEST: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    const REAL: &[u8] = include_bytes!("../../tests/fixtures/pagerduty/webhook_real.triggered.json");

    fn there_and_back(headers: &str, body: &[u8]) -> (i64, usize) {
        let packed = pack(headers.to_owned(), body);
        let back = unpack(packed.way, &packed.headers, &packed.body);
        assert_eq!(back, Ok((headers.to_owned(), body.to_owned())));
        (packed.way, packed.headers.len() + packed.body.len())
    }

    #[test]
    fn a_real_delivery_takes_a_third_and_small_or_random_ones_stay_as_they_are() {
        let (way, length) = there_and_back(r#"[["user-agent","PagerDuty-Webhook/V3.0"]]"#, REAL);
        assert!(way == 1 && length * 3 < REAL.len(), "{way} {length} {}", REAL.len());

        assert_eq!(there_and_back("[]", b"{}"), (0, 4));
        assert_eq!(there_and_back("[]", &vec![b'x'; 32 * 1024 * 1024]).0, 1, "however large");
        let random: Vec<u8> = (0..64u8).flat_map(|n| Sha256::digest([n])).collect();
        assert_eq!(there_and_back("[]", &random), (0, 2 + random.len()));
    }

    #[test]
    fn the_dictionary_is_the_one_with_which_earlier_ones_were_packed() {
        let digest = hex::encode(Sha256::digest(DICTIONARY));
        assert_eq!(digest, "7516fb139f13804a2d5230f5630dbda49ba0b3ad679b17fa015244bb302baa03");
    }

    #[test]
    fn what_is_damaged_is_told_and_takes_no_memory() {
        let packed = pack("[]".to_owned(), REAL);
        assert!(unpack(1, "", &packed.body[..packed.body.len() / 2]).is_err());
        assert!(unpack(1, "", b"").is_err());
        assert!(
            unpack(1, "", &[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err()
        );
        assert!(unpack(7, "", b"").unwrap_err().contains("way 7"));
    }

    proptest! {
        #[test]
        fn whatever_goes_in_comes_out(headers in "[ -~]{0,300}", body in prop::collection::vec(any::<u8>(), 0..4_000)) {
            there_and_back(&headers, &body);
            let repeated = body.repeat(3);
            there_and_back(&headers, &repeated);
        }
    }
}
