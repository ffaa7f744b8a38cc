//! Keeps the table and the file together: saves changes in the background, and not too often.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crust_core::rt;
use futures::{
    StreamExt,
    channel::mpsc,
    future::{Either, select},
    lock::OwnedMutexGuard,
};
use tracing::{debug, info, warn};

use crate::{
    entry::Entry,
    file::{CacheError, CacheFile, Merged},
    table::Table,
    wire::Flaw,
};

/// Keeps a table and a file together. Dropping it saves what has changed, in the background.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    /// Wakes the task that saves, and by its end tells it to end. One notice is as good as many.
    changed: Mutex<mpsc::Sender<()>>,
}

struct Shared {
    file: Option<CacheFile>,
    /// Whether what fails is a warning; else whoever asked is told of it alone.
    warns: bool,
    state: Mutex<State>,
    /// Whose turn it is to write. Awaited, unlike the other, and held by the work itself to its end.
    turn: Arc<futures::lock::Mutex<()>>,
}

struct State {
    table: Table,
    /// Counts changes.
    version: u64,
    /// The version that is in the file.
    saved: u64,
    /// The last attempt to save failed, and was warned of.
    is_failing: bool,
    is_shut_down: bool,
}

impl Keeper {
    /// Reads the file into `table` and keeps both together, saving at most once in `every`. What fails is a warning.
    pub(crate) async fn open(table: Table, file: Option<CacheFile>, every: Duration) -> Self {
        let (keeper, changes) = Self::new(table, file, true);
        if keeper.shared.file.is_some() {
            keeper.shared.load_or_warn().await;
            rt::detach(keep_saved(keeper.shared.clone(), changes, every));
        }
        keeper
    }

    /// As [`open`](Self::open), without warnings of what fails.
    pub(crate) async fn edit(
        table: Table,
        file: Option<CacheFile>,
        every: Duration,
    ) -> Result<Self, CacheError> {
        let (keeper, changes) = Self::new(table, file, false);
        if let Some(file) = keeper.shared.file.clone() {
            if keeper.shared.load(&file).await?.is_some() {
                keeper.shared.replace(&file).await?;
            }
            rt::detach(keep_saved(keeper.shared.clone(), changes, every));
        }
        Ok(keeper)
    }

    fn new(table: Table, file: Option<CacheFile>, warns: bool) -> (Self, mpsc::Receiver<()>) {
        let (sender, changes) = mpsc::channel(0);
        let state = State {
            table,
            version: 0,
            saved: 0,
            is_failing: false,
            is_shut_down: false,
        };
        let shared = Arc::new(Shared {
            file,
            warns,
            state: Mutex::new(state),
            turn: Arc::default(),
        });
        let changed = Mutex::new(sender);
        (Self { shared, changed }, changes)
    }

    /// Lets `change` change the table; it says whether that is worth saving.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Table) -> bool) -> bool {
        let mut state = self.shared.state();
        let changed = change(&mut state.table);
        state.version += u64::from(changed);
        drop(state);
        if changed {
            // Full means that it knows already.
            let _ = lock(&self.changed).try_send(());
        }
        changed
    }

    /// Looks at the table.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        read(&self.shared.state().table)
    }

    /// Saves what has changed, and waits for what is being saved.
    pub(crate) async fn flush(&self) -> Result<(), CacheError> {
        self.shared.save().await
    }

    /// Removes what was set aside; gives how many files that were.
    pub(crate) async fn forget_set_aside(&self) -> Result<usize, CacheError> {
        match &self.shared.file {
            Some(file) => blocking(file, CacheFile::forget_set_aside).await,
            None => Ok(0),
        }
    }

    /// Saves what has changed, and nothing after it.
    pub(crate) async fn shutdown(&self) {
        self.shared.state().is_shut_down = true;
        // What is wrong was warned of.
        let _ = self.shared.save_all().await;
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.shared.file.as_ref().map(CacheFile::path)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn is_unsaved(&self) -> bool {
        let state = self.state();
        state.version != state.saved
    }

    /// Whether there is something for the background task to do.
    fn is_due(&self) -> bool {
        self.is_unsaved() && !self.state().is_shut_down
    }

    /// Reads the file. One that is flawed is replaced at once, and so set aside.
    async fn load_or_warn(&self) {
        let Some(file) = self.file.clone() else {
            return;
        };
        let flaw = match self.load(&file).await {
            Ok(flaw) => flaw,
            Err(error) => {
                self.state().is_failing = true;
                warn!(error = %chain(&error), "the peers of earlier runs are not known");
                return;
            }
        };
        if let Some(flaw) = flaw
            && let Err(error) = self.replace(&file).await
        {
            self.state().is_failing = true;
            warn!(
                path = %file.path().display(), flaw = flaw.name(), error = %chain(&error),
                "the peer cache is flawed and cannot be set aside; what could be read of it is used"
            );
        }
    }

    /// Reads the file, and gives what is wrong with it.
    async fn load(&self, file: &CacheFile) -> Result<Option<Flaw>, CacheError> {
        let decoded = blocking(file, CacheFile::read).await?;
        self.merge(decoded.entries, decoded.cleared_ms);
        Ok(decoded.flaw)
    }

    /// Writes the file whether anything has changed or not.
    async fn replace(&self, file: &CacheFile) -> Result<(), CacheError> {
        let turn = self.turn.clone().lock_owned().await;
        self.write(file, turn).await
    }

    fn merge(&self, entries: Vec<Entry>, cleared_ms: u64) {
        self.state().table.merge(entries, cleared_ms, now_ms());
    }

    /// Saves what has changed, unless it is shut down.
    async fn save(&self) -> Result<(), CacheError> {
        if self.state().is_shut_down {
            return Ok(());
        }
        self.save_all().await
    }

    /// Saves what has changed; the first failure in a row is a warning.
    async fn save_all(&self) -> Result<(), CacheError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let turn = self.turn.clone().lock_owned().await;
        if !self.is_unsaved() {
            return Ok(());
        }
        let result = self.write(file, turn).await;
        let was_failing = std::mem::replace(&mut self.state().is_failing, result.is_err());
        match &result {
            Err(error) if was_failing || !self.warns => {
                debug!(error = %chain(error), "peer cache is still not saved");
            }
            Err(error) => {
                warn!(error = %chain(error), "peers are remembered in memory alone");
            }
            Ok(()) if was_failing => {
                info!(path = %file.path().display(), "peer cache is saved again");
            }
            Ok(()) => {}
        }
        result
    }

    async fn write(&self, file: &CacheFile, turn: OwnedMutexGuard<()>) -> Result<(), CacheError> {
        let (table, version) = {
            let state = self.state();
            (state.table.clone(), state.version)
        };
        let table = blocking(file, move |file| {
            // Ends with the work, which goes on where nobody waits for it any more.
            let _turn = turn;
            let Merged { table, set_aside } = file.merge(table, now_ms)?;
            if let Some((flaw, aside)) = set_aside {
                tell_set_aside(file, flaw, aside.as_deref());
            }
            Ok(table)
        })
        .await?;
        // What has changed meanwhile is not in what comes back.
        let cleared_ms = table.cleared_ms();
        self.merge(table.into_entries(), cleared_ms);
        let mut state = self.state();
        state.saved = state.saved.max(version);
        Ok(())
    }
}

