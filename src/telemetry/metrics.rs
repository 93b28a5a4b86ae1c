//! Metrics are kept in process and read as text; nothing listens on a port of its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::names;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
static OBSERVED: AtomicU32 = AtomicU32::new(0);
/// Raw observations are kept until somebody sums them up: after this many at the latest.
const SUM_UP_AFTER: u32 = 4096;

/// Makes the recorder global, once for the process.
pub(super) fn install() {
    HANDLE.get_or_init(|| {
        let recorder = with_buckets(PrometheusBuilder::new()).build_recorder();
        let handle = recorder.handle();
        // Where another recorder is in place, which is a program that embeds us, ours stays empty.
        let _ = metrics::set_global_recorder(recorder);
        names::describe();
        handle
    });
}

fn with_buckets(builder: PrometheusBuilder) -> PrometheusBuilder {
    names::ALL.iter().filter(|metric| !metric.buckets.is_empty()).fold(builder, |builder, metric| {
        builder
            .set_buckets_for_metric(Matcher::Full(metric.name.into()), metric.buckets)
            .expect("the buckets of a histogram are not empty")
    })
}

/// Everything counted so far, in the Prometheus text format (version 0.0.4); empty before [`super::init`].
pub fn metrics_text() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Called with every observation of a histogram, instead of a timer that would also run in an idle house.
pub(super) fn observed() {
    if OBSERVED.fetch_add(1, Ordering::Relaxed) % SUM_UP_AFTER == SUM_UP_AFTER - 1
        && let Some(handle) = HANDLE.get()
    {
        handle.run_upkeep();
    }
}
