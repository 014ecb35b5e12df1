//! What goes wrong around the program: a write that a crash tore, records nobody understands, a disk without room.

use crate::shared::{eventually, eventually_counts};
use ingest::{CHANGES, HeadersBuilder, LogOptions, Record};
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};
use tests::{Buyer, Client, Home, Server, Show, interaction};

fn audit(client: &Client) {
    let report = client.post("/v1/audit", &json!({})).expect(200);
    assert_eq!(report["clean"], true, "{report:#}");
}

/// The newest file of every partition of a topic.
fn newest_segments(home: &Home, topic: &str) -> Vec<PathBuf> {
    let files = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let partitions = files(&home.path().join("log").join(topic));
    let newest = partitions
        .iter()
        .filter(|path| path.is_dir())
        .filter_map(|partition| files(partition).into_iter().max());
    newest.collect()
}

#[test]
fn a_torn_write_is_cut_off_and_nothing_is_lost() {
    let home = Home::new();
    let server = home.serve();
    let show = Show::open(&server.admin(), None, 700);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    (0..10).for_each(|_| drop(buyer.buy(2)));
    drop(buyer);
    server.kill_9();
    let segments = newest_segments(&home, CHANGES);
    assert!(!segments.is_empty());
    for (number, segment) in segments.iter().enumerate() {
        // Half of a record, zeros of a block that was never written, and noise.
        let garbage = [
            fs::read(segment).unwrap()[..40.min(fs::metadata(segment).unwrap().len() as usize)].to_vec(),
            vec![0; 4096],
            vec![0xa5; 777],
        ];
        let mut file = fs::File::options().append(true).open(segment).unwrap();
        file.write_all(&garbage[number % garbage.len()]).unwrap();
    }
    let server = home.serve();
    assert!(server.log().contains("cut the end of a log file"), "{}", server.log());
    let admin = server.admin();
    eventually_counts(&admin, "select count(*) from orders where status = 'paid'", 10);
    Buyer {
        client: server.public(),
        show: &show,
    }
    .buy(1);
    eventually_counts(&admin, "select count(*) from orders where status = 'paid'", 11);
    audit(&admin);
}

#[test]
fn records_that_nobody_understands_become_rejects_and_everything_else_flows() {
    let home = Home::new();
    let server = home.serve();
    let show = Show::open(&server.admin(), None, 700);
    Buyer {
        client: server.public(),
        show: &show,
    }
    .buy(2);
    server.stop();
    append_garbage(&home);
    newer_version_wrote(&home);

    let server = home.serve();
    let admin = server.admin();
    eventually_counts(&admin, "select count(*) from rejects", 4);
    let rejects = admin
        .sql("select * from rejects")
        .iter()
        .map(ToString::to_string)
        .collect::<String>();
    assert!(rejects.contains("order.teleported"), "{rejects}");
    Buyer {
        client: server.public(),
        show: &show,
    }
    .buy(3);
    eventually_counts(&admin, "select count(*) from orders where status = 'paid'", 2);
    assert_eq!(
        admin.count("select count(*) from order_changes where change_type = 'order.teleported'"),
        0
    );
    audit(&admin);
    server.stop();
    // They are in the lake's files, so they are not rejected again.
    let server = home.serve();
    assert_eq!(server.admin().count("select count(*) from rejects"), 4);
    let me = server.bearer(&tests::token(&server.admin(), &show.organizer_id, "owner"));
    assert!(
        me.count("select count(*) from rejects") <= 1,
        "what belongs to nobody is the operator's to see"
    );
}

/// Three records without any place in the order of changes, one in each partition that comes.
fn append_garbage(home: &Home) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = format!("file://{}", home.path().join("log").display());
    runtime.block_on(async {
        let log = ingest::log::open(&url, LogOptions::default()).await.unwrap();
        let partitions = log.partitions(CHANGES).unwrap();
        let headers = HeadersBuilder::default()
            .push("ce_type", "order.paid")
            .push("ce_seq", "many")
            .build();
        for (number, headers) in [
            ingest::Headers::default(),
            headers,
            ingest::Headers::from_encoded(b"\x09ce"[..].into()),
        ]
        .into_iter()
        .enumerate()
        {
            let record = Record {
                key: "nobody".into(),
                headers,
                value: b"\xff{ no json"[..].into(),
            };
            log.append(CHANGES, number as u32 % partitions, vec![record])
                .await
                .unwrap();
        }
        log.close().await;
    });
}

