//! `bilten demo`: a made-up world, filled once from a seed, and gentle traffic in it for as long as it is served.

use super::{
    connection::Connection,
    import::send_items,
    serve::{hold, say, until_the_end},
};
use crate::{
    audit,
    config::{Config, ServeOptions},
    demo,
    home::RunningServer,
    server::Server,
    wiring::App,
};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use domain::{Slug, Timestamp, role::Role};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use transactional::{
    Kind,
    access::{self, NewUser},
    organizers,
};

const AUDIT_EVERY: Duration = Duration::from_secs(60);
const EMAIL: &str = "demo@bilten.example";

#[derive(Debug, Args)]
pub(crate) struct DemoCommand {
    #[command(flatten)]
    options: ServeOptions,

    /// What the world is made from: the same number, the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Only the world, without live traffic
    #[arg(long)]
    quiet: bool,
}

impl DemoCommand {
    pub(crate) fn roles(&self) -> String {
        self.options.roles.to_string()
    }
}

/// What a demo folder remembers, so that a later start goes on in the same world.
#[derive(Debug, Serialize, Deserialize)]
struct DemoFile {
    seed: u64,
    made_at: Timestamp,
    password: String,
    token: String,
    filled: bool,
}

pub(crate) async fn run(config: &Config, mut command: DemoCommand) -> Result<()> {
    open_for_tools(&mut command.options);
    let server = Server::start(hold(config)?, config, &command.options).await?;
    let app = server.app().clone();
    let running = server.running();
    let path = config.home.join("demo.json");
    let mut file = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?,
        Err(_) => new_file(&app, command.seed, &path).await?,
    };
    if !file.filled {
        say("Filling the world; this is done once.");
        let items: Vec<_> = demo::world(file.seed, file.made_at).collect();
        let connection = Connection::to(running.url.clone(), running.admin_token.clone(), None)?;
        let (_, refused) = send_items(&connection, &items).await?;
        if let Some(first) = refused.first() {
            say(&format!(
                "{} items of the world were refused, such as: {first}",
                refused.len()
            ));
        }
        file.filled = true;
        write(&path, &file)?;
    }
    join_organizers(&app).await?;
    let stop = CancellationToken::new();
    let traffic = (!command.quiet).then(|| {
        tokio::spawn(demo::traffic(
            running.url.clone(),
            running.admin_token.clone(),
            file.seed,
            stop.clone(),
        ))
    });
    let audits = tokio::spawn(keep_auditing(app, stop.clone()));
    say(&greeting(running, &file));
    let ended = until_the_end(&server).await;
    say("stopping: requests end, the lake takes what waits…");
    stop.cancel();
    if let Some(traffic) = traffic {
        traffic.await?;
    }
    audits.await?;
    server.stop().await?;
    say("stopped; `make demo` goes on where this ended");
    ended
}

/// Tools find the demo's lake at the two ports after its own.
fn open_for_tools(options: &mut ServeOptions) {
    let after = |places: u16| match options.listen.port() {
        0 => SocketAddr::from(([127, 0, 0, 1], 0)),
        port => SocketAddr::from(([127, 0, 0, 1], port.saturating_add(places))),
    };
    let (pg, flight) = (after(1), after(2));
    options.tools.pg_listen.get_or_insert(pg);
    options.tools.flight_listen.get_or_insert(flight);
}

fn greeting(running: &RunningServer, file: &DemoFile) -> String {
    let (url, token) = (&running.url, &file.token);
    let psql = running.postgres.map_or_else(String::new, |at| {
        format!("PGPASSWORD={token} psql -h {} -p {} bilten", at.ip(), at.port())
    });
    let flight = running.flight.map_or_else(String::new, |at| format!("grpc://{at}"));
    format!(
        "\n  Bilten is running.\n\n  Open      {url}\n  Log in    {EMAIL}  {password}\n  API       {url}/docs\n  \
         Token     {token}\n  Flight    {flight}\n\n  Try       {psql}\n            curl -s {url}/v1/sql -H \
         'Authorization: Bearer {token}' \\\n              -H 'Content-Type: application/json' -H 'Accept: \
         text/plain' \\\n              -d '{{\"sql\": \"select status, count(*) from orders group by status\"}}'\n\n  \
         Stop with Ctrl-C.\n",
        password = file.password,
    )
}

async fn new_file(app: &App, seed: u64, path: &PathBuf) -> Result<DemoFile> {
    let password = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 9]>());
    let hash = access::hash_password(password.clone()).await?;
    let token = app
        .store
        .write("system", move |tx| {
            Box::pin(async move {
                let email = EMAIL.parse()?;
                match access::user_by_email(tx, &email).await? {
                    Some(user) => access::set_password(tx, user.user_id, hash).await?,
                    None => {
                        let name = Some("Demo".to_owned());
                        let new = NewUser {
                            email,
                            name,
                            password: hash,
                            platform_admin: true,
                        };
                        access::create_user(tx, new).await?;
                    }
                }
                access::create_platform_token(tx, "demo".parse()?).await
            })
        })
        .await?;
    let file = DemoFile {
        seed,
        made_at: Timestamp::now(),
        password,
        token,
        filled: false,
    };
    write(path, &file)?;
    Ok(file)
}

/// Reports and alerts are for members, and whoever looks around may want one.
async fn join_organizers(app: &App) -> Result<()> {
    let join = app.store.write("system", |tx| {
        Box::pin(async move {
            let Some(user) = access::user_by_email(tx, &EMAIL.parse()?).await? else {
                return Ok(());
            };
            for slug in demo::organizers() {
                match organizers::by_slug(tx, &slug.parse::<Slug>()?).await {
                    Ok(organizer) => {
                        access::grant(tx, organizer.id, user.user_id, Role::Owner).await?;
                    }
                    Err(error) if error.kind() == Kind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    });
    Ok(join.await?)
}

/// The file holds a password, so only its owner may read it.
fn write(path: &PathBuf, file: &DemoFile) -> Result<()> {
    let mut out = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    out.write_all(&serde_json::to_vec_pretty(file)?)?;
    Ok(())
}

async fn keep_auditing(app: Arc<App>, stop: CancellationToken) {
    loop {
        match audit::audit(&app).await {
            Ok(report) => audit::remember(&app, &report),
            Err(problem) => tracing::warn!(%problem, "the audit could not be made"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AUDIT_EVERY) => {}
        }
    }
}
