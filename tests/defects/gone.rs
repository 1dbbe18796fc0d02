//! Each defect is one scenario, told in the original's words and run against both. The naive
//! design has to show the defect: otherwise the scenario proves nothing.

use tandem_registry::{ClientKey, NewClient, Policy, Registry, StreamKey};

use crate::fixtures::{
    model::{Id, Node, Stream},
    naive::{ClientInfo, Naive},
};

/// What a connection handler remembers of its own connection.
struct Connection<H> {
    id: Id,
    node: Node,
    handle: H,
}

/// The gateway's calls, as its connection handlers make them.
trait Gateway: Sized {
    type Handle;

    fn with_limit(max_clients: usize) -> Self;
    /// A client connects; its handler then stores its stream and, maybe, an endpoint.
    fn connect(
        &mut self,
        id: Id,
        node: Node,
        stream: Stream,
        endpoint: Option<Node>,
    ) -> Option<Connection<Self::Handle>>;
    /// The handler of a connection says that it is over.
    fn disconnect(&mut self, connection: Connection<Self::Handle>);
    /// A send on the connection's stream has failed.
    fn send_failed(&mut self, connection: &Connection<Self::Handle>);
    /// The same client under another node id, with another stream.
    fn update_node(
        &mut self,
        connection: Connection<Self::Handle>,
        node: Node,
        stream: Stream,
    ) -> Connection<Self::Handle>;
    /// A stream arrives for a connection whose client may be gone by now.
    fn store_stream(&mut self, connection: &Connection<Self::Handle>, stream: Stream);
    fn stream(&self, name: Node) -> Option<Stream>;
    /// Everything held that is no client's.
    fn leaked(&self) -> usize;
}

impl Gateway for Naive {
    type Handle = ();

    fn with_limit(max_clients: usize) -> Self {
        Self::new(max_clients)
    }

    fn connect(
        &mut self,
        id: Id,
        node: Node,
        stream: Stream,
        endpoint: Option<Node>,
    ) -> Option<Connection<()>> {
        let info = ClientInfo {
            node,
            // What the original's clients say of themselves does not name the endpoint that
            // their stream is stored under.
            endpoint: None,
            info: 0,
        };
        self.client_connected(id, info).ok()?;
        self.store_client_stream(node, stream, endpoint);
        let handle = ();
        Some(Connection { id, node, handle })
    }

    fn disconnect(&mut self, connection: Connection<()>) {
        self.client_disconnected(connection.id);
    }

    fn send_failed(&mut self, connection: &Connection<()>) {
        self.remove_stale_stream(connection.node);
    }

    fn update_node(
        &mut self,
        connection: Connection<()>,
        node: Node,
        stream: Stream,
    ) -> Connection<()> {
        self.connect(connection.id, node, stream, None)
            .expect("an update is allowed even when the pool is full")
    }

    fn store_stream(&mut self, connection: &Connection<()>, stream: Stream) {
        self.store_client_stream(connection.node, stream, None);
    }

    fn stream(&self, name: Node) -> Option<Stream> {
        self.client_stream(name).or_else(|| self.stream_by_endpoint(name))
    }

    fn leaked(&self) -> usize {
        self.entries()
    }
}

struct Tandem(Registry<Id, Node, u64, Stream>);

impl Gateway for Tandem {
    type Handle = (ClientKey, Option<StreamKey>);

    fn with_limit(max_clients: usize) -> Self {
        let builder = Registry::builder().max_clients(max_clients).on_conflict(Policy::Takeover);
        Self(builder.build().unwrap())
    }

    fn connect(
        &mut self,
        id: Id,
        node: Node,
        stream: Stream,
        endpoint: Option<Node>,
    ) -> Option<Connection<Self::Handle>> {
        let mut new = NewClient::new(id, node, 0).stream(stream);
        if let Some(endpoint) = endpoint {
            new = new.alias(endpoint);
        }
        let connected = self.0.connect(new).ok()?;
        let handle = (connected.key, connected.stream_key);
        Some(Connection { id, node, handle })
    }

    fn disconnect(&mut self, connection: Connection<Self::Handle>) {
        self.0.disconnect_key(connection.handle.0);
    }

    fn send_failed(&mut self, connection: &Connection<Self::Handle>) {
        if let Some(stream_key) = connection.handle.1 {
            self.0.detach_stream(stream_key);
        }
    }

    fn update_node(
        &mut self,
        connection: Connection<Self::Handle>,
        node: Node,
        stream: Stream,
    ) -> Connection<Self::Handle> {
        self.connect(connection.id, node, stream, None).expect("a takeover needs no free place")
    }

    fn store_stream(&mut self, connection: &Connection<Self::Handle>, stream: Stream) {
        // An error hands the stream back: the handler closes it.
        let _ = self.0.attach_stream(connection.handle.0, stream);
    }

    fn stream(&self, name: Node) -> Option<Stream> {
        self.0.stream_cloned(&name)
    }

    fn leaked(&self) -> usize {
        self.0.flush();
        self.0.len() + self.0.stats().retired
    }
}

/// Runs a scenario on both: true means that the defect was seen.
macro_rules! defect {
    ($test:ident, $scenario:ident) => {
        #[test]
        fn $test() {
            let naive = $scenario(Naive::with_limit(3));
            assert!(naive, "the scenario shows nothing: the naive design passes it");
            assert!(!$scenario(Tandem::with_limit(3)), "the defect is back");
        }
    };
}

