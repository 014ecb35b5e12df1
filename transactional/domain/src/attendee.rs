//! What a scanner keeps for the time without a network: who a ticket belongs to, in a box that the ticket's own code
//! opens and nothing else does. Whoever finds a lost scanner learns nothing without the tickets in hand.
//!
//! From the 84 bytes of a code ([`crate::ticket_code`], before base64url), which nobody can guess because half of them
//! are a signature:
//!
//! - `label = SHA-256("bilten:attendee:label\0" || code)[..16]`: under which the box is found;
//! - `key = SHA-256("bilten:attendee:key\0" || code)`;
//! - `nonce = SHA-256("bilten:attendee:nonce\0" || key || plain)[..12]`: another content never meets the same nonce, and
//!   the same content makes the same box;
//! - `plain = 1 (one byte) || ticket_type_id (16 bytes) || the holder's name (UTF-8, may be empty)`;
//! - `box = nonce || AES-256-GCM(key, nonce, plain)`, whose last 16 bytes are the tag; no associated data.
//!
//! Label and box are sent as base64url without padding.

use crate::{Invalid, TicketTypeId, ticket_code::TicketCode};
use aes_gcm::{Aes256Gcm, KeyInit, aead::Aead};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TYPE: usize = 17;

/// Who comes with a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    pub ticket_type_id: TicketTypeId,
    pub name: Option<String>,
}

/// The label of a code's box.
pub fn label(code: &TicketCode) -> String {
    URL_SAFE_NO_PAD.encode(&hash("label", &[code.as_bytes()])[..16])
}

/// The box that this code opens.
pub fn seal(code: &TicketCode, attendee: &Attendee) -> Result<String, Invalid> {
    let mut plain = vec![VERSION];
    plain.extend(attendee.ticket_type_id.as_uuid().as_bytes());
    plain.extend(attendee.name.as_deref().unwrap_or_default().as_bytes());
    let key = hash("key", &[code.as_bytes()]);
    let nonce = hash("nonce", &[&key, &plain]);
    let nonce: [u8; NONCE] = std::array::from_fn(|place| nonce[place]);
    let sealed = Aes256Gcm::new(&key.into()).encrypt(&nonce.into(), plain.as_slice());
    let sealed = sealed.map_err(|_| Invalid::new("this is too long for a box"))?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// What is in the box, if this code opens it.
pub fn open(code: &TicketCode, sealed: &str) -> Result<Attendee, Invalid> {
    let closed = || Invalid::new("this code does not open the box");
    let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| closed())?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or_else(closed)?;
    let key = hash("key", &[code.as_bytes()]);
    let plain = Aes256Gcm::new(&key.into()).decrypt(&(*nonce).into(), sealed);
    let plain = plain.map_err(|_| closed())?;
    let (head, name) = plain.split_first_chunk::<TYPE>().ok_or_else(closed)?;
    if head[0] != VERSION {
        return Err(Invalid::new("this box is of a later version"));
    }
    let id = uuid::Uuid::from_slice(&head[1..]).map_err(|_| closed())?;
    let name = std::str::from_utf8(name).map_err(|_| closed())?;
    Ok(Attendee {
        ticket_type_id: id.to_string().parse()?,
        name: (!name.is_empty()).then(|| name.to_owned()),
    })
}

fn hash(purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("bilten:attendee:{purpose}\0"));
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        TicketId,
        ticket_code::{Claim, EventKey},
    };

    fn code(key_number: u8) -> TicketCode {
        EventKey::from_seed(&[7; 32]).sign(Claim {
            ticket_id: "018f0000-0000-7000-8000-000000000001".parse::<TicketId>().unwrap(),
            code_version: 1,
            key_number,
        })
    }

    fn attendee(name: &str) -> Attendee {
        Attendee {
            ticket_type_id: "018f0000-0000-7000-8000-000000000002".parse().unwrap(),
            name: Some(name.into()),
        }
    }

    #[test]
    fn a_box_opens_with_its_own_code_alone_and_tells_nothing_before() {
        let (own, other) = (code(0), code(1));
        let sealed = seal(&own, &attendee("Ada Lovelace")).unwrap();
        assert_eq!(open(&own, &sealed), Ok(attendee("Ada Lovelace")));
        assert!(open(&other, &sealed).is_err());
        assert_ne!(label(&own), label(&other));
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        assert!(!bytes.windows(3).any(|window| window == b"Ada"));
        for wrong in ["", "AAAA", &sealed[..sealed.len() - 2], "*"] {
            assert!(open(&own, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_content_makes_the_same_box_and_another_one_another_nonce() {
        let sealed = |name| seal(&code(0), &attendee(name)).unwrap();
        assert_eq!(sealed("Ada"), sealed("Ada"));
        assert_ne!(sealed("Ada")[..16], sealed("Bob")[..16]);
    }

    /// Scanners in the field open boxes by this format: if this fails, they no longer can.
    #[test]
    fn the_format_is_fixed() {
        let code = code(0);
        assert_eq!(label(&code).len(), 22);
        let sealed = URL_SAFE_NO_PAD.decode(seal(&code, &attendee("Ada")).unwrap()).unwrap();
        assert_eq!(sealed.len(), NONCE + TYPE + 3 + 16);
        assert_eq!(label(&code), "qzsXISBJtPy5zJ3Tt_HyYg");
    }
}
