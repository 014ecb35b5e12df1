//! Records of the log become columns. A batch is decoded at once; if that fails, row by row, so that one bad record
//! becomes one reject and stops nothing.

use crate::{
    error::Result,
    tables::{CHANGES, TableSpec},
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
        new_null_array,
    },
    compute::{concat_batches, kernels::aggregate},
    datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType},
    error::ArrowError,
    json::ReaderBuilder,
    json::reader,
};
use std::sync::Arc;

/// The envelope of a change, as its record's headers tell it.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub seq: i64,
    pub change_id: &'a str,
    pub change_type: &'a str,
    pub schema_version: i64,
    pub organizer_id: &'a str,
    pub entity: &'a str,
    pub entity_id: &'a str,
    pub entity_version: i64,
    pub occurred_at: i64,
    pub recorded_at: i64,
    pub actor: &'a str,
    pub correlation_id: Option<&'a str>,
}

/// One record of the log on its way into a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// None for an interaction, and for a record whose headers can't be read (give a reason in `reject`).
    pub envelope: Option<Envelope<'a>>,
    /// The payload's JSON.
    pub value: &'a [u8],
    pub topic: &'a str,
    pub partition: u32,
    pub offset: u64,
    pub ingested_at: i64,
    /// Why this record is refused whatever its payload says.
    pub reject: Option<&'a str>,
}

/// Times outside of the years 1 to 9999 have no RFC 3339 form, and no day to be stored under.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Turns rows into batches of one table's schema.
#[derive(Debug)]
pub struct Decoder {
    spec: &'static TableSpec,
    payload: reader::Decoder,
    /// All values, one after the other, for a second reading row by row.
    raw: Vec<u8>,
    rows: Vec<RowEnd>,
    /// The first reading went wrong somewhere.
    suspect: bool,
    envelope: EnvelopeColumns,
    topic: StringBuilder,
    partition: Int64Builder,
    offset: Int64Builder,
    ingested_at: TimestampMicrosecondBuilder,
}

#[derive(Debug)]
struct RowEnd {
    end: usize,
    reject: Option<String>,
}

/// So many rows make a good batch. More are taken, but decoded row by row, which is slow.
pub const BATCH_ROWS: usize = 8_192;

impl Decoder {
    pub fn new(spec: &'static TableSpec) -> Result<Self> {
        Ok(Self {
            spec,
            payload: payload_decoder(&spec.payload)?,
            raw: Vec::new(),
            rows: Vec::new(),
            suspect: false,
            envelope: EnvelopeColumns::default(),
            topic: StringBuilder::new(),
            partition: Int64Builder::new(),
            offset: Int64Builder::new(),
            ingested_at: timestamps(),
        })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS
    }

    pub fn push(&mut self, row: &Row<'_>) {
        self.raw.extend_from_slice(row.value);
        let reject = row.reject.map(str::to_owned).or_else(|| self.missing_envelope(row));
        if reject.is_some() {
            self.suspect = true;
        } else if !self.suspect {
            let before = self.payload.len();
            let decoded = self.payload.decode(row.value);
            let whole = !self.payload.has_partial_record() && self.payload.len() == before + 1;
            self.suspect = !(decoded.is_ok_and(|read| read == row.value.len()) && whole);
        }
        self.rows.push(RowEnd {
            end: self.raw.len(),
            reject,
        });
        if self.spec.has_envelope {
            self.envelope.push(row.envelope.as_ref());
        }
        self.topic.append_value(row.topic);
        self.partition.append_value(i64::from(row.partition));
        self.offset.append_value(row.offset as i64);
        self.ingested_at
            .append_value(row.ingested_at.clamp(*TIMES.start(), *TIMES.end()));
    }

