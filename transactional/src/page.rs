//! Lists, a page at a time. The place where a page ends is a key, never a number of rows, so that a list that grows
//! neither repeats a row nor loses one.

use crate::{
    Result, Source, Stored,
    rows::{self, Storable},
    sql::{self, Bind, Value},
};
use domain::Invalid;
use std::{fmt, str::FromStr};

pub(crate) const MOST_ITEMS: u32 = 200;

#[derive(Clone, Debug)]
pub struct PageRequest {
    /// 1 to 200.
    pub limit: u32,
    pub after: Option<Cursor>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, after: None }
    }
}

#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None: there is no more.
    pub next: Option<Cursor>,
}

/// The sort key and the id of the last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub key: i64,
    pub id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key, self.id)
    }
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("this is no cursor of this program");
        let (key, id) = text.split_once('.').ok_or_else(wrong)?;
        if id.len() != 36 || !id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Err(wrong());
        }
        Ok(Self {
            key: key.parse().map_err(|_| wrong())?,
            id: id.to_owned(),
        })
    }
}

impl PageRequest {
    fn rows(&self) -> usize {
        self.limit.clamp(1, MOST_ITEMS) as usize
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// The conditions of a list, and the values that they compare with.
#[derive(Default)]
pub(crate) struct Filter {
    conditions: String,
    values: Vec<Value>,
}

impl Filter {
    /// `compared` is the left side with its operator, such as `event_id =`.
    pub(crate) fn and(mut self, compared: &'static str, value: &impl Bind) -> Self {
        self.values.push(value.value());
        self.conditions
            .push_str(&format!("{compared} ${} and ", self.values.len()));
        self
    }

    pub(crate) fn and_if(self, compared: &'static str, value: &Option<impl Bind>) -> Self {
        match value {
            Some(value) => self.and(compared, value),
            None => self,
        }
    }

    pub(crate) fn and_any_of(mut self, column: &'static str, values: &[impl Bind]) -> Self {
        if !values.is_empty() {
            let from = self.values.len() + 1;
            self.values.extend(values.iter().map(Bind::value));
            let places: Vec<String> = (from..=self.values.len()).map(|place| format!("${place}")).collect();
            self.conditions
                .push_str(&format!("{column} in ({}) and ", places.join(", ")));
        }
        self
    }
}

/// A page of records, sorted by `sort` (a bigint column; None: nothing before the id) and the id.
pub(crate) async fn list<T: Storable>(
    db: &mut impl Source,
    filter: Filter,
    sort: Option<&'static str>,
    order: Order,
    request: &PageRequest,
) -> Result<Page<Stored<T>>> {
    let (compare, direction, start) = match order {
        Order::Ascending => (">", "asc", (i64::MIN, "")),
        Order::Descending => ("<", "desc", (i64::MAX, "~")),
    };
    let start = request
        .after
        .as_ref()
        .map_or(start, |cursor| (cursor.key, cursor.id.as_str()));
    let Filter { conditions, mut values } = filter;
    let (columns, key, at) = (rows::columns::<T>("t"), T::ENTITY.key, values.len());
    let (id_place, key_place, limit_place) = (at + 1, at + 2, at + 3);
    let (after, by, sort_key) = match sort {
        Some(sort) => (
            format!("({sort}, {key}) {compare} (${key_place}, ${id_place})"),
            format!("{sort} {direction}, "),
            sort,
        ),
        None => (
            format!("{key} {compare} ${id_place} and 0 <> ${key_place}"),
            String::new(),
            "1",
        ),
    };
    let sql = format!(
        "select {columns}, {sort_key} as sort_key from {} t where {conditions} {after} \
         order by {by}{key} {direction} limit ${limit_place}",
        T::ENTITY.view,
    );
    let limit = request.rows();
    values.extend([start.1.value(), start.0.value(), Value::Int(limit as i64 + 1)]);
    let found = sql::all(db, sql, values).await?;
    let items: Vec<_> = found
        .iter()
        .take(limit)
        .map(|row| rows::decode::<T>(row, 0))
        .collect::<Result<_>>()?;
    let next = match (found.get(limit), found.get(limit - 1), items.last()) {
        (Some(_), Some(row), Some(last)) => Some(Cursor {
            key: sql::Columns::int(row, "sort_key")?,
            id: last.value.entity_id(),
        }),
        _ => None,
    };
    Ok(Page { items, next })
}
