"""The regulator's work, audited: registers, workflow, hooks. Still to be furnished."""
