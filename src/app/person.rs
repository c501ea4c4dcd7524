//! Who the person at the console is, and whether they can act. On a shared server that is not the account's own
//! identity: the server told who it takes this console for.

use super::Model;
use crate::{
    core::{board::AccountBoard, freshness::Account, id::UserId, incident::Named, text::Shown},
    proto::Access,
};

/// How the person at the console stands, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who<'a> {
    /// Acts; `None`: in a name that is not known yet.
    Acts(Option<&'a str>),
    /// Is known, but cannot act, and why.
    CannotAct(Option<&'a str>, &'a str),
    /// May look only, and why.
    Watches(&'a str),
}

/// Whom the server takes the person at the other end for, at an account, if that is known.
pub fn me<'a>(access: &Access, board: &'a AccountBoard) -> Option<&'a Named<UserId>> {
    match access {
        Access::Act { .. } => board.account.identity.as_ref()?.user.as_ref(),
        Access::ActAs { names, .. } => {
            let mine = names.get(&board.account.name)?;
            let is_me = |email: &Shown| email.as_str().eq_ignore_ascii_case(mine);
            board.people.iter().find(|person| person.email.as_ref().is_some_and(is_me)).map(|person| &person.user)
        }
        // The account's identity is that of the server's user, which is somebody else.
        Access::Watch { .. } => None,
    }
}

/// Why [`me`] finds nobody.
pub fn unknown(access: &Access, board: &AccountBoard) -> String {
    let account = &board.account.name;
    match access {
        Access::Watch { reason } => reason.clone(),
        Access::Act { .. } if board.account.identity.is_none() => {
            "the provider has not said yet whose the key is".into()
        }
        Access::Act { .. } => "the key belongs to no person".to_owned(),
        Access::ActAs { actor, names } => match names.get(account) {
            None => format!("the server's settings have no [[person]] for {actor} at account {account}"),
            Some(name) if name.contains('@') => format!("nobody there has the address {name}, as which you act"),
            Some(name) => format!("you act with {name}, which does not tell who you are"),
        },
    }
}

impl Model {
    /// How the person at this console stands.
    pub fn who(&self) -> Who<'_> {
        let mut accounts = self.board.accounts.values();
        match &self.access {
            Access::Watch { reason } => Who::Watches(reason),
            Access::ActAs { actor, .. } => {
                let me = accounts.find_map(|board| self.me(board));
                Who::Acts(Some(me.map_or(actor.as_str(), |me| me.name.as_str())))
            }
            Access::Act { .. } => {
                let identity = accounts.clone().find_map(|board| board.account.identity.as_ref());
                let name = identity.map(|identity| identity.name.as_str());
                match accounts.find_map(|board| board.account.cannot_act.as_ref()) {
                    Some(why) => Who::CannotAct(name, why.as_str()),
                    None => Who::Acts(name),
                }
            }
        }
    }

    /// Who the person at this console is at an account, if that is known.
    pub fn me<'a>(&'a self, board: &'a AccountBoard) -> Option<&'a Named<UserId>> {
        me(&self.access, board)
    }

    /// Why the person at this console may not do something, in the words of each place that says so.
    pub(super) fn refusals(&self) -> impl Iterator<Item = String> {
        let watching = self.watching().map(look_only);
        let accounts = self.board.accounts.values();
        watching.into_iter().chain(accounts.filter_map(|board| self.cannot_act(&board.account)))
    }

    /// Why the person at this console cannot act at an account, if so.
    pub fn cannot_act(&self, account: &Account) -> Option<String> {
        match &self.access {
            Access::Act { .. } => account.cannot_act.as_ref().map(|why| format!("{} cannot act: {why}", account.name)),
            Access::ActAs { names, .. } if names.contains_key(&account.name) => None,
            Access::ActAs { .. } => Some(format!("no [[person]] of the server's settings is you at {}", account.name)),
            Access::Watch { reason } => Some(look_only(reason)),
        }
    }
}

/// The refusal to whoever may only look.
pub(super) fn look_only(reason: &str) -> String {
    format!("you may look, not act: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::fixtures, core::id::AccountName};

    fn as_at(name: &str) -> Model {
        let mut model = fixtures::model(80, 24);
        let account = model.board.accounts.keys().next().expect("an account").clone();
        model.access = Access::ActAs { actor: "carol".into(), names: [(account, name.into())].into() };
        model
    }

    fn board(model: &Model) -> &AccountBoard {
        model.board.accounts.values().next().expect("an account")
    }

    #[test]
    fn on_a_shared_server_i_am_whom_the_server_takes_me_for() {
        let mut model = as_at("carol@example.com");
        let people = &mut model.board.accounts.values_mut().next().expect("an account").people;
        let carol = people.iter_mut().find(|person| person.user == fixtures::carol()).expect("carol");
        carol.email = Some("Carol@example.com".into());

        assert_eq!(model.me(board(&model)), Some(&fixtures::carol()));
        assert_eq!(model.who(), Who::Acts(Some("Carol Lindqvist")));
        assert_eq!(model.cannot_act(&board(&model).account), None);
    }

    #[test]
    fn who_acts_with_a_name_that_nobody_here_has_is_called_by_the_login() {
        let model = as_at("a token of their own");

        assert_eq!((model.me(board(&model)), model.who()), (None, Who::Acts(Some("carol"))));
    }

    #[test]
    fn at_an_account_where_i_am_nobody_i_cannot_act() {
        let mut model = as_at("x");
        model.access = Access::ActAs { actor: "carol".into(), names: [].into() };

        assert!(model.cannot_act(&board(&model).account).is_some_and(|why| why.contains("[[person]]")));
    }

    #[test]
    fn why_it_is_not_known_who_one_is_names_what_is_missing() {
        let model = as_at("x");
        let why = |access: &Access| unknown(access, board(&model));
        let acting = |names: &[(&str, &str)]| {
            let names =
                names.iter().map(|(account, name)| (AccountName::new(*account).expect("name"), (*name).to_owned()));
            Access::ActAs { actor: "carol".into(), names: names.collect() }
        };
        let here = board(&model).account.name.to_string();

        let watch = Access::Watch { reason: "guest (uid 1005) is no [[person]]".into() };
        assert_eq!(why(&watch), "guest (uid 1005) is no [[person]]");
        assert!(why(&acting(&[])).contains("no [[person]] for carol at account"));
        assert!(why(&acting(&[(&here, "x@example.com")])).contains("nobody there has the address x@example.com"));
        assert!(why(&acting(&[(&here, "a token of their own")])).contains("a token of their own"));
        assert_eq!(why(&Access::Act { actor: "root".into() }), "the key belongs to no person");
    }

    #[test]
    fn who_only_looks_is_not_taken_for_the_servers_user() {
        let mut model = as_at("x");
        assert!(board(&model).account.identity.is_some());
        model.access = Access::Watch { reason: "no".into() };

        assert_eq!((model.me(board(&model)), model.who()), (None, Who::Watches("no")));
    }
}