/// 1: the old connection's late removal deletes the stream of a client that has reconnected under
/// the same node id.
fn late_removal_deletes_the_new_stream<G: Gateway>(mut gateway: G) -> bool {
    let old = gateway.connect(1, 10, 100, None).unwrap();
    let _new = gateway.connect(2, 10, 200, None).unwrap();
    gateway.disconnect(old);
    gateway.stream(10) != Some(200)
}
defect!(defect_1_late_removal_deletes_the_new_stream, late_removal_deletes_the_new_stream);

/// 1, when the client has kept its id: the late removal takes the whole new client.
fn late_removal_deletes_the_new_client<G: Gateway>(mut gateway: G) -> bool {
    let old = gateway.connect(1, 10, 100, None).unwrap();
    let _new = gateway.connect(1, 10, 200, None).unwrap();
    gateway.disconnect(old);
    gateway.stream(10) != Some(200)
}
defect!(defect_1_late_removal_deletes_the_new_client, late_removal_deletes_the_new_client);

/// 2: the report that a send failed removes a stream that has been replaced meanwhile.
fn stale_report_removes_a_fresh_stream<G: Gateway>(mut gateway: G) -> bool {
    let connection = gateway.connect(1, 10, 100, None).unwrap();
    // The client opens a new stream before the report about the old one comes in.
    gateway.store_stream(&connection, 200);
    gateway.send_failed(&connection);
    gateway.stream(10) != Some(200)
}
defect!(defect_2_stale_report_removes_a_fresh_stream, stale_report_removes_a_fresh_stream);

/// 3: an update with another node id orphans the stream under the old one.
fn update_orphans_the_old_stream<G: Gateway>(mut gateway: G) -> bool {
    let connection = gateway.connect(1, 10, 100, None).unwrap();
    let connection = gateway.update_node(connection, 20, 200);
    let still_routed = gateway.stream(10).is_some();
    assert_eq!(gateway.stream(20), Some(200));
    gateway.disconnect(connection);
    still_routed || gateway.stream(10).is_some()
}
defect!(defect_3_update_orphans_the_old_stream, update_orphans_the_old_stream);

/// 4: a stream stored for a node without a client is never removed,
fn stream_without_a_client_stays<G: Gateway>(mut gateway: G) -> bool {
    let connection = gateway.connect(1, 10, 100, None).unwrap();
    let late = Connection { handle: gateway_handle(&mut gateway, 2, 20), id: 2, node: 20 };
    gateway.disconnect(connection);
    gateway.store_stream(&late, 200);
    gateway.stream(20).is_some()
}
defect!(defect_4_stream_without_a_client_stays, stream_without_a_client_stays);

/// 4: and escapes `max_clients`.
fn streams_escape_the_limit<G: Gateway>(mut gateway: G) -> bool {
    for n in 0..100 {
        let handle = gateway_handle(&mut gateway, n, n);
        gateway.store_stream(&Connection { id: n, node: n, handle }, n);
    }
    (0..100).filter(|&n| gateway.stream(n).is_some()).count() > 3
}
defect!(defect_4_streams_escape_the_limit, streams_escape_the_limit);

/// The handle of a client that has come and gone.
fn gateway_handle<G: Gateway>(gateway: &mut G, id: Id, node: Node) -> G::Handle {
    let gone = gateway.connect(id, node, 0, None).expect("there is a place");
    let again = gateway.connect(id, node, 0, None).expect("there is a place");
    gateway.disconnect(again);
    assert_eq!(gateway.stream(node), None);
    gone.handle
}

/// 5: an explicit disconnect leaks the monitor of the client.
fn disconnect_leaks<G: Gateway>(mut gateway: G) -> bool {
    for n in 0..1_000 {
        let connection = gateway.connect(n, n, n, None).unwrap();
        gateway.disconnect(connection);
    }
    gateway.leaked() > 0
}
defect!(defect_5_disconnect_leaks, disconnect_leaks);

/// 6: an endpoint that is stored with the stream but absent from the info leaks, and leads to a
/// stream that is gone.
fn endpoint_leaks<G: Gateway>(mut gateway: G) -> bool {
    let connection = gateway.connect(1, 10, 100, Some(11)).unwrap();
    assert_eq!(gateway.stream(11), Some(100));
    gateway.disconnect(connection);
    assert_eq!(gateway.stream(10), None);
    gateway.stream(11).is_some()
}
defect!(defect_6_endpoint_leaks, endpoint_leaks);

/// The bug that started it all, at the scale of its report: 5,000 connects, 4,900 disconnects. The
/// original has fixed it; its copy here may leak monitors, but no streams.
#[test]
fn the_founding_bug_leaves_no_stream_behind() {
    fn streams_left<G: Gateway>(mut gateway: G) -> usize {
        let connections: Vec<_> =
            (0..5_000).map(|n| gateway.connect(n, n, n, None).unwrap()).collect();
        for connection in connections.into_iter().take(4_900) {
            gateway.disconnect(connection);
        }
        (0..5_000).filter(|&n| gateway.stream(n).is_some()).count()
    }
    assert_eq!(streams_left(Naive::with_limit(5_000)), 100);
    assert_eq!(streams_left(Tandem::with_limit(5_000)), 100);
}
