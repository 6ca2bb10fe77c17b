-- As revision 0013 of the schema left it: tests/support/recorded_state.py.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA conservator;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE conservator.backfilled_impression (
    run_id bigint NOT NULL,
    user_id character varying NOT NULL,
    artwork_id character varying NOT NULL,
    viewed_at timestamp without time zone NOT NULL,
    replaced jsonb,
    written jsonb
);
COMMENT ON TABLE conservator.backfilled_impression IS 'Every impression that conservator wrote and has not taken back. Synthetic: the user was never shown the artwork at viewed_at.';
CREATE TABLE conservator.backfilled_user (
    user_id character varying NOT NULL,
    run_id bigint NOT NULL,
    inserted bigint NOT NULL,
    backfilled_at timestamp with time zone NOT NULL
);
CREATE TABLE conservator.batch (
    run_id bigint NOT NULL,
    number bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seconds double precision NOT NULL,
    users bigint NOT NULL,
    inserted bigint NOT NULL,
    size bigint,
    size_reason text
);
CREATE TABLE conservator.census (
    id bigint NOT NULL,
    as_of timestamp with time zone NOT NULL,
    form text NOT NULL,
    tracked bigint NOT NULL,
    fresh bigint NOT NULL,
    storage bigint NOT NULL,
    legacy_untracked bigint NOT NULL,
    appeared bigint NOT NULL,
    legacy_artworks bigint NOT NULL,
    oldest_legacy_created double precision,
    audience bigint NOT NULL,
    users bigint NOT NULL,
    seconds double precision NOT NULL,
    users_affected bigint,
    users_clear bigint,
    users_seconds double precision
);
ALTER TABLE conservator.census ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME conservator.census_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE conservator.check_result (
    name text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    value double precision,
    seconds double precision
);
CREATE TABLE conservator.check_status (
    name text NOT NULL,
    outcome text,
    value double precision,
    message text DEFAULT ''::text NOT NULL,
    interval_seconds double precision NOT NULL,
    configured_interval_seconds double precision NOT NULL,
    duration_seconds double precision,
    last_run timestamp with time zone,
    last_success timestamp with time zone,
    evidence jsonb DEFAULT '[]'::jsonb NOT NULL,
    numbers jsonb DEFAULT '{}'::jsonb NOT NULL,
    stale_after_seconds double precision
);
CREATE TABLE conservator.check_transition (
    id bigint NOT NULL,
    name text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    before text,
    after text NOT NULL,
    value double precision,
    message text NOT NULL
);
ALTER TABLE conservator.check_transition ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME conservator.check_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE conservator.control (
    singleton boolean DEFAULT true NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    paused_reason text DEFAULT ''::text NOT NULL,
    paused_at timestamp with time zone,
    suspended boolean DEFAULT false NOT NULL,
    suspended_reason text DEFAULT ''::text NOT NULL,
    suspended_at timestamp with time zone,
    verified_until timestamp with time zone,
    breaker_open boolean DEFAULT false NOT NULL,
    breaker_code text DEFAULT ''::text NOT NULL,
    breaker_reason text DEFAULT ''::text NOT NULL,
    breaker_at timestamp with time zone,
    breaker_reset_at timestamp with time zone,
    accepted_share double precision,
    verified_at timestamp with time zone,
    tally_base_at timestamp with time zone,
    woken_at timestamp with time zone,
    tallied jsonb,
    CONSTRAINT control_singleton_check CHECK (singleton)
);
CREATE TABLE conservator.counter (
    name text NOT NULL,
    label text DEFAULT ''::text NOT NULL,
    value double precision NOT NULL
);
CREATE TABLE conservator.decision (
    id bigint NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    legacy_untracked bigint,
    run_id bigint
);
ALTER TABLE conservator.decision ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME conservator.decision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE conservator.leader (
    singleton boolean DEFAULT true NOT NULL,
    holder text DEFAULT ''::text NOT NULL,
    token bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT leader_singleton_check CHECK (singleton)
);
CREATE TABLE conservator.ledger_sweep (
    singleton boolean DEFAULT true NOT NULL,
    run_id bigint DEFAULT 0 NOT NULL,
    user_id character varying,
    artwork_id character varying,
    CONSTRAINT ledger_sweep_singleton_check CHECK (singleton)
);
CREATE TABLE conservator.quarantine (
    user_id character varying NOT NULL,
    artwork_id character varying NOT NULL,
    run_id bigint NOT NULL,
    error text NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    retry_at timestamp with time zone NOT NULL
);
CREATE TABLE conservator.recording_sample (
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    impressions bigint NOT NULL,
    artworks bigint NOT NULL,
    seeded boolean DEFAULT false NOT NULL,
    suspect boolean DEFAULT false NOT NULL,
    level double precision DEFAULT 1 NOT NULL
);
CREATE TABLE conservator.repair_control (
    repair text NOT NULL,
    suspended boolean DEFAULT false NOT NULL,
    suspended_reason text DEFAULT ''::text NOT NULL,
    suspended_at timestamp with time zone,
    breaker_open boolean DEFAULT false NOT NULL,
    breaker_code text DEFAULT ''::text NOT NULL,
    breaker_reason text DEFAULT ''::text NOT NULL,
    breaker_at timestamp with time zone,
    breaker_reset_at timestamp with time zone,
    accepted_rows bigint
);
CREATE TABLE conservator.repair_decision (
    id bigint NOT NULL,
    repair text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL
);
ALTER TABLE conservator.repair_decision ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME conservator.repair_decision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE conservator.repair_status (
    repair text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    counted_at timestamp with time zone,
    named bigint,
    table_rows bigint,
    share double precision,
    seconds double precision,
    error text
);
CREATE TABLE conservator.repair_work (
    run_id bigint NOT NULL,
    "position" bigint NOT NULL,
    key jsonb NOT NULL,
    version text,
    change jsonb
);
CREATE TABLE conservator.repaired_row (
    run_id bigint NOT NULL,
    "position" bigint NOT NULL,
    repair text NOT NULL,
    key jsonb NOT NULL,
    before jsonb,
    after jsonb
);
COMMENT ON TABLE conservator.repaired_row IS 'Every row that a repair changed and that was not given back: as it was, and as it was left. Null: there was, or is, none.';
CREATE TABLE conservator.run (
    id bigint NOT NULL,
    kind text NOT NULL,
    trigger text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    outcome text DEFAULT ''::text NOT NULL,
    holder text NOT NULL,
    token bigint DEFAULT 1 NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    legacy_until timestamp with time zone NOT NULL,
    created_before timestamp with time zone,
    subject character varying,
    planned_users bigint DEFAULT 0 NOT NULL,
    planned_rows bigint DEFAULT 0 NOT NULL,
    pass integer DEFAULT 1 NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    artwork_cursor character varying,
    batches bigint DEFAULT 0 NOT NULL,
    inserted bigint DEFAULT 0 NOT NULL,
    writing_seconds double precision DEFAULT 0 NOT NULL,
    waiting_seconds double precision DEFAULT 0 NOT NULL,
    legacy_before bigint,
    legacy_after bigint,
    remaining bigint,
    undoes bigint,
    user_cursor character varying,
    beyond_breaker boolean DEFAULT false NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    aside bigint DEFAULT 0 NOT NULL,
    recurring bigint DEFAULT 0 NOT NULL,
    waiting_for text DEFAULT ''::text NOT NULL,
    catalogue jsonb,
    impressions_oid oid,
    users_oid oid,
    artworks text[],
    repair text,
    repair_plan jsonb,
    repair_oid oid,
    CONSTRAINT run_kind_check CHECK ((kind = ANY (ARRAY['heal'::text, 'user'::text, 'undo'::text]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['running'::text, 'held'::text, 'succeeded'::text, 'partial'::text, 'failed'::text]))),
    CONSTRAINT run_trigger_check CHECK ((trigger = ANY (ARRAY['schedule'::text, 'api'::text, 'command'::text])))
);
ALTER TABLE conservator.run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME conservator.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE conservator.run_wait (
    run_id bigint NOT NULL,
    reason text NOT NULL,
    seconds double precision NOT NULL
);
CREATE TABLE conservator.schema_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE conservator.tally_artwork (
    artwork_id character varying NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    impressions bigint
);
CREATE TABLE conservator.tally_user (
    user_id character varying NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    impressions bigint
);
CREATE TABLE conservator.validation (
    suite text NOT NULL,
    validated_at timestamp with time zone NOT NULL,
    document jsonb NOT NULL
);
CREATE TABLE conservator.work (
    run_id bigint NOT NULL,
    "position" bigint NOT NULL,
    user_id character varying NOT NULL,
    found bigint NOT NULL,
    planned bigint NOT NULL
);
CREATE TABLE public.art_sessions (
    id character varying DEFAULT gen_random_uuid() NOT NULL,
    session_id character varying NOT NULL,
    user_id character varying,
    image_url text NOT NULL,
    prompt text,
    dna_vector text,
    pool_status character varying DEFAULT 'active'::character varying NOT NULL,
    is_library boolean DEFAULT false NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL
);
CREATE TABLE public.user_art_impressions (
    id character varying DEFAULT gen_random_uuid() NOT NULL,
    user_id character varying NOT NULL,
    artwork_id character varying NOT NULL,
    viewed_at timestamp without time zone DEFAULT now() NOT NULL,
    bridge_at timestamp without time zone,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT not_this_one CHECK ((((user_id)::text <> 'u0002'::text) OR ((artwork_id)::text <> 'old0003'::text)))
);
CREATE TABLE public.users (
    id character varying DEFAULT gen_random_uuid() NOT NULL,
    email character varying,
    subscription_tier character varying DEFAULT 'free'::character varying NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL
);
INSERT INTO conservator.backfilled_impression VALUES
	(3, 'u0001', 'old0001', '2026-11-28 06:33:09.005517', NULL, NULL),
	(3, 'u0001', 'old0002', '2026-11-28 06:33:09.005517', NULL, NULL),
	(3, 'u0001', 'old0003', '2026-11-28 06:33:09.010842', NULL, NULL),
	(3, 'u0002', 'old0001', '2026-11-28 06:33:09.016399', NULL, NULL),
	(3, 'u0002', 'old0002', '2026-11-28 06:33:09.016399', NULL, NULL),
	(3, 'u0003', 'old0001', '2026-11-28 06:33:09.033891', NULL, NULL),
	(3, 'u0003', 'old0002', '2026-11-28 06:33:09.039204', NULL, NULL),
	(3, 'u0003', 'old0003', '2026-11-28 06:33:09.044443', NULL, NULL),
	(3, 'u0004', 'old0001', '2026-11-28 06:33:09.053433', NULL, NULL),
	(3, 'u0004', 'old0002', '2026-11-28 06:33:09.053433', NULL, NULL),
	(3, 'u0004', 'old0003', '2026-11-28 06:33:09.057277', NULL, NULL),
	(4, 'u0005', 'old0001', '2026-11-28 06:33:10.04881', NULL, NULL),
	(4, 'u0005', 'old0002', '2026-11-28 06:33:10.04881', NULL, NULL),
	(4, 'u0005', 'old0003', '2026-11-28 06:33:10.054094', NULL, NULL),
	(4, 'u0005', 'seen0001', '2026-11-28 06:33:10.054094', NULL, NULL),
	(4, 'u0005', 'seen0002', '2026-11-28 06:33:10.058567', NULL, NULL),
	(4, 'u0005', 'seen0003', '2026-11-28 06:33:10.058567', NULL, NULL),
	(4, 'u0005', 'seen0004', '2026-11-28 06:33:10.063466', NULL, NULL),
	(4, 'u0005', 'seen0005', '2026-11-28 06:33:10.063466', NULL, NULL),
	(4, 'u0005', 'seen0006', '2026-11-28 06:33:10.06768', NULL, NULL),
	(4, 'u0005', 'seen0007', '2026-11-28 06:33:10.06768', NULL, NULL),
	(4, 'u0005', 'seen0008', '2026-11-28 06:33:10.07151', NULL, NULL),
	(5, 'u0001', 'old0004', '2026-11-28 06:33:10.568269', NULL, NULL),
	(5, 'u0002', 'old0004', '2026-11-30 00:49:09.98659', NULL, NULL),
	(5, 'u0003', 'old0004', '2026-11-30 00:49:09.990426', NULL, NULL),
	(5, 'u0004', 'old0004', '2026-11-30 00:49:09.990426', NULL, NULL),
	(5, 'u0005', 'old0004', '2026-11-30 00:49:09.990426', NULL, NULL),
	(8, 'u0003', 'next1', '2026-11-30 00:49:14.233567', NULL, NULL),
	(8, 'u0003', 'next2', '2026-11-30 00:49:14.233567', NULL, NULL),
	(8, 'u0003', 'next3', '2026-11-30 00:49:14.233567', NULL, NULL),
	(9, 'u0001', 'next1', '2026-11-30 00:49:15.337759', NULL, NULL);
