//! Batches of an answer as PostgreSQL's rows, one batch at a time.

use super::{
    error::{error, failed},
    login::Stop,
    values::Cells,
};
use crate::problem::Problem;
use bytes::BytesMut;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lakehouse::{
    QueryStream, RecordBatch, SchemaRef, output,
    postgres::{PgType, pg_type},
};
use pgwire::{
    api::{
        Type,
        portal::Format,
        results::{FieldFormat, FieldInfo, QueryResponse},
    },
    error::PgWireResult,
    messages::data::{DataRow, FORMAT_CODE_BINARY},
};
use std::sync::Arc;

/// What the rows will look like; a client may want single columns in binary form.
pub(super) fn fields(schema: &SchemaRef, wanted: &Format) -> Vec<FieldInfo> {
    let fields = schema.fields().iter().enumerate();
    let field = |(index, field): (usize, &Arc<lakehouse::arrow::datatypes::Field>)| {
        let of = pg_type(field.data_type());
        let format = match is_binary(wanted, index) {
            true => FieldFormat::Binary,
            false => FieldFormat::Text,
        };
        FieldInfo::new(field.name().clone(), None, None, wire(of), format).with_type_size(of.size)
    };
    fields.map(field).collect()
}

/// Text where the client says nothing of a column.
pub(super) fn is_binary(wanted: &Format, index: usize) -> bool {
    match wanted {
        Format::UnifiedText => false,
        Format::UnifiedBinary => true,
        Format::Individual(codes) => codes.get(index) == Some(&FORMAT_CODE_BINARY),
    }
}

pub(super) fn wire(of: PgType) -> Type {
    Type::from_oid(of.oid).unwrap_or(Type::TEXT)
}

/// The rows as they come, until something stops them, as the `columns` that the client was told of.
pub(super) fn respond(
    rows: QueryStream,
    columns: &SchemaRef,
    wanted: &Format,
    stop: Stop,
) -> PgWireResult<QueryResponse> {
    if rows.schema().fields().len() != columns.fields().len() {
        let changed = "the columns are not those that were described: prepare the statement again";
        return Err(error(Problem::new("conflict", changed)));
    }
    let fields = Arc::new(fields(columns, wanted));
    let of = columns.fields().iter().enumerate();
    let of: Vec<(PgType, bool)> = of
        .map(|(index, field)| (pg_type(field.data_type()), is_binary(wanted, index)))
        .collect();
    let batches = until(rows, stop).map(move |batch| {
        let rows = encode(&batch?, &of).map_err(error)?;
        PgWireResult::Ok(stream::iter(rows.into_iter().map(PgWireResult::Ok)))
    });
    Ok(QueryResponse::new(fields, batches.try_flatten()))
}

fn until(rows: QueryStream, stop: Stop) -> impl Stream<Item = PgWireResult<RecordBatch>> {
    stream::unfold(Some((rows, stop)), |state| async {
        let (mut rows, stop) = state?;
        tokio::select! {
            biased;
            why = stop.stopped() => Some((Err(why), None)),
            next = rows.next() => match next? {
                Ok(batch) => Some((Ok(batch), Some((rows, stop)))),
                Err(failure) => Some((Err(failed(failure, "")), None)),
            },
        }
    })
}

fn encode(batch: &RecordBatch, of: &[(PgType, bool)]) -> lakehouse::Result<Vec<DataRow>> {
    let plain = output::plain(batch)?;
    let columns = plain.columns().iter().zip(of);
    let cells = columns.map(|(column, (of, binary))| Cells::new(column, *of, *binary));
    let cells: Vec<Cells<'_>> = cells.collect::<lakehouse::Result<_>>()?;
    let row = |row| {
        let mut bytes = BytesMut::new();
        cells.iter().for_each(|cells| cells.put(row, &mut bytes));
        DataRow::new(bytes, cells.len() as i16)
    };
    Ok((0..plain.num_rows()).map(row).collect())
}

/// One row of one text, for what we answer ourselves.
pub(super) fn say(name: &str, value: &str) -> QueryResponse {
    let field = FieldInfo::new(name.to_owned(), None, None, Type::TEXT, FieldFormat::Text);
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&(value.len() as i32).to_be_bytes());
    bytes.extend_from_slice(value.as_bytes());
    let row = DataRow::new(bytes, 1);
    QueryResponse::new(Arc::new(vec![field]), stream::iter([Ok(row)]))
}
