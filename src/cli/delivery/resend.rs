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
    let mut resent = 0;
    for id in ids.iter().copied().map(DeliveryId) {
        match client.ask(Request::ResendDelivery { id }).await {
            Ok(_) => {
                resent += 1;
                output::line(&format!("delivery {id} waits to be sent again"));
            }
            Err(failure) => output::complain(&failure.message),
        }
    }
    Ok(exit(resent, ids.len()))
}

fn exit(resent: usize, all: usize) -> Exit {
    match resent {
        _ if resent == all => Exit::Done,
        0 => Exit::Failed,
        _ => Exit::Partly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_several_that_cannot_be_sent_again_end_with_3() {
        assert_eq!([exit(2, 2), exit(1, 2), exit(0, 2), exit(0, 1)].map(|exit| exit as i32), [0, 3, 1, 1]);
    }
}
