//! The control socket.

pub(super) const CASES: &str = "
<admin>
  socket-path admin.sock
</admin>
=> zope.conf:5: <admin> socket-path: unknown key; did you mean 'socket-name'?
----
<listener local>
  address run/one.sock
</listener>
<admin>
  socket-name ./run/one.sock
</admin>
=> zope.conf:8: <admin> socket-name: the address is taken by the listener at zope.conf:5
----
<admin>
</admin>
<admin>
</admin>
=> zope.conf:6: <admin>: given twice; the first is at zope.conf:4
----
<admin main>
</admin>
=> zope.conf:4: <admin main>: takes no name; write <admin>
----
<admin>
  socket-name /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
</admin>
=> zope.conf:5: <admin> socket-name: /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx is too long for a Unix socket, which may have 107 bytes
";
