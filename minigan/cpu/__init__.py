"""What the CPU needs to run at its limit: threads and reused memory."""
