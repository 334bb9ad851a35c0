//! Values that a person may well write, and that are none.

pub(super) const CASES: &str = "
<limits>
  max-message-size 1.5MB
  max-backlog 9999999GB
  soft-backlog 1_000
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found '1.5MB'
=> zope.conf:6: <limits> max-backlog: expected a byte size of at most 1048576GB, found '9999999GB'
=> zope.conf:7: <limits> soft-backlog: expected a byte size such as 16MB, found '1_000'
----
<limits>
  slow-timeout 1m 30s 2m
  close-timeout 40000d
  ping-timeout -5s
</limits>
stop-timeout
=> zope.conf:5: <limits> slow-timeout: expected a time with each unit once, such as 1h 30m, found '1m 30s 2m'
=> zope.conf:6: <limits> close-timeout: expected a time of at most 36525d, found '40000d'
=> zope.conf:7: <limits> ping-timeout: expected a time such as 30s, 0.5s, 5m or 1h 30m, found '-5s'
=> zope.conf:9: stop-timeout: expected a time such as 30s, 0.5s, 5m or 1h 30m, found nothing
----
<listener b>
  address *:8080
</listener>
<listener c>
  address 65536
</listener>
<listener d>
  address ::1:8080
</listener>
<listener e>
  address www.example.org
</listener>
=> zope.conf:5: <listener b> address: expected an address, such as 0.0.0.0:8080 or [::]:8080 for all of them, found '*:8080'
=> zope.conf:8: <listener c> address: expected a port from 0 to 65535, such as 8080, found '65536'
=> zope.conf:11: <listener d> address: expected an IPv6 address in brackets and a port, such as [::1]:8080, found '::1:8080'
=> zope.conf:14: <listener e> address: expected a host and a port, such as www.example.org:8080, found 'www.example.org'
----
clienthome ~zope/var
plugin-path
=> zope.conf:4: clienthome: expected a path with '~' alone or before a '/', such as ~/www, found '~zope/var'
=> zope.conf:5: plugin-path: expected a path such as /srv/www, found nothing
----
<websocket /a>
  host a..b
  host www.example.org:80
  origin https://::1
  origin-required 0
  subprotocol v1, v2
  compression on
  <plugin a />
</websocket>
=> zope.conf:5: <websocket /a> host: expected a host name without port, such as www.example.org or *.example.org, found 'a..b'
=> zope.conf:6: <websocket /a> host: expected a host name without port, such as www.example.org or *.example.org, found 'www.example.org:80'
=> zope.conf:7: <websocket /a> origin: expected same, *, or an origin such as https://www.example.org or https://*.example.org, found 'https://::1'
=> zope.conf:8: <websocket /a> origin-required: expected on or off, found '0'
=> zope.conf:9: <websocket /a> subprotocol: expected one subprotocol, such as chat.v1, found 'v1, v2'
=> zope.conf:10: <websocket /a> compression: expected off, shared or dedicated, found 'on'
";
