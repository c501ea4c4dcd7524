//! Who talks to us, and as whom they act: the kernel says who it is, the settings say in whose name.
//! Nobody acts as somebody else, and whoever is not named in the settings may look only.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::watch;

use super::users;
use crate::{
    config::{Acts, PersonSettings, User},
    core::{id::AccountName, text::Shown},
    proto::Access,
};

/// The user at the other end, by the kernel's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `None`: the kernel did not say.
    pub uid: Option<u32>,
    pub login: Shown,
}

impl Caller {
    /// Asks who that is, which may take as long as a directory of users takes.
    pub async fn find(uid: Option<u32>) -> Self {
        let login = match uid {
            Some(uid) => users::find_name(uid).await,
            None => "somebody".to_owned(),
        };
        Self { uid, login: Shown::line(&login) }
    }

    /// The user this process runs as.
    pub fn ourselves() -> Self {
        Self { uid: Some(users::own_uid()), login: Shown::line(users::own_name()) }
    }

    /// Whether it is the server's own user.
    pub fn is_ours(&self) -> bool {
        self.uid == Some(users::own_uid())
    }
}

/// As whom an action goes out.
#[derive(Debug, Clone)]
pub enum Acting {
    /// As the account is configured: the server's own user.
    Owner,
    Person(Arc<PersonSettings>),
}

impl Acting {
    /// The name for it in the log of actions; `None` for the account's own.
    pub fn name(&self) -> Option<Shown> {
        match self {
            Self::Owner => None,
            Self::Person(person) => Some(name(&person.acts)),
        }
    }
}

fn name(acts: &Acts) -> Shown {
    match acts {
        Acts::As { email } => Shown::line(email),
        Acts::With { .. } => OWN_TOKEN.into(),
    }
}

const OWN_TOKEN: &str = "a token of their own";

/// The people of the settings.
#[derive(Debug, Default)]
pub struct People {
    all: RwLock<Arc<Vec<Arc<PersonSettings>>>>,
    /// Told when they were set.
    set: watch::Sender<()>,
}

impl People {
    pub fn new(people: &[PersonSettings]) -> Self {
        let known = Self::default();
        known.set(people);
        known
    }

    /// Takes other settings; they hold from the next request on, also for consoles that are attached.
    pub fn set(&self, people: &[PersonSettings]) {
        let people = people.iter().cloned().map(Arc::new).collect();
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(people);
        self.set.send_replace(());
    }

    /// Told each time they were set: who may do what can be another then.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.set.subscribe()
    }

    fn entries(&self, caller: &Caller) -> Vec<Arc<PersonSettings>> {
        let all = Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner));
        let theirs = all.iter().filter(|person| match (&person.user, caller.uid) {
            (User::Uid(uid), Some(theirs)) => *uid == theirs,
            (User::Login(login), Some(_)) => caller.login.as_str() == login,
            (_, None) => false,
        });
        theirs.cloned().collect()
    }

    /// What `caller` may do, in the words that their console is told.
    pub fn access<'a>(&self, caller: &Caller, accounts: impl Iterator<Item = &'a AccountName>) -> Access {
        let actor = caller.login.to_string();
        if caller.is_ours() {
            return Access::Act { actor };
        }
        let names: BTreeMap<_, _> = accounts
            .filter_map(|account| Some((account.clone(), self.acting(caller, account).ok()?.name()?.to_string())))
            .collect();
        if names.is_empty() { Access::Watch { reason: stranger(caller) } } else { Access::ActAs { actor, names } }
    }

    /// As whom `caller` acts at `account`; else why not.
    pub fn acting(&self, caller: &Caller, account: &AccountName) -> Result<Acting, String> {
        if caller.is_ours() {
            return Ok(Acting::Owner);
        }
        let entries = self.entries(caller);
        let here = |wanted: Option<&AccountName>| entries.iter().find(|person| person.account.as_ref() == wanted);
        match here(Some(account)).or_else(|| here(None)) {
            Some(person) => Ok(Acting::Person(Arc::clone(person))),
            None if entries.is_empty() => Err(stranger(caller)),
            None => Err(format!("the server's settings have no [[person]] for {} at account {account}", who(caller))),
        }
    }
}

