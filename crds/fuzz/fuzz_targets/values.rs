//! Quantities, durations and endpoints: any text is refused or read, and what was read is written
//! back to the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lifeboat_api::{DurationText, Endpoint, Quantity, format_bytes};

fuzz_target!(|text: &str| {
    if let Ok(quantity) = text.parse::<Quantity>() {
        assert_eq!(quantity.to_string(), text);
        let again: Quantity = format_bytes(quantity.bytes()).parse().expect("a quantity of ours");
        assert_eq!(again.bytes(), quantity.bytes());
    }
    if let Ok(duration) = text.parse::<DurationText>() {
        let again: DurationText = format!("{}ms", duration.value().as_millis())
            .parse()
            .expect("milliseconds of a duration");
        assert_eq!(again.value(), duration.value());
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let again: Endpoint = endpoint.to_string().parse().expect("an endpoint of ours");
        assert_eq!(again, endpoint);
        if let Endpoint::Ipc(path) = endpoint {
            assert!(Path::new(&path).is_absolute());
        }
    }
});
