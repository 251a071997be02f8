//! A request and its answer, as text.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The whole answer, head included.
pub(crate) async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// The sum over all series of a metric whose labels contain `label`, from `/metrics` there.
pub(crate) async fn metric(address: &str, name: &str, label: &str) -> f64 {
    let text = get(address, "/metrics").await.unwrap();
    sum(&text, name, |line| line.contains(label))
}

/// The sum over the series of a metric that `of` picks by their lines.
pub(crate) fn sum(text: &str, name: &str, of: impl Fn(&str) -> bool) -> f64 {
    let series = text.lines().filter(|line| line.starts_with(name) && of(line));
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}