/// A change type of a version of this program that is not written yet, on its regular way through the outbox.
fn newer_version_wrote(home: &Home) {
    let script = "
import sqlite3, sys
core = sqlite3.connect(sys.argv[1])
core.row_factory = sqlite3.Row
row = dict(core.execute(\"select * from outbox where change_type = 'order.paid' limit 1\").fetchone())
row.update(seq=core.execute('select max(seq) + 1 from outbox').fetchone()[0], change_type='order.teleported',
           change_id='0190b5a0-0000-7000-8000-000000000000', remaining=0)
names = ','.join(row)
core.execute(\"update positions set value = ? where name = 'committed'\", [row['seq']])
core.execute(f\"insert into outbox ({names}) values ({','.join('?' * len(row))})\", list(row.values()))
core.commit()
";
    let ran = Command::new("python3")
        .arg("-c")
        .arg(script)
        .arg(home.path().join("core.db"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// A disk of its own, so small that it can be filled. Needs the right to mount.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf, megabytes: usize) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&folder)
            .output();
        mounted
            .is_ok_and(|mounted| mounted.status.success())
            .then_some(Self(folder))
    }

    /// Leaves no byte free.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::options().create(true).append(true).open(&path).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_and_nothing_is_half_done() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(home.path(), 96) else {
        let _ = writeln!(
            std::io::stderr(),
            "left out: filling a disk needs the right to mount one"
        );
        return;
    };
    let server = home.serve();
    let show = Show::open(&server.admin(), Some(100_000), 700);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    (0..5).for_each(|_| drop(buyer.buy(1)));

    let filler = disk.fill();
    let held = hold_until_full(&server, &show);
    let seen = interaction(&show.organizer_id, None);
    let collected = eventually("interactions are refused", || {
        let answer = server.public().post("/v1/interactions", &seen);
        (answer.status != 200).then_some(answer)
    });
    collected.problem(507, "disk_full");
    assert_eq!(server.public().get("/healthz").status, 200, "alive, and able to tell");
    let ready = server.public().get("/readyz").expect(503);
    assert_eq!((&ready["ready"], &ready["disk"]["ok"]), (&json!(false), &json!(false)));
    let pools = server.admin().get(&show.of_event("pools")).expect(200);
    assert_eq!(
        (&pools[0]["held"], &pools[0]["sold"]),
        (&json!(held), &json!(5)),
        "a refused hold holds nothing"
    );

    fs::remove_file(filler).unwrap();
    let bought = eventually("there is room again", || {
        (buyer.client.post("/v1/holds", &show.hold_body(1)).status == 201).then(|| buyer.buy(2))
    });
    assert_eq!(buyer.codes(&bought).len(), 2);
    eventually("it is ready again", || {
        (server.public().get("/readyz").status == 200).then_some(())
    });
    assert_eq!(
        server.public().post("/v1/interactions", &seen).expect(200)["rejected"],
        json!([])
    );
    audit(&server.admin());
    eventually_counts(&server.admin(), "select count(*) from orders where status = 'paid'", 6);
    drop(buyer);
    server.stop();
    let server = home.serve();
    audit(&server.admin());
    server.stop();
    drop(disk);
}

/// How many holds were still answered before the disk was too full for one.
fn hold_until_full(server: &Server, show: &Show) -> i64 {
    let public = server.public();
    for held in 0..10_000 {
        let answer = public.post("/v1/holds", &show.hold_body(1));
        if answer.status != 201 {
            answer.problem(507, "disk_full");
            return held;
        }
    }
    panic!("ten thousand holds found room on a full disk");
}
