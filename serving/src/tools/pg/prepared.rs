//! Statements that were parsed, and the values that are put into their places.

use super::{error::error, rows};
use crate::problem::Problem;
use bytes::{Buf, Bytes};
use lakehouse::{
    Described, Parameter,
    arrow::datatypes::{DataType, IntervalUnit, TimeUnit},
    postgres::{Statement, list, pg_type},
};
use pgwire::{
    api::{Type, portal::Portal},
    error::PgWireResult,
};
use std::fmt::Write;

/// PostgreSQL counts from 2000-01-01.
pub(super) const EPOCH_DAYS: i32 = 10_957;
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// A statement that was parsed, and what it will take and answer.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) statement: Statement,
    pub(super) described: Option<Described>,
    pub(super) declared: Vec<Option<Type>>,
}

impl Prepared {
    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.described
            .as_ref()
            .map_or(0, |described| described.parameters.len())
    }

    /// The type that a client sends for a place: what it has said, or what it was told.
    pub(super) fn parameter(&self, index: usize) -> Type {
        if let Some(declared) = self.declared(index) {
            return declared;
        }
        let implied = self
            .described
            .as_ref()
            .and_then(|described| described.parameters.get(index));
        implied.map_or(Type::TEXT, place_type)
    }

    /// Many say of a type that they do not know it.
    fn declared(&self, index: usize) -> Option<Type> {
        let declared = self.declared.get(index).cloned().flatten();
        declared.filter(|of| *of != Type::UNKNOWN)
    }

    pub(super) fn parameters(&self, portal: &Portal<Prepared>) -> PgWireResult<Vec<Parameter>> {
        let read = |(index, bytes): (usize, &Option<Bytes>)| {
            let of = self.parameter(index);
            let wrong = || Problem::new("invalid_field", format!("${} can't be read as {of}", index + 1));
            let name = match rows::is_binary(&portal.parameter_format, index) {
                true => of.name(),
                false => "text",
            };
            let text = bytes
                .clone()
                .map(|bytes| text_of(name, bytes).ok_or_else(|| error(wrong())));
            PgWireResult::Ok(Parameter {
                text: text.transpose()?,
                data_type: self.declared(index).and_then(|of| lake_type(of.name())),
            })
        };
        portal.parameters.iter().enumerate().map(read).collect()
    }
}

