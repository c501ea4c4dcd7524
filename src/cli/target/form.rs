//! Settings of a target on the command line. A secret is a reference, or comes line by line from standard input.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::{
    cli::{Exit, Failure},
    core::{
        forward::{
            EventType, TargetSummary,
            checks::{self, Address},
            form::{Hidden, Secret, TargetForm},
        },
        id::TargetName,
        text::Shown,
    },
};

/// What stands for a line of standard input.
const STDIN: &str = "-";
/// Short ways to write a reference, beside that of the configuration file.
const WAYS: [&str; 3] = ["env", "file", "credential"];

/// A secret is `env:NAME`, `file:PATH`, `credential:NAME`, a reference as in the configuration file
/// (`{ command = ["pass", "show", "chat"] }`), or `-` for the next line of standard input.
#[derive(clap::Args)]
pub(in crate::cli) struct SettingArgs {
    /// Where to send: a secret (see below), since knowing the address is often all it takes; or a host alone.
    #[arg(long, value_name = "SECRET")]
    url: Option<String>,
    /// The user of Basic authentication; "" takes it away.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[arg(long, value_name = "SECRET")]
    password: Option<String>,
    /// A header that is added, as `X-Token: env:CHAT_TOKEN`; without a value it is taken away. Several times for several.
    #[arg(long = "header", value_name = "NAME: SECRET")]
    headers: Vec<String>,
    /// An event that is sent, as incident.created. Several times for several; together they take the place of all before.
    #[arg(long = "event", value_name = "NAME", value_parser = checks::event)]
    events: Vec<EventType>,
    /// A template of the library; "" for the default body.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Which incidents, in the query language; "" for all.
    #[arg(long, value_name = "QUERY")]
    filter: Option<String>,
    /// Whether the default body tells of user, team and source too.
    #[arg(long, value_name = "BOOL")]
    linked: Option<bool>,
    /// How often a failed attempt is made again.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(checks::MOST_RETRIES)))]
    retries: Option<u32>,
    /// Sign with `webhook-signature` (Standard Webhooks): `whsec_…` as a secret; "" takes it away.
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// Whether link-local and cloud metadata addresses may be sent to.
    #[arg(long, value_name = "BOOL")]
    allow_link_local: Option<bool>,
}

/// What came from standard input, first line first.
#[derive(Debug, Default)]
pub(super) struct Typed(Vec<Hidden>);

impl SettingArgs {
    /// The secrets in the order of the options.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let header = |text: &String| text.split_once(':').map_or("", |(_, value)| value).trim() == STDIN;
        let headers = self.headers.iter().filter(move |text| header(text)).map(|_| STDIN);
        let single = [&self.url, &self.password, &self.secret];
        single.into_iter().flatten().map(String::as_str).chain(headers)
    }

    /// Reads as many lines as are asked for.
    pub(super) fn read(&self) -> Result<Typed, Failure> {
        let wanted = self.secrets().filter(|secret| *secret == STDIN).count();
        if wanted > 0 && io::stdin().is_terminal() {
            let what = "a secret is read from standard input, which is a terminal: pipe it in, so that it is not shown";
            return Err(Failure::new(Exit::Usage, what));
        }
        let mut lines = io::stdin().lock().lines();
        let mut typed = vec![];
        for number in 1..=wanted {
            let line = lines.next().transpose()?.filter(|line| !line.is_empty());
            let line = line.ok_or_else(|| {
                Failure::new(Exit::Usage, format!("standard input has no line {number}: {wanted} secrets come from it"))
            })?;
            typed.push(Hidden::new(line));
        }
        Ok(Typed(typed))
    }

    /// The form of target `name`: what is given, over what was there.
    pub(super) fn form(
        &self,
        name: &TargetName,
        former: Option<&TargetSummary>,
        typed: Typed,
    ) -> Result<TargetForm, Failure> {
        let mut typed = typed.0.into_iter();
        let mut form = former.map_or_else(|| TargetForm::new(name.clone()), TargetForm::of);
        form.url = match self.url.as_deref() {
            Some(url) => address(url, &mut typed)?,
            None if former.is_none() => return Err(Failure::new(Exit::Usage, "a target needs --url")),
            None => Secret::Kept,
        };
        form.password = secret("--password", self.password.as_deref(), &mut typed)?;
        form.secret = secret("--secret", self.secret.as_deref(), &mut typed)?;
        for header in &self.headers {
            put_header(&mut form, header, &mut typed)?;
        }
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        if let Some(user) = &self.user {
            form.user = given(user);
            if form.user.is_none() {
                form.password = Secret::None;
            }
        }
        if let Some(template) = &self.template {
            form.template = given(template);
        }
        if let Some(filter) = &self.filter {
            form.filter = given(filter);
        }
        if !self.events.is_empty() {
            form.events.clone_from(&self.events);
        }
        form.linked = self.linked.unwrap_or(form.linked);
        form.retries = self.retries.unwrap_or(form.retries);
        form.allow_link_local = self.allow_link_local.unwrap_or(form.allow_link_local);
        Ok(form)
    }
}