INSERT INTO conservator.backfilled_user VALUES
	('u0005', 4, 11, '2026-11-28 06:33:10.084042+00'),
	('u0003', 8, 3, '2026-11-30 00:49:14.244697+00');
INSERT INTO conservator.batch VALUES
	(1, 1, '2026-11-28 06:33:06.552333+00', 0.004810041000041565, 1, 2, NULL, NULL),
	(1, 2, '2026-11-28 06:33:06.562997+00', 0.007569238000087353, 1, 1, NULL, NULL),
	(1, 3, '2026-11-28 06:33:06.572366+00', 0.010264354000014464, 1, 1, NULL, NULL),
	(2, 1, '2026-11-28 06:33:07.978916+00', 0.0025704789999281275, 1, 2, NULL, NULL),
	(2, 2, '2026-11-28 06:33:07.983433+00', 0.0022167969999600246, 2, 2, NULL, NULL),
	(3, 1, '2026-11-28 06:33:09.005517+00', 0.003089273000000503, 1, 2, NULL, NULL),
	(3, 2, '2026-11-28 06:33:09.010842+00', 0.00236197499998525, 1, 1, NULL, NULL),
	(3, 3, '2026-11-28 06:33:09.016399+00', 0.0023088739999366226, 1, 2, NULL, NULL),
	(3, 4, '2026-11-28 06:33:09.023444+00', 0.005460174999939227, 1, 0, NULL, NULL),
	(3, 5, '2026-11-28 06:33:09.030422+00', 0.002059895000002143, 1, 0, NULL, NULL),
	(3, 6, '2026-11-28 06:33:09.033891+00', 0.003860514000052717, 1, 1, NULL, NULL),
	(3, 7, '2026-11-28 06:33:09.039204+00', 0.003888831000040227, 1, 1, NULL, NULL),
	(3, 8, '2026-11-28 06:33:09.044443+00', 0.003652255000019977, 1, 1, NULL, NULL),
	(3, 9, '2026-11-28 06:33:09.049709+00', 0.0022095890000173313, 1, 0, NULL, NULL),
	(3, 10, '2026-11-28 06:33:09.053433+00', 0.0022968910000145115, 1, 2, NULL, NULL),
	(3, 11, '2026-11-28 06:33:09.057277+00', 0.0023779860000558983, 1, 1, NULL, NULL),
	(4, 1, '2026-11-28 06:33:10.04881+00', 0.003153172999986964, 1, 2, NULL, NULL),
	(4, 2, '2026-11-28 06:33:10.054094+00', 0.002774142000021129, 1, 2, NULL, NULL),
	(4, 3, '2026-11-28 06:33:10.058567+00', 0.002606194999998479, 1, 2, NULL, NULL),
	(4, 4, '2026-11-28 06:33:10.063466+00', 0.00239910699997381, 1, 2, NULL, NULL),
	(4, 5, '2026-11-28 06:33:10.06768+00', 0.0025054120000049807, 1, 2, NULL, NULL),
	(4, 6, '2026-11-28 06:33:10.07151+00', 0.004744638999909512, 1, 1, NULL, NULL),
	(5, 1, '2026-11-28 06:33:10.568269+00', 0.0060249230000408716, 1, 1, NULL, NULL),
	(5, 2, '2026-11-30 00:49:09.979254+00', 0.0053962329984642565, 1, 0, 1, 'refused'),
	(5, 3, '2026-11-30 00:49:09.98659+00', 0.0028651900065597147, 1, 1, 2, 'refused'),
	(5, 4, '2026-11-30 00:49:09.990426+00', 0.0023347609967458993, 3, 3, 4, 'refused'),
	(6, 1, '2026-11-30 00:49:11.156705+00', 0.0029257900023367256, 1, 3, 3, 'refused'),
	(6, 2, '2026-11-30 00:49:11.163603+00', 0.00267088100372348, 1, 3, 3, 'refused'),
	(6, 3, '2026-11-30 00:49:11.172293+00', 0.00583434399595717, 1, 0, 1, 'refused'),
	(6, 4, '2026-11-30 00:49:11.179264+00', 0.002246340001875069, 1, 0, 2, 'refused'),
	(6, 5, '2026-11-30 00:49:11.18241+00', 0.0023238449939526618, 1, 2, 4, 'refused'),
	(7, 1, '2026-11-30 00:49:12.272574+00', 0.0031552209984511137, 3, 8, 1000, 'first'),
	(8, 1, '2026-11-30 00:49:14.233567+00', 0.0039598280054633506, 1, 3, 1000, 'first'),
	(9, 1, '2026-11-30 00:49:15.337759+00', 0.007086546000209637, 1, 1, 1, 'first');
