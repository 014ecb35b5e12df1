//! The program as a process: one folder, one holder; a stop that loses nothing; what watches it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};
use tests::{Buyer, Home, Show, iso, now_micros};

#[test]
fn a_folder_has_one_server_and_a_second_is_told_who() {
    let home = Home::new();
    let server = home.serve();
    let second = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        told.contains("in use") && told.contains(&server.pid().to_string()),
        "{told}"
    );
    assert!(told.contains("--home"), "the cure is named: {told}");
    assert_eq!(server.public().get("/healthz").status, 200);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (one, other) = (Home::new(), Home::new());
    let server = one.serve();
    let address = server.address().to_string();
    let second = other.run(&["serve", "--listen", &address]);
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && told.contains(&address) && told.contains("--listen"),
        "{told}"
    );
}

#[test]
fn it_may_open_as_many_files_as_the_machine_lets_it_and_not_as_few_as_a_shell_does() {
    let home = Home::new();
    let server = home.serve_with(|command| {
        let program = std::mem::replace(command, Command::new("sh"));
        command.args(["-c", "ulimit -S -n 256 && exec \"$@\"", "sh"]);
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null())
    });
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let of_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard]: [&str; 2] = of_files
        .split_whitespace()
        .skip(3)
        .take(2)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(soft, hard, "{of_files}");
    assert_ne!(hard, "256");
}

#[test]
fn a_stop_ends_in_order_and_everything_answered_is_there() {
    let home = Home::new();
    let mut orders = 0;
    let mut show = None;
    for signal in ["INT", "TERM"] {
        let server = home.serve();
        let show = show.get_or_insert_with(|| Show::open(&server.admin(), None, 700));
        let buyer = Buyer {
            client: server.public(),
            show,
        };
        (0..10).for_each(|_| drop(buyer.buy(2)));
        orders += 10;
        let log = home.beside("server.log");
        let status = server.signal(signal);
        assert!(
            status.success(),
            "{signal}: {status}: {}",
            std::fs::read_to_string(log).unwrap()
        );
        assert!(!home.path().join("server.json").exists(), "nobody listens any more");
        // What waited for the lake was committed by the stop: other readers see it without any server.
        let found = home.output(&[
            "sql",
            "--format",
            "csv",
            "select count(*) from orders where status = 'paid'",
        ]);
        assert_eq!(found.lines().nth(1), Some(orders.to_string().as_str()));
    }
    assert!(home.output(&["audit"]).contains("clean at position"));
}

#[test]
fn a_stop_waits_for_requests_that_are_under_way() {
    let home = Home::new();
    let server = home.serve();
    let show = Show::open(&server.admin(), None, 0);
    let (sent, paid) = std::thread::scope(|scope| {
        let (client, show) = (server.public(), &show);
        let buying = scope.spawn(move || {
            let mut paid = Vec::new();
            let hold = || client.request("POST", "/v1/holds").json(&show.hold_body(1)).try_send();
            while let Ok(hold) = hold() {
                if hold.status != 201 {
                    break;
                }
                let order = tests::order_body(&hold.json(), "test_ok");
                let Ok(order) = client.request("POST", "/v1/orders").json(&order).try_send() else {
                    break;
                };
                if order.status != 201 {
                    break;
                }
                paid.push(order.json()["order_id"].as_str().unwrap().to_owned());
            }
            paid
        });
        std::thread::sleep(Duration::from_millis(300));
        let sent = iso(now_micros());
        server.stop();
        (sent, buying.join().unwrap())
    });
    assert!(!paid.is_empty(), "nothing was bought before {sent}");
    let server = home.serve();
    for order_id in &paid {
        let order = server.admin().get(&format!("/v1/orders/{order_id}")).expect(200);
        assert_eq!(order["status"], "paid");
    }
}

#[test]
fn a_server_tells_that_it_lives_and_how_it_does() {
    let shared = crate::shared::server();
    let public = shared.server.public();
    assert_eq!(public.get("/healthz").text(), "ok");
    let ready = public.get("/readyz").expect(200);
    for part in ["store", "log", "lake"] {
        assert_eq!(ready[part]["ok"], true, "{ready}");
    }
    let text = public.get("/metrics").text();
    for name in [
        "bilten_http_requests_total",
        "bilten_http_request_duration_seconds",
        "bilten_lake_visible_seq",
    ] {
        assert!(
            text.contains(&format!("\n# TYPE {name} ")) || text.starts_with(&format!("# TYPE {name} ")),
            "{name}: {text}"
        );
    }
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("bilten_") && value.parse::<f64>().is_ok(), "{line}");
    }
    let page = public.get("/");
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html")),
        "{:?}",
        page.headers
    );
    assert!(page.header("content-security-policy").is_some());
    let docs = public.get("/docs/");
    assert_eq!(docs.status, 200);
    let policy = docs.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(docs.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn the_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let _server = home.serve();
    let mode = |name: &str| std::fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("server.json"), 0o600);
}
