//! What no section asked for: the lines of ZConfig itself.

pub(super) const CASES: &str = "
%include missing.conf
=> zope.conf:4: cannot read missing.conf: there is no such file
----
%include zope.conf
=> zope.conf:4: %include cycle: zope.conf -> zope.conf
----
%import relstorage
=> zope.conf:4: %import: is not supported: every section that switchboard knows is known without it
----
instancehome $NOPE
=> zope.conf:4: no replacement for '$NOPE': no %define of it before this line
----
instancehome $(NOPE)
=> zope.conf:4: no replacement for '$(NOPE)': the environment has no such variable, or it is not UTF-8
----
<websocket /chat/>
  <plugin chat />
</websocket>
=> zope.conf:6: unexpected section end: no <websocket> is open here; '/>' makes a section empty; write <websocket /chat/ >
----
<limits>
=> zope.conf:4: unclosed sections not allowed: the file ends before </limits> of zope.conf:4
----
<limits>
  </topics>
</limits>
=> zope.conf:5: unbalanced section end: </topics> stands where </limits> of zope.conf:4 is expected
----
%define a 1
%define a 2
=> zope.conf:5: cannot redefine 'a': it is '1' since zope.conf:4
----
(x
=> zope.conf:4: malformed configuration data: a key cannot begin with a parenthesis
";
