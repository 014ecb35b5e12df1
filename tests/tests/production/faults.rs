//! kill -9 of any process and of any server, one or two at a time, under load.

use crate::{load::Load, my_turn};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};
use tests::{
    Client, Random, Show,
    cluster::{Cluster, Services},
    load::{Answered, audit, check, nothing_doubled, settle_open},
    token, uuid7,
};

const ROUNDS: usize = 30;

/// From when all that was killed is back until a purchase is seen within a second of its payment. Every round keeps it,
/// with room for a busy machine: what takes longest is a relay's lease, which another takes over after 4 s, and a broker,
/// which is let in again when its old session of 3 s has ended; both go on while the killed start again.
const RECOVERY: Duration = Duration::from_secs(15);
/// A round that is late is waited for so long, so that all of them can be told.
const ALLOWED: Duration = Duration::from_secs(60);
const FRESH: Duration = Duration::from_secs(1);

const PROCESSES: [&str; 6] = ["api-1", "relay-1", "relay-2", "sink-1", "sink-2", "query-1"];
const SERVERS: [&str; 3] = ["kafka", "postgres", "s3"];

#[test]
fn thirty_rounds_of_kills_lose_nothing_and_double_nothing() {
    let _turn = my_turn();
    let Some(services) = Services::find() else { return };
    let mut random = Random::announced("faults in production");
    let mut cluster = Cluster::new(services);
    for (name, roles) in [
        ("api-1", "api"),
        ("api-2", "api,worker"),
        ("relay-1", "relay"),
        ("relay-2", "relay"),
        ("sink-1", "sink"),
        ("sink-2", "sink"),
        ("query-1", "query"),
    ] {
        cluster.add(name, roles);
    }
    let admin = cluster.server("api-2").admin();
    let show = Show::open(&admin, None, 1_100);
    let door = token(&admin, &show.organizer_id, "door");
    let mut all = Answered::default();
    let mut recoveries = Vec::new();
    for round in 0..ROUNDS {
        let mark = format!("round-{round}-{}", uuid7());
        let victims = victims(&mut random);
        let (before, after) = (random.within(200..900), random.within(300..1_500));
        let addresses = [cluster.server("api-1").address(), cluster.server("api-2").address()];
        let load = Load {
            show: &show,
            door: &door,
            mark: &mark,
        };
        let (mut noted, recovered) = load.during(&addresses, || {
            sleep(Duration::from_millis(before));
            victims.iter().for_each(|victim| kill(&mut cluster, victim));
            sleep(Duration::from_millis(after));
            // A server comes back before a process that needs it.
            let is_server = |victim: &&&str| SERVERS.contains(victim);
            for name in victims.iter().filter(is_server) {
                cluster.services.order("start", name);
            }
            for name in victims.iter().filter(|victim| !is_server(victim)) {
                cluster.start(name);
            }
            until_fresh(&cluster, &show, &door)
        });
        let killed = victims.join(" and ");
        eprintln!("round {round}: killed {killed}, fresh again after {recovered:?}");
        recoveries.push((recovered, killed));
        let api = cluster.server("api-2");
        settle_open(&api.public(), &api.bearer(&door), &show, &mut noted);
        let query = cluster.server("query-1").admin();
        check(&query, &noted, &mark);
        audit(&query);
        all.add(noted);
    }
    nothing_doubled(&cluster.server("query-1").admin());
    eprintln!(
        "{ROUNDS} rounds: {} orders, {} payments, {} scans, {} interactions were answered, and are there once",
        all.placed.len(),
        all.paid.len(),
        all.redeemed.len(),
        all.interactions.len()
    );
    assert!(all.paid.len() > ROUNDS && !all.redeemed.is_empty() && !all.interactions.is_empty());
    assert_in_time(recoveries);
    cluster.stop();
}

/// Tells how long the rounds took to recover, and finds those that took too long.
fn assert_in_time(mut recoveries: Vec<(Duration, String)>) {
    recoveries.sort();
    let at = |share: usize| recoveries[(recoveries.len() - 1) * share / 100].0;
    eprintln!(
        "recovery: median {:?}, nine of ten within {:?}, slowest {:?} of {RECOVERY:?}",
        at(50),
        at(90),
        at(100)
    );
    recoveries.retain(|(took, _)| *took > RECOVERY);
    assert!(recoveries.is_empty(), "not fresh within {RECOVERY:?}: {recoveries:?}");
}

/// One or two of all that can be killed.
fn victims(random: &mut Random) -> Vec<&'static str> {
    let all: Vec<&'static str> = PROCESSES.into_iter().chain(SERVERS).collect();
    let first = all[random.below(all.len() as u64) as usize];
    let second = all[random.below(all.len() as u64) as usize];
    match random.below(2) == 0 || first == second {
        true => vec![first],
        false => vec![first, second],
    }
}

fn kill(cluster: &mut Cluster, victim: &str) {
    match SERVERS.contains(&victim) {
        true => cluster.services.order("kill", victim),
        false => cluster.kill_9(victim),
    }
}

/// Buys until a purchase is seen within a second, and says how long that took.
pub(crate) fn until_fresh(cluster: &Cluster, show: &Show, door: &str) -> Duration {
    let recovered = Instant::now();
    let (shop, door) = (cluster.server("api-2").public(), cluster.server("api-2").bearer(door));
    let query = cluster.server("query-1").admin();
    loop {
        if let Some(order_id) = try_buy(&shop, &door, show) {
            let bought = Instant::now();
            while bought.elapsed() < FRESH {
                if sees(&query, &order_id) {
                    return recovered.elapsed();
                }
                sleep(Duration::from_millis(20));
            }
        }
        assert!(
            recovered.elapsed() < ALLOWED,
            "not fresh {ALLOWED:?} after the recovery: {}",
            query.get("/v1/status").text()
        );
        sleep(Duration::from_millis(100));
    }
}

/// A paid order, if all of it was answered.
fn try_buy(shop: &Client, door: &Client, show: &Show) -> Option<String> {
    let mut noted = Answered::default();
    let _ = tests::load::purchase(shop, door, show, &mut noted);
    noted.paid.into_keys().next()
}

fn sees(query: &Client, order_id: &str) -> bool {
    let sql = format!("select count(*) as paid from orders where order_id = '{order_id}' and status = 'paid'");
    let answer = query
        .request("POST", "/v1/sql")
        .json(&serde_json::json!({ "sql": sql }))
        .try_send();
    answer.is_ok_and(|answer| answer.status == 200 && answer.json()[0]["paid"] == 1)
}
