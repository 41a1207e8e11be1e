"""Speed, measured: each module has `main(arguments)` and prints one JSON line a figure. `soc bench` runs them."""
