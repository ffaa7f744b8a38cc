//! A UPnP gateway: it answers searches, and serves its description and actions.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

use crate::LOOPBACK;

/// A gateway on ports of its own, and the actions that it was told.
pub(crate) struct Igd {
    pub(crate) ssdp_port: u16,
    told: Arc<Mutex<Vec<(String, String)>>>,
}

/// Writes the response to an action (or to `""`, the description) with this envelope.
pub(crate) type Respond = fn(&str, &str, &mut TcpStream);

impl Igd {
    /// One that maps what it is asked for.
    pub(crate) fn new() -> Self {
        Self::with(LOOPBACK, LOOPBACK, |action, _, stream| match action {
            "" => send(stream, 200, &description()),
            "GetExternalIPAddress" => {
                let ip = "<NewExternalIPAddress>22.0.0.1</NewExternalIPAddress>";
                send(stream, 200, &answer(action, ip));
            }
            _ => send(stream, 200, &answer(action, "")),
        })
    }

    /// One that answers searches from `from`, saying that the description is at `location`.
    pub(crate) fn with(from: IpAddr, location: IpAddr, respond: Respond) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = told.clone();
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let http_port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&mut stream.unwrap(), &seen, respond);
            }
        });
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let ssdp_port = socket.local_addr().unwrap().port();
        let answering = match from == LOOPBACK {
            true => socket.try_clone().unwrap(),
            false => UdpSocket::bind((from, 0)).unwrap(),
        };
        let url = format!("http://{location}:{http_port}/root.xml");
        let text = format!("HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: {url}\r\nEXT:\r\n\r\n");
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok((_, asker)) = socket.recv_from(&mut buffer) {
                let _ = answering.send_to(text.as_bytes(), asker);
            }
        });
        Self { ssdp_port, told }
    }

    /// The actions that it was told; `""` is the description.
    pub(crate) fn actions(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().map(|(action, _)| action.clone()).collect()
    }

    /// The envelope of the last action of this name.
    pub(crate) fn envelope(&self, action: &str) -> String {
        let told = self.told.lock().unwrap();
        let mut last = told.iter().rev().filter(|(name, _)| name == action);
        last.next().unwrap().1.clone()
    }
}

fn serve(stream: &mut TcpStream, told: &Mutex<Vec<(String, String)>>, respond: Respond) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut action, mut len) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim();
        if let Some((_, name)) = line.split_once('#') {
            action = name.trim_matches('"').to_owned();
        }
        if let Some(text) = line.strip_prefix("Content-Length: ") {
            len = text.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    told.lock().unwrap().push((action.clone(), body.clone()));
    respond(&action, &body, stream);
}

pub(crate) fn send(stream: &mut TcpStream, status: u16, body: &str) {
    let len = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Length: {len}\r\n\r\n{body}"
    );
}

pub(crate) fn answer(action: &str, arguments: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"s\"><s:Body><u:{action}Response xmlns:u=\"u\">{arguments}</u:{action}Response>\
         </s:Body></s:Envelope>"
    )
}

pub(crate) fn fault(code: u16) -> String {
    format!("<s:Fault xmlns:s=\"s\"><errorCode>{code}</errorCode></s:Fault>")
}

pub(crate) fn description() -> String {
    "<root><device><serviceList><service>\
     <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
     <controlURL>/ctl</controlURL></service></serviceList></device></root>"
        .to_owned()
}
