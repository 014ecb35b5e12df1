//! How a Rust struct becomes columns: each change and each interaction is a struct whose fields are listed once, by
//! `record!`, and the lake's tables are made from that list.

use serde::Serialize;

/// What a column holds. A timestamp is microseconds UTC; text includes ids and codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    BigInt,
    Double,
    Boolean,
    Timestamp,
    List(&'static [Field]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub nullable: bool,
}

/// A struct whose JSON form has exactly the keys of `FIELDS`.
pub trait Record: Serialize {
    const FIELDS: &'static [Field];
}

/// A type that may be a field of a record.
pub trait ColumnType {
    const KIND: Kind;
    const NULLABLE: bool = false;
}

impl ColumnType for String {
    const KIND: Kind = Kind::Text;
}

impl ColumnType for i64 {
    const KIND: Kind = Kind::BigInt;
}

impl ColumnType for f64 {
    const KIND: Kind = Kind::Double;
}

impl ColumnType for bool {
    const KIND: Kind = Kind::Boolean;
}

impl<T: ColumnType> ColumnType for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
}

impl<T: Record> ColumnType for Vec<T> {
    const KIND: Kind = Kind::List(T::FIELDS);
}

/// Declares a struct together with its columns.
macro_rules! record {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $crate::record::Record for $name {
            const FIELDS: &'static [$crate::record::Field] = &[$(
                $crate::record::Field {
                    name: stringify!($field),
                    kind: <$type as $crate::record::ColumnType>::KIND,
                    nullable: <$type as $crate::record::ColumnType>::NULLABLE,
                },
            )+];
        }
    )+};
}

/// Declares an enum without data that is stored as its snake_case name.
macro_rules! states {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Invalid;

            fn from_str(text: &str) -> Result<Self, $crate::Invalid> {
                match text {
                    $($text => Ok($name::$variant),)+
                    _ => Err($crate::Invalid(format!("expected one of: {}", [$($text),+].join(", ")))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::record::ColumnType for $name {
            const KIND: $crate::record::Kind = $crate::record::Kind::Text;
        }
    )+};
}

pub(crate) use {record, states};
