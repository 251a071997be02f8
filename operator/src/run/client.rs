//! The client of the API server: counted, and without retries of its own.
//!
//! kube's client repeats a request that was answered 429, 503 or 504 up to 15 times before its
//! caller hears of it. A reconcile would stand still meanwhile, so that is switched off: whoever
//! fails here waits by [`crate::run::backoff`].

use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{Layer, Service};

use crate::run::metrics::Metrics;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for this configuration.
///
/// # Errors
/// Certificates or keys that cannot be read.
pub(crate) fn client(mut config: Config, metrics: &Metrics) -> kube::Result<Client> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    let count = Count { metrics: metrics.clone() };
    Ok(ClientBuilder::try_from(config)?.with_layer(&count).build())
}

/// Counts requests by method and answer.
struct Count {
    metrics: Metrics,
}

impl<S> Layer<S> for Count {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.metrics.clone() }
    }
}

struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let metrics = self.metrics.clone();
        let method = request.method().to_string();
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            match &answer {
                Ok(response) => metrics.requested(&method, response.status().as_str()),
                Err(_) => metrics.requested(&method, "none"),
            }
            answer
        }
        .boxed()
    }
}
