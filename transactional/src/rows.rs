//! Records in tables. An entity's table has the columns of its record, so reading, inserting and updating are written
//! once, from the list of fields that also makes the lake's table.

use crate::{
    Error, Result, Source, Stored, Tx,
    dialect::Row,
    sql::{self, Bind, Value, binds},
};
use domain::{
    OrganizerId,
    changes::{Changed, ENTITIES, Entity},
    record::{Field, Kind},
};
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock},
};

/// A record that can be stored and read back.
pub(crate) trait Storable: Changed + DeserializeOwned + Clone + Send + Sync {}

impl<T: Changed + DeserializeOwned + Clone + Send + Sync> Storable for T {}

/// Several rows go into one statement, in powers of two, so that few different statements are prepared.
const MOST_ROWS: usize = 16;

struct Table {
    entity: &'static Entity,
    /// An organizer's own id is its organizer_id; it has no second column for it.
    owned: bool,
    inserts: [OnceLock<Arc<String>>; 5],
    update: Arc<String>,
    get: Arc<String>,
}

static TABLES: LazyLock<HashMap<&'static str, Table>> = LazyLock::new(|| {
    ENTITIES
        .iter()
        .map(|entity| (entity.name, Table::new(entity)))
        .collect()
});

#[expect(
    clippy::expect_used,
    reason = "every record that is an entity stands in the list ENTITIES"
)]
fn table<T: Changed>() -> &'static Table {
    TABLES.get(T::ENTITY.name).expect("an entity of the registry")
}

/// The columns of a record for a select, as [`decode`] reads them.
pub(crate) fn columns<T: Changed>(alias: &str) -> String {
    table::<T>().select_list(alias)
}

/// How many columns [`columns`] gives, for the second record of a row.
pub(crate) fn width<T: Changed>() -> usize {
    T::FIELDS.len() + 2
}

pub(crate) async fn get<T: Storable>(db: &mut impl Source, id: &impl Bind) -> Result<Stored<T>> {
    let sql = table::<T>().get.clone();
    let row = sql::optional(db, sql, binds![id]).await?;
    row.map(|row| decode(&row, 0))
        .transpose()?
        .ok_or_else(|| Error::not_found(T::ENTITY.name))
}

/// `select <columns> from <table> where …`, for a condition that is part of this program.
pub(crate) async fn find<T: Storable>(
    db: &mut impl Source,
    condition: &'static str,
    values: Vec<Value>,
) -> Result<Vec<Stored<T>>> {
    let (columns, view) = (columns::<T>("t"), T::ENTITY.view);
    let sql = format!("select {columns} from {view} t where {condition}");
    let rows = sql::all(db, sql, values).await?;
    rows.iter().map(|row| decode(row, 0)).collect()
}

