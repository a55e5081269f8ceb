-- One row per finished call. Names in camel case are LiteLLM's. NULL is what was not said or did not come about.
CREATE TABLE spend_logs (
    litellm_call_id       TEXT    NOT NULL,
    entry                 INTEGER NOT NULL, -- tells calls with one id apart: clients may choose the id
    request_id            TEXT,             -- id of the answer
    call_type             TEXT,
    path                  TEXT,
    api_key               TEXT,             -- digest or pseudonym, never a key
    end_user              TEXT,
    request_tags          TEXT,             -- JSON array
    model                 TEXT,             -- id in AWS's URL
    model_asked           TEXT,             -- as the client named it
    model_group           TEXT,
    model_id              TEXT,             -- deployment
    custom_llm_provider   TEXT GENERATED ALWAYS AS ('bedrock') VIRTUAL,
    region                TEXT,
    route                 TEXT,
    service_tier          TEXT,

    -- Tokens. prompt_tokens counts cached ones, input_tokens does not.
    input_tokens          INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    completion_tokens     INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL, -- part of completion_tokens
    total_tokens          INTEGER NOT NULL, -- AWS's own sum where it gave one
    prompt_tokens         INTEGER GENERATED ALWAYS AS
        (input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) VIRTUAL,
    cache_split           INTEGER NOT NULL, -- 1: AWS told 5-minute and 1-hour writes apart
    usage_source          TEXT    NOT NULL, -- aws, estimated, none

    -- Money. An unknown price is NULL, never 0.
    spend_pico            INTEGER,          -- 1e-12 USD
    spend                 REAL GENERATED ALWAYS AS (spend_pico / 1e12) VIRTUAL,
    price_key             TEXT,
    price_version         TEXT,

    http_status           INTEGER NOT NULL,
    status                TEXT GENERATED ALWAYS AS
        (CASE WHEN error_kind IS NULL THEN 'success' ELSE 'failure' END) VIRTUAL,
    error_kind            TEXT,
    error_code            TEXT,
    error_message         TEXT,
    aws_exception         TEXT,
    aws_request_id        TEXT,
    stream                INTEGER NOT NULL,
    client_closed         INTEGER NOT NULL,
    losses                TEXT,             -- JSON array of {Path, Why}: what was asked for and not done

    -- Microseconds, since 1970 or long.
    startTime             INTEGER NOT NULL,
    completionStartTime   INTEGER,
    endTime               INTEGER NOT NULL,
    upstream_us           INTEGER NOT NULL,
    own_us                INTEGER NOT NULL,
    request_duration_ms   INTEGER GENERATED ALWAYS AS ((endTime - startTime) / 1000) VIRTUAL,

    UNIQUE (litellm_call_id, entry)
);
