-- Whose a row is, what the parts of its cost are, and whether a cache answered.
ALTER TABLE spend_logs ADD COLUMN key_alias TEXT;
ALTER TABLE spend_logs ADD COLUMN user_id TEXT;
ALTER TABLE spend_logs ADD COLUMN team_id TEXT;
ALTER TABLE spend_logs ADD COLUMN team_alias TEXT;
ALTER TABLE spend_logs ADD COLUMN organization_id TEXT;
ALTER TABLE spend_logs ADD COLUMN session_id TEXT;
ALTER TABLE spend_logs ADD COLUMN requester_ip_address TEXT;
ALTER TABLE spend_logs ADD COLUMN metadata TEXT; -- JSON object of the client's
ALTER TABLE spend_logs ADD COLUMN cache_key TEXT;
ALTER TABLE spend_logs ADD COLUMN cache_hit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN input_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN output_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN cache_read_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN cache_write_5m_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN cache_write_1h_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN images_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN queries_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN images_made_pico INTEGER NOT NULL DEFAULT 0;

-- Rows are read newest first, by whatever they are asked for.
CREATE INDEX spend_logs_time ON spend_logs (startTime, litellm_call_id, entry);
CREATE INDEX spend_logs_request ON spend_logs (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX spend_logs_key ON spend_logs (api_key, startTime) WHERE api_key IS NOT NULL;
CREATE INDEX spend_logs_user ON spend_logs (user_id, startTime) WHERE user_id IS NOT NULL;
CREATE INDEX spend_logs_team ON spend_logs (team_id, startTime) WHERE team_id IS NOT NULL;
CREATE INDEX spend_logs_end_user ON spend_logs (end_user, startTime) WHERE end_user IS NOT NULL;
CREATE INDEX spend_logs_session ON spend_logs (session_id, startTime) WHERE session_id IS NOT NULL;
CREATE INDEX spend_logs_group ON spend_logs (model_group, startTime) WHERE model_group IS NOT NULL;
CREATE INDEX spend_logs_failures ON spend_logs (startTime, litellm_call_id, entry) WHERE error_kind IS NOT NULL;

-- The tags of rows.
CREATE TABLE spend_log_tags (
    tag             TEXT    NOT NULL,
    startTime       INTEGER NOT NULL,
    litellm_call_id TEXT    NOT NULL,
    entry           INTEGER NOT NULL,
    PRIMARY KEY (tag, startTime, litellm_call_id, entry)
--sqlite:) WITHOUT ROWID;
--postgres:);

-- What was sent and answered, only where store_prompts_in_spend_logs says so: apart from rows, which stay small.
CREATE TABLE spend_log_bodies (
    litellm_call_id TEXT    NOT NULL,
    entry           INTEGER NOT NULL,
    startTime       INTEGER NOT NULL,
    request         TEXT, -- JSON, or what the client sent instead
    response        TEXT,
    PRIMARY KEY (litellm_call_id, entry)
);
CREATE INDEX spend_log_bodies_time ON spend_log_bodies (startTime);

-- What rows add to sums and counters, a batch each, until it is added: a row is written with what it adds in one transaction.
CREATE TABLE spend_pending (
--sqlite:    id       INTEGER PRIMARY KEY AUTOINCREMENT,
--postgres:    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    postings TEXT NOT NULL -- JSON
);

-- Who adds to sums and counters, or sets these, holds this row until the end of the transaction.
CREATE TABLE spend_settled (batches INTEGER NOT NULL);
INSERT INTO spend_settled VALUES (0);

-- Sums of rows, from which reports are made; they outlive rows. "hour" sums have no more than a dimension's value, "day"
-- sums tell models apart, and those of users, teams and organizations keys.
CREATE TABLE spend_rollups (
    span            TEXT    NOT NULL, -- hour or day
    dimension       TEXT    NOT NULL, -- all, key, user, team, organization, end_user, tag, model, group, deployment
    at              INTEGER NOT NULL, -- beginning of the hour or day, UTC, in seconds since 1970
    value           TEXT    NOT NULL,
    api_key         TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    model_group     TEXT    NOT NULL,
    requests        INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL, -- rows whose price is not known
    cache_hits      INTEGER NOT NULL,
    spend_pico      INTEGER NOT NULL,
    input_tokens    INTEGER NOT NULL,
    cache_read_tokens  INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    completion_tokens  INTEGER NOT NULL,
    total_tokens    INTEGER NOT NULL,
    PRIMARY KEY (span, dimension, at, value, api_key, model, model_group)
--sqlite:) WITHOUT ROWID;
--postgres:);

