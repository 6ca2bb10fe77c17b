-- One id whose bytes are no UTF-8, if any. Only for a database of the encoding SQL_ASCII, which lets
-- every byte in, and takes each for a character.
SELECT 1
FROM {table}
WHERE ({filter}
) AND {column}::text !~ (
    '^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]'
    '|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{{2}}|\xed[\x80-\x9f][\x80-\xbf]'
    '|\xf0[\x90-\xbf][\x80-\xbf]{{2}}|[\xf1-\xf3][\x80-\xbf]{{3}}|\xf4[\x80-\x8f][\x80-\xbf]{{2}})*$'
)
LIMIT 1
