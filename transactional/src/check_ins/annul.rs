//! Taking a scan back: somebody was let in by mistake, or the wrong ticket was scanned.

use super::{record, record::difference};
use crate::{
    Error, Result, Stored, Tx, rows,
    sql::{self, Columns, binds},
    tickets,
};
use domain::{
    CheckInId, CheckInListId,
    changes::CheckIn,
    check_in::{ScanKind, Seen},
};
use std::time::Duration;

/// After this, a mistake is no longer one of the moment, and whoever was let in has long been inside.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Takes an accepted scan back, as if it had not been: the ticket can be used again. Only for who has sent it, and not
/// for long. The scan stays in the books, with the time at which it was annulled.
pub async fn annul(tx: &mut Tx, id: CheckInListId, kind: ScanKind, nonce: String) -> Result<Stored<CheckIn>> {
    let sql = "select check_in_id, scanned_by from check_ins
               where check_in_list_id = $1 and nonce = $2 and kind = $3 and accepted = 1 order by check_in_id desc";
    let found = sql::all(tx, sql, binds![id, nonce, kind]).await?;
    let mut own = None;
    for row in &found {
        if own.is_none() && row.text("scanned_by")? == tx.actor {
            own = Some(row.parse::<CheckInId>("check_in_id")?);
        }
    }
    let mut scan: Stored<CheckIn> = match own {
        Some(check_in_id) => rows::get(tx, &check_in_id).await?,
        None if found.is_empty() => return Err(Error::not_found("accepted scan with this nonce")),
        None => {
            let message = "another scanner has sent this, and only that one can take it back";
            return Err(Error::conflict("not_your_scan", message));
        }
    };
    let (None, Some(ticket_id)) = (scan.annulled_at, scan.ticket_id) else {
        return Ok(scan);
    };
    if tx.now().since(scan.received_at) > WINDOW {
        let message = "a scan can be taken back for 15 minutes";
        return Err(Error::conflict("too_late", message));
    }
    let list = super::get_list(tx, id).await?;
    let before = record::scans(tx, id, ticket_id).await?;
    (scan.annulled_at, scan.conflicts_with) = (Some(tx.now()), None);
    tx.change("check_in.annulled", &mut scan)?;
    let after = before.iter().filter(|other| other.check_in_id != scan.check_in_id);
    let (before, after) = (seen(before.iter()), seen(after));
    record::keep(tx, id, ticket_id, &after);
    let ticket = tickets::get(tx, ticket_id).await?;
    let counts = difference(&list, scan.kind, -1, &before, &after);
    let gate = scan.gate.clone().unwrap_or_default();
    record::count(tx, id, ticket.ticket_type_id, &gate, counts);
    record::link(tx, &list, ticket_id).await?;
    Ok(scan)
}

fn seen<'s>(scans: impl Iterator<Item = &'s Stored<CheckIn>>) -> Seen {
    scans.fold(Seen::default(), |seen, scan| {
        seen.after(&domain::check_in::Scan {
            kind: scan.kind,
            scanned_at: scan.scanned_at,
            gate: scan.gate.clone(),
            force: scan.force_sent,
            ignore_unpaid: false,
        })
    })
}
