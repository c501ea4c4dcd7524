//! What monitoring says at night, in the shapes that people really get: the fields of `CloudWatch`, the text blocks
//! of Prometheus' Alertmanager, Datadog's tags, and an e-mail's plain words.

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
    }
}

fn slug(service: &str) -> String {
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
    Alarm {
        title: format!("ALARM: \"{name}\" in {region_name}"),
        severity: "critical",
        urgency: Urgency::High,
        details: json!({
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
        }),
        contexts: vec![json!({
            "type": "link",
            "href": format!("https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"),
            "text": "View alarm"
        })],
    }
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
