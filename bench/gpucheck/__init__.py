"""What bench/gpu_check consists of. Standard library only: it runs where nothing can be installed."""
