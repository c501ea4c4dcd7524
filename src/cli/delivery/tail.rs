//! The log as it grows. Each delivery is told once and none is left out: what is new is read by its number, which only
//! rises.

use std::{collections::HashSet, io, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::sleep;

use super::{Query, list};
use crate::{
    cli::{Exit, Failure, Outcome, output},
    core::{
        delivery::{DeliverySummary, Verdict},
        id::{DeliveryId, IncidentKey},
    },
    store::{Fallen, Reader, Search, StoreError},
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// How long a delivery is held back until what its sender waited, and of an accepted one what it changed, is noted.
const NOTING: SignedDuration = SignedDuration::from_secs(2);

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    query: Query,
    /// How many of those that are there already.
    #[arg(long, short = 'n', default_value_t = 10)]
    lines: u32,
    /// A line of JSON for each.
    #[arg(long)]
    json: bool,
}

/// Ends with ctrl-c, or when nobody reads any more.
pub(super) async fn run(reader: Reader, args: Args) -> Outcome {
    let told = newest(&reader)?;
    let (search, numbered) = args.query.search_among(|| reader.incidents())?;
    let mut first: Vec<DeliverySummary> = list::newest(&reader, &search, args.lines)?;
    if let Some(number) = args.query.unknown_number(|| super::numbers_in(&reader))? {
        output::complain(&super::not_known(number));
    }
    first.retain(|line| line.id <= told);
    list::tell_fallen(&reader, &search, &first, args.lines)?;
    let mut tail = Tail { query: args.query, search, numbered, json: args.json, told };
    first.reverse();
    if !tail.print(&first)? {
        return Ok(Exit::Done);
    }
    tokio::select! {
        ended = follow(&reader, &mut tail) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}

fn newest(reader: &Reader) -> Result<DeliveryId, StoreError> {
    Ok(reader.recent(None, 1)?.first().map_or(DeliveryId(0), |line| line.id))
}

async fn follow(reader: &Reader, tail: &mut Tail) -> Outcome {
    loop {
        sleep(LOOK).await;
        if nobody_reads() {
            return Ok(Exit::Done);
        }
        let new = settled(list::since(reader, tail.told)?, Timestamp::now());
        let Some(last) = new.last().map(|line| line.id) else { continue };
        if !tail.knows_all(&new) {
            (tail.search, tail.numbered) = tail.query.search_among(|| reader.incidents())?;
        }
        let search = &tail.search;
        tail.tell_missed(&new, &reader.fallen(search)?);
        let mut wanted = vec![];
        for line in new {
            if *search == Search::default() || reader.fits(search, line.id)? {
                wanted.push(line);
            }
        }
        tail.told = last;
        if !tail.print(&wanted)? {
            return Ok(Exit::Done);
        }
    }
}

/// Up to the first one of which more will be known in a moment.
fn settled(new: Vec<DeliverySummary>, now: Timestamp) -> Vec<DeliverySummary> {
    let noting = |line: &DeliverySummary| {
        let young = now.duration_since(line.at).abs() < NOTING;
        let applying = line.verdict == Verdict::Accepted && line.changed.is_none();
        young && (applying || line.latency_us.is_none())
    };
    new.into_iter().take_while(|line| !noting(line)).collect()
}

/// What came in after `told` and fell out of its ring before it could be told, in words.
fn missed(told: DeliveryId, new: &[DeliverySummary], fallen: &[Fallen]) -> Option<String> {
    if fallen.iter().all(|fallen| fallen.last <= told) {
        return None;
    }
    let came = new.last()?.id.0 - told.0;
    let missing = usize::try_from(came).unwrap_or_default().saturating_sub(new.len());
    (missing > 0).then(|| {
        let deliveries = crate::core::words::count(missing, "delivery", "deliveries");
        format!("{deliveries} came in meanwhile and went again: more rejected ones or duplicates than are kept")
    })
}

/// Whether the other end of a pipe is closed: the next line may be long in coming.
fn nobody_reads() -> bool {
    let out = io::stdout();
    let mut asked = [PollFd::new(&out, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&now)).is_ok() && asked[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL)
}

struct Tail {
    query: Query,
    /// What that asks for.
    search: Search,
    /// Where it asks for incidents by number: all that had one when that was last looked up.
    numbered: Option<HashSet<IncidentKey>>,
    json: bool,
    /// The newest delivery that was looked at.
    told: DeliveryId,
}

impl Tail {
    /// Whether each incident of these has its number as far as that matters: one that is new, of whichever account, may
    /// have one that is asked for.
    fn knows_all(&self, new: &[DeliverySummary]) -> bool {
        let known = |numbered: &HashSet<_>| {
            new.iter().filter_map(|line| line.incident.as_ref()).all(|incident| numbered.contains(incident))
        };
        self.numbered.as_ref().is_none_or(known)
    }

    /// More may come in than is kept until the next look. Numbers have no gaps, so what is missing is what went.
    fn tell_missed(&self, new: &[DeliverySummary], fallen: &[Fallen]) {
        if let Some(words) = missed(self.told, new, fallen) {
            output::complain(&words);
        }
    }

    /// `false`: nobody reads any more.
    fn print(&self, lines: &[DeliverySummary]) -> Result<bool, Failure> {
        let mut out = output::Lines::new();
        for line in lines {
            let text = if self.json { output::json_line(line)? } else { list::sentence(line) };
            if !out.add(&text) {
                return Ok(false);
            }
        }
        Ok(out.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::delivery;

    #[test]
    fn what_went_before_it_could_be_told_is_counted() {
        let line = |id| delivery(id, 0, Verdict::Rejected, "");
        let fallen = |last| {
            let at = Timestamp::UNIX_EPOCH;
            vec![Fallen { account: None, verdict: Verdict::Rejected, deliveries: 9, last: DeliveryId(last), at }]
        };
        let missed = |new: &[i64], fallen: &[Fallen]| {
            missed(DeliveryId(10), &new.iter().map(|id| line(*id)).collect::<Vec<_>>(), fallen)
        };

        let said = missed(&[14, 15], &fallen(13)).expect("three are missing");
        assert!(said.starts_with("3 deliveries came in meanwhile and went again"), "{said}");
        assert_eq!(missed(&[11, 12], &fallen(10)), None);
        assert_eq!(missed(&[12], &[]), None, "none of those that are looked for");
    }

    #[test]
    fn numbers_are_looked_up_again_where_an_incident_comes_that_had_none() {
        let about = |incident: &str| DeliverySummary {
            incident: Some(IncidentKey { account: incident.parse().expect("name"), id: "P1".parse().expect("id") }),
            ..delivery(1, 0, Verdict::Accepted, "incident.triggered")
        };
        let tail = |numbered| Tail {
            query: Query { query: vec!["#7".to_owned()] },
            search: Search::default(),
            numbered,
            json: false,
            told: DeliveryId(0),
        };
        let prod = tail(Some(about("prod").incident.into_iter().collect()));

        assert!(prod.knows_all(&[about("prod"), delivery(2, 0, Verdict::Rejected, "")]));
        assert!(!prod.knows_all(&[about("prod"), about("staging")]), "another account has a #7 too");
        assert!(tail(None).knows_all(&[about("staging")]), "no number is asked for");
    }

    #[test]
    fn a_line_is_told_once_all_is_noted_or_will_never_be() {
        let whole = |id| DeliverySummary {
            changed: Some("new incident".into()),
            ..delivery(id, 0, Verdict::Accepted, "incident.triggered")
        };
        let unchanged = DeliverySummary { changed: None, ..whole(2) };
        let untimed = DeliverySummary { latency_us: None, ..delivery(2, 0, Verdict::Rejected, "") };
        let told = |waiting: &DeliverySummary, later: SignedDuration| {
            settled(vec![whole(1), waiting.clone(), whole(3)], waiting.at + later).len()
        };

        for waiting in [unchanged, untimed] {
            assert_eq!(told(&waiting, SignedDuration::ZERO), 1);
            assert_eq!(told(&waiting, NOTING), 3);
        }
        assert_eq!(told(&whole(2), SignedDuration::ZERO), 3);
    }
}
