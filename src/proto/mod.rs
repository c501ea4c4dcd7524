//! What server and console say to each other: one JSON object a line.
//!
//! The console says hello; the server answers with its own hello and a snapshot, the changes since it and a mark, then
//! sends every later change and a heartbeat. Requests carry a number, and so do their answers.

pub mod wire;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::{
    action::{Action, NewIncident, Target, Verb},
    arrangement::Arrangement,
    board::{Board, Change},
    call::{ApiCall, Budget},
    choices::{Choices, ChoicesOf},
    context::Context,
    delivery::{DeliverySummary, DeliveryView},
    detail::Detail,
    field::Field,
    forward::form::{Making, TargetForm},
    handoff::Handoff,
    id::{AccountName, ActionId, DeliveryId, IncidentKey, ScheduleId, TargetName, UserId},
    incident::Named,
    load::Page,
    oncall::{OnCall, Schedule},
    rota::Override,
    span::Span,
    template::{Preview, Subject, TemplateHistory, Version},
    text::Shown,
};

/// Raised when a message changes its meaning. Server and console must be equal in it.
pub const PROTOCOL: u16 = 10;

/// The number of a request, chosen by the console, unique while it is open.
pub type RequestId = u64;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromConsole {
    Hello { protocol: u16, version: String },
    Request { id: RequestId, request: Request },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromServer {
    Hello {
        protocol: u16,
        version: String,
        you: Access,
    },
    /// Spoken instead of hello, and the last word: why not.
    Refused {
        reason: String,
    },
    /// Replaces everything the console knew. Others may have had the same some moments ago: see [`FromServer::UpToDate`].
    Snapshot {
        board: Box<Board>,
    },
    Changed {
        change: Change,
    },
    /// Follows each snapshot and what has changed since it was made: whatever anybody was answered before the console said
    /// hello is known to it from here on.
    UpToDate,
    Answer {
        id: RequestId,
        answer: Box<Result<Answer, String>>,
    },
    /// What the console may do from now on, where that is not what the hello said any more.
    Access {
        you: Access,
    },
    /// Nothing new, still here. Sent every [`HEARTBEAT_SECONDS`].
    Heartbeat,
}

/// Seconds between heartbeats; a console that hears nothing for three of them counts the server as gone.
pub const HEARTBEAT_SECONDS: u64 = 2;

/// What the console at the other end may do, by its kernel-told user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "access", rename_all = "snake_case")]
pub enum Access {
    /// Look and act, under this name in the action log.
    Act { actor: String },
    /// The same on a shared server: at these accounts, each in the name given. At the others, look only.
    ActAs { actor: String, names: BTreeMap<AccountName, String> },
    /// Look only, and why.
    Watch { reason: String },
}

impl Access {
    /// The name under which this console's actions stand in the log.
    pub fn actor(&self) -> Option<&str> {
        match self {
            Self::Act { actor } | Self::ActAs { actor, .. } => Some(actor),
            Self::Watch { .. } => None,
        }
    }
}

/// What a console can ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Do `verb` on each target. Answered with [`Answer::Accepted`] once it is written down; the outcomes
    /// follow as [`Change::Action`].
    /// `undoable`: it waits for as long as the server is set to, and can be taken back till then.
    Act { targets: Vec<Target>, verb: Verb, undoable: bool },
    /// Make an incident. Answered like [`Request::Act`]; once made, its outcome stands under its own id.
    Create { account: AccountName, new: Box<NewIncident>, undoable: bool },
    /// Take back an action that was not sent yet; only whoever asked for it can.
    TakeBack { action: ActionId },
    /// What there is to choose from for an action.
    Choices { account: AccountName, of: ChoicesOf },
    /// Alerts, notes and timeline of an incident.
    Detail { key: IncidentKey },
    /// A delivery in full.
    Delivery { id: DeliveryId },
    /// Older lines of the log: up to `limit` before `before`, newest first.
    Deliveries { before: DeliveryId, limit: u32 },
    /// Up to `limit` deliveries before `before` that the query finds, newest first; see [`crate::core::query`].
    SearchDeliveries { query: String, before: Option<DeliveryId>, limit: u32 },
    /// Apply a delivery once more, by the ordinary rules: an older state changes nothing.
    Replay { id: DeliveryId },
    /// The newest actions, newest first.
    Actions { limit: u32 },
    /// The text of a template.
    Template { name: String },
    /// Writes a template. `base` is the text it was edited from: refused when another was saved meanwhile.
    SaveTemplate { name: String, text: String, base: Option<String> },
    /// Renders `text` on a delivery of the log, or on a sample.
    Render { text: String, on: Subject },
    /// Ask the providers now.
    Refresh,
    /// Read the settings and secrets again. Answered when they are in force, or are not because of what is wrong.
    Reload,
    /// The same as [`Request::Detail`], asked of the provider in any case: else a kept one that is still good will do.
    DetailAnew { key: IncidentKey },
    /// Calls to providers with a number greater than `after`, newest first, `limit` at most.
    ApiLog { after: u64, limit: u32 },
    /// What lies around an incident. It costs many requests to the provider, so it is asked for when somebody looks at it.
    Context { key: IncidentKey },
    /// The same, asked of the provider in any case.
    ContextAnew { key: IncidentKey },
    /// When `user` is on call in that time, at every policy and level.
    Duties { account: AccountName, user: UserId, span: Span },
    /// The shifts of a schedule in that time.
    Shifts { account: AccountName, schedule: Named<ScheduleId>, span: Span },
    /// The overrides of a schedule that touch that time.
    Overrides { account: AccountName, schedule: ScheduleId, span: Span },
    /// Who was paged in that time.
    Pages { account: AccountName, span: Span },
    /// Arrange something other than incidents. Answered with [`Answer::Accepted`] once it is written down; the
    /// outcomes follow as [`Change::Action`].
    Arrange { account: AccountName, what: Box<Arrangement> },
    /// The hand-off of the time since `from`, in the words of a template; times by the clock of `zone`
    /// (see [`crate::core::handoff::zone_text`]).
    Handoff { template: String, from: Timestamp, zone: String },
    /// Makes a target of outgoing webhooks, or changes one that was made so. Answered with [`Answer::TargetKept`].
    /// `base` is what it was changed from: refused when the target was changed meanwhile.
    SaveTarget { form: Box<TargetForm>, making: Making, base: Option<Box<TargetForm>> },
    /// Forgets a target that was made so.
    RemoveTarget { name: TargetName },
    /// Switches a target on or off; on also means that its failures so far are forgiven.
    SwitchTarget { name: TargetName, on: bool },
    /// Sends to a target at once, as a test: the event of a delivery, also of one that went out, or of a sample.
    TestTarget { name: TargetName, on: Subject },
    /// Sends an outgoing delivery of the log once more, rendered anew.
    ResendDelivery { id: DeliveryId },
    /// The same with the last attempt of each event that failed; of all targets, or of one.
    ResendFailed { target: Option<TargetName> },
    /// Sends the hand-off of [`Request::Handoff`] to a target at once.
    SendHandoff { target: TargetName, template: String, from: Timestamp, zone: String },
    /// What a template can name when it is rendered on this.
    TemplateContext { on: Subject },
    /// The versions of a template.
    TemplateHistory { name: String },
    /// The text of a former version.
    TemplateVersion { name: String, version: Version },
    /// Makes a former version the present one, as [`Request::SaveTemplate`] would.
    RestoreTemplate { name: String, version: Version, base: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Accepted {
        action: ActionId,
    },
    TakenBack {
        action: ActionId,
    },
    Choices {
        account: AccountName,
        of: ChoicesOf,
        choices: Choices,
    },
    Detail {
        detail: Box<Detail>,
    },
    Delivery {
        delivery: Box<DeliveryView>,
    },
    /// `let_go`: where the log begins with the page, what is not kept any more and why, in words.
    Deliveries {
        deliveries: Vec<DeliverySummary>,
        #[serde(default)]
        let_go: Option<Shown>,
    },
    Actions {
        actions: Vec<Action>,
    },
    /// `next`: what to ask with as `before` to look further back; `None`: the log was searched to its beginning, and
    /// `let_go` says in words what may have been found there and is not kept any more.
    Found {
        deliveries: Vec<DeliverySummary>,
        next: Option<DeliveryId>,
        #[serde(default)]
        let_go: Option<Shown>,
    },
    /// What applying it again changed, in words.
    Replayed {
        id: DeliveryId,
        changed: Shown,
    },
    Template {
        name: String,
        text: String,
    },
    Saved {
        name: String,
    },
    Preview {
        preview: Preview,
    },
    Refreshing,
    /// What is different now, one sentence each.
    Reloaded {
        changes: Vec<String>,
    },
    /// `budgets`: what each account's provider still takes, where it says so.
    ApiLog {
        calls: Vec<ApiCall>,
        budgets: Vec<(AccountName, Budget)>,
    },
    Context {
        context: Box<Context>,
    },
    Duties {
        duties: Vec<OnCall>,
    },
    Shifts {
        schedule: Box<Schedule>,
    },
    Overrides {
        overrides: Vec<Override>,
    },
    Pages {
        pages: Vec<Page>,
    },
    Handoff {
        handoff: Box<Handoff>,
    },
    /// What was asked for of a target is written down. `advice`: what is probably not meant, one sentence each.
    TargetKept {
        name: TargetName,
        advice: Vec<Shown>,
    },
    /// What became of an attempt that was made at once, as it stands in the log.
    Attempted {
        delivery: Box<DeliverySummary>,
    },
    /// So many wait to be sent again.
    Resent {
        count: u32,
    },
    TemplateContext {
        context: Box<Field>,
    },
    TemplateHistory {
        name: String,
        history: TemplateHistory,
    },
    TemplateVersion {
        name: String,
        version: Version,
        text: String,
    },
}
