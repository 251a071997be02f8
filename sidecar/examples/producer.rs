//! A producer with receipts, on the pure Rust `zeromq` crate.
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut socket = DealerSocket::new();
    socket.connect("tcp://127.0.0.1:5556").await?;
    for number in 0..100 {
        socket.send(ZmqMessage::from(format!("order {number}"))).await?;
    }
    for _ in 0..100 {
        let receipt = socket.recv().await?; // code, seq: in the order of the messages
        assert_eq!(receipt.get(0).map(AsRef::as_ref), Some(&b"200"[..]));
    }
    println!("100 orders are written and synced");
    Ok(())
}
