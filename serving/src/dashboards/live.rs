//! Pages that stay up to date while somebody looks. A feed asks a page's panels again when the lake has moved on, and
//! everyone who looks at the same rows of the same page listens to one feed, so a figure that many see is computed once.

use super::{
    columns::PanelData,
    page::{Audience, Panel},
    panel::Asking,
};
use crate::problem::{Problem, Result};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{
    Stream, StreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// Whether who looks may still do so.
pub type StillValid = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// A live panel is asked again no sooner than after this, or after as long as its answer took,
const LIVE_EVERY: Duration = Duration::from_millis(250);
/// …and another after this, or so many times as long as its answer took: many open pages leave room for everything else.
const OTHERS_EVERY: Duration = Duration::from_secs(5);
const OTHERS_REST: u32 = 3;
/// Without a change all is asked after this: days end, and what was an hour ago is so no more.
const AT_LEAST_EVERY: Duration = Duration::from_secs(30);
/// A page that has heard nothing for ten seconds says that there is no connection, and asks again.
const HEARTBEAT: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const COME_AGAIN: Duration = Duration::from_secs(2);
const ANOTHER_SEAT: Duration = Duration::from_secs(15);
/// A browser has few pages open; a program that forgets to close them is stopped here.
const MOST_OF_ONE: usize = 30;
/// A link is for many; they listen to the same.
const MOST_OF_LINK: usize = 1_000;
/// Feeds of one organizer, and of the platform: each costs as much as somebody who loads the page again and again.
const MOST_FEEDS: usize = 40;

/// All feeds, and how many listen.
#[derive(Default)]
pub struct Live {
    feeds: Mutex<HashMap<Key, Feed>>,
    listeners: Arc<Mutex<HashMap<String, usize>>>,
}

type Feed = Arc<watch::Sender<Arc<Shown>>>;

/// Whose rows, which page (as it was read), which state.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    organizer: Option<String>,
    personal_data: bool,
    drills: bool,
    /// Of a page for the platform, which may show what each principal does.
    principal: Option<String>,
    page: usize,
    state: String,
}

/// What a feed has last found.
#[derive(Default)]
struct Shown {
    position: i64,
    panels: BTreeMap<String, ShownPanel>,
}

#[derive(Clone, Default)]
struct ShownPanel {
    /// How often it has changed.
    changes: u64,
    position: i64,
    /// Its data as JSON, without the position.
    text: Arc<str>,
}

impl Live {
    /// The events of a page, until its listener goes, may no longer listen, or the program stops.
    pub fn listen(
        self: &Arc<Self>,
        asking: Asking,
        still_valid: StillValid,
        stopping: CancellationToken,
    ) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
        let most = if asking.drills { MOST_OF_ONE } else { MOST_OF_LINK };
        let seat = Seat::take(&self.listeners, &asking.principal.id, most)?;
        let listener = Listener {
            shown: self.join(asking, &stopping)?,
            seen: BTreeMap::new(),
            position: -1,
            waiting: VecDeque::from([Event::default().retry(COME_AGAIN).comment("")]),
            checks: checks(),
            still_valid,
            stopping,
            _seat: seat,
        };
        let events = stream::unfold(listener, |mut listener| async move {
            let event = listener.next().await?;
            Some((Ok(event), listener))
        });
        // An event, because scripts are not told of comments.
        let beat = Event::default().event("beat").data("{}");
        Ok(Sse::new(events.boxed()).keep_alive(KeepAlive::new().interval(HEARTBEAT).event(beat)))
    }

    fn join(self: &Arc<Self>, asking: Asking, stopping: &CancellationToken) -> Result<watch::Receiver<Arc<Shown>>> {
        let key = Key {
            organizer: asking.principal.organizer.map(|id| id.to_string()),
            personal_data: asking.principal.personal_data,
            drills: asking.drills,
            principal: (asking.page.audience == Audience::Platform).then(|| asking.principal.id.clone()),
            page: Arc::as_ptr(&asking.page) as usize,
            state: asking.state.query(),
        };
        let mut feeds = lock(&self.feeds);
        if let Some(feed) = feeds.get(&key) {
            let mut shown = feed.subscribe();
            // What was found before is news to who comes later.
            shown.mark_changed();
            return Ok(shown);
        }
        let of_organizer = feeds.keys().filter(|other| other.organizer == key.organizer);
        if of_organizer.count() >= MOST_FEEDS {
            return Err(Problem::new(
                "busy",
                "too many different pages are open; this one shows what it has shown",
            ));
        }
        let (feed, shown) = watch::channel(Arc::new(Shown::default()));
        let feed = Arc::new(feed);
        feeds.insert(key.clone(), Arc::clone(&feed));
        drop(feeds);
        let (listed, stopping) = (
            Listed {
                live: Arc::clone(self),
                key,
                feed,
            },
            stopping.clone(),
        );
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = run(&asking, &listed.feed, || listed.leave()) => {}
            }
        });
        Ok(shown)
    }
}

