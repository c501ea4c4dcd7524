//! `dogwatch doctor`: tries every link, and says what is wrong and what to do about it.

mod push;
mod targets;

use std::{io, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use self::push::Consent;
use super::{Exit, Failure, Outcome, Places, output};
use crate::{
    config::{AS_ROOT, AccountSettings, SecretRef, Settings, TlsSettings},
    core::{delivery::DeliverySummary, freshness::SKEW, text::Shown, words},
    provider::{Check, ProviderError},
    receiver::pinned,
    server::{account::Account, calls::Calls, certificate},
    store::{Reader, StoreError, damage_in},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// What is answered to a request whose head is of no use.
const UNREAD: [u16; 2] = [400, 431];

#[derive(clap::Args)]
pub(super) struct Args {
    /// Only check the store; prints `ok`.
    #[arg(long)]
    store: bool,
    /// Enable or make the webhook subscription where that is what is broken, and test it.
    #[arg(long, conflicts_with = "store")]
    fix: bool,
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    what: String,
    state: State,
    says: String,
    /// How the command ends because of it.
    #[serde(skip)]
    exit: Exit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Note,
    Wrong,
}

impl Finding {
    fn ok(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Ok, says: says.into(), exit: Exit::Done }
    }

    fn note(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Note, says: says.into(), exit: Exit::Done }
    }

    fn wrong(what: impl Into<String>, says: impl Into<String>, exit: Exit) -> Self {
        Self { what: what.into(), state: State::Wrong, says: says.into(), exit }
    }
}

pub(super) async fn run(places: &Places, args: Args) -> Outcome {
    if args.store {
        return check_store_only(places).await;
    }
    let path = places.config_path()?;
    let settings = places.settings()?;
    let (kept, standing) = store(places).await;
    let mut findings = vec![Finding::ok("configuration", path.display().to_string()), standing];
    let door = receiver(&settings).await;
    findings.extend(settings.receiver.tls.as_ref().and_then(certificate_end));
    findings.push(door.clone());
    if kept == Kept::Here {
        findings.extend(no_requests(places));
    }
    let mut remedies = vec![];
    for account in &settings.accounts {
        findings.extend(provider(account).await);
        let (links, remedy) = push::chain(account, places, kept, &door).await;
        findings.extend(links);
        remedies.extend(remedy);
    }
    if kept == Kept::Here {
        findings.extend(targets::findings(&settings, places).await);
    }
    report(&findings, args.json)?;
    let consent = Consent::of(args.fix, args.json);
    let mut failed = vec![];
    for remedy in remedies {
        match push::mend(remedy, consent, kept).await {
            None => {}
            Some((account, Ok(_))) => findings.retain(|finding| !push::is_of(finding, &account)),
            Some((account, Err(failure))) => {
                output::complain(&format!("{account}: {failure}"));
                failed.push(failure.exit);
            }
        }
    }
    let worst = findings.iter().map(|finding| finding.exit).chain(failed).max_by_key(|exit| *exit as i32);
    Ok(worst.unwrap_or(Exit::Done))
}

async fn check_store_only(places: &Places) -> Outcome {
    let dir = places.own_store("the store is checked").await?;
    match Reader::open(&dir)?.check() {
        Ok(()) => match damage_in(&dir)? {
            None => {
                output::line("ok");
                Ok(Exit::Done)
            }
            Some(says) => Err(Failure::new(Exit::Failed, says.as_str())),
        },
        Err(problem) => Err(Failure::new(Exit::Failed, problem)),
    }
}

fn report(findings: &[Finding], json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&findings);
    }
    for finding in findings {
        let mark = match finding.state {
            State::Ok => "ok   ",
            State::Note => "note ",
            State::Wrong => "WRONG",
        };
        output::line(&format!("{mark}  {:<28} {}", finding.what, Shown::line(&finding.says)));
    }
    Ok(())
}

/// Who keeps the store that commands act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Here,
    ByAServer,
}

