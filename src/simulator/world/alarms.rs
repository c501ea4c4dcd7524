//! What monitoring says at night, in the shapes that people really get: the fields of `CloudWatch` (bare, or as SNS wraps
//! them), the text blocks of Prometheus' Alertmanager, Datadog's tags, Nagios' macros, New Relic's targets, and an
//! e-mail's plain words.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{clock, dice::Dice},
    account::Feed,
};
use crate::core::incident::Urgency;

#[derive(Debug)]
pub(crate) struct Alarm {
    pub(crate) title: String,
    pub(crate) severity: &'static str,
    pub(crate) urgency: Urgency,
    pub(crate) details: Value,
    pub(crate) contexts: Vec<Value>,
}

const HOSTS: &[&str] = &["eu1-web-07", "eu1-db-02", "us2-cache-01", "us2-worker-14", "ap1-edge-03", "eu1-queue-05"];
const REGIONS: &[(&str, &str)] = &[("eu-central-1", "EU (Frankfurt)"), ("us-east-1", "US East (N. Virginia)")];

/// What a service called `service` has to complain about.
pub(crate) fn alarm(dice: &mut Dice, feed: Feed, service: &str, now: Timestamp) -> Alarm {
    match feed {
        Feed::CloudWatch => cloudwatch(dice, service, now),
        Feed::Prometheus => prometheus(dice, service),
        Feed::Datadog => datadog(dice, service),
        Feed::Email => email(dice, service, now),
        Feed::Nagios => nagios(dice),
        Feed::NewRelic => new_relic(dice, service, now),
    }
}

/// A name as it stands in addresses.
pub(crate) fn slug(service: &str) -> String {
    service.to_lowercase().replace(' ', "-")
}

fn cloudwatch(dice: &mut Dice, service: &str, now: Timestamp) -> Alarm {
    let metrics: &[(&str, &str, &str, i64)] = &[
        ("CPUUtilization", "AWS/RDS", "Average", 85),
        ("FreeStorageSpace", "AWS/RDS", "Minimum", 5_000_000_000),
        ("5xxErrorRate", "AWS/CloudFront", "Average", 2),
        ("ReplicaLag", "AWS/RDS", "Maximum", 30),
    ];
    let &(metric, namespace, statistic, threshold) = dice.pick(metrics);
    let &(region, region_name) = dice.pick(REGIONS);
    let value = threshold + threshold * dice.between(2, 90) / 100 + 1;
    let name = format!("{}-{metric}", slug(service));
    let reason = format!(
        "Threshold Crossed: 3 datapoints were greater than the threshold ({threshold}). The most recent: {value}."
    );
    let fields = json!({
            "AlarmName": name,
            "AlarmDescription": format!("{metric} of {service}; see the runbook before failing over"),
            "AWSAccountId": "123456789012",
            "NewStateValue": "ALARM",
            "NewStateReason": reason,
            "StateChangeTime": clock::millis(now),
            "Region": region_name,
            "OldStateValue": "OK",
            "Trigger": {
                "MetricName": metric, "Namespace": namespace, "StatisticType": "Statistic", "Statistic": statistic,
                "Period": 60, "EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Threshold": threshold,
                "Dimensions": [{"name": "DBInstanceIdentifier", "value": format!("{}-{region}", slug(service))}]
            }
    });
    let title = format!("ALARM: \"{name}\" in {region_name}");
    Alarm {
        details: if dice.percent(50) { through_sns(&title, &fields, now) } else { fields },
        title,
        severity: "critical",
        urgency: Urgency::High,
        contexts: vec![json!({
            "type": "link",
            "href": format!("https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"),
            "text": "View alarm"
        })],
    }
}

/// SNS carries the alarm as a text.
fn through_sns(title: &str, fields: &Value, now: Timestamp) -> Value {
    json!({
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:pagerduty",
        "Subject": title,
        "Message": fields.to_string(),
        "Timestamp": clock::millis(now),
    })
}

fn prometheus(dice: &mut Dice, service: &str) -> Alarm {
    let alerts: &[(&str, &str, &str)] = &[
        ("KubePodCrashLooping", "critical", "Pod is restarting {n} times / 10 minutes"),
        ("HighRequestLatency", "warning", "99th percentile latency is {n} seconds"),
        ("NodeFilesystemAlmostOutOfSpace", "warning", "Filesystem has only {n}% available space left"),
        ("TargetDown", "critical", "{n}% of the targets are down"),
    ];
    let &(name, severity, text) = dice.pick(alerts);
    let host = *dice.pick(HOSTS);
    let summary = text.replace("{n}", &dice.between(2, 14).to_string());
    let job = slug(service);
    Alarm {
        title: format!("[FIRING:1] {name} {job} ({host} {severity})"),
        severity: if severity == "critical" { "critical" } else { "warning" },
        urgency: if severity == "critical" { Urgency::High } else { Urgency::Low },
        details: json!({
            "firing": format!(
                "Labels:\n - alertname = {name}\n - instance = {host}:9100\n - job = {job}\n - severity = {severity}\n\
                 Annotations:\n - summary = {summary}\n - runbook_url = https://runbooks.example.com/{name}\n\
                 Source: https://prometheus.example.com/graph?g0.expr={name}\n"
            ),
            "num_firing": "1",
            "num_resolved": "0",
            "resolved": ""
        }),
        contexts: vec![
            json!({"type": "link", "href": format!("https://runbooks.example.com/{name}"), "text": "Runbook"}),
            json!({"type": "image", "src": format!("https://grafana.example.com/render/{job}.png"), "href": "https://grafana.example.com"}),
        ],
    }
}