/// The widest type of a family, since the lake has no smaller numbers.
pub(super) fn lake_type(name: &str) -> Option<DataType> {
    if let Some(element) = name.strip_prefix('_') {
        return Some(DataType::new_list(lake_type(element).unwrap_or(DataType::Utf8), true));
    }
    Some(match name {
        "bool" => DataType::Boolean,
        "int2" | "int4" | "int8" => DataType::Int64,
        "float4" | "float8" => DataType::Float64,
        "numeric" => DataType::Decimal128(38, 9),
        "bytea" => DataType::Binary,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "timestamp" | "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}

/// What a client should send for a place of a type. Answers have lists as JSON, and places take PostgreSQL's.
fn place_type(of: &DataType) -> Type {
    match of {
        DataType::List(field) => match place_type(field.data_type()) {
            Type::BOOL => Type::BOOL_ARRAY,
            Type::INT2 => Type::INT2_ARRAY,
            Type::INT4 => Type::INT4_ARRAY,
            Type::INT8 => Type::INT8_ARRAY,
            Type::FLOAT4 => Type::FLOAT4_ARRAY,
            Type::FLOAT8 => Type::FLOAT8_ARRAY,
            Type::NUMERIC => Type::NUMERIC_ARRAY,
            Type::BYTEA => Type::BYTEA_ARRAY,
            Type::DATE => Type::DATE_ARRAY,
            Type::TIMESTAMP => Type::TIMESTAMP_ARRAY,
            Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
            _ => Type::TEXT_ARRAY,
        },
        DataType::Interval(_) => Type::INTERVAL,
        of if of.is_nested() => Type::TEXT,
        of => rows::wire(pg_type(of)),
    }
}

/// A parameter in the binary form of its type, as text.
fn text_of(name: &str, mut bytes: Bytes) -> Option<String> {
    if name.starts_with('_') {
        return list_of(bytes);
    }
    let fits = |bytes: &Bytes, size: usize| bytes.len() == size;
    let text = match name {
        "bool" if fits(&bytes, 1) => (bytes[0] != 0).to_string(),
        "int2" if fits(&bytes, 2) => bytes.get_i16().to_string(),
        "int4" if fits(&bytes, 4) => bytes.get_i32().to_string(),
        "int8" if fits(&bytes, 8) => bytes.get_i64().to_string(),
        "oid" if fits(&bytes, 4) => bytes.get_u32().to_string(),
        "float4" if fits(&bytes, 4) => bytes.get_f32().to_string(),
        "float8" if fits(&bytes, 8) => bytes.get_f64().to_string(),
        "numeric" => numeric(bytes)?,
        "bytea" => bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
        "date" if fits(&bytes, 4) => {
            let days = bytes.get_i32().checked_add(EPOCH_DAYS)?;
            chrono::DateTime::from_timestamp(i64::from(days) * 86_400, 0)?
                .date_naive()
                .to_string()
        }
        "time" if fits(&bytes, 8) => chrono::DateTime::from_timestamp_micros(bytes.get_i64())?
            .time()
            .to_string(),
        "interval" if fits(&bytes, 16) => {
            let (micros, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            format!("{months} months {days} days {micros} microseconds")
        }
        "timestamp" | "timestamptz" if fits(&bytes, 8) => {
            let micros = bytes.get_i64().checked_add(EPOCH_MICROS)?;
            domain::Timestamp::from_micros(micros).to_string()
        }
        "text" | "varchar" | "bpchar" | "name" | "unknown" | "json" => String::from_utf8(bytes.to_vec()).ok()?,
        "jsonb" if bytes.first() == Some(&1) => String::from_utf8(bytes[1..].to_vec()).ok()?,
        "uuid" => uuid::Uuid::from_slice(&bytes).ok()?.to_string(),
        _ => return None,
    };
    Some(text)
}

/// Dimensions, flags, the type of the elements; length and lower bound of the one dimension; and each with its length.
fn list_of(mut bytes: Bytes) -> Option<String> {
    let dimensions = bytes.try_get_i32().ok()?;
    bytes.try_get_i32().ok()?;
    let of = Type::from_oid(bytes.try_get_u32().ok()?)?;
    let count = match dimensions {
        0 => 0,
        1 => {
            let count = bytes.try_get_i32().ok()?;
            bytes.try_get_i32().ok()?;
            count
        }
        _ => return None,
    };
    let mut elements = Vec::new();
    for _ in 0..count {
        let length = bytes.try_get_i32().ok()?;
        elements.push(match usize::try_from(length) {
            Ok(length) if length <= bytes.len() && !of.name().starts_with('_') => {
                Some(text_of(of.name(), bytes.split_to(length))?)
            }
            Ok(_) => return None,
            Err(_) => None,
        });
    }
    bytes.is_empty().then(|| list(elements))
}

/// How many digits of base 10,000, the weight of the first, sign, decimals; and the digits.
fn numeric(mut bytes: Bytes) -> Option<String> {
    let digits = usize::from(bytes.try_get_u16().ok()?);
    let weight = i32::from(bytes.try_get_i16().ok()?);
    let sign = bytes.try_get_u16().ok()?;
    let scale = usize::from(bytes.try_get_u16().ok()?);
    if bytes.len() != digits * 2 || weight.abs() > 100 || scale > 400 {
        return None;
    }
    let mut text = match sign {
        0 => String::new(),
        0x4000 => "-".to_owned(),
        _ => return None,
    };
    let digits: Vec<u16> = (0..digits).map(|_| bytes.get_u16()).collect();
    let group = |place: i32| {
        let digit = usize::try_from(weight - place).ok().and_then(|index| digits.get(index));
        digit.copied().unwrap_or(0)
    };
    let _ = write!(text, "{}", group(weight.max(0)));
    for place in (0..weight.max(0)).rev() {
        let _ = write!(text, "{:04}", group(place));
    }
    let mut part = String::new();
    for place in 1..=scale.div_ceil(4) {
        let _ = write!(part, "{:04}", group(-i32::try_from(place).ok()?));
    }
    if scale > 0 {
        let _ = write!(text, ".{}", part.get(..scale)?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[i16]) -> Bytes {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn binary_list(of: Type, elements: &[Option<&[u8]>]) -> Bytes {
        let mut bytes = Vec::new();
        for number in [1, 0, of.oid() as i32, elements.len() as i32, 1] {
            bytes.extend(number.to_be_bytes());
        }
        for element in elements {
            bytes.extend(element.map_or(-1, |element| element.len() as i32).to_be_bytes());
            bytes.extend(element.unwrap_or_default());
        }
        bytes.into()
    }

    #[test]
    fn binary_parameters_are_read_and_wrong_lengths_refused() {
        let bytes = Bytes::copy_from_slice;
        assert_eq!(text_of("int8", bytes(&(-7_i64).to_be_bytes())).unwrap(), "-7");
        assert_eq!(text_of("date", bytes(&1_i32.to_be_bytes())).unwrap(), "2000-01-02");
        assert_eq!(text_of("text", bytes(b"ada")).unwrap(), "ada");
        assert_eq!(text_of("bytea", bytes(&[0, 255])).unwrap(), "\\x00ff");
        assert_eq!(text_of("jsonb", bytes(b"\x01{}")).unwrap(), "{}");
        assert_eq!(
            text_of("time", bytes(&1_000_000_i64.to_be_bytes())).unwrap(),
            "00:00:01"
        );
        assert!(text_of("int8", bytes(&[1])).is_none());
        assert!(text_of("point", bytes(&[1])).is_none());
    }

    #[test]
    fn binary_numbers_have_groups_of_four_digits() {
        for (groups, text) in [
            (&[3, 1, 0x4000, 2, 1, 2345, 5000][..], "-12345.50"),
            (&[1, -1, 0, 2, 500], "0.05"),
            (&[1, -2, 0, 5, 1000], "0.00001"),
            (&[0, 0, 0, 0], "0"),
            (&[1, 1, 0, 0, 3], "30000"),
            (&[2, 0, 0, 3, 1, 2000], "1.200"),
        ] {
            assert_eq!(numeric(words(groups)).as_deref(), Some(text));
        }
        assert_eq!(numeric(words(&[0, 0, -16384, 0])), None, "no number");
        assert_eq!(numeric(words(&[5, 0, 0, 0, 1])), None);
    }

    #[test]
    fn binary_lists_are_read() {
        let texts = binary_list(Type::TEXT, &[Some(b"paid"), None, Some(b"a,\"b")]);
        assert_eq!(text_of("_text", texts).unwrap(), r#"{"paid",NULL,"a,\"b"}"#);
        let numbers = binary_list(Type::INT4, &[Some(&7_i32.to_be_bytes())]);
        assert_eq!(text_of("_int4", numbers).unwrap(), "{\"7\"}");
        let empty = Bytes::from([[0; 8], [0, 0, 0, 0, 0, 0, 0, 25]].concat()).slice(..8);
        assert_eq!(text_of("_text", empty), None);
        let empty = [0_i32, 0, 25].map(i32::to_be_bytes).concat();
        assert_eq!(text_of("_text", empty.into()).unwrap(), "{}");
        let cut = binary_list(Type::TEXT, &[Some(b"paid")]);
        assert_eq!(text_of("_text", cut.slice(..cut.len() - 1)), None);
        let endless = [1_i32, 0, 25, i32::MAX, 1].map(i32::to_be_bytes).concat();
        assert_eq!(text_of("_text", endless.into()), None);
    }

    #[test]
    fn types_of_lists_are_the_lakes_and_postgresqls() {
        let texts = DataType::new_list(DataType::Utf8, true);
        for name in ["_text", "_varchar", "_uuid", "_bpchar"] {
            assert_eq!(lake_type(name), Some(texts.clone()));
        }
        assert_eq!(place_type(&texts), Type::TEXT_ARRAY);
        let numbers = DataType::new_list(DataType::Int64, true);
        assert_eq!(lake_type("_int4"), Some(numbers.clone()));
        assert_eq!(place_type(&numbers), Type::INT8_ARRAY);
    }
}
