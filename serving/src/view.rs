//! The shapes that many routes share: a moment, an amount, a page.

use crate::{
    problem::{Problem, Result},
    resource::Resource,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Invalid, Money, Timestamp, record::Record};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, str::FromStr};
use transactional::{Cursor, PageRequest, Stored};
use utoipa::{IntoParams, ToSchema};

/// A moment as RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error: Invalid| D::Error::custom(error))
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

/// Reads a value as a person types it, which may be stricter than how it is read where it is stored.
pub fn typed<'de, T: FromStr<Err = Invalid>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// An amount in minor units, such as cents, and its ISO 4217 currency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoneyView {
    #[schema(example = 1250)]
    pub amount_minor: i64,
    #[schema(example = "EUR", value_type = String)]
    pub currency: domain::Currency,
}

impl From<Money> for MoneyView {
    fn from(money: Money) -> Self {
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency,
        }
    }
}

/// Which part of a list to answer.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many at most: 1 to 200.
    #[serde(default)]
    #[param(default = 50, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A part of a list, and where the next one begins.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    pub items: Vec<T>,
    /// None: this was the last part.
    pub next_cursor: Option<String>,
}

impl PageQuery {
    pub fn request(&self) -> Result<PageRequest> {
        let limit = match self.limit.unwrap_or(50) {
            limit @ 1..=200 => limit,
            _ => return Err(Problem::new("invalid_parameter", "limit is 1 to 200").at("/limit")),
        };
        let after = match &self.cursor {
            Some(cursor) => Some(parse_cursor(cursor).ok_or_else(|| {
                Problem::new("invalid_parameter", "cursor is not one that this list has answered").at("/cursor")
            })?),
            None => None,
        };
        Ok(PageRequest { limit, after })
    }
}

/// A cursor is opaque to clients, so that what it holds may change.
fn parse_cursor(text: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

/// The core's page as the API shows it.
pub fn page_of<T, V: ToSchema>(page: transactional::Page<T>, show: impl Fn(T) -> V) -> Page<V> {
    Page {
        items: page.items.into_iter().map(show).collect(),
        next_cursor: page.next.map(|cursor| URL_SAFE_NO_PAD.encode(cursor.to_string())),
    }
}

pub fn page<T: Record>(page: transactional::Page<Stored<T>>) -> Page<Resource<T>> {
    page_of(page, Resource::from)
}
