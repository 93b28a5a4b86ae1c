//! H13: what strangers have deflated is inflated one after the other for each network.

use std::io::Write;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use futures_util::future::join_all;

use crate::house::broker::Plan;
use crate::house::visitor::Visitor;

/// Eight mebibytes in a few kilobytes.
fn bomb() -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b'a'; 8 << 20]).unwrap();
    let message = BASE64.encode(&encoder.finish().unwrap());
    form_urlencoded::Serializer::new(String::new()).append_pair("SAMLRequest", &message).finish()
}

#[tokio::test]
async fn h13_a_network_inflates_one_message_at_a_time() {
    let house = Plan::default().with_saml("cb", "single_logout = true\n").build().await;
    let slo = format!("{}/saml/{}/slo", house.url, house.connection("cb").await);
    let bomb = format!("{slo}?{}", bomb());
    // Somebody of this network has its turn.
    let turn = house.broker.inflating.of("7f0000/24").await;
    let waits = tokio::spawn({
        let bomb = bomb.clone();
        async move { Visitor::arrives().get(&bomb).await }
    });
    // Everybody else is served meanwhile, and it still waits.
    for _ in 0..50 {
        assert_eq!(Visitor::arrives().get(&format!("{}/jwks.json", house.url)).await.status, 200);
    }
    assert!(!waits.is_finished());
    drop(turn);
    let answer = waits.await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.body);

    let before = house.before().await;
    let bombs = (0..100).map(|_| async { Visitor::arrives().get(&bomb).await.status.as_u16() });
    // Of what is nobody's, so much is written down in a minute.
    let told = join_all(bombs).await;
    assert_eq!(told.iter().filter(|status| **status == 400).count(), 29, "{told:?}");
    assert_eq!(told.iter().filter(|status| **status == 429).count(), 71, "{told:?}");
    house.unchanged(&before).await;
    let events = house.events_since(&before).await;
    let (refused, further): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| event.action != "audit.left_out");
    assert!(refused.iter().all(|event| event.reason.as_deref() == Some("malformed_saml")), "{refused:?}");
    assert_eq!((refused.len(), further.len()), (29, 1));
}
