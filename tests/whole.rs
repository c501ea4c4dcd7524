//! The whole program: the real binary in a pseudo-terminal, webhooks and REST over real HTTP from a simulated
//! provider. One test for each promise that only the whole can keep; everything else is tested below this level.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use support::{
    console::{COLUMNS, Console, ROWS, is_age},
    eventually,
    night::{BIN, Night, Push, night, triggered},
    terminal::{Reading, waits_in},
};

mod support;

/// How soon somebody else must have the port after its owner is gone.
const TAKEOVER: Duration = Duration::from_secs(2);
/// Longer than any test: what is seen then came by push.
const NEVER: &str = "1h";

#[test]
fn a_signed_webhook_is_in_the_list_the_log_and_the_store_without_being_asked_for() {
    let night = night(0, Push::Subscribed, NEVER);
    let mut console = night.console();
    console.shows("push none yet");

    night.trigger("Disk 97 % full on db-3");
    console.shows("Disk 97 % full on db-3");
    let id = "01WHOLENIGHTLONG0000000001";
    assert_eq!(night.post(&triggered(id, "QBYHAND", "Certificate expires")), Some(202));
    console.shows("Certificate expires");

    console.press("3", "[3 Webhooks]");
    for shown in ["+ accepted    triggered", "Disk 97 % full on db-3", "Certificate expires"] {
        console.shows(shown);
    }
    eventually("nothing is on its way", || night.simulator().stats().pending == 0);
    let stored = night.stored_ids();
    let delivered = usize::try_from(night.simulator().stats().delivered).expect("small");
    assert_eq!(stored.len(), delivered + 1, "{stored:?}");
    assert_eq!(stored.iter().collect::<BTreeSet<_>>().len(), stored.len(), "each once: {stored:?}");
    assert!(delivered > 0 && stored.iter().any(|stored| stored == id), "{stored:?}");
}

#[test]
fn by_keys_an_incident_is_acknowledged_handed_off_with_a_note_and_resolved() {
    let night = night(2, Push::Subscribed, NEVER);
    let others = night.ledger();
    let mut console = night.console();
    let id = night.trigger("Queue depth above 10 000");
    let to = &night.people()[4];
    console.shows("Queue depth above 10 000");

    console.press("/Queue depth\r", "1 listed  2 filtered out");
    console.press("j", "▸");
    console.press("\r", &format!("prod/{id}"));
    console.press("a", "Acknowledge #");
    console.press("\r", "✓ acknowledged #");
    console.until("confirmed", |screen| confirmed(screen, "acknowledge"));
    assert_eq!(night.truth(&id)["status"], "acknowledged");

    console.press("h", "to whom?");
    console.press(&to.name, &format!("▸ {}", to.name));
    console.press("\tyours until morning", "yours until morning");
    console.press("\r", &format!("To {}, who is paged", to.name));
    console.press("\r", &format!("✓ handed off to {}", to.name));
    console.until("confirmed", |screen| confirmed(screen, "hand off"));
    let truth = night.truth(&id);
    assert_eq!(truth["assignees"], serde_json::json!([to.id.as_str()]), "{truth}");
    assert_eq!(truth["notes"], serde_json::json!(["yours until morning"]), "{truth}");

    console.press("R", "Resolve #");
    console.press("\r", "✓ resolved #");
    console.until("confirmed", |screen| confirmed(screen, "resolve"));
    assert_eq!(night.truth(&id)["status"], "resolved");
    let untouched: Vec<Value> = night.ledger().into_iter().filter(|row| row["id"] != id.as_str()).collect();
    assert_eq!(untouched, others, "nothing else was touched");
}

#[test]
fn a_console_begins_with_the_view_that_it_had_last_and_says_what_it_hides() {
    let night = night(4, Push::Subscribed, NEVER);
    night.configure(
        "[[view]]\nname = \"mine\"\nquery = \"is:mine\"\n\n[[view]]\nname = \"done\"\nquery = \"status:resolved\"\n",
    );
    let mut console = night.console();
    console.shows("4 listed");

    console.press("\u{1b}2", "[done] /status:resolved  0 listed  4 filtered out");
    console.press("\u{1b}1", "[mine] /is:mine");
    console.0.press("q");
    console.0.wait();

    let mut console = night.console();
    console.shows("[mine] /is:mine");
    console.press("\u{1b}", "4 listed");
    console.0.press("q");
    console.0.wait();
    night.console().shows("4 listed");
}

