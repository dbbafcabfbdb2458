-- A flowaudit trail in PostgreSQL 13 or later: schema `flowaudit`, its roles, tables and functions.
--
-- Run it in a transaction, as a superuser or a role that may create roles and schemas: either with
-- `flowaudit setup`, or by hand: psql --single-transaction -v ON_ERROR_STOP=1 -f postgres.sql
-- Running it again changes nothing, or brings an older trail up to date.
--
-- Who may do what:
--   flowaudit_owner     owns everything; nobody logs in as it
--   flowaudit_writer    may call the functions that add events, and read nothing
--   flowaudit_product   reads events without their personal part
--   flowaudit_security  reads events with it
--   flowaudit_auditor   reads everything: tiles, checkpoints, sources
--   flowaudit_eraser    may call the functions that erase
--   flowaudit_archivist may move ranges of entries out of the trail: reads, and deletes them here
-- A person or an app gets a log-in of its own: CREATE ROLE app LOGIN IN ROLE flowaudit_writer;

DO $$
DECLARE
    name text;
BEGIN
    IF current_setting('server_version_num')::int < 130000 THEN
        RAISE EXCEPTION 'flowaudit needs PostgreSQL 13 or later';
    END IF;
    IF (SELECT pg_encoding_to_char(encoding) FROM pg_database
        WHERE datname = current_database()) <> 'UTF8' THEN
        RAISE EXCEPTION 'flowaudit needs a database with the encoding UTF8';
    END IF;
    FOREACH name IN ARRAY ARRAY['flowaudit_owner', 'flowaudit_writer', 'flowaudit_product',
        'flowaudit_security', 'flowaudit_auditor', 'flowaudit_eraser', 'flowaudit_archivist']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'flowaudit_owner', 'MEMBER') THEN
        EXECUTE format('GRANT flowaudit_owner TO %I', current_user);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'flowaudit') THEN
        CREATE SCHEMA flowaudit AUTHORIZATION flowaudit_owner;
    END IF;
    IF to_regclass('flowaudit.trail') IS NOT NULL THEN
        IF (SELECT format FROM flowaudit.trail) > 2 THEN
            RAISE EXCEPTION 'this trail was made by a newer flowaudit: upgrade flowaudit';
        END IF;
    END IF;
END
$$;

SET LOCAL ROLE flowaudit_owner;
SET LOCAL client_min_messages = warning;

-- of a trail in use the turn is taken first, as those do who write
DO $$
BEGIN
    IF to_regclass('flowaudit.trail') IS NOT NULL THEN
        LOCK TABLE flowaudit.trail IN EXCLUSIVE MODE;
    END IF;
END
$$;

-- The tables mean what those of a trail in SQLite mean (docs/trail-format.md). Bytes are kept as
-- bytes, so that nothing depends on how a server reads text.

CREATE TABLE IF NOT EXISTS flowaudit.event (
    seq bigint PRIMARY KEY,
    core bytea,
    personal bytea,
    salt bytea,
    sealed bytea
);
CREATE TABLE IF NOT EXISTS flowaudit.tile (
    level int,
    idx bigint,
    hashes bytea,
    PRIMARY KEY (level, idx)
);
CREATE TABLE IF NOT EXISTS flowaudit.head (
    one int PRIMARY KEY CHECK (one = 1),
    size bigint,
    frontier bytea,
    signed_at timestamptz
);
CREATE TABLE IF NOT EXISTS flowaudit.source (
    id text PRIMARY KEY,
    last_n bigint,
    running text
);
CREATE TABLE IF NOT EXISTS flowaudit.checkpoint (
    size bigint PRIMARY KEY,
    note text
);
CREATE TABLE IF NOT EXISTS flowaudit.trail (
    one int PRIMARY KEY CHECK (one = 1),
    id text,
    format int
);
CREATE TABLE IF NOT EXISTS flowaudit.archived (
    first bigint PRIMARY KEY,
    last bigint,
    state text,
    place text,
    file text,
    draft text,
    first_ts bigint,
    last_ts bigint,
    told text
);

-- hashes do not compress; head, tiles and sources are rewritten with every group
ALTER TABLE flowaudit.tile ALTER hashes SET STORAGE EXTERNAL;
ALTER TABLE flowaudit.head ALTER frontier SET STORAGE PLAIN;
ALTER TABLE flowaudit.head SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 500);
ALTER TABLE flowaudit.tile SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500, toast.autovacuum_vacuum_scale_factor = 0.01,
    toast.autovacuum_vacuum_threshold = 5000);
