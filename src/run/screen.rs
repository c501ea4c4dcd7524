//! The loop. It awaits its next event and nothing else; whatever takes time answers with an event later.

use std::{collections::VecDeque, io, pin::pin, time::Duration};

use jiff::Timestamp;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Exit, INBOX, KEYS, Memory, Options, ScreenError,
    drafts::Drafts,
    external::{self, Ended, Job, Place},
    files,
    pace::Pace,
};
use crate::{
    app::{Effect, Event, Model, NoticeKind, handoff::Replace, templates::drafts::DraftId, update},
    core::{keys::Chord, text::Shown},
    proto::{Request, RequestId},
    term::{self, Ending, Input, Keyboard, Terminal, Urgent},
    ui,
};

/// How often what ages on the screen (all in whole seconds) is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Where events come from.
pub(super) struct Sources {
    pub(super) urgent: mpsc::Receiver<Urgent>,
    pub(super) inbox: mpsc::Receiver<Event>,
    /// Closed when the keyboard cannot be read any more.
    pub(super) keys: mpsc::Receiver<Input>,
}

pub(super) struct Screen {
    model: Box<Model>,
    terminal: Terminal,
    keyboard: Keyboard,
    memory: Memory,
    drafts: Option<Drafts>,
    /// A text that the person's own editor is to go on with.
    editing: Option<Job>,
    /// What no editor gets of the environment.
    secret_variables: Vec<String>,
    requests: mpsc::Sender<(RequestId, Request)>,
    /// Where what takes time answers.
    events: mpsc::Sender<Event>,
    pace: Pace,
    tick_at: Instant,
    exit: Option<Exit>,
    panic_key: Option<Chord>,
}

impl Screen {
    pub(super) fn new(
        terminal: Terminal,
        keyboard: Keyboard,
        requests: mpsc::Sender<(RequestId, Request)>,
        events: mpsc::Sender<Event>,
        options: Options,
    ) -> Self {
        let mut model = Box::new(Model::new(Timestamp::now(), options.zone, terminal.size()));
        model.colour = options.colour;
        let memory = options.memory;
        model.set_notify(options.notify);
        model.set_views(options.views, memory.view().as_deref());
        if let Some(warning) = options.warning {
            model.say(NoticeKind::Bad, &warning);
        }
        let tick_at = Instant::now() + TICK;
        let pace = Pace::default();
        let drafts = memory.drafts().and_then(|directory| Drafts::start(directory, events.clone()));
        Self {
            model,
            terminal,
            keyboard,
            memory,
            drafts,
            editing: None,
            secret_variables: options.secret_variables,
            requests,
            events,
            pace,
            tick_at,
            exit: None,
            panic_key: panic_key(),
        }
    }

    /// Runs until the end, and gives the terminal back.
    pub(super) async fn run(mut self, mut from: Sources) -> Result<Exit, ScreenError> {
        let ended = match self.turn_until_exit(&mut from).await {
            // Writing to a terminal that was hung up fails before we hear of the hang-up.
            Err(error) if gone(&error) => Ok(Exit(Ending::TerminalGone.exit_code())),
            ended => ended.map_err(ScreenError::Terminal),
        };
        term::insist(ended.as_ref().map_or(1, |exit| exit.0));
        // A terminal that went away ends the loop too: what was typed is kept all the same.
        let _ = self.apply(Event::Ended);
        let Self { terminal, drafts, .. } = self;
        // The terminal first: a slow disk must not hold it.
        drop(terminal);
        drafts.into_iter().for_each(Drafts::finish);
        ended
    }

    async fn turn_until_exit(&mut self, from: &mut Sources) -> io::Result<Exit> {
        loop {
            let wake = self.pace.due().map_or(self.tick_at, |due| due.min(self.tick_at));
            tokio::select! {
                biased;
                Some(urgent) = from.urgent.recv() => self.urgent(urgent)?,
                Some(event) = from.inbox.recv() => self.take(event)?,
                input = from.keys.recv() => match input {
                    Some(input) => self.input(input)?,
                    None => self.urgent(Urgent::End(Ending::TerminalGone))?,
                },
                () = tokio::time::sleep_until(wake) => {}
            }
            self.take_what_waits(from)?;
            if let Some(job) = self.editing.take() {
                self.edit(job, from).await?;
            }
            if let Some(exit) = self.exit {
                return Ok(exit);
            }
            self.tick(Instant::now());
            if self.pace.due().is_some_and(|due| due <= Instant::now()) {
                self.draw()?;
            }
        }
    }

