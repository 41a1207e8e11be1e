"""What we do about it: playbooks, their engine and connectors. Still to be furnished."""
