//! Outgoing deliveries once more: rendered anew, with the same event id. They take their place in the target's queue.

use crate::{
    cli::{Exit, Failure, Outcome, Places, client::Client, output},
    core::{
        forward::checks,
        id::{DeliveryId, TargetName},
        words,
    },
    proto::{Answer, Request},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Numbers of outgoing deliveries.
    #[arg(required_unless_present = "failed", conflicts_with = "failed")]
    ids: Vec<i64>,
    /// The last attempt of each event that failed.
    #[arg(long)]
    failed: bool,
    /// Of this target only.
    #[arg(long, value_name = "NAME", requires = "failed", value_parser = checks::name)]
    target: Option<TargetName>,
}

pub(super) async fn run(places: &Places, args: Args) -> Outcome {
    let mut client = Client::open(places).await?;
    let outcome = if args.failed { failed(&mut client, args.target).await } else { each(&mut client, &args.ids).await };
    client.close().await;
    outcome
}

async fn failed(client: &mut Client, target: Option<TargetName>) -> Outcome {
    let Answer::Resent { count } = client.ask(Request::ResendFailed { target }).await? else {
        return Err(Failure::new(Exit::Failed, "the server answered something else"));
    };
    output::line(&format!("{} to be sent again", words::count(count as usize, "event waits", "events wait")));
    Ok(Exit::Done)
}

/// What cannot be sent again keeps none of the others from it.
async fn each(client: &mut Client, ids: &[i64]) -> Outcome {
    let mut exit = Exit::Done;
    for id in ids.iter().copied().map(DeliveryId) {
        match client.ask(Request::ResendDelivery { id }).await {
            Ok(_) => output::line(&format!("delivery {id} waits to be sent again")),
            Err(failure) => {
                exit = Exit::Failed;
                output::complain(&failure.message);
            }
        }
    }
    Ok(exit)
}
