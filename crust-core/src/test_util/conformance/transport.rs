//! The laws of a [`Transport`](crate::Transport).
//!
//! Describe yours with a [`Subject`] and run them all with [`transport_conformance!`](crate::transport_conformance).
//! Two laws need a hand from the caller and are not among those: [`failing_accepts_do_not_spin`] and
//! [`dial_from_a_listener_comes_from_its_address`].

mod addresses;
mod dials;
mod ends;
mod helpers;
mod streams;
mod subject;

pub use self::{
    addresses::{
        addresses_match_on_both_ends, dial_from_a_listener_comes_from_its_address,
        dial_to_nobody_is_an_error, dropped_listener_frees_its_address,
        dropped_pending_accept_frees_the_address, second_listener_on_an_address_is_in_use,
        unknown_scheme_is_unsupported,
    },
    dials::{
        cancelled_dial_frees_what_it_opened, dropped_incoming_hangs_up_and_the_listener_goes_on,
        failing_accepts_do_not_spin, futures_are_send, late_dial_wakes_a_waiting_accept,
        many_connections_at_once_do_not_mix,
    },
    ends::{
        close_flushes, close_of_an_unused_connection_is_an_end, connections_outlive_their_listener,
        dropped_end_wakes_a_waiting_read, dropped_end_wakes_a_waiting_write,
        half_close_keeps_the_other_direction, write_after_close_is_an_error,
    },
    streams::{
        any_read_size_gives_the_same_bytes, late_write_wakes_a_waiting_read,
        mebibyte_each_way_at_once_arrives, round_trip_gives_the_bytes_back,
        slow_reader_holds_the_writer_back, vectored_writes_arrive_in_order,
    },
    subject::Subject,
};

/// Makes one `#[test]` for each law of [`conformance::transport`](crate::conformance::transport).
///
/// Takes an expression that makes a [`Subject`](crate::conformance::transport::Subject); each test makes its own. Put
/// it in a module of its own where a file holds several.
///
/// ```
/// # use crust_core::{MemoryTransport, conformance::transport::Subject};
/// crust_core::transport_conformance!(Subject::new(MemoryTransport::new(), "memory://0"));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! transport_conformance {
    ($subject:expr) => {
        $crate::__conformance_tests! {
            transport,
            $subject,
            addresses_match_on_both_ends
            any_read_size_gives_the_same_bytes
            cancelled_dial_frees_what_it_opened
            close_flushes
            close_of_an_unused_connection_is_an_end
            connections_outlive_their_listener
            dial_to_nobody_is_an_error
            dropped_end_wakes_a_waiting_read
            dropped_end_wakes_a_waiting_write
            dropped_incoming_hangs_up_and_the_listener_goes_on
            dropped_listener_frees_its_address
            dropped_pending_accept_frees_the_address
            futures_are_send
            half_close_keeps_the_other_direction
            late_dial_wakes_a_waiting_accept
            late_write_wakes_a_waiting_read
            many_connections_at_once_do_not_mix
            mebibyte_each_way_at_once_arrives
            round_trip_gives_the_bytes_back
            second_listener_on_an_address_is_in_use
            slow_reader_holds_the_writer_back
            unknown_scheme_is_unsupported
            vectored_writes_arrive_in_order
            write_after_close_is_an_error
        }
    };
}