async fn store(places: &Places) -> (Kept, Finding) {
    match places.server_before_own().await {
        Ok(None) => (Kept::Here, own_store(places)),
        Ok(Some(_)) => {
            let says = "a server that is not one's own keeps it, with the log and the targets: not looked at; as its user, \
                        name its directory with --state-dir, and no socket";
            (Kept::ByAServer, Finding::note("store", says))
        }
        Err(failure) => (Kept::ByAServer, Finding::wrong("store", failure.to_string(), failure.exit)),
    }
}

fn own_store(places: &Places) -> Finding {
    let dir = match places.state_dir() {
        Ok(dir) => dir,
        Err(failure) => return Finding::wrong("store", failure.to_string(), Exit::Usage),
    };
    match Reader::open(&dir).and_then(|reader| Ok((reader.check(), reader.unentered()?))) {
        Ok((Ok(()), 0)) => match damage_in(&dir) {
            Ok(None) => Finding::ok("store", dir.display().to_string()),
            Ok(Some(says)) => Finding::wrong("store", says.as_str().to_owned(), Exit::Failed),
            Err(error) => Finding::wrong("store", error.to_string(), Exit::Failed),
        },
        Ok((Ok(()), waiting)) => Finding::note(
            "store",
            format!(
                "{}, and {waiting} deliveries taken that are not in the log yet: a running dogwatch writes them there, else the \
                 next start",
                dir.display()
            ),
        ),
        Ok((Err(problem), _)) => Finding::wrong("store", problem, Exit::Failed),
        Err(StoreError::Missing { path }) => {
            Finding::note("store", format!("{path} is not there yet: the first start makes it"))
        }
        Err(error) => Finding::wrong("store", error.to_string(), Exit::Failed),
    }
}

/// What came to the door lately and could not be read as a request: by the log, so that it is told whoever runs.
fn no_requests(places: &Places) -> Option<Finding> {
    let reader = Reader::open(&places.state_dir().ok()?).ok()?;
    let (recent, now) = (reader.recent(None, 500).ok()?, Timestamp::now());
    let of_day = |line: &&DeliverySummary| now.duration_since(line.at) < DAY;
    let unread = |line: &&DeliverySummary| line.account.is_none() && UNREAD.contains(&line.status);
    let unread: Vec<&DeliverySummary> = recent.iter().take_while(of_day).filter(unread).collect();
    let last = unread.first()?;
    let (requests, age) = (words::count(unread.len(), "request", "requests"), words::ago(words::since(last.at, now)));
    let says = format!(
        "{requests} of the last day could not be read, the last {age}: {} (`dogwatch delivery show {}`)",
        last.reason, last.id
    );
    Some(Finding::note("requests", says))
}

/// That the door's certificate ends soon, or has.
fn certificate_end(files: &TlsSettings) -> Option<Finding> {
    let ends = certificate::load(files).ok()?.ends;
    let warning = certificate::warning(ends, Timestamp::now())?;
    let exit = if ends <= Timestamp::now() { Exit::Failed } else { Exit::Done };
    Some(match exit {
        Exit::Done => Finding::note("certificate", warning),
        _ => Finding::wrong("certificate", warning, exit),
    })
}

/// Asks the receiver's own door, over loopback, whether it is well.
async fn receiver(settings: &Settings) -> Finding {
    let listen = settings.receiver.listen;
    let what = format!("receiver {listen}");
    let certificate = match &settings.receiver.tls {
        None => None,
        Some(files) => match certificate::load(files) {
            Ok(pair) => Some(pair.certificate),
            Err(problem) => return Finding::wrong(what, format!("its certificate: {problem}"), Exit::Usage),
        },
    };
    match timeout(Duration::from_secs(5), ready(listen, certificate)).await {
        Ok(Ok((head, _))) if head.contains(" 200 ") => Finding::ok(what, "listens, and can commit"),
        Ok(Ok((head, cause))) if head.contains(" 503 ") => {
            Finding::wrong(what, format!("asks senders to retry: {cause}"), Exit::Failed)
        }
        Ok(Ok((head, _))) => Finding::wrong(what, format!("is no dogwatch, it answers {head}"), Exit::Failed),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Finding::wrong(
            what,
            format!("no TLS: {error}; `dogwatch config reload` reads the files again"),
            Exit::Failed,
        ),
        Ok(Err(error)) => {
            Finding::note(what, format!("nobody listens ({error}): start `dogwatch` or `dogwatch serve`"))
        }
        Err(_) => Finding::wrong(what, "takes connections but does not answer within 5 s", Exit::Failed),
    }
}

