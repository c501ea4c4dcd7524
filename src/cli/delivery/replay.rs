//! A kept delivery once more: applied by the server, by the ordinary rules; or sent to an address.

use std::time::Duration;

use reqwest::{Url, redirect};

use super::sign;
use crate::{
    cli::{Exit, Failure, Outcome, Places, client::Client, output},
    core::{
        curl::{self, NOT_KEPT},
        id::DeliveryId,
        text::Shown,
    },
    proto::{Answer, Request},
    provider::http::is_loopback,
    receiver::Showing,
    server::log,
    store::{Reader, StoredDelivery},
};

/// How long the other side may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Characters of its answer that are shown.
const ANSWER: usize = 2048;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The delivery's number.
    id: i64,
    /// Send it there instead, with a fresh signature by the first secret of its account.
    #[arg(long, value_name = "URL", value_parser = address)]
    to: Option<Url>,
    /// Show the secret to that address where the account's senders do (basic, bearer, header): it learns the secret.
    #[arg(long, requires = "to")]
    show_secret: bool,
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|cause| format!("no web address: {cause}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("must be http or https, not {other}")),
    }
}

pub(super) async fn run(places: &Places, args: Args) -> Outcome {
    let id = DeliveryId(args.id);
    match args.to {
        None => apply(places, id).await,
        Some(url) => {
            let showing = if args.show_secret { may_learn_it(&url)? } else { Showing::Withheld };
            let store = Reader::open(&places.own_store("what is sent elsewhere is read").await?)?;
            let stored = super::stored(&store, id)?;
            send(places, &stored, url, showing).await
        }
    }
}

fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback)
}

fn may_learn_it(url: &Url) -> Result<Showing, Failure> {
    if url.scheme() == "https" || is_this_machine(url) {
        return Ok(Showing::Allowed);
    }
    let why = "--show-secret would send the secret unencrypted; http is for this machine (127.0.0.1, ::1, localhost) only, use https";
    Err(Failure::new(Exit::Usage, why))
}

async fn apply(places: &Places, id: DeliveryId) -> Outcome {
    let mut client = Client::open(places).await?;
    let answer = client.ask(Request::Replay { id }).await;
    client.close().await;
    match answer? {
        Answer::Replayed { changed, .. } => output::line(&format!("delivery {id} applied again: {changed}")),
        _ => return Err(Failure::new(Exit::Failed, "the server answered something else")),
    }
    Ok(Exit::Done)
}

async fn send(places: &Places, stored: &StoredDelivery, url: Url, showing: Showing) -> Outcome {
    let id = stored.summary.id;
    let failed = |reason: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("delivery {id}: {reason}"));
    let body = log::whole(stored).map_err(|reason| failed(&reason))?;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let fresh = sign::headers(places, stored, body, Some(&path), showing).await?;
    // Needed once by whoever comes first; the same for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client(&url).map_err(|error| failed(&error))?;
    let mut request = client.post(url).body(body.to_vec());
    let is_fresh = |name: &str| fresh.iter().any(|(new, _)| new.eq_ignore_ascii_case(name));
    let again = |(name, value): &&(String, String)| {
        curl::is_repeated(name) && name != "user-agent" && !is_fresh(name) && value != NOT_KEPT
    };
    for (name, value) in stored.headers.iter().filter(again).chain(&fresh) {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(|error| failed(&reason(error)))?;
    let status = answer.status();
    let said = answer.text().await.map_err(|error| failed(&reason(error)))?;
    let said: String = said.trim().chars().take(ANSWER).collect();
    let said = if said.is_empty() { String::new() } else { format!(": {}", Shown::line(&said)) };
    output::line(&format!("delivery {id} sent, {} bytes; answered {status}{said}", body.len()));
    Ok(if status.is_success() { Exit::Done } else { Exit::Failed })
}

/// This machine is asked without a proxy: that would be another one.
fn client(url: &Url) -> reqwest::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(DEADLINE)
        .user_agent(concat!("dogwatch/", env!("CARGO_PKG_VERSION")));
    if is_this_machine(url) { client.no_proxy().build() } else { client.build() }
}

/// Why it did not arrive. Never the address, whose path may be secret.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", DEADLINE.as_secs());
    }
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    words
}
