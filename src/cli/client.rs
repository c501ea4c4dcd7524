//! A command's line to the server: the running one, or one that lives as long as the command.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    net::UnixStream,
    time::{Instant, timeout_at},
};

use super::{
    Exit, Failure, Places,
    connect::{Connector, Owned},
    output,
};
use crate::{
    app::{Role, person},
    core::{
        action::{Action, NewIncident, Target, Verb},
        arrangement::Arrangement,
        board::{AccountBoard, Board, Change},
        freshness::{Account, Freshness, Sight, Standing},
        id::{AccountName, ActionId, UserId},
        incident::Named,
        words,
    },
    proto::{
        Access, Answer, FromConsole, FromServer, PROTOCOL, Request, RequestId,
        wire::{self, Line},
    },
    run::{Connect as _, Connection, Io},
};

/// How long a first answer from the providers is waited for.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// How long an answer of the server may take.
const ANSWER: Duration = Duration::from_mins(1);
/// Of what acts, an answer that does not come says nothing of whether it is done.
const IN_DOUBT: &str = "it may be done all the same, so look before you ask for it again";
/// How long an action may take, doubts read back included.
const ACTION: Duration = Duration::from_secs(150);

/// Before the server has said who it takes one for.
const UNGREETED: Access = Access::Watch { reason: String::new() };

/// A command's conversation with the server.
pub(super) struct Client {
    line: Line<Box<dyn Io>>,
    pub(super) board: Board,
    /// Whom the server takes this for.
    access: Access,
    last_request: RequestId,
    role: Role,
    opened_at: Timestamp,
    owned: Owned,
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("the line to the server: {error}"))
}

/// Why it is not known what becomes of something that was asked for.
fn in_doubt(what: &str, failure: &Failure) -> Failure {
    Failure::new(Exit::Failed, format!("{what}{failure}: {IN_DOUBT}"))
}

impl Client {
    /// Attaches to the running server, or starts one that only polls and acts.
    pub(super) async fn open(places: &Places) -> Result<Self, Failure> {
        let settings = places.settings();
        let connector = Connector {
            state_dir: places.state_dir()?,
            shared: places.shared(),
            first: None,
            settings: settings.map_err(|failure| failure.message),
            load: places.load_again(),
            receive: false,
            owned: Owned::default(),
        };
        Self::over(connector).await
    }

    /// The same over a connector of one's own.
    pub(super) async fn over(mut connector: Connector) -> Result<Self, Failure> {
        let opened_at = Timestamp::now();
        let exit = if connector.settings.is_err() { Exit::Usage } else { Exit::Failed };
        let connection = connector.connect().await.map_err(|e| Failure::new(exit, e))?;
        Self::greet(connection, opened_at, connector.owned.clone()).await
    }

    /// Attaches to the server at the other end of `stream`.
    pub(super) async fn attach(stream: UnixStream) -> Result<Self, Failure> {
        let connection = Connection { io: Box::new(stream), role: Role::Attached };
        Self::greet(connection, Timestamp::now(), Owned::default()).await
    }

    async fn greet(connection: Connection, opened_at: Timestamp, owned: Owned) -> Result<Self, Failure> {
        let (role, mut line) = (connection.role, wire::line(connection.io));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        wire::send(&mut line, &FromConsole::Hello { protocol: PROTOCOL, version }).await.map_err(broken)?;
        let mut client =
            Self { line, board: Board::default(), access: UNGREETED, last_request: 0, role, opened_at, owned };
        let give_up = Instant::now() + ANSWER;
        loop {
            match client.hear(give_up).await? {
                // The snapshot alone may be older than what the command before this one was answered.
                FromServer::UpToDate => return Ok(client),
                FromServer::Refused { reason } => return Err(Failure::new(Exit::Failed, reason)),
                _ => {}
            }
        }
    }

    /// The next message; the board is kept up to date on the way.
    async fn hear(&mut self, give_up: Instant) -> Result<FromServer, Failure> {
        let message = timeout_at(give_up, wire::receive::<_, FromServer>(&mut self.line))
            .await
            .map_err(|_| Failure::new(Exit::Failed, "the server did not answer in time"))?
            .map_err(broken)?;
        match &message {
            FromServer::Snapshot { board } => self.board = (**board).clone(),
            FromServer::Changed { change } => self.board.apply(change),
            FromServer::Hello { you, .. } | FromServer::Access { you } => self.access = you.clone(),
            _ => {}
        }
        Ok(message)
    }

    /// Waits until every account with REST was asked since this was opened, with success or without: what is
    /// kept from earlier is not good enough for a script. A running server is told to ask now. Complains of a clock
    /// that is off, and of what left the view.
    pub(super) async fn ask_the_providers(&mut self) -> Result<(), Failure> {
        self.ask_for_all_but_incidents().await?;
        self.complain(|account| account.left_words(Timestamp::now()));
        Ok(())
    }

