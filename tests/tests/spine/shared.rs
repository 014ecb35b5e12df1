//! One server for all tests that only use the API: each acts in organizers of its own.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};
pub(crate) use tests::load::eventually;
use tests::{Home, Server};

pub(crate) struct Shared {
    // First: the server ends before its folder goes.
    pub(crate) server: Server,
    #[expect(dead_code, reason = "the folder lives as long as its server")]
    home: Home,
}

/// The server that runs now, or a new one. It ends with the last test that holds it: a process that outlives its
/// tests would be left behind.
pub(crate) fn server() -> Arc<Shared> {
    static RUNNING: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(shared) = running.upgrade() {
        return shared;
    }
    let home = Home::new();
    let shared = Arc::new(Shared {
        server: home.serve(),
        home,
    });
    *running = Arc::downgrade(&shared);
    shared
}

/// Waits until a query of one number answers this.
#[track_caller]
pub(crate) fn eventually_counts(client: &tests::Client, sql: &str, wanted: i64) {
    let mut last = None;
    let started = Instant::now();
    while last != Some(wanted) {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{sql} answers {last:?} and not {wanted}"
        );
        last = Some(client.count(sql));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until this is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    eventually(what, || so().then_some(()));
}

/// A mail as its reader sees it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Every mail in the folder, the oldest first.
pub(crate) fn mails(home: &Home) -> Vec<Mail> {
    let folder = home.path().join("mail");
    let files = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .collect();
    files.sort();
    let script = "import email, email.policy, json, sys\n\
                  mail = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)\n\
                  body = lambda kind: mail.get_body((kind,)).get_content()\n\
                  print(json.dumps({'to': mail['to'], 'subject': mail['subject'], 'text': body('plain'), 'html': body('html')}))";
    let read = |path: PathBuf| {
        let output = Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    files.into_iter().map(read).collect()
}