ALTER TABLE flowaudit.source SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500);

INSERT INTO flowaudit.head VALUES (1, 0, '') ON CONFLICT DO NOTHING;
INSERT INTO flowaudit.trail
    SELECT 1, string_agg(substr('abcdefghijklmnopqrstuvwxyz234567',
        1 + (get_byte(random.bytes, i) & 31), 1), ''), 2
    FROM (SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) AS bytes)
        AS random, generate_series(0, 15) AS i
    ON CONFLICT DO NOTHING;
UPDATE flowaudit.trail SET format = 2 WHERE format < 2;

-- ---------------------------------------------------------------------------------------------
-- The tree of RFC 9162, grown by a group of leaves at once.

-- Every pair of hashes that stands in `hashes`, as its node: SHA-256(0x01 || left || right).
CREATE OR REPLACE FUNCTION flowaudit.pairs(hashes bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(
        sha256('\x01'::bytea || substr(hashes, 1 + 64 * i, 64)), ''::bytea ORDER BY i), '')
    FROM generate_series(0, length(hashes) / 64 - 1) AS i
$$;

-- The root of a tree whose complete subtrees have these roots, largest first.
CREATE OR REPLACE FUNCTION flowaudit.root(frontier bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    subtrees int := length(frontier) / 32;
    found bytea := sha256('');
BEGIN
    FOR i IN REVERSE subtrees .. 1 LOOP
        IF i = subtrees THEN
            found := substr(frontier, 32 * (i - 1) + 1, 32);
        ELSE
            found := sha256('\x01'::bytea || substr(frontier, 32 * (i - 1) + 1, 32) || found);
        END IF;
    END LOOP;
    RETURN found;
END
$$;

-- Hashes behind those that a level's tiles hold: `first` is the place of the first of them.
CREATE OR REPLACE FUNCTION flowaudit.extend_tiles(level int, first bigint, hashes bytea)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO flowaudit.tile
    SELECT $1, idx, substr($3,
        (32 * (greatest($2, idx * 256) - $2) + 1)::int,
        (32 * (least($2 + length($3) / 32, (idx + 1) * 256) - greatest($2, idx * 256)))::int)
    FROM generate_series($2 / 256, ($2 + length($3) / 32 - 1) / 256) AS idx
    ON CONFLICT ON CONSTRAINT tile_pkey DO UPDATE SET hashes = tile.hashes || excluded.hashes
$$;

-- Leaves at the end of the tree: tiles and head change with them. The caller holds the head.
-- Height by height: new complete subtrees, behind the one that was left over before, make pairs.
CREATE OR REPLACE FUNCTION flowaudit.grow(leaves bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    size bigint;
    higher bytea;  -- roots of the old subtrees that are not looked at yet
    lower bytea := '';  -- roots of the new ones that have no partner
    hashes bytea := leaves;
    height int := 0;
BEGIN
    SELECT h.size, h.frontier INTO STRICT size, higher FROM flowaudit.head AS h WHERE h.one = 1;
    WHILE length(hashes) > 0 LOOP
        IF height % 8 = 0 THEN
            PERFORM flowaudit.extend_tiles(height / 8, size >> height, hashes);
        END IF;
        IF (size >> height) & 1 = 1 THEN
            hashes := substr(higher, length(higher) - 31) || hashes;
            higher := substr(higher, 1, length(higher) - 32);
        END IF;
        IF length(hashes) % 64 <> 0 THEN
            lower := substr(hashes, length(hashes) - 31) || lower;
        END IF;
        hashes := flowaudit.pairs(hashes);
        height := height + 1;
    END LOOP;
    UPDATE flowaudit.head AS h
        SET size = h.size + length(leaves) / 32, frontier = higher || lower WHERE h.one = 1;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- What a writer may call.

-- Wait for one's turn: until the transaction ends, nobody else adds to the trail or erases. Those
-- who wait stand in a queue. (A lock on the row of `head` makes none: after an update whoever comes
-- next finds a new version of the row, and those who wait for the old one come too late.)
CREATE OR REPLACE FUNCTION flowaudit.take_turn() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    LOCK TABLE flowaudit.trail IN EXCLUSIVE MODE
$$;

-- Add entries of one source behind the last one; the seq of the first. In the transaction of the
-- caller: all of it or nothing is committed.
--   source, last_n, running: whose events these are, the highest number used up with them, and
--       under which boot of which host it goes on running (NULL: it has ended)
--   cores, personals, salts: an entry each; no personal part and no salt is NULL
--   seals: instead of a personal part that may not be kept, what commits to it; else NULL
CREATE OR REPLACE FUNCTION flowaudit.append(
    source text, last_n bigint, running text,
    cores bytea[], personals bytea[], salts bytea[], seals bytea[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    first bigint;
    leaves bytea;
    misshaped bigint;
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    IF source IS NULL OR last_n IS NULL OR cores IS NULL THEN
        RAISE EXCEPTION 'append needs a source, its last number and cores' USING ERRCODE = '22004';
    END IF;
    LOCK TABLE flowaudit.trail IN EXCLUSIVE MODE;
    SELECT size INTO STRICT first FROM flowaudit.head WHERE one = 1 FOR UPDATE;
    WITH given AS (
        SELECT first + place - 1 AS seq, core, personal, salt,
            CASE WHEN personal IS NULL THEN seal
                ELSE sha256('\x02'::bytea || salt || personal) END AS sealed,
            core IS NULL OR length(core) > 32768 OR (personal IS NULL) <> (salt IS NULL)
                OR length(salt) <> 16 OR length(seal) <> 32
                OR (personal IS NOT NULL AND seal IS NOT NULL) AS is_misshaped
        FROM unnest(cores, personals, salts, seals)
            WITH ORDINALITY AS given (core, personal, salt, seal, place)
    ), stored AS (
        INSERT INTO flowaudit.event
        SELECT seq, core, personal, salt, CASE WHEN personal IS NULL THEN sealed END FROM given
    )
    SELECT coalesce(string_agg(sha256('\x00'::bytea || core || coalesce(sealed,
            '\x0000000000000000000000000000000000000000000000000000000000000000')),
            ''::bytea ORDER BY seq), ''),
        count(*) FILTER (WHERE is_misshaped)
    INTO leaves, misshaped FROM given;
    IF misshaped > 0 THEN
        RAISE EXCEPTION '% entries are misshaped', misshaped USING ERRCODE = '22023';
    END IF;
    PERFORM flowaudit.grow(leaves);
    INSERT INTO flowaudit.source AS known VALUES (append.source, append.last_n, append.running)
        ON CONFLICT ON CONSTRAINT source_pkey DO UPDATE
        SET last_n = greatest(known.last_n, excluded.last_n), running = excluded.running;
    RETURN first;
END
$$;

-- Keep a signed checkpoint of the trail as it is now; refused if it is of another size or root.
CREATE OR REPLACE FUNCTION flowaudit.keep_checkpoint(note text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    now_size bigint;
    now_text text;
BEGIN
    LOCK TABLE flowaudit.trail IN EXCLUSIVE MODE;
    SELECT size INTO STRICT now_size FROM flowaudit.head WHERE one = 1;
    SELECT format(E'flowaudit/%s\n%s\n%s\n\n', id, size, encode(flowaudit.root(frontier), 'base64'))
        INTO STRICT now_text FROM flowaudit.trail JOIN flowaudit.head USING (one) WHERE one = 1;
    IF note IS NULL OR position(E'\n\n' IN note) <> length(now_text) - 1 OR length(note) > 65536 OR left(note, length(now_text)) <> now_text THEN
        RAISE EXCEPTION 'the checkpoint is not one of the trail as it is now'
            USING ERRCODE = '22023';
    END IF;
    INSERT INTO flowaudit.checkpoint VALUES (now_size, keep_checkpoint.note)
        ON CONFLICT DO NOTHING;
    UPDATE flowaudit.head SET signed_at = clock_timestamp() WHERE one = 1;
END
$$;

-- What is to be signed: the trail's name in checkpoints, its size and root; and how long ago it
-- last was, in seconds, and the checkpoint over most entries.
CREATE OR REPLACE FUNCTION flowaudit.to_sign(
    OUT origin text, OUT size bigint, OUT root bytea, OUT signed_s double precision,
    OUT newest text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'flowaudit/' || trail.id, head.size, flowaudit.root(head.frontier),
        extract(epoch FROM clock_timestamp() - head.signed_at),
        (SELECT c.note FROM flowaudit.checkpoint AS c ORDER BY c.size DESC LIMIT 1)
    FROM flowaudit.trail JOIN flowaudit.head USING (one) WHERE one = 1
$$;

-- The highest number of a source that is committed; 0 if the trail does not know it. It waits for
-- its turn, so that a commit whose answer was lost is over, one way or the other.
CREATE OR REPLACE FUNCTION flowaudit.last_n(source text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM flowaudit.take_turn();
    RETURN coalesce((SELECT s.last_n FROM flowaudit.source AS s WHERE s.id = last_n.source), 0);
END
$$;

-- A tile's hashes, for proofs that the trail has only grown; they tell nothing of the events.
CREATE OR REPLACE FUNCTION flowaudit.tile(level int, idx bigint) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.hashes FROM flowaudit.tile AS t WHERE t.level = tile.level AND t.idx = tile.idx
$$;

-- Sources that have not ended, each with the boot id and the host they started under.
CREATE OR REPLACE FUNCTION flowaudit.running_sources() RETURNS TABLE (id text, boot text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.id, s.running FROM flowaudit.source AS s WHERE s.running IS NOT NULL
$$;

-- ---------------------------------------------------------------------------------------------
-- What an eraser may call.

-- Whether one of these tokens stands in an event anywhere.
CREATE OR REPLACE FUNCTION flowaudit.holds_any(core bytea, personal bytea, tokens text[])
RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT bool_or(position(convert_to(token, 'UTF8') IN core) > 0
        OR position(convert_to(token, 'UTF8') IN personal) > 0) FROM unnest(tokens) AS token
$$;

-- Whether an event in which one of these tokens stands is of it: its actor, who really acts, or
-- whose account an `auth` event is about. One that was damaged is.
CREATE OR REPLACE FUNCTION flowaudit.names_any(core bytea, personal bytea, tokens text[])
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen json;
    target json;
BEGIN
    seen := convert_from(core, 'UTF8')::json;
    IF json_typeof(seen) <> 'object' OR EXISTS (
        SELECT FROM unnest(ARRAY['actor', 'via', 'kind']) AS name
        WHERE json_typeof(seen -> name) NOT IN ('string', 'null')
    ) THEN
        RETURN true;
    END IF;
    IF seen ->> 'actor' = ANY (tokens) OR seen ->> 'via' = ANY (tokens) THEN
        RETURN true;
    END IF;
    IF seen ->> 'kind' = 'auth' AND personal IS NOT NULL THEN
        target := convert_from(personal, 'UTF8')::json #> '{data,target}';
        RETURN json_typeof(target) NOT IN ('string', 'null') OR target #>> '{}' = ANY (tokens);
    END IF;
    RETURN false;
EXCEPTION WHEN data_exception THEN
    RETURN true;
END
$$;

-- The seq of each entry with first <= seq < last of one of these tokens that still has its
-- personal part.
CREATE OR REPLACE FUNCTION flowaudit.erasable(tokens text[], first bigint, last bigint)
RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.seq FROM flowaudit.event AS e
    WHERE e.seq >= erasable.first AND e.seq < erasable.last AND e.personal IS NOT NULL
        AND CASE WHEN flowaudit.holds_any(e.core, e.personal, erasable.tokens)
            THEN flowaudit.names_any(e.core, e.personal, erasable.tokens) END
    ORDER BY e.seq
$$;

-- Those of some entries that still have their personal part.
CREATE OR REPLACE FUNCTION flowaudit.unerased(seqs bigint[]) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.seq FROM flowaudit.event AS e
    WHERE e.seq = ANY (unerased.seqs) AND e.personal IS NOT NULL ORDER BY e.seq
$$;

-- Delete salt and personal part of entries, keep what proofs need, and add the events that tell
-- it. Refused unless these tell exactly the entries that lose something.
CREATE OR REPLACE FUNCTION flowaudit.erase(
    seqs bigint[], source text, last_n bigint, cores bytea[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told bigint[];
    lost bigint[];
BEGIN
    PERFORM flowaudit.take_turn();
    SELECT coalesce(array_agg(seq ORDER BY seq), '{}') INTO told
    FROM unnest(cores) AS core,
        json_array_elements(convert_from(core, 'UTF8')::json #> '{facts,erases,seqs}') AS span,
        generate_series((span ->> 0)::bigint, (span ->> 1)::bigint) AS seq
    WHERE convert_from(core, 'UTF8')::json ->> 'kind' = 'ops'
        AND convert_from(core, 'UTF8')::json ->> 'action' = 'erase';
    WITH gone AS (
        UPDATE flowaudit.event AS e
        SET sealed = sha256('\x02'::bytea || e.salt || e.personal), personal = NULL, salt = NULL
        WHERE e.seq = ANY (erase.seqs) AND e.personal IS NOT NULL
        RETURNING e.seq
    )
    SELECT coalesce(array_agg(gone.seq ORDER BY gone.seq), '{}') INTO lost FROM gone;
    IF told <> lost THEN
        RAISE EXCEPTION 'the events do not tell the entries that are erased'
            USING ERRCODE = '22023';
    END IF;
    PERFORM flowaudit.append(erase.source, erase.last_n, NULL, erase.cores, NULL, NULL, NULL);
END
$$;

-- ---------------------------------------------------------------------------------------------
-- What a reader may call.

-- Tell that the trail was read: one `access` event, of the database's user who asks and no other.
CREATE OR REPLACE FUNCTION flowaudit.note_access(source text, core bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen json := convert_from(core, 'UTF8')::json;
BEGIN
    IF seen ->> 'kind' IS DISTINCT FROM 'access' OR seen ->> 'source' IS DISTINCT FROM source
        OR seen ->> 'n' IS DISTINCT FROM '1'
        OR seen #>> '{facts,database_user}' IS DISTINCT FROM session_user::text THEN
        RAISE EXCEPTION 'a reader may add what it has read itself, and nothing else'
            USING ERRCODE = '42501';
    END IF;
    IF EXISTS (SELECT FROM flowaudit.source AS s WHERE s.id = note_access.source) THEN
        RAISE EXCEPTION 'this source has told its access already' USING ERRCODE = '42501';
    END IF;
    RETURN flowaudit.append(note_access.source, 1, NULL, ARRAY[core], NULL, NULL, NULL);
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Rights: nobody has any but these.

REVOKE ALL ON SCHEMA flowaudit FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA flowaudit
    FROM PUBLIC, flowaudit_writer, flowaudit_product, flowaudit_security, flowaudit_auditor,
    flowaudit_eraser, flowaudit_archivist;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA flowaudit
    FROM PUBLIC, flowaudit_writer, flowaudit_product, flowaudit_security, flowaudit_auditor,
    flowaudit_eraser, flowaudit_archivist;
GRANT USAGE ON SCHEMA flowaudit TO flowaudit_writer, flowaudit_product, flowaudit_security,
    flowaudit_auditor, flowaudit_eraser, flowaudit_archivist;

GRANT EXECUTE ON FUNCTION
    flowaudit.take_turn(),
    flowaudit.append(text, bigint, text, bytea[], bytea[], bytea[], bytea[]),
    flowaudit.keep_checkpoint(text),
    flowaudit.last_n(text),
    flowaudit.tile(int, bigint),
    flowaudit.running_sources()
    TO flowaudit_writer;
GRANT EXECUTE ON FUNCTION flowaudit.to_sign()
    TO flowaudit_writer, flowaudit_product, flowaudit_security, flowaudit_auditor,
    flowaudit_eraser;
GRANT EXECUTE ON FUNCTION
    flowaudit.take_turn(),
    flowaudit.erasable(text[], bigint, bigint),
    flowaudit.unerased(bigint[]),
    flowaudit.erase(bigint[], text, bigint, bytea[])
    TO flowaudit_eraser;
GRANT EXECUTE ON FUNCTION flowaudit.note_access(text, bytea)
    TO flowaudit_writer, flowaudit_product, flowaudit_security, flowaudit_auditor,
    flowaudit_eraser;
GRANT SELECT (seq, core) ON flowaudit.event TO flowaudit_product;
GRANT SELECT (seq, core, personal) ON flowaudit.event TO flowaudit_security;
GRANT SELECT ON flowaudit.head, flowaudit.trail, flowaudit.archived
    TO flowaudit_product, flowaudit_security, flowaudit_auditor;
GRANT SELECT ON flowaudit.archived TO flowaudit_eraser;
GRANT SELECT ON flowaudit.event, flowaudit.tile, flowaudit.source, flowaudit.checkpoint
    TO flowaudit_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA flowaudit TO flowaudit_archivist;
GRANT DELETE ON flowaudit.event, flowaudit.tile TO flowaudit_archivist;
GRANT INSERT ON flowaudit.event, flowaudit.tile TO flowaudit_archivist;
GRANT INSERT, UPDATE, DELETE ON flowaudit.archived TO flowaudit_archivist;
GRANT EXECUTE ON FUNCTION
    flowaudit.take_turn(),
    flowaudit.append(text, bigint, text, bytea[], bytea[], bytea[], bytea[]),
    flowaudit.to_sign(),
    flowaudit.keep_checkpoint(text),
    flowaudit.last_n(text)
    TO flowaudit_archivist;

RESET ROLE;
