//! What the log holds: records of a key, headers and a value, all of them bytes that were never copied since they
//! were read.

use bytes::{BufMut, Bytes, BytesMut};
use domain::Timestamp;

/// What is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Records of one key stay in order: [`crate::partition_for`] gives them one partition.
    pub key: Bytes,
    pub headers: Headers,
    pub value: Bytes,
}

/// What is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    pub offset: u64,
    pub appended_at: Timestamp,
    pub record: Record,
}

/// Pairs of text, encoded one after the other: length of the name (1 byte), name, length of the value (4 bytes,
/// little-endian), value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

#[derive(Debug, Default)]
pub struct HeadersBuilder(BytesMut);

impl Record {
    /// Bytes that count against the limits of an append.
    pub fn size(&self) -> usize {
        self.key.len() + self.headers.0.len() + self.value.len()
    }
}

impl Headers {
    /// Headers as someone else wrote them; they are checked when they are read.
    pub fn from_encoded(encoded: Bytes) -> Self {
        Self(encoded)
    }

    pub fn as_encoded(&self) -> &Bytes {
        &self.0
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .flatten()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The pairs in the order written. A `None` says that what follows can't be read, and ends the iteration.
    pub fn iter(&self) -> impl Iterator<Item = Option<(&str, &str)>> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let Some((pair, after)) = split_pair(rest) else {
                rest = &[];
                return Some(None);
            };
            rest = after;
            Some(Some(pair))
        })
    }
}

fn split_pair(bytes: &[u8]) -> Option<((&str, &str), &[u8])> {
    let (name_len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
    let (value_len, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_len) as usize)?;
    Some((
        (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?),
        rest,
    ))
}

impl HeadersBuilder {
    /// Adds a pair. A name longer than 255 bytes is cut at the limit of its length byte: names are constants.
    pub fn push(&mut self, name: &str, value: &str) -> &mut Self {
        let name = &name.as_bytes()[..name.len().min(255)];
        self.0.reserve(5 + name.len() + value.len());
        self.0.put_u8(name.len() as u8);
        self.0.put_slice(name);
        self.0.put_u32_le(value.len() as u32);
        self.0.put_slice(value.as_bytes());
        self
    }

    pub fn build(&mut self) -> Headers {
        Headers(self.0.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_come_back_in_order() {
        let headers = HeadersBuilder::default()
            .push("ce_id", "1")
            .push("ce_type", "Ł")
            .push("empty", "")
            .build();
        let pairs: Vec<_> = headers.iter().flatten().collect();
        assert_eq!(pairs, [("ce_id", "1"), ("ce_type", "Ł"), ("empty", "")]);
        assert_eq!(headers.get("ce_type"), Some("Ł"));
        assert_eq!(headers.get("ce_time"), None);
    }

    proptest! {
        #[test]
        fn garbage_headers_end_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let headers = Headers::from_encoded(bytes.into());
            prop_assert!(headers.iter().count() <= 201);
            headers.get("x");
        }
    }
}
