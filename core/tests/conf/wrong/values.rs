//! Values of the top level, of listeners and of the log.

pub(super) const CASES: &str = "
instancehome nowhere
=> zope.conf:4: instancehome: there is no directory nowhere
----
stop-timeout soon
=> zope.conf:4: stop-timeout: expected a time such as 30s, 0.5s, 5m or 1h 30m, found 'soon'
----
stop-timeout 1h30m
=> zope.conf:4: stop-timeout: expected a time such as 30s, 0.5s, 5m or 1h 30m, found '1h30m'
----
debug-mode 1
=> zope.conf:4: debug-mode: expected on or off, found '1'
----
<listener b>
  address unix:/x
</listener>
=> zope.conf:5: <listener b> address: expected a port, HOST:PORT, [IPV6]:PORT, or the path of a Unix socket with a '/' in it, found 'unix:/x'
----
<listener b>
  address /a
  socket-mode rw
</listener>
=> zope.conf:6: <listener b> socket-mode: expected an octal mode from 0000 to 0777, such as 0660, found 'rw'
----
<listener b>
</listener>
=> zope.conf:4: <listener b>: 'address' is missing; write for example 'address 127.0.0.1:8080'
----
<listener>
  address 1
</listener>
=> zope.conf:4: <listener>: the name is missing; write <listener NAME>
----
<eventlog>
  level loud
</eventlog>
=> zope.conf:5: <eventlog> level: expected critical, error, warn, info, debug, trace, all, off, or a number from 0 to 50, found 'loud'
----
debug-mode 1
<limits>
  max-backlog x
  soft-backlog 8MB
</limits>
listener b
<websocket /a>
  listener other
  origin nobody
  <plugin a>
  </plugin>
</websocket>
=> zope.conf:4: debug-mode: expected on or off, found '1'
=> zope.conf:6: <limits> max-backlog: expected a byte size such as 16MB, found 'x'
=> zope.conf:9: listener: is a section; write <listener NAME>
=> zope.conf:12: <websocket /a> origin: expected same, *, or an origin such as https://www.example.org or https://*.example.org, found 'nobody'
";
