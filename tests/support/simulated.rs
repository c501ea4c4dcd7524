//! A simulated provider, and plain HTTP to it and to the door.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use dogwatch::simulator::{self, Night, Simulator, Webhook};

use super::PATIENCE;

/// Belongs to the account's first user.
pub(crate) const TOKEN: &str = "y_NbAkKc66ryYTWUXYEu";

/// A provider with open incidents, in which nothing happens at random.
pub(crate) async fn start(listen: SocketAddr, incidents: usize, webhook: Option<Webhook>) -> Simulator {
    let night = Night::Quiet;
    let options = simulator::Options { listen, seed: 7, script: None, incidents, webhook, token: None, night };
    simulator::start(options).await.expect("simulator")
}

pub(crate) fn address(simulator: &Simulator) -> SocketAddr {
    simulator.url().trim_start_matches("http://").parse().expect("an address")
}

pub(crate) fn set_faults(simulator: SocketAddr, faults: &str) {
    let (status, said) = ask(simulator, "POST /_sim/faults", &[], faults.as_bytes()).expect("an answer");
    assert_eq!(status, 200, "{said}");
}

/// One request on a connection of its own, `what` being method and path; the answer's status and body.
pub(crate) fn ask(to: SocketAddr, what: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let own = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let more: String = headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect();
    let request = format!("{what} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{own}{more}\r\n");
    stream.write_all(request.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let parts = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    });
    parts.ok_or(io::ErrorKind::InvalidData.into())
}
