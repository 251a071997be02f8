//! The CRD refuses nothing that the validator accepts: a queue that runs standalone can be applied.

use lifeboat_api::validate_dataplane;

use crate::api_server::ApiServer;
use crate::dice::Dice;

#[test]
fn what_the_validator_accepts_the_crd_accepts() {
    let server = ApiServer::new();
    let mut dice = Dice::new(1);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let queue = dice.queue();
        if validate_dataplane(&queue).is_ok() {
            accepted += 1;
            let refusals = server.refusals(&queue, None);
            assert!(refusals.is_empty(), "{refusals:?}: {queue}");
        } else {
            refused += 1;
        }
    }
    assert!(accepted > 500 && refused > 1_000, "{accepted} accepted, {refused} refused");
}
