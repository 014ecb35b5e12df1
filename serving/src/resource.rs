//! A domain record as the API shows it: the record's own fields, with times as RFC 3339 text and amounts as
//! `{ amount_minor, currency }`. Body and OpenAPI schema both follow from the record's list of fields, so a new field
//! shows in both without a line here.

use crate::view::MoneyView;
use domain::{
    Currency, OrganizerId, Timestamp,
    changes::{
        ApiToken, CheckIn, CheckInList, Device, Dispute, Event, Gate, Hold, Membership, Order, Organizer, Payment,
        Payout, Pool, PromoCode, Refund, Ticket, TicketType, Venue, WaitingEntry, WebhookEndpoint,
    },
    record::{Field, Kind, Record},
};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use transactional::Stored;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat, Type, schema::SchemaType,
    },
};

/// One entity in an answer.
pub struct Resource<T> {
    organizer_id: OrganizerId,
    version: i64,
    record: T,
    /// Of the amounts, where the record itself does not tell it.
    currency: Option<Currency>,
}

// The macros that document routes take a name without parameters.
pub type WebhookEndpointResource = Resource<WebhookEndpoint>;
pub type OrganizerResource = Resource<Organizer>;
pub type MembershipResource = Resource<Membership>;
pub type ApiTokenResource = Resource<ApiToken>;
pub type VenueResource = Resource<Venue>;
pub type EventResource = Resource<Event>;
pub type PoolResource = Resource<Pool>;
pub type PromoCodeResource = Resource<PromoCode>;
pub type TicketTypeResource = Resource<TicketType>;
pub type WaitingEntryResource = Resource<WaitingEntry>;
pub type HoldResource = Resource<Hold>;
pub type OrderResource = Resource<Order>;
pub type PaymentResource = Resource<Payment>;
pub type RefundResource = Resource<Refund>;
pub type DisputeResource = Resource<Dispute>;
pub type PayoutResource = Resource<Payout>;
pub type TicketResource = Resource<Ticket>;
pub type CheckInListResource = Resource<CheckInList>;
pub type CheckInResource = Resource<CheckIn>;
pub type GateResource = Resource<Gate>;
pub type DeviceResource = Resource<Device>;

impl<T> From<Stored<T>> for Resource<T> {
    fn from(stored: Stored<T>) -> Self {
        Self {
            organizer_id: stored.organizer_id,
            version: stored.version,
            record: stored.value,
            currency: None,
        }
    }
}

impl<T> Resource<T> {
    pub fn with_currency(mut self, currency: Currency) -> Self {
        self.currency = Some(currency);
        self
    }
}

impl<T: Record> Serialize for Resource<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = serde_json::to_value(&self.record).map_err(S::Error::custom)?;
        let mut shown = present(
            record,
            T::FIELDS,
            self.currency.map(|currency| json!(currency)).as_ref(),
        );
        if let Value::Object(map) = &mut shown {
            map.insert("organizer_id".into(), json!(self.organizer_id));
            map.insert("version".into(), json!(self.version));
        }
        shown.serialize(serializer)
    }
}

/// The JSON of a record as the API shows it.
fn present(record: Value, fields: &[Field], currency: Option<&Value>) -> Value {
    let Value::Object(mut record) = record else {
        return record;
    };
    let own_currency = record.get("currency").cloned();
    let currency = own_currency.as_ref().or(currency);
    let mut shown = Map::new();
    for field in fields {
        let Some(value) = record.remove(field.name) else {
            continue;
        };
        match (field.kind, value) {
            (_, Value::Null) => shown.insert(shown_name(field).into(), Value::Null),
            (Kind::Timestamp, value) => {
                let micros = value.as_i64().unwrap_or_default();
                shown.insert(
                    field.name.into(),
                    Value::String(Timestamp::from_micros(micros).to_string()),
                )
            }
            (Kind::List(inner), Value::Array(items)) => {
                let items = items.into_iter().map(|item| present(item, inner, currency)).collect();
                shown.insert(field.name.into(), Value::Array(items))
            }
            (_, value) if is_amount(field) => shown.insert(
                shown_name(field).into(),
                json!({ "amount_minor": value, "currency": currency }),
            ),
            (_, value) => shown.insert(field.name.into(), value),
        };
    }
    Value::Object(shown)
}

