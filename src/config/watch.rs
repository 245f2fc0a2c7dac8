//! Notices that policies changed.
//!
//! The system's notice is fast and not to be trusted: the kubelet swaps a link (`..data`), editors
//! replace files, network filesystems say nothing, and a watch on a file dies with it. So the folder is
//! watched, notices only wake us, and what decides is the contents' hash, which is also compared every
//! few seconds without any notice.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

use super::folder;

/// Tells when the policy files differ from those that were loaded. Owns a thread, which ends when this
/// is dropped.
#[derive(Debug)]
pub struct Watcher {
    changes: watch::Receiver<String>,
    // `None` where the system gives no notices; the comparison goes on.
    notices: Option<RecommendedWatcher>,
    // Its drop is the message that ends the thread.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Editors write in several steps and the kubelet swaps many files; this much quiet means they are done.
const QUIET: Duration = Duration::from_millis(200);

/// A folder that is never quiet is looked at all the same.
const MAX_QUIET_WAITS: u32 = 10;

impl Watcher {
    /// Watches a policy file or folder whose loaded contents have this generation
    /// ([`Policies::generation`](super::Policies::generation)), and compares every `poll`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn new(path: &Path, loaded: &str, poll: Duration) -> std::io::Result<Self> {
        // One place: a notice that finds it taken says nothing new.
        let (wake, woken) = sync_channel(1);
        let (announce, changes) = watch::channel(loaded.to_owned());
        let notices = match notices(path, wake.clone()) {
            Ok(notices) => Some(notices),
            Err(error) => {
                tracing::warn!(
                    policy.path = %path.display(),
                    error = %error,
                    "no notices of policy changes; they are found by comparing"
                );
                None
            }
        };
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("policy-watch".to_owned())
            .spawn(move || compare(&path, poll, &woken, &announce))?;
        Ok(Self {
            changes,
            notices,
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Ends when the contents differ from those last announced or loaded, and rest, with their generation.
    /// Whoever loads them then and gets another one has read them in the middle of the next change: that
    /// result is not to be used, and the next announcement is under way. May be dropped and asked again at
    /// any time: a change is announced until it was returned.
    pub async fn changed(&mut self) -> String {
        if self.changes.changed().await.is_err() {
            // The thread is gone, which is no change.
            return std::future::pending().await;
        }
        self.changes.borrow_and_update().clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.notices = None;
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // It ends at its next look at the channel; at worst it finishes one reading of the folder.
            let _ended = thread.join();
        }
    }
}

/// Has every change below the folder (for a file: beside it) wake the thread.
fn notices(path: &Path, wake: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading is what we do ourselves when we compare; it must not wake us again.
        let is_read = matches!(&event, Ok(event) if event.kind.is_access());
        if !is_read {
            let _already_awake = wake.try_send(());
        }
    })?;
    let (folder, mode) = if path.is_dir() {
        (path.to_owned(), RecursiveMode::Recursive)
    } else {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_owned);
        (parent, RecursiveMode::NonRecursive)
    };
    watcher.watch(&folder, mode)?;
    Ok(watcher)
}

