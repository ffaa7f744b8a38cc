//! Gateways that speak NAT-PMP and PCP.

use std::{
    net::UdpSocket,
    sync::{Arc, Mutex},
    thread,
};

use crust_nat::gateway::{nat_pmp, pcp};

use crate::LOOPBACK;

/// A gateway on a port of its own, and all that it was asked.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    /// One that sends what `answer` gives to each datagram.
    pub(crate) fn new(mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                let bytes = &buffer[..len];
                seen.lock().unwrap().push(bytes.to_vec());
                if let Some(bytes) = answer(bytes) {
                    let _ = socket.send_to(&bytes, from);
                }
            }
        });
        Self { port, asked }
    }

    pub(crate) fn pcp() -> Self {
        Self::new(|bytes| Some(pcp_answer(bytes)))
    }

    pub(crate) fn nat_pmp() -> Self {
        Self::new(|bytes| Some(nat_pmp_answer(bytes)))
    }

    /// What it was asked by PCP.
    pub(crate) fn maps(&self) -> Vec<(u32, pcp::Map)> {
        let asked = self.asked.lock().unwrap();
        let requests = asked
            .iter()
            .map(|bytes| pcp::Request::decode(bytes).unwrap());
        let maps = requests.filter_map(|request| match request.body {
            pcp::RequestBody::Map { map, .. } => Some((request.lifetime_s, map)),
            pcp::RequestBody::Announce => None,
        });
        maps.collect()
    }

    /// What it was asked by NAT-PMP.
    pub(crate) fn requests(&self) -> Vec<nat_pmp::Request> {
        let asked = self.asked.lock().unwrap();
        let requests = asked
            .iter()
            .map(|bytes| nat_pmp::Request::decode(bytes).unwrap());
        requests.collect()
    }
}

/// What is asked for, at 22.0.0.1.
pub(crate) fn pcp_answer(bytes: &[u8]) -> Vec<u8> {
    let request = pcp::Request::decode(bytes).unwrap();
    let answer = match request.body {
        pcp::RequestBody::Announce => pcp::Answer::Announce,
        pcp::RequestBody::Map { map, .. } => pcp::Answer::Map(pcp::Map {
            external_ip: [22, 0, 0, 1].into(),
            ..map
        }),
    };
    let response = pcp::Response {
        epoch_s: 77,
        lifetime_s: request.lifetime_s,
        answer,
    };
    response.encode()
}

/// The same by NAT-PMP.
fn nat_pmp_answer(bytes: &[u8]) -> Vec<u8> {
    let answer = match nat_pmp::Request::decode(bytes).unwrap() {
        nat_pmp::Request::ExternalAddress => nat_pmp::Answer::ExternalAddress([22, 0, 0, 1].into()),
        nat_pmp::Request::Map {
            port,
            external_port,
            lifetime_s,
        } => nat_pmp::Answer::Map {
            port,
            external_port,
            lifetime_s,
        },
    };
    let epoch_s = 77;
    nat_pmp::Response { epoch_s, answer }.encode()
}
