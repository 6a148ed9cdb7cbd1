"""The system that it runs on: where things lie, locks, services, logs, memory; and a doctor for it."""
