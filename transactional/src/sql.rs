//! Values in and out of SQL, and the four ways to run a statement.

use crate::{
    Error, Result, Source,
    dialect::{self, Connection, Prepared, Row},
};
use domain::{Timestamp, check_in, event, message, order};
use sqlx::Row as _;
use std::{str::FromStr, sync::Arc};

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
    str String domain::ApiTokenId domain::CheckInId domain::CheckInListId domain::DisputeId domain::EntryId
    domain::ErasureId domain::EventId domain::HoldId domain::MembershipId domain::OrderId domain::OrganizerId
    domain::PaymentId domain::PayoutId domain::PersonId domain::PoolId domain::PromoCodeId domain::RefundId
    domain::SessionId domain::TicketId domain::TicketTypeId domain::UserId domain::VenueId domain::WaitingEntryId
    domain::Currency domain::DeviceId domain::GateId
    domain::Email domain::Label domain::Slug domain::Role check_in::ScanKind check_in::Refusal event::EventStatus
    order::EntryKind order::HoldStatus order::OrderStatus order::PaymentStatus order::TicketStatus order::WaitingStatus domain::MailId
    domain::WebhookDeliveryId domain::WebhookEndpointId message::DeliveryStatus message::Language
    message::MailStatus domain::DashboardShareId domain::ReportId domain::AlertRuleId domain::SavedQuestionId
}

impl Bind for i64 {
    const NONE: Value = Value::NoInt;

    fn value(&self) -> Value {
        Value::Int(*self)
    }
}

impl Bind for f64 {
    const NONE: Value = Value::NoDouble;

    fn value(&self) -> Value {
        Value::Double(*self)
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

/// The text of a statement: part of this program, or made once from the registry of entities. Never from input.
#[derive(Clone)]
pub(crate) enum Text {
    Static(&'static str),
    Shared(Arc<String>),
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Text::Static(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::Shared(Arc::new(text))
    }
}

impl From<Arc<String>> for Text {
    fn from(text: Arc<String>) -> Self {
        Text::Shared(text)
    }
}

pub(crate) struct Statement {
    pub(crate) text: Text,
    pub(crate) values: Vec<Value>,
    /// How many rows it must change.
    pub(crate) rows: Option<u64>,
}

impl Statement {
    pub(crate) fn new(text: impl Into<Text>, values: Vec<Value>) -> Self {
        Self {
            text: text.into(),
            values,
            rows: None,
        }
    }
}

/// What waits to be sent ahead of the next statement. The way to the database and back costs more than most statements
/// do, so writes whose outcome nothing depends on travel together.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Opens the command's savepoint: these go first, and with them sent the command can be rolled back.
    pub(crate) savepoint: Vec<Statement>,
    pub(crate) writes: Vec<Statement>,
    /// A savepoint of this batch has been sent.
    pub(crate) opened: bool,
    /// Sending one failed: it is unknown where a rollback would lead to.
    pub(crate) lost: bool,
    /// What the connection knows of earlier batches.
    pub(crate) prepared: Prepared,
}

impl Waiting {
    /// Forgets what belongs to a batch.
    pub(crate) fn clear(&mut self) {
        let prepared = std::mem::take(&mut self.prepared);
        *self = Self {
            prepared,
            ..Self::default()
        };
    }
}

/// A connection with what waits for it.
pub struct Session<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) waiting: Option<&'a mut Waiting>,
}

/// The number of rows that it changed.
pub(crate) async fn execute(db: &mut impl Source, text: impl Into<Text>, values: Vec<Value>) -> Result<u64> {
    Ok(send(db, Some(Statement::new(text, values))).await?.1)
}

pub(crate) async fn optional(db: &mut impl Source, text: impl Into<Text>, values: Vec<Value>) -> Result<Option<Row>> {
    Ok(all(db, text, values).await?.into_iter().next())
}

pub(crate) async fn one(db: &mut impl Source, text: impl Into<Text>, values: Vec<Value>) -> Result<Row> {
    let row = optional(db, text, values).await?;
    row.ok_or_else(|| Error::Storage("a row that every database has is not there".into()))
}

pub(crate) async fn all(db: &mut impl Source, text: impl Into<Text>, values: Vec<Value>) -> Result<Vec<Row>> {
    Ok(send(db, Some(Statement::new(text, values))).await?.0)
}

/// Sends what waits.
pub(crate) async fn flush(db: &mut impl Source) -> Result<()> {
    send(db, None).await.map(drop)
}

/// Sends what waits and then this statement; gives back its rows and the number of rows it changed.
async fn send(db: &mut impl Source, last: Option<Statement>) -> Result<(Vec<Row>, u64)> {
    let Session {
        connection,
        mut waiting,
    } = db.session();
    let (mut statements, mut savepoints) = (Vec::new(), 0);
    if let Some(waiting) = &mut waiting {
        savepoints = waiting.savepoint.len();
        waiting.opened |= savepoints > 0;
        statements.append(&mut waiting.savepoint);
        statements.append(&mut waiting.writes);
    }
    statements.extend(last);
    let (mut rows, mut done) = (Vec::new(), Vec::with_capacity(statements.len()));
    let prepared = waiting.as_mut().map(|waiting| &mut waiting.prepared);
    let sent = dialect::send(connection, prepared, &statements, &mut rows, &mut done).await;
    if let Some(waiting) = waiting {
        waiting.lost |= done.len() < savepoints;
    }
    sent?;
    let as_expected = |(statement, changed): (&Statement, &u64)| statement.rows.is_none_or(|rows| rows == *changed);
    if !statements.iter().zip(&done).all(as_expected) {
        return Err(Error::conflict(
            "changed_meanwhile",
            "somebody else has changed this; read it again",
        ));
    }
    Ok((rows, done.last().copied().unwrap_or(0)))
}

/// Statements without values, one or several, never kept prepared, and ahead of what waits.
pub(crate) async fn raw(connection: &mut Connection, sql: &'static str) -> Result<()> {
    dialect::raw(connection, sql).await
}

/// Columns by name, as what they mean.
pub(crate) trait Columns {
    fn int(&self, column: &str) -> Result<i64>;
    fn maybe_int(&self, column: &str) -> Result<Option<i64>>;
    fn text(&self, column: &str) -> Result<String>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    fn maybe_double(&self, column: &str) -> Result<Option<f64>>;

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

    fn maybe_double(&self, column: &str) -> Result<Option<f64>> {
        Ok(self.try_get(column)?)
    }
}

/// A value that the core itself has written: failing to read it is a fault of the store, not of the caller.
pub(crate) fn parse<T: FromStr<Err = domain::Invalid>>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|error: domain::Invalid| Error::Storage(format!("a stored value can't be read: {error}")))
}
