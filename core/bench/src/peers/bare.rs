//! The base line of a broadcast: what the first connection sends is written to each, in a loop.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::Outcome;

/// Begins when `count` have connected.
pub(crate) fn serve(port: u16, count: usize) -> Outcome<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut sockets = (0..count).map(|_| accept(&listener)).collect::<Result<Vec<_>, _>>()?;
    let mut buffer = [0; 64 << 10];
    loop {
        let count = sockets[0].read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        for socket in &mut sockets {
            socket.write_all(&buffer[..count])?;
        }
    }
}

fn accept(listener: &TcpListener) -> std::io::Result<TcpStream> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    Ok(socket)
}
