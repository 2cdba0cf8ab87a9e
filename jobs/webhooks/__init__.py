"""Reports that providers send by themselves: who may be believed, whose job it is, and waking whoever waits for it.

What a report says is never believed (the adapter asks the provider again), only that there is something to ask about.
"""
