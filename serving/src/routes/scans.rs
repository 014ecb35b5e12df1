//! What scanners send: a scan at once, scans that happened while there was no network, and the taking back of one.

use super::check_ins::require_list;
use crate::{
    auth::Identity,
    extract::{Batch, Body, Id},
    problem::{Problem, Result},
    resource::CheckInResource,
    view::Moment,
    wiring::App,
};
use axum::{Json, extract::State};
use domain::{
    CheckInId, CheckInListId, TicketId, TicketTypeId, Timestamp,
    check_in::{Refusal, ScanKind},
    order::TicketStatus,
    role::Permission,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::check_ins::{self, FirstScan, Scan, ShownTicket, Verdict};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanInput {
    /// What the QR code holds.
    code: String,
    #[serde(default = "entry")]
    #[schema(value_type = String, default = "entry", example = "entry")]
    kind: ScanKind,
    /// Made by the scanner for each scan: a repeat by the same device, token or user with the same nonce is answered alike
    /// and written once. The same nonce from anyone else is a scan of its own.
    nonce: String,
    /// When the ticket was scanned, if that was earlier. At most a day ahead of the server and 366 days ago; anything else
    /// is an error of this scan. The rules are asked at this time. A `redeem` without `force` is a scan of now: if the
    /// ticket's or the list's hours are over (or not begun) by more than five minutes, it is refused all the same; what
    /// happened in the past is uploaded, or sent with `force`.
    scanned_at: Option<Moment>,
    /// None: the device's own, if it has one.
    gate: Option<String>,
    /// It has happened at the door already: record it, whatever the rules say. An invalid code stays invalid.
    #[serde(default)]
    force: bool,
    /// The same, for a scan without a network.
    #[serde(default)]
    offline: bool,
    /// Let in who has not paid yet: only on a list that includes pending orders.
    #[serde(default)]
    ignore_unpaid: bool,
    /// The scanner had no network and has turned them away, for this reason. It is recorded, and nobody is let in.
    #[schema(value_type = Option<String>, example = json!(null))]
    refused: Option<Refusal>,
    /// Why somebody was let in by hand, on one line. It is kept with the scan, so it should not name people.
    note: Option<String>,
    /// Only ask for the verdict, write nothing. Not in an upload.
    #[serde(default)]
    simulate: bool,
}

fn entry() -> ScanKind {
    ScanKind::Entry
}

impl From<ScanInput> for Scan {
    fn from(input: ScanInput) -> Self {
        Self {
            code: input.code,
            kind: input.kind,
            nonce: input.nonce,
            scanned_at: input.scanned_at.map(Timestamp::from),
            gate: input.gate,
            force: input.force || input.offline,
            ignore_unpaid: input.ignore_unpaid,
            refused: input.refused,
            note: input.note,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct VerdictView {
    /// `accepted` or `refused`
    verdict: &'static str,
    /// Why it was refused, or would have been if it had not been forced: `invalid`, `annulled`, `revoked`,
    /// `cancelled`, `event_closed`, `blocked`, `unapproved`, `invalid_time`, `ticket_type`, `unpaid`, `rules`,
    /// `already_redeemed`
    #[schema(value_type = Option<String>)]
    reason: Option<Refusal>,
    forced: bool,
    /// This scan was answered before; nothing was written now.
    repeated: bool,
    /// None for a simulation.
    #[schema(value_type = Option<String>)]
    check_in_id: Option<CheckInId>,
    /// None for a code that is not of this event.
    ticket: Option<ShownTicketView>,
    /// The first entry, if the ticket was redeemed before.
    first_scan: Option<FirstScanView>,
}

/// A ticket as a door knows it: nothing of its order.
#[derive(Serialize, ToSchema)]
pub struct ShownTicketView {
    #[schema(value_type = String)]
    ticket_id: TicketId,
    #[schema(value_type = String)]
    ticket_type_id: TicketTypeId,
    ticket_type: String,
    holder: Option<String>,
    #[schema(value_type = String)]
    status: TicketStatus,
    blocked: bool,
}

#[derive(Serialize, ToSchema)]
pub struct FirstScanView {
    at: Moment,
    gate: Option<String>,
}

impl From<ShownTicket> for ShownTicketView {
    fn from(shown: ShownTicket) -> Self {
        Self {
            ticket_id: shown.ticket.ticket_id,
            ticket_type_id: shown.ticket.ticket_type_id,
            ticket_type: shown.type_name,
            holder: shown.holder,
            status: shown.ticket.status,
            blocked: shown.ticket.blocked,
        }
    }
}

impl From<FirstScan> for FirstScanView {
    fn from(first: FirstScan) -> Self {
        Self {
            at: Moment(first.at),
            gate: first.gate,
        }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict: if verdict.accepted { "accepted" } else { "refused" },
            reason: verdict.reason,
            forced: verdict.forced,
            repeated: verdict.repeated,
            check_in_id: verdict.check_in_id,
            ticket: verdict.ticket.map(ShownTicketView::from),
            first_scan: verdict.first.map(FirstScanView::from),
        }
    }
}

/// Redeem a ticket at a door
///
/// A refusal is an answer, not an error: the status is 200 and the scan is stored with its reason, and without the code.
/// The rules are asked in this order, and the first that says no is the reason: `invalid` (no code of this event),
/// `annulled` (this very scan was taken back), `revoked` (the ticket has a newer code), `cancelled`, `event_closed`,
/// `blocked`, `unapproved` (its order waits for the organizer), `invalid_time` (outside of the ticket's or the list's
/// hours; exits always pass), `ticket_type`, `unpaid`, `rules` (the gap between entries, one entry a day, or what can't
/// be told), `already_redeemed`.
#[utoipa::path(post, path = "/v1/check-in-lists/{check_in_list_id}/redeem", tag = "check-in", request_body = ScanInput,
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = VerdictView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn redeem(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(list): Id<CheckInListId>,
    Body(input): Body<ScanInput>,
) -> Result<Json<VerdictView>> {
    require_list(&app, &identity, list, Permission::CheckIn).await?;
    let verdict = match input.simulate {
        true => check_ins::simulate(&app.store, identity.scanner(), list, input.into()).await?,
        false => check_ins::redeem(&app.store, identity.scanner(), list, input.into()).await?,
    };
    Ok(Json(verdict.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScansInput {
    /// At most 1,000, in the order in which they happened.
    #[schema(value_type = Vec<ScanInput>)]
    scans: Vec<serde_json::Value>,
}

#[derive(Serialize, ToSchema)]
pub struct ScansView {
    /// One for each scan, in the same order.
    answers: Vec<ScanAnswer>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ScanAnswer {
    Verdict(VerdictView),
    /// This scan can't be read or is wrong, and will be as wrong the next time. The others are not affected.
    Error {
        error: Problem,
    },
}

const MOST_SCANS: usize = 1_000;

/// Upload scans, such as those that happened while there was no network
///
/// Each is answered as if it had been sent alone. With `offline`, it has happened already: it is counted whatever the
/// rules say, at its own `scanned_at`, and `reason` tells what they would have said. The same upload sent again changes
/// nothing, so a scanner keeps its scans until they are answered. If two doors have admitted one ticket with no exit
/// between, the later entry names the earlier one in `conflicts_with`, in whatever order the two arrive, and the change
/// `check_in.conflict` tells of it once. The body may be compressed with gzip.
#[utoipa::path(post, path = "/v1/check-in-lists/{check_in_list_id}/scans", tag = "check-in", request_body = ScansInput,
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = ScansView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn upload(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(list): Id<CheckInListId>,
    Batch(input): Batch<ScansInput>,
) -> Result<Json<ScansView>> {
    require_list(&app, &identity, list, Permission::CheckIn).await?;
    if input.scans.len() > MOST_SCANS {
        return Err(Problem::invalid("/scans", "an upload has at most 1,000 scans"));
    }
    let parsed = input.scans.into_iter().map(serde_json::from_value::<ScanInput>);
    let (mut scans, mut wrong) = (Vec::new(), Vec::new());
    for scan in parsed {
        wrong.push(match scan {
            Ok(scan) if scan.simulate => Some(Problem::invalid("/simulate", "an upload has happened already")),
            Ok(scan) => {
                scans.push(scan.into());
                None
            }
            Err(error) => Some(Problem::new("invalid_field", error.to_string())),
        });
    }
    let verdicts = check_ins::upload(&app.store, identity.scanner(), list, scans).await?;
    let mut verdicts = verdicts.into_iter().map(|verdict| match verdict {
        Ok(verdict) => ScanAnswer::Verdict(verdict.into()),
        Err(error) => ScanAnswer::Error { error: error.into() },
    });
    let answer = |wrong: Option<Problem>| match wrong {
        Some(error) => Ok(ScanAnswer::Error { error }),
        None => verdicts.next().ok_or_else(|| Problem::internal("a scan has no answer")),
    };
    let answers = wrong.into_iter().map(answer).collect::<Result<_>>()?;
    Ok(Json(ScansView { answers }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnulInput {
    /// Of the scan that is taken back.
    nonce: String,
    #[serde(default = "entry")]
    #[schema(value_type = String, default = "entry")]
    kind: ScanKind,
}

/// Take a scan back
///
/// For whoever has sent it, within 15 minutes of its arrival: the ticket can be used again. The scan stays in the books
/// with its `annulled_at`.
#[utoipa::path(post, path = "/v1/check-in-lists/{check_in_list_id}/annul", tag = "check-in", request_body = AnnulInput,
    params(("check_in_list_id" = String, Path)),
    responses((status = 200, body = CheckInResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn annul(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(list): Id<CheckInListId>,
    Body(input): Body<AnnulInput>,
) -> Result<Json<CheckInResource>> {
    require_list(&app, &identity, list, Permission::CheckIn).await?;
    let scan = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { check_ins::annul(tx, list, input.kind, input.nonce).await })
        })
        .await?;
    Ok(Json(scan.into()))
}
