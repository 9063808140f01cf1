"""The modules of bench/gpu_check. They use the standard library only, because gpu_check runs on machines where
nothing can be installed."""