/// Inserts rows of version `version`; `private` names columns beyond the record, the same for all rows.
pub(crate) fn insert<T: Storable>(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    version: i64,
    records: &[T],
    private: &[(&'static str, Value)],
) -> Result<()> {
    let table = table::<T>();
    let mut rest = records;
    while !rest.is_empty() {
        let power = rest.len().min(MOST_ROWS).ilog2() as usize;
        let (now, later) = rest.split_at(1 << power);
        let sql = if private.is_empty() {
            table.inserts[power]
                .get_or_init(|| Arc::new(table.insert(1 << power, &[])))
                .clone()
        } else {
            Arc::new(table.insert(1 << power, private))
        };
        let mut values = Vec::new();
        for record in now {
            if table.owned {
                values.push(organizer_id.value());
            }
            values.push(Value::Int(version));
            values.extend(fields_of(record)?);
            values.extend(private.iter().map(|(_, value)| value.clone()));
        }
        tx.defer(sql, values, 1 << power);
        rest = later;
    }
    Ok(())
}

/// Writes the record as the version after `stored.version`.
pub(crate) fn update<T: Storable>(tx: &mut Tx, stored: &Stored<T>) -> Result<()> {
    let mut values = vec![stored.value.entity_id().value(), Value::Int(stored.version)];
    values.extend(fields_of(&stored.value)?);
    tx.defer(table::<T>().update.clone(), values, 1);
    Ok(())
}

/// Reads what [`columns`] selected, from column `at` on.
pub(crate) fn decode<T: Storable>(row: &Row, at: usize) -> Result<Stored<T>> {
    decode_optional(row, at)?.ok_or_else(|| Error::not_found(T::ENTITY.name))
}

/// The same for the outer side of a join: None if there was no row.
pub(crate) fn decode_optional<T: Storable>(row: &Row, at: usize) -> Result<Option<Stored<T>>> {
    let Some(organizer_id) = row.try_get::<Option<String>, _>(at)? else {
        return Ok(None);
    };
    let mut object = serde_json::Map::new();
    for (index, field) in T::FIELDS.iter().enumerate() {
        object.insert(field.name.to_owned(), read(row, at + 2 + index, field)?);
    }
    Ok(Some(Stored {
        organizer_id: sql::parse(&organizer_id)?,
        version: row.try_get(at + 1)?,
        value: serde_json::from_value(serde_json::Value::Object(object))?,
    }))
}

fn read(row: &Row, index: usize, field: &Field) -> Result<serde_json::Value> {
    use serde_json::Value as Json;
    let json = match field.kind {
        Kind::Text => row.try_get::<Option<String>, _>(index)?.map(Json::from),
        Kind::BigInt | Kind::Timestamp => row.try_get::<Option<i64>, _>(index)?.map(Json::from),
        Kind::Boolean => row.try_get::<Option<i64>, _>(index)?.map(|int| Json::from(int != 0)),
        Kind::Double => row.try_get::<Option<f64>, _>(index)?.map(Json::from),
        Kind::List(_) => match row.try_get::<Option<String>, _>(index)? {
            Some(text) => Some(serde_json::from_str(&text)?),
            None => None,
        },
    };
    Ok(json.unwrap_or(Json::Null))
}

fn fields_of<T: Changed>(record: &T) -> Result<Vec<Value>> {
    use serde_json::Value as Json;
    let mut object = match serde_json::to_value(record)? {
        Json::Object(object) => object,
        _ => return Err(Error::Storage("a record is no JSON object".into())),
    };
    let value = |field: &Field| match (object.remove(field.name).unwrap_or(Json::Null), field.kind) {
        (Json::Null, Kind::Text | Kind::List(_)) => Value::NoText,
        (Json::Null, Kind::Double) => Value::NoDouble,
        (Json::Null, _) => Value::NoInt,
        (Json::String(text), _) => Value::Text(text),
        (Json::Bool(truth), _) => Value::Int(i64::from(truth)),
        (Json::Number(number), Kind::Double) => number.as_f64().map_or(Value::NoDouble, Value::Double),
        (Json::Number(number), _) => number.as_i64().map_or(Value::NoInt, Value::Int),
        (list, _) => Value::Text(list.to_string()),
    };
    Ok(T::FIELDS.iter().map(value).collect())
}

impl Table {
    fn new(entity: &'static Entity) -> Self {
        let owned = entity.key != "id";
        let sets: Vec<String> = entity
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| format!("{} = ${}", field.name, index + 3))
            .collect();
        let mut table = Self {
            entity,
            owned,
            inserts: Default::default(),
            update: Arc::default(),
            get: Arc::default(),
        };
        table.update = Arc::new(format!(
            "update {} set version = $2, {} where {} = $1 and version = $2 - 1",
            entity.view,
            sets.join(", "),
            entity.key
        ));
        table.get = Arc::new(format!(
            "select {} from {} t where t.{} = $1",
            table.select_list("t"),
            entity.view,
            entity.key
        ));
        table
    }

    fn select_list(&self, alias: &str) -> String {
        let owner = if self.owned { "organizer_id" } else { "id" };
        let names = [owner, "version"]
            .into_iter()
            .chain(self.entity.fields.iter().map(|field| field.name));
        names
            .map(|name| format!("{alias}.{name}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn insert(&self, rows: usize, private: &[(&'static str, Value)]) -> String {
        let names: Vec<&str> = self
            .owned
            .then_some("organizer_id")
            .into_iter()
            .chain(["version"])
            .chain(self.entity.fields.iter().map(|field| field.name))
            .chain(private.iter().map(|(name, _)| *name))
            .collect();
        format!(
            "insert into {} ({}) values {}",
            self.entity.view,
            names.join(", "),
            placeholders(rows, names.len())
        )
    }
}

/// `($1, $2), ($3, $4)`
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
