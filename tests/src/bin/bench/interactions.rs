//! Interactions over HTTP into the log, in batches of NDJSON.

use crate::report::{Report, at_least};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};
use tests::{Server, Show, interaction};

const BATCH: usize = 1_000;
const CLIENTS: usize = 4;

/// The batches are made before the clock starts. What is counted was answered as accepted, so it is in the log.
pub(crate) fn measure(server: &Server, total: usize, report: &mut Report) {
    let show = Show::open(&server.admin(), None, 2_000);
    let batches: Vec<Vec<u8>> = (0..total / BATCH).map(|_| batch(&show)).collect();
    let bytes: usize = batches.iter().map(Vec::len).sum();
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = server.public();
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let request = client.request("POST", "/v1/interactions");
                    let answer = request.body("application/x-ndjson", batch.clone()).send().expect(200);
                    assert_eq!(answer["accepted"], BATCH);
                }
            });
        }
    });
    let rate = (batches.len() * BATCH) as f64 / started.elapsed().as_secs_f64();
    let size = bytes / (batches.len() * BATCH).max(1);
    let what = format!("interactions over HTTP → log, {CLIENTS} clients, NDJSON by {BATCH}, {size} bytes each");
    report.add(what, rate, "/s", Some(at_least(100_000.0)));
}

fn batch(show: &Show) -> Vec<u8> {
    let mut body = Vec::with_capacity(BATCH * 400);
    for _ in 0..BATCH {
        body.extend_from_slice(
            interaction(&show.organizer_id, Some(&show.event_id))
                .to_string()
                .as_bytes(),
        );
        body.push(b'\n');
    }
    body
}
