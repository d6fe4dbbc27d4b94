"""What every process needs and no event is known to: connections, topics, tokens, logs, how a process ends."""
