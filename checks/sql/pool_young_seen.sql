-- How often the young artworks were seen, by all: an index alone tells.
SELECT count(*) AS seen FROM {impressions} AS i WHERE i.{artwork} = ANY ({young_ids})
