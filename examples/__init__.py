"""Programs that show gearshift at work."""
