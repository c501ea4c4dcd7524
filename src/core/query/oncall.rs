//! What can be asked of who is on call: by the command, word for word as incidents are asked for.

use super::{
    BadQuery, Fields, Kind, Query, Spans, Term, Truth,
    incident::is_user,
    parse,
    part::{Part, is_like, stands_in},
    values::unknown_field,
};
use crate::core::{
    board::AccountBoard,
    id::{AccountName, UserId},
    oncall::OnCall,
};

/// Every field, with what it is for.
pub const FIELDS: &Fields = &[
    ("team", "a team of the escalation policy: a part of its name (with * all of it), or its id; so too the next ones"),
    ("policy", "the escalation policy"),
    ("user", "me, a name, or an e-mail address"),
    ("schedule", "the schedule that puts them there"),
    ("level", "as 1, or 1..2"),
    ("account", "account's name"),
];

/// A query for people on call: of each of its terms any condition must hold.
pub type Wanted = Query<Vec<Condition>>;

/// What somebody on call can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// In lower case: stands in the name of policy, team, schedule or person, or is like a word of it.
    Word(String),
    /// In lower case: stands so in one of these names.
    Text(String),
    Team(Part),
    Policy(Part),
    User(Part),
    Me,
    Schedule(Part),
    Level(std::ops::RangeInclusive<u64>),
    Account(AccountName),
}

/// Somebody on call, and what is known around that.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub on_call: &'a OnCall,
    pub account: &'a AccountBoard,
    /// Who asks, at this account; `None`: that is not known.
    pub me: Option<&'a UserId>,
}

/// Reads a query for people on call.
pub fn read(text: &str) -> Result<Wanted, BadQuery> {
    parse(text)?.map(conditions)
}

fn conditions(term: &Term) -> Result<Vec<Condition>, BadQuery> {
    let (name, values) = match &term.kind {
        Kind::Word(word) => return Ok(vec![Condition::Word(word.to_lowercase())]),
        Kind::Text(text) => return Ok(vec![Condition::Text(text.to_lowercase())]),
        Kind::Field { name, values } => (name.as_str(), values),
    };
    if !FIELDS.iter().any(|(known, _)| *known == name) {
        return Err(unknown_field(term.column, name, FIELDS));
    }
    let said = |column, said| BadQuery::new(column, format!("{name}: {said}"));
    values.iter().map(|value| condition(name, &value.text).map_err(|what| said(value.column, what))).collect()
}

fn condition(field: &str, value: &str) -> Result<Condition, String> {
    Ok(match field {
        "team" => Condition::Team(Part::new(value)),
        "policy" => Condition::Policy(Part::new(value)),
        "user" if value.eq_ignore_ascii_case("me") => Condition::Me,
        "user" => Condition::User(Part::new(value)),
        "schedule" => Condition::Schedule(Part::new(value)),
        "level" => Condition::Level(
            Spans::of(value, |text| text.parse().ok())
                .ok_or_else(|| format!("`{value}` is no level; as `1` or `1..2`"))?,
        ),
        _ => Condition::Account(AccountName::new(value).map_err(|bad| bad.to_string())?),
    })
}

/// Whether they are one of those that are wanted. `Perhaps`: it is not known which teams the policy has, or who asks.
pub fn judge(wanted: &Wanted, record: &Record<'_>) -> Truth {
    wanted.truth(|any| any.iter().fold(Truth::No, |so_far, next| so_far.or(|| holds(next, record))))
}

fn holds(condition: &Condition, record: &Record<'_>) -> Truth {
    let on_call = record.on_call;
    let is = match condition {
        Condition::Word(word) => return named(record, |name| stands_in(word, name) || is_like(word, name)),
        Condition::Text(text) => return named(record, |name| stands_in(text, name)),
        Condition::Team(part) => return team(record, |id, name| part.means(id, name)),
        Condition::Policy(part) => part.means(on_call.policy.id.as_str(), on_call.policy.name.as_str()),
        Condition::User(part) => is_user(part, &on_call.user, Some(record.account)),
        Condition::Me => return record.me.map_or(Truth::Perhaps, |me| (*me == on_call.user.id).into()),
        Condition::Schedule(part) => {
            on_call.schedule.iter().any(|schedule| part.means(schedule.id.as_str(), schedule.name.as_str()))
        }
        Condition::Level(range) => range.contains(&on_call.level.into()),
        Condition::Account(name) => record.account.account.name == *name,
    };
    is.into()
}

