//! What lies around an incident, as a client is told it.

use super::{Stage, text};

#[tokio::test]
async fn an_incident_has_others_like_it_changes_before_it_and_people_who_are_hurt() {
    let stage = Stage::with_incidents(60).await;
    let listed = stage.get("/incidents?date_range=all&statuses[]=triggered&limit=100&urgencies[]=high").await.body;
    let mut found = None;
    for one in listed["incidents"].as_array().unwrap().iter().filter(|one| one["urgency"] == "high") {
        let path = format!("/incidents/{}", text(&one["id"]));
        let past = stage.get(&format!("{path}/past_incidents?limit=3")).await.body;
        if past["past_incidents"].as_array().is_some_and(|past| !past.is_empty()) {
            found = Some((one, path, past));
        }
    }
    let (loud, path, past) = found.expect("one with a past");

    let related = stage.get(&format!("{path}/related_incidents")).await.body;
    let outlier = stage.get(&format!("{path}/outlier_incident")).await.body;
    let changes = stage.get(&format!("{path}/related_change_events")).await.body;
    let impacts = stage.get(&format!("{path}/business_services/impacts")).await.body;

    let began = text(&loud["created_at"]);
    let past = past["past_incidents"].as_array().unwrap().clone();
    assert!(!past.is_empty() && past.len() <= 3 && past.iter().all(|one| text(&one["incident"]["created_at"]) < began));
    assert!(related["related_incidents"].is_array());
    assert!(outlier["outlier_incident"]["incident"]["occurrence"]["count"].is_number());
    assert!(changes["change_events"].as_array().unwrap().iter().all(|one| text(&one["timestamp"]) < began));
    assert_eq!(impacts["services"][0]["status"], "impacted");
    assert_eq!(stage.get("/incidents/QNOBODY/past_incidents").await.status, 404);
    assert_eq!(stage.get(&format!("{path}/past_incidents?limit=0")).await.status, 400);
    let service = text(&loud["service"]["id"]);
    assert!(stage.get(&format!("/services/{service}/change_events")).await.body["change_events"].is_array());
}
