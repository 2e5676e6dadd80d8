"""What has to hold before an artifact is written: rows are independent, gears give the numbers."""
