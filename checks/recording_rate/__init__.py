"""Whether the app still records impressions as it usually does: pure statistics, two SELECTs.

samples     what is kept: real impressions an interval, counted when they were observed; which of
            them a judgement needs, and any stretch of them for two look-ups
baseline    the usual rate of a stretch, how much it varies, and how today compares with it, so that
            a holiday is not an outage
assessment  samples -> deviation, with what led to it, and as the check's measurement
queries     counts a sample on the database, and what its table still tells of the past

docs/recording-rate.md says what all this amounts to, with figures.
"""
