//! Prefixes of URLs, and the files below them.

pub(super) const CASES: &str = "
<http / >
</http>
=> zope.conf:4: <http />: nobody answers; write <static> inside it
----
<http / >
  <static>
  </static>
</http>
=> zope.conf:5: <http /> <static>: 'path' is missing; write for example 'path examples/demo'
----
<http / >
  <static>
    path nowhere
  </static>
</http>
=> zope.conf:6: <http /> <static> path: there is no directory nowhere
----
<http / >
  <static>
    path www/index.html
  </static>
</http>
=> zope.conf:6: <http /> <static> path: www/index.html is no directory
----
<http />
=> zope.conf:4: <http>: is empty and has no prefix, because it ends in '/>'; write <http / > for the prefix /
----
<http>
</http>
=> zope.conf:4: <http>: the prefix is missing; write <http /PREFIX>, or <http / > for all
----
<websocket chat>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket chat>: expected a prefix that begins with '/', found 'chat'
----
<websocket /a//b>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket /a//b>: expected a prefix without '//', found '/a//b'
----
<websocket /a/../b>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket /a/../b>: expected a prefix without '.' and '..', found '/a/../b'
----
<websocket /a%2fb>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket /a%2fb>: expected a prefix without an encoded '/', found '/a%2fb'
";
