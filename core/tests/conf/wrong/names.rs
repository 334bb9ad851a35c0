//! Keys and sections that nobody knows, or that stand where they do not belong.

pub(super) const CASES: &str = "
colour red
=> zope.conf:4: colour: unknown key; known here are instancehome, clienthome, plugin-path, worker-threads, debug-mode and stop-timeout
----
debugmode on
=> zope.conf:4: debugmode: unknown key; did you mean 'debug-mode'?
----
max-message-size 1MB
=> zope.conf:4: max-message-size: unknown key here; it belongs in <limits>
----
limits 3
=> zope.conf:4: limits: is a section; write <limits>
----
<websocket /chat>
  orign *
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> orign: unknown key; did you mean 'origin'?
----
<webscoket /chat>
</webscoket>
=> zope.conf:4: <webscoket /chat>: unknown section; did you mean <websocket>?
----
<static>
</static>
=> zope.conf:4: <static>: unknown section here; it belongs in <http /PREFIX>
----
<zodb_db main>
</zodb_db>
=> zope.conf:4: <zodb_db main>: unknown section; known here are <listener>, <limits>, <topics>, <websocket>, <http>, <admin> and <eventlog>
----
<limits big>
</limits>
=> zope.conf:4: <limits big>: takes no name; write <limits>
";
