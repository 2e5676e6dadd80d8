"""`acl.mdl`: models loaded, described, set to a gear and executed."""