INSERT INTO conservator.census OVERRIDING SYSTEM VALUE VALUES
	(1, '2026-11-28 06:32:34.692208+00', 'census_by_total', 32, 0, 0, 12, 0, 3, 1793255547.280911, 4, 5, 0.005356097000003501, 4, 0, 0.000942116000032911),
	(2, '2026-11-28 06:33:01.617228+00', 'census_by_artwork', 32, 0, 0, 12, 0, 3, 1793255547.280911, 4, 5, 0.0012344369999937044, NULL, NULL, NULL),
	(3, '2026-11-28 06:33:06.585327+00', 'census_by_total', 36, 0, 0, 8, 0, 3, 1793255547.280911, 4, 5, 0.004324779000057788, NULL, NULL, NULL),
	(4, '2026-11-28 06:33:07.995284+00', 'census_by_total', 32, 0, 0, 12, 0, 3, 1793255547.280911, 4, 5, 0.0023531440000397197, NULL, NULL, NULL),
	(5, '2026-11-28 06:33:09.06211+00', 'census_by_total', 43, 0, 0, 1, 0, 1, 1793255547.280911, 4, 5, 0.0020537229999035844, NULL, NULL, NULL),
	(6, '2026-11-28 06:33:15.2001+00', 'census_by_total', 55, 0, 0, 5, 5, 2, 1793255547.280911, 5, 5, 0.002175659000045016, NULL, NULL, NULL),
	(7, '2026-11-30 00:49:09.995069+00', 'census_by_artwork', 59, 0, 0, 1, 1, 1, 1793255547.280911, 5, 5, 0.0010533769964240491, NULL, NULL, NULL),
	(8, '2026-11-30 00:49:11.187134+00', 'census_by_artwork', 67, 0, 0, 8, 8, 4, 1793255547.280911, 5, 5, 0.0010632609992171638, NULL, NULL, NULL),
	(9, '2026-11-30 00:49:12.284467+00', 'census_by_artwork', 59, 0, 0, 16, 0, 4, 1793255547.280911, 5, 5, 0.0013848890012013726, NULL, NULL, NULL);
INSERT INTO conservator.check_result VALUES
	('structure', '2026-11-28 06:32:34.61145+00', 'pass', 0, 0.0962114339999971),
	('census', '2026-11-28 06:32:34.689686+00', 'fail', 12, 0.005356097000003501),
	('duplicate_impressions', '2026-11-28 06:32:37.958301+00', 'skipped', NULL, 0.008802758000001631),
	('orphan_impressions', '2026-11-28 06:32:41.291688+00', 'skipped', NULL, 0.007101439000052778),
	('timestamps', '2026-11-28 06:32:44.626484+00', 'pass', 0, 0.01137562799999614),
	('recording_rate', '2026-11-28 06:32:47.987687+00', 'pass', 0, 0.03588263599999664),
	('pool_exhaustion', '2026-11-28 06:32:51.289017+00', 'warn', 4, 0.00799197199989976),
	('artwork_supply', '2026-11-28 06:32:54.624529+00', 'fail', 2592027.342726946, 0.006580265999900803),
	('users_at_all', '2026-11-28 06:32:57.954047+00', 'warn', 5, 0.005146292000063113),
	('gallery', '2026-11-28 06:33:01.58209+00', 'pass', 0, 0.2890484470000274),
	('gallery.column_values_to_not_be_null.created_at', '2026-11-28 06:33:01.582133+00', 'pass', 0, NULL),
	('census', '2026-11-28 06:33:01.61625+00', 'fail', 12, 0.0012344369999937044),
	('structure', '2026-11-28 06:33:15.16268+00', 'pass', 0, 0.05347125100001904),
	('census', '2026-11-28 06:33:15.199038+00', 'fail', 5, 0.002175659000045016);
