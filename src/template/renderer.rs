//! The console's side of the render worker: one warm child, ended when it takes too long, replaced when it dies.

use std::{ffi::OsString, io, os::unix::process::ExitStatusExt as _, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
    time::timeout,
};

use super::{
    Limits,
    check::{Checked, check, check_within},
    frame::{self, Ask, Reply},
    render::{Job, at_large, is_odd},
};
use crate::core::{
    template::{Fault, Preview},
    text::ShownBody,
};

/// How long a new worker may take to be ready, also on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(10);

/// What a template gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// As the template made it: outside text, not cleaned for the screen.
    pub output: String,
    /// Whether it is JSON, and where it stops being so.
    pub json: Result<(), Fault>,
    /// What its logging helpers said, a line each: outside text.
    pub log: Vec<String>,
}

/// Renders templates in a child process, one after the other.
#[derive(Debug)]
pub struct Renderer {
    command: Vec<OsString>,
    limits: Limits,
    /// The zone that templates see, by its name in the tz database.
    zone: String,
    /// Empty while it is in use: whoever drops a rendering half-way drops the worker, which ends it.
    warm: Mutex<Option<Worker>>,
}

impl Renderer {
    /// `command` starts the worker: a program and its arguments, for example this one with `render-worker`.
    pub fn new(command: Vec<OsString>, limits: Limits) -> Self {
        Self { command, limits, zone: "UTC".to_owned(), warm: Mutex::new(None) }
    }

    /// The same with another zone than UTC.
    #[must_use]
    pub fn in_zone(self, zone: &str) -> Self {
        Self { zone: zone.to_owned(), ..self }
    }

    /// The same as [`Renderer::render`], ready to show.
    pub async fn preview(&self, text: &str, context: &Value) -> Preview {
        self.preview_job(Job::new(text, context)).await
    }

    /// The same as [`Renderer::run`], ready to show.
    pub async fn preview_job(&self, job: Job) -> Preview {
        let Checked { faults: mut doubts, warnings } = check(&job.text);
        doubts.extend(warnings);
        let rendered = match self.run(job).await {
            Ok(rendered) => rendered,
            Err(fault) => return Preview::Broken(fault),
        };
        let bytes = rendered.output.len() as u64;
        if rendered.json.is_ok() && is_odd(&rendered.output) {
            doubts.push(at_large("the output is JSON, but no object: many receivers take nothing else"));
        }
        // Cleaning a long output takes milliseconds, which other tasks should not wait for.
        match tokio::task::spawn_blocking(move || ShownBody::new(&rendered.output)).await {
            Ok(output) => Preview::Rendered { output, json: rendered.json, bytes, warnings: doubts },
            Err(_) => Preview::Broken(at_large("the output cannot be shown")),
        }
    }

    /// Renders `text` on `context`. Ends within the limits, whatever the template does; the next call starts
    /// a new worker if this one was lost.
    pub async fn render(&self, text: &str, context: &Value) -> Result<Rendered, Fault> {
        self.run(Job::new(text, context)).await
    }

    /// Renders a whole job: the same, with partials and a clock.
    pub async fn run(&self, job: Job) -> Result<Rendered, Fault> {
        check_within(&job.text, self.limits.source, self.limits.depth)?;
        let frame = frame::encode(&Ask::Render(Box::new(job)))
            .map_err(|_| at_large("what the template is rendered on is too large"))?;
        let mut warm = self.warm.lock().await;
        let asked = match warm.take().and_then(Worker::alive) {
            None => None,
            Some(worker) => match self.ask(worker, &frame).await {
                // It may have been killed while it was idle: that says nothing of this template.
                Err(Gone::Ended(signal)) if !is_by_template(signal) => None,
                asked => Some(asked),
            },
        };
        let asked = match asked {
            Some(asked) => asked,
            None => self.ask(self.start().await.map_err(|problem| at_large(&problem))?, &frame).await,
        };
        match asked {
            Ok((reply, worker)) => {
                *warm = Some(worker);
                match reply {
                    Reply::Rendered { output, json, log } => Ok(Rendered { output, json, log }),
                    Reply::Broken(fault) => Err(fault),
                    Reply::Ready => Err(at_large("the render worker answered out of turn")),
                }
            }
            Err(Gone::Ended(signal)) => Err(at_large(&ending(signal, &self.limits))),
            Err(Gone::TooLong) => {
                Err(at_large(&format!("the template takes longer than {} ms", self.limits.wall.as_millis())))
            }
        }
    }

