//! `crust node`: a node that a person, or a program through `--json`, holds in the hand.

pub(crate) mod args;
mod command;
mod events;
mod input;
mod load;
mod log;
mod prompt;
mod rates;
mod seek;

use std::sync::Arc;

use crust::{Nat, Node, Target, rt};
use futures::{FutureExt, future::join_all, select_biased};

use self::{
    args::{Carrier, NodeCommand},
    events::Watch,
    log::Log,
    prompt::Prompt,
    seek::seek,
};
use crate::{
    exit::{Exit, Failure, sentence},
    signal,
};

pub(crate) const AFTER_HELP: &str = "\
While it runs it takes these commands, a line each; PEER may be shortened:
  connect PEER          connects to a peer id, an address, or PEER@ADDRESS
  send PEER TEXT        sends a message; PEER may be * for all
  peers                 lists the sessions
  disconnect PEER       ends a session
  block PEER|IP|PREFIX  ends what matches, and refuses it from now on
  unblock …             takes that back
  stats                 shows what has been counted
  stop                  ends the node, as do Ctrl-C and the end of the input
  help                  shows this list

With --json each line of output is one object with a field event:
  listening {addr, bound, endpoints, peer, contact}   connected {peer, addr, role}
  message {peer, bytes, text}                         disconnected {peer, reason, detail}
  discovered {peer, source}
  rate {messages_in, messages_out, bytes_in, bytes_out, seconds}
  peers {peers}   stats {…}   abuse {source, kind, count, refused}
  reachability {scheme, reachability, external}
  error {text}: something that was asked for did not work   warning {text}
text is null where the message is not UTF-8.

Exit codes:
  0  done
  1  something failed on the way
  2  the command line is wrong, an address or a name in it for one
  3  none of the peers named was reached
  4  the node did not start: its identity file or its address could not be used";

pub(crate) async fn node(args: NodeCommand) -> Result<(), Failure> {
    let builder = args.identity.builder()?.port(args.port);
    let builder = match args.transport {
        Carrier::Tcp => builder.only_transport("tcp"),
        Carrier::Utp => builder.only_transport("utp"),
        Carrier::Both => builder,
    };
    let mut nat = Nat::default();
    nat.map_ports = !args.no_map;
    nat.servers.clone_from(&args.stun);
    let node = args.finding.apply(builder).nat(nat).start().await?;
    let log = Arc::new(Log::new(args.json, args.name.clone()));
    log.listening(&node);
    let watch = rt::spawn(Watch::new(node.clone(), log.clone(), args.speed).run());
    // Ends with this function.
    let _seeking = rt::spawn(seek(node.clone(), log.clone(), args.finding.clone()));
    let ended = select_biased! {
        () = signal::interrupted().fuse() => Ok(()),
        result = converse(&node, &log, &args.peers).fuse() => result,
    };
    node.shutdown().await;
    // Everything that happened until the end is told.
    let _ = watch.await;
    ended
}

/// Connects to those that were named, and does as told until the input ends.
async fn converse(node: &Node, log: &Arc<Log>, peers: &[Target]) -> Result<(), Failure> {
    connect_all(node, log, peers).await?;
    Prompt::new(node.clone(), log.clone()).run().await;
    Ok(())
}

/// # Errors
///
/// Where there are peers and none of them was reached.
async fn connect_all(node: &Node, log: &Log, peers: &[Target]) -> Result<(), Failure> {
    let dials = peers.iter().map(|peer| node.connect(peer.clone()));
    let results = join_all(dials).await;
    let errors: Vec<String> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .map(|error| sentence(error))
        .collect();
    if !errors.is_empty() && errors.len() == peers.len() {
        let text = errors.join("\n");
        log.json_error(&text);
        return Err(Failure {
            exit: Exit::NotReached,
            text,
        });
    }
    errors.iter().for_each(|error| log.error(error));
    Ok(())
}
