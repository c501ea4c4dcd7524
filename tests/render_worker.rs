//! The render worker as a process: whatever a template does, the console gets an answer in time, and the next
//! template renders.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use dogwatch::{
    core::template::Preview,
    template::{Job, Limits, Renderer},
};
use serde_json::{Value, json};

/// Far more than the limits: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

fn command() -> Vec<OsString> {
    vec![env!("CARGO_BIN_EXE_dogwatch").into(), "render-worker".into()]
}

fn renderer() -> Renderer {
    Renderer::new(command(), Limits { wall: Duration::from_secs(3), ..Limits::default() })
}

/// The output, or what is wrong.
async fn preview(by: &Renderer, text: &str, context: &Value) -> Result<String, String> {
    match by.preview(text, context).await {
        Preview::Rendered { output, .. } => Ok(output.as_str().to_owned()),
        Preview::Broken(fault) => Err(fault.message.as_str().to_owned()),
    }
}

async fn still_renders(renderer: &Renderer) {
    let output = preview(renderer, "{{a}}-{{a}}", &json!({"a": 1})).await;
    assert_eq!(output.as_deref(), Ok("1-1"));
}

/// The program under a path of its own, so that its processes can be told from those of other tests.
struct Own {
    dir: tempfile::TempDir,
}

impl Own {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        symlink(env!("CARGO_BIN_EXE_dogwatch"), dir.path().join("dogwatch")).expect("link");
        Self { dir }
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("dogwatch")
    }

    fn renderer(&self, limits: Limits) -> Renderer {
        Renderer::new(vec![self.program().into(), "render-worker".into()], limits)
    }

    /// Its processes that still run.
    fn processes(&self) -> Vec<PathBuf> {
        let program = self.program();
        let runs = |dir: &PathBuf| {
            fs::read(dir.join("cmdline")).is_ok_and(|line| line.starts_with(program.as_os_str().as_bytes()))
        };
        fs::read_dir("/proc").expect("proc").flatten().map(|entry| entry.path()).filter(runs).collect()
    }
}