fn named(record: &Record<'_>, fits: impl Fn(&str) -> bool) -> Truth {
    let on_call = record.on_call;
    let names = [&on_call.policy.name, &on_call.user.name].into_iter().chain(on_call.schedule.iter().map(|s| &s.name));
    let here = names.into_iter().any(|name| fits(name.as_str()));
    Truth::from(here).or(|| team(record, |_, name| fits(name)))
}

fn team(record: &Record<'_>, fits: impl Fn(&str, &str) -> bool) -> Truth {
    match record.account.policy_teams.get(&record.on_call.policy.id) {
        Some(teams) => teams.iter().any(|team| fits(team.id.as_str(), team.name.as_str())).into(),
        None => Truth::Perhaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        freshness::tests::account,
        id::{PolicyId, ScheduleId, TeamId},
        incident::Named,
        oncall::Person,
    };
    use proptest::prelude::*;

    fn policy() -> Named<PolicyId> {
        Named { id: PolicyId::new("EP1").expect("id"), name: "Checkout night".into() }
    }

    fn ann() -> Named<UserId> {
        Named { id: UserId::new("U1").expect("id"), name: "Ann Moreau".into() }
    }

    fn board() -> AccountBoard {
        let mut board = AccountBoard::of(account("prod"));
        let team = Named { id: TeamId::new("T1").expect("id"), name: "Payments".into() };
        board.policy_teams.insert(policy().id, vec![team]);
        board.people = vec![Person { user: ann(), email: Some("ann@example.com".into()) }];
        board
    }

    fn truth_with(text: &str, board: &AccountBoard, me: Option<&UserId>) -> Truth {
        let schedule = Named { id: ScheduleId::new("S1").expect("id"), name: "Nights".into() };
        let on_call =
            OnCall { policy: policy(), level: 2, user: ann(), schedule: Some(schedule), start: None, end: None };
        judge(&read(text).expect(text), &Record { on_call: &on_call, account: board, me })
    }

    #[test]
    fn who_is_on_call_is_found_by_team_policy_person_schedule_and_level() {
        for text in [
            "team:payments team:T1 team:pay* !team:web",
            "policy:checkout policy:EP1 schedule:nights level:2 level:1..2 !level:1",
            "user:ann user:ann@example.com user:me account:prod",
            "payments or nowhere",
            "pymnts moreau \"checkout n\" !web",
        ] {
            assert_eq!(truth_with(text, &board(), Some(&ann().id)), Truth::Yes, "{text}");
        }
        let nobody = |text| truth_with(text, &board(), Some(&UserId::new("U2").expect("id")));
        assert_eq!(["user:me", "team:web", "user:bob@example.com"].map(nobody), [Truth::No; 3]);
    }

    #[test]
    fn a_policy_whose_teams_are_not_known_is_neither_of_a_team_nor_not() {
        let mut board = board();
        board.policy_teams.clear();

        assert_eq!(
            ["team:payments", "!team:payments", "payments", "user:me"].map(|text| truth_with(text, &board, None)),
            [Truth::Perhaps; 4]
        );
        assert_eq!(truth_with("checkout", &board, None), Truth::Yes);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_column() {
        for (text, said) in [
            ("a taem:x", "column 3: no field `taem`, perhaps `team:`; what is no field goes into quotes"),
            ("level:high", "column 7: level: `high` is no level; as `1` or `1..2`"),
        ] {
            assert_eq!(read(text).map_err(|bad| bad.to_string()), Err(said.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_or_judging_panic(text in "[a-z0-9:.,*!\"@ ]{0,30}") {
            if read(&text).is_ok() {
                truth_with(&text, &board(), None);
            }
        }
    }
}
