//! A process out of file descriptors; alone in its binary, as the limit is the process's own.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::sync::{Mutex, PoisonError};

use crust_core::{
    Connection, DialOpts, Listener, Transport, TransportError,
    conformance::{
        check,
        transport::{Subject, failing_accepts_do_not_spin},
    },
    rt,
};
use crust_tcp::TcpTransport;
use futures::StreamExt;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

#[test]
fn listener_out_of_descriptors_goes_on_when_there_are_some() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    rt::block_on(async {
        let (mut listener, dialed) = listener_with_a_dialer().await;
        let limit = allow_no_more_descriptors();
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

#[test]
fn listener_out_of_descriptors_does_not_spin() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let subject = Subject::new(TcpTransport::new(), "tcp://127.0.0.1:0");
    let (listener, _dialed) = rt::block_on(listener_with_a_dialer());
    let limit = allow_no_more_descriptors();
    let recover = || setrlimit(Resource::Nofile, limit).unwrap();
    let law = failing_accepts_do_not_spin(&subject, listener, recover);
    check("failing_accepts_do_not_spin", subject.limit(), law);
}

async fn listener_with_a_dialer() -> (Listener, Connection) {
    let tcp = TcpTransport::new();
    let any = "tcp://127.0.0.1:0".parse().unwrap();
    let listener = tcp.listen(&any).await.unwrap();
    let dialed = tcp.dial(listener.local_addr(), &DialOpts::default()).await;
    (listener, dialed.unwrap())
}

/// Gives the limit to go back to.
fn allow_no_more_descriptors() -> Rlimit {
    let limit = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    setrlimit(Resource::Nofile, none).unwrap();
    limit
}

fn is_out_of_descriptors(error: &TransportError) -> bool {
    match error {
        TransportError::Io { source, .. } => Errno::from_io_error(source) == Some(Errno::MFILE),
        _ => false,
    }
}

static ALONE: Mutex<()> = Mutex::new(());
