"""A report of finished runs that somebody can read who was not there."""
