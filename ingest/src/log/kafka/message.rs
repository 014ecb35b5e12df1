//! Records as messages of Kafka, and whatever anyone wrote there as records.

use crate::{Headers, HeadersBuilder, LogRecord, Record};
use bytes::Bytes;
use domain::Timestamp;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers as _, Message, OwnedHeaders};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Header names as they are: this is what CloudEvents' binary mode for Kafka asks for.
pub(super) fn headers_of(record: &Record) -> Option<OwnedHeaders> {
    if record.headers.as_encoded().is_empty() {
        return None;
    }
    let mut headers = OwnedHeaders::new_with_capacity(20);
    // Kafka's client takes names as C strings.
    for (key, value) in record.headers.iter().flatten().filter(|(name, _)| !name.contains('\0')) {
        headers = headers.insert(Header {
            key,
            value: Some(value.as_bytes()),
        });
    }
    Some(headers)
}

pub(super) fn record_of(message: &BorrowedMessage<'_>) -> LogRecord {
    let bytes = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice).unwrap_or_default();
    LogRecord {
        offset: u64::try_from(message.offset()).unwrap_or(0),
        appended_at: appended_at(message),
        record: Record {
            key: bytes(message.key()),
            headers: message.headers().map(read_headers).unwrap_or_default(),
            value: bytes(message.payload()),
        },
    }
}

fn appended_at(message: &BorrowedMessage<'_>) -> Timestamp {
    let millis = message.timestamp().to_millis().unwrap_or(0);
    Timestamp::from_micros(millis.saturating_mul(1_000))
}

/// Ours are text. Other clients may add what isn't: such a value is read with replacement characters, and a header
/// whose name can't be read is left out.
fn read_headers(headers: &BorrowedHeaders) -> Headers {
    let mut builder = HeadersBuilder::default();
    for index in 0..headers.count() {
        // The binding panics on a name that is no UTF-8, and has no call that doesn't.
        let Ok(Some(header)) = catch_unwind(AssertUnwindSafe(|| headers.try_get(index))) else {
            continue;
        };
        if header.key.len() <= usize::from(u8::MAX) {
            builder.push(header.key, &String::from_utf8_lossy(header.value.unwrap_or_default()));
        }
    }
    builder.build()
}
