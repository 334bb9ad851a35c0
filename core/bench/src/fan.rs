//! A plugin for the measurement of a broadcast: each message goes to all clients.

use switchboard_sdk::*;

struct Fan {
    host: Host,
}

impl Endpoint for Fan {
    type Session = ();

    fn create(setup: &Setup) -> Result<Self, Error> {
        setup.only(&[])?;
        Ok(Self { host: setup.host() })
    }

    fn open(&self, conn: &Conn, _: &Request<'_>) -> Result<Opened<()>, Reject> {
        let full = |_| Reject::new(503, "The topic takes nobody.");
        conn.subscribe(TOPIC, &Subscription::new()).map_err(full)?;
        Ok(Opened::accept(()))
    }

    fn message(&self, _: &Conn, (): &mut (), message: Message<'_>) -> Result<Handled, Error> {
        self.host.publish(TOPIC, Publication::new(message))?;
        Ok(Handled::Done)
    }
}

const TOPIC: &str = "all";

export!(Fan, id = "org.switchboard.bench.fan", never_blocks = true);