    /// The rows pushed so far, in that order, and the decoder is empty again.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let decoded = if self.suspect { None } else { self.decode_all() };
        let (payload, error, raw) = match decoded {
            Some(payload) => {
                let rows = payload.num_rows();
                (
                    payload,
                    new_null_array(&DataType::Utf8, rows),
                    new_null_array(&DataType::Binary, rows),
                )
            }
            None => self.decode_each()?,
        };
        let mut columns = if self.spec.has_envelope {
            self.envelope.finish()
        } else {
            vec![]
        };
        columns.extend(payload.columns().iter().cloned());
        columns.extend([
            Arc::new(self.topic.finish()) as ArrayRef,
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.ingested_at.finish().with_timezone("UTC")),
            error,
            raw,
        ]);
        self.raw.clear();
        self.rows.clear();
        if self.suspect {
            self.payload = payload_decoder(&self.spec.payload)?;
            self.suspect = false;
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.spec.schema), columns)?)
    }

    fn missing_envelope(&self, row: &Row<'_>) -> Option<String> {
        let Some(envelope) = &row.envelope else {
            return (row.topic == CHANGES).then(|| "the headers of a change are missing".to_owned());
        };
        [envelope.occurred_at, envelope.recorded_at]
            .iter()
            .any(|time| !TIMES.contains(time))
            .then(|| "a time lies outside of the years 1 to 9999".to_owned())
    }

    fn decode_all(&mut self) -> Option<RecordBatch> {
        let batch = match self.payload.flush() {
            Ok(Some(batch)) if batch.num_rows() == self.rows.len() => batch,
            // A table whose payload has no columns still has to say how many rows there are.
            Ok(None) if self.rows.is_empty() => RecordBatch::new_empty(Arc::clone(&self.spec.payload)),
            _ => {
                self.suspect = true;
                return None;
            }
        };
        if check_times(&batch).is_err() {
            self.suspect = true;
            return None;
        }
        Some(batch)
    }

    /// Payload columns, `_error` and `_raw`, with nulls for what doesn't decode.
    fn decode_each(&mut self) -> Result<(RecordBatch, ArrayRef, ArrayRef)> {
        let nullable = nullable(&self.spec.payload);
        let (mut error, mut raw) = (StringBuilder::new(), BinaryBuilder::new());
        let mut parts = Vec::with_capacity(self.rows.len());
        let mut start = 0;
        for row in &self.rows {
            let value = &self.raw[start..row.end];
            start = row.end;
            let decoded = match &row.reject {
                Some(reason) => Err(ArrowError::ParseError(reason.clone())),
                None => decode_one(&self.spec.payload, value),
            };
            match decoded {
                Ok(batch) => {
                    parts.push(batch.with_schema(Arc::clone(&nullable))?);
                    error.append_null();
                    raw.append_null();
                }
                Err(reason) => {
                    let nulls = nullable
                        .fields()
                        .iter()
                        .map(|field| new_null_array(field.data_type(), 1));
                    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
                    parts.push(RecordBatch::try_new_with_options(
                        Arc::clone(&nullable),
                        nulls.collect(),
                        &options,
                    )?);
                    error.append_value(plain(&reason));
                    raw.append_value(value);
                }
            }
        }
        Ok((
            concat_batches(&nullable, &parts)?,
            Arc::new(error.finish()),
            Arc::new(raw.finish()),
        ))
    }
}

fn payload_decoder(schema: &SchemaRef) -> Result<reader::Decoder, ArrowError> {
    // At this size `decode` takes no more, and memory for so many rows is reserved at once.
    ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(BATCH_ROWS)
        .build_decoder()
}

fn decode_one(schema: &SchemaRef, value: &[u8]) -> Result<RecordBatch, ArrowError> {
    let mut decoder = ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(2)
        .build_decoder()?;
    let read = decoder.decode(value)?;
    if read != value.len() || decoder.has_partial_record() || decoder.len() != 1 {
        return Err(ArrowError::ParseError(
            "the payload is not one whole JSON object".to_owned(),
        ));
    }
    let batch = decoder
        .flush()?
        .ok_or_else(|| ArrowError::ParseError("the payload is empty".to_owned()))?;
    check_times(&batch)?;
    Ok(batch)
}