    /// Has a worker ready, so that the next rendering does not take the time to start one.
    pub async fn warm_up(&self) -> Result<(), Fault> {
        let mut warm = self.warm.lock().await;
        *warm = Some(match warm.take().and_then(Worker::alive) {
            Some(worker) => worker,
            None => self.start().await.map_err(|problem| at_large(&problem))?,
        });
        Ok(())
    }

    /// Has one frame answered; gives the worker back if it is still of use.
    async fn ask(&self, mut worker: Worker, frame: &[u8]) -> Result<(Reply, Worker), Gone> {
        match timeout(self.limits.wall, worker.ask(frame)).await {
            Ok(Ok(reply)) => Ok((reply, worker)),
            Ok(Err(_)) => Err(Gone::Ended(worker.ended_by().await)),
            Err(_) => {
                worker.end().await;
                Err(Gone::TooLong)
            }
        }
    }

    async fn start(&self) -> Result<Worker, String> {
        let mut worker =
            Worker::spawn(&self.command).map_err(|cause| format!("the render worker cannot be started: {cause}"))?;
        let ready = async {
            let start = Ask::Start { limits: self.limits.clone(), zone: self.zone.clone() };
            worker.ask(&frame::encode(&start)?).await
        };
        match timeout(START_LIMIT, ready).await {
            Ok(Ok(Reply::Ready)) => Ok(worker),
            Ok(_) => {
                worker.end().await;
                Err("the render worker does not start".to_owned())
            }
            Err(_) => {
                worker.end().await;
                Err(format!("the render worker was not ready after {} s", START_LIMIT.as_secs()))
            }
        }
    }
}

/// A worker process; dropping it ends it.
#[derive(Debug)]
struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Worker {
    /// Nothing of ours goes with it: no environment, no directory, no terminal, no signals of our group.
    fn spawn(command: &[OsString]) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("no command"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("no pipe");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        Ok(Self { child, stdin, stdout })
    }

    /// `None` when it ended while nobody looked.
    fn alive(mut self) -> Option<Self> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    async fn ask(&mut self, frame: &[u8]) -> io::Result<Reply> {
        self.stdin.write_all(frame).await?;
        self.stdin.flush().await?;
        frame::receive(&mut self.stdout).await
    }

    async fn end(mut self) {
        let _ = self.child.kill().await;
    }

    /// The signal that ended it, if one did.
    async fn ended_by(mut self) -> Option<i32> {
        let ended = timeout(START_LIMIT, self.child.wait()).await;
        ended.ok().and_then(Result::ok).and_then(|status| status.signal())
    }
}

/// Why a worker has no answer.
enum Gone {
    TooLong,
    /// It ended, perhaps by a signal.
    Ended(Option<i32>),
}

/// Whether a template brings a worker to end like this: abort, segmentation fault, processor time.
fn is_by_template(signal: Option<i32>) -> bool {
    matches!(signal, Some(6 | 11 | 24))
}

/// Why a worker is gone, in the template author's words.
fn ending(signal: Option<i32>, limits: &Limits) -> String {
    match signal {
        Some(6 | 11) => format!(
            "the template recurses without end, nests too deep, or needs more than {} MiB of memory",
            limits.memory / (1024 * 1024)
        ),
        Some(24) => format!("the template takes longer than {} s of the processor", limits.cpu),
        _ => "the render worker ended unexpectedly".to_owned(),
    }
}