/// Reads `file` into `table`, and warns where it is flawed.
pub(crate) async fn read(file: &CacheFile, table: &mut Table) -> Result<(), CacheError> {
    let decoded = blocking(file, CacheFile::read).await?;
    if let Some(flaw) = decoded.flaw {
        warn!(
            path = %file.path().display(), flaw = flaw.name(),
            "the peer cache is flawed; here is what could be read of it"
        );
    }
    table.merge(decoded.entries, decoded.cleared_ms, now_ms());
    Ok(())
}

fn tell_set_aside(file: &CacheFile, flaw: Flaw, aside: Option<&Path>) {
    let (path, flaw) = (file.path(), flaw.name());
    let path = path.display();
    match aside.map(Path::display) {
        Some(aside) => warn!(
            %path, %aside, flaw,
            "the peer cache was flawed; it is set aside, and what could be read of it is used"
        ),
        None => warn!(
            %path, flaw,
            "the peer cache was flawed; as many are set aside already as are kept, so it was replaced"
        ),
    }
}

impl Flaw {
    fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Newer { .. } => "by a later version of this program",
        }
    }
}

/// Saves each change, at most once in `every`, until the sender of `changes` is gone; then a last time.
async fn keep_saved(shared: Arc<Shared>, mut changes: mpsc::Receiver<()>, every: Duration) {
    let mut due = rt::now();
    let mut is_open = true;
    while is_open {
        // After a failure there is something to save though nothing changes.
        if !shared.is_due() {
            is_open = changes.next().await.is_some();
        }
        due = due.max(rt::now() + every.min(GATHER));
        is_open = is_open && is_open_at(due, &mut changes).await;
        if shared.is_due() {
            // What is wrong was warned of.
            let _ = shared.save().await;
            due = rt::now() + every;
        }
    }
}

/// Waits for `due`; false where the sender of `changes` was gone before.
async fn is_open_at(due: Instant, changes: &mut mpsc::Receiver<()>) -> bool {
    let mut sleep = std::pin::pin!(rt::sleep_until(due));
    loop {
        match select(sleep, changes.next()).await {
            Either::Left(_) => return true,
            Either::Right((None, _)) => return false,
            Either::Right((Some(()), unslept)) => sleep = unslept,
        }
    }
}

/// A second: a node that starts reaches several peers at once, and the second of them must not wait for half a minute.
const GATHER: Duration = Duration::from_secs(1);

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(rt::unix_time().as_millis()).unwrap_or(u64::MAX)
}

async fn blocking<T, F>(file: &CacheFile, work: F) -> Result<T, CacheError>
where
    T: Send + 'static,
    F: FnOnce(&CacheFile) -> Result<T, CacheError> + Send + 'static,
{
    let ours = file.clone();
    match rt::unblock(move || work(&ours)).await {
        Ok(result) => result,
        Err(cancelled) => Err(CacheError::Io {
            path: file.path(),
            source: std::io::Error::other(cancelled),
        }),
    }
}

/// Nothing panics halfway through a change of what is locked here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error and its causes, in a line.
fn chain(error: &dyn std::error::Error) -> impl fmt::Display {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
