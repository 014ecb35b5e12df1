//! The lake's tables as transforms read them.

use domain::{
    changes::{ENTITIES, ENVELOPE},
    interaction::{self, Interaction},
    record::{Field, Record},
};
use lakehouse::relations::Position;

/// A table of the lake: what is known of its rows, and which of them are new.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    /// The table that new rows come into: `order_changes`, `interactions`.
    pub(crate) table: String,
}

/// The day of `received_at`, by which interactions are stored.
const DAY: &str = "day";

impl Source {
    /// The table of that name, or the one behind the view of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let entity = ENTITIES
            .iter()
            .find(|entity| [entity.table, entity.view].contains(&name));
        let table = match entity {
            Some(entity) => entity.table,
            None if name == interaction::TABLE => interaction::TABLE,
            None => return None,
        };
        Some(Self {
            table: table.to_owned(),
        })
    }

    /// Whether its rows have a place in the order of changes. Interactions have one in their partition alone.
    pub(crate) fn has_seq(&self) -> bool {
        self.table != interaction::TABLE
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        let entity = ENTITIES.iter().find(|entity| entity.table == self.table);
        let (envelope, payload): (&[Field], &[Field]) = match entity {
            Some(entity) => (ENVELOPE, entity.fields),
            None => (&[], Interaction::FIELDS),
        };
        let mut fields = envelope.iter().chain(payload);
        fields.any(|field| field.name == column) || (!self.has_seq() && column == DAY)
    }
}

/// What is true of rows between two positions; `has_seq` as of [`Source`].
pub(crate) fn between(has_seq: bool, after: &Position, up_to: &Position) -> String {
    if has_seq {
        return format!("seq > {} and seq <= {}", after.seq, up_to.seq);
    }
    let partitions = up_to.interactions.iter().map(|(partition, next)| {
        let from = after.interactions.get(partition).copied().unwrap_or(0);
        format!("(_partition = {partition} and _offset >= {from} and _offset < {next})")
    });
    match partitions.collect::<Vec<_>>() {
        none if none.is_empty() => "false".to_owned(),
        some => format!("({})", some.join(" or ")),
    }
}