INSERT INTO conservator.check_status VALUES
	('structure', 'pass', 0, 'The tables are as they should be.', 3600, 3600, 0.05347125100001904, '2026-11-28 06:33:15.161142+00', '2026-11-28 06:33:15.161142+00', '[]', '{"errors": 0, "warnings": 0}', NULL),
	('duplicate_impressions', 'skipped', NULL, 'Impossible: the unique index user_art_impressions_unique_user_artwork refuses duplicates.', 3600, 3600, 0.008802758000001631, '2026-11-28 06:32:37.95525+00', '2026-11-28 06:32:37.957249+00', '[]', '{}', NULL),
	('orphan_impressions', 'skipped', NULL, 'Impossible: the foreign keys user_art_impressions_user_id_fkey and user_art_impressions_artwork_id_fkey refuse orphans.', 3600, 3600, 0.007101439000052778, '2026-11-28 06:32:41.288339+00', '2026-11-28 06:32:41.290339+00', '[]', '{}', NULL),
	('timestamps', 'pass', 0, 'Every time is one that can be.', 3600, 3600, 0.01137562799999614, '2026-11-28 06:32:44.62283+00', '2026-11-28 06:32:44.62483+00', '[]', '{"artworks_in_future": 0, "artworks_without_time": 0, "impressions_in_future": 0, "impressions_before_artwork": 0}', NULL),
	('recording_rate', 'pass', 0, 'Learning: no earlier weeks known at this hour. Until there are two, only a complete stop can be told.', 21600, 21600, 0.03588263599999664, '2026-11-28 06:32:47.983992+00', '2026-11-28 06:32:47.98599+00', '[]', '{"level": 1.0, "usual": 0.0, "weeks": 0, "seeded": 0, "minutes": 0.0, "impressions": 0, "artworks_meanwhile": 0}', NULL),
	('pool_exhaustion', 'warn', 4, '4 of 4 users have fewer than 5 unseen artworks.', 300, 300, 0.00799197199989976, '2026-11-28 06:32:51.284964+00', '2026-11-28 06:32:51.286963+00', '[{"user_id": "u0001"}, {"user_id": "u0002"}, {"user_id": "u0003"}, {"user_id": "u0004"}]', '{"users": 4, "exhausted": 4}', NULL),
	('artwork_supply', 'fail', 2592027.342726946, 'The newest artwork is 30 days, 0:00:27 old.', 300, 300, 0.006580265999900803, '2026-11-28 06:32:54.619837+00', '2026-11-28 06:32:54.621835+00', '[{"artwork_id": "old0001", "created_at": "2026-10-29T06:32:27.280911+00:00"}]', '{"newest_created_timestamp_seconds": 1793255547.280911}', NULL),
	('users_at_all', 'warn', 5, 'The query returned 5.', 3600, 3600, 0.005146292000063113, '2026-11-28 06:32:57.949193+00', '2026-11-28 06:32:57.951191+00', '[]', '{}', NULL),
	('gallery', 'pass', 0, 'All 1 expectations are met.', 3600, 3600, 0.2890484470000274, '2026-11-28 06:33:01.576783+00', '2026-11-28 06:33:01.578781+00', '[]', '{}', NULL),
	('gallery.column_values_to_not_be_null.created_at', 'pass', 0, 'As expected.', 3600, 3600, NULL, '2026-11-28 06:33:01.57629+00', '2026-11-28 06:33:01.578288+00', '[]', '{}', NULL),
	('census', 'fail', 5, '5 legacy-untracked of 60 pairs.', 3600, 3600, 0.002175659000045016, '2026-11-28 06:33:15.198472+00', '2026-11-28 06:33:15.198474+00', '[]', '{"aged": 0, "fresh": 0, "storage": 0, "tracked": 55, "appeared": 5}', NULL);
INSERT INTO conservator.check_transition OVERRIDING SYSTEM VALUE VALUES
	(1, 'structure', '2026-11-28 06:32:34.61145+00', NULL, 'pass', 0, 'The tables are as they should be.'),
	(2, 'census', '2026-11-28 06:32:34.689686+00', NULL, 'fail', 12, '12 legacy-untracked of 44 pairs.'),
	(3, 'duplicate_impressions', '2026-11-28 06:32:37.958301+00', NULL, 'skipped', NULL, 'Impossible: the unique index user_art_impressions_unique_user_artwork refuses duplicates.'),
	(4, 'orphan_impressions', '2026-11-28 06:32:41.291688+00', NULL, 'skipped', NULL, 'Impossible: the foreign keys user_art_impressions_user_id_fkey and user_art_impressions_artwork_id_fkey refuse orphans.'),
	(5, 'timestamps', '2026-11-28 06:32:44.626484+00', NULL, 'pass', 0, 'Every time is one that can be.'),
	(6, 'recording_rate', '2026-11-28 06:32:47.987687+00', NULL, 'pass', 0, 'Learning: no earlier weeks known at this hour. Until there are two, only a complete stop can be told.'),
	(7, 'pool_exhaustion', '2026-11-28 06:32:51.289017+00', NULL, 'warn', 4, '4 of 4 users have fewer than 5 unseen artworks.'),
	(8, 'artwork_supply', '2026-11-28 06:32:54.624529+00', NULL, 'fail', 2592027.342726946, 'The newest artwork is 30 days, 0:00:27 old.'),
	(9, 'users_at_all', '2026-11-28 06:32:57.954047+00', NULL, 'warn', 5, 'The query returned 5.'),
	(10, 'gallery', '2026-11-28 06:33:01.58209+00', NULL, 'pass', 0, 'All 1 expectations are met.'),
	(11, 'gallery.column_values_to_not_be_null.created_at', '2026-11-28 06:33:01.582133+00', NULL, 'pass', 0, 'As expected.');
INSERT INTO conservator.control VALUES
	(true, true, 'The gallery moves.', '2026-11-30 00:49:16.320045+00', false, '', NULL, NULL, false, '', '', NULL, NULL, NULL, NULL, '2026-11-28 06:32:34.705594+00', NULL, '{"users": {"id": "id", "table": "users", "where": null}, "artworks": {"id": "id", "table": "art_sessions", "where": null, "created_at": "created_at"}, "impressions": {"user": "user_id", "table": "user_art_impressions", "where": null, "counts": null, "artwork": "artwork_id"}}');
INSERT INTO conservator.counter VALUES
	('check_runs', 'duplicate_impressions', 1),
	('check_runs', 'orphan_impressions', 1),
	('check_runs', 'timestamps', 1),
	('check_runs', 'recording_rate', 1),
	('check_runs', 'pool_exhaustion', 1),
	('check_runs', 'artwork_supply', 1),
	('check_runs', 'users_at_all', 1),
	('check_runs', 'gallery', 1),
	('check_runs', 'gallery.column_values_to_not_be_null.created_at', 1),
	('heal_batch_duration_seconds_bucket', '0.025', 1),
	('check_runs', 'structure', 2),
	('check_runs', 'census', 3),
	('heal_undone_impressions', '', 12),
	('heal_runs', '', 6),
	('heal_batch_duration_seconds_bucket', '0.01', 33),
	('heal_batch_duration_seconds_sum', '', 0.12600373700377077),
	('heal_impressions', '', 43);
INSERT INTO conservator.decision OVERRIDING SYSTEM VALUE VALUES
	(1, '2026-11-28 06:32:34.728396+00', 'paused', 'observe', '12 legacy-untracked pairs, and healing.mode is observe: only a person heals.', 12, NULL),
	(2, '2026-11-28 06:33:01.632728+00', 'paused', 'observe', '12 legacy-untracked pairs, and healing.mode is observe: only a person heals.', 12, NULL),
	(3, '2026-11-28 06:33:15.215838+00', 'paused', 'paused', 'Paused: The gallery moves..', 5, NULL);
INSERT INTO conservator.leader VALUES
	(true, 'vm:22959:2bd10733', 2, '2026-11-28 06:33:18.287039+00');
INSERT INTO conservator.ledger_sweep VALUES
	(true, 0, NULL, NULL);
INSERT INTO conservator.quarantine VALUES
	('u0002', 'old0003', 6, '23514: new row for relation "user_art_impressions" violates check constraint "not_this_one"', 3, '2026-11-28 06:33:09.023444+00', '2026-11-30 00:49:11.172293+00', '2026-11-30 00:49:15.317991+00');
INSERT INTO conservator.recording_sample VALUES
	('2026-11-26 06:00:00+00', '2026-11-26 12:00:00+00', 32, 0, true, false, 1),
	('2026-11-26 12:00:00+00', '2026-11-26 18:00:00+00', 0, 0, true, false, 1),
	('2026-11-26 18:00:00+00', '2026-11-27 00:00:00+00', 0, 0, true, false, 1),
	('2026-11-27 00:00:00+00', '2026-11-27 06:00:00+00', 0, 0, true, false, 1),
	('2026-11-27 06:00:00+00', '2026-11-27 12:00:00+00', 0, 0, true, false, 1),
	('2026-11-27 12:00:00+00', '2026-11-27 18:00:00+00', 0, 0, true, false, 1),
	('2026-11-27 18:00:00+00', '2026-11-28 00:00:00+00', 0, 0, true, false, 1),
	('2026-11-28 00:32:42.961061+00', '2026-11-28 06:32:42.961061+00', 0, 0, false, false, 1);
