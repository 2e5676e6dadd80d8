"""The command lines: ``gearshift`` and ``atc``. Nothing imports this package."""
