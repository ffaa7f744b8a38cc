//! A process out of file descriptors; alone in its binary, as the limit is the process's own.
#![cfg(unix)]

use crust_core::{DialOpts, Transport, TransportError, rt};
use crust_tcp::TcpTransport;
use futures::StreamExt;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

#[test]
fn listener_out_of_descriptors_goes_on_when_there_are_some() {
    rt::block_on(async {
        let tcp = TcpTransport::new();
        let mut listener = tcp
            .listen(&"tcp://127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let opts = DialOpts::default();
        let dialed = tcp.dial(listener.local_addr(), &opts).await.unwrap();

        let limit = getrlimit(Resource::Nofile);
        let none = Rlimit {
            current: Some(0),
            ..limit
        };
        setrlimit(Resource::Nofile, none).unwrap();
        for _ in 0..3 {
            let error = listener.next().await.unwrap().unwrap_err();
            assert!(is_out_of_descriptors(&error), "{error}");
        }
        setrlimit(Resource::Nofile, limit).unwrap();

        let incoming = listener.next().await.unwrap().unwrap();
        let accepted = incoming.accept().await.unwrap();
        assert_eq!(accepted.remote_addr(), dialed.local_addr());
    });
}

fn is_out_of_descriptors(error: &TransportError) -> bool {
    matches!(error, TransportError::Io { source, .. } if Errno::from_io_error(source) == Some(Errno::MFILE))
}
