"""The page at /: plain HTML from the snapshot, without scripts.

summary    the one sentence: is the gallery fine?
checks     the table of the checks
render     the page around it, everything escaped
style.css  light and dark
"""
