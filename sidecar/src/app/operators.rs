//! What a running queue serves to those who run it: the control socket and the admin HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Place, StartError};
use crate::node::Node;
use crate::stop::Stop;
use crate::{admin, control};

/// Binds both and serves them among `services` until the order to stop. Returns where the admin
/// HTTP listens.
pub(super) async fn serve(
    node: &Arc<Node>,
    place: &Place,
    stop: &Stop,
    services: &mut JoinSet<()>,
) -> Result<Option<SocketAddr>, StartError> {
    let data = &place.data;
    let control = control::bind(data).map_err(|source| StartError::Bind {
        what: "--data".to_owned(),
        endpoint: control::path_in(data).display().to_string(),
        source,
    })?;
    services.spawn(control::serve(control, data.clone(), Arc::clone(node), stop.clone()));
    let Some(address) = place.admin else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Bind {
        what: "--admin".to_owned(),
        endpoint: format!("http://{address}"),
        source,
    })?;
    let bound = listener.local_addr()?;
    let served = admin::serve(listener, Arc::clone(node), stop.clone());
    services.spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "admin HTTP ended");
        }
    });
    Ok(Some(bound))
}
