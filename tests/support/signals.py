# Before a command: it heeds signals that the test run itself ignores, under nohup or as a job in the background.
HEEDING_SIGNALS = ["env", "--default-signal=HUP,INT"]
