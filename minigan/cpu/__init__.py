"""What the CPU needs to run at its limit: threads, reused memory, counted copies."""