fn who(caller: &Caller) -> String {
    match caller.uid {
        Some(uid) if caller.login.as_str() == users::number(uid) => caller.login.to_string(),
        Some(uid) => format!("{} (uid {uid})", caller.login),
        None => caller.login.to_string(),
    }
}

fn stranger(caller: &Caller) -> String {
    match caller.uid {
        Some(_) => {
            let owner = Caller::ourselves();
            format!("{} is no [[person]] in the settings of the server, which is {}'s", who(caller), owner.login)
        }
        None => "the kernel did not say who you are".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretRef;

    fn caller(uid: u32, login: &str) -> Caller {
        Caller { uid: Some(uid), login: login.into() }
    }

    fn account(name: &str) -> AccountName {
        AccountName::new(name).expect("id")
    }

    fn person(user: User, account: Option<&str>, email: &str) -> PersonSettings {
        PersonSettings { user, account: account.map(self::account), acts: Acts::As { email: email.to_owned() } }
    }

    fn login(name: &str) -> User {
        User::Login(name.to_owned())
    }

    fn named(people: &People, caller: &Caller, at: &str) -> Result<String, String> {
        people.acting(caller, &account(at)).map(|acting| acting.name().expect("a person").to_string())
    }

    /// No test runs as this user.
    const ALICE: u32 = 4_000_001;
    const MALLORY: u32 = 4_000_002;

    #[test]
    fn the_kernels_uid_decides_who_acts_and_nobody_acts_as_another() {
        let people =
            People::new(&[person(login("alice"), None, "alice@x.org"), person(User::Uid(MALLORY), None, "m@x.org")]);

        assert_eq!(named(&people, &caller(ALICE, "alice"), "prod").as_deref(), Ok("alice@x.org"));
        assert_eq!(named(&people, &caller(MALLORY, "mallory"), "prod").as_deref(), Ok("m@x.org"));
        assert!(named(&people, &caller(ALICE, "alic"), "prod").is_err());
        assert!(named(&people, &Caller { uid: None, login: "alice".into() }, "prod").is_err());
    }

    #[test]
    fn who_is_not_named_may_look_and_is_told_how_to_be_added() {
        let people = People::default();

        let access = people.access(&caller(ALICE, "alice"), [&account("prod")].into_iter());

        let Access::Watch { reason } = access else { panic!("may act") };
        assert!(reason.contains(&format!("alice (uid {ALICE}) is no [[person]]")), "{reason}");
    }

    #[test]
    fn a_person_of_one_account_acts_there_and_not_at_another() {
        let token = SecretRef::Env { variable: "X".to_owned() };
        let own = PersonSettings { user: login("alice"), account: Some(account("eu")), acts: Acts::With { token } };
        let people = People::new(&[own]);
        let alice = caller(ALICE, "alice");

        let access = people.access(&alice, [&account("eu"), &account("us")].into_iter());

        let names = [(account("eu"), OWN_TOKEN.to_owned())].into();
        assert_eq!(access, Access::ActAs { actor: "alice".to_owned(), names });
        assert!(named(&people, &alice, "us").expect_err("refused").contains("at account us"));
    }

    #[test]
    fn what_is_said_for_an_account_goes_before_what_is_said_for_all() {
        let people =
            People::new(&[person(login("alice"), None, "all@x.org"), person(login("alice"), Some("eu"), "eu@x.org")]);

        assert_eq!(named(&people, &caller(ALICE, "alice"), "eu").as_deref(), Ok("eu@x.org"));
        assert_eq!(named(&people, &caller(ALICE, "alice"), "us").as_deref(), Ok("all@x.org"));
    }

    #[test]
    fn a_person_taken_out_of_the_settings_acts_no_more() {
        let people = People::new(&[person(login("alice"), None, "alice@x.org")]);

        people.set(&[]);

        assert!(named(&people, &caller(ALICE, "alice"), "prod").is_err());
    }

    #[test]
    fn the_servers_own_user_acts_as_the_account_says() {
        let acting = People::default().acting(&Caller::ourselves(), &account("prod"));

        assert!(matches!(acting, Ok(Acting::Owner)));
    }
}
