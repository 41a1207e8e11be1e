"""Are we as we should be: checks, frameworks, reports. Still to be furnished."""