/// The thread: compares, announces, and sleeps until a notice comes or `poll` has passed.
fn compare(path: &Path, poll: Duration, woken: &Receiver<()>, announce: &watch::Sender<String>) {
    loop {
        // First of all, because the files may have changed between loading and watching.
        let now = folder::generation(path);
        if *announce.borrow() != now {
            match settled(path, now, woken) {
                Ok(Some(now)) => announce_change(announce, now),
                // Written to all the time; looked at again below.
                Ok(None) => {}
                Err(OwnerGone) => return,
            }
        }
        match woken.recv_timeout(poll) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Nobody is left to announce to.
struct OwnerGone;

/// The generation once it is the same before and after a pause. A file that is being written is a policy
/// that ends too early, and might well load.
fn settled(path: &Path, first: String, woken: &Receiver<()>) -> Result<Option<String>, OwnerGone> {
    let mut last = first;
    for _ in 0..MAX_QUIET_WAITS {
        pause(woken)?;
        let now = folder::generation(path);
        if now == last {
            return Ok(Some(now));
        }
        last = now;
    }
    Ok(None)
}

/// Waits for quiet: no notice for a while.
fn pause(woken: &Receiver<()>) -> Result<(), OwnerGone> {
    for _ in 0..MAX_QUIET_WAITS {
        match woken.recv_timeout(QUIET) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return Err(OwnerGone),
        }
    }
    Ok(())
}

fn announce_change(announce: &watch::Sender<String>, now: String) {
    announce.send_if_modified(|last| {
        let differs = *last != now;
        if differs {
            *last = now;
        }
        differs
    });
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    async fn soon(watcher: &mut Watcher) -> Option<String> {
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, watcher.changed()).await.ok()
    }

    async fn quiet(watcher: &mut Watcher) -> bool {
        let limit = Duration::from_millis(600);
        tokio::time::timeout(limit, watcher.changed())
            .await
            .is_err()
    }

    fn watch(path: &Path, poll: Duration) -> Watcher {
        Watcher::new(path, &folder::generation(path), poll).unwrap()
    }

    #[tokio::test]
    async fn a_changed_file_is_noticed_and_an_equal_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "lictor: v1\n").unwrap();
        let mut watcher = watch(folder.path(), LONG);
        fs::write(&file, "lictor: v1\n").unwrap();
        fs::write(folder.path().join("notes.txt"), "no policy").unwrap();
        assert!(quiet(&mut watcher).await);
        fs::write(&file, "lictor: v1\nroles: {}\n").unwrap();
        let generation = soon(&mut watcher).await.unwrap();
        assert_eq!(generation, folder::generation(folder.path()));
        fs::remove_file(&file).unwrap();
        assert!(soon(&mut watcher).await.is_some());
    }

    #[tokio::test]
    async fn the_kubelets_swap_of_a_link_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (version, text) in [("..1", "lictor: v1\n"), ("..2", "lictor: v1\nroles: {}\n")] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("a.yaml"), text).unwrap();
        }
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
        let mut watcher = watch(root, LONG);
        // As the kubelet does: a new link under another name, then a rename over the old one.
        symlink("..2", root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        fs::remove_dir_all(root.join("..1")).unwrap();
        assert!(soon(&mut watcher).await.is_some());
        assert!(quiet(&mut watcher).await);
    }

    #[tokio::test]
    async fn a_single_file_that_is_replaced_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "lictor: v1\n").unwrap();
        let mut watcher = watch(&file, LONG);
        let new = folder.path().join("new");
        fs::write(&new, "lictor: v1\nroles: {}\n").unwrap();
        fs::rename(&new, &file).unwrap();
        assert!(soon(&mut watcher).await.is_some());
    }

    #[tokio::test]
    async fn what_gives_no_notice_is_found_by_comparing() {
        // The link leads out of the watched folder, so its target's change is nobody's notice.
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("a.yaml");
        fs::write(&target, "lictor: v1\n").unwrap();
        symlink(&target, folder.path().join("a.yaml")).unwrap();
        let mut watcher = watch(folder.path(), Duration::from_millis(50));
        fs::write(&target, "lictor: v1\nroles: {}\n").unwrap();
        assert!(soon(&mut watcher).await.is_some());
    }

    #[tokio::test]
    async fn what_changed_since_it_was_loaded_is_announced_at_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "lictor: v1\n").unwrap();
        let mut watcher = Watcher::new(folder.path(), "another generation", LONG).unwrap();
        let generation = soon(&mut watcher).await.unwrap();
        assert_eq!(generation, folder::generation(folder.path()));
    }

    #[tokio::test]
    async fn the_thread_ends_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let watcher = watch(folder.path(), LONG);
        let started = crate::clock::now();
        drop(watcher);
        assert!(crate::clock::now() - started < Duration::from_secs(5));
    }
}