    /// The same for incidents alone: who is on call takes several requests more.
    pub(super) async fn ask_for_incidents(&mut self) -> Result<(), Failure> {
        self.wait_for(|account| vec![&account.rest]).await?;
        self.complain(Account::skew_words);
        self.complain(|account| account.left_words(Timestamp::now()));
        Ok(())
    }

    /// The same where no incidents are told of: nobody cares which of them left the view.
    pub(super) async fn ask_for_all_but_incidents(&mut self) -> Result<(), Failure> {
        self.wait_for(|account| vec![&account.rest, &account.on_call]).await?;
        self.complain(Account::skew_words);
        Ok(())
    }

    async fn wait_for(&mut self, wanted: fn(&Account) -> Vec<&Freshness>) -> Result<(), Failure> {
        if self.role == Role::Attached {
            self.ask(Request::Refresh).await?;
        }
        let give_up = Instant::now() + FIRST_ANSWER;
        while !self.all_asked_since(self.opened_at, wanted) {
            if let Err(failure) = self.hear(give_up).await {
                // Out of patience: what is known is judged by its age.
                return if Instant::now() >= give_up { Ok(()) } else { Err(failure) };
            }
        }
        Ok(())
    }

    fn all_asked_since(&self, at: Timestamp, wanted: fn(&Account) -> Vec<&Freshness>) -> bool {
        self.board.accounts.values().map(|known| &known.account).filter(|account| account.rest_off.is_none()).all(
            |account| {
                wanted(account).iter().all(|part| {
                    let failed = part.failure.as_ref().is_some_and(|failure| failure.at >= at);
                    failed || part.last_success.is_some_and(|success| success >= at)
                })
            },
        )
    }

    /// Why the incidents cannot be trusted to be all there are, as they are; empty when they can.
    /// An account without a token is configured to know no more than webhooks tell: see [`Client::webhooks_only`].
    pub(super) fn doubts(&self) -> Vec<String> {
        doubts(&self.board, Timestamp::now())
    }

    /// Says of each account what there is to say.
    fn complain<Words: IntoIterator<Item = String>>(&self, of: impl Fn(&Account) -> Words) {
        for account in self.board.accounts.values().map(|known| &known.account) {
            for words in of(account) {
                output::complain(&format!("{}: {words}", account.name));
            }
        }
    }

    /// The accounts of which only what webhooks told is known.
    pub(super) fn webhooks_only(&self) -> Vec<String> {
        let accounts = self.board.accounts.values().map(|known| &known.account);
        accounts.filter(|account| account.rest_off.is_some()).map(|account| account.name.to_string()).collect()
    }

