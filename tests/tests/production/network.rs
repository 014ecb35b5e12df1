//! Networks that fail between the processes and PostgreSQL, Kafka or S3: a cut, a stall, an answer that is lost after
//! what it answers was done.

use crate::{faults::until_fresh, load::Load, my_turn};
use std::{net::SocketAddr, thread::sleep, time::Duration};
use tests::{
    Random, Show,
    cluster::{Cluster, Services},
    load::{audit, check, nothing_doubled, settle_open},
    proxy::{Mode, Proxy},
    token, uuid7,
};

const ROUNDS: usize = 4;

#[test]
fn cuts_stalls_and_lost_answers_lose_nothing_and_double_nothing() {
    let _turn = my_turn();
    let Some(services) = Services::find() else { return };
    let mut random = Random::announced("faults of the network");
    let mut cluster = Cluster::new(services);
    let database = proxied(&mut cluster.backends.database_url);
    let log = Proxy::at(cluster.services.kafka_proxy, cluster.services.kafka_proxied);
    redirect(
        &mut cluster.backends.event_log_url,
        &cluster.services.kafka,
        log.address(),
    );
    let lake = proxied(&mut cluster.backends.lake_url);
    for (name, roles) in [
        ("api-1", "api"),
        ("api-2", "api,relay,worker"),
        ("sink-1", "sink"),
        ("query-1", "query"),
    ] {
        cluster.add(name, roles);
    }
    let admin = cluster.server("api-2").admin();
    let show = Show::open(&admin, None, 1_100);
    let door = token(&admin, &show.organizer_id, "door");
    for round in 0..ROUNDS {
        for (what, proxy) in [("PostgreSQL", &database), ("Kafka", &log), ("S3", &lake)] {
            for mode in [Mode::Cut, Mode::Stall, Mode::LoseAnswers] {
                let mark = format!("{what}-{mode:?}-{round}-{}", uuid7());
                let addresses = [cluster.server("api-1").address(), cluster.server("api-2").address()];
                let load = Load {
                    show: &show,
                    door: &door,
                    mark: &mark,
                };
                let (mut noted, recovered) = load.during(&addresses, || {
                    sleep(Duration::from_millis(random.within(100..600)));
                    proxy.set(mode);
                    sleep(Duration::from_millis(random.within(200..2_500)));
                    proxy.set(Mode::Pass);
                    until_fresh(&cluster, &show, &door)
                });
                eprintln!("{what}, {mode:?}: fresh again after {recovered:?}");
                let api = cluster.server("api-2");
                settle_open(&api.public(), &api.bearer(&door), &show, &mut noted);
                let query = cluster.server("query-1").admin();
                check(&query, &noted, &mark);
                audit(&query);
            }
        }
    }
    nothing_doubled(&cluster.server("query-1").admin());
    cluster.stop();
}

/// Puts a proxy before the server that a URL names.
fn proxied(url: &mut String) -> Proxy {
    let from = url.rfind("127.0.0.1:").expect("a server on this machine");
    let rest = &url[from..];
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let target: SocketAddr = rest[..end].parse().expect("an address with a port");
    let proxy = Proxy::before(target);
    redirect(url, &target.to_string(), proxy.address());
    proxy
}

fn redirect(url: &mut String, from: &str, to: SocketAddr) {
    assert!(url.contains(from), "{url} does not lead to {from}");
    *url = url.replace(from, &to.to_string());
}
