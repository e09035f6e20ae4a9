"""Fast decoding on the CPU: packed weights and one step function, proved against the unmodified model."""