fn confirmed(screen: &str, verb: &str) -> bool {
    let line = screen.lines().find(|line| line.starts_with("last action"));
    line.is_some_and(|line| line.contains(&format!("  {verb} by ")) && line.trim_end().ends_with(": confirmed"))
}

/// Two consoles that show the same; the first one owns the port.
fn two_consoles(night: &Night) -> (Console, Console) {
    let first = night.console();
    first.shows("owner, door");
    let second = night.console();
    second.shows("attached, door");
    night.post_until_accepted(&triggered("01BEFORE", "QBEFORE", "Seen by both"));
    first.shows("Seen by both");
    second.shows("Seen by both");
    second.until("the same list", |_| first.list() == second.list());
    assert_eq!(first.list().len(), 3, "{:?}", first.list());
    (first, second)
}

/// Posts a webhook until it is accepted, and says when that was; `second` shows it, and that it is the owner now.
fn accepted_by_the_next_owner(night: &Night, second: &mut Console) -> Instant {
    let known = night.open().remove(0);
    let incident = known["id"].as_str().expect("an id");
    night.post_until_accepted(&triggered("01AFTER", incident, "Posted to the next owner"));
    let accepted = Instant::now();
    second.shows("Posted to the next owner");
    second.shows("owner, door");
    second.press("3", "[3 Webhooks]");
    second.shows("Posted to the next owner");
    assert!(night.stored_ids().contains(&"01AFTER".to_owned()));
    accepted
}

#[test]
fn when_the_owner_is_killed_the_second_console_has_the_port_within_two_seconds() {
    let night = night(2, Push::ByHand, NEVER);
    let (first, mut second) = two_consoles(&night);

    first.signal(Signal::KILL);

    let killed = Instant::now();
    let took = accepted_by_the_next_owner(&night, &mut second) - killed;
    eprintln!("from the kill to an accepted webhook: {took:?}");
    assert!(took < TAKEOVER, "took {took:?}");
}

#[test]
fn when_the_owner_quits_the_second_console_has_the_port_within_two_seconds() {
    let night = night(2, Push::ByHand, NEVER);
    let (mut first, mut second) = two_consoles(&night);

    first.0.press("q");

    let asked = Instant::now();
    assert!(first.0.wait().success());
    let took = accepted_by_the_next_owner(&night, &mut second) - asked;
    eprintln!("from q to a webhook accepted by the next owner: {took:?}");
    assert!(took < TAKEOVER, "took {took:?}");
    first.0.assert_given_back("q");
}

#[test]
fn while_another_program_has_the_port_the_console_polls_and_says_so_and_takes_it_when_it_is_free() {
    let night = night(1, Push::ByHand, "5s");
    let squatter = TcpListener::bind(night.door).expect("free");
    let console = night.console();

    console.shows(&format!("{} is taken by another program of yours: polling only", night.door));
    night.trigger("Found by polling");
    console.shows("Found by polling");
    drop(squatter);

    console.shows(&format!("owner, door {}", night.door));
    console.shows_no_more("polling only");
    assert_eq!(night.post(&triggered("01FREE", "QFREE", "Pushed at last")), Some(202));
    console.shows("Pushed at last");
}

