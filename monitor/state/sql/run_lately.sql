-- Whether any run is under way, or was a minute ago: then this service has written impressions.
SELECT EXISTS (
    SELECT FROM {state}.run AS r
    WHERE r.finished_at IS NULL OR r.finished_at > now() - interval '1 minute'
) AS lately
