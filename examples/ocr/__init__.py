"""An OCR pipeline whose recogniser gets a different number of crops on each page."""
