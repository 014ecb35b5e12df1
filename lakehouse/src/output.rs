//! Answers as bytes, batch by batch, so that a large one never stands in memory. Wherever moments become text, they are
//! RFC 3339 with microseconds, UTC; times without a zone, such as those of an event's own clocks, stay without one.

use crate::{
    error::{Error, Result},
    lake::lock,
    session::QueryStream,
    tables::timestamp,
};
use arrow::{
    array::{Array, ArrayRef, RecordBatch, StringArray},
    compute::cast,
    csv,
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    ipc,
    json::{self, writer::JsonArray, writer::LineDelimited},
    util::{display::FormatOptions, pretty::pretty_format_batches_with_options},
};
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

const MOMENT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
const LOCAL_TIME: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// A table on a terminal is cut here; nobody reads more, and it has to be held as a whole.
pub const MAX_TABLE_ROWS: usize = 10_000;

/// An array of objects.
pub fn to_json(rows: QueryStream) -> BoxStream<'static, Result<Bytes>> {
    encode(rows, |buffer, _| {
        let builder = json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_timestamp_tz_format(MOMENT.to_owned())
            .with_timestamp_format(LOCAL_TIME.to_owned());
        Ok(Json(builder.build::<_, JsonArray>(buffer)))
    })
}

/// With a header. Lists become JSON text.
pub fn to_csv(rows: QueryStream) -> BoxStream<'static, Result<Bytes>> {
    encode(rows, |buffer, schema| {
        let mut writer = csv::WriterBuilder::new()
            .with_timestamp_tz_format(MOMENT.to_owned())
            .with_timestamp_format(LOCAL_TIME.to_owned())
            .build(buffer);
        // The header comes with the first batch, and there may be none.
        writer.write(&flat(&RecordBatch::new_empty(Arc::clone(schema)))?)?;
        Ok(Csv(writer))
    })
}

/// The Arrow IPC streaming format.
pub fn to_arrow_stream(rows: QueryStream) -> BoxStream<'static, Result<Bytes>> {
    encode(rows, |buffer, schema| {
        Ok(Ipc(ipc::writer::StreamWriter::try_new(buffer, schema)?))
    })
}

pub fn to_parquet(rows: QueryStream) -> BoxStream<'static, Result<Bytes>> {
    encode(rows, |buffer, schema| {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let writer = ArrowWriter::try_new(buffer, Arc::clone(schema), Some(properties)).map_err(parquet_error)?;
        Ok(Parquet(writer))
    })
}

/// For a terminal: at most `MAX_TABLE_ROWS` rows, and a line that says so if there are more.
pub async fn to_table(mut rows: QueryStream) -> Result<String> {
    let mut batches = vec![RecordBatch::new_empty(in_micros_schema(&rows.schema()))];
    let mut left = MAX_TABLE_ROWS;
    let mut cut = false;
    while let Some(batch) = rows.next().await {
        let batch = in_micros(&batch?)?;
        cut = batch.num_rows() > left;
        batches.push(batch.slice(0, batch.num_rows().min(left)));
        left -= batch.num_rows().min(left);
        if cut {
            break;
        }
    }
    let options = FormatOptions::default()
        .with_timestamp_tz_format(Some(MOMENT))
        .with_timestamp_format(Some(LOCAL_TIME))
        .with_null("");
    let table = pretty_format_batches_with_options(&batches, &options)?.to_string();
    Ok(if cut {
        format!("{table}\n(cut after {MAX_TABLE_ROWS} rows)")
    } else {
        table
    })
}

trait Encoder: Send + 'static {
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;
    fn finish(self) -> Result<()>;
}

/// Bytes that an encoder has written and the client has not taken yet.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *lock(&self.0)).into()
    }
}

fn encode<E: Encoder>(
    rows: QueryStream,
    start: impl FnOnce(Buffer, &SchemaRef) -> Result<E>,
) -> BoxStream<'static, Result<Bytes>> {
    let buffer = Buffer::default();
    let encoder = match start(buffer.clone(), &in_micros_schema(&rows.schema())) {
        Ok(encoder) => encoder,
        Err(error) => return stream::once(async { Err(error) }).boxed(),
    };
    let chunks = stream::unfold(Some((rows, encoder, buffer)), |state| async {
        let (mut rows, mut encoder, buffer) = state?;
        let next = rows.next().await;
        let (written, state) = match next {
            Some(Ok(batch)) => match in_micros(&batch).and_then(|batch| encoder.write(&batch)) {
                Ok(()) => (Ok(buffer.take()), Some((rows, encoder, buffer))),
                Err(error) => (Err(error), None),
            },
            Some(Err(error)) => (Err(error), None),
            None => (encoder.finish().map(|()| buffer.take()), None),
        };
        Some((written, state))
    });
    chunks
        .filter(|chunk| std::future::ready(!chunk.as_ref().is_ok_and(Bytes::is_empty)))
        .boxed()
}

struct Json<W: Write>(json::Writer<W, JsonArray>);

impl Encoder for Json<Buffer> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self) -> Result<()> {
        Ok(self.0.finish()?)
    }
}

struct Csv(csv::Writer<Buffer>);

impl Encoder for Csv {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.0.write(&flat(batch)?)?)
    }

    fn finish(self) -> Result<()> {
        Ok(())
    }
}

struct Ipc(ipc::writer::StreamWriter<Buffer>);

impl Encoder for Ipc {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.0.write(batch)?)
    }

    fn finish(mut self) -> Result<()> {
        Ok(self.0.finish()?)
    }
}

struct Parquet(ArrowWriter<Buffer>);

impl Encoder for Parquet {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch).map_err(parquet_error)
    }

    fn finish(self) -> Result<()> {
        self.0.close().map(drop).map_err(parquet_error)
    }
}

fn parquet_error(error: parquet::errors::ParquetError) -> Error {
    Error::Unavailable(error.to_string())
}

/// The columns of [`in_micros`].
pub fn in_micros_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Timestamp(_, Some(_)) => field.as_ref().clone().with_data_type(timestamp()),
        DataType::Timestamp(_, None) => {
            let local = DataType::Timestamp(TimeUnit::Microsecond, None);
            field.as_ref().clone().with_data_type(local)
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// All times in microseconds, and moments in UTC, whatever the query made of them.
pub fn in_micros(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = in_micros_schema(batch.schema_ref());
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast(column, field.data_type())
        }
    });
    let columns = columns.collect::<Result<_, _>>()?;
    Ok(with_rows(schema, columns, batch.num_rows())?)
}

fn with_rows(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// The types that every client knows: times in microseconds UTC, and JSON text for what is nested.
pub fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    flat(&in_micros(batch)?)
}

/// Lists and structs as JSON text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
    if !batch.columns().iter().any(|column| column.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if column.data_type().is_nested() {
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(json_text(column)?);
        } else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
        }
    }
    Ok(with_rows(Arc::new(Schema::new(fields)), columns, batch.num_rows())?)
}

fn json_text(column: &ArrayRef) -> Result<ArrayRef> {
    let schema = Schema::new(vec![Field::new("v", column.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(column)])?;
    let builder = json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format(MOMENT.to_owned())
        .with_timestamp_format(LOCAL_TIME.to_owned());
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(&batch)?;
    let lines = writer.into_inner();
    let lines = String::from_utf8_lossy(&lines);
    let texts = lines.lines().enumerate().map(|(row, line)| {
        let text = line.strip_prefix("{\"v\":").and_then(|line| line.strip_suffix('}'));
        text.filter(|_| column.is_valid(row))
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}
