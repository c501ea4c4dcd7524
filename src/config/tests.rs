//! What the file promises, and every complaint about it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret as _;

use super::{fields::SECTIONS, *};

const FULL: &str = r#"
[receiver]
listen = "127.0.0.1:8484"

[[account]]
name = "prod"
provider = "pagerduty"
region = "us"
token = { env = "PD_TOKEN" }
from = "alice@example.com"
poll = "30s"

[account.webhook]
url_key = { env = "PD_URL_KEY" }
secrets = [{ env = "PD_SECRET" }]
"#;

fn read(text: &str) -> Result<Settings, ConfigError> {
    parse(text, Path::new("/etc/dogwatch/config.toml"))
}

/// What is said about `text`, each as `line:column: message`.
fn complaints(text: &str) -> Vec<String> {
    match read(text) {
        Ok(_) => vec![],
        Err(ConfigError::Invalid { findings, .. }) => {
            findings.iter().map(|f| format!("{}:{}: {}", f.line, f.column, f.message)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn account(lines: &str) -> String {
    format!("[[account]]\nname = \"prod\"\nprovider = \"pagerduty\"\n{lines}\n")
}

fn uncommented(sample: &str) -> String {
    let strip = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    sample.lines().map(strip).collect::<Vec<_>>().join("\n")
}

fn written(dir: &Path, text: &str, mode: u32) -> PathBuf {
    let path = dir.join("config.toml");
    fs::write(&path, text).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
    path
}

#[test]
fn the_documented_file_is_read_as_documented() {
    let settings = read(FULL).expect("valid");
    let prod = &settings.accounts[0];

    assert_eq!(settings.receiver.listen.to_string(), "127.0.0.1:8484");
    assert_eq!((prod.name.as_str(), prod.provider), ("prod", ProviderKind::PagerDuty));
    assert_eq!(prod.base_url, "https://api.pagerduty.com");
    assert_eq!(prod.token.as_ref().map(SecretRef::name).as_deref(), Some("env PD_TOKEN"));
    assert_eq!(prod.from.as_deref(), Some("alice@example.com"));
    assert_eq!(prod.poll, Duration::from_secs(30));
    let webhook = prod.webhook.as_ref().expect("webhook");
    assert_eq!(webhook.url_key.name(), "env PD_URL_KEY");
    assert_eq!(webhook.secrets.iter().map(SecretRef::name).collect::<Vec<_>>(), ["env PD_SECRET"]);
    assert!(advice(&settings).is_empty(), "{:?}", advice(&settings));
}

#[test]
fn the_store_keeps_what_the_file_says_and_a_wrong_limit_has_its_place() {
    let settings = read("[store]\nkeep = \"30d\"\nkeep_deliveries = 5_000\n").expect("valid");
    let thirty_days = Duration::from_hours(30 * 24);
    assert_eq!(settings.store, StoreSettings { keep: thirty_days, keep_deliveries: 5_000, ..StoreSettings::default() });

    let said = complaints("[store]\nkeep = 90\nkeep_deliveries = \"many\"\nkeep_size = \"2\"\n");
    assert_eq!(
        said,
        [
            "2:8: `keep` must be a text in quotes, this is a number",
            "3:19: `keep_deliveries` must be a whole number without quotes",
            "4:13: `keep_size` must be a size, as in \"500MiB\" or \"2GiB\"",
        ]
    );
    assert_eq!(complaints("[store]\nkeep_deliveries = 999\n"), ["2:19: `keep_deliveries` must be at least 1000"]);
    assert_eq!(complaints("[store]\nkeep_deliveries = -1\n").len(), 1);
}

#[test]
fn an_empty_file_has_the_defaults() {
    let settings = read("").expect("valid");

    assert_eq!(settings.receiver, ReceiverSettings::default());
    assert!(settings.accounts.is_empty());
    assert_eq!(advice(&settings).len(), 1);
}

#[test]
fn the_sample_is_valid_and_so_is_all_that_it_comments_out() {
    assert!(read(SAMPLE).expect("as it is").accounts.is_empty());

    let settings = read(&uncommented(SAMPLE)).expect("uncommented");

    assert_eq!(settings.accounts.len(), 1);
    assert!(settings.accounts[0].webhook.is_some());
    assert!(advice(&settings).is_empty());
}

#[test]
fn the_sample_shows_every_key_and_every_way_to_a_secret() {
    let shown = |word: &str| SAMPLE.lines().any(|line| line.trim_start_matches(['#', ' ']).starts_with(word));
    for (section, keys) in SECTIONS {
        for key in *keys {
            let full = if section.is_empty() { (*key).to_owned() } else { format!("{section}.{key}") };
            let is_section = SECTIONS.iter().any(|(name, _)| *name == full);
            let written = [format!("{key} ="), format!("[{full}]"), format!("[[{full}]]")];
            assert!(written.iter().any(|w| shown(w)), "{full} (section: {is_section})");
        }
    }
    for way in ["env", "file", "command", "credential"] {
        assert!(SAMPLE.contains(&format!("{{ {way} = ")), "{way}");
    }
}

#[test]
fn every_known_key_is_really_read() {
    for (section, keys) in SECTIONS {
        for key in *keys {
            let text = match *section {
                "" => format!("{key} = 5"),
                "account" => format!("[[account]]\n{key} = 5"),
                "person" => format!("[[person]]\n{key} = 5.5"),
                "notify" => format!("[notify]\n{key} = 5.5"),
                "notify.rule" if *key == "service" => format!("[[notify.rule]]\n{key} = 5\nurgency = \"low\""),
                "notify.rule" => format!("[[notify.rule]]\n{key} = 5\nservice = \"x\""),
                "view" | "integration" | "runbook" => format!("[[{section}]]\n{key} = 5"),
                "target" => format!("[[target]]\n{key} = 5.5"),
                "account.webhook" => format!("[[account]]\n[account.webhook]\n{key} = 5"),
                other => format!("[{other}]\n{key} = 5"),
            };
            let said = complaints(&text).join("\n");
            assert!(said.contains(&format!(":{}: ", key.len() + 4)), "{section}.{key}: {said}");
        }
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_right_one() {
    let said = complaints("[receiver]\nlisten = \"127.0.0.1:1\"\nlissten = \"x\"\n");
    assert_eq!(said, ["3:1: unknown key `lissten` in [receiver]; did you mean `listen`?"]);

    let said = complaints("[receivers]\n");
    assert_eq!(said, ["1:2: unknown key `receivers` at the top; did you mean `receiver`?"]);

    let said = complaints(&account("secret = [\"x\"]"));
    assert_eq!(said, ["4:1: unknown key `secret` in [[account]]; `secrets` belongs into [account.webhook]"]);

    let said = complaints(&account("token = { environment = \"X\" }"));
    assert_eq!(said, ["4:9: `token`: unknown key `environment`; known: env, file, command, credential"]);
    let said = complaints(&account("token = { evn = \"X\" }"));
    assert_eq!(said, ["4:9: `token`: unknown key `evn`; did you mean `env`?"]);

    let said = complaints("[receiver]\nzzz = 1\n");
    assert_eq!(said, ["2:1: unknown key `zzz` in [receiver]; known here: listen, allow, trusted_proxies, tls"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let said = complaints(
        "[receiver]\nlisten = 8484\n\n[[account]]\nname = \"prod\"\nprovider = \"opsgenie\"\nregion = \"mars\"\npoll = \"1s\"\n",
    );

    assert_eq!(
        said,
        [
            "2:10: `listen` must be a text in quotes, this is a number",
            "6:12: provider \"opsgenie\" is not supported; supported: \"pagerduty\"",
            "7:10: region \"mars\" is not known; \"us\" or \"eu\"",
            "8:8: `poll` must be from \"5s\" to \"1h\"",
        ]
    );
}

#[test]
fn columns_count_characters() {
    let said = complaints("receiver = { listen = \"é\", \"lüsten\" = 1 }\n");

    assert_eq!(said[0], "1:23: `listen` must be address and port, as in \"127.0.0.1:8484\"");
    assert!(said[1].starts_with("1:28: unknown key `lüsten`"), "{}", said[1]);
}

#[test]
fn what_is_not_toml_is_said_with_its_place() {
    let said = complaints("[receiver]\nlisten = \n");

    assert!(said[0].starts_with("2:10: not TOML: "), "{said:?}");
}

#[test]
fn accounts_are_told_apart_and_complete() {
    let said = complaints(&format!("{}{}", account(""), account("")));
    assert_eq!(said, ["6:8: a second account named `prod`"]);

    assert_eq!(complaints("[[account]]\n"), ["1:1: [[account]] needs `name`", "1:1: [[account]] needs `provider`"]);
    assert_eq!(
        complaints("[account]\nname = \"x\"\n"),
        ["1:1: accounts are written [[account]], in two brackets each"]
    );
    let said = complaints(&account("region = \"us\"\nbase_url = \"http://127.0.0.1:1\""));
    assert_eq!(said, ["5:12: either `region` or `base_url`, not both"]);
    let said = complaints(&account("[account.webhook]\nsecrets = []"));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("needs `url_key`") && said[1].contains("is empty"), "{said:?}");
}

#[test]
fn no_complaint_repeats_a_secret() {
    let places = [
        account("token = { env = \"hunter2 \" }"),
        account("token = [\"hunter2\"]"),
        account("token = { command = \"hunter2\" }"),
        account("token = { credential = \"../hunter2\" }"),
        account("token = \"hunter2\\nhunter2\""),
        account("token = { env = \"A\", file = \"hunter2\" }"),
        account("[account.webhook]\nurl_key = \"hunter2\"\nsecrets = \"hunter2\""),
        account("webhook = \"hunter2\""),
        account("token = \"hunter2\"\ntokken = \"hunter2\""),
    ];
    for text in places {
        let said = complaints(&text);
        assert!(!said.is_empty(), "{text}");
        assert!(!said.join("\n").contains("hunter2"), "{said:?}");
    }
    let settings = read(&account("token = \"hunter2\"")).expect("valid");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn a_file_that_others_can_open_must_not_hold_a_secret() {
    let dir = tempfile::tempdir().expect("dir");
    let inline = account("token = \"hunter2hunter2\"");
    for mode in [0o640, 0o604, 0o644, 0o660] {
        let path = written(dir.path(), &inline, mode);
        let said = load(&path).expect_err("refused").to_string();
        assert!(said.contains(&format!("run `chmod 600 {}`", path.display())), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    load(&written(dir.path(), &inline, 0o600)).expect("its owner's alone");
    load(&written(dir.path(), FULL, 0o644)).expect("references only");
    let command = account("token = { command = [\"pass\", \"show\", \"pd\"] }");
    load(&written(dir.path(), &command, 0o644)).expect("readable is no harm");
}

#[test]
fn a_file_that_others_can_change_must_not_say_where_secrets_are_or_who_acts() {
    let dir = tempfile::tempdir().expect("dir");
    let accounts = ["{ env = \"PD\" }", "{ file = \"pd\" }", "{ credential = \"pd\" }", "{ command = [\"pass\"] }"];
    let accounts = accounts.map(|token| account(&format!("token = {token}")));
    let person = "[[person]]\nuser = \"alice\"\nemail = \"alice@example.com\"\n".to_owned();
    for text in accounts.into_iter().chain([person, FULL.to_owned()]) {
        for mode in [0o664, 0o646, 0o620] {
            let said = load(&written(dir.path(), &text, mode)).expect_err("refused").to_string();
            assert!(said.contains(&format!("(mode {mode:03o}): run `chmod go-w ")), "{said}");
        }
        let path = written(dir.path(), &text, 0o640);
        load(&path).expect("its owner's to change");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65534), Some(0)).expect("chown");
            let said = load(&path).expect_err("refused").to_string();
            assert!(said.contains("belongs to another user (uid 65534)"), "{said}");
            fs::remove_file(&path).expect("removed");
        }
    }

    load(&written(dir.path(), "[store]\nkeep = \"30d\"\n", 0o666)).expect("nothing to gain");
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let said = load(Path::new("/nonexistent/config.toml")).expect_err("missing").to_string();

    assert!(said.contains("/nonexistent/config.toml") && said.contains("dogwatch config init"), "{said}");
}

#[test]
fn init_writes_for_the_owner_alone_and_never_overwrites() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("new/dogwatch/config.toml");

    init(&path).expect("written");

    assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().expect("dir")).expect("dir").permissions().mode() & 0o777, 0o700);
    load(&path).expect("valid");
    fs::write(&path, "# mine\n").expect("edit");
    assert!(matches!(init(&path), Err(ConfigError::Exists { .. })));
    assert_eq!(fs::read_to_string(&path).expect("text"), "# mine\n");
}

#[test]
fn paths_start_at_home_or_beside_the_file() {
    let name = |text: &str| {
        let settings = read(&account(&format!("token = {{ file = \"{text}\" }}"))).expect("valid");
        settings.accounts[0].token.as_ref().expect("token").name()
    };

    assert_eq!(name("/run/pd"), "file /run/pd");
    assert_eq!(name("pd.key"), "file /etc/dogwatch/pd.key");
    let home = directories::BaseDirs::new().expect("home").home_dir().join("pd").display().to_string();
    assert_eq!(name("~/pd"), format!("file {home}"));
}

#[test]
fn an_account_without_its_half_is_pointed_out() {
    let said = advice(&read(&account("")).expect("valid"));
    assert_eq!(said, ["account prod has neither token nor [account.webhook]: it shows nothing"]);

    let said = advice(&read(&account("token = { env = \"X\" }")).expect("valid"));
    assert_eq!(said.len(), 2, "{said:?}");

    let open = FULL.replace("127.0.0.1:8484", "0.0.0.0:8484");
    assert!(advice(&read(&open).expect("valid"))[0].contains("without TLS"));
}

#[test]
fn where_people_act_in_their_own_names_no_from_is_missed() {
    let shared = account("token = { env = \"X\" }\n[[person]]\nuser = \"alice\"\nemail = \"alice@example.com\"");
    let elsewhere = format!(
        "{}account = \"stage\"\n[[account]]\nname = \"stage\"\nprovider = \"pagerduty\"\n",
        shared.clone() + "\n"
    );
    let missed = |text: &str| advice(&read(text).expect("valid")).iter().any(|said| said.contains("prod has no from"));

    assert!(!missed(&shared));
    assert!(missed(&elsewhere), "she acts at another account only");
}

#[tokio::test]
async fn an_inline_secret_is_itself() {
    let settings = read(&account("token = \"hunter2\"")).expect("valid");
    let token = settings.accounts[0].token.clone().expect("token");

    assert_eq!(token.name(), "inline");
    assert_eq!(token.read().await.expect("secret").expose_secret(), "hunter2");
}

fn webhook(lines: &str) -> String {
    account(&format!("[account.webhook]\nurl_key = {{ env = \"KEY\" }}\n{lines}"))
}

fn demand(lines: &str) -> Demand {
    let settings = read(&webhook(lines)).expect("valid");
    settings.accounts[0].webhook.clone().expect("webhook").demand
}

const ONE_SECRET: &str = "secrets = [{ env = \"S\" }]\n";

#[test]
fn each_scheme_is_read_with_its_keys() {
    use crate::core::sender::{Algorithm, Encoding, HmacDemand, Part};

    assert_eq!(demand(ONE_SECRET), Demand::PagerdutyV3);
    assert_eq!(demand("scheme = \"secret-url\""), Demand::SecretUrl);
    let with = |lines: &str| demand(&format!("{ONE_SECRET}{lines}"));
    assert_eq!(with("scheme = \"standard-webhooks\""), Demand::StandardWebhooks { tolerance: Duration::from_mins(5) });
    let slack = Demand::SlackV0 { tolerance: Duration::from_mins(1) };
    assert_eq!(with("scheme = \"slack-v0\"\ntolerance = \"1m\""), slack);
    let splunk = Demand::SplunkOncall { url: "https://hooks.example.com".to_owned() };
    assert_eq!(with("scheme = \"splunk-oncall\"\npublic_url = \"https://hooks.example.com/\""), splunk);
    assert_eq!(with("scheme = \"basic\"\nuser = \"alice\""), Demand::Basic { user: "alice".to_owned() });
    assert_eq!(with("scheme = \"bearer\""), Demand::Bearer);
    let header = Demand::Header { name: "x-token".to_owned(), prefix: "Token ".to_owned() };
    assert_eq!(with("scheme = \"header\"\nheader = \"X-Token\"\nprefix = \"Token \""), header);
    let plain = HmacDemand {
        header: "x-hub-signature-256".to_owned(),
        prefix: "sha256=".to_owned(),
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        signed: vec![Part::Body],
        timestamp: None,
    };
    let github = "scheme = \"hmac\"\nheader = \"X-Hub-Signature-256\"\nprefix = \"sha256=\"";
    assert_eq!(with(github), Demand::Hmac(plain.clone()));
    let timed =
        "scheme = \"hmac\"\nheader = \"X-S\"\nalgorithm = \"sha512\"\nencoding = \"base64\"\ntimestamp_header = \"X-T\"
signed = [\"v0:\", \"timestamp\", \".\", \"method\", \"path\", \"header:X-Id\", \"body\"]";
    let text = |text: &str| Part::Text(text.to_owned());
    let signed = vec![text("v0:"), Part::Timestamp, text("."), Part::Method, Part::Path];
    let signed = signed.into_iter().chain([Part::Header("x-id".to_owned()), Part::Body]).collect();
    let expected = HmacDemand {
        header: "x-s".to_owned(),
        prefix: String::new(),
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        signed,
        timestamp: Some(("x-t".to_owned(), Duration::from_mins(5))),
    };
    assert_eq!(with(timed), Demand::Hmac(expected));
}

#[test]
fn a_scheme_that_would_not_do_what_was_meant_is_complained_about() {
    let cases = [
        ("scheme = \"pagerduty\"", "7:10: scheme \"pagerduty\" is not known; did you mean \"pagerduty-v3\"?"),
        ("scheme = \"none\"", "7:10: scheme \"none\" is not known; known: pagerduty-v3"),
        ("user = \"alice\"", "7:8: `user` is not used by scheme \"pagerduty-v3\""),
        ("scheme = \"secret-url\"", "6:11: `secrets` is not used by scheme \"secret-url\""),
        ("scheme = \"basic\"", "[account.webhook] needs `user`"),
        ("scheme = \"basic\"\nuser = \"a:b\"", "8:8: `user` must not be empty and must not hold `:`"),
        ("scheme = \"header\"", "[account.webhook] needs `header`"),
        ("scheme = \"header\"\nheader = \"X Y\"", "8:10: a header's name is"),
        ("scheme = \"splunk-oncall\"", "[account.webhook] needs `public_url`"),
        ("scheme = \"slack-v0\"\ntolerance = \"2h\"", "8:13: `tolerance` must be a length of time"),
        ("scheme = \"hmac\"", "[account.webhook] needs `header`"),
        ("scheme = \"hmac\"\nheader = \"x-s\"\nalgorithm = \"md5\"", "9:13: `algorithm` must be"),
        ("scheme = \"hmac\"\nheader = \"x-s\"\nencoding = \"hexa\"", "9:12: `encoding` must be"),
        (
            "scheme = \"hmac\"\nheader = \"x-s\"\nsigned = [\"bdy\"]",
            "9:11: \"bdy\" is no part that can be signed; did you mean \"body\"?",
        ),
        ("scheme = \"hmac\"\nheader = \"x-s\"\nsigned = [\".\"]", "9:10: `signed` does not name \"body\""),
        (
            "scheme = \"hmac\"\nheader = \"x-s\"\nsigned = [\"timestamp\", \"body\"]",
            "9:10: `signed` names \"timestamp\", but there is no `timestamp_header`",
        ),
        (
            "scheme = \"hmac\"\nheader = \"x-s\"\ntimestamp_header = \"x-t\"",
            "9:20: `signed` does not name \"timestamp\": anybody could replace the time",
        ),
        ("scheme = \"hmac\"\nheader = \"x-s\"\ntolerance = \"5m\"", "9:13: `tolerance` needs `timestamp_header`"),
        ("allow = []", "7:9: `allow` is empty"),
        ("allow = [\"pagerduty\"]", "7:10: \"pagerduty\" is neither a network"),
    ];
    for (lines, expected) in cases {
        let said = complaints(&webhook(&format!("{ONE_SECRET}{lines}"))).join("\n");
        assert!(said.contains(expected), "{lines}\n{said}");
    }
}

#[test]
fn networks_are_read_from_addresses_networks_and_known_lists() {
    let text =
        "[receiver]\nallow = [\"pagerduty-us\", \"192.0.2.0/24\", \"2001:db8::1\"]\ntrusted_proxies = [\"10.0.0.7\"]";
    let receiver = read(text).expect("valid").receiver;

    let allow: Vec<String> = receiver.allow.expect("a list").iter().map(ToString::to_string).collect();
    assert_eq!((allow.len(), allow[0].as_str()), (15, "44.242.69.192/32"));
    assert_eq!(allow[13..], ["192.0.2.0/24", "2001:db8::1/128"]);
    assert_eq!(receiver.trusted_proxies, ["10.0.0.7/32".parse().expect("network")]);
    let said = complaints("[receiver]\ntrusted_proxies = [\"0.0.0.0/0\", \"pagerduty-us\"]").join("\n");
    assert!(
        said.contains("2:20: everybody would be a trusted proxy") && said.contains("2:33: \"pagerduty-us\""),
        "{said}"
    );
}

#[test]
fn who_only_shows_a_secret_is_advised_of_the_wire_and_of_rest() {
    let open = format!("[receiver]\nlisten = \"0.0.0.0:8484\"\n{}", webhook("scheme = \"secret-url\""));

    let said = advice(&read(&open).expect("valid")).join("\n");

    assert!(said.contains("account prod: with scheme secret-url the secret itself comes over plain http"), "{said}");
    assert!(said.contains("scheme secret-url signs nothing, and without a token nothing confirms"), "{said}");
}

#[test]
fn tls_needs_both_files_and_paths_start_beside_the_file() {
    let text = "[receiver]\nlisten = \"0.0.0.0:8484\"\n[receiver.tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n";
    let settings = parse(text, Path::new("/etc/dogwatch/config.toml")).expect("settings");
    let tls = settings.receiver.tls.expect("tls");
    assert_eq!((tls.certificate.as_path(), tls.key.as_path()), (Path::new("/etc/dogwatch/c.pem"), Path::new("/k.pem")));

    let text = "[receiver.tls]\ncertificate = \"c.pem\"\n";
    let Err(ConfigError::Invalid { findings, .. }) = parse(text, Path::new("c.toml")) else { panic!("taken") };
    assert!(findings[0].message.contains("[receiver.tls] needs `key`"), "{findings:?}");
}

#[test]
fn an_open_door_without_tls_is_advised_against_and_one_with_tls_is_not() {
    let account = "[[account]]\nname = \"a\"\nprovider = \"pagerduty\"\n[account.webhook]\nurl_key = { env = \"K\" }\n\
                   secrets = [{ env = \"S\" }]\n";
    let advised = |tls: &str| {
        let text = format!("[receiver]\nlisten = \"0.0.0.0:8484\"\n{tls}{account}");
        let settings = parse(&text, Path::new("c.toml")).expect("settings");
        super::advice(&settings).iter().any(|advice| advice.contains("without TLS"))
    };

    assert!(advised(""));
    assert!(!advised("[receiver.tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n"));
}

#[test]
fn a_shared_host_has_a_socket_a_group_and_people() {
    let people = "[[person]]\nuser = \"alice\"\nemail = \"alice@example.com\"\n\n\
                  [[person]]\nuser = 1001\naccount = \"prod\"\ntoken = { env = \"BOB\" }\n";
    let server = "[server]\nsocket = \"/run/dogwatch/control.sock\"\ngroup = \"oncall\"\n";

    let settings = read(&format!("{server}{}{people}", account(""))).expect("valid");

    assert_eq!(settings.server.socket.as_deref(), Some(Path::new("/run/dogwatch/control.sock")));
    assert_eq!(settings.server.group.as_deref(), Some("oncall"));
    let users: Vec<User> = settings.people.iter().map(|person| person.user.clone()).collect();
    assert_eq!(users, [User::Login("alice".into()), User::Uid(1001)]);
    let [Acts::As { email }, Acts::With { token }] = [&settings.people[0].acts, &settings.people[1].acts] else {
        panic!("{:?}", settings.people)
    };
    assert_eq!((email.as_str(), token.name().as_str()), ("alice@example.com", "env BOB"));
    assert!(settings.secrets().iter().any(|(place, _)| place == "token of person uid 1001"));
}

#[test]
fn what_is_wrong_with_a_person_is_said_where_it_stands() {
    let said = |lines: &str| complaints(&format!("{}\n[[person]]\n{lines}\n", account("")));
    assert_eq!(said("email = \"a@x.org\""), ["6:1: [[person]] needs `user`"]);
    assert_eq!(said("user = \"a\""), ["6:1: [[person]] needs either `email` or `token`"]);
    let both = said("user = \"a\"\nemail = \"a@x.org\"\ntoken = { env = \"A\" }");
    assert_eq!(both, ["6:1: [[person]] needs either `email` or `token`"]);
    assert_eq!(said("user = \"7\"\nemail = \"a@x.org\""), ["7:8: `user`: a number is written without quotes"]);
    assert_eq!(said("user = -1\nemail = \"a@x.org\"").len(), 1);
    assert_eq!(said("user = \"a b\"\nemail = \"a@x.org\"").len(), 1);
    let twice = "user = \"a\"\nemail = \"a@x.org\"\n[[person]]\nuser = \"a\"\nemail = \"b@x.org\"";
    assert_eq!(said(twice), ["9:1: a second [[person]] for this user"]);
    let elsewhere = said("user = \"a\"\nemail = \"a@x.org\"\naccount = \"eu\"");
    assert_eq!(elsewhere, ["9:11: there is no [[account]] named \"eu\""]);
}

#[test]
fn a_token_of_a_person_is_never_sent_to_the_provider_of_another_account() {
    let two = format!("{}[[account]]\nname = \"eu\"\nprovider = \"pagerduty\"\n", account(""));
    let person = "[[person]]\nuser = \"a\"\ntoken = { env = \"A\" }\n";

    let said = complaints(&format!("{two}{person}"));

    assert_eq!(said, ["10:9: a token is good for one account: say which with `account`"]);
    assert_eq!(complaints(&format!("{two}{person}account = \"eu\"\n")), [""; 0]);
}

#[test]
fn a_group_without_a_socket_and_a_socket_that_is_no_path_are_complained_about() {
    let said = complaints("[server]\ngroup = \"oncall\"\n");
    assert_eq!(said, ["2:9: `group` says who may use `socket`: name that too"]);
    for bad in ["control.sock", "", "/"] {
        assert_eq!(complaints(&format!("[server]\nsocket = \"{bad}\"\n")).len(), 1, "{bad}");
    }
}
