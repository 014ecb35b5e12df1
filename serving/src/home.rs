//! The data folder: who holds it, and how a second command finds the server that does.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A data folder, not necessarily ours.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// A data folder that this process holds. No other process opens it until this is dropped or the process ends, by
/// whatever means: the lock is the operating system's.
#[derive(Debug)]
pub struct HeldHome {
    home: Home,
    _lock: File,
}

/// This process, as others of the installation know it.
#[derive(Clone, Debug)]
pub struct OwnProcess {
    /// Stays with the data folder, which one process holds at a time: one that comes back after a crash is known.
    pub process_id: String,
    pub url: String,
    pub admin_token: String,
}

/// Where the server on a folder listens, for commands run by the same operating-system user.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunningServer {
    pub url: String,
    pub admin_token: String,
    pub pid: u32,
    /// Where PostgreSQL's clients connect, and Flight SQL's, if they may.
    #[serde(default)]
    pub postgres: Option<SocketAddr>,
    #[serde(default)]
    pub flight: Option<SocketAddr>,
}

impl RunningServer {
    pub(crate) fn for_tools(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let known = [("PostgreSQL's", self.postgres), ("Flight SQL's", self.flight)];
        known.into_iter().filter_map(|(who, address)| Some((who, address?)))
    }
}

impl Home {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes the folder, making it if needed. `None`: another process holds it.
    pub fn hold(&self) -> Result<Option<HeldHome>> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .with_context(|| format!("the data folder {} can't be made", self.0.display()))?;
        let path = self.0.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("{} can't be opened for writing", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(HeldHome {
                home: self.clone(),
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} can't be locked", path.display()))
            }
        }
    }

    /// The server that holds the folder, once it listens.
    pub fn running_server(&self) -> Result<Option<RunningServer>> {
        match fs::read(self.server_file()) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} can't be read", self.server_file().display())),
        }
    }

    fn server_file(&self) -> PathBuf {
        self.0.join("server.json")
    }
}

impl HeldHome {
    /// The name of whoever holds this folder, now and after a restart.
    pub fn process_id(&self) -> Result<String> {
        let path = self.home.0.join("process.id");
        match fs::read_to_string(&path) {
            Ok(known) if !known.trim().is_empty() => return Ok(known.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{} can't be read", path.display())),
        }
        let new = uuid::Uuid::now_v7().to_string();
        fs::write(&path, &new).with_context(|| format!("{} can't be written", path.display()))?;
        Ok(new)
    }

    /// Tells other commands where we listen. The file holds a secret, so only its owner may read it.
    pub fn announce(&self, server: &RunningServer) -> Result<()> {
        let (path, new) = (self.home.server_file(), self.home.0.join("server.json.new"));
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(server)?)?;
        fs::rename(&new, &path).with_context(|| format!("{} can't be written", path.display()))
    }
}

impl Drop for HeldHome {
    fn drop(&mut self) {
        // Left behind, the file would only send the next command to an address where nobody answers.
        let _ = fs::remove_file(self.home.server_file());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_who_can_be_found() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("data"));
        let held = home.hold().unwrap().unwrap();
        assert!(home.hold().unwrap().is_none());
        assert!(home.running_server().unwrap().is_none());
        let url = "http://127.0.0.1:1".to_owned();
        held.announce(&RunningServer {
            url: url.clone(),
            admin_token: "x".into(),
            pid: 1,
            postgres: None,
            flight: None,
        })
        .unwrap();
        assert_eq!(home.running_server().unwrap().unwrap().url, url);
        drop(held);
        assert!(home.running_server().unwrap().is_none());
        assert!(home.hold().unwrap().is_some());
    }
}
