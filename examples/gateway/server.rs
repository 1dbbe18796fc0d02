//! The gateway itself: a listening socket and one task for every connection that it accepts.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    select,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::{
    connection::{self, Hall},
    designs::Design,
    ledger::Ledger,
};

/// Connections that may wait to be accepted. Thousands of clients that come back at once find room,
/// instead of an overflow that costs each of them a second.
const BACKLOG: u32 = 4096;
/// How long to wait before accepting again after the system had no socket left.
const STARVED: Duration = Duration::from_millis(20);

/// A running gateway.
pub struct Gateway {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Listens on `address` and serves whoever connects. Port 0 finds a free one.
    pub fn start<D: Design>(
        address: SocketAddr,
        design: Arc<D>,
        ledger: &'static Ledger,
    ) -> io::Result<Self> {
        let listener = listen(address)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let hall = Arc::new(Hall { design, ledger });
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            select! {
                () = accept(&listener, &hall, &mut connections) => {}
                _ = stopped => {}
            }
            connections.shutdown().await;
        });
        Ok(Self { address, stop, task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cancels every connection, and returns once none is left.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // On Windows this would let another process take the port as well.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept<D: Design>(
    listener: &TcpListener,
    hall: &Arc<Hall<D>>,
    connections: &mut JoinSet<()>,
) {
    let mut starved = false;
    for id in 0.. {
        let (socket, peer) = loop {
            // Connections that have ended give their tasks back here.
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of files, most likely. Those who are connected are served meanwhile.
                    if !std::mem::replace(&mut starved, true) {
                        eprintln!("gateway: cannot accept for now: {error}");
                    }
                    sleep(STARVED).await;
                }
            }
        };
        starved = false;
        // A peer that is gone already is found out by its first read.
        let _ = socket.set_nodelay(true);
        connections.spawn(connection::serve(Arc::clone(hall), id, socket, peer));
    }
}
