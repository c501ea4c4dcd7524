//! A target on loopback that hears everything and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What is answered to a request.
#[derive(Debug, Clone)]
pub(in crate::forward) enum Reply {
    /// These bytes, and the connection is closed.
    Bytes(String),
    /// These bytes, and then nothing.
    Hang(String),
    /// These bytes, and then one more now and then for ever.
    Drip(String),
    /// These bytes, and then many more for ever.
    Endless(String),
    /// The connection is reset.
    Reset,
}

impl Reply {
    pub(in crate::forward) fn status(status: u16) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} Word\r\ncontent-length: 2\r\n\r\nok"))
    }

    pub(in crate::forward) fn bytes(text: &str) -> Self {
        Self::Bytes(text.to_owned())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(in crate::forward) struct Heard {
    /// Method, path and version.
    pub(in crate::forward) line: String,
    headers: Vec<(String, String)>,
    pub(in crate::forward) body: String,
}

impl Heard {
    pub(in crate::forward) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(in crate::forward) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("json")
    }
}

type Answers = Arc<dyn Fn(usize, &Heard) -> Reply + Send + Sync>;

/// It ends with its runtime.
#[derive(Clone)]
pub(in crate::forward) struct Sink {
    pub(in crate::forward) at: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Sink {
    /// Answers every request with this status.
    pub(in crate::forward) async fn with_status(status: u16) -> Self {
        Self::new(move |_, _| Reply::status(status)).await
    }

    /// `answers` is told how many came before.
    pub(in crate::forward) async fn new(answers: impl Fn(usize, &Heard) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let sink = Self { at: listener.local_addr().expect("address"), heard: Arc::default() };
        let (heard, answers): (_, Answers) = (Arc::clone(&sink.heard), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&heard), Arc::clone(&answers)));
            }
        });
        sink
    }

    pub(in crate::forward) fn url(&self) -> String {
        format!("http://{}/services/T0/s3cret-path?key=s3cret-query", self.at)
    }

    pub(in crate::forward) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::forward) fn count(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn serve(mut stream: TcpStream, heard: Arc<Mutex<Vec<Heard>>>, answers: Answers) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(request.clone());
        answers(heard.len() - 1, &request)
    };
    let _ = answer(stream, reply).await;
}

async fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = vec![];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let line = lines.next()?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            if body.len() >= length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0) {
                return Some(Heard { line, headers, body: body.to_owned() });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn answer(mut stream: TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Bytes(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await
        }
        Reply::Hang(text) => {
            stream.write_all(text.as_bytes()).await?;
            // Until the other side has enough of it.
            while stream.read(&mut [0; 16]).await? > 0 {}
            Ok(())
        }
        Reply::Drip(text) => {
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(b"x").await?;
                sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::Endless(text) => {
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 4096]).await?;
            }
        }
        Reply::Reset => {
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
            Ok(())
        }
    }
}
