//! Values in and out of SQL, and the four ways to run a statement.

use crate::{
    Error, Result,
    dialect::{Connection, Row},
};
use domain::{Timestamp, check_in, event, order};
use sqlx::{Row as _, SqlSafeStr, any::AnyArguments, query::Query};
use std::str::FromStr;

/// What can be bound to a `$n`.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    NoText,
    NoInt,
    NoDouble,
    Text(String),
    Int(i64),
    Double(f64),
}

pub(crate) trait Bind {
    /// The value that stands for nothing of this type: PostgreSQL wants to know the type of a null.
    const NONE: Value;

    fn value(&self) -> Value;
}

macro_rules! text_binds {
    ($($type:ty)*) => {$(
        impl Bind for $type {
            const NONE: Value = Value::NoText;

            fn value(&self) -> Value {
                Value::Text(self.to_string())
            }
        }
    )*};
}

text_binds! {
    str String domain::ApiTokenId domain::CheckInId domain::CheckInListId domain::EventId domain::HoldId
    domain::MembershipId domain::OrderId domain::OrganizerId domain::PaymentId domain::PersonId domain::PoolId
    domain::SessionId domain::TicketId domain::TicketTypeId domain::UserId domain::VenueId domain::Currency
    domain::Email domain::Label domain::Slug domain::Role check_in::ScanKind check_in::Refusal event::EventStatus
    order::HoldStatus order::OrderStatus order::PaymentStatus order::TicketStatus
}

impl Bind for i64 {
    const NONE: Value = Value::NoInt;

    fn value(&self) -> Value {
        Value::Int(*self)
    }
}

impl Bind for bool {
    const NONE: Value = Value::NoInt;

    fn value(&self) -> Value {
        Value::Int(i64::from(*self))
    }
}

impl Bind for Timestamp {
    const NONE: Value = Value::NoInt;

    fn value(&self) -> Value {
        Value::Int(self.as_micros())
    }
}

impl Bind for Value {
    const NONE: Value = Value::NoText;

    fn value(&self) -> Value {
        self.clone()
    }
}

impl<T: Bind> Bind for Option<T> {
    const NONE: Value = T::NONE;

    fn value(&self) -> Value {
        self.as_ref().map_or(T::NONE, Bind::value)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    const NONE: Value = T::NONE;

    fn value(&self) -> Value {
        (**self).value()
    }
}

/// `binds![event_id, quantity]`: the values of `$1`, `$2`.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Bind::value(&$value)),*] };
}
pub(crate) use binds;

fn query(sql: impl SqlSafeStr, values: Vec<Value>) -> Query<'static, sqlx::Any, AnyArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::NoText => query.bind(None::<String>),
        Value::NoInt => query.bind(None::<i64>),
        Value::NoDouble => query.bind(None::<f64>),
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Double(double) => query.bind(double),
    })
}

/// The number of rows that it changed.
pub(crate) async fn execute(conn: &mut Connection, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<u64> {
    Ok(query(sql, values).execute(conn).await?.rows_affected())
}

pub(crate) async fn optional(conn: &mut Connection, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Option<Row>> {
    Ok(query(sql, values).fetch_optional(conn).await?)
}

pub(crate) async fn one(conn: &mut Connection, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Row> {
    Ok(query(sql, values).fetch_one(conn).await?)
}

pub(crate) async fn all(conn: &mut Connection, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Vec<Row>> {
    Ok(query(sql, values).fetch_all(conn).await?)
}

/// Statements without values, one or several, never kept prepared.
pub(crate) async fn raw(conn: &mut Connection, sql: &'static str) -> Result<()> {
    sqlx::raw_sql(sql).execute(conn).await?;
    Ok(())
}

/// Columns by name, as what they mean.
pub(crate) trait Columns {
    fn int(&self, column: &str) -> Result<i64>;
    fn maybe_int(&self, column: &str) -> Result<Option<i64>>;
    fn text(&self, column: &str) -> Result<String>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;

    fn time(&self, column: &str) -> Result<Timestamp> {
        self.int(column).map(Timestamp::from_micros)
    }

    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_micros))
    }

    fn parse<T: FromStr<Err = domain::Invalid>>(&self, column: &str) -> Result<T> {
        parse(&self.text(column)?)
    }
}

impl Columns for Row {
    fn int(&self, column: &str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }
}

/// A value that the core itself has written: failing to read it is a fault of the store, not of the caller.
pub(crate) fn parse<T: FromStr<Err = domain::Invalid>>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|error: domain::Invalid| Error::Storage(format!("a stored value can't be read: {error}")))
}
