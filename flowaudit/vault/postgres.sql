-- A flowaudit vault in PostgreSQL 13 or later: schema `flowaudit_vault`, its roles, tables and
-- functions. Who a token stands for is kept here and nowhere else.
--
-- Run it in a transaction, as a superuser or a role that may create roles and schemas: either with
-- `flowaudit setup`, or by hand: psql --single-transaction -v ON_ERROR_STOP=1 -f postgres.sql
-- Running it again changes nothing, or brings an older vault up to date.
--
-- Who may do what:
--   flowaudit_vault_owner  owns everything; nobody logs in as it
--   flowaudit_tokens       an app: gets the token of an identity it names, and no identity
--   flowaudit_vault        a person who may open identities, erase them and place legal holds

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
    FOREACH name IN ARRAY ARRAY['flowaudit_vault_owner', 'flowaudit_tokens', 'flowaudit_vault']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'flowaudit_vault_owner', 'MEMBER') THEN
        EXECUTE format('GRANT flowaudit_vault_owner TO %I', current_user);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'flowaudit_vault') THEN
        CREATE SCHEMA flowaudit_vault AUTHORIZATION flowaudit_vault_owner;
    END IF;
    IF to_regclass('flowaudit_vault.generation') IS NOT NULL THEN
        IF (SELECT format FROM flowaudit_vault.generation) > 1 THEN
            RAISE EXCEPTION 'this vault was made by a newer flowaudit: upgrade flowaudit';
        END IF;
    END IF;
END
$$;

SET LOCAL ROLE flowaudit_vault_owner;
SET LOCAL client_min_messages = warning;

-- A hash index, for an identity may be longer than a B-tree takes.
CREATE TABLE IF NOT EXISTS flowaudit_vault.person (
    token text PRIMARY KEY,
    salt bytea NOT NULL,
    identity text NOT NULL,
    EXCLUDE USING hash (identity WITH =)
);
CREATE TABLE IF NOT EXISTS flowaudit_vault.key (purpose text PRIMARY KEY, key bytea NOT NULL);
CREATE TABLE IF NOT EXISTS flowaudit_vault.erased (token text PRIMARY KEY, ts bigint NOT NULL);
CREATE TABLE IF NOT EXISTS flowaudit_vault.erasing (
    token text PRIMARY KEY,
    identity text NOT NULL
);
CREATE TABLE IF NOT EXISTS flowaudit_vault.hold (
    token text PRIMARY KEY,
    ts bigint NOT NULL,
    why text NOT NULL
);
CREATE TABLE IF NOT EXISTS flowaudit_vault.generation (
    one int PRIMARY KEY CHECK (one = 1),
    number bigint NOT NULL,
    format int NOT NULL
);
INSERT INTO flowaudit_vault.generation VALUES (1, 0, 1) ON CONFLICT DO NOTHING;

-- The live token of an identity; the one given becomes it if there is none yet. Of two hosts that
-- meet a person at once, one wins and both get its token.
CREATE OR REPLACE FUNCTION flowaudit_vault.token(identity text, salt bytea, fresh text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text;
BEGIN
    SELECT p.token INTO found FROM flowaudit_vault.person AS p WHERE p.identity = token.identity;
    IF found IS NULL THEN
        IF token.fresh !~ '^[a-z2-7]{52}$' OR length(token.salt) <> 16 THEN
            RAISE EXCEPTION 'that is no token' USING ERRCODE = '22023';
        END IF;
        INSERT INTO flowaudit_vault.person VALUES (token.fresh, token.salt, token.identity)
            ON CONFLICT DO NOTHING;
        SELECT p.token INTO STRICT found FROM flowaudit_vault.person AS p
            WHERE p.identity = token.identity;
    END IF;
    RETURN found;
END
$$;

-- The key of a purpose; the one given becomes it if there is none yet.
CREATE OR REPLACE FUNCTION flowaudit_vault.hash_key(purpose text, fresh bytea) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO flowaudit_vault.key VALUES (hash_key.purpose, hash_key.fresh)
        ON CONFLICT DO NOTHING;
    RETURN (SELECT k.key FROM flowaudit_vault.key AS k WHERE k.purpose = hash_key.purpose);
END
$$;

-- How often somebody has been erased.
CREATE OR REPLACE FUNCTION flowaudit_vault.generation() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT number FROM flowaudit_vault.generation
$$;

-- Every token that was erased.
CREATE OR REPLACE FUNCTION flowaudit_vault.erased() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT token FROM flowaudit_vault.erased
$$;

-- Rights: nobody has any but these.

REVOKE ALL ON SCHEMA flowaudit_vault FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA flowaudit_vault
    FROM PUBLIC, flowaudit_tokens, flowaudit_vault;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA flowaudit_vault
    FROM PUBLIC, flowaudit_tokens, flowaudit_vault;
GRANT USAGE ON SCHEMA flowaudit_vault TO flowaudit_tokens, flowaudit_vault;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA flowaudit_vault TO flowaudit_tokens, flowaudit_vault;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA flowaudit_vault TO flowaudit_vault;

RESET ROLE;
