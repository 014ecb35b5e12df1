//! Every change that the core can make, and the registry from which outbox, log, sink and lake tables are derived.
//!
//! To add one: write `changes/<entity>.rs`, and name it in `entities!` below.

mod access;
mod check_in;
mod event;
mod insight;
mod money;
mod order;
mod organizer;
mod person;
mod pricing;
mod waiting;
mod webhook;

pub use access::{ApiToken, Membership};
pub use check_in::{CheckIn, CheckInList, Device, Gate, ListedType};
pub use event::{Event, Pool, PoolRef, Price, TicketType, Venue};
pub use insight::{AlertRule, DashboardShare, ListedRecipient, Report, RuleFilter};
pub use money::{Dispute, Payment, Payout, Refund};
pub use order::{Hold, Line, Order, TakenBack, Ticket};
pub use organizer::Organizer;
pub use person::Person;
pub use pricing::{Charge, PromoCode};
pub use waiting::WaitingEntry;
pub use webhook::{ListedChangeType, WebhookEndpoint};

use crate::{
    ChangeId, OrganizerId, Timestamp,
    record::{ColumnType, Field, Kind, Record},
};

/// What one kind of thing looks like everywhere outside the core.
#[derive(Debug)]
pub struct Entity {
    /// `order`
    pub name: &'static str,
    /// The lake table of its changes: `order_changes`. Its core table and lake view have the name of `view`.
    pub table: &'static str,
    /// The lake view of its current state, and the core's table: `orders`
    pub view: &'static str,
    /// The column that holds its id: `order_id`
    pub key: &'static str,
    /// The column whose sum must agree between core and lake.
    pub money: Option<&'static str>,
    pub change_types: &'static [&'static str],
    pub fields: &'static [Field],
    /// Columns with personal data: encrypted in the outbox and the log, kept out of file statistics, in one table alone,
    /// and emptied when the entity's person is erased. Nullable text.
    pub personal: &'static [&'static str],
}

/// A record that is an entity's whole state after a change.
pub trait Changed: Record {
    const ENTITY: Entity;

    fn entity_id(&self) -> String;
}

macro_rules! entities {
    ($($type:ident)*) => {
        /// All entities, those that others refer to first.
        pub static ENTITIES: &[Entity] = &[$($type::ENTITY),*];

        #[cfg(test)]
        const RECORDS: &[(&str, &[Field])] = &[$((stringify!($type), <$type as Record>::FIELDS)),*];
    };
}

entities! {
    Organizer Membership ApiToken Venue Event Pool TicketType PromoCode Person WaitingEntry Hold Order Payment
    Refund Dispute Payout Ticket CheckInList CheckIn Gate Device WebhookEndpoint DashboardShare Report AlertRule
}

/// The entity of that name.
pub fn entity_named(name: &str) -> Option<&'static Entity> {
    ENTITIES.iter().find(|entity| entity.name == name)
}

/// The entity that a change type such as `order.paid` belongs to, if it is known.
pub fn entity_of(change_type: &str) -> Option<&'static Entity> {
    ENTITIES
        .iter()
        .find(|entity| entity.change_types.contains(&change_type))
}

/// One row of the outbox, one message of the log, one row of a lake table.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Commit order in the core.
    pub seq: i64,
    /// How many changes of the same command follow: a reader that stops at 0 never sees half a command.
    pub remaining: i64,
    pub change_id: ChangeId,
    pub change_type: String,
    pub schema_version: i64,
    pub organizer_id: OrganizerId,
    pub entity: String,
    pub entity_id: String,
    pub entity_version: i64,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub actor: String,
    /// JSON: the entity's record.
    pub payload: String,
    /// The request that made it.
    pub correlation_id: Option<String>,
    /// That request's place in a trace, in the form of W3C Trace Context.
    pub traceparent: Option<String>,
}

/// The version of every payload's schema; raised when a field changes its meaning.
pub const SCHEMA_VERSION: i64 = 1;

const fn text(name: &'static str) -> Field {
    Field {
        name,
        kind: Kind::Text,
        nullable: false,
    }
}

/// The columns that every lake table of changes begins with, in this order.
pub const ENVELOPE: &[Field] = &[
    Field {
        name: "seq",
        kind: <i64 as ColumnType>::KIND,
        nullable: false,
    },
    text("change_id"),
    text("change_type"),
    Field {
        name: "schema_version",
        kind: Kind::BigInt,
        nullable: false,
    },
    text("organizer_id"),
    text("entity"),
    text("entity_id"),
    Field {
        name: "entity_version",
        kind: Kind::BigInt,
        nullable: false,
    },
    Field {
        name: "occurred_at",
        kind: Kind::Timestamp,
        nullable: false,
    },
    Field {
        name: "recorded_at",
        kind: Kind::Timestamp,
        nullable: false,
    },
    text("actor"),
    Field {
        name: "correlation_id",
        kind: Kind::Text,
        nullable: true,
    },
];

macro_rules! entity {
    ($type:ident, $name:literal, $view:literal, key: $key:ident, money: $money:expr, personal: $personal:expr,
     changes: [$($change:literal),+ $(,)?]) => {
        impl $crate::changes::Changed for $type {
            const ENTITY: $crate::changes::Entity = $crate::changes::Entity {
                name: $name,
                table: concat!($name, "_changes"),
                view: $view,
                key: stringify!($key),
                money: $money,
                change_types: &[$(concat!($name, ".", $change)),+],
                fields: <$type as $crate::record::Record>::FIELDS,
                personal: $personal,
            };

            fn entity_id(&self) -> String {
                self.$key.to_string()
            }
        }
    };
}
use entity;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_change_type_belongs_to_one_entity_and_columns_never_collide() {
        let mut seen = HashSet::new();
        for entity in ENTITIES {
            for change_type in entity.change_types {
                assert!(seen.insert(*change_type), "{change_type} is registered twice");
                assert_eq!(entity_of(change_type).map(|found| found.name), Some(entity.name));
            }
            let columns: Vec<&str> = ENVELOPE.iter().chain(entity.fields).map(|field| field.name).collect();
            assert_eq!(
                columns.iter().collect::<HashSet<_>>().len(),
                columns.len(),
                "{}: {columns:?}",
                entity.name
            );
            assert!(entity.fields.iter().any(|field| field.name == entity.key));
            for named in entity.personal.iter().chain(&entity.money) {
                assert!(
                    entity.fields.iter().any(|field| field.name == *named),
                    "{}.{named}",
                    entity.name
                );
            }
        }
        assert_eq!(RECORDS.len(), ENTITIES.len());
    }

    #[test]
    fn personal_data_stands_in_one_entity_alone() {
        let holders: Vec<&str> = ENTITIES
            .iter()
            .filter(|e| !e.personal.is_empty())
            .map(|e| e.name)
            .collect();
        assert_eq!(holders, ["person"]);
        for entity in ENTITIES.iter().filter(|entity| entity.name != "person") {
            assert!(
                !entity.fields.iter().any(|f| ["email", "phone"].contains(&f.name)),
                "{}",
                entity.name
            );
        }
    }
}
