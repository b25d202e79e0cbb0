"""The event server as one installation: doors, host, worker, and what people ask of them. Nothing is imported here."""
