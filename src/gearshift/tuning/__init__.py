"""What programs cost on this host: measured, kept, and chosen from under a memory budget."""
