//! Values on the wire: one column of a batch as text or in PostgreSQL's binary form.

use super::prepared::{EPOCH_DAYS, EPOCH_MICROS};
use bytes::{BufMut, BytesMut};
use lakehouse::{
    Result,
    arrow::{
        array::{Array, ArrayRef, AsArray},
        compute::cast,
        datatypes::{
            DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
            Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
        },
        util::display::{ArrayFormatter, FormatOptions},
    },
    postgres::PgType,
};
use std::fmt::Write;

/// More of them would not fit when they are filled up to a group.
const MOST_DECIMALS: i8 = 30;

const TEXT: FormatOptions<'static> = FormatOptions::new()
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f+00"))
    .with_null("");

/// A column ready to be written, row by row.
pub(super) enum Cells<'a> {
    Text(&'a ArrayRef, ArrayFormatter<'a>),
    Float(ArrayRef),
    Bool(&'a ArrayRef),
    Bytes(ArrayRef),
    Binary(ArrayRef),
}

impl<'a> Cells<'a> {
    pub(super) fn new(column: &'a ArrayRef, of: PgType, binary: bool) -> Result<Self> {
        Ok(match (of.name, binary) {
            ("bytea", false) => Cells::Bytes(cast(column, &DataType::Binary)?),
            ("bool", false) => Cells::Bool(column),
            ("float8", false) => Cells::Float(cast(column, &DataType::Float64)?),
            (_, false) => Cells::Text(column, ArrayFormatter::try_new(column, &TEXT)?),
            (name, true) => Cells::Binary(cast(column, &wire_type(name, column.data_type()))?),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        let column = match self {
            Cells::Text(column, _) | Cells::Bool(column) => *column,
            Cells::Float(column) | Cells::Bytes(column) | Cells::Binary(column) => column,
        };
        // A column of nothing but nulls marks none of them.
        *column.data_type() == DataType::Null || column.is_null(row)
    }

    /// The value behind its length, or the sign that there is none.
    pub(super) fn put(&self, row: usize, out: &mut BytesMut) {
        let start = out.len();
        out.put_i32(-1);
        if self.is_null(row) {
            return;
        }
        match self {
            Cells::Text(_, formatter) => {
                let _ = write!(out, "{}", formatter.value(row));
            }
            Cells::Float(column) => put_float(column.as_primitive::<Float64Type>().value(row), out),
            Cells::Bool(column) => out.put_u8(if column.as_boolean().value(row) { b't' } else { b'f' }),
            Cells::Bytes(column) => {
                out.put_slice(b"\\x");
                for byte in column.as_binary::<i32>().value(row) {
                    let _ = write!(out, "{byte:02x}");
                }
            }
            Cells::Binary(column) => put_binary(column, row, out),
        }
        let length = (out.len() - start - 4) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// As PostgreSQL and JSON write it.
fn put_float(value: f64, out: &mut BytesMut) {
    let _ = match value.is_infinite() {
        true => write!(out, "{}Infinity", if value < 0.0 { "-" } else { "" }),
        false => write!(out, "{value}"),
    };
}

fn wire_type(name: &str, data_type: &DataType) -> DataType {
    match name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "numeric" => match data_type {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
                DataType::Decimal128(38, (*scale).clamp(0, MOST_DECIMALS))
            }
            _ => DataType::Decimal128(38, 0),
        },
        "bytea" => DataType::Binary,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Utf8,
    }
}

fn put_binary(column: &ArrayRef, row: usize, out: &mut BytesMut) {
    match column.data_type() {
        DataType::Boolean => out.put_u8(column.as_boolean().value(row).into()),
        DataType::Int16 => out.put_i16(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => out.put_i32(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => out.put_i64(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => out.put_f32(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => out.put_f64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            put_numeric(column.as_primitive::<Decimal128Type>().value(row), *scale as u32, out);
        }
        DataType::Binary => out.put_slice(column.as_binary::<i32>().value(row)),
        DataType::Date32 => out.put_i32(column.as_primitive::<Date32Type>().value(row) - EPOCH_DAYS),
        DataType::Time64(_) => out.put_i64(column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(..) => {
            out.put_i64(column.as_primitive::<TimestampMicrosecondType>().value(row) - EPOCH_MICROS);
        }
        _ => out.put_slice(column.as_string::<i32>().value(row).as_bytes()),
    }
}

/// Digits of base 10,000, the weight of the first, sign, decimals.
fn put_numeric(value: i128, scale: u32, out: &mut BytesMut) {
    // Groups begin at the point, so the decimals are filled up to whole groups.
    let fill = (4 - scale % 4) % 4;
    let (whole, part) = (
        value.unsigned_abs() / 10_u128.pow(scale),
        value.unsigned_abs() % 10_u128.pow(scale),
    );
    let mut digits = groups(part * 10_u128.pow(fill), ((scale + fill) / 4) as usize);
    let mut leading = groups(whole, 0);
    digits.append(&mut leading);
    digits.reverse();
    let weight = digits.len() as i16 - 1 - ((scale + fill) / 4) as i16;
    out.put_i16(digits.len() as i16);
    out.put_i16(weight);
    out.put_i16(if value < 0 { 0x4000 } else { 0 });
    out.put_i16(scale as i16);
    digits.into_iter().for_each(|digit| out.put_i16(digit));
}

/// From the last to the first, and at least so many.
fn groups(mut number: u128, least: usize) -> Vec<i16> {
    let mut digits = Vec::new();
    while number > 0 || digits.len() < least {
        digits.push((number % 10_000) as i16);
        number /= 10_000;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;
    use lakehouse::{
        arrow::array::{BooleanArray, Decimal128Array, Float64Array, TimestampMicrosecondArray},
        postgres::pg_type,
    };
    use std::sync::Arc;

    fn put(column: ArrayRef, binary: bool) -> Vec<Option<Vec<u8>>> {
        let cells = Cells::new(&column, pg_type(column.data_type()), binary).unwrap();
        let read = |row| {
            let mut out = BytesMut::new();
            cells.put(row, &mut out);
            let length = out.get_i32();
            (length >= 0).then(|| {
                assert_eq!(out.len(), length as usize);
                out.to_vec()
            })
        };
        (0..column.len()).map(read).collect()
    }

    fn texts(column: ArrayRef) -> Vec<Option<String>> {
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        put(column, false).into_iter().map(text).collect()
    }

    #[test]
    fn text_is_what_postgresql_would_write() {
        let text = |text: &str| Some(text.to_owned());
        let flags = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
        assert_eq!(texts(flags), [text("t"), text("f"), None]);
        let floats = Arc::new(Float64Array::from(vec![1.0, 0.1, f64::NEG_INFINITY, f64::NAN]));
        assert_eq!(texts(floats), [text("1"), text("0.1"), text("-Infinity"), text("NaN")]);
        let times = TimestampMicrosecondArray::from(vec![946_684_800_000_001]).with_timezone("UTC");
        assert_eq!(texts(Arc::new(times)), [text("2000-01-01 00:00:00.000001+00")]);
        let clocks = TimestampMicrosecondArray::from(vec![946_684_800_000_001]);
        assert_eq!(texts(Arc::new(clocks)), [text("2000-01-01 00:00:00.000001")]);
    }

    #[test]
    fn binary_counts_from_the_year_2000_and_in_groups_of_four_digits() {
        let times = TimestampMicrosecondArray::from(vec![946_684_800_000_001]).with_timezone("UTC");
        assert_eq!(put(Arc::new(times), true), [Some(1_i64.to_be_bytes().to_vec())]);
        let amounts = Decimal128Array::from(vec![-1_234_550])
            .with_precision_and_scale(20, 2)
            .unwrap();
        let words = |words: &[i16]| Some(words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>());
        // -12,345.50: 1 | 2345 . 5000
        assert_eq!(put(Arc::new(amounts), true), [words(&[3, 1, 0x4000, 2, 1, 2345, 5000])]);
    }
}
