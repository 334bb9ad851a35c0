//! Who may come to a <websocket>, and who answers.

pub(super) const CASES: &str = "
<websocket /chat>
  origin www.example.org
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> origin: expected same, *, or an origin such as https://www.example.org or https://*.example.org, found 'www.example.org'
----
<websocket /chat>
  host www.example.org:80
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> host: expected a host name without port, such as www.example.org or *.example.org, found 'www.example.org:80'
----
<websocket /chat>
  listener mian
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> listener: there is no <listener mian>; did you mean 'main'?
----
<websocket /chat>
  listener public
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> listener: there is no <listener public>; there is main
----
<websocket /chat>
  subprotocol a, b
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> subprotocol: expected one subprotocol, such as chat.v1, found 'a, b'
----
<websocket /chat>
</websocket>
=> zope.conf:4: <websocket /chat>: nobody answers; write <plugin NAME>, <external> or <forward> inside it
----
<websocket /chat>
  <plugin chat />
  <plugin echo />
</websocket>
=> zope.conf:6: <websocket /chat>: only one may answer, but there are <plugin chat> at zope.conf:5 and <plugin echo> at zope.conf:6
----
<websocket /chat>
  <plugin />
</websocket>
=> zope.conf:5: <websocket /chat> <plugin>: the name is missing; write <plugin NAME>
----
<websocket /chat>
  <plugin chat>
    history 50
  </plugin>
</websocket>
=> zope.conf:6: <websocket /chat> <plugin chat> history: unknown key; this section takes none, but it may have <config>
----
<websocket /app>
  <plugin chat />
  <forward>
    url ws://127.0.0.1:9000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app>: only one may answer, but there are <plugin chat> at zope.conf:5 and <forward> at zope.conf:6
----
<websocket /feed>
  <external>
  </external>
</websocket>
=> zope.conf:4: <websocket /feed> <external>: there is neither a program nor a socket; write 'program path/to/program', or 'socket path/to/socket' for one that listens
----
<websocket /feed>
  <external>
    program bin/feed
    socket var/feed.sock
  </external>
</websocket>
=> zope.conf:7: <websocket /feed> <external> socket: there is a program already; the host starts a program, or connects to a socket, not both
----
<websocket /feed>
  <external>
    argument --quiet
    socket var/feed.sock
  </external>
</websocket>
=> zope.conf:6: <websocket /feed> <external> argument: an argument is for a program that the host starts, and this one listens on a socket
----
<websocket /feed>
  <external>
    progam bin/feed
  </external>
</websocket>
=> zope.conf:6: <websocket /feed> <external> progam: unknown key; did you mean 'program'?
----
<websocket /app>
  <forward>
  </forward>
</websocket>
=> zope.conf:5: <websocket /app> <forward>: 'url' is missing; write for example 'url ws://127.0.0.1:9000/app'
----
<websocket /app>
  <forward>
    url http://127.0.0.1:9000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app> <forward> url: expected ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or ws+unix:/PATH/OF/SOCKET:/PATH, found 'http://127.0.0.1:9000'
----
<websocket /app>
  <forward>
    url ws://127.0.0.1:9000
    ca etc/ca.pem
  </forward>
</websocket>
=> zope.conf:7: <websocket /app> <forward> ca: there is no certificate to check; the url does not begin with wss://
----
<listener public>
  address 127.0.0.1:0
  <ssl>
    certificate etc/cert.pem
  </ssl>
</listener>
=> zope.conf:6: <listener public> <ssl>: 'key' is missing; write for example 'key etc/privkey.pem'
----
<websocket /app>
  <forward>
    url ws://127.0.0.1:90000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app> <forward> url: expected a url such as ws://127.0.0.1:9000/app (its port is no number from 1 to 65535), found 'ws://127.0.0.1:90000'
----
<websocket /app>
  <forward>
    url ws://127.0.0.1:9000
    forward-header Host
  </forward>
</websocket>
=> zope.conf:7: <websocket /app> <forward> forward-header: expected the name of another header, since the host itself sets or leaves out this one, found 'Host'
";
