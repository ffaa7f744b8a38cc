//! Each law of the transport suite catches the flaw it is there for.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "tests may")]

mod flawed;

use std::{
    io,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use crust_core::{
    Addr, Listener, MemoryTransport, Transport, TransportError,
    conformance::{
        Violation, judge,
        transport::{self, Subject},
    },
    transport_conformance,
};
use futures::{
    StreamExt,
    stream::{self, Stream},
};

use self::flawed::{Flaw, Flawed, give_way};

transport_conformance!(subject(Flaw::None));

/// `test: flaw, law => violation`.
macro_rules! caught {
    ($($test:ident: $flaw:ident, $law:ident => $violation:pat,)*) => {$(
        #[test]
        fn $test() {
            let subject = subject(Flaw::$flaw).with_limit(HUNG);
            let verdict = judge(subject.limit(), transport::$law(&subject));
            assert!(matches!(verdict, Err($violation)), "{verdict:?}");
        }
    )*};
}

caught! {
    accepted_local_address_that_is_the_remote_one: SwapsAddresses, addresses_match_on_both_ends => Violation::Broken { .. },
    bytes_cut_off_by_a_short_read: CutsOffShortReads, any_read_size_gives_the_same_bytes => Violation::Broken { .. },
    cancelled_dial_that_stays_open: KeepsCancelledDials, cancelled_dial_frees_what_it_opened => Violation::Broken { .. },
    close_that_forgets_what_was_not_flushed: CloseForgets, close_flushes => Violation::Broken { .. },
    close_that_nobody_hears_of: CloseIsSilent, close_of_an_unused_connection_is_an_end => Violation::Hung { .. },
    connection_that_ends_with_its_listener: EndsWithListener, connections_outlive_their_listener => Violation::Io(_),
    dial_to_nobody_that_waits: DialsForEver, dial_to_nobody_is_an_error => Violation::Hung { .. },
    dropped_end_that_stays_open_for_a_reader: DropIsSilent, dropped_end_wakes_a_waiting_read => Violation::Hung { .. },
    dropped_end_that_stays_open_for_a_writer: DropIsSilent, dropped_end_wakes_a_waiting_write => Violation::Hung { .. },
    dropped_listener_that_keeps_its_address: KeepsListeners, dropped_listener_frees_its_address => Violation::Broken { .. },
    dropped_pending_accept_that_keeps_the_address: KeepsListeners, dropped_pending_accept_frees_the_address => Violation::Broken { .. },
    half_close_that_closes_both_ways: ClosesBothWays, half_close_keeps_the_other_direction => Violation::Broken { .. } | Violation::Io(_),
    changed_byte: ChangesBytes, round_trip_gives_the_bytes_back => Violation::Broken { .. },
    listener_that_ends_after_one_connection: ListenerEnds, dropped_incoming_hangs_up_and_the_listener_goes_on => Violation::Broken { .. },
    listener_that_forgets_whom_to_wake: ForgetsAccepts, late_dial_wakes_a_waiting_accept => Violation::Hung { .. },
    mixed_up_connections: ChangesBytes, many_connections_at_once_do_not_mix => Violation::Broken { .. },
    one_direction_at_a_time: WritesAfterReads, mebibyte_each_way_at_once_arrives => Violation::Hung { .. },
    reader_that_is_forgotten: ForgetsReads, late_write_wakes_a_waiting_read => Violation::Hung { .. },
    second_listener_that_is_put_elsewhere: MovesListeners, second_listener_on_an_address_is_in_use => Violation::Broken { .. },
    slices_in_another_order: ReversesSlices, vectored_writes_arrive_in_order => Violation::Broken { .. },
    unknown_scheme_that_is_refused: RefusesSchemes, unknown_scheme_is_unsupported => Violation::Broken { .. },
    write_after_close_that_is_taken: CloseForgets, write_after_close_is_an_error => Violation::Broken { .. },
    writer_that_nothing_holds_back: TakesEverything, slow_reader_holds_the_writer_back => Violation::Broken { .. },
}

#[test]
fn listener_that_yields_errors_without_a_pause_is_caught() {
    let spinning = stream::repeat_with(|| Err(out_of_descriptors()));
    let verdict = judge_failing(Listener::new(addr(), yielding(spinning)));
    assert!(
        matches!(verdict, Err(Violation::Broken { .. })),
        "{verdict:?}"
    );
}

#[test]
fn listener_that_spins_without_a_word_is_caught() {
    let mut polls = 0_u64;
    let spinning = stream::poll_fn(move |cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        match polls {
            1 => Poll::Ready(Some(Err(out_of_descriptors()))),
            _ => Poll::Pending,
        }
    });
    let verdict = judge_failing(Listener::new(addr(), spinning));
    assert!(
        matches!(verdict, Err(Violation::Broken { .. })),
        "{verdict:?}"
    );
}

#[test]
fn listener_from_accept_passes_while_accepts_fail_and_after() {
    let transport = MemoryTransport::new();
    let subject = Subject::new(transport.clone(), "memory://0");
    let failing = Arc::new(Mutex::new(true));
    let recovered = failing.clone();
    let law = async {
        let listener = transport.listen(&addr()).await?;
        let bound = listener.local_addr().clone();
        let listener = Listener::from_accept(bound, listener, move |mut listener| {
            let fails = *failing.lock().unwrap();
            async move {
                if fails {
                    return (listener, Err(out_of_descriptors()));
                }
                let incoming = listener.next().await.unwrap();
                (listener, incoming)
            }
        });
        let recover = || *recovered.lock().unwrap() = false;
        transport::failing_accepts_do_not_spin(&subject, listener, recover).await
    };
    judge(subject.limit(), law).unwrap();
}

fn judge_failing(listener: Listener) -> Result<(), Violation> {
    let subject = Subject::new(MemoryTransport::new(), "memory://0");
    let law = transport::failing_accepts_do_not_spin(&subject, listener, || ());
    judge(subject.limit(), law)
}

/// Gives the time-out its chance between items.
fn yielding<S: Stream>(stream: S) -> impl Stream<Item = S::Item> {
    stream.then(|item| async {
        give_way().await;
        item
    })
}

fn out_of_descriptors() -> TransportError {
    TransportError::from_io(&addr(), io::Error::other("too many open files"))
}

fn addr() -> Addr {
    "memory://0".parse().unwrap()
}

fn subject(flaw: Flaw) -> Subject {
    Subject::new(Flawed::new(flaw), "memory://0")
}

/// More than the suite itself waits for anything; what hangs would hang for ever.
const HUNG: Duration = Duration::from_secs(2);
