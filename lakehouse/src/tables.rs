//! The lake's tables, derived from the domain's registry.

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use domain::{
    changes::{ENTITIES, ENVELOPE, Entity},
    interaction::{self, Interaction},
    record::{self, Kind, Record},
};
use std::sync::{Arc, LazyLock};

/// The log's topics, as the offsets in the lake name them.
pub const CHANGES: &str = "changes";
pub const INTERACTIONS: &str = "interactions";

/// The table for changes that this program doesn't know.
pub const UNROUTED: &str = "unrouted_changes";

pub(crate) const REJECTED: &str = "_rejected";
pub(crate) const DAY: &str = "day";

/// One lake table: good rows and rejects of one entity, or of the interactions.
#[derive(Debug)]
pub struct TableSpec {
    pub name: &'static str,
    pub topic: &'static str,
    /// None for interactions and unrouted changes.
    pub entity: Option<&'static Entity>,
    /// What a decoded batch has: envelope (changes only), payload, origin, `_error`, `_raw`.
    pub schema: SchemaRef,
    /// What the JSON of a record must have, nulls where the record allows them.
    pub(crate) payload: SchemaRef,
    /// The time whose day partitions good rows.
    pub(crate) day_of: &'static str,
    pub(crate) has_envelope: bool,
    /// The columns behind the batch's: by their values rows stand in files of their own.
    pub(crate) partitioned_by: &'static [&'static str],
    personal: &'static [&'static str],
    /// The columns whose range is kept a file.
    pub(crate) statistics: Vec<String>,
}

/// All tables: one an entity, then `interactions` and `unrouted_changes`.
pub fn table_specs() -> &'static [TableSpec] {
    static SPECS: LazyLock<Vec<TableSpec>> = LazyLock::new(|| {
        let entities = ENTITIES
            .iter()
            .map(|entity| TableSpec::new(entity.table, CHANGES, Some(entity), ENVELOPE, entity.fields));
        let interactions = TableSpec::new(interaction::TABLE, INTERACTIONS, None, &[], Interaction::FIELDS);
        let unrouted = TableSpec::new(UNROUTED, CHANGES, None, ENVELOPE, &[]);
        entities.chain([interactions, unrouted]).collect()
    });
    &SPECS
}

/// The position of a table in `table_specs`.
pub(crate) fn table_index(name: &str) -> Option<usize> {
    table_specs().iter().position(|spec| spec.name == name)
}

impl TableSpec {
    fn new(
        name: &'static str,
        topic: &'static str,
        entity: Option<&'static Entity>,
        envelope: &[record::Field],
        payload: &[record::Field],
    ) -> Self {
        let nullable = |field: &record::Field| Arc::new(Field::new(field.name, data_type(field.kind), true));
        let origin = [
            Field::new("_topic", DataType::Utf8, false),
            Field::new("_partition", DataType::Int64, false),
            Field::new("_offset", DataType::Int64, false),
            Field::new("_ingested_at", timestamp(), false),
            Field::new("_error", DataType::Utf8, true),
            Field::new("_raw", DataType::Binary, true),
        ];
        let columns = envelope.iter().chain(payload).map(nullable);
        let schema = Schema::new(columns.chain(origin.map(Arc::new)).collect::<Fields>());
        let strict = |field: &record::Field| Field::new(field.name, data_type(field.kind), field.nullable);
        let personal = entity.map_or(&[] as &[&str], |entity| entity.personal);
        Self {
            name,
            topic,
            entity,
            statistics: statistics(&schema, personal),
            schema: Arc::new(schema),
            payload: Arc::new(Schema::new(payload.iter().map(strict).collect::<Fields>())),
            day_of: if envelope.is_empty() {
                "received_at"
            } else {
                "recorded_at"
            },
            has_envelope: !envelope.is_empty(),
            partitioned_by: &[REJECTED, DAY],
            personal,
        }
    }

    /// A table of computed rows. There is one a transform of the program, so it may live as long as the process.
    pub(crate) fn kept(name: &str, schema: SchemaRef) -> &'static Self {
        Box::leak(Box::new(Self {
            name: Box::leak(name.into()),
            topic: "",
            entity: None,
            statistics: statistics(&schema, &[]),
            schema,
            payload: Arc::new(Schema::empty()),
            day_of: "",
            has_envelope: false,
            partitioned_by: &[],
            personal: &[],
        }))
    }

    /// The columns of the Delta table: the batch's, then those that partition it.
    pub(crate) fn stored_schema(&self) -> SchemaRef {
        let partition = [
            Field::new(REJECTED, DataType::Boolean, true),
            Field::new(DAY, DataType::Date32, true),
        ];
        let partition = partition
            .into_iter()
            .filter(|field| self.partitioned_by.contains(&field.name().as_str()));
        let own = self.schema.fields().iter().cloned();
        Arc::new(Schema::new(own.chain(partition.map(Arc::new)).collect::<Fields>()))
    }

    pub(crate) fn personal_columns(&self) -> &'static [&'static str] {
        self.personal
    }

    pub(crate) fn has_personal_data(&self) -> bool {
        !self.personal.is_empty()
    }
}

/// Ids, codes, numbers and times. Neither personal data, which would then stand in the log too, nor long text, which would
/// make every commit slower, nor where a record came from but for its place there.
fn statistics(schema: &Schema, personal: &[&str]) -> Vec<String> {
    const LEFT_OUT: &[&str] = &[
        "properties",
        "url",
        "referrer",
        "description",
        "title",
        "name",
        "address",
        "_topic",
        "_error",
        "_raw",
    ];
    let fields = schema.fields().iter();
    fields
        .filter(|field| !field.data_type().is_nested())
        .map(|field| field.name())
        .filter(|name| !personal.contains(&name.as_str()) && !LEFT_OUT.contains(&name.as_str()))
        .cloned()
        .collect()
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::BigInt => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Timestamp => timestamp(),
        Kind::List(fields) => {
            let item = |field: &record::Field| Field::new(field.name, data_type(field.kind), true);
            let items = DataType::Struct(fields.iter().map(item).collect());
            // Delta calls the items of a list `element`.
            DataType::List(Arc::new(Field::new("element", items, true)))
        }
    }
}

pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_and_long_text_stay_out_of_file_statistics() {
        for spec in table_specs() {
            for name in ["email", "phone", "name", "properties", "_raw", "lines"] {
                assert!(!spec.statistics.iter().any(|kept| kept == name), "{}.{name}", spec.name);
            }
        }
        let order = &table_specs()[table_index("order_changes").unwrap()];
        assert_eq!(order.statistics[..2], ["seq", "change_id"]);
        assert!(order.statistics.iter().any(|name| name == "total_minor"));
    }
}
