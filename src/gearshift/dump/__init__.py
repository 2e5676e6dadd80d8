"""Models as JSON: what ``atc --mode=1`` writes."""
