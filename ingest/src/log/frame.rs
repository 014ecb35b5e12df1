//! A frame is what one write puts on the disk: the records of one append, or of several that waited together.
//!
//! Little-endian: magic (4 bytes), crc32 of all that follows (4), length of the body (4), number of records (4), offset
//! of the first (8), time of the append in microseconds (8), body. A record in the body: length of key, headers and
//! value (4 each), then these three.

use crate::{Headers, LogRecord, Record};
use bytes::{Buf, Bytes};
use domain::Timestamp;

pub(super) const HEADER: usize = 32;
const MAGIC: [u8; 4] = *b"BLG1";
const CHECKED_FROM: usize = 8;
const RECORD_HEADER: usize = 12;
/// Larger than the writer ever makes: a length beyond this is garbage, and must not become an allocation.
const BODY_LIMIT: usize = 32 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    crc: u32,
    body: usize,
    pub(super) count: u64,
    pub(super) base: u64,
    appended_at: Timestamp,
}

impl Header {
    /// The header at the start of the bytes, if they can be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let mut fields = bytes.get(..HEADER)?.strip_prefix(&MAGIC)?;
        let header = Header {
            crc: fields.get_u32_le(),
            body: fields.get_u32_le() as usize,
            count: u64::from(fields.get_u32_le()),
            base: fields.get_u64_le(),
            appended_at: Timestamp::from_micros(fields.get_i64_le()),
        };
        let fits = header.body <= BODY_LIMIT && header.count > 0 && header.base.checked_add(header.count).is_some();
        fits.then_some(header)
    }

    pub(super) fn frame_len(&self) -> usize {
        HEADER + self.body
    }

    pub(super) fn end(&self) -> u64 {
        self.base + self.count
    }
}

/// The header of the whole and sound frame at the start of the bytes.
pub(super) fn whole(bytes: &[u8]) -> Option<Header> {
    let header = Header::parse(bytes)?;
    let checked = bytes.get(CHECKED_FROM..header.frame_len())?;
    (crc32fast::hash(checked) == header.crc).then_some(header)
}

/// Where the next whole frame begins that holds no offset below `from`.
pub(super) fn find(bytes: &[u8], from: u64) -> Option<(usize, Header)> {
    let starts = bytes
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, four)| *four == MAGIC);
    starts
        .filter_map(|(at, _)| Some((at, whole(&bytes[at..])?)))
        .find(|(_, header)| header.base >= from)
}

/// Appends a record's encoding.
pub(super) fn encode(record: &Record, into: &mut Vec<u8>) {
    let parts = [&record.key, record.headers.as_encoded(), &record.value];
    for part in parts {
        into.extend_from_slice(&(part.len() as u32).to_le_bytes());
    }
    for part in parts {
        into.extend_from_slice(part);
    }
}

/// How many bytes [`encode`] adds.
pub(super) fn encoded_len(record: &Record) -> usize {
    RECORD_HEADER + record.size()
}

/// Writes the header over the first bytes of a frame whose body is complete.
pub(super) fn seal(frame: &mut [u8], base: u64, count: u32, appended_at: Timestamp) {
    let body = (frame.len() - HEADER) as u32;
    frame[..4].copy_from_slice(&MAGIC);
    frame[8..12].copy_from_slice(&body.to_le_bytes());
    frame[12..16].copy_from_slice(&count.to_le_bytes());
    frame[16..24].copy_from_slice(&base.to_le_bytes());
    frame[24..32].copy_from_slice(&appended_at.as_micros().to_le_bytes());
    let crc = crc32fast::hash(&frame[CHECKED_FROM..]);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Adds the records of a sound frame from an offset on, as slices of it. False if the body isn't what the header says.
pub(super) fn decode(header: &Header, frame: &Bytes, from: u64, into: &mut Vec<LogRecord>) -> bool {
    let mut body = frame.slice(HEADER..header.frame_len());
    for offset in header.base..header.end() {
        let Some(record) = take_record(&mut body) else {
            return false;
        };
        if offset >= from {
            into.push(LogRecord {
                offset,
                appended_at: header.appended_at,
                record,
            });
        }
    }
    body.is_empty()
}

fn take_record(body: &mut Bytes) -> Option<Record> {
    if body.len() < RECORD_HEADER {
        return None;
    }
    let [key, headers, value] = [body.get_u32_le(), body.get_u32_le(), body.get_u32_le()].map(|len| len as usize);
    if body.len() < key.checked_add(headers)?.checked_add(value)? {
        return None;
    }
    Some(Record {
        key: body.split_to(key),
        headers: Headers::from_encoded(body.split_to(headers)),
        value: body.split_to(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(values: &[&'static str]) -> Vec<u8> {
        let mut frame = vec![0; HEADER];
        for value in values {
            let record = Record {
                value: Bytes::from_static(value.as_bytes()),
                ..Record::default()
            };
            encode(&record, &mut frame);
        }
        seal(&mut frame, 7, values.len() as u32, Timestamp::from_micros(1));
        frame
    }

    #[test]
    fn a_frame_gives_its_records_back_from_any_offset() {
        let bytes = Bytes::from(frame(&["a", "", "ccc"]));
        let header = whole(&bytes).unwrap();
        let mut records = Vec::new();
        assert!(decode(&header, &bytes, 8, &mut records));
        let found: Vec<_> = records.iter().map(|r| (r.offset, &r.record.value[..])).collect();
        assert_eq!(found, [(8, &b""[..]), (9, b"ccc")]);
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed_wherever_it_is(bit in 0..frame(&["some", "records"]).len() * 8) {
            let mut bytes = frame(&["some", "records"]);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(whole(&bytes), None);
        }

        #[test]
        fn garbage_is_no_frame_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(whole(&bytes), None);
            let header = Header { crc: 0, body: bytes.len(), count: 3, base: 0, appended_at: Timestamp::from_micros(0) };
            let mut framed = vec![0; HEADER];
            framed.extend(&bytes);
            decode(&header, &Bytes::from(framed), 0, &mut Vec::new());
        }
    }
}