fn is_amount(field: &Field) -> bool {
    field.name.ends_with("_minor")
}

/// `total_minor` is shown as `total`, `amount_minor` of a price or payment as `amount`.
fn shown_name(field: &Field) -> &'static str {
    field.name.strip_suffix("_minor").unwrap_or(field.name)
}

impl<T: Record> PartialSchema for Resource<T> {
    fn schema() -> RefOr<Schema> {
        let envelope = ObjectBuilder::new()
            .property("organizer_id", simple(Type::String.into(), None))
            .property("version", ObjectBuilder::new().schema_type(Type::Integer));
        object(envelope, T::FIELDS)
    }
}

impl<T: Record> ToSchema for Resource<T> {
    fn name() -> Cow<'static, str> {
        let name = std::any::type_name::<T>();
        name.rsplit("::").next().unwrap_or(name).to_owned().into()
    }
}

fn object(mut builder: ObjectBuilder, fields: &[Field]) -> RefOr<Schema> {
    for field in fields {
        builder = builder.property(shown_name(field), property(field));
        builder = builder.required(shown_name(field));
    }
    RefOr::T(Schema::Object(builder.build()))
}

fn property(field: &Field) -> RefOr<Schema> {
    let date_time = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
    match field.kind {
        _ if is_amount(field) && field.nullable => {
            let or_null = OneOfBuilder::new()
                .item(MoneyView::schema())
                .item(simple(Type::Null.into(), None));
            RefOr::T(Schema::OneOf(or_null.build()))
        }
        _ if is_amount(field) => MoneyView::schema(),
        Kind::Text => simple(type_of(field, Type::String), None),
        Kind::Timestamp => simple(type_of(field, Type::String), date_time),
        Kind::BigInt => simple(type_of(field, Type::Integer), None),
        Kind::Double => simple(type_of(field, Type::Number), None),
        Kind::Boolean => simple(type_of(field, Type::Boolean), None),
        Kind::List(inner) => RefOr::T(Schema::Array(
            ArrayBuilder::new()
                .schema_type(type_of(field, Type::Array))
                .items(object(ObjectBuilder::new(), inner))
                .build(),
        )),
    }
}

fn type_of(field: &Field, kind: Type) -> SchemaType {
    match field.nullable {
        true => SchemaType::Array(vec![kind, Type::Null]),
        false => kind.into(),
    }
}

fn simple(kind: SchemaType, format: Option<SchemaFormat>) -> RefOr<Schema> {
    RefOr::T(Schema::Object(
        ObjectBuilder::new().schema_type(kind).format(format).build(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        EventId, HoldId, TicketTypeId,
        changes::{Hold, Line},
        order::HoldStatus,
    };

    #[test]
    fn a_record_is_shown_with_text_times_and_whole_amounts() {
        let hold = Hold {
            hold_id: HoldId::new(),
            event_id: EventId::new(),
            status: HoldStatus::Active,
            expires_at: Timestamp::from_micros(1),
            quantity: 2,
            amount_minor: 2_500,
            currency: "EUR".parse().unwrap(),
            lines: vec![Line::plain(TicketTypeId::new(), 2, 1_250)],
            promo_code_id: None,
            waiting_entry_id: None,
        };
        let shown = serde_json::to_value(Resource {
            organizer_id: OrganizerId::new(),
            version: 1,
            record: hold,
            currency: None,
        })
        .unwrap();
        assert_eq!(shown["expires_at"], "1970-01-01T00:00:00.000001Z");
        assert_eq!(shown["amount"], json!({ "amount_minor": 2_500, "currency": "EUR" }));
        assert_eq!(
            shown["lines"][0]["unit"],
            json!({ "amount_minor": 1_250, "currency": "EUR" })
        );
        assert_eq!(shown["version"], 1);
        assert!(shown.get("amount_minor").is_none());
    }
}
