//! How far a run is: when it is over, and a bar for those who wait.

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crust::rt;
use indicatif::{ProgressBar, ProgressStyle};

use crate::units;

/// What the tasks of a run share.
#[derive(Debug, Default)]
pub(super) struct Meter {
    over: AtomicBool,
    done: AtomicU64,
}

impl Meter {
    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    /// Lets `duration` pass, with a bar on a terminal, and says so to the tasks.
    pub(super) async fn run(self: Arc<Self>, duration: Duration, unit: &'static str) {
        let ends_at = rt::now() + duration;
        let bar = bar(duration.as_millis(), unit);
        let mut before = 0;
        while let Some(left) = time_left(&bar, ends_at) {
            rt::sleep(left).await;
            let done = self.done.load(Ordering::Relaxed);
            show(&bar, done - before, duration, ends_at);
            before = done;
        }
        rt::sleep_until(ends_at).await;
        self.over.store(true, Ordering::Relaxed);
        bar.finish_and_clear();
    }
}

/// A bar of so many steps; hidden where stderr is no terminal.
pub(super) fn bar(steps: u128, unit: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = format!("  {{bar:40.cyan/dim}} {{msg}} {unit}");
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
    bar.set_style(
        ProgressStyle::with_template(&style)
            .expect("the template is right")
            .progress_chars("━╸━"),
    );
    bar
}

/// Until the next look; `None` where nobody looks, or at the end.
fn time_left(bar: &ProgressBar, ends_at: std::time::Instant) -> Option<Duration> {
    let left = ends_at.saturating_duration_since(rt::now());
    (!bar.is_hidden() && !left.is_zero()).then(|| left.min(LOOK))
}

fn show(bar: &ProgressBar, step: u64, duration: Duration, ends_at: std::time::Instant) {
    let left = ends_at.saturating_duration_since(rt::now());
    let passed = duration.saturating_sub(left).as_millis();
    bar.set_position(u64::try_from(passed).unwrap_or(u64::MAX));
    bar.set_message(units::count(step as f64 / LOOK.as_secs_f64()));
}

/// Between two looks: smooth to the eye, and nothing beside what is measured.
const LOOK: Duration = Duration::from_millis(200);
