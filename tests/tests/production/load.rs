//! Load that goes on while things fail: who gets no answer waits a moment and tries something new.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tests::{
    Client, Show,
    load::{Answered, browse, purchase},
};

/// After a failure, so that a server that is gone isn't asked ten thousand times a second.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Load<'s> {
    pub(crate) show: &'s Show,
    /// A token of the organizer that may open doors: unlike an operator's it outlives a process.
    pub(crate) door: &'s str,
    pub(crate) mark: &'s str,
}

impl Load<'_> {
    /// Buyers and visitors at these addresses, until `faults` has come back.
    pub(crate) fn during<T>(&self, addresses: &[SocketAddr], faults: impl FnOnce() -> T) -> (Answered, T) {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut clients = Vec::new();
            for address in addresses {
                let (public, door) = (Client::new(*address), Client::new(*address).bearer(self.door));
                let done = &done;
                clients.push(scope.spawn(move || repeat(done, |noted| purchase(&public, &door, self.show, noted))));
                let visitor = Client::new(*address);
                clients.push(scope.spawn(move || {
                    repeat(done, |noted| {
                        std::thread::sleep(PAUSE);
                        browse(&visitor, self.show, self.mark, noted)
                    })
                }));
            }
            // Also when that panics: nobody would wait for buyers who never end.
            let ended = {
                let _ends = End(&done);
                faults()
            };
            let mut all = Answered::default();
            clients.into_iter().for_each(|client| all.add(client.join().unwrap()));
            (all, ended)
        })
    }
}

struct End<'d>(&'d AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn repeat(done: &AtomicBool, mut act: impl FnMut(&mut Answered) -> io::Result<()>) -> Answered {
    let mut noted = Answered::default();
    while !done.load(Ordering::Relaxed) {
        if act(&mut noted).is_err() {
            std::thread::sleep(PAUSE);
        }
    }
    noted
}