#[test]
fn a_terminal_that_nobody_reads_does_not_hold_up_webhooks() {
    const WEBHOOKS: usize = 20;
    let night = night(0, Push::ByHand, NEVER);
    night.configure("[notify]\nstorm = 0");
    let mut console = night.spawn(Reading::Never);
    night.post_until_accepted(&triggered("01FIRST", "QFIRST", "Before the stall"));
    console.0.block_drawing(console.pid());

    for n in 0..WEBHOOKS {
        console.0.resize(60, if n % 2 == 0 { 190 } else { 200 });
        let posted = Instant::now();
        let status =
            night.post(&triggered(&format!("01STALL{n:02}"), &format!("QSTALL{n:02}"), &format!("Stall {n:02}")));
        assert_eq!(status, Some(202), "webhook {n}");
        assert!(posted.elapsed() < Duration::from_secs(3), "webhook {n} took {:?}", posted.elapsed());
    }

    // A resize interrupts the write, which goes on at once.
    eventually("still nobody reads", || waits_in(console.pid()) == "1 0x1");
    assert_eq!(night.stored_ids().len(), WEBHOOKS + 1);
    console.0.start_reading();
    console.0.resize(ROWS, COLUMNS);
    for n in 0..WEBHOOKS {
        console.shows(&format!("Stall {n:02}"));
    }
}

/// One way in which a provider fails.
struct Failing {
    night: Night,
    console: Console,
    titles: Vec<String>,
    cause: &'static str,
}

