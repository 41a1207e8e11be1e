"""The durable event log: what was received, in order, before anything is made of it. One file per keeper."""
