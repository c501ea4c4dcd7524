//! One delivery, from one of its sides.

use std::io::{self, IsTerminal as _, Write as _};

use super::Log;
use crate::{
    cli::{Exit, Failure, Outcome, output},
    core::{delivery::DeliveryView, id::DeliveryId, text::ShownBody},
};

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "one flag a side, of which clap takes one")]
pub(crate) struct Args {
    /// The delivery's number.
    id: i64,
    /// The body's bytes as they came; cleaned when a terminal reads them.
    #[arg(long, group = "side")]
    raw: bool,
    /// The headers alone.
    #[arg(long, group = "side")]
    headers: bool,
    /// Where its time went, what it changed, what proved it genuine.
    #[arg(long, group = "side")]
    timing: bool,
    #[arg(long, group = "side")]
    json: bool,
}

pub(super) async fn run(log: &mut Log, args: &Args) -> Outcome {
    let id = DeliveryId(args.id);
    if args.raw {
        let (body, missing) = log.body(id).await?;
        raw(&body)?;
        // Whoever goes on with a part of it has to know.
        return missing.map_or(Ok(Exit::Done), |why| Err(Failure::new(Exit::Failed, format!("delivery {id}: {why}"))));
    }
    let view = log.view(id).await?;
    if args.json {
        output::json(&view)?;
    } else if args.headers {
        headers(&view);
    } else if args.timing {
        timing(&view);
    } else {
        whole(&view);
    }
    Ok(Exit::Done)
}

/// The bytes and nothing else. A reader that has left is no error.
fn raw(body: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        output::line(ShownBody::new(&String::from_utf8_lossy(body)).as_str());
        return Ok(());
    }
    match out.write_all(body).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        ended => ended,
    }
}

fn whole(view: &DeliveryView) {
    let line = &view.summary;
    output::line(&format!("{}  {}  {} ({})", line.id, line.at, line.verdict.word(), line.status));
    let waited = line.latency_us.map(|waited| format!(", {waited} us")).unwrap_or_default();
    let way = match &line.target {
        Some(target) => format!("to target {target} at"),
        None => "from".to_owned(),
    };
    output::line(&format!("{}  {way} {}{waited}", line.reason, view.peer));
    let incident = line.incident.as_ref().map(|key| format!("incident {}", key.id));
    let about =
        [line.event_type.as_ref().map(ToString::to_string), incident, line.subject.as_ref().map(ToString::to_string)];
    let about: Vec<String> = about.into_iter().flatten().collect();
    if !about.is_empty() {
        output::line(&about.join("  "));
    }
    if let Some(changed) = &line.changed {
        output::line(&format!("changed: {changed}"));
    }
    headers(view);
    output::line("");
    output::line(view.body.as_str());
    if let Some(said) = &view.response {
        output::line("");
        output::line("response:");
        output::line(said.as_str());
    }
}

fn headers(view: &DeliveryView) {
    for (name, value) in &view.headers {
        output::line(&format!("{name}: {value}"));
    }
}

fn timing(view: &DeliveryView) {
    let (line, times) = (&view.summary, &view.timings);
    if line.target.is_some() {
        let sent = times.commit_us.map_or_else(|| "not known".to_owned(), |sent| format!("{sent} us"));
        output::line(&format!("{:<9}{} us", "render", times.check_us));
        return output::line(&format!("{:<9}{sent}", "answer"));
    }
    let commit = times.commit_us.map_or_else(|| "not known".to_owned(), |commit| format!("{commit} us"));
    let proof = line.proof.as_ref().map(|proof| format!("{} with {}", proof.scheme.word(), proof.secret));
    let answered = match times.answered_us() {
        Some(all) => format!("{} after {all} us", line.status),
        None => format!("{}, perhaps", line.status),
    };
    for (name, value) in [
        ("read", format!("{} us", times.read_us)),
        ("check", format!("{} us", times.check_us)),
        ("commit", commit),
        ("answer", answered),
        ("changed", line.changed.as_ref().map_or_else(|| "not applied".to_owned(), ToString::to_string)),
        ("proof", proof.unwrap_or_else(|| "none".to_owned())),
        ("altered", if line.altered { "yes" } else { "no" }.to_owned()),
    ] {
        output::line(&format!("{name:<9}{value}"));
    }
}
