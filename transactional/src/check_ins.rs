//! Doors: check-in lists, and the redeeming of tickets. Every scan is stored, the refused ones with their reason and
//! without what was shown, of which only a hash is kept.
//!
//! Whether a person may pass, and what a list has seen of a ticket afterwards, is decided in [`domain::check_in`] alone.
//! Here it is read, written, and kept in step: the state of each ticket on each list, the attendance, and conflicts.

mod annul;
mod attendance;
mod door;
mod download;
mod lists;
mod record;

pub use annul::annul;
pub use attendance::{Attendance, Expected, GateCount, TypeCount, attendance, search};
pub use download::{Download, DownloadCursor, Revocation, SeenTicket, download};
pub use lists::{ListDetails, create_list, empty_list, get_list, lists, update_list};

use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored,
    page::{self, Filter, Order},
    secrets,
};
use domain::{
    CheckInId, CheckInListId, DeviceId, Timestamp,
    changes::{CheckIn, Ticket},
    check_in::{Refusal, ScanKind},
    is_hidden,
    ticket_code::Claim,
};
use door::Doors;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who scans.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// As changes tell it. A scan is repeated, or taken back, by the same actor alone.
    pub actor: String,
    pub device_id: Option<DeviceId>,
    /// Where it stands, unless a scan says otherwise.
    pub gate: Option<String>,
}

/// One presentation of a code at a door.
#[derive(Clone, Debug)]
pub struct Scan {
    pub code: String,
    pub kind: ScanKind,
    /// Chosen by the scanner: the same for every attempt to send the same scan. Another scanner may choose it too.
    pub nonce: String,
    /// None: now.
    pub scanned_at: Option<Timestamp>,
    pub gate: Option<String>,
    /// It has happened already: record it, whatever the rules say.
    pub force: bool,
    /// Let in who has not paid yet, where the list allows that.
    pub ignore_unpaid: bool,
    /// The scanner has turned them away already, for this reason.
    pub refused: Option<Refusal>,
    /// What the person at the door said of it.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub accepted: bool,
    /// Why not, or why not if it had not been forced.
    pub reason: Option<Refusal>,
    pub forced: bool,
    /// This scan was answered like this before; nothing was written now.
    pub repeated: bool,
    /// None for a simulation.
    pub check_in_id: Option<CheckInId>,
    /// None for a code that is not of this event.
    pub ticket: Option<ShownTicket>,
    /// The first entry, for a ticket that is in already.
    pub first: Option<FirstScan>,
}

/// A ticket as a door knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownTicket {
    pub ticket: Stored<Ticket>,
    pub type_name: String,
    pub holder: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstScan {
    pub at: Timestamp,
    pub gate: Option<String>,
}

/// A scan with what its code turned out to claim.
struct Presentation {
    scan: Scan,
    claim: Option<Claim>,
    code_hash: String,
    /// It is said to happen now.
    live: bool,
}

/// A scanner's clock may be wrong, but not by more than a day.
const FARTHEST_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// No scanner keeps scans for longer before it sends them; an older time is one that nobody has set.
const OLDEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// A scan that is said to happen now may have been on its way for so long.
const ON_ITS_WAY: Duration = Duration::from_secs(5 * 60);

/// Scans that are written by one command. More would make others wait for the writer.
const IN_ONE_COMMAND: usize = 64;
const LONGEST_NOTE: usize = 200;
/// Commands of one upload that wait at the same time, so that one commit takes several.
const COMMANDS_AHEAD: usize = 4;

/// Admits, or says why not. Unless it is forced, it is a scan of now: a ticket or list whose time is over by now admits
/// nobody, whatever time the scan tells. The signature is verified before the writer is asked, since it takes the longest.
pub async fn redeem(store: &Store, scanner: Scanner, list: CheckInListId, scan: Scan) -> Result<Verdict> {
    check(&scan)?;
    let shown = present(store, list, vec![scan], true).await?;
    let verdicts = write(store, scanner, list, shown).await?;
    verdicts.into_iter().next().ok_or(Error::Panicked)
}