/// An address that is no secret may stand on the command line.
fn address(text: &str, typed: &mut impl Iterator<Item = Hidden>) -> Result<Secret, Failure> {
    match Address::read(text) {
        Ok(address) if !address.has_more => Ok(Secret::Typed(Hidden::new(text))),
        Ok(_) => {
            let why = "an address with a path is not taken from the command line, where everybody on this machine can read it";
            Err(Failure::new(
                Exit::Usage,
                format!("{why}: `--url -` reads it from standard input, `--url env:NAME` from a variable"),
            ))
        }
        Err(_) => secret("--url", Some(text), typed),
    }
}

/// A reference, or the next line of standard input. The complaint does not repeat what was given: it may be a secret.
fn secret(option: &str, text: Option<&str>, typed: &mut impl Iterator<Item = Hidden>) -> Result<Secret, Failure> {
    match text {
        None => Ok(Secret::Kept),
        Some("") => Ok(Secret::None),
        Some(STDIN) => {
            let line = typed.next();
            line.map(Secret::Typed).ok_or_else(|| Failure::new(Exit::Usage, "standard input has ended"))
        }
        Some(text) if text.starts_with('{') => Ok(Secret::Typed(Hidden::new(text))),
        Some(text) => {
            let reference = text.split_once(':').filter(|(way, _)| WAYS.contains(way));
            let reference = reference.map(|(way, of)| Hidden::new(format!("{{ {way} = {} }}", quoted(of))));
            let ways = "env:NAME, file:PATH, credential:NAME, or - for a line of standard input";
            let refused =
                || Failure::new(Exit::Usage, format!("{option} takes no secret itself, but where it is: {ways}"));
            reference.map(Secret::Typed).ok_or_else(refused)
        }
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn put_header(form: &mut TargetForm, text: &str, typed: &mut impl Iterator<Item = Hidden>) -> Result<(), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(Failure::new(Exit::Usage, "--header is written NAME: SECRET, as in `X-Token: env:CHAT_TOKEN`"));
    };
    let name = name.trim();
    checks::header_name(name).map_err(|wrong| Failure::new(Exit::Usage, Shown::line(&wrong)))?;
    form.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    let value = value.trim();
    if !value.is_empty() {
        form.headers.push((name.to_owned(), secret("--header", Some(value), typed)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::app::fixtures::forward_target;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: SettingArgs,
    }

    fn form(args: &[&str], former: Option<&TargetSummary>, stdin: &[&str]) -> Result<TargetForm, String> {
        let line = Line::try_parse_from(std::iter::once(&"x").chain(args)).map_err(|told| told.to_string())?;
        let typed = Typed(stdin.iter().map(|line| Hidden::new(*line)).collect());
        let name = "chat".parse().expect("name");
        line.settings.form(&name, former, typed).map_err(|failure| failure.message)
    }

    fn typed(text: &str) -> Secret {
        Secret::Typed(Hidden::new(text))
    }

    #[test]
    fn secrets_are_references_or_lines_of_standard_input_in_the_order_of_the_options() {
        let made = form(
            &[
                "--url",
                "-",
                "--user",
                "dog",
                "--password",
                "env:CHAT",
                "--secret",
                "-",
                "--header",
                "X-A: -",
                "--header",
                "X-B: { command = [\"pass\"] }",
                "--event",
                "incident.created",
            ],
            None,
            &["https://hooks.example.com/x", "whsec_x", "token"],
        )
        .expect("form");

        assert_eq!((made.url, made.secret), (typed("https://hooks.example.com/x"), typed("whsec_x")));
        assert_eq!(made.password, typed("{ env = \"CHAT\" }"));
        let headers = [("X-A".to_owned(), typed("token")), ("X-B".to_owned(), typed("{ command = [\"pass\"] }"))];
        assert_eq!(made.headers, headers);
    }

    #[test]
    fn no_secret_is_taken_from_the_command_line_nor_repeated() {
        for args in [
            &["--url", "https://hooks.example.com/hunter2"][..],
            &["--url", "hunter2"],
            &["--url", "env:X", "--password", "hunter2"],
            &["--url", "env:X", "--secret", "whsec_hunter2"],
            &["--url", "env:X", "--header", "X-A: hunter2"],
            &["--url", "env:X", "--header", "hunter2"],
        ] {
            let refused = form(args, None, &[]).expect_err("refused");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        assert!(form(&["--url", "http://127.0.0.1:9000"], None, &[]).is_ok(), "a host alone is no secret");
        assert!(form(&[], None, &[]).expect_err("refused").contains("needs --url"));
    }

    #[test]
    fn what_is_not_given_stays_and_what_is_empty_goes() {
        let mut former = forward_target("chat");
        (former.user, former.headers) = (Some("dog".into()), vec!["X-A".into(), "X-B".into()]);
        former.filter = Some("urgency:high".into());

        let unchanged = form(&[], Some(&former), &[]).expect("form");
        assert_eq!(unchanged, TargetForm::of(&former));
        let changed = form(
            &["--user", "", "--filter", "", "--template", "", "--header", "X-A:", "--retries", "3"],
            Some(&former),
            &[],
        )
        .expect("form");
        assert_eq!(
            (changed.user, changed.password, changed.filter, changed.template),
            (None, Secret::None, None, None)
        );
        assert_eq!((changed.headers, changed.retries), (vec![("X-B".to_owned(), Secret::Kept)], 3));
        assert_eq!(changed.url, Secret::Kept);
    }
}