/// The first line of the answer, and what it says.
async fn ready(
    listen: std::net::SocketAddr,
    certificate: Option<CertificateDer<'static>>,
) -> io::Result<(String, String)> {
    let tcp = TcpStream::connect(listen).await?;
    let Some(certificate) = certificate else { return ask(tcp).await };
    let tls = TlsConnector::from(Arc::new(pinned::client(certificate)));
    ask(tls.connect(listen.ip().into(), tcp).await?).await
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<(String, String)> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: dogwatch\r\nconnection: close\r\n\r\n").await?;
    let mut answer = vec![];
    stream.take(4096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.trim().to_owned()))
}

/// Why a secret that cannot be read from here may be in order all the same.
fn out_of_reach(secret: &SecretRef) -> String {
    format!("{}: only the service can read it, {AS_ROOT}", secret.name())
}

async fn provider(settings: &AccountSettings) -> Vec<Finding> {
    let what = format!("account {}", settings.name);
    let Some(token) = &settings.token else {
        return vec![Finding::note(what, "no token: webhooks only, nothing can be done from here")];
    };
    if token.is_out_of_reach() {
        return vec![Finding::note(what, format!("not asked: {}", out_of_reach(token)))];
    }
    let way = match Account::new(settings.clone(), &Calls::default()).provider().await {
        Ok(way) => way,
        Err(error) => return vec![Finding::wrong(what, error.to_string(), Exit::Usage)],
    };
    match way.check(Timestamp::now()).await {
        Ok(check) => checked(&what, settings, &check),
        Err(error) => {
            let exit = match error {
                ProviderError::Unauthorised { .. } | ProviderError::Forbidden { .. } => Exit::Failed,
                _ => Exit::Stale,
            };
            vec![Finding::wrong(what, format!("{}: {error}", settings.base_url), exit)]
        }
    }
}

fn checked(what: &str, settings: &AccountSettings, check: &Check) -> Vec<Finding> {
    let identity = &check.identity;
    let kind = if identity.account_key { "a key of the whole account" } else { "a key of" };
    let mut findings = vec![Finding::ok(what, format!("{}: {kind} {}", settings.base_url, identity.name))];
    findings.push(match (&identity.user, &settings.from) {
        (Some(user), _) => Finding::ok(format!("{what}: acts as"), user.name.to_string()),
        (None, Some(from)) if identity.may_not_look => Finding::ok(
            format!("{what}: acts as"),
            format!("`from` {from}, as far as is known: the key may not look whom that names"),
        ),
        (None, Some(from)) => Finding::wrong(
            format!("{what}: acts as"),
            format!("`from` {from} is nobody in this account: correct it"),
            Exit::Usage,
        ),
        (None, None) => Finding::wrong(
            format!("{what}: acts as"),
            "the key belongs to the account: set `from` to your e-mail address to act",
            Exit::Usage,
        ),
    });
    findings.push(Finding::ok(format!("{what}: abilities"), check.abilities.join(", ")));
    if let Some(skew) = check.clock_skew {
        let says = format!("{} s apart from the provider's", skew.as_secs());
        findings.push(if skew.abs() > SKEW {
            Finding::wrong(
                format!("{what}: clock"),
                format!("{says}: ages are wrong, set this machine's clock"),
                Exit::Failed,
            )
        } else {
            Finding::ok(format!("{what}: clock"), says)
        });
    }
    findings
}
