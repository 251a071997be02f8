//! The read-only HTTP side: probes, metrics, status. Nothing here changes anything.

use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::node::Node;
use crate::stop::Stop;

/// Prometheus' text exposition format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until the order to stop.
///
/// # Errors
/// Of the listener.
pub async fn serve(listener: TcpListener, node: Arc<Node>, mut stop: Stop) -> std::io::Result<()> {
    let routes = Router::new()
        // Answered while the event loop turns, whatever the disk, the peers and the state are.
        .route("/livez", get(|| async { "ok\n" }))
        // Nothing listens here before recovery has ended.
        .route("/startupz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .with_state(node);
    let stopped = async move { stop.ordered().await };
    axum::serve(listener, routes).with_graceful_shutdown(stopped).await
}

/// 200 only when messages are taken from outside and can be synced. A stream that is full or stopped
/// by damage does not count: the others go on, and its producers wait for it here.
async fn readyz(Shared(node): Shared<Arc<Node>>) -> Response {
    match node.unready() {
        None => "ok\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn metrics(Shared(node): Shared<Arc<Node>>) -> Response {
    match tokio::task::block_in_place(|| node.render_metrics()) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(Shared(node): Shared<Arc<Node>>) -> Response {
    axum::Json(tokio::task::block_in_place(|| node.status())).into_response()
}
