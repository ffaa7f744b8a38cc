//! The task of a client by UPnP.

use std::future::pending;

use crust_core::rt;
use futures::future::{BoxFuture, FutureExt};

use super::{
    fetch::fetch,
    search::find_location,
    shared::{Order, Station},
    wake::{Woken, wake},
};
use crate::gateway::{
    address::Gateway,
    failure::MappingFailure,
    upnp::{AnswerError, Arguments, Call, Client, Output, Request, Service, read_description},
};

/// What a client waited for.
enum Done {
    Called(Box<Call>, Result<Arguments, MappingFailure>),
    Found(Result<Vec<Service>, MappingFailure>),
}

/// Runs a client until it is closed and its mappings are deleted.
pub(crate) async fn run(mut station: Station, mut client: Client) {
    let mut work: Option<BoxFuture<'static, Done>> = None;
    loop {
        obey(&mut client, &mut station);
        while let Some(output) = client.poll_output() {
            match output {
                Output::Call(made) => work = Some(call(station.id.gateway, made).boxed()),
                Output::Event(event) => station.tell(event),
                Output::Find => work = Some(find(station.id.gateway).boxed()),
            }
        }
        if client.is_done() {
            return;
        }
        let at = client.poll_timeout(rt::now());
        let working = async {
            match &mut work {
                Some(work) => work.await,
                None => pending().await,
            }
        };
        match wake(working, &station.notify, at).await {
            Woken::Done(done) => {
                work = None;
                let now = rt::now();
                match done {
                    Done::Called(call, answer) => client.handle_answer(now, &call.service, answer),
                    Done::Found(found) => client.handle_found(now, found),
                }
            }
            Woken::Noticed => {}
            Woken::TimedOut => client.handle_timeout(rt::now()),
        }
    }
}

fn obey(client: &mut Client, station: &mut Station) {
    let now = rt::now();
    for order in station.orders() {
        match order {
            Order::Check => client.check(now),
            Order::Close => client.close(now),
            Order::Unwant(request) => client.unwant(now, request.port),
            Order::Want(request) => client.want(now, &request),
        }
    }
}

async fn find(gateway: Gateway) -> Done {
    Done::Found(find_services(&gateway).await)
}

async fn find_services(gateway: &Gateway) -> Result<Vec<Service>, MappingFailure> {
    let location = find_location(gateway).await?;
    let request = Request {
        location: &location,
        soap: None,
    };
    let response = fetch(gateway.local, &request).await?;
    let unusable = |source| MappingFailure::Answer { source };
    match response.status {
        200 => read_description(gateway, &location, &response.body).map_err(unusable),
        status => Err(unusable(AnswerError::Status { status })),
    }
}

async fn call(gateway: Gateway, call: Box<Call>) -> Done {
    let request = Request {
        location: &call.service.control,
        soap: Some(call.action.encode(&call.service)),
    };
    let response = fetch(gateway.local, &request).await;
    let answer = response.and_then(|response| Arguments::read(&call.action, &response));
    Done::Called(call, answer)
}
