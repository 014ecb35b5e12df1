//! Gates: the places of an event where people enter and leave. A scan keeps the name that its gate had then.

use crate::{Error, Result, Source, Stored, Tx, events, rows, sql::binds};
use domain::{EventId, GateId, Label, changes::Gate};

#[derive(Clone, Debug)]
pub struct GateDetails {
    pub name: Label,
    /// A gate that is not can't be given to a device.
    pub active: bool,
}

/// An event has no more gates than this, so that they are read without paging.
const MOST_GATES: usize = 200;
/// A scan's gate is no longer either.
const LONGEST_NAME: usize = 100;

pub async fn create(tx: &mut Tx, event_id: EventId, details: GateDetails) -> Result<Stored<Gate>> {
    let event = events::get(tx, event_id).await?;
    let gates = list(tx, event_id).await?;
    if gates.len() >= MOST_GATES {
        return Err(Error::refused(
            "too_many",
            format!("an event has at most {MOST_GATES} gates"),
        ));
    }
    check(&gates, None, &details)?;
    let record = Gate {
        gate_id: GateId::new(),
        event_id,
        name: details.name,
        active: details.active,
    };
    tx.create(event.organizer_id, "gate.created", record)
}

pub async fn update(tx: &mut Tx, id: GateId, details: GateDetails) -> Result<Stored<Gate>> {
    let mut gate = get(tx, id).await?;
    check(&list(tx, gate.event_id).await?, Some(id), &details)?;
    if (&gate.name, gate.active) != (&details.name, details.active) {
        (gate.name, gate.active) = (details.name, details.active);
        tx.change("gate.updated", &mut gate)?;
    }
    Ok(gate)
}

pub async fn get(db: &mut impl Source, id: GateId) -> Result<Stored<Gate>> {
    rows::get(db, &id).await
}

pub async fn list(db: &mut impl Source, event_id: EventId) -> Result<Vec<Stored<Gate>>> {
    rows::find(db, "t.event_id = $1 order by t.gate_id", binds![event_id]).await
}

fn check(gates: &[Stored<Gate>], own: Option<GateId>, details: &GateDetails) -> Result<()> {
    if details.name.as_str().len() > LONGEST_NAME {
        return Err(Error::refused("invalid", "a gate's name is at most 100 bytes").at("name"));
    }
    let taken = |gate: &Stored<Gate>| gate.name == details.name && Some(gate.gate_id) != own;
    match gates.iter().any(taken) {
        true => Err(Error::conflict("name_taken", "this event has a gate of that name").at("name")),
        false => Ok(()),
    }
}
