//! Mails as files in a folder, for a laptop: any mail program opens them.

use super::{MailError, MailPort};
use anyhow::{Context, Result};
use async_trait::async_trait;
use domain::MailId;
use lettre::Message;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("the mail folder {} can't be made", folder.display()))?;
        Ok(Self(folder))
    }
}

#[async_trait]
impl MailPort for Folder {
    async fn send(&self, id: MailId, mail: &Message) -> Result<(), MailError> {
        let (folder, bytes) = (self.0.clone(), mail.formatted());
        let written = tokio::task::spawn_blocking(move || write(&folder, id, &bytes)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| MailError::Unavailable(format!("the mail can't be written: {error}")))
    }

    async fn forget(&self, id: MailId) -> Result<()> {
        for end in ["eml", "new"] {
            match tokio::fs::remove_file(self.0.join(format!("{id}.{end}"))).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whole or not at all.
fn write(folder: &Path, id: MailId, bytes: &[u8]) -> io::Result<()> {
    let (new, path) = (folder.join(format!("{id}.new")), folder.join(format!("{id}.eml")));
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}