/// The verdict that [`redeem`] would give now, without a trace.
pub async fn simulate(store: &Store, scanner: Scanner, list: CheckInListId, scan: Scan) -> Result<Verdict> {
    check(&scan)?;
    let shown = present(store, list, vec![scan], true).await?;
    let mut db = store.peek().await?;
    let doors = Doors::find(&mut db, list, &scanner, &shown).await?;
    let (verdict, _) = doors.verdict(0, &shown[0], Timestamp::now());
    Ok(verdict)
}

/// Many scans, in this order; each gets its own answer, and one that is wrong stops no other. If this fails, some of
/// them may be written: sent again, they are not written twice.
pub async fn upload(
    store: &Store,
    scanner: Scanner,
    list: CheckInListId,
    scans: Vec<Scan>,
) -> Result<Vec<Result<Verdict>>> {
    let wrong: Vec<Option<Error>> = scans.iter().map(|scan| check(scan).err()).collect();
    let right = scans.into_iter().zip(&wrong).filter(|(_, wrong)| wrong.is_none());
    let mut rest = present(store, list, right.map(|(scan, _)| scan).collect(), false).await?;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(IN_ONE_COMMAND));
        chunks.push(std::mem::replace(&mut rest, later));
    }
    let written: Vec<Vec<Verdict>> = stream::iter(chunks)
        .map(|chunk| write(store, scanner.clone(), list, chunk))
        .buffered(COMMANDS_AHEAD)
        .try_collect()
        .await?;
    let mut verdicts = written.into_iter().flatten();
    let answer = |wrong: Option<Error>| match wrong {
        Some(error) => Err(error),
        None => verdicts.next().ok_or(Error::Panicked),
    };
    Ok(wrong.into_iter().map(answer).collect())
}

/// The newest first.
pub async fn list_check_ins(
    db: &mut impl Source,
    id: CheckInListId,
    page: PageRequest,
) -> Result<Page<Stored<CheckIn>>> {
    let filter = Filter::default().and("check_in_list_id =", &id);
    page::list(db, filter, Some("received_at"), Order::Descending, &page).await
}

async fn write(store: &Store, scanner: Scanner, list: CheckInListId, shown: Vec<Presentation>) -> Result<Vec<Verdict>> {
    store
        .write(scanner.actor.clone(), move |tx| {
            Box::pin(record::record(tx, scanner, list, shown))
        })
        .await
}

async fn present(store: &Store, list: CheckInListId, scans: Vec<Scan>, live: bool) -> Result<Vec<Presentation>> {
    let event_id = store.owner_of_list(list).await?.event_id;
    let codes = scans.iter().map(|scan| scan.code.clone()).collect();
    let claims = store.verified_claims(event_id, codes).await?;
    let present = |(scan, claim): (Scan, Option<Claim>)| Presentation {
        code_hash: secrets::hash(scan.code.trim()),
        claim,
        live: live && !scan.force,
        scan,
    };
    Ok(scans.into_iter().zip(claims).map(present).collect())
}

fn check(scan: &Scan) -> Result<()> {
    let line = |text: &str, most: usize| text.len() <= most && !text.chars().any(is_hidden);
    if scan.nonce.is_empty() || !line(&scan.nonce, 100) {
        return Err(Error::refused("invalid", "a nonce is 1 to 100 characters").at("nonce"));
    }
    if !scan.gate.as_deref().is_none_or(|gate| line(gate, 100)) {
        return Err(Error::refused("invalid", "a gate's name is at most 100 characters").at("gate"));
    }
    if !scan
        .note
        .as_deref()
        .is_none_or(|note| line(note, 4 * LONGEST_NOTE) && note.chars().count() <= LONGEST_NOTE)
    {
        return Err(Error::refused("invalid", "a note is one line of at most 200 characters").at("note"));
    }
    let now = Timestamp::now();
    if !scan
        .scanned_at
        .is_none_or(|at| (now - OLDEST..=now + FARTHEST_AHEAD).contains(&at))
    {
        let message = "this time is more than a day ahead or more than 366 days ago; set the scanner's clock";
        return Err(Error::refused("invalid", message).at("scanned_at"));
    }
    Ok(())
}
