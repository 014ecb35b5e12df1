//! Whatever a door's camera reads: no text panics, and none verifies but what the event's key has signed.

#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    attendee,
    ticket_code::{EventKey, TicketCode},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<EventKey> = LazyLock::new(|| EventKey::from_seed(&[7; 32]));

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        show(text);
    }
    show(&URL_SAFE_NO_PAD.encode(data));
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
