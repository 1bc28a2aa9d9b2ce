"""What `make bench` measures: each module here is one subject, runs alone (`python -m bench.door`) and gives rows."""
