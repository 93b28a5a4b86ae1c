//! `behalf demo`: the whole thing for a newcomer, in one process. Two customers with their identity providers, one of
//! OpenID Connect and one of SAML, a sample application and a contractor; for a person at a browser, or walked by a
//! program that checks it.

#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/dns_zone.rs"]
mod dns_zone;

mod html;
#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/idp.rs"]
mod idp;
mod kept;
#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/saml_idp.rs"]
mod saml_idp;
mod scene;
mod told;
mod visitor;
mod walk;
#[allow(dead_code, reason = "its main is for standing alone")]
#[path = "../../examples/web_app.rs"]
mod web_app;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Error;
use scene::Scene;

/// The walk takes a second or two; whatever takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Walks through it with a program instead of a browser, and fails if any claim is wrong.
    #[arg(long)]
    headless: bool,
    /// Keeps the database and the keys in this folder, and goes on with them the next time; otherwise nothing is kept.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// What every other command is told by: it is no option of this one.
    #[arg(long, short, hide = true)]
    config: Option<PathBuf>,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    if options.config.is_some() {
        return Err("the demo has settings of its own: leave out --config (or BEHALF_CONFIG)".into());
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Whichever way it ends, the folder goes with what holds it.
    tokio::select! {
        shown = show(&options) => shown,
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
    }
}

async fn show(options: &Options) -> Result<ExitCode, Error> {
    let scene = Scene::set(options.keep.as_deref(), !options.headless).await?;
    if !options.headless {
        told::invite(&scene);
        return std::future::pending().await;
    }
    let walked = tokio::time::timeout(PATIENCE, walk::all(&scene)).await;
    match walked.map_err(|_| format!("not done after {} seconds", PATIENCE.as_secs()))? {
        Ok(checked) => {
            say!("\nAll {checked} checks hold.");
            Ok(ExitCode::SUCCESS)
        }
        Err(wrong) => Err(format!("the demo went wrong: {wrong}").into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_resolver::proto::op::{Message, Query, ResponseCode};
    use hickory_resolver::proto::rr::{Name, RData, RecordType};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::dns_zone::{Zone, serve};
    use crate::config;
    use crate::egress::dns::{Dns, TxtAnswer};

    #[tokio::test]
    async fn the_zone_answers_our_own_resolver_and_whoever_comes_by_tcp() {
        let (zone, long) = (Zone::default(), "x".repeat(300));
        zone.publish("_proof.A.example", &long).unwrap();
        let address = serve(zone, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let dns = Dns::new(&config::Dns { resolvers: vec![address], ..Default::default() }).unwrap();
        let found = dns.txt("_proof.a.example").await.unwrap();
        assert_eq!(found, TxtAnswer::Records(vec![long.clone()]));
        assert_eq!(dns.txt("a.example").await.unwrap(), TxtAnswer::Absent);

        let mut line = TcpStream::connect(address).await.unwrap();
        for (name, expected) in
            [("_PROOF.a.Example.", ResponseCode::NoError), ("b.example.", ResponseCode::NXDomain)]
        {
            let mut question = Message::query();
            question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::TXT));
            let bytes = question.to_vec().unwrap();
            line.write_u16(bytes.len().try_into().unwrap()).await.unwrap();
            line.write_all(&bytes).await.unwrap();
            let mut answer = vec![0; line.read_u16().await.unwrap().into()];
            line.read_exact(&mut answer).await.unwrap();
            let answer = Message::from_vec(&answer).unwrap();
            assert_eq!((answer.metadata.id, answer.metadata.response_code), (question.metadata.id, expected));
            assert_eq!(answer.queries[0].name().to_ascii(), name, "to the letter");
            let texts = answer.answers.iter().map(|record| match &record.data {
                RData::TXT(txt) => txt.txt_data.concat(),
                other => panic!("{other}"),
            });
            let known =
                if expected == ResponseCode::NoError { vec![long.clone().into_bytes()] } else { vec![] };
            assert_eq!(texts.collect::<Vec<_>>(), known);
        }
    }
}
