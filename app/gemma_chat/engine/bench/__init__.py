"""What `gemma-chat bench` measures: every figure beside a baseline taken in the same run.

`suite.measure` runs the measurements named in `names` and gives `figures.Figure`s; nothing in this
package prints. Times are wall-clock times of `time.perf_counter`.
"""
