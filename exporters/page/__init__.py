"""The page at /: plain HTML from the snapshot, without scripts.

summary    the one sentence: is the gallery fine?
render     the page around it, everything escaped
style.css  light and dark
"""
