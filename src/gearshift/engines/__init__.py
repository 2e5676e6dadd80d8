"""Engines: the libraries that execute a network. One file each, behind `base.Engine`."""
