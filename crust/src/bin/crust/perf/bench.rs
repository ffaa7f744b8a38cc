//! What every mode needs: the listener, the time, and what both processes take.

use std::{sync::Arc, time::Duration, time::Instant};

use crust::{Addr, Contact, rt};
use futures::lock::Mutex;

use super::{
    args::{Mode, RunArgs},
    ask::{Ask, State},
    link::{Link, Payload, Place},
    meter::Meter,
};
use crate::{exit::Failure, usage::Usage};

/// One run.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) mode: Mode,
    pub(super) plain: bool,
    pub(super) raw: bool,
    pub(super) size: u32,
    pub(super) parallel: u32,
    pub(super) duration: Duration,
    pub(super) place: Place,
    pub(super) meter: Arc<Meter>,
    control: Control,
}

/// The link that accompanies a run and is not measured.
#[derive(Debug)]
struct Control {
    link: Mutex<Link>,
    ask: Ask,
}

/// Both processes at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    at: Instant,
    pub(super) own: Usage,
    pub(super) listener: Usage,
}

/// Between two marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) seconds: f64,
    pub(super) cpu_s: Option<f64>,
    pub(super) listener_cpu_s: Option<f64>,
    pub(super) end: Mark,
}

impl Bench {
    /// Tells the listener what is to come.
    pub(super) async fn begin(args: &RunArgs) -> Result<Self, Failure> {
        let (mode, plain) = (args.mode, args.plain || args.raw);
        let scheme = if args.raw { "utp" } else { "tcp" };
        let ask = Ask::Run { mode, plain };
        let (control, state) = Control::open(&args.listener, ask).await?;
        let place = if plain {
            Place::Plain(on_host(&args.listener.addr, &state.plain, scheme))
        } else {
            Place::Crust(args.listener.clone())
        };
        Ok(Self {
            mode,
            plain,
            raw: args.raw,
            size: args.size.unwrap_or_else(|| mode.default_size()),
            parallel: args.parallel.unwrap_or_else(|| mode.default_parallel()),
            duration: args.seconds,
            place,
            meter: Arc::default(),
            control,
        })
    }

    /// A measured message.
    pub(super) fn payload(&self) -> Payload {
        Payload::data(self.size as usize)
    }

    /// Opens as many links as run in parallel, each ready to be measured on.
    pub(super) async fn links(&self) -> Result<Vec<Link>, Failure> {
        let mut links = Vec::new();
        for _ in 0..self.parallel {
            let mut link = Link::open(&self.place).await?;
            link.begin(self.mode).await?;
            links.push(link);
        }
        Ok(links)
    }

    /// Lets the time of the run pass in the background.
    pub(super) fn start(&self, unit: &'static str) -> rt::Task<()> {
        rt::spawn(self.meter.clone().run(self.duration, unit))
    }

    pub(super) async fn mark(&self) -> Result<Mark, Failure> {
        let listener = self.control.state().await?.usage;
        Ok(Mark {
            at: rt::now(),
            own: Usage::now(),
            listener,
        })
    }

    pub(super) async fn since(&self, start: &Mark) -> Result<Span, Failure> {
        let (at, own) = (rt::now(), Usage::now());
        let listener = self.control.state().await?.usage;
        Ok(Span {
            seconds: (at - start.at).as_secs_f64(),
            cpu_s: own.cpu_since(&start.own),
            listener_cpu_s: listener.cpu_since(&start.listener),
            end: Mark { at, own, listener },
        })
    }

    /// Tells the listener that it is over.
    pub(super) async fn end(self) {
        self.control.link.into_inner().close().await;
    }
}

impl Control {
    /// Goes to the listener's own port; a run with `--plain` may name the plain one too.
    async fn open(listener: &Contact, ask: Ask) -> Result<(Self, State), Failure> {
        let failure = match Self::begin(&Place::Crust(listener.clone()), &ask).await {
            Ok(begun) => return Ok(begun),
            Err(failure) => failure,
        };
        let plain = matches!(ask, Ask::Run { plain: true, .. }) && listener.peer.is_none();
        if !plain {
            return Err(failure);
        }
        let place = Place::Plain(listener.addr.clone());
        let begun = rt::timeout(PLAIN_ANSWER, Self::begin(&place, &ask)).await;
        // What failed first tells more.
        begun.ok().and_then(Result::ok).ok_or(failure)
    }

    async fn begin(place: &Place, ask: &Ask) -> Result<(Self, State), Failure> {
        let control = Self {
            link: Mutex::new(Link::open(place).await?),
            ask: ask.clone(),
        };
        let state = control.state().await?;
        Ok((control, state))
    }

    async fn state(&self) -> Result<State, Failure> {
        self.link.lock().await.ask(&self.ask).await
    }
}

/// For a listener to say what it is: a question on a connection that was just opened.
const PLAIN_ANSWER: Duration = Duration::from_secs(2);

/// The port of `plain` on the host that `addr` names: the listener may be on all addresses of another machine.
fn on_host(addr: &Addr, plain: &Addr, scheme: &str) -> Addr {
    let host = addr.body().rsplit_once(':').map(|(host, _)| host);
    let port = plain.body().rsplit_once(':').map(|(_, port)| port);
    let joined = host
        .zip(port)
        .map(|(host, port)| format!("{scheme}://{host}:{port}"));
    joined
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| plain.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_port_is_looked_for_where_the_listener_is() {
        let addr = |text: &str| text.parse::<Addr>().unwrap();
        let plain = on_host(&addr("tcp://[2001:db8::1]:5"), &addr("tcp://[::]:7"), "tcp");
        assert_eq!(plain, addr("tcp://[2001:db8::1]:7"));
    }
}
