-- Users of the audience created after the oldest legacy artwork that is missing for anybody: part
-- of what would be marked as seen they never could have seen.
WITH cte_member AS {leaf} (
    SELECT u.id FROM {audience} AS u
),
cte_aged AS {leaf} (
    SELECT {user_id} AS member_id, {user_created} AS member_created FROM {users} AS one
)
SELECT count(*) AS users
FROM cte_member AS member
JOIN cte_aged AS aged ON aged.member_id = member.id
WHERE aged.member_created > to_timestamp(%(oldest_legacy)s)
