//! What a connection sends, packet by packet.

use std::time::Instant;

use super::{Connection, EndReason, News, Output, State};
use crate::{
    batch::Batch,
    sender::Outgoing,
    seq_nr::SeqNr,
    wire::{Extensions, HEADER_LEN, Header, Kind, MAX_MASK_LEN},
};

impl Connection {
    /// The next thing to be done. What is to be sent is put into `batch`, which the caller has cleared.
    pub(crate) fn poll_output(&mut self, now: Instant, batch: &mut Batch) -> Option<Output> {
        if let Some(header) = self.poll_syn(now) {
            batch.push(false, |out| header.put(Extensions::default(), out));
            return Some(self.transmit(now, false));
        }
        if matches!(self.state, State::Resetting) {
            let header = self.header(now, Kind::Reset, self.sender.next_seq_nr());
            batch.push(false, |out| header.put(Extensions::default(), out));
            self.end(EndReason::Aborted);
            return Some(self.transmit(now, false));
        }
        if matches!(self.state, State::Connected) {
            let may_fragment = self.fill(now, batch);
            if !batch.is_empty() {
                return Some(self.transmit(now, may_fragment));
            }
        }
        if matches!(self.state, State::Connected | State::Lingering { .. }) && self.acks.is_due(now)
        {
            self.acknowledge(now, batch);
            return Some(self.transmit(now, false));
        }
        self.news.take()
    }

    pub(super) fn header(&self, now: Instant, kind: Kind, seq_nr: SeqNr) -> Header {
        Header {
            kind,
            conn_id: self.ids.send,
            timestamp_us: self.clock.timestamp_us(now),
            timestamp_difference_us: self.clock.difference_us(),
            wnd_size: u32::try_from(self.receiver.window()).unwrap_or(u32::MAX),
            seq_nr,
            ack_nr: self.receiver.ack_nr(),
        }
    }

    /// Puts as many packets with data into the batch as may go; gives whether they may be taken apart on their way.
    fn fill(&mut self, now: Instant, batch: &mut Batch) -> bool {
        while let Some(outgoing) = self
            .postponed
            .take()
            .or_else(|| self.sender.poll_packet(now))
        {
            let len = HEADER_LEN + outgoing.padding + outgoing.len;
            if !batch.takes(len) || (outgoing.may_fragment && !batch.is_empty()) {
                self.postponed = Some(outgoing);
                return false;
            }
            // A probe goes by itself: where it is too long for the system, nothing else is.
            let is_last = outgoing.may_fragment || outgoing.padding > 0;
            self.put(now, &outgoing, is_last, batch);
            if is_last {
                return outgoing.may_fragment;
            }
        }
        false
    }

    fn put(&mut self, now: Instant, outgoing: &Outgoing, is_last: bool, batch: &mut Batch) {
        let kind = if outgoing.is_fin {
            Kind::Fin
        } else {
            Kind::Data
        };
        let header = self.header(now, kind, outgoing.seq_nr);
        let extensions = Extensions {
            sack: None,
            padding: outgoing.padding,
        };
        batch.push(is_last, |out| {
            header.put(extensions, out);
            self.sender.copy_payload(outgoing, out);
        });
        // What came out of order only an acknowledgement of its own tells.
        if !self.receiver.has_gap() {
            self.acks.on_sent(now, self.receiver.window());
        }
    }

    fn acknowledge(&mut self, now: Instant, batch: &mut Batch) {
        let header = self.header(now, Kind::State, self.sender.next_seq_nr());
        let mut room = [0; MAX_MASK_LEN];
        let extensions = Extensions {
            sack: self.receiver.sack(&mut room),
            padding: 0,
        };
        batch.push(false, |out| header.put(extensions, out));
        self.acks.on_sent(now, self.receiver.window());
    }

    const fn transmit(&mut self, now: Instant, may_fragment: bool) -> Output {
        self.last_sent_at = now;
        Output::Transmit { may_fragment }
    }
}

impl News {
    /// The next of what is to be told.
    fn take(&mut self) -> Option<Output> {
        if std::mem::take(&mut self.is_connected) {
            return Some(Output::Connected);
        }
        if std::mem::take(&mut self.is_readable) {
            return Some(Output::Readable);
        }
        if std::mem::take(&mut self.is_writable) {
            return Some(Output::Writable);
        }
        self.ended.take().map(Output::Ended)
    }
}
