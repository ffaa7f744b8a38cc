//! Somebody on the lab's internet who tries to reach mapped ports.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use crust_core::rt;
use crust_tests::netlab::{Host, Lab};
use crust_utp::UtpSocket;
use futures::{AsyncReadExt, AsyncWriteExt};

use super::program::Report;

/// A host to which nobody behind a router has ever sent anything.
#[derive(Debug)]
pub(crate) struct Stranger(Host);

impl Stranger {
    pub(crate) fn new(lab: &Lab) -> Self {
        Self(lab.public(&["26.0.0.10"]))
    }

    /// Who answers at each port that a report has, over the protocol of the port.
    #[track_caller]
    pub(crate) fn who(&self, report: &Report) -> Vec<String> {
        let externals = report.externals();
        let names = externals.iter().map(|(port, addr)| {
            let name = self.ask(port, *addr);
            name.unwrap_or_else(|error| panic!("{port} at {addr}: {error}"))
        });
        names.collect()
    }

    /// Whether these answer at the ports that a report has.
    pub(crate) fn is_told(&self, report: &Report, names: &[String]) -> bool {
        let externals = report.externals();
        let mut pairs = externals.iter().zip(names);
        externals.len() == names.len()
            && pairs
                .all(|((port, addr), name)| self.ask(port, *addr).is_ok_and(|told| told == *name))
    }

    fn ask(&self, port: &str, addr: SocketAddr) -> io::Result<String> {
        match port.starts_with("TCP") {
            true => self.tcp(addr),
            false => self.udp(addr),
        }
    }

    pub(crate) fn tcp(&self, addr: SocketAddr) -> io::Result<String> {
        self.0.run(|| {
            let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(WHO)?;
            let mut name = String::new();
            stream.read_to_string(&mut name)?;
            Ok(name)
        })
    }

    pub(crate) fn udp(&self, addr: SocketAddr) -> io::Result<String> {
        let socket = self.0.run(|| UdpSocket::bind("0.0.0.0:0"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(WHO, addr)?;
        let mut name = [0; 64];
        let (len, from) = socket.recv_from(&mut name)?;
        assert_eq!(from, addr);
        Ok(String::from_utf8_lossy(&name[..len]).into_owned())
    }

    pub(crate) fn utp(&self, addr: SocketAddr) -> io::Result<String> {
        let socket = self.0.run(|| UtpSocket::bind(([0, 0, 0, 0], 0).into()));
        let socket = socket.map_err(io::Error::other)?;
        let talk = async {
            let mut stream = socket.connect(addr).await?;
            stream.write_all(WHO).await?;
            let mut name = String::new();
            stream.read_to_string(&mut name).await?;
            Ok(name)
        };
        let name = rt::block_on(rt::timeout(PATIENCE, talk));
        name.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

const WHO: &[u8] = b"who?";
/// For what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
