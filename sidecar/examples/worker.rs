//! A worker that acknowledges, on the pure Rust `zeromq` crate.
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1);
    let endpoint = endpoint.unwrap_or("ipc://lifeboat-data/sockets/work.workers".into());
    let mut socket = DealerSocket::new();
    socket.connect(&endpoint).await?;
    let mut done = 0;
    while done < 100 {
        let frames = socket.recv().await?.into_vec();
        match frames.first().map(AsRef::as_ref) {
            Some(b"HELLO") => socket.send(verb(&[b"CREDIT", b"64"])).await?,
            Some(b"MSG") => {
                done += 1; // here the work is done: frames[5..] is the message
                socket.send(verb(&[b"ACK", &frames[1]])).await?;
            }
            _ => eprintln!("not understood: {frames:?}"),
        }
    }
    // The crate sends in the background, and what is still there when the process ends is lost: an
    // ACK that is lost means that the message is delivered again.
    let sending = std::sync::Arc::downgrade(&socket.backend());
    drop(socket);
    while sending.strong_count() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    println!("acknowledged {done}");
    Ok(())
}

fn verb(frames: &[&[u8]]) -> ZmqMessage {
    let mut message = ZmqMessage::from(frames[0].to_vec());
    for frame in &frames[1..] {
        message.push_back(frame.to_vec().into());
    }
    message
}
