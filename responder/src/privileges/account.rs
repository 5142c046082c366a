//! Whose process this is to be, and what must be theirs for that.

use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use nix::unistd::{Gid, Uid, User};

/// The account taken where the configuration names none, if the machine has it.
const USUAL: &str = "pulse53";

/// An account that is not root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: Uid,
    /// Its group.
    pub gid: Gid,
}

/// Why the process cannot be what `[server] user` says.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No such account.
    #[error("[server] user: there is no account {0:?}; make it with `useradd --system {0}`, or name another")]
    Unknown(String),
    /// Only root may become somebody else.
    #[error("[server] user: only root can become {name}; start as root, or as {name} and leave the key out")]
    NotRoot {
        /// Who it should become.
        name: String,
    },
    /// The accounts could not be read.
    #[error("[server] user: cannot look up {name:?}: {source}")]
    LookUp {
        /// Who was looked for.
        name: String,
        /// Why that failed.
        source: nix::Error,
    },
}

/// Who this process is to become; none: it stays who it is.
///
/// Without a name, that is the account `pulse53` if there is one and root started the process.
pub fn account(configured: Option<&str>) -> Result<Option<Account>, AccountError> {
    let name = configured.unwrap_or(USUAL);
    let found = User::from_name(name)
        .map_err(|source| AccountError::LookUp { name: name.to_owned(), source })?
        .map(|user| Account { name: user.name, uid: user.uid, gid: user.gid });
    let me = Uid::effective();
    match (found, configured) {
        (None, Some(name)) => Err(AccountError::Unknown(name.to_owned())),
        (None, None) => Ok(None),
        (Some(account), _) if account.uid == me => Ok(None),
        (Some(account), _) if me.is_root() => Ok(Some(account)),
        (Some(account), Some(_)) => Err(AccountError::NotRoot { name: account.name }),
        (Some(_), None) => Ok(None),
    }
}

impl Account {
    /// Makes a directory if there is none, and gives it to this account with the named files in it, as far as they exist.
    ///
    /// A directory of others is left to them, unless the first of the files is in it: then an earlier run made it. Links are not followed,
    /// and a file with a second name is left alone: who may write the directory could have put it there.
    pub fn give_directory(&self, directory: &Path, files: &[&str]) -> io::Result<()> {
        let is_new = !directory.exists();
        std::fs::create_dir_all(directory)?;
        let is_ours = is_new || files.first().is_some_and(|first| directory.join(first).exists());
        if !is_ours {
            return Ok(());
        }
        self.give(directory)?;
        files.iter().try_for_each(|file| match self.give(&directory.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            given => given,
        })
    }

    /// Gives a directory, or a file with one name, to this account.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        let found = path.symlink_metadata()?;
        let is_fit = found.is_dir() || (found.is_file() && found.nlink() == 1);
        if !is_fit || (found.uid(), found.gid()) == (self.uid.as_raw(), self.gid.as_raw()) {
            return Ok(());
        }
        lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_must_exist() {
        assert!(matches!(account(Some("no-such-account")), Err(AccountError::Unknown(_))));
        let me = User::from_uid(Uid::effective()).unwrap().expect("tests run as somebody");
        assert_eq!(account(Some(&me.name)).unwrap(), None);
    }

    #[test]
    fn only_what_is_ours_is_given() {
        if !Uid::effective().is_root() {
            // Nothing can be given away then; tests/blackbox says that it is skipped.
            return;
        }
        let nobody =
            Account { name: "nobody".to_owned(), uid: Uid::from_raw(65_534), gid: Gid::from_raw(65_534) };
        let owner = |path: &Path| path.symlink_metadata().unwrap().uid();
        let place = tempfile::tempdir().unwrap();

        // Somebody's directory, without the first file.
        std::fs::write(place.path().join("second"), "").unwrap();
        nobody.give_directory(place.path(), &["first", "second"]).unwrap();
        assert_eq!((owner(place.path()), owner(&place.path().join("second"))), (0, 0));

        // A new one, and then what a run as root left in it.
        let ours = place.path().join("a/b");
        nobody.give_directory(&ours, &["first", "second"]).unwrap();
        assert_eq!((owner(&ours), owner(&place.path().join("a"))), (65_534, 0));
        for file in ["first", "other"] {
            std::fs::write(ours.join(file), "").unwrap();
        }
        let target = place.path().join("target");
        std::fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, ours.join("second")).unwrap();
        nobody.give_directory(&ours, &["first", "second"]).unwrap();
        assert_eq!((owner(&ours.join("first")), owner(&ours.join("other")), owner(&target)), (65_534, 0, 0));
        std::fs::remove_file(ours.join("second")).unwrap();
        std::fs::hard_link(&target, ours.join("second")).unwrap();
        nobody.give_directory(&ours, &["first", "second"]).unwrap();
        assert_eq!(owner(&target), 0);
    }
}