/// A feed that is on the list for as long as it is kept up to date, also if that ends in a panic.
struct Listed {
    live: Arc<Live>,
    key: Key,
    feed: Feed,
}

impl Listed {
    /// Takes a feed that nobody listens to off the list. Whoever comes next begins another.
    fn leave(&self) -> bool {
        let mut feeds = lock(&self.live.feeds);
        let deserted = self.feed.is_closed();
        if deserted {
            feeds.remove(&self.key);
        }
        deserted
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut feeds = lock(&self.live.feeds);
        // Another may have begun in its place.
        if feeds.get(&self.key).is_some_and(|feed| Arc::ptr_eq(feed, &self.feed)) {
            feeds.remove(&self.key);
        }
    }
}

fn checks() -> tokio::time::Interval {
    let mut checks = interval(LOOK_AGAIN);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checks
}

/// Asks again and again, for as long as somebody listens.
async fn run(asking: &Asking, feed: &Feed, deserted: impl Fn() -> bool) {
    // Those that are not live wait for one another: a live one's turn comes soon on few cores.
    let turns = Semaphore::new(1);
    let panels = asking.page.panels.iter();
    let all_kept = join_all(panels.map(|panel| keep(asking, panel, feed, &turns)));
    let deserted_by_all = async {
        while !deserted() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        _ = all_kept => {}
        () = deserted_by_all => {}
    }
}

/// Keeps one panel up to date, at its own pace: one that takes long delays no other.
async fn keep(asking: &Asking, panel: &Panel, feed: &Feed, turns: &Semaphore) {
    let mut moved = asking.lake.moved();
    let (every, rest) = match panel.live {
        true => (LIVE_EVERY, 1),
        false => (OTHERS_EVERY, OTHERS_REST),
    };
    loop {
        let turn = match panel.live {
            true => None,
            false => turns.acquire().await.ok(),
        };
        moved.mark_unchanged();
        let started = Instant::now();
        let data = asking.answer(panel).await;
        let took = started.elapsed();
        drop(turn);
        // An error that goes by itself leaves what was shown before.
        let passing = data.passing;
        if !passing {
            tell(feed, data);
        }
        sleep(every.max(took * rest)).await;
        if passing {
            continue;
        }
        tokio::select! {
            _ = moved.changed() => {}
            () = sleep(AT_LEAST_EVERY) => {}
        }
    }
}

fn tell(feed: &Feed, data: PanelData) {
    let position = data.position;
    let Some(text) = comparable(&data) else { return };
    feed.send_modify(|shown| {
        let mut panels = shown.panels.clone();
        let panel = panels.entry(data.id).or_default();
        panel.position = position;
        if panel.text != text {
            (panel.changes, panel.text) = (panel.changes + 1, text);
        }
        let position = position.max(shown.position);
        *shown = Arc::new(Shown { position, panels });
    });
}