fn datadog(dice: &mut Dice, service: &str) -> Alarm {
    let monitors: &[(&str, &str, &str)] = &[
        ("Error rate is high", "sum:trace.http.request.errors", "> 0.05"),
        ("p95 latency above 2 s", "p95:trace.http.request", "> 2"),
        ("Queue depth keeps growing", "avg:rabbitmq.queue.messages", "> 10000"),
        ("Login failures are unusual", "anomalies(sum:auth.failed", "≥ 1"),
    ];
    let &(what, metric, bound) = dice.pick(monitors);
    let host = *dice.pick(HOSTS);
    let job = slug(service);
    Alarm {
        title: format!("[Triggered on {{host:{host}}}] {service}: {what}"),
        severity: "error",
        urgency: Urgency::High,
        details: json!({
            "title": format!("[Triggered] {what}"),
            "body": format!("%%%\n{what} for {service}.\n\n@pagerduty-{job}\n%%%"),
            "query": format!("avg(last_5m):{metric}{{env:prod,service:{job}}} {bound}"),
            "tags": format!("env:prod,host:{host},monitor,service:{job},team:{}", job.split('-').next().unwrap_or_default()),
            "priority": "normal",
            "monitor_state": "Triggered",
            "event_id": dice.between(1_000_000_000_000, 9_999_999_999_999).to_string(),
            "org": {"id": 424_242, "name": "Example"}
        }),
        contexts: vec![
            json!({"type": "link", "href": "https://app.datadoghq.example/monitors/1234", "text": "Monitor"}),
        ],
    }
}

fn email(dice: &mut Dice, service: &str, now: Timestamp) -> Alarm {
    let mails: &[(&str, &str)] = &[
        (
            "backup did not finish",
            "The nightly backup ran into its 4 h limit and was stopped.\nLast good one: yesterday.",
        ),
        ("queue is not draining", "2314 messages older than one hour.\nFirst deferral: connection timed out."),
        ("certificate expires in 6 days", "Renewal was tried twice and refused by the authority (rate limited)."),
        ("disk 91% full on /var", "Filesystem  Size  Used Avail Use%\n/dev/sdb1   480G  437G   43G  91%"),
    ];
    let &(subject, body) = dice.pick(mails);
    let host = *dice.pick(HOSTS);
    let details = format!("From: cron@{host}.example.com\nDate: {}\n\n{body}\n", clock::rest(now));
    Alarm {
        title: format!("{service}: {subject}"),
        severity: "warning",
        urgency: Urgency::Low,
        details: Value::String(details),
        contexts: vec![],
    }
}

fn nagios(dice: &mut Dice) -> Alarm {
    let checks: &[(&str, &str, &str)] = &[
        ("mailq", "MAILQ CRITICAL - {n}00 messages in queue", "oldest: 5h 12m\nfirst deferral: connection timed out"),
        ("disk /var", "DISK CRITICAL - free space: /var {n}00 MB (9% inode=96%)", ""),
        ("smtp", "CRITICAL - Socket timeout after {n} seconds", ""),
    ];
    let &(check, output, more) = dice.pick(checks);
    let host = *dice.pick(HOSTS);
    let output = output.replace("{n}", &dice.between(10, 60).to_string());
    Alarm {
        title: format!("{check} on {host} is CRITICAL"),
        severity: "critical",
        urgency: Urgency::Low,
        details: json!({
            "pd_nagios_object": "service",
            "NOTIFICATIONTYPE": "PROBLEM",
            "HOSTNAME": host,
            "HOSTSTATE": "UP",
            "HOSTADDRESS": "192.0.2.17",
            "SERVICEDESC": check,
            "SERVICESTATE": "CRITICAL",
            "SERVICEOUTPUT": output,
            "LONGSERVICEOUTPUT": more,
            "SERVICEATTEMPT": "3",
            "MAXSERVICEATTEMPTS": "3",
        }),
        contexts: vec![],
    }
}

fn new_relic(dice: &mut Dice, service: &str, now: Timestamp) -> Alarm {
    let conditions: &[(&str, &str)] = &[
        ("Apdex below 0.6", "Apdex score < 0.6 for at least 5 minutes"),
        ("Sign-in errors above 5 %", "Error percentage > 5 % for at least 3 minutes"),
        ("Response time above 2 s", "Response time (web) > 2 s for at least 5 minutes"),
    ];
    let &(condition, says) = dice.pick(conditions);
    let job = slug(service);
    let target = |n: i64, region: &str| {
        json!({
            "id": n.to_string(), "name": format!("{job}-{region}"), "product": "APM", "type": "Application",
            "link": format!("https://rpm.newrelic.example/applications/{n}"),
        })
    };
    let incident = dice.between(100_000, 999_999);
    Alarm {
        title: format!("{condition}: {service}"),
        severity: "critical",
        urgency: Urgency::High,
        details: json!({
            "account_name": "Example Production",
            "condition_name": condition,
            "current_state": "open",
            "details": format!("{says} on '{job}'"),
            "event_type": "INCIDENT",
            "incident_id": incident.to_string(),
            "incident_url": format!("https://alerts.newrelic.example/accounts/1234567/incidents/{incident}"),
            "policy_name": format!("{service}: page"),
            "runbook_url": format!("https://runbooks.example.com/{job}"),
            "severity": "CRITICAL",
            "targets": [target(101, "eu"), target(102, "us")],
            "timestamp": now.as_millisecond().to_string(),
        }),
        contexts: vec![
            json!({"type": "image", "src": format!("https://gorgon.newrelic.example/image/{incident}.png")}),
        ],
    }
}
