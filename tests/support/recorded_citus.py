"""A database that says of itself what a real cluster said (Citus 13.2.2, PostgreSQL 15.20, a
coordinator and two workers): its metadata, and its functions with refusals that were seen.

Nothing is spread: what is read of a layout, and asked because of it, is tested here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from tests.support.app import conninfo

FOLDER = Path(__file__).parent / "citus"
_METADATA = """
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (
    logicalrelid regclass, partmethod "char", partkey text, colocationid integer,
    repmodel "char", autoconverted boolean
);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid integer);
CREATE TABLE pg_catalog.pg_dist_node (nodename text, nodeport integer, isactive boolean);
GRANT SELECT ON pg_catalog.pg_dist_partition, pg_catalog.pg_dist_local_group,
    pg_catalog.pg_dist_node TO PUBLIC;
INSERT INTO pg_catalog.pg_extension
SELECT 77777, 'citus', extowner, 'pg_catalog'::regnamespace, false, '13.2-1', NULL, NULL
FROM pg_catalog.pg_extension LIMIT 1;
CREATE SCHEMA recorded;
GRANT USAGE ON SCHEMA recorded TO PUBLIC;
CREATE TABLE recorded.size (relation text PRIMARY KEY, bytes bigint);
GRANT SELECT ON recorded.size TO PUBLIC;
CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS $$
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = $1 AND attnum = substring($2 FROM ':varattno (\\d+)')::integer
$$;
CREATE FUNCTION pg_catalog.citus_total_relation_size(regclass, boolean DEFAULT true)
RETURNS bigint LANGUAGE sql AS $$
    SELECT bytes FROM (
        SELECT 1 AS preferred, bytes FROM recorded.size WHERE relation = $1::text
        UNION ALL SELECT 2, 8192 ORDER BY 1 LIMIT 1
    ) AS known
$$;
CREATE FUNCTION recorded.is_known(regclass) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = $1)
$$;
CREATE FUNCTION pg_catalog.create_reference_table(named regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM pg_dist_partition WHERE logicalrelid = named AND repmodel = 's';
    INSERT INTO pg_dist_partition VALUES (named, 'n', NULL, 1, 't', false);
    INSERT INTO pg_dist_partition
    SELECT DISTINCT conrelid::regclass, 'n'::"char", NULL, 0, 's'::"char", true
    FROM pg_constraint
    WHERE contype = 'f' AND confrelid = named AND NOT recorded.is_known(conrelid);
END $$;
CREATE FUNCTION pg_catalog.undistribute_table(named regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_constraint WHERE contype = 'f' AND named IN (conrelid, confrelid)
    ) THEN
        RAISE 'cannot complete operation because table % has a foreign key',
            (SELECT relname FROM pg_class WHERE oid = named);
    END IF;
    DELETE FROM pg_dist_partition WHERE logicalrelid = named;
END $$;
CREATE FUNCTION pg_catalog.create_distributed_table(
    named regclass, by text, colocate_with text DEFAULT 'default'
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    place integer := (SELECT attnum FROM pg_attribute WHERE attrelid = named AND attname = by);
    found pg_dist_partition;
BEGIN
    SELECT * INTO found FROM pg_dist_partition WHERE logicalrelid = named;
    IF found.partmethod = 'h' OR found.repmodel = 't' THEN
        RAISE 'table "%" is already distributed', named;
    END IF;
    IF EXISTS (
        SELECT FROM pg_index WHERE indrelid = named AND indisunique AND place <> ALL (indkey)
    ) THEN
        RAISE 'cannot create constraint on "%"', named USING DETAIL =
            'Distributed relations cannot have UNIQUE, EXCLUDE, or PRIMARY KEY constraints that do'
            ' not include the partition column';
    END IF;
    IF EXISTS (
        SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = named
          AND NOT recorded.is_known(confrelid)
    ) THEN
        RAISE 'referenced table must be a distributed table or a reference table';
    END IF;
    DELETE FROM pg_dist_partition WHERE logicalrelid = named;
    INSERT INTO pg_dist_partition VALUES (
        named, 'h',
        format('{VAR :varno 1 :varattno %s :vartype 20 :vartypmod -1 :varcollid 0 :varlevelsup 0'
            ' :varnosyn 1 :varattnosyn %s :location -1}', place, place),
        CASE colocate_with
            WHEN 'default' THEN 2
            WHEN 'none' THEN (SELECT 10 + count(*) FROM pg_dist_partition)
            ELSE (SELECT colocationid FROM pg_dist_partition
                WHERE logicalrelid = colocate_with::regclass)
        END, 's', false
    );
END $$;
"""


def recorded(name: str) -> list[dict[str, str]]:
    """The rows of a file in citus/, as psql printed them."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    head, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


def make_cluster(url: str, *statements: str, group: int = 0) -> None:
    """The database becomes one of Citus; `group` 0 is the coordinator. `statements` spread it."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(_METADATA)
        connection.execute("INSERT INTO pg_dist_local_group VALUES (%s)", [group])
        for node in recorded("pg_dist_node"):
            values = [node[name] for name in ("nodename", "nodeport", "isactive")]
            connection.execute("INSERT INTO pg_dist_node VALUES (%s, %s, %s)", values)
    run_on(url, *statements)


def run_on(url: str, *statements: str) -> None:
    """Each statement by itself, as the superuser."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("SET allow_system_table_mods = on")
        for statement in statements:
            connection.execute(statement)


def silence(url: str, *relations: str) -> None:
    """A node with shards of these does not answer any more; none: all do again."""
    run_on(url, "DELETE FROM recorded.size")
    for relation in relations:
        run_on(url, f"INSERT INTO recorded.size VALUES ('{relation}', NULL)")


def metadata(rows: Sequence[dict[str, str]]) -> list[str]:
    """The statements that write recorded rows of pg_dist_partition."""
    return [
        "INSERT INTO pg_dist_partition VALUES ('{logicalrelid}', '{partmethod}',"
        " nullif('{partkey}', ''), {colocationid}, '{repmodel}', '{autoconverted}')".format(
            **{"partkey": "", "autoconverted": "f", **row}
        )
        for row in rows
    ]