/// Waits until `holds`, with an end.
async fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_endless_recursion_is_an_error_and_the_next_template_renders() {
    let renderer = renderer();
    still_renders(&renderer).await;

    let said = preview(&renderer, r#"{{#*inline "p"}}{{> p}}{{/inline}}{{> p}}"#, &json!({})).await;

    assert!(said.expect_err("an error").contains("does one include itself?"));
    still_renders(&renderer).await;
}

#[tokio::test]
async fn every_hostile_template_ends_in_time_and_the_next_one_renders() {
    // Those that are only odd: their output is cleaned.
    const HARMLESS: [&str; 2] = ["prototype", "terminal_sequences"];
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/handlebars/hostile");
    let own = Own::new();
    let renderer = own.renderer(Limits { wall: Duration::from_secs(3), ..Limits::default() });
    let mut count = 0;
    for entry in fs::read_dir(dir).expect("fixtures").flatten() {
        let case: Value = serde_json::from_slice(&fs::read(entry.path()).expect("file")).expect("JSON");
        let text = case["template"].as_str().expect("template");
        let partial = |(name, text): (&String, &Value)| (name.clone(), text.as_str().expect("partial").to_owned());
        let partials = case["partials"].as_object().into_iter().flatten().map(partial).collect();
        let job = Job { partials, ..Job::new(text, &case["data"]) };
        let started = Instant::now();

        let result = renderer.preview_job(job).await;

        assert!(started.elapsed() < PATIENCE, "{}", case["name"]);
        let name = case["name"].as_str().expect("name");
        assert_eq!(matches!(result, Preview::Rendered { .. }), HARMLESS.contains(&name), "{name}: {result:?}");
        if let Preview::Rendered { output, .. } = result {
            assert!(!output.as_str().chars().any(|c| c.is_control() && c != '\n'), "{}", case["name"]);
        }
        still_renders(&renderer).await;
        count += 1;
    }
    assert_eq!(count, 23);
    drop(renderer);
    until(|| own.processes().is_empty(), "a worker is left").await;
}

#[tokio::test]
async fn templates_that_are_too_large_or_too_deep_are_refused_before_they_are_parsed() {
    let renderer = renderer();
    for (text, why) in [
        ("x".repeat(500_000), "bytes; at most"),
        ("{{a}}".repeat(20_000), "bytes; at most"),
        (format!("{}{}", "{{#if 1}}".repeat(10_000), "{{/if}}".repeat(10_000)), "bytes; at most"),
        (format!("{}{}", "{{#if 1}}".repeat(1000), "{{/if}}".repeat(1000)), "nested more than 100 deep"),
        (format!("{{{{not {}1{}}}}}", "(not ".repeat(5000), ")".repeat(5000)), "nested more than 100 deep"),
        ("{{#each a}}".repeat(40), "never closed"),
    ] {
        let said = preview(&renderer, &text, &json!({"a": [1]})).await.expect_err("refused");
        assert!(said.contains(why), "{said}");
    }
    still_renders(&renderer).await;
}

/// Runs for years: the expression tries each way to part the letters.
const ENDLESS: &str = "a\n {{test s (toRegex \"^(0+)+$\")}}";

/// Runs for many seconds: it makes a long text of the list again and again.
const SLOW: &str = "{{#each l}}{{#each ../l}}{{#if (length (JSONstringify ../../l))}}{{/if}}{{/each}}{{/each}}";

/// What [`ENDLESS`] and [`SLOW`] run on.
fn slow_context() -> Value {
    json!({"s": format!("{}!", "0".repeat(60)), "l": vec!["a longer text"; 1000]})
}

#[tokio::test]
async fn a_match_that_never_ends_is_an_error_that_names_it_and_its_place() {
    let own = Own::new();
    let renderer = own.renderer(Limits { wall: Duration::from_secs(2), ..Limits::default() });
    still_renders(&renderer).await;

    let Preview::Broken(fault) = renderer.preview(ENDLESS, &slow_context()).await else { panic!("it ended") };

    assert_eq!(fault.message.as_str(), "`test`: /^(0+)+$/ takes too long here");
    assert_eq!((fault.line, fault.column), (2, 2));
    still_renders(&renderer).await;
    drop(renderer);
    until(|| own.processes().is_empty(), "a worker is left").await;
}

#[tokio::test]
async fn a_template_that_takes_too_long_is_ended_and_leaves_no_process() {
    let own = Own::new();
    let context = slow_context();
    let renderer = own.renderer(Limits { wall: Duration::from_millis(200), ..Limits::default() });
    let watch = async {
        let mut seen = vec![];
        until(
            || {
                seen = own.processes();
                !seen.is_empty()
            },
            "no worker",
        )
        .await;
        seen
    };

    let (said, seen) = tokio::join!(preview(&renderer, SLOW, &context), watch);

    assert_eq!(said.expect_err("ended"), "the template takes longer than 200 ms");
    for process in seen {
        assert!(!process.exists(), "{} is left, perhaps as a zombie", process.display());
    }
}

#[tokio::test]
async fn the_kernel_ends_a_template_that_nobody_watches() {
    let renderer = Renderer::new(command(), Limits { wall: PATIENCE, cpu: 1, ..Limits::default() });

    let said = preview(&renderer, SLOW, &slow_context()).await.expect_err("ended by the kernel");

    assert_eq!(said, "the template takes longer than 1 s of the processor");
    still_renders(&renderer).await;
}

#[tokio::test]
async fn memory_and_output_are_bounded() {
    let renderer = Renderer::new(command(), Limits { wall: PATIENCE, ..Limits::default() });
    let big = "y".repeat(300_000);
    let context = json!({"s": big});

    let said =
        preview(&renderer, "{{#each (split s \"y\")}}{{@root.s}}{{/each}}", &context).await.expect_err("refused");
    assert_eq!(said, "the output is longer than 1048576 bytes");

    let open = "{{#with (split @root.s \"y\")}}";
    let lists = format!("{}{}", open.repeat(60), "{{/with}}".repeat(60));
    let tight = Renderer::new(command(), Limits { wall: PATIENCE, memory: 256 * 1024 * 1024, ..Limits::default() });
    let said = preview(&tight, &lists, &context).await.expect_err("too much memory");
    assert!(said.contains("more than 256 MiB of memory"), "{said}");
    still_renders(&tight).await;
}

#[tokio::test]
async fn one_worker_serves_many_and_ends_with_its_renderer() {
    let own = Own::new();
    let renderer = own.renderer(Limits { wall: PATIENCE, ..Limits::default() });
    still_renders(&renderer).await;
    let first = own.processes();
    for _ in 0..50 {
        still_renders(&renderer).await;
    }
    assert!(preview(&renderer, "{{divide incident 2}}", &json!({"incident": {}})).await.is_err());
    assert_eq!((first.len(), own.processes()), (1, first));

    drop(renderer);

    until(|| own.processes().is_empty(), "the worker outlives its renderer").await;
}

#[tokio::test]
async fn a_worker_that_was_killed_while_idle_is_replaced() {
    let own = Own::new();
    let renderer = own.renderer(Limits { wall: PATIENCE, ..Limits::default() });
    still_renders(&renderer).await;
    for process in own.processes() {
        let pid = process.file_name().and_then(|name| name.to_str()).expect("pid");
        assert!(Command::new("kill").args(["-9", pid]).status().expect("kill").success());
    }
    until(|| own.processes().is_empty(), "not killed").await;

    still_renders(&renderer).await;
}

#[tokio::test]
async fn a_dropped_rendering_does_not_answer_the_next_one() {
    let renderer = renderer();
    still_renders(&renderer).await;
    for _ in 0..5 {
        let context = json!({"l": vec![1; 600]});
        let slow = renderer.preview("{{#each l}}{{#each ../l}}{{this}}{{/each}}{{/each}}", &context);
        let _ = tokio::time::timeout(Duration::from_millis(1), slow).await;
        still_renders(&renderer).await;
    }
}

#[tokio::test]
async fn a_command_that_is_no_worker_is_said() {
    let said = |command: &[&str]| {
        let renderer = Renderer::new(command.iter().map(OsString::from).collect(), Limits::default());
        async move { preview(&renderer, "x", &json!({})).await.expect_err("no worker") }
    };

    assert!(said(&["/nonexistent/dogwatch"]).await.contains("cannot be started"));
    assert!(said(&["/bin/true"]).await.contains("does not start"));
    assert!(said(&[]).await.contains("cannot be started"));
}

/// A frame as the worker reads it.
fn frame(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let mut frame = u32::try_from(body.len()).expect("short").to_be_bytes().to_vec();
    frame.extend(body.bytes());
    frame
}

#[test]
fn a_worker_ends_with_its_input_even_while_it_renders() {
    let limits = json!({"start": {"limits": Limits { cpu: 600, ..Limits::default() }, "zone": "UTC"}});
    let endless = json!({"render": {"text": ENDLESS, "context": slow_context().to_string()}});
    for asked in [vec![], vec![&limits], vec![&limits, &endless]] {
        let mut start = Command::new(env!("CARGO_BIN_EXE_dogwatch"));
        start.arg("render-worker").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = start.spawn().expect("worker");
        let mut stdin = child.stdin.take().expect("pipe");
        for ask in asked {
            stdin.write_all(&frame(ask)).expect("sent");
        }

        drop(stdin);

        let started = Instant::now();
        while child.try_wait().expect("status").is_none() {
            if started.elapsed() > PATIENCE {
                child.kill().expect("killed");
                panic!("the worker goes on without its console");
            }
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn a_worker_has_no_environment_and_can_open_nothing() {
    let own = Own::new();
    let renderer = own.renderer(Limits { wall: PATIENCE, ..Limits::default() });
    still_renders(&renderer).await;
    let processes = own.processes();
    let process = processes.first().expect("a worker");

    assert_eq!(fs::read(process.join("environ")).expect("readable"), b"");
    assert_eq!(fs::read_link(process.join("cwd")).expect("readable"), Path::new("/"));
    let limits = fs::read_to_string(process.join("limits")).expect("readable");
    let of = |name: &str| {
        let rest = limits.lines().find_map(|line| line.strip_prefix(name)).expect("limit");
        rest.split_whitespace().next().map(str::to_owned)
    };
    assert_eq!(of("Max open files").as_deref(), Some("3"));
    assert_eq!(of("Max file size").as_deref(), Some("0"));
    assert_eq!(of("Max core file size").as_deref(), Some("0"));
    assert_eq!(of("Max address space").as_deref(), Some("536870912"));
}
