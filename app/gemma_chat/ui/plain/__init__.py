"""The plain line mode: one more terminal of the host, for screen readers and dumb terminals.

What it writes is only ever appended: no colour, no cursor motion, nothing that is drawn over. A
line at the left edge is the program's or says who speaks; what a model writes after its first line
is indented, so that no reply can be taken for a sentence of the program.

Two threads: the main one has the keyboard and the terminal (`console`), the other one the event
loop with the link to the host and everything that follows from it (`terminal`).
"""