#[test]
fn whatever_the_provider_does_the_list_stays_with_age_and_cause_and_recovers_by_itself() {
    const INCIDENTS: usize = 3;
    let causes = [
        ("", "cannot be reached"),
        (r#"{"status":500}"#, "the provider answered 500"),
        (r#"{"status":429,"ratelimit_reset":3}"#, "rate limit reached"),
        (r#"{"truncate":true}"#, "cannot be read"),
    ];
    // All at once: each takes its time by the clock and next to none of the processor's.
    let mut all: Vec<Failing> = causes.map(|(faults, cause)| failing(INCIDENTS, faults, cause)).into();

    for Failing { night: _, console, titles, cause } in &all {
        console.until(cause, |screen| {
            let line = screen.lines().find(|line| line.contains("prod: STALE, as of ") && line.contains(cause));
            line.is_some_and(|line| line.split_whitespace().any(is_age))
        });
        console.shows("rest STALE");
        console.shows_all(titles);
    }
    for Failing { night, .. } in &mut all {
        match night.simulator {
            Some(_) => night.set_faults("{}"),
            None => night.bring_the_provider_back(INCIDENTS),
        }
    }
    for Failing { console, titles, .. } in &all {
        console.shows_no_more("STALE");
        console.shows_all(titles);
    }
}

/// A console that has seen its provider well, and then not any more; no faults: the provider is gone.
fn failing(incidents: usize, faults: &str, cause: &'static str) -> Failing {
    let mut night = night(incidents, Push::ByHand, "5s");
    let console = night.console();
    // As much of each as its column holds.
    let title = |row: &serde_json::Value| row["title"].as_str().expect("a title").chars().take(40).collect();
    let titles: Vec<String> = night.open().iter().map(title).collect();
    assert_eq!(titles.len(), incidents);
    console.shows_all(&titles);
    if faults.is_empty() {
        night.lose_the_provider();
    } else {
        night.set_faults(faults);
    }
    Failing { night, console, titles, cause }
}

#[test]
fn acknowledging_what_somebody_resolved_meanwhile_asks_again_and_does_not_reopen_it() {
    let night = night(0, Push::Subscribed, NEVER);
    night.set_faults(r#"{"webhooks":{"drop":100}}"#);
    let id = night.trigger("Login errors above 5 %");
    let mut console = night.console();
    console.shows("Login errors above 5 %");
    console.shows("! triggered");

    night.resolve_as(&night.people()[2], &id);
    console.press("a", "Acknowledge #");
    console.press("\r", "all the same?");

    console.shows("is resolved now");
    console.shows("Nothing was sent.");
    assert_eq!(night.truth(&id)["status"], "resolved");
    console.0.press("\x1b");
    console.shows_no_more("all the same?");
    console.shows("- resolved");
    assert_eq!(night.truth(&id)["status"], "resolved");
    assert_eq!(night.writes(), 1, "only the other one's");
}

#[test]
fn text_from_outside_is_shown_as_pictures_and_never_drives_the_terminal() {
    let night = night(0, Push::ByHand, NEVER);
    // What dogwatch itself says beside drawing is switched off, so that all the rest comes from outside.
    night.configure("[notify]\nbell = false\ndesktop = false\ntitle = false");
    let mut console = night.console();
    let title = "Full\nof \u{1b}[?1049l\u{1b}[2J \u{1b}]52;c;b3duZWQ=\u{7}\u{1b}]0;owned\u{1b}\\ \u{202e}txt\u{2069} \u{1b}Px\r end";
    let pictures = "Full␊of ␛[?1049l␛[2J ␛]52;c;b3duZWQ=␇␛]0;owned␛\\ ·txt· ␛Px␍ end";
    let id = night.trigger(title);

    assert_eq!(night.post(&triggered("01HOSTILE", &id, title)), Some(202));

    console.shows("Full␊of ␛[?1049l␛[2J ␛]52");
    console.press("\r", &format!("prod/{id}"));
    console.shows(pictures);
    // What lies around it may come only now, and what was the end is the end no more.
    console.0.press("G");
    console
        .until("the end, or what lies around it", |screen| screen.contains("Timeline") || screen.contains("How usual"));
    console.press("G", "Timeline");
    console.press("\x1b", "1 listed");
    console.press("3", "[3 Webhooks]");
    console.shows("Full␊of ␛[?1049l");
    console.press("j", "▸");
    console.press("\r", "event id     01HOSTILE");
    console.shows(pictures);
    console.press("\u{6}", r"\u001b[?1049l");
    console.press("1", "[1 Incidents]");
    // vt100 takes no replacement character for a cell, so this one comes last.
    assert_eq!(night.post(&triggered("01C1", &id, "C1 controls \u{9b}31m\u{9d}0;owned\u{9c}")), Some(202));
    console.shows("C1 controls");
    assert!(console.0.is_on_screen(), "the alternate screen is still on");
    assert_only_drawing(&console.0.output.lock().expect("lock").bytes);
}

/// Nothing but text and control sequences that draw: no clipboard, no title, no bell, no text that runs backwards.
fn assert_only_drawing(bytes: &[u8]) {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    for sequence in text.split('\u{1b}').skip(1) {
        assert!(sequence.starts_with('['), "{:?}", sequence.chars().take(40).collect::<String>());
    }
    let silent = |c: char| c == '\u{7}' || ('\u{80}'..'\u{a0}').contains(&c);
    let turning = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(|c: char| silent(c) || turning(c)), "{text:?}");
    assert!(!text.contains("\x1b[?1049l") && text.matches("\x1b[?1049h").count() == 1);
}

#[test]
fn a_demo_without_a_terminal_loses_nothing_and_shows_nothing_twice() {
    let home = tempfile::tempdir().expect("tempdir");
    let output = Command::new(BIN)
        .args(["demo", "--headless", "--for", "5s"])
        .env_clear()
        .env("HOME", home.path())
        .output()
        .expect("the binary runs");

    assert!(output.status.success(), "{output:?}");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let count = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name} in {figures}"));
    assert!(count("delivered") > 0, "{figures}");
    assert_eq!(count("applied"), count("delivered"), "{figures}");
    assert_eq!((count("lost"), count("duplicates_shown")), (0, 0), "{figures}");
    assert!(figures["actions"]["confirmed"].as_u64() > Some(0), "{figures}");
}

#[test]
fn a_clock_that_is_off_is_said_on_every_screen_until_it_is_right() {
    let night = night(1, Push::Subscribed, "5s");
    let mut console = night.console();
    assert!(!console.0.contents().contains("CLOCK"));

    night.set_faults(r#"{"date_seconds": 3600}"#);

    console.shows("prod: server's clock is 1h behind pagerduty's: set it, its times are off");
    for (key, view) in [("2", "[2 On-call]"), ("3", "[3 Webhooks]"), ("4", "[4 Templates]"), ("1", "[1 Incidents]")] {
        console.press(key, view);
        console.shows("CLOCK 1h BEHIND pagerduty's");
    }
    night.set_faults("{}");
    console.shows_no_more("CLOCK");
}
