"""`acl.media`: pictures and video, decoded, resized and encoded by libraries for it."""
