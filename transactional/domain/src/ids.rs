//! One type an id, so that an order's id can't be handed in where a ticket's is expected. All are UUIDv7 text.

use crate::{
    Invalid, Timestamp,
    record::{ColumnType, Kind},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};
use uuid::{Builder, Uuid};

macro_rules! ids {
    ($($name:ident)*) => {$(
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later than every id this process made before.
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The same id for the same source, for imports that can be run again.
            pub fn derived(at: Timestamp, source: &str) -> Self {
                Self(derived(at, stringify!($name), source))
            }

            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                parse(text).map(Self)
            }
        }

        impl ColumnType for $name {
            const KIND: Kind = Kind::Text;
        }
    )*};
}

ids! {
    ApiTokenId ChangeId CheckInId CheckInListId DisputeId EntryId ErasureId EventId HoldId InteractionId
    MembershipId OrderId OrganizerId PaymentId PayoutId PersonId PoolId PriceId PromoCodeId RefundId SessionId
    TicketId TicketTypeId UserId VenueId WaitingEntryId MailId WebhookDeliveryId WebhookEndpointId DeviceId GateId
    DashboardShareId ReportId AlertRuleId SavedQuestionId
}

fn parse(text: &str) -> Result<Uuid, Invalid> {
    match Uuid::try_parse(text) {
        Ok(id) if id.get_version_num() == 7 && text.len() == 36 => Ok(id),
        _ => Err(Invalid::new("an id is a UUIDv7 in its hyphenated form")),
    }
}

/// A UUIDv7 whose time is the source's and whose random bits are a hash of the source.
fn derived(at: Timestamp, kind: &str, source: &str) -> Uuid {
    let hash = Sha256::digest(format!("{kind}\0{source}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    Builder::from_unix_timestamp_millis(at.as_millis().max(0) as u64, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_rejects_what_is_not_v7() {
        let id = OrderId::new();
        assert_eq!(id.to_string().parse::<OrderId>(), Ok(id));
        for wrong in ["", "1", "67e55044-10b1-426f-9247-bb680e5fe0c8", "'; drop table orders"] {
            assert!(wrong.parse::<OrderId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_derived_id_depends_on_source_kind_and_time_alone() {
        let at = Timestamp::from_millis(1_358_540_068_000);
        assert_eq!(OrderId::derived(at, "meetup:1"), OrderId::derived(at, "meetup:1"));
        assert_ne!(OrderId::derived(at, "meetup:1"), OrderId::derived(at, "meetup:2"));
        assert_ne!(
            OrderId::derived(at, "x").to_string(),
            TicketId::derived(at, "x").to_string()
        );
        assert!(OrderId::derived(at, "x").to_string().parse::<OrderId>().is_ok());
    }
}
