//! Sizes, times, and limits that contradict each other.

pub(super) const CASES: &str = "
<limits>
  max-message-size lots
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found 'lots'
----
<limits>
  max-message-size -1
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found '-1'
----
<limits>
  max-message-size 0
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size above 0, such as 16MB, found '0'
----
<limits>
  max-message-size
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found nothing
----
<limits>
  max-connections many
</limits>
=> zope.conf:5: <limits> max-connections: expected a whole number from 1 to 4294967295, found 'many'
----
<limits>
  soft-backlog 8MB
</limits>
=> zope.conf:5: <limits> soft-backlog: 8MB is above max-backlog, which is 4MB
----
<websocket /chat>
  <plugin chat />
  <limits>
    max-backlog 100KB
  </limits>
</websocket>
=> zope.conf:7: <websocket /chat> <limits> max-backlog: 100KB is below soft-backlog, which is 256KB; set that too
----
<websocket /chat>
  <plugin chat />
  <limits>
    max-message-size lots
  </limits>
</websocket>
=> zope.conf:7: <websocket /chat> <limits> max-message-size: expected a byte size such as 16MB, found 'lots'
----
<websocket /chat>
  <plugin chat />
  <limits>
    max-header-size 1KB
  </limits>
</websocket>
=> zope.conf:7: <websocket /chat> <limits> max-header-size: holds for the whole host; set it in the <limits> at the top
----
<limits>
  ping-timeout 0
</limits>
=> zope.conf:5: <limits> ping-timeout: expected a time above 0, such as 30s, found '0'
";
