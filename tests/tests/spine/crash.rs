//! kill -9 at any moment under load: what was answered is there, once, in the core and in the lake.

use std::{
    io::{self, Write},
    time::Duration,
};
use tests::{
    Home, Random, Server, Show,
    load::{Answered, audit, browse, check, nothing_doubled, purchase, settle_open},
};

const ROUNDS: usize = 50;
const BUYERS: usize = 3;

#[test]
fn fifty_kills_under_load_lose_nothing_and_double_nothing() {
    let mut random = Random::announced("kill -9");
    let home = Home::new();
    let mut server = home.serve();
    let show = Show::open(&server.admin(), None, 1_100);
    let mut all = Answered::default();
    for round in 0..ROUNDS {
        let (load, mark) = (Duration::from_millis(random.within(50..600)), format!("round-{round}"));
        let mut answered = under_load(server, &show, load, &mark);
        server = home.serve();
        settle_open(&server.public(), &server.admin(), &show, &mut answered);
        check(&server.admin(), &answered, &mark);
        audit(&server.admin());
        all.add(answered);
    }
    nothing_doubled(&server.admin());
    let client = server.admin();
    let count = |sql: &str| client.count(sql) as usize;
    let (placed, paid) = (all.placed.len(), all.paid.len());
    let (redeemed, interactions) = (all.redeemed.len(), all.interactions.len());
    let told =
        format!("{ROUNDS} kills: {placed} orders, {paid} payments, {redeemed} scans, {interactions} interactions");
    let _ = writeln!(io::stderr(), "{told} were answered, and are there");
    assert!(
        paid > ROUNDS && !all.redeemed.is_empty() && !all.interactions.is_empty(),
        "{paid}: there was no load"
    );
    assert!(count("select count(*) from orders") >= placed);
    assert!(count("select count(*) from orders where status = 'paid'") >= paid);
    let tickets: i64 = all.paid.values().sum();
    assert!(client.count("select count(*) from tickets") >= tickets);
    assert!(count("select count(*) from check_ins where accepted") >= all.redeemed.len());
    assert!(count("select count(*) from interactions") >= all.interactions.len());
    server.stop();
}

/// Runs all clients against the server until it is killed under them.
fn under_load(server: Server, show: &Show, load: Duration, mark: &str) -> Answered {
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for _ in 0..BUYERS {
            let (public, door) = (server.public(), server.admin());
            clients.push(scope.spawn(move || run(|answered| purchase(&public, &door, show, answered))));
        }
        let browser = server.public();
        clients.push(scope.spawn(move || run(|answered| browse(&browser, show, mark, answered))));
        std::thread::sleep(load);
        server.kill_9();
        let mut all = Answered::default();
        clients.into_iter().for_each(|client| all.add(client.join().unwrap()));
        all
    })
}

/// Repeats until the connection breaks.
fn run(mut act: impl FnMut(&mut Answered) -> io::Result<()>) -> Answered {
    let mut answered = Answered::default();
    while act(&mut answered).is_ok() {}
    answered
}
