//! What a preview costs: rendering in this process, through the worker's process, and from a key to the screen.
//!
//! A built-in template on a delivery of 12 KB; all ways are taken in turns within one run, so that the ratios hold
//! whatever else the machine does. `cargo bench --bench template`; `ROUNDS` may be set.

use std::{
    cell::Cell,
    ffi::OsString,
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use dogwatch::{
    app::{Effect, Event, Model, Role, update},
    core::{board::Board, id::AccountName, template::Preview, template::TemplateSummary},
    proto::{Access, Answer, Request},
    provider::pagerduty::Webhooks,
    template::{Delivered, Job, Limits, Renderer, SAMPLE_BODY, context, render_within},
    ui,
};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const TEMPLATE: &str = include_str!("../../assets/templates/teams.hbs");
const BODY: usize = 12 * 1024;
const SIZE: (u16, u16) = (160, 40);
/// Of the worker, on an idle machine.
const GOAL: Duration = Duration::from_millis(2);

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1000);
    let runtime = Runtime::new().expect("runtime");
    let (account, body) = (AccountName::new("prod").expect("name"), body());
    let delivered = Delivered { account: &account, id: None, body: &body };
    let seen = || context(&delivered, &Webhooks, &Board::default());
    let command: Vec<OsString> = vec![env!("CARGO_BIN_EXE_dogwatch").into(), "render-worker".into()];
    let renderer = Renderer::new(command, Limits { wall: Duration::from_secs(10), ..Limits::default() });
    let mut screen = Screen::open();

    let (mut here, mut there, mut key) = (vec![], vec![], vec![]);
    for round in 0..rounds + 20 {
        let seen_here = seen();
        let began = Instant::now();
        black_box(render_within(&Job::new(TEMPLATE, &seen_here), &Limits::default(), &TimeZone::UTC))
            .expect("rendered");
        let alone = began.elapsed();
        let began = Instant::now();
        black_box(runtime.block_on(renderer.render(TEMPLATE, &seen_here))).expect("rendered");
        let through = began.elapsed();
        let began = Instant::now();
        screen.key(|text| runtime.block_on(renderer.preview(text, &seen())));
        let shown = began.elapsed();
        // The first ones warm up.
        if round >= 20 {
            here.push(alone);
            there.push(through);
            key.push(shown);
        }
    }
    let base = print("in this process", &mut here, None);
    print("through the worker", &mut there, Some(base));
    print("from the key to the screen", &mut key, Some(base));
    let median = at(&there, 0.5);
    say(&format!("the worker's median is {:.2} of the goal of {GOAL:?}", median.as_secs_f64() / GOAL.as_secs_f64()));
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("stdout");
}

/// The value that such a share of the sorted `times` does not pass.
fn at(times: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = ((times.len() - 1) as f64 * share) as usize;
    times[index]
}

/// Prints median and 99th percentile, and their ratios to `base`; gives the median.
fn print(name: &str, times: &mut [Duration], base: Option<Duration>) -> Duration {
    times.sort_unstable();
    let (median, slow) = (at(times, 0.5), at(times, 0.99));
    let ratio = |time: Duration| {
        base.map_or(String::new(), |base| format!(" ({:.1})", time.as_secs_f64() / base.as_secs_f64()))
    };
    say(&format!("{name:<28} median {median:>10.2?}{}  p99 {slow:>10.2?}{}", ratio(median), ratio(slow)));
    median
}

/// The sample with as many details as make up 12 KB.
fn body() -> Vec<u8> {
    let mut body: Value = serde_json::from_str(SAMPLE_BODY).expect("sample");
    let detail = |n: usize| (format!("metric_{n}"), json!({"value": n, "text": "p99 latency above 2 s at checkout"}));
    let details: serde_json::Map<String, Value> = (0..150).map(detail).collect();
    body["event"]["data"]["details"] = Value::Object(details);
    let body = serde_json::to_vec(&body).expect("JSON");
    assert!(body.len().abs_diff(BODY) < 2048, "the body has {} bytes", body.len());
    body
}

/// A console with the template open.
struct Screen {
    model: Model,
    terminal: Terminal<TestBackend>,
    typed: bool,
}

impl Screen {
    fn open() -> Self {
        let mut model = Model::new(Timestamp::UNIX_EPOCH, TimeZone::UTC, SIZE);
        let template = TemplateSummary { name: "teams".to_owned(), saved_at: None, built_in: true };
        let board = Box::new(Board { templates: vec![template], ..Board::default() });
        let access = Access::Act { actor: "alice".into() };
        update(&mut model, Event::Attached { board, access, role: Role::Owner });
        let mut screen =
            Self { model, terminal: Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("terminal"), typed: false };
        screen.press("4");
        let asked = screen.press("enter");
        let answer = Answer::Template { name: "teams".to_owned(), text: TEMPLATE.to_owned() };
        let more = screen.answer(&asked, |_| Ok(answer.clone()));
        screen.answer(&more, |_| Err("the first preview is not measured".to_owned()));
        screen
    }

    fn press(&mut self, key: &str) -> Vec<Effect> {
        update(&mut self.model, Event::Key(key.parse().expect("a key")))
    }

    /// Answers what was asked, as it goes over the wire.
    fn answer(&mut self, asked: &[Effect], answer: impl Fn(&Request) -> Result<Answer, String>) -> Vec<Effect> {
        let mut more = vec![];
        for effect in asked {
            let Effect::Send { id, request } = effect else { continue };
            let wire = serde_json::to_vec(request).expect("JSON");
            let request: Request = serde_json::from_slice(&wire).expect("a request");
            let answer = answer(&request).map(|answer| {
                let wire = serde_json::to_vec(&answer).expect("JSON");
                serde_json::from_slice(&wire).expect("an answer")
            });
            more.extend(update(&mut self.model, Event::Answered { id: *id, answer }));
        }
        more
    }

    /// Types a blank, or takes it back, and draws what comes of it.
    fn key(&mut self, preview: impl Fn(&str) -> Preview) {
        let key = if self.typed { "backspace" } else { "space" };
        self.typed = !self.typed;
        let asked = self.press(key);
        let previews = Cell::new(0);
        self.answer(&asked, |request| match request {
            Request::Render { text, .. } => {
                previews.set(previews.get() + 1);
                Ok(Answer::Preview { preview: preview(text) })
            }
            _ => Err("only previews are measured".to_owned()),
        });
        assert_eq!(previews.get(), 1, "a preview is asked for: {asked:?}");
        self.terminal.draw(|frame| ui::view(&self.model, frame)).expect("drawn");
    }
}
