//! Whatever a door's camera reads: no text panics, and none verifies but what the event's key has signed.

#![no_main]
#![allow(clippy::unwrap_used, reason = "what can't be set up ends the run")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    attendee,
    ticket_code::{Claim, EventKey, TicketCode},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<EventKey> = LazyLock::new(|| EventKey::from_seed(&[7; 32]));

/// The bytes of a good code.
static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ticket_id = "018f0000-0000-7000-8000-000000000001".parse().unwrap();
    let code = KEY.sign(Claim {
        ticket_id,
        code_version: 1,
        key_number: 0,
    });
    URL_SAFE_NO_PAD.decode(code.to_string()).unwrap()
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        show(text);
    }
    show(&URL_SAFE_NO_PAD.encode(data));
    // Most of what is random is refused at its first byte: this comes close to a good code.
    let mut close = SIGNED.clone();
    for (place, byte) in data.iter().enumerate() {
        close[place % SIGNED.len()] ^= byte;
    }
    show(&URL_SAFE_NO_PAD.encode(&close[..close.len() - data.len() % 2]));
});

fn show(text: &str) {
    let Ok(code) = text.parse::<TicketCode>() else { return };
    assert_eq!(code.to_string(), text.trim(), "a code has one text");
    let claim = code.claim();
    if KEY.public().verifies(&code) {
        assert_eq!(Ok(&code), claim.map(|claim| KEY.sign(claim)).as_ref(), "a forged code");
    }
    let label = attendee::label(&code);
    assert!(attendee::open(&code, &label).is_err(), "a label is no box");
}
