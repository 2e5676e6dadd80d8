"""The artifact: one inert, checksummed ``.om`` file."""
