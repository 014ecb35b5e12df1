//! The code on a ticket: a small payload signed with Ed25519 (RFC 8032) by a key of its event, so that a door can tell
//! a true ticket from a false one without asking anybody.
//!
//! Base64url without padding over: version (1 byte), key number (1), code version (2, big-endian), ticket id (16),
//! signature over all of these (64). An Ed25519 signature is a function of key and message, so a code is computed when
//! it is shown and never stored.

use crate::{Invalid, TicketId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::str::FromStr;

const VERSION: u8 = 1;
const PAYLOAD: usize = 20;
const LENGTH: usize = PAYLOAD + 64;

/// The code as it is, before anyone checked its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketCode {
    bytes: [u8; LENGTH],
}

/// What the code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub ticket_id: TicketId,
    pub code_version: u16,
    pub key_number: u8,
}

/// The secret half of an event's key.
#[derive(Clone)]
pub struct EventKey(SigningKey);

/// The public half.
#[derive(Clone, Copy)]
pub struct EventPublicKey(VerifyingKey);

impl EventKey {
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub fn public(&self) -> EventPublicKey {
        EventPublicKey(self.0.verifying_key())
    }

    pub fn sign(&self, claim: Claim) -> TicketCode {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION;
        bytes[1] = claim.key_number;
        bytes[2..4].copy_from_slice(&claim.code_version.to_be_bytes());
        bytes[4..PAYLOAD].copy_from_slice(claim.ticket_id.as_uuid().as_bytes());
        let signature = self.0.sign(&bytes[..PAYLOAD]);
        bytes[PAYLOAD..].copy_from_slice(&signature.to_bytes());
        TicketCode { bytes }
    }
}

impl EventPublicKey {
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Invalid> {
        VerifyingKey::from_bytes(bytes)
            .map(Self)
            .map_err(|_| Invalid::new("these bytes are no Ed25519 public key"))
    }

    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// True only for a code that this event's key signed.
    pub fn verifies(&self, code: &TicketCode) -> bool {
        let Ok(signature) = <[u8; 64]>::try_from(&code.bytes[PAYLOAD..]) else {
            return false;
        };
        self.0
            .verify_strict(&code.bytes[..PAYLOAD], &Signature::from_bytes(&signature))
            .is_ok()
    }
}

impl TicketCode {
    pub(crate) fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.bytes
    }

    /// What the code claims. Believe it only after [`EventPublicKey::verifies`].
    pub fn claim(&self) -> Result<Claim, Invalid> {
        let id = uuid::Uuid::from_slice(&self.bytes[4..PAYLOAD]).map_err(|_| unreadable())?;
        Ok(Claim {
            ticket_id: id.to_string().parse().map_err(|_| unreadable())?,
            code_version: u16::from_be_bytes([self.bytes[2], self.bytes[3]]),
            key_number: self.bytes[1],
        })
    }
}

impl FromStr for TicketCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| unreadable())?;
        let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_| unreadable())?;
        if bytes[0] != VERSION {
            return Err(unreadable());
        }
        Ok(Self { bytes })
    }
}

impl std::fmt::Display for TicketCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.bytes))
    }
}

fn unreadable() -> Invalid {
    Invalid::new("this is no ticket code")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim() -> Claim {
        Claim {
            ticket_id: TicketId::new(),
            code_version: 3,
            key_number: 0,
        }
    }

    #[test]
    fn a_code_survives_paper_and_names_its_ticket() {
        let (key, claim) = (EventKey::from_seed(&[7; 32]), claim());
        let code: TicketCode = key.sign(claim).to_string().parse().unwrap();
        assert!(key.public().verifies(&code));
        assert_eq!(code.claim(), Ok(claim));
        assert!(
            !EventKey::from_seed(&[8; 32]).public().verifies(&code),
            "another event's key"
        );
    }

    proptest! {
        #[test]
        fn a_flipped_bit_or_a_cut_never_verifies_and_never_panics(bit in 0..LENGTH * 8, cut in 0..112usize) {
            let key = EventKey::from_seed(&[7; 32]);
            let mut code = key.sign(claim());
            let text = code.to_string();
            prop_assert!(text[..cut.min(text.len() - 1)].parse::<TicketCode>().is_err());
            code.bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!key.public().verifies(&code));
        }

        #[test]
        fn bytes_of_any_length_and_with_any_number_never_verify(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200), like_a_code in any::<bool>()
        ) {
            if like_a_code {
                bytes.resize(LENGTH, 0);
                bytes[0] = VERSION;
            }
            let parsed = URL_SAFE_NO_PAD.encode(&bytes).parse::<TicketCode>();
            prop_assert_eq!(parsed.is_ok(), bytes.len() == LENGTH && bytes[0] == VERSION);
            if let Ok(code) = parsed {
                let _ = code.claim();
                prop_assert!(!EventKey::from_seed(&[7; 32]).public().verifies(&code));
            }
        }

        #[test]
        fn garbage_is_an_error(text in ".{0,200}") {
            prop_assert!(text.parse::<TicketCode>().is_err());
        }
    }
}
