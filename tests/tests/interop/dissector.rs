//! Wireshark's dissector of uTP reads all that we send.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crust_core::rt;
use crust_tests::{Tool, in_namespace};
use crust_utp::{UtpSocket, UtpStream};
use futures::{AsyncReadExt, AsyncWriteExt, future::join};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    content::MIB,
    loopback::{self, NFT},
};

#[test]
fn each_packet_of_ours_is_read_as_what_it_is() {
    let test = "dissector::each_packet_of_ours_is_read_as_what_it_is";
    in_namespace(test, &[NFT, TSHARK], || {
        loopback::carry_single_packets();
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::start(&folder.path().join("lo.pcapng"));
        let port = rt::block_on(rt::timeout(LIMIT, talk())).expect("it comes to its end in time");
        let frames = read(&capture.stop(), port);
        for frame in &frames {
            // What follows is the payload's.
            let is_read = frame.protocols.starts_with("eth:ethertype:ip:udp:bt-utp");
            assert!(is_read && frame.complaints.is_empty(), "{frame:?}");
        }
        let count =
            |fact: &dyn Fn(&Frame) -> bool| frames.iter().filter(|frame| fact(frame)).count();
        let kinds: BTreeMap<&str, usize> = KINDS
            .iter()
            .map(|(kind, name)| (*name, count(&|frame| frame.kind == *kind)))
            .collect();
        let masks = count(&|frame| frame.kind == STATE && !frame.mask.is_empty());
        let padded = count(&|frame| !frame.padding.is_empty());
        println!("bt-utp: {kinds:?}, {masks} with SACK, {padded} padded");
        assert_eq!(kinds.values().sum::<usize>(), frames.len());
        // Two FINs of each of two connections; nobody listened at first, and a third connection was dropped.
        let least = [
            ("DATA", 400),
            ("FIN", 4),
            ("RESET", 2),
            ("STATE", 40),
            ("SYN", 4),
        ];
        assert!(least.iter().all(|(kind, least)| kinds[kind] >= *least));
        assert!(masks > 0 && padded > 0);
    });
}

/// What tshark says of a frame.
#[derive(Debug, Default)]
struct Frame {
    protocols: String,
    kind: String,
    mask: String,
    padding: String,
    complaints: String,
}

/// Has one packet of each kind on the wire at least; gives a port that all of them are from or to.
async fn talk() -> u16 {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (here, there) = (UtpSocket::bind(any).unwrap(), UtpSocket::bind(any).unwrap());
    // Nobody listens: a RESET comes back.
    here.connect(there.local_addr()).await.unwrap_err();
    there.listen();
    exchange(pair(&here, &there).await).await;
    loopback::lose(2);
    exchange(pair(&here, &there).await).await;
    // Another RESET.
    drop(pair(&here, &there).await);
    here.local_addr().port()
}

async fn pair(here: &UtpSocket, there: &UtpSocket) -> (UtpStream, UtpStream) {
    let (dialed, (accepted, _)) = join(here.connect(there.local_addr()), there.accept()).await;
    (dialed.unwrap(), accepted)
}

/// Both send, and end.
async fn exchange((here, there): (UtpStream, UtpStream)) {
    let turn = async |stream: UtpStream| {
        let (mut reader, mut writer) = stream.split();
        let write = async {
            writer.write_all(&[0; 2 * MIB]).await.unwrap();
            writer.close().await.unwrap();
        };
        let mut came = Vec::new();
        join(write, reader.read_to_end(&mut came)).await.1.unwrap();
        assert_eq!(came.len(), 2 * MIB);
    };
    join(turn(here), turn(there)).await;
}

/// What goes over loopback, into a file.
#[derive(Debug)]
struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    fn start(file: &Path) -> Self {
        let mut child = Command::new("dumpcap")
            .args(["-q", "-i", "lo", "-f", "udp", "-B", "64", "-w"])
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says where to when it has begun.
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("File:")));
        // It would not write on where nobody listens.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            file: file.to_owned(),
        }
    }

    /// Ends it when all of it is in the file.
    fn stop(mut self) -> PathBuf {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        socket.send_to(LAST, addr).unwrap();
        let has_last = |file: &[u8]| file.windows(LAST.len()).any(|bytes| bytes == LAST);
        let start = rt::now();
        while !has_last(&fs::read(&self.file).unwrap()) {
            assert!(rt::now() - start < LIMIT, "the capture stands still");
            std::thread::sleep(Duration::from_millis(50));
        }
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert!(self.child.wait().unwrap().success());
        std::mem::take(&mut self.file)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets tshark take what goes from or to `port` for uTP.
fn read(file: &Path, port: u16) -> Vec<Frame> {
    let output = Command::new("tshark")
        .args(["-d", &format!("udp.port=={port},bt-utp")])
        .args(["-o", WINDOW])
        // It would look for BitTorrent in the payload.
        .args(["--disable-protocol", "bittorrent"])
        .args(["-Y", &format!("udp.port=={port}")])
        .args(["-T", "fields", "-E", "separator=|"])
        .args(FIELDS.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(Frame::of_line).collect()
}

impl Frame {
    fn of_line(line: &str) -> Self {
        let mut fields = line.split('|').map(str::to_owned);
        let mut field = || fields.next().unwrap();
        Self {
            protocols: field(),
            kind: field(),
            mask: field(),
            padding: field(),
            complaints: [field(), field()].concat(),
        }
    }
}

const FIELDS: [&str; 6] = [
    "frame.protocols",
    "bt-utp.type",
    "bt-utp.extension_bitmask",
    "bt-utp.extension_unknown",
    "_ws.malformed",
    "_ws.expert",
];
/// By default Wireshark takes a packet for none that tells of more than 3.5 MiB of room; ours tell of 16.
const WINDOW: &str = "bt-utp.max_window_size:0x1000000";
/// A datagram of its own behind all others.
const LAST: &[u8] = b"what comes after this is nothing of ours";
const STATE: &str = "2";
const KINDS: [(&str, &str); 5] = [
    ("0", "DATA"),
    ("1", "FIN"),
    (STATE, "STATE"),
    ("3", "RESET"),
    ("4", "SYN"),
];
const TSHARK: Tool<'static> = ("command -v tshark && command -v dumpcap", "`tshark`");
const LIMIT: Duration = Duration::from_secs(60);