    /// Who the person that runs the command is at an account, if that is known.
    pub(super) fn person<'a>(&self, account: &'a AccountBoard) -> Option<&'a Named<UserId>> {
        person::me(&self.access, account)
    }

    /// Why that is not known.
    pub(super) fn unknown(&self, account: &AccountBoard) -> String {
        person::unknown(&self.access, account)
    }

    /// The same, by id.
    pub(super) fn me<'a>(&self, account: &'a AccountBoard) -> Option<&'a UserId> {
        person::me(&self.access, account).map(|me| &me.id)
    }

    /// The same of who is on call.
    pub(super) fn on_call_doubts(&self) -> Vec<String> {
        let off = Some("who is on call is not asked for");
        doubts_of(&self.board, Account::on_call_standing, off, Timestamp::now())
    }

    /// The same where this has to be seen too.
    pub(super) fn doubts_about(&self, sights: &[Sight]) -> Vec<String> {
        let accounts = self.board.accounts.values().map(|known| &known.account);
        let each = accounts.flat_map(|known| sights.iter().map(move |sight| (known, *sight)));
        let lacking = each.flat_map(|(known, sight)| {
            let words = match sight {
                Sight::Schedules => known.lacking(),
                sight => known.barred_words(sight).into_iter().collect(),
            };
            words.into_iter().map(|words| format!("{}: {words}", known.name))
        });
        self.on_call_doubts().into_iter().chain(lacking).collect()
    }

    /// Whom the server takes this for.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// What is known, and whom the server takes this for; leaves it.
    pub(super) fn into_known(self) -> (Board, Access) {
        (self.board, self.access)
    }

    /// Asks for something and waits for the answer.
    pub(super) async fn ask(&mut self, request: Request) -> Result<Answer, Failure> {
        self.last_request += 1;
        let id = self.last_request;
        let acts = matches!(request, Request::Act { .. } | Request::Create { .. } | Request::Arrange { .. });
        let text = wire::request_text(&FromConsole::Request { id, request }).map_err(broken)?;
        wire::send_text(&mut self.line, &text).await.map_err(broken)?;
        let give_up = Instant::now() + ANSWER;
        loop {
            let heard = self.hear(give_up).await;
            let heard = heard.map_err(|failure| if acts { in_doubt("", &failure) } else { failure })?;
            if let FromServer::Answer { id: answered, answer } = heard
                && answered == id
            {
                return (*answer).map_err(|reason| Failure::new(Exit::Failed, reason));
            }
        }
    }

    /// Has an action carried out; returns it with all its outcomes.
    pub(super) async fn act(&mut self, targets: Vec<Target>, verb: Verb) -> Result<Action, Failure> {
        self.carried_out(Request::Act { targets, verb, undoable: false }).await
    }

    /// Has an incident made; the outcome stands under its id.
    pub(super) async fn create(&mut self, account: AccountName, new: NewIncident) -> Result<Action, Failure> {
        self.carried_out(Request::Create { account, new: Box::new(new), undoable: false }).await
    }

    async fn carried_out(&mut self, request: Request) -> Result<Action, Failure> {
        let answer = self.ask(request).await?;
        let Answer::Accepted { action } = answer else { return Err(broken("an answer to another question")) };
        self.finished(action).await
    }

    /// Has something arranged that is no incident; returns it with all its outcomes.
    pub(super) async fn arrange(&mut self, account: AccountName, what: Arrangement) -> Result<Action, Failure> {
        let answer = self.ask(Request::Arrange { account, what: Box::new(what) }).await?;
        let Answer::Accepted { action } = answer else { return Err(broken("an answer to another question")) };
        self.finished(action).await
    }

    async fn finished(&mut self, id: ActionId) -> Result<Action, Failure> {
        let give_up = Instant::now() + ACTION;
        loop {
            if let Some(action) = self.board.actions.iter().find(|action| action.id == id && action.is_final()) {
                return Ok(action.clone());
            }
            let heard = self.hear(give_up).await;
            heard.map_err(|failure| in_doubt(&format!("action {id} was taken, and is not over: "), &failure))?;
        }
    }

    /// Hears messages until `enough` says so, or until `give_up`.
    pub(super) async fn listen_until(&mut self, give_up: Instant) -> Option<Change> {
        match self.hear(give_up).await {
            Ok(FromServer::Changed { change }) => Some(change),
            _ => None,
        }
    }

    /// Leaves; a server that was started for this is stopped.
    pub(super) async fn close(self) {
        let owned = self.owned.clone();
        drop(self);
        owned.stop().await;
    }
}

/// Why the incidents of `board` cannot be trusted to be all there are, as they are; empty when they can.
pub(super) fn doubts(board: &Board, now: Timestamp) -> Vec<String> {
    doubts_of(board, Account::rest_standing, None, now).into_iter().chain(board.unshown_words()).collect()
}

fn doubts_of(
    board: &Board,
    standing: fn(&Account, Timestamp) -> Standing,
    off: Option<&str>,
    now: Timestamp,
) -> Vec<String> {
    if board.accounts.is_empty() {
        return vec!["no account is configured: nothing is known".to_owned()];
    }
    let doubt = |account: &Account| {
        let name = &account.name;
        if account.rest_off.is_some() {
            return off.map(|off| format!("{name}: it has no token: {off}"));
        }
        match standing(account, now) {
            Standing::Fresh { .. } => None,
            Standing::Waiting => Some(format!("{name}: the provider has not answered yet")),
            Standing::Stale { age, cause } => Some(format!("{name}: this is {} old: {cause}", words::age(age))),
            Standing::Down { cause } => Some(format!("{name}: no answer yet: {cause}")),
        }
    };
    board.accounts.values().filter_map(|known| doubt(&known.account)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that greets, takes the first action where it is to answer, and then hangs up or keeps silent.
    async fn serve(mut line: Line<UnixStream>, answers: bool, hangs_up: bool) {
        let _: FromConsole = wire::receive(&mut line).await.expect("a hello");
        wire::send(&mut line, &FromServer::UpToDate).await.expect("sent");
        let _: FromConsole = wire::receive(&mut line).await.expect("a request");
        if answers {
            let answer = Box::new(Ok(Answer::Accepted { action: ActionId(7) }));
            wire::send(&mut line, &FromServer::Answer { id: 1, answer }).await.expect("sent");
        }
        if !hangs_up {
            std::future::pending::<()>().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_an_action_whose_end_is_not_heard_it_is_said_that_it_may_be_done() {
        let taken = "action 7 was taken, and is not over: ";
        for (answers, hangs_up) in [(false, false), (false, true), (true, false), (true, true)] {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            let serving = tokio::spawn(serve(wire::line(theirs), answers, hangs_up));
            let mut client = Client::attach(ours).await.expect("greeted");

            let failure = client.act(vec![], Verb::Acknowledge).await.expect_err("not heard").to_string();

            assert!(failure.ends_with(IN_DOUBT), "{failure}");
            assert_eq!((failure.starts_with(taken), failure.contains("in time")), (answers, !hangs_up), "{failure}");
            serving.abort();
        }
    }
}
