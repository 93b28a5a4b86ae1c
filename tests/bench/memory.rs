//! Memory of the server: when nobody has come yet, and after many have.

use std::time::Duration;

use super::provider::Provider;
use super::server::House;
use super::{cycles, machine, table};

pub async fn measure(provider: &Provider, most: u64) {
    table::heading("Memory of the server (resident)");
    let house = House::build(provider).await;
    let server = house.serve().await;
    // What the start itself leaves to do, such as the first signing keys, is over by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let resident = || machine::resident(server.id());
    table::limit("idle", resident(), " MiB", 40.0);
    let mut clients = cycles::arrive(&house, provider, 16).await;
    let mut done = 0;
    for goal in [1_000, most].into_iter().filter(|goal| *goal <= most) {
        let left = goal - done;
        let cost = cycles::run(&server, &mut clients, Duration::MAX, left, async |client, _| {
            client.cycle("ES256").await;
        });
        done += cost.await.made;
        table::limit(&format!("after {done} cycles"), resident(), " MiB", 150.0);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    table::limit("and two seconds later", resident(), " MiB", 150.0);
}