fn check_times(batch: &RecordBatch) -> Result<(), ArrowError> {
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() else {
            continue;
        };
        let range = [aggregate::min(times), aggregate::max(times)];
        if range.iter().flatten().any(|time| !TIMES.contains(time)) {
            let message = format!("{} lies outside of the years 1 to 9999", field.name());
            return Err(ArrowError::ParseError(message));
        }
    }
    Ok(())
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
}

/// The reason without Arrow's prefixes.
fn plain(error: &ArrowError) -> String {
    match error {
        ArrowError::JsonError(text) | ArrowError::ParseError(text) | ArrowError::InvalidArgumentError(text) => {
            text.clone()
        }
        other => other.to_string(),
    }
}

fn timestamps() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new()
}

/// The envelope's columns in the order of `domain::changes::ENVELOPE`.
#[derive(Debug)]
struct EnvelopeColumns {
    numbers: [Int64Builder; 3],
    texts: [StringBuilder; 7],
    times: [TimestampMicrosecondBuilder; 2],
}

impl Default for EnvelopeColumns {
    fn default() -> Self {
        Self {
            numbers: Default::default(),
            texts: Default::default(),
            times: [timestamps(), timestamps()],
        }
    }
}

impl EnvelopeColumns {
    fn push(&mut self, envelope: Option<&Envelope<'_>>) {
        let numbers = envelope.map(|e| [e.seq, e.schema_version, e.entity_version]);
        let texts = envelope.map(|e| {
            [
                Some(e.change_id),
                Some(e.change_type),
                Some(e.organizer_id),
                Some(e.entity),
                Some(e.entity_id),
                Some(e.actor),
                e.correlation_id,
            ]
        });
        let in_range = |time: i64| TIMES.contains(&time).then_some(time);
        let times = envelope.map(|e| [in_range(e.occurred_at), in_range(e.recorded_at)]);
        for (i, column) in self.numbers.iter_mut().enumerate() {
            column.append_option(numbers.map(|n| n[i]));
        }
        for (i, column) in self.texts.iter_mut().enumerate() {
            column.append_option(texts.and_then(|t| t[i]));
        }
        for (i, column) in self.times.iter_mut().enumerate() {
            column.append_option(times.and_then(|t| t[i]));
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let [seq, schema_version, entity_version] = &mut self.numbers;
        let [
            change_id,
            change_type,
            organizer_id,
            entity,
            entity_id,
            actor,
            correlation_id,
        ] = &mut self.texts;
        let [occurred_at, recorded_at] = &mut self.times;
        vec![
            Arc::new(seq.finish()),
            Arc::new(change_id.finish()),
            Arc::new(change_type.finish()),
            Arc::new(schema_version.finish()),
            Arc::new(organizer_id.finish()),
            Arc::new(entity.finish()),
            Arc::new(entity_id.finish()),
            Arc::new(entity_version.finish()),
            Arc::new(occurred_at.finish().with_timezone("UTC")),
            Arc::new(recorded_at.finish().with_timezone("UTC")),
            Arc::new(actor.finish()),
            Arc::new(correlation_id.finish()),
        ]
    }
}

/// The rows of a batch that are rejects: those with an error.
pub(crate) fn is_reject(batch: &RecordBatch) -> Option<arrow::array::BooleanArray> {
    let errors = batch.column_by_name("_error")?;
    (errors.null_count() < errors.len())
        .then(|| arrow::compute::is_not_null(errors).ok())
        .flatten()
}

/// `_partition` and `_offset` of every row.
pub(crate) fn origins(batch: &RecordBatch) -> Option<impl Iterator<Item = (i64, i64)>> {
    let partitions = batch.column_by_name("_partition")?.as_primitive_opt::<Int64Type>()?;
    let offsets = batch.column_by_name("_offset")?.as_primitive_opt::<Int64Type>()?;
    Some(
        partitions
            .values()
            .iter()
            .copied()
            .zip(offsets.values().iter().copied()),
    )
}
