//! What is there twice: keys, sections, names, addresses, prefixes.

pub(super) const CASES: &str = "
debug-mode on
Debug-Mode on
=> zope.conf:5: Debug-Mode: given twice; the first is at zope.conf:4
----
<limits>
</limits>
<limits>
</limits>
=> zope.conf:6: <limits>: given twice; the first is at zope.conf:4
----
<listener Main>
  address 1
</listener>
=> zope.conf:4: <listener Main>: the name is taken by the section at zope.conf:1
----
<listener b>
  address 18081
</listener>
<listener c>
  address 127.0.0.1:18081
</listener>
=> zope.conf:8: <listener c> address: the address is taken by the listener at zope.conf:5
----
<websocket /chat>
  <plugin chat />
</websocket>
<websocket /%63hat/ >
  <plugin chat />
</websocket>
=> zope.conf:7: <websocket /chat>: the prefix is taken by the <websocket> section at zope.conf:4
----
<websocket /chat>
  host a.org
  host b.org
  <plugin chat />
</websocket>
<websocket /chat>
  host B.org
  <plugin chat />
</websocket>
=> zope.conf:9: <websocket /chat>: the prefix for host b.org is taken by the <websocket> section at zope.conf:4
----
<websocket /chat>
  listener main
  <plugin chat />
</websocket>
<websocket /chat>
  <plugin chat />
</websocket>
=> zope.conf:8: <websocket /chat>: the prefix is taken by the <websocket> section at zope.conf:4
----
<http / >
  <static>
    path www
  </static>
</http>
<http / >
  <static>
    path www
  </static>
</http>
=> zope.conf:9: <http />: the prefix is taken by the <http> section at zope.conf:4
";