/// The data without its position, which moves on when nothing else does: the listener puts it in.
fn comparable(data: &PanelData) -> Option<Arc<str>> {
    let data = PanelData {
        position: 0,
        ..data.clone()
    };
    serde_json::to_string(&data).ok().map(Arc::from)
}

struct Listener {
    shown: watch::Receiver<Arc<Shown>>,
    /// By panel, which of its changes was sent last.
    seen: BTreeMap<String, u64>,
    position: i64,
    waiting: VecDeque<Event>,
    checks: tokio::time::Interval,
    still_valid: StillValid,
    stopping: CancellationToken,
    _seat: Seat,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.stopping.cancelled() => return None,
                changed = self.shown.changed() => {
                    changed.ok()?;
                    self.take();
                }
                _ = self.checks.tick() => {
                    if !(self.still_valid)().await {
                        return None;
                    }
                }
            }
        }
    }

    fn take(&mut self) {
        let shown = Arc::clone(&self.shown.borrow_and_update());
        for (id, panel) in &shown.panels {
            if self.seen.insert(id.clone(), panel.changes) != Some(panel.changes) {
                let position = format!("\"position\":{}", panel.position);
                let text = panel.text.replacen("\"position\":0", &position, 1);
                self.waiting.push_back(Event::default().event("panel").data(text));
            }
        }
        if shown.position != self.position {
            self.position = shown.position;
            let position = json!({ "position": shown.position }).to_string();
            self.waiting
                .push_back(Event::default().event("position").data(position));
        }
    }
}

/// One of the places that a principal has.
struct Seat {
    who: String,
    listeners: Arc<Mutex<HashMap<String, usize>>>,
}

impl Seat {
    fn take(listeners: &Arc<Mutex<HashMap<String, usize>>>, who: &str, most: usize) -> Result<Self> {
        let mut taken = lock(listeners);
        let count = taken.entry(who.to_owned()).or_default();
        if *count >= most {
            let detail = format!("at most {most} pages of one account or link are kept up to date; close one");
            return Err(Problem::new("too_many_requests", detail).retry_after(ANOTHER_SEAT.as_secs()));
        }
        *count += 1;
        Ok(Self {
            who: who.to_owned(),
            listeners: Arc::clone(listeners),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.listeners);
        if let Some(count) = taken.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_places_and_gets_them_back() {
        let listeners = Arc::default();
        let seats: Vec<Seat> = (0..3).map(|_| Seat::take(&listeners, "a", 3).unwrap()).collect();
        assert_eq!(Seat::take(&listeners, "a", 3).err().unwrap().code, "too_many_requests");
        assert!(Seat::take(&listeners, "b", 3).is_ok());
        drop(seats);
        assert!(Seat::take(&listeners, "a", 3).is_ok());
        assert!(lock(&listeners).is_empty(), "nothing is kept of who has gone");
    }

    fn listed(live: &Arc<Live>) -> Listed {
        let key = Key {
            organizer: None,
            personal_data: false,
            drills: false,
            principal: None,
            page: 0,
            state: String::new(),
        };
        let feed = Feed::new(watch::channel(Arc::default()).0);
        lock(&live.feeds).insert(key.clone(), Arc::clone(&feed));
        let live = Arc::clone(live);
        Listed { live, key, feed }
    }

    #[tokio::test]
    async fn a_feed_that_panics_is_listed_no_longer() {
        let live = Arc::default();
        let first = listed(&live);
        let feed = tokio::spawn(async move {
            let _listed = first;
            panic!("as a panel may");
        });
        assert!(feed.await.unwrap_err().is_panic());
        assert!(lock(&live.feeds).is_empty());
        let (gone, next) = (listed(&live), listed(&live));
        drop(gone);
        assert_eq!(lock(&live.feeds).len(), 1, "its place is another's now");
        drop(next);
        assert!(lock(&live.feeds).is_empty());
    }
}
