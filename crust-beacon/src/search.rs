//! A search: a stream of what is new in the table of neighbours.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, stream::BoxStream};

use crate::{
    neighbours::Neighbours,
    shared::{Look, Shared},
};

/// A stream of what `look` finds in the table; it is given how far it has seen, and says how far it sees then.
///
/// Holds no queue: what is new is in the table, which is bounded.
pub(crate) fn stream<T, L>(shared: Arc<Shared>, look: L) -> BoxStream<'static, T>
where
    T: 'static,
    L: Fn(&Neighbours, Option<u64>) -> Option<(u64, T)> + Unpin + Send + 'static,
{
    Box::pin(Search {
        shared,
        look,
        id: None,
        seen: None,
    })
}

struct Search<L> {
    shared: Arc<Shared>,
    look: L,
    /// Given at the first poll: before it, there is no search.
    id: Option<u64>,
    seen: Option<u64>,
}

impl<T, L> Stream for Search<L>
where
    L: Fn(&Neighbours, Option<u64>) -> Option<(u64, T)> + Unpin,
{
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let (look, seen) = (&this.look, this.seen);
        let found = this
            .shared
            .look(&mut this.id, cx.waker(), |table| look(table, seen));
        match found {
            Look::Found((seen, item)) => {
                this.seen = Some(seen);
                Poll::Ready(Some(item))
            }
            Look::Nothing => Poll::Pending,
            Look::Ended => Poll::Ready(None),
        }
    }
}

impl<L> Drop for Search<L> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.end_search(id);
        }
    }
}
