//! The REST API over real HTTP. A request passes the gate (faults, key, rate limit, headers), then one synchronous handler
//! with the whole account under one lock: what it changed is posted to webhooks in the same order.

mod account;
mod actions;
mod answer;
mod context;
mod control;
mod details;
pub(crate) mod events;
mod gate;
mod incidents;
mod maintenance;
mod notifications;
mod query;
mod response;
mod schedules;
mod shift_schedules;
mod sink;
pub(crate) mod subscriptions;

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{RawPathParams, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    response::Response,
    routing::{delete, get, post, put},
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::{answer::Answer, query::Query};
use super::{
    clock,
    courier::Courier,
    dice::Dice,
    faults::Faults,
    limiter::Limiter,
    record::Record,
    world::{IncidentIx, Objection, UserIx, World},
};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) record: Mutex<Record>,
    pub(crate) faults: Mutex<(Faults, Dice)>,
    pub(crate) limiter: Mutex<Limiter>,
    /// The only key that is let in; any well-formed one when absent.
    pub(crate) token: Option<SecretString>,
    /// Nothing happens by itself any more.
    pub(crate) quiet: CancellationToken,
    pub(crate) stop: CancellationToken,
}

/// A thread that panicked with the lock in its hand has left the state as it was between two statements.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Lets `act` change the account; time-outs that are due come first, webhooks go out afterwards.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let mut world = locked(&self.world);
        let now = clock::now();
        if !self.quiet.is_cancelled() {
            world.tick(now);
        }
        let out = act(&mut world, now);
        self.courier.post(std::mem::take(&mut world.outbox));
        out
    }
}

/// Who asks, as far as the key tells.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    User(UserIx),
    /// An account key; it acts as whoever `From` names.
    Account {
        from: Option<String>,
    },
}

/// One request, past the gate.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
    /// The parts of the path that are ids, in order.
    pub(crate) ids: Vec<String>,
    pub(crate) now: Timestamp,
}

impl Call {
    /// The `n`th id of the path, counted from 0.
    fn id(&self, n: usize) -> &str {
        self.ids.get(n).map_or("", String::as_str)
    }

    fn json(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.body).map_err(|_| Answer::invalid("the body is not JSON"))
    }

    fn incident(&self, world: &World) -> Result<IncidentIx, Answer> {
        world.find(self.id(0)).ok_or_else(Answer::not_found)
    }

    /// Whose doing a change is. An account key must name somebody.
    fn actor(&self, world: &World) -> Result<UserIx, Answer> {
        match &self.caller {
            Caller::User(user) => Ok(*user),
            Caller::Account { from: None } => Err(bad_request(
                2016,
                "You must specify a user's email address in the \"From\" header to perform this action",
            )),
            Caller::Account { from: Some(email) } => {
                let user = world.account.users.iter().position(|u| u.email.eq_ignore_ascii_case(email));
                user.map(UserIx).ok_or_else(|| Objection::RequesterNotFound.into())
            }
        }
    }
}

fn bad_request(code: u16, message: &str) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, code, message)
}

type Handler = fn(&mut World, &Call) -> Result<Answer, Answer>;

/// What axum needs to call a handler.
fn on(
    handler: Handler,
) -> impl FnOnce(State<Arc<Shared>>, Extension<Call>, RawPathParams) -> Ready<Response> + Clone + Send + Sync + 'static
{
    move |State(shared), Extension(mut call), params| {
        call.ids = params.iter().map(|(_, id)| id.to_owned()).collect();
        let answer = shared.act(|world, now| {
            call.now = now;
            handler(world, &call)
        });
        ready(answer.unwrap_or_else(|refusal| refusal).into_response())
    }
}

pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/abilities", get(|| ready(account::abilities().into_response())))
        .route("/abilities/{name}", get(on(account::ability)))
        .route("/users/me", get(on(account::me)))
        .route("/users", get(on(account::users)))
        .route("/users/{id}", get(on(account::user)))
        .route("/teams", get(on(account::teams)))
        .route("/services", get(on(account::services)))
        .route("/services/{id}", get(on(account::service)))
        .route("/escalation_policies", get(on(account::policies)))
        .route("/escalation_policies/{id}", get(on(account::policy)))
        .route("/priorities", get(on(account::priorities)))
        .route("/schedules", get(on(schedules::list)))
        .route("/schedules/{id}", get(on(schedules::one)))
        .route("/schedules/{id}/users", get(on(schedules::users)))
        .route("/schedules/{id}/overrides", get(on(schedules::overrides)).post(on(schedules::create_overrides)))
        .route("/schedules/{id}/overrides/{override_id}", delete(on(schedules::delete_override)))
        .route("/oncalls", get(on(schedules::oncalls)))
        .route("/v3/schedules", get(on(shift_schedules::list)))
        .route("/v3/schedules/{id}", get(on(shift_schedules::one)))
        .route(
            "/v3/schedules/{id}/overrides",
            get(on(shift_schedules::overrides)).post(on(shift_schedules::create_overrides)),
        )
        .route("/v3/schedules/{id}/overrides/{override_id}", delete(on(shift_schedules::delete)))
        .route(
            "/v3/schedules/{id}/custom_shifts",
            get(on(shift_schedules::custom_shifts)).post(on(shift_schedules::create_custom_shifts)),
        )
        .route("/v3/schedules/{id}/custom_shifts/{custom_shift_id}", delete(on(shift_schedules::delete)))
        .route("/notifications", get(on(notifications::list)))
        .route("/maintenance_windows", get(on(maintenance::list)).post(on(maintenance::create)))
        .route("/maintenance_windows/{id}", delete(on(maintenance::end)))
        .route("/incidents", get(on(incidents::list)).put(on(actions::update_many)).post(on(actions::create)))
        .route("/incidents/{id}", get(on(incidents::one)).put(on(actions::update_one)))
        .route("/incidents/{id}/snooze", post(on(actions::snooze)))
        .route("/incidents/{id}/merge", put(on(actions::merge)))
        .route("/incidents/{id}/notes", get(on(details::notes)).post(on(details::annotate)))
        .route("/incidents/{id}/alerts", get(on(details::alerts)))
        .route("/incidents/{id}/alerts/{alert_id}", get(on(details::alert)).put(on(response::update_alert)))
        .route("/incidents/{id}/log_entries", get(on(details::incident_log)))
        .route("/log_entries", get(on(details::log)))
        .route("/incidents/{id}/past_incidents", get(on(context::past)))
        .route("/incidents/{id}/related_incidents", get(on(context::related)))
        .route("/incidents/{id}/outlier_incident", get(on(context::outlier)))
        .route("/incidents/{id}/related_change_events", get(on(context::changes)))
        .route("/incidents/{id}/business_services/impacts", get(on(context::impacts)))
        .route("/services/{id}/change_events", get(on(context::service_changes)))
        .route("/incidents/{id}/responder_requests", post(on(response::add_responders)))
        .route("/incidents/{id}/status_updates", post(on(response::status_update)))
        .route("/incidents/{id}/custom_fields/values", get(on(response::fields)).put(on(response::set_fields)))
        .route("/incident_workflows", get(on(response::workflows)))
        .route("/incident_workflows/{id}/instances", post(on(response::run_workflow)))
        .merge(subscriptions::router())
        .fallback(|| ready(Answer::not_found().into_response()))
        .method_not_allowed_fallback(|| {
            ready(Answer::error(StatusCode::METHOD_NOT_ALLOWED, 2015, "Invalid operation").into_response())
        })
        .layer(from_fn_with_state(Arc::clone(shared), gate::pass))
        .with_state(Arc::clone(shared));
    let beside = control::router(Arc::clone(shared)).merge(events::router(Arc::clone(shared))).merge(sink::router());
    beside.fallback_service(api)
}
