//! Queues that are put together at random, the same ones in each run: some are accepted, some are
//! not.

use serde_json::{Map, Value, json};

/// A generator of numbers (Knuth's MMIX).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    /// Sets each of `fields` in one of `rarity` cases, to one of its values.
    fn maybe(
        &mut self,
        object: &mut Map<String, Value>,
        rarity: usize,
        fields: &[(&str, &[Value])],
    ) {
        for (name, values) in fields {
            if self.roll(rarity) == 0 {
                object.insert((*name).to_owned(), values[self.roll(values.len())].clone());
            }
        }
    }

    /// A queue with one to three streams.
    pub(crate) fn queue(&mut self) -> Value {
        let streams: Vec<_> = (0..=self.roll(2)).map(|index| self.stream(index)).collect();
        let mut spec = Map::new();
        spec.insert("storage".to_owned(), json!({"size": self.pick(&SIZES)}));
        spec.insert("streams".to_owned(), streams.into());
        spec.insert("template".to_owned(), json!({"spec": {"containers": [{"name": "app"}]}}));
        self.maybe(
            &mut spec,
            6,
            &[
                (
                    "durability",
                    &[
                        json!({}),
                        json!({"sync": "Always"}),
                        json!({"sync": "None"}),
                        json!({"sync": "Interval", "interval": "10ms"}),
                        json!({"sync": "Interval", "interval": "1m"}),
                    ],
                ),
                ("sidecar", &[json!({}), json!({"memory": "1Gi"}), json!({"memory": "33554431"})]),
            ],
        );
        json!({
            "apiVersion": lifeboat_api::API_VERSION,
            "kind": lifeboat_api::KIND,
            "metadata": {"name": self.pick(&["a", "q-1", "b", "c", "d", "e", "f", "g", "orders", "1st"])},
            "spec": spec,
        })
    }

    fn stream(&mut self, index: usize) -> Value {
        let ingress: Vec<_> = (0..=self.roll(2)).map(|at| self.ingress(at)).collect();
        let deliveries: Vec<_> = (0..=self.roll(2)).map(|at| self.delivery(at)).collect();
        let mut stream = Map::new();
        stream.insert("name".to_owned(), format!("s{index}").into());
        stream.insert("ingress".to_owned(), ingress.into());
        stream.insert("deliveries".to_owned(), deliveries.into());
        self.maybe(
            &mut stream,
            4,
            &[(
                "retention",
                &[
                    json!({}),
                    json!({"policy": "WorkQueue", "onFull": "Block"}),
                    json!({"onFull": "Reject", "onDamage": "SkipWithGap"}),
                    json!({"onFull": "DropOldest"}),
                    json!({"maxBytes": "128Mi"}),
                    json!({"policy": "Limits", "maxAge": "1h"}),
                    json!({"policy": "Limits", "maxAge": "87600h"}),
                    json!({"policy": "Limits"}),
                    json!({"policy": "Latest", "key": "Topic"}),
                ],
            )],
        );
        stream.into()
    }

    fn ingress(&mut self, at: usize) -> Value {
        let mut ingress = Map::new();
        ingress.insert("name".to_owned(), format!("i{at}").into());
        let socket = self.pick(&[
            "PULL", "PULL", "PULL", "PULL", "PULL", "ROUTER", "ROUTER", "ROUTER", "ROUTER", "SUB",
        ]);
        ingress.insert("socket".to_owned(), socket.into());
        if (socket == "ROUTER") != (self.roll(50) == 0) {
            let protocol = self.pick(&[
                "Receipt",
                "Receipt",
                "Receipt",
                "Receipt",
                "Receipt",
                "Receipt",
                "Receipt",
                "Majordomo",
            ]);
            ingress.insert("protocol".to_owned(), protocol.into());
        }
        self.endpoint(&mut ingress);
        self.maybe(
            &mut ingress,
            25,
            &[
                ("maxMessageSize", &[json!("1"), json!("1Ki"), json!("0.5Mi"), json!("65Mi")]),
                ("maxConnections", &[json!(1), json!(65_535), json!(65_536), json!(0)]),
                (
                    "dedup",
                    &[json!({"window": "1s"}), json!({"window": "24h"}), json!({"window": "0s"})],
                ),
                ("topics", &[json!(["a"])]),
            ],
        );
        ingress.into()
    }

    fn delivery(&mut self, at: usize) -> Value {
        let mut delivery = Map::new();
        delivery.insert(
            "name".to_owned(),
            self.pick(&["i0", "d0", "d1", "d2", "d3", "d4", "d5", "d6"]).into(),
        );
        if at > 0 {
            delivery.insert("name".to_owned(), format!("e{at}").into());
        }
        let socket = self.pick(&[
            "PUSH", "PUSH", "PUSH", "DEALER", "DEALER", "ROUTER", "ROUTER", "ROUTER", "ROUTER",
            "PUB",
        ]);
        delivery.insert("socket".to_owned(), socket.into());
        if (socket == "ROUTER") != (self.roll(50) == 0) {
            let protocol = self.pick(&[
                "Credit", "Credit", "Credit", "Credit", "Credit", "Credit", "Credit", "Pzq",
            ]);
            delivery.insert("protocol".to_owned(), protocol.into());
        }
        self.endpoint(&mut delivery);
        self.maybe(
            &mut delivery,
            25,
            &[
                ("maxConnections", &[json!(1), json!(65_536)]),
                ("ackTimeout", &[json!("10ms"), json!("24h"), json!("1m30s"), json!("9ms")]),
                ("maxInFlight", &[json!(1), json!(65_536), json!(65_537)]),
                ("maxAttempts", &[json!(1), json!(1_000_000), json!(0)]),
                ("backoff", &[json!(["0s"]), json!(["1s", "1s"]), json!(["1h", "24h"]), json!([])]),
                ("trail", &[json!({}), json!({"messages": 1_000}), json!({"time": "1s"})]),
            ],
        );
        delivery.into()
    }

    fn endpoint(&mut self, socket: &mut Map<String, Value>) {
        if self.roll(2) == 0 {
            socket.insert("bind".to_owned(), self.pick(&BINDS).into());
        }
        self.maybe(
            socket,
            20,
            &[(
                "connect",
                &[
                    json!(["tcp://feed.example:80"]),
                    json!(["tcp://[::1]:1", "ipc:///run/lifeboat/x"]),
                    json!(["tcp://*:80"]),
                    json!(["tcp://a:1", "tcp://a:1"]),
                ],
            )],
        );
    }
}

const SIZES: [&str; 8] = ["1Gi", "10Gi", "64Mi", "1e10", "2Gi", "1T", "4e9", "63Mi"];

const BINDS: [&str; 16] = [
    "tcp://*:5555",
    "tcp://*:5556",
    "tcp://*:05557",
    "tcp://127.0.0.1:5558",
    "tcp://127.0.0.2:5558",
    "tcp://[::1]:5558",
    "tcp://[::]:5559",
    "tcp://Host-1.example:1024",
    "tcp://a:65535",
    "tcp://*:*",
    "tcp://*:0",
    "tcp://10.0.0.1:00",
    "ipc:///run/lifeboat/x",
    "ipc:///run/lifeboat/y",
    "tcp://*:80",
    "tcp://a b:5000",
];