-- What was charged to owners in their budgets' periods.
CREATE TABLE spend_counters (
    scope  TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    period INTEGER NOT NULL, -- beginning of the period in seconds since 1970; 0 is all time
    pico   INTEGER NOT NULL,
    PRIMARY KEY (scope, id, period)
--sqlite:) WITHOUT ROWID;
--postgres:);

-- Keys, users, teams, … A deleted one stays, without its data, for those who follow changes.
CREATE TABLE entities (
    kind            TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    alias           TEXT,
    team_id         TEXT,
    user_id         TEXT,
    organization_id TEXT,
    data            TEXT    NOT NULL, -- JSON
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    deleted         INTEGER NOT NULL DEFAULT 0,
    change          INTEGER NOT NULL, -- the number of its last change
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX entities_alias ON entities (kind, alias) WHERE alias IS NOT NULL;
CREATE INDEX entities_change ON entities (change);

-- The number of the last change. Who changes entities holds this row until the end of the transaction: so changes commit
-- in the order of their numbers.
CREATE TABLE last_change (number INTEGER NOT NULL);
INSERT INTO last_change VALUES (0);

-- Sums of the rows that are there already.
INSERT INTO spend_rollups
SELECT 'hour', 'all', startTime / 3600000000 * 3600, '', '', '', '', count(*), count(error_kind), count(*) - count(spend_pico), 0, coalesce(sum(spend_pico), 0),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(completion_tokens), sum(total_tokens)
FROM spend_logs GROUP BY 3;
INSERT INTO spend_rollups
SELECT 'hour', 'key', startTime / 3600000000 * 3600, coalesce(api_key, ''), '', '', '', count(*), count(error_kind), count(*) - count(spend_pico), 0, coalesce(sum(spend_pico), 0),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(completion_tokens), sum(total_tokens)
FROM spend_logs GROUP BY 3, 4;
INSERT INTO spend_rollups
SELECT 'day', 'all', startTime / 86400000000 * 86400, '', '', coalesce(model, ''), coalesce(model_group, ''), count(*), count(error_kind), count(*) - count(spend_pico), 0, coalesce(sum(spend_pico), 0),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(completion_tokens), sum(total_tokens)
FROM spend_logs GROUP BY 3, 6, 7;
INSERT INTO spend_rollups
SELECT 'day', 'key', startTime / 86400000000 * 86400, coalesce(api_key, ''), '', coalesce(model, ''), coalesce(model_group, ''), count(*), count(error_kind), count(*) - count(spend_pico), 0, coalesce(sum(spend_pico), 0),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(completion_tokens), sum(total_tokens)
FROM spend_logs GROUP BY 3, 4, 6, 7;
INSERT INTO spend_rollups
SELECT 'day', 'end_user', startTime / 86400000000 * 86400, end_user, '', coalesce(model, ''), coalesce(model_group, ''), count(*), count(error_kind), count(*) - count(spend_pico), 0, coalesce(sum(spend_pico), 0),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(completion_tokens), sum(total_tokens)
FROM spend_logs WHERE end_user IS NOT NULL GROUP BY 3, 4, 6, 7;
--sqlite:INSERT OR IGNORE INTO spend_log_tags SELECT t.value, startTime, litellm_call_id, entry FROM spend_logs, json_each(request_tags) t WHERE request_tags IS NOT NULL;
--sqlite:INSERT INTO spend_rollups SELECT 'day', 'tag', startTime / 86400000000 * 86400, t.value, '', coalesce(model, ''), coalesce(model_group, ''), count(*), count(error_kind), count(*) - count(spend_pico), 0, coalesce(sum(spend_pico), 0),
--sqlite:    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(completion_tokens), sum(total_tokens)
--sqlite:FROM spend_logs, json_each(request_tags) t WHERE request_tags IS NOT NULL GROUP BY 3, 4, 6, 7;