    /// What has come meanwhile goes into the same frame; keys too, however much the server has to say.
    fn take_what_waits(&mut self, from: &mut Sources) -> io::Result<()> {
        for _ in 0..KEYS {
            match (self.exit, from.keys.try_recv()) {
                (None, Ok(input)) => self.input(input)?,
                _ => break,
            }
        }
        for _ in 0..INBOX {
            match (self.exit, from.inbox.try_recv()) {
                (None, Ok(event)) => self.take(event)?,
                _ => break,
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        if now >= self.tick_at {
            self.tick_at = now + TICK;
            self.pace.changed(now);
        }
    }

    pub(super) fn draw(&mut self) -> io::Result<()> {
        self.apply(Event::Ticked(Timestamp::now()))?;
        self.terminal.draw(|frame| ui::view(&self.model, frame))?;
        self.pace.drawn(Instant::now());
        Ok(())
    }

    fn urgent(&mut self, urgent: Urgent) -> io::Result<()> {
        match urgent {
            Urgent::End(ending) => {
                self.exit = Some(Exit(ending.exit_code()));
                self.apply(Event::Ended)
            }
            Urgent::Stop => self.suspend(),
            Urgent::Continued => {
                self.terminal.reclaim()?;
                self.resized()
            }
        }
    }

    fn input(&mut self, input: Input) -> io::Result<()> {
        match input {
            Input::Key(chord) => {
                assert!(self.panic_key != Some(chord), "{chord} was pressed, and DOGWATCH_PANIC_KEY says to panic");
                self.take(Event::Key(chord))
            }
            Input::Pasted(text) => self.take(Event::Pasted(text)),
            Input::Resized => self.resized(),
            Input::FocusGained => self.take(Event::FocusGained),
            Input::FocusLost => self.take(Event::FocusLost),
        }
    }

    fn resized(&mut self) -> io::Result<()> {
        let (width, height) = self.terminal.size();
        self.take(Event::Resized { width, height })
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.terminal.suspend()?;
        self.resized()
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        self.pace.changed(Instant::now());
        self.apply(event)
    }

    fn apply(&mut self, event: Event) -> io::Result<()> {
        let was_behind = self.model.templates.is_behind();
        self.apply_all(event)?;
        if self.model.templates.is_behind() && !was_behind {
            // The next look at the clock finds the pause over.
            self.tick_at = Instant::now() + TICK;
        }
        Ok(())
    }

    fn apply_all(&mut self, event: Event) -> io::Result<()> {
        let mut effects = VecDeque::from(update(&mut self.model, event));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send { id, request } => effects.extend(self.send(id, request)),
                Effect::Copy(text) => self.terminal.copy(&text)?,
                Effect::Ring => self.terminal.ring()?,
                Effect::Notify(text) => self.terminal.notify(&text)?,
                Effect::Title(text) => self.terminal.set_title(&text)?,
                Effect::Write { path, text, replace } => self.write(path, text, replace),
                Effect::KeepDraft { id, draft } => {
                    let refused = self.drafts.as_ref().and_then(|drafts| drafts.keep(id, draft));
                    effects.extend(refused.map(|event| update(&mut self.model, event)).unwrap_or_default());
                }
                Effect::DropDraft { id } => self.drafts.iter().for_each(|drafts| drafts.remove(id.clone())),
                Effect::EditExternally { id, name, text } => effects.extend(self.want_editor(id, name, text)),
                Effect::Suspend => self.suspend()?,
                Effect::RememberView(name) => self.remember(name.as_ref().map(Shown::as_str)),
                Effect::Quit => {
                    self.exit.get_or_insert(Exit(0));
                }
            }
        }
        Ok(())
    }

    /// Puts the text where an editor finds it; the editor starts when this turn is done.
    fn want_editor(&mut self, id: DraftId, name: String, text: String) -> Vec<Effect> {
        let place = match &self.drafts {
            Some(drafts) => drafts.lend(id, text.clone()).map(Place::Drafts),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        let place = place.or_else(|_| Place::temporary(&name, &text));
        match place {
            Ok(place) => {
                self.editing = Some(Job { name, text, place });
                vec![]
            }
            Err(error) => {
                let cause = Shown::line(&format!("there is no file to edit: {error}"));
                update(&mut self.model, Event::Edited { name, text: Err(cause) })
            }
        }
    }

    /// The person's own editor has the terminal until it ends. What the server says meanwhile is taken in, and heard if
    /// it calls; it is seen afterwards.
    async fn edit(&mut self, job: Job, from: &mut Sources) -> io::Result<()> {
        let name = job.name.clone();
        let Some(held) = self.keyboard.hold() else {
            let cause = Shown::line("the keyboard is not let go");
            return self.take(Event::Edited { name, text: Err(cause) });
        };
        self.terminal.lend();
        let secret = self.secret_variables.clone();
        let mut running = pin!(external::run(job, &secret, &mut from.urgent));
        let Ended { text, ending } = loop {
            tokio::select! {
                ended = &mut running => break ended,
                Some(event) = from.inbox.recv() => {
                    self.apply(Event::Ticked(Timestamp::now()))?;
                    self.apply(event)?;
                }
            }
        };
        if ending.is_none() {
            self.terminal.take_back()?;
        }
        drop(held);
        self.take(Event::Edited { name, text })?;
        match ending {
            Some(ending) => self.urgent(Urgent::End(ending)),
            None => self.resized(),
        }
    }

    /// Where the file goes may be slow, or far away.
    fn write(&self, path: String, text: String, replace: Replace) {
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            let home = std::env::home_dir();
            let written = files::write(&path, &text, replace, home.as_deref());
            // The screen ended meanwhile: nobody is left to tell.
            let _ = events.blocking_send(Event::Written(written));
        });
    }

    /// A name in a small file; where that cannot be written, the next start begins as the settings say.
    fn remember(&self, view: Option<&str>) {
        if let Err(error) = self.memory.keep_view(view) {
            tracing::warn!("the view is not remembered: {error}");
        }
    }

    /// Hands a request to the link, which answers it whatever happens; when it cannot take it, the answer
    /// is given here.
    fn send(&mut self, id: RequestId, request: Request) -> Vec<Effect> {
        if self.requests.try_send((id, request)).is_ok() {
            return vec![];
        }
        let answer = Err("too many requests wait for the server; try again".to_owned());
        update(&mut self.model, Event::Answered { id, answer })
    }
}

fn gone(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::IO, rustix::io::Errno::PIPE, rustix::io::Errno::NXIO]
        .iter()
        .any(|gone| code == Some(gone.raw_os_error()))
}

/// The key that makes a debug build panic on the screen's thread, to try what becomes of the terminal.
fn panic_key() -> Option<Chord> {
    if cfg!(debug_assertions) { std::env::var("DOGWATCH_PANIC_KEY").ok()?.parse().ok() } else { None }
}
