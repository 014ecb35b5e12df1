//! Scanners with a token of their own. It is shown once and stored as a hash; it may check in, at one event or at all of
//! its organizer's, and nothing else.

use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored, Tx, events, gates, organizers,
    page::{self, Filter, Order},
    rows, secrets,
    sql::{self, Columns, Value, binds},
};
use domain::{DeviceId, EventId, GateId, Label, OrganizerId, changes::Device};
use std::fmt;

#[derive(Clone, Debug)]
pub struct DeviceDetails {
    pub name: Label,
    /// None: all events of the organizer.
    pub event_id: Option<EventId>,
    pub gate_id: Option<GateId>,
}

#[derive(Clone)]
pub struct NewDevice {
    pub device: Stored<Device>,
    pub secret: String,
}

impl fmt::Debug for NewDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewDevice({})", self.device.device_id)
    }
}

/// Who a device's secret stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceHolder {
    pub device_id: DeviceId,
    pub organizer_id: OrganizerId,
    pub event_id: Option<EventId>,
    /// The name of the gate where it stands.
    pub gate: Option<String>,
}

/// Begins every secret, so that one that leaked is recognised for what it is.
pub const PREFIX: &str = "bilten_device_";

pub async fn register(tx: &mut Tx, organizer_id: OrganizerId, details: DeviceDetails) -> Result<NewDevice> {
    organizers::get(tx, organizer_id).await?;
    check(tx, organizer_id, &details).await?;
    let secret = format!("{PREFIX}{}", secrets::random());
    let record = Device {
        device_id: DeviceId::new(),
        name: details.name,
        event_id: details.event_id,
        gate_id: details.gate_id,
        registered_at: tx.now(),
        revoked_at: None,
    };
    let private = [("token_hash", Value::Text(secrets::hash(&secret)))];
    let device = tx.create_with(organizer_id, "device.registered", record, &private)?;
    Ok(NewDevice { device, secret })
}

/// Renames it, or sends it to another event or gate. Its token stays the same.
pub async fn move_to(tx: &mut Tx, id: DeviceId, details: DeviceDetails) -> Result<Stored<Device>> {
    let mut device = get(tx, id).await?;
    if device.revoked_at.is_some() {
        return Err(Error::conflict(
            "device_revoked",
            "this device is revoked; register it anew",
        ));
    }
    check(tx, device.organizer_id, &details).await?;
    let moved = Device {
        name: details.name,
        event_id: details.event_id,
        gate_id: details.gate_id,
        ..device.value.clone()
    };
    if moved != device.value {
        device.value = moved;
        tx.change("device.moved", &mut device)?;
    }
    Ok(device)
}

pub async fn revoke(tx: &mut Tx, id: DeviceId) -> Result<Stored<Device>> {
    let mut device = get(tx, id).await?;
    if device.revoked_at.is_none() {
        device.revoked_at = Some(tx.now());
        tx.change("device.revoked", &mut device)?;
    }
    Ok(device)
}

pub async fn get(db: &mut impl Source, id: DeviceId) -> Result<Stored<Device>> {
    rows::get(db, &id).await
}

pub async fn list(db: &mut impl Source, organizer_id: OrganizerId, page: PageRequest) -> Result<Page<Stored<Device>>> {
    let filter = Filter::default().and("organizer_id =", &organizer_id);
    page::list(db, filter, None, Order::Ascending, &page).await
}

/// None: the secret is unknown or revoked.
pub async fn holder(store: &Store, secret: &str) -> Result<Option<DeviceHolder>> {
    if !secret.starts_with(PREFIX) || secret.len() > 100 {
        return Ok(None);
    }
    let sql = "select d.device_id as device_id, d.organizer_id as organizer_id, d.event_id as event_id, g.name as gate
               from devices d left join gates g on g.gate_id = d.gate_id
               where d.token_hash = $1 and d.revoked_at is null";
    let row = sql::optional(&mut store.peek().await?, sql, binds![secrets::hash(secret)]).await?;
    let read = |row: crate::dialect::Row| {
        Ok(DeviceHolder {
            device_id: row.parse("device_id")?,
            organizer_id: row.parse("organizer_id")?,
            event_id: row.maybe_text("event_id")?.map(|id| sql::parse(&id)).transpose()?,
            gate: row.maybe_text("gate")?,
        })
    };
    row.map(read).transpose()
}

async fn check(tx: &mut Tx, organizer_id: OrganizerId, details: &DeviceDetails) -> Result<()> {
    if let Some(event_id) = details.event_id {
        let event = events::get(tx, event_id)
            .await
            .map_err(|error| unknown(error, "event"))?;
        if event.organizer_id != organizer_id {
            return Err(unknown(Error::not_found("event"), "event"));
        }
    }
    if let Some(gate_id) = details.gate_id {
        let gate = gates::get(tx, gate_id).await.map_err(|error| unknown(error, "gate"))?;
        if Some(gate.event_id) != details.event_id || !gate.active {
            let message = "a device stands at an active gate of its own event";
            return Err(Error::refused("gate_unknown", message).at("gate_id"));
        }
    }
    Ok(())
}

fn unknown(error: Error, what: &'static str) -> Error {
    match (error, what) {
        (Error::NotFound { .. }, "event") => {
            Error::refused("event_unknown", "this organizer has no such event").at("event_id")
        }
        (Error::NotFound { .. }, _) => Error::refused("gate_unknown", "there is no such gate").at("gate_id"),
        (error, _) => error,
    }
}