INSERT INTO conservator.run OVERRIDING SYSTEM VALUE VALUES
	(1, 'heal', 'command', 'succeeded', 'Asked for on the command line.', 'Nothing of the plan is left.', 'vm:22785:c06e9018', 1, '2026-11-28 06:33:06.597552+00', '2026-11-28 06:33:06.49446+00', '2026-11-28 06:33:06.597552+00', '2026-11-21 06:33:06.49446+00', NULL, NULL, 2, 4, 1, 2, NULL, 3, 4, 0.02264363300014338, 0, 12, 8, 0, NULL, NULL, false, 0, 0, 0, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(4, 'user', 'command', 'succeeded', 'Asked for on the command line.', 'Nothing of the plan is left.', 'vm:22830:a036b992', 1, '2026-11-28 06:33:10.084042+00', '2026-11-28 06:33:10.032453+00', '2026-11-28 06:33:10.084042+00', '2026-11-21 06:33:10.032453+00', NULL, 'u0005', 1, 11, 1, 1, NULL, 6, 11, 0.018182667999894875, 0, 11, 0, 0, NULL, NULL, false, 0, 0, 0, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(2, 'undo', 'command', 'succeeded', 'Asked for on the command line.', 'Took back 4 of 4 impressions of run 1: 0 were viewed again since and stay, 0 were gone already. Automatic healing is suspended until `conservator resume`.', 'vm:22788:2dfc30f0', 1, '2026-11-28 06:33:08.000102+00', '2026-11-28 06:33:07.966488+00', '2026-11-28 06:33:08.000102+00', '2026-11-21 06:33:06.49446+00', NULL, NULL, 2, 4, 2, 0, NULL, 2, 4, 0.004787275999888152, 0, NULL, 12, 0, 1, NULL, false, 0, 0, 0, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(3, 'heal', 'command', 'partial', 'Asked for on the command line.', 'All that could be written is written. 1 pairs could not be written and are in quarantine, the first because of 23514: new row for relation "user_art_impressions" violates check constraint "not_this_one".', 'vm:22827:fa39af0d', 1, '2026-11-28 06:33:09.068768+00', '2026-11-28 06:33:08.991092+00', '2026-11-28 06:33:09.068768+00', '2026-11-21 06:33:08.991092+00', NULL, NULL, 4, 12, 1, 4, NULL, 11, 11, 0.03356625800006441, 0, 12, 1, 0, NULL, NULL, false, 1, 0, 0, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(7, 'undo', 'command', 'succeeded', 'Asked for on the command line.', 'Took back 8 of 8 impressions of run 6: 0 were viewed again since and stay, 0 were gone already. Automatic healing is suspended until `conservator resume`.', 'vm:16570:6a29454b', 1, '2026-11-30 00:49:12.290433+00', '2026-11-30 00:49:12.260749+00', '2026-11-30 00:49:12.290433+00', '2026-11-23 00:49:11.115266+00', NULL, NULL, 3, 8, 2, 0, NULL, 1, 8, 0.0031552209984511137, 0, NULL, 16, 0, 6, NULL, false, 0, 0, 0, '', '{"pools": {"audience": "tracked"}, "catalog": {"pairs": {"same": [], "through": null}, "users": {"id": "id", "table": "users", "where": null, "created_at": null}, "artworks": {"id": "id", "owner": null, "table": "art_sessions", "where": null, "created_at": "created_at"}, "timezone": "UTC", "impressions": {"key": [], "set": {}, "user": "user_id", "table": "user_art_impressions", "where": null, "counts": null, "artwork": "artwork_id", "several": false, "defaults": {}, "viewed_at": "viewed_at"}}}', 16549, 16558, NULL, NULL, NULL, NULL),
	(6, 'heal', 'command', 'partial', 'Asked for on the command line.', 'All that could be written is written. 1 pairs could not be written and are in quarantine, the first because of 23514: new row for relation "user_art_impressions" violates check constraint "not_this_one".', 'vm:16567:87df30db', 1, '2026-11-30 00:49:11.192725+00', '2026-11-30 00:49:11.115266+00', '2026-11-30 00:49:11.192725+00', '2026-11-23 00:49:11.115266+00', NULL, NULL, 3, 9, 1, 3, NULL, 5, 8, 0.016001199997845106, 0, 16, 8, 0, NULL, NULL, false, 1, 0, 12, '', '{"pools": {"audience": "tracked"}, "catalog": {"pairs": {"same": [], "through": null}, "users": {"id": "id", "table": "users", "where": null, "created_at": null}, "artworks": {"id": "id", "owner": null, "table": "art_sessions", "where": null, "created_at": "created_at"}, "timezone": "UTC", "impressions": {"key": [], "set": {}, "user": "user_id", "table": "user_art_impressions", "where": null, "counts": null, "artwork": "artwork_id", "several": false, "defaults": {}, "viewed_at": "viewed_at"}}}', 16549, 16558, NULL, NULL, NULL, NULL),
	(5, 'heal', 'command', 'partial', 'a test', 'All that could be written is written. 1 pairs could not be written and are in quarantine, the first because of 23514: new row for relation "user_art_impressions" violates check constraint "not_this_one".', 'vm:16564:7fb1805a', 2, '2026-11-30 00:49:10.002139+00', '2026-11-28 06:33:10.536385+00', '2026-11-30 00:49:10.002139+00', '2026-11-21 06:33:10.536385+00', NULL, NULL, 5, 6, 1, 5, NULL, 4, 5, 0.016621107001810742, 0, 6, 1, 0, NULL, NULL, false, 1, 0, 4, '', '{"pools": {"audience": "tracked"}, "catalog": {"pairs": {"same": [], "through": null}, "users": {"id": "id", "table": "users", "where": null, "created_at": null}, "artworks": {"id": "id", "owner": null, "table": "art_sessions", "where": null, "created_at": "created_at"}, "timezone": "UTC", "impressions": {"key": [], "set": {}, "user": "user_id", "table": "user_art_impressions", "where": null, "counts": null, "artwork": "artwork_id", "several": false, "defaults": {}, "viewed_at": "viewed_at"}}}', NULL, NULL, NULL, NULL, NULL, NULL),
	(8, 'user', 'command', 'succeeded', 'Asked for on the command line.', 'Nothing of the plan is left.', 'vm:16575:0b7527f2', 1, '2026-11-30 00:49:14.244697+00', '2026-11-30 00:49:14.222896+00', '2026-11-30 00:49:14.244697+00', '2026-11-23 00:49:14.222896+00', NULL, 'u0003', 1, 3, 1, 1, NULL, 1, 3, 0.0039598280054633506, 0, 3, 0, 0, NULL, NULL, false, 0, 0, 0, '', '{"pools": {"audience": "tracked"}, "catalog": {"pairs": {"same": [], "through": null}, "users": {"id": "id", "table": "users", "where": null, "created_at": null}, "artworks": {"id": "id", "owner": null, "table": "art_sessions", "where": null, "created_at": "created_at"}, "timezone": "UTC", "impressions": {"key": [], "set": {}, "user": "user_id", "table": "user_art_impressions", "where": null, "counts": null, "artwork": "artwork_id", "several": false, "defaults": {}, "viewed_at": "viewed_at"}}}', 16549, 16558, NULL, NULL, NULL, NULL),
	(9, 'heal', 'command', 'held', 'Asked for on the command line.', 'Its process was told to stop.', 'vm:16578:3645469a', 1, '2026-11-30 00:49:15.355711+00', '2026-11-30 00:49:15.317991+00', NULL, '2026-11-23 00:49:15.317991+00', NULL, NULL, 4, 13, 1, 0, 'next1', 1, 1, 0.007086546000209637, 0, 13, NULL, NULL, NULL, NULL, false, 0, 0, 0, '', '{"pools": {"audience": "tracked"}, "catalog": {"pairs": {"same": [], "through": null}, "users": {"id": "id", "table": "users", "where": null, "created_at": null}, "artworks": {"id": "id", "owner": null, "table": "art_sessions", "where": null, "created_at": "created_at"}, "timezone": "UTC", "impressions": {"key": [], "set": {}, "user": "user_id", "table": "user_art_impressions", "where": null, "counts": null, "artwork": "artwork_id", "several": false, "defaults": {}, "viewed_at": "viewed_at"}}}', 16549, 16558, '{next2,next3,next1,old0003}', NULL, NULL, NULL);
INSERT INTO conservator.schema_version VALUES
	('0013');
INSERT INTO conservator.tally_artwork VALUES
	('seen0001', '2026-11-28 06:32:34.705594+00', 4),
	('seen0002', '2026-11-28 06:32:34.705594+00', 4),
	('seen0003', '2026-11-28 06:32:34.705594+00', 4),
	('seen0004', '2026-11-28 06:32:34.705594+00', 4),
	('seen0005', '2026-11-28 06:32:34.705594+00', 4),
	('seen0006', '2026-11-28 06:32:34.705594+00', 4),
	('seen0007', '2026-11-28 06:32:34.705594+00', 4),
	('seen0008', '2026-11-28 06:32:34.705594+00', 4),
	('old0001', '2026-11-28 06:33:15.204401+00', 5),
	('old0002', '2026-11-28 06:33:15.204401+00', 5),
	('old0003', '2026-11-28 06:33:15.204401+00', 4),
	('old0004', '2026-11-28 06:33:15.204401+00', 1),
	('seen0001', '2026-11-28 06:33:15.204401+00', 5),
	('seen0002', '2026-11-28 06:33:15.204401+00', 5),
	('seen0003', '2026-11-28 06:33:15.204401+00', 5),
	('seen0004', '2026-11-28 06:33:15.204401+00', 5),
	('seen0005', '2026-11-28 06:33:15.204401+00', 5),
	('seen0006', '2026-11-28 06:33:15.204401+00', 5),
	('seen0007', '2026-11-28 06:33:15.204401+00', 5),
	('seen0008', '2026-11-28 06:33:15.204401+00', 5);
INSERT INTO conservator.tally_user VALUES
	('u0001', '2026-11-28 06:32:34.705594+00', 8),
	('u0002', '2026-11-28 06:32:34.705594+00', 8),
	('u0003', '2026-11-28 06:32:34.705594+00', 8),
	('u0004', '2026-11-28 06:32:34.705594+00', 8),
	('u0001', '2026-11-28 06:33:15.204401+00', 12),
	('u0002', '2026-11-28 06:33:15.204401+00', 10),
	('u0003', '2026-11-28 06:33:15.204401+00', 11),
	('u0004', '2026-11-28 06:33:15.204401+00', 11),
	('u0005', '2026-11-28 06:33:15.204401+00', 11);
INSERT INTO conservator.validation VALUES
	('gallery', '2026-11-28 06:33:01.579441+00', '{"id": null, "meta": {"batch_spec": {"type": "table", "table_name": "art_sessions", "schema_name": null, "data_asset_name": "gallery", "batch_identifiers": {}}, "batch_markers": {"ge_load_time": "20261128T063301.496343Z"}, "active_batch_definition": {"data_asset_name": "gallery", "datasource_name": "database", "batch_identifiers": {}, "data_connector_name": "fluent"}, "great_expectations_version": "1.24.1"}, "results": [{"meta": {}, "result": {"element_count": 11, "unexpected_count": 0, "unexpected_percent": 0.0, "partial_unexpected_index_list": [], "unexpected_index_column_names": ["id"]}, "success": true, "exception_info": {"raised_exception": false, "exception_message": "", "exception_traceback": ""}, "expectation_config": {"meta": {"conservator_number": 0}, "type": "expect_column_values_to_not_be_null", "kwargs": {"column": "created_at", "batch_id": "database-gallery"}, "severity": "critical"}}], "success": true, "statistics": {"success_percent": 100.0, "evaluated_expectations": 1, "successful_expectations": 1, "unsuccessful_expectations": 0}, "suite_name": "gallery", "suite_parameters": {}}');
INSERT INTO conservator.work VALUES
	(9, 1, 'u0001', 3, 3),
	(9, 2, 'u0002', 4, 4),
	(9, 3, 'u0004', 3, 3),
	(9, 4, 'u0005', 3, 3);
INSERT INTO public.art_sessions VALUES
	('seen0001', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0002', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0003', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0004', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0005', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0006', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0007', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('seen0008', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-19 06:32:27.280911', 1),
	('old0001', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-29 06:32:27.280911', 1),
	('old0002', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-29 06:32:27.280911', 1),
	('old0003', 's', NULL, '/', NULL, NULL, 'active', false, '2026-10-29 06:32:27.280911', 1),
	('old0004', 's', NULL, '/', NULL, NULL, 'active', false, '2026-11-08 06:33:10.285175', 1),
	('next1', 's', NULL, '/', NULL, NULL, 'active', false, '2026-11-10 00:49:10.254629', 1),
	('next2', 's', NULL, '/', NULL, NULL, 'active', false, '2026-11-10 00:49:10.254629', 1),
	('next3', 's', NULL, '/', NULL, NULL, 'active', false, '2026-11-10 00:49:10.254629', 1);
INSERT INTO public.user_art_impressions VALUES
	('c00d51bc-9edf-47d3-ae98-97ece0c31a80', 'u0001', 'seen0001', '2026-11-26 06:32:27.280911', NULL, 1),
	('91ddae05-6dc4-4f22-b26f-648cd4ce0671', 'u0001', 'seen0002', '2026-11-26 06:32:27.280911', NULL, 1),
	('a236499f-f673-46b0-a66a-daac6d5380c1', 'u0001', 'seen0003', '2026-11-26 06:32:27.280911', NULL, 1),
	('f0c4fb93-9116-473b-aa9a-87e03de2cefc', 'u0001', 'seen0004', '2026-11-26 06:32:27.280911', NULL, 1),
	('06b5e33d-8d11-4892-a74f-99010c4b3f0f', 'u0001', 'seen0005', '2026-11-26 06:32:27.280911', NULL, 1),
	('56405738-a9ef-4302-8e6a-9129a9767173', 'u0001', 'seen0006', '2026-11-26 06:32:27.280911', NULL, 1),
	('25d82094-719c-4bd8-9d80-8be352161704', 'u0001', 'seen0007', '2026-11-26 06:32:27.280911', NULL, 1),
	('d0a2be51-0c4e-4efd-ab60-bf80a989d094', 'u0001', 'seen0008', '2026-11-26 06:32:27.280911', NULL, 1),
	('ded6fea8-67fd-4244-a99a-4d8fcf170e89', 'u0002', 'seen0001', '2026-11-26 06:32:27.280911', NULL, 1),
	('bb685ca8-ff9c-4bde-b2dc-6c1a2e70da71', 'u0002', 'seen0002', '2026-11-26 06:32:27.280911', NULL, 1),
	('c4e92c3a-63ba-40d9-8ecf-49db2481bf07', 'u0002', 'seen0003', '2026-11-26 06:32:27.280911', NULL, 1),
	('ef7cdc94-a5a5-4742-8426-f6852140a027', 'u0002', 'seen0004', '2026-11-26 06:32:27.280911', NULL, 1),
	('f73b0fad-22a8-47b5-b49e-c5cd4413f8e3', 'u0002', 'seen0005', '2026-11-26 06:32:27.280911', NULL, 1),
	('99c47d3a-3253-4333-814b-571b4a92a254', 'u0002', 'seen0006', '2026-11-26 06:32:27.280911', NULL, 1),
	('4abf8d91-532f-4d44-a54f-6c6cc9ef0b29', 'u0002', 'seen0007', '2026-11-26 06:32:27.280911', NULL, 1),
	('8b3fd141-5dfd-4878-9ea3-54724eac2205', 'u0002', 'seen0008', '2026-11-26 06:32:27.280911', NULL, 1),
	('f92392d0-4061-4586-bbb0-2a44c9573029', 'u0003', 'seen0001', '2026-11-26 06:32:27.280911', NULL, 1),
	('23c13dfb-a5bb-4ee4-8d08-21b0ff4eb98a', 'u0003', 'seen0002', '2026-11-26 06:32:27.280911', NULL, 1),
	('f39f7bab-86cb-4151-aec8-78c1ca0a76a3', 'u0003', 'seen0003', '2026-11-26 06:32:27.280911', NULL, 1),
	('40ea158f-02a9-43d0-ac34-f6f98322c317', 'u0003', 'seen0004', '2026-11-26 06:32:27.280911', NULL, 1),
	('cdb18ade-0dfc-4d68-ac95-5190ce186e2c', 'u0003', 'seen0005', '2026-11-26 06:32:27.280911', NULL, 1),
	('142185de-e1a7-4e96-ac1e-d1a96b70fa25', 'u0003', 'seen0006', '2026-11-26 06:32:27.280911', NULL, 1),
	('02f09e42-0f25-4b2c-a38b-e84fe76f6895', 'u0003', 'seen0007', '2026-11-26 06:32:27.280911', NULL, 1),
	('198d044d-7902-4323-9317-8be0d5734a69', 'u0003', 'seen0008', '2026-11-26 06:32:27.280911', NULL, 1),
	('aca89227-8b2c-4d4e-b5c7-8ed1c57a321b', 'u0004', 'seen0001', '2026-11-26 06:32:27.280911', NULL, 1),
	('4f9d2e30-8719-4079-a9e9-a21755401492', 'u0004', 'seen0002', '2026-11-26 06:32:27.280911', NULL, 1),
	('85b6c691-3f8b-402b-9cc5-f66ecda0faa9', 'u0004', 'seen0003', '2026-11-26 06:32:27.280911', NULL, 1),
	('698a904d-675b-4b56-9f67-a14bc269dab0', 'u0004', 'seen0004', '2026-11-26 06:32:27.280911', NULL, 1),
	('6875567d-3b32-40d7-b92f-b76daea1a6c4', 'u0004', 'seen0005', '2026-11-26 06:32:27.280911', NULL, 1),
	('fda766f2-142b-4bd6-8bc6-a712ae967b83', 'u0004', 'seen0006', '2026-11-26 06:32:27.280911', NULL, 1),
	('d677cb1e-5cbc-402a-9a0a-08c3f0a419b4', 'u0004', 'seen0007', '2026-11-26 06:32:27.280911', NULL, 1),
	('cec041ca-e8ce-4332-89e1-f8d0e4a5ce1e', 'u0004', 'seen0008', '2026-11-26 06:32:27.280911', NULL, 1),
	('0330aecd-fa20-4faf-b155-bcb554740eb8', 'u0001', 'old0001', '2026-11-28 06:33:09.005517', NULL, 1),
	('ada8f3fb-7bd3-4f7d-b892-8ff56acea57d', 'u0001', 'old0002', '2026-11-28 06:33:09.005517', NULL, 1),
	('aa3c685b-fddc-4303-a9a6-85110e805ef1', 'u0001', 'old0003', '2026-11-28 06:33:09.010842', NULL, 1),
	('8c6210e7-4a8d-4729-9a57-4b3c972515ab', 'u0002', 'old0001', '2026-11-28 06:33:09.016399', NULL, 1),
	('0b493e72-2fd3-4159-9db3-8de784b6edee', 'u0002', 'old0002', '2026-11-28 06:33:09.016399', NULL, 1),
	('b14a832e-2606-43b9-8856-90a144d7014b', 'u0003', 'old0001', '2026-11-28 06:33:09.033891', NULL, 1),
	('e3643263-3cc8-4545-a6c7-9f7b9a6f43bd', 'u0003', 'old0002', '2026-11-28 06:33:09.039204', NULL, 1),
	('8b76d02d-0fef-469a-94cd-dc0ae867f518', 'u0003', 'old0003', '2026-11-28 06:33:09.044443', NULL, 1),
	('054fc525-4967-4a22-8b47-aec7d4585196', 'u0004', 'old0001', '2026-11-28 06:33:09.053433', NULL, 1),
	('359a92e2-ba8f-43e4-949d-4fec5ec66c54', 'u0004', 'old0002', '2026-11-28 06:33:09.053433', NULL, 1),
	('087dcdb7-1b65-46ea-b5a1-c14c40a4aa4f', 'u0004', 'old0003', '2026-11-28 06:33:09.057277', NULL, 1),
	('0d33170e-a2f6-4f75-b430-19fbbe5f970c', 'u0005', 'old0001', '2026-11-28 06:33:10.04881', NULL, 1),
	('4dbaba15-6542-465f-8ba6-519cc73c9a7c', 'u0005', 'old0002', '2026-11-28 06:33:10.04881', NULL, 1),
	('b07ffa33-7cc8-44f9-99b6-aac474113338', 'u0005', 'old0003', '2026-11-28 06:33:10.054094', NULL, 1),
	('d3332f52-eb3a-4500-92fa-c276fd6bc17d', 'u0005', 'seen0001', '2026-11-28 06:33:10.054094', NULL, 1),
	('f1bfce1d-fd7d-482f-91a9-8ee2dad0c2c3', 'u0005', 'seen0002', '2026-11-28 06:33:10.058567', NULL, 1),
	('6416ce26-fd18-4311-bf7f-a90b94fe17ab', 'u0005', 'seen0003', '2026-11-28 06:33:10.058567', NULL, 1),
	('689fddb0-e798-40c3-bfec-5d499769e98c', 'u0005', 'seen0004', '2026-11-28 06:33:10.063466', NULL, 1),
	('12327294-cff6-42e5-a2e2-816fd4d864c3', 'u0005', 'seen0005', '2026-11-28 06:33:10.063466', NULL, 1),
	('c0703697-beb2-43c1-a31a-a95d792de6d7', 'u0005', 'seen0006', '2026-11-28 06:33:10.06768', NULL, 1),
	('5428a7ee-7bb3-48d3-8870-a021aad7c29f', 'u0005', 'seen0007', '2026-11-28 06:33:10.06768', NULL, 1),
	('a7ebfa46-a945-43b3-b186-62888c7e3274', 'u0005', 'seen0008', '2026-11-28 06:33:10.07151', NULL, 1),
	('e5497ec7-86c8-4e86-b41c-42c950d1bb39', 'u0001', 'old0004', '2026-11-28 06:33:10.568269', NULL, 1),
	('a651b22e-6c11-41a3-bc95-316cc5783c89', 'u0002', 'old0004', '2026-11-30 00:49:09.98659', NULL, 1),
	('884c7f7f-8d19-4462-a530-dbc31465fccd', 'u0003', 'old0004', '2026-11-30 00:49:09.990426', NULL, 1),
	('36906af1-503f-47a5-ae48-b4787b55aee1', 'u0004', 'old0004', '2026-11-30 00:49:09.990426', NULL, 1),
	('efe073a1-c9ed-461e-895f-d406caa008ee', 'u0005', 'old0004', '2026-11-30 00:49:09.990426', NULL, 1),
	('7d6e1c3e-ac3f-4a4c-8b2b-3bc66601830a', 'u0003', 'next1', '2026-11-30 00:49:14.233567', NULL, 1),
	('b2cc8262-510e-4f12-8579-f1ec4fa7f85a', 'u0003', 'next2', '2026-11-30 00:49:14.233567', NULL, 1),
	('bfdbaa13-8738-461c-ad4e-f3ffcece0fde', 'u0003', 'next3', '2026-11-30 00:49:14.233567', NULL, 1),
	('ff05f67e-562e-486e-ac7d-7299ade5fd5a', 'u0001', 'next1', '2026-11-30 00:49:15.337759', NULL, 1);
INSERT INTO public.users VALUES
	('u0001', NULL, 'free', true, '2026-08-20 06:32:27.280911'),
	('u0002', NULL, 'free', true, '2026-08-20 06:32:27.280911'),
	('u0003', NULL, 'free', true, '2026-08-20 06:32:27.280911'),
	('u0004', NULL, 'free', true, '2026-08-20 06:32:27.280911'),
	('u0005', NULL, 'free', true, '2026-08-20 06:32:27.280911');
SELECT pg_catalog.setval('conservator.census_id_seq', 9, true);
SELECT pg_catalog.setval('conservator.check_transition_id_seq', 11, true);
SELECT pg_catalog.setval('conservator.decision_id_seq', 3, true);
SELECT pg_catalog.setval('conservator.repair_decision_id_seq', 1, false);
SELECT pg_catalog.setval('conservator.run_id_seq', 9, true);
ALTER TABLE ONLY conservator.backfilled_impression
    ADD CONSTRAINT backfilled_impression_pkey PRIMARY KEY (run_id, user_id, artwork_id);
ALTER TABLE ONLY conservator.backfilled_user
    ADD CONSTRAINT backfilled_user_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY conservator.batch
    ADD CONSTRAINT batch_pkey PRIMARY KEY (run_id, number);
ALTER TABLE ONLY conservator.census
    ADD CONSTRAINT census_pkey PRIMARY KEY (id);
ALTER TABLE ONLY conservator.check_result
    ADD CONSTRAINT check_result_pkey PRIMARY KEY (name, taken_at);
ALTER TABLE ONLY conservator.check_status
    ADD CONSTRAINT check_status_pkey PRIMARY KEY (name);
ALTER TABLE ONLY conservator.check_transition
    ADD CONSTRAINT check_transition_pkey PRIMARY KEY (id);
ALTER TABLE ONLY conservator.control
    ADD CONSTRAINT control_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY conservator.counter
    ADD CONSTRAINT counter_pkey PRIMARY KEY (name, label);
ALTER TABLE ONLY conservator.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY conservator.leader
    ADD CONSTRAINT leader_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY conservator.ledger_sweep
    ADD CONSTRAINT ledger_sweep_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY conservator.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (user_id, artwork_id);
ALTER TABLE ONLY conservator.recording_sample
    ADD CONSTRAINT recording_sample_pkey PRIMARY KEY (started_at);
ALTER TABLE ONLY conservator.repair_control
    ADD CONSTRAINT repair_control_pkey PRIMARY KEY (repair);
ALTER TABLE ONLY conservator.repair_decision
    ADD CONSTRAINT repair_decision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY conservator.repair_status
    ADD CONSTRAINT repair_status_pkey PRIMARY KEY (repair);
ALTER TABLE ONLY conservator.repair_work
    ADD CONSTRAINT repair_work_pkey PRIMARY KEY (run_id, "position");
ALTER TABLE ONLY conservator.repaired_row
    ADD CONSTRAINT repaired_row_pkey PRIMARY KEY (run_id, "position");
ALTER TABLE ONLY conservator.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY conservator.run_wait
    ADD CONSTRAINT run_wait_pkey PRIMARY KEY (run_id, reason);
ALTER TABLE ONLY conservator.schema_version
    ADD CONSTRAINT schema_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY conservator.tally_artwork
    ADD CONSTRAINT tally_artwork_pkey PRIMARY KEY (artwork_id, taken_at);
ALTER TABLE ONLY conservator.tally_user
    ADD CONSTRAINT tally_user_pkey PRIMARY KEY (user_id, taken_at);
ALTER TABLE ONLY conservator.validation
    ADD CONSTRAINT validation_pkey PRIMARY KEY (suite);
ALTER TABLE ONLY conservator.work
    ADD CONSTRAINT work_pkey PRIMARY KEY (run_id, "position");
ALTER TABLE ONLY public.art_sessions
    ADD CONSTRAINT art_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_art_impressions
    ADD CONSTRAINT user_art_impressions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX backfilled_impression_pair ON conservator.backfilled_impression USING btree (user_id, artwork_id) WHERE (written IS NOT NULL);
CREATE INDEX backfilled_impression_viewed_at ON conservator.backfilled_impression USING brin (viewed_at) WITH (autosummarize='on');
CREATE INDEX census_as_of ON conservator.census USING btree (as_of);
CREATE INDEX check_result_taken_at ON conservator.check_result USING brin (taken_at);
CREATE INDEX check_transition_name ON conservator.check_transition USING btree (name, id);
CREATE INDEX decision_decided_at ON conservator.decision USING btree (decided_at);
CREATE UNIQUE INDEX one_active_run ON conservator.run USING btree ((true)) WHERE (((kind = ANY (ARRAY['heal'::text, 'undo'::text])) OR (repair IS NOT NULL)) AND (state = ANY (ARRAY['running'::text, 'held'::text])));
CREATE UNIQUE INDEX one_active_run_a_user ON conservator.run USING btree (subject) WHERE ((kind = 'user'::text) AND (state = ANY (ARRAY['running'::text, 'held'::text])));
CREATE INDEX recording_sample_ended_at ON conservator.recording_sample USING btree (ended_at);
CREATE INDEX repair_decision_repair ON conservator.repair_decision USING btree (repair, id);
CREATE INDEX run_repair ON conservator.run USING btree (repair, id) WHERE (repair IS NOT NULL);
CREATE INDEX art_sessions_created_at_idx ON public.art_sessions USING btree (created_at);
CREATE INDEX user_art_impressions_artwork_id_idx ON public.user_art_impressions USING btree (artwork_id);
CREATE INDEX user_art_impressions_bridge_at_idx ON public.user_art_impressions USING btree (bridge_at);
CREATE UNIQUE INDEX user_art_impressions_unique_user_artwork ON public.user_art_impressions USING btree (user_id, artwork_id);
CREATE INDEX user_art_impressions_user_id_idx ON public.user_art_impressions USING btree (user_id);
CREATE INDEX user_art_impressions_user_id_viewed_at_idx ON public.user_art_impressions USING btree (user_id, viewed_at);
CREATE INDEX user_art_impressions_viewed_at_idx ON public.user_art_impressions USING btree (viewed_at);
ALTER TABLE ONLY conservator.batch
    ADD CONSTRAINT batch_run_id_fkey FOREIGN KEY (run_id) REFERENCES conservator.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY conservator.run_wait
    ADD CONSTRAINT run_wait_run_id_fkey FOREIGN KEY (run_id) REFERENCES conservator.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY conservator.work
    ADD CONSTRAINT work_run_id_fkey FOREIGN KEY (run_id) REFERENCES conservator.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_art_impressions
    ADD CONSTRAINT user_art_impressions_artwork_id_fkey FOREIGN KEY (artwork_id) REFERENCES public.art_sessions(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_art_impressions
    ADD CONSTRAINT user_art_impressions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
