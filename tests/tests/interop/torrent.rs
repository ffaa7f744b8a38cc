//! A file of known content, its torrent, and libtorrent in a process of its own, which has it or wants it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use crust_tests::Tool;
use tempfile::TempDir;

use crate::content::content;

/// A file and its torrent, on the disk and in memory.
#[derive(Debug)]
pub(crate) struct Torrent {
    pub(crate) content: Arc<[u8]>,
    pub(crate) info_hash: [u8; 20],
    folder: TempDir,
}

impl Torrent {
    /// A file of `len` bytes.
    pub(crate) fn new(len: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let content = content(1, len);
        let file = folder.path().join("content");
        fs::write(&file, &content).unwrap();
        let made = python()
            .arg("make")
            .arg(file)
            .arg(folder.path().join("torrent"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let hash = String::from_utf8(made.stdout).unwrap();
        Self {
            content,
            info_hash: bytes_of_hex(hash.trim()),
            folder,
        }
    }

    /// libtorrent, with the file.
    pub(crate) fn seeder(&self) -> Libtorrent {
        Libtorrent::run(&self.file(), self.folder.path(), "seed")
    }

    /// libtorrent, without the file.
    pub(crate) fn leecher(&self) -> Libtorrent {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mut leecher = Libtorrent::run(&self.file(), folder.path(), "leech");
        leecher.folder = Some(folder);
        leecher
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("torrent")
    }
}

/// A process with libtorrent. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Libtorrent {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    pub(crate) addr: SocketAddr,
    /// Where what it wants goes.
    folder: Option<TempDir>,
}

impl Libtorrent {
    fn run(torrent: &Path, folder: &Path, role: &str) -> Self {
        let mut child = python()
            .arg("run")
            .args([torrent, folder])
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(16);
        std::thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            lines.all(|line| sender.send(line).is_ok())
        });
        let mut libtorrent = Self {
            stdin: child.stdin.take().unwrap(),
            child,
            lines,
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            folder: None,
        };
        let port = libtorrent.hear("listening", STARTS_WITHIN);
        libtorrent.addr.set_port(port.parse().unwrap());
        libtorrent
    }

    /// Lets it dial.
    pub(crate) fn dial(&mut self, addr: SocketAddr) {
        writeln!(self.stdin, "dial {}", addr.port()).unwrap();
    }

    /// Waits until it has the whole file, and holds that against `content`.
    pub(crate) fn await_file(&mut self, content: &[u8], limit: Duration) {
        self.hear("done", limit);
        let folder = self.folder.as_ref().unwrap();
        let file = fs::read(folder.path().join("content")).unwrap();
        assert!(file == content, "the file came otherwise than it is");
    }

    /// Waits for a line that begins with `word`; gives the rest of it.
    fn hear(&mut self, word: &str, limit: Duration) -> String {
        loop {
            let line = self.lines.recv_timeout(limit);
            let line = line.unwrap_or_else(|error| panic!("libtorrent: no {word}: {error}"));
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }
}

impl Drop for Libtorrent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bytes_of_hex(text: &str) -> [u8; 20] {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    std::array::from_fn(|index| byte(2 * index))
}

/// Debian's Python, for which the package is: another one may come first in the path.
fn python() -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/interop/libtorrent_peer.py"
    ));
    command
}

pub(crate) const LIBTORRENT: Tool<'static> = (
    "/usr/bin/python3 -c 'import libtorrent'",
    "libtorrent for Python (python3-libtorrent)",
);
const STARTS_WITHIN: Duration = Duration::from_secs(30);
