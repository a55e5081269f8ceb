-- What is paid for by the second and by the search: lengths in nanoseconds.
ALTER TABLE spend_logs ADD COLUMN input_video_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN input_audio_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN video_made_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN billed_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN video_input_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN audio_input_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN video_made_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN searches_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN time_pico INTEGER NOT NULL DEFAULT 0;

-- SQLite takes each value of a row one by one and has no faster way, and each index of a column costs every row an entry. So
-- a row there is what rows are found by and put in order by, and a JSON object: see packed.go. Postgres keeps its columns.
--sqlite:ALTER TABLE spend_logs RENAME TO old_spend_logs;
--sqlite:CREATE TABLE spend_rows (
--sqlite:    id              INTEGER PRIMARY KEY, -- beginning of the call in microseconds since 1970, and 10 bits to tell calls apart
--sqlite:    api_key         TEXT, -- digest or pseudonym, never a key
--sqlite:    key_alias       TEXT,
--sqlite:    user_id         TEXT,
--sqlite:    team_id         TEXT,
--sqlite:    organization_id TEXT,
--sqlite:    end_user        TEXT,
--sqlite:    session_id      TEXT,
--sqlite:    model           TEXT, -- id in AWS's URL
--sqlite:    model_group     TEXT,
--sqlite:    model_id        TEXT, -- deployment
--sqlite:    error_kind      TEXT,
--sqlite:    spend_pico      INTEGER, -- 1e-12 USD; NULL is an unknown price
--sqlite:    total_tokens    INTEGER NOT NULL,
--sqlite:    duration_us     INTEGER NOT NULL,
--sqlite:    data            TEXT NOT NULL  -- JSON object; what is empty is left out
--sqlite:);

-- The columns of rows, for those who read with SQL.
--sqlite:CREATE VIEW spend_logs AS SELECT *,
--sqlite:    data ->> 'litellm_call_id' AS litellm_call_id,
--sqlite:    data ->> 'entry' AS entry,
--sqlite:    data ->> 'request_id' AS request_id,
--sqlite:    data ->> 'call_type' AS call_type,
--sqlite:    data ->> 'path' AS path,
--sqlite:    data -> 'request_tags' AS request_tags, -- JSON array
--sqlite:    data ->> 'model_asked' AS model_asked,
--sqlite:    'bedrock' AS custom_llm_provider,
--sqlite:    data ->> 'region' AS region,
--sqlite:    data ->> 'route' AS route,
--sqlite:    data ->> 'service_tier' AS service_tier,
--sqlite:    coalesce(data ->> 'input_tokens', 0) AS input_tokens,
--sqlite:    coalesce(data ->> 'cache_read_tokens', 0) AS cache_read_tokens,
--sqlite:    coalesce(data ->> 'cache_write_5m_tokens', 0) AS cache_write_5m_tokens,
--sqlite:    coalesce(data ->> 'cache_write_1h_tokens', 0) AS cache_write_1h_tokens,
--sqlite:    coalesce(data ->> 'completion_tokens', 0) AS completion_tokens,
--sqlite:    coalesce(data ->> 'reasoning_tokens', 0) AS reasoning_tokens,
--sqlite:    coalesce(data ->> 'input_tokens', 0) + coalesce(data ->> 'cache_read_tokens', 0) + coalesce(data ->> 'cache_write_5m_tokens', 0) + coalesce(data ->> 'cache_write_1h_tokens', 0) AS prompt_tokens,
--sqlite:    coalesce(data ->> 'cache_split', 0) AS cache_split,
--sqlite:    data ->> 'usage_source' AS usage_source, -- aws, estimated, none
--sqlite:    spend_pico / 1e12 AS spend,
--sqlite:    data ->> 'price_key' AS price_key,
--sqlite:    data ->> 'price_version' AS price_version,
--sqlite:    coalesce(data ->> 'input_pico', 0) AS input_pico,
--sqlite:    coalesce(data ->> 'output_pico', 0) AS output_pico,
--sqlite:    coalesce(data ->> 'cache_read_pico', 0) AS cache_read_pico,
--sqlite:    coalesce(data ->> 'cache_write_5m_pico', 0) AS cache_write_5m_pico,
--sqlite:    coalesce(data ->> 'cache_write_1h_pico', 0) AS cache_write_1h_pico,
--sqlite:    coalesce(data ->> 'images_pico', 0) AS images_pico,
--sqlite:    coalesce(data ->> 'queries_pico', 0) AS queries_pico,
--sqlite:    coalesce(data ->> 'images_made_pico', 0) AS images_made_pico,
--sqlite:    coalesce(data ->> 'http_status', 0) AS http_status,
--sqlite:    CASE WHEN error_kind IS NULL THEN 'success' ELSE 'failure' END AS status,
--sqlite:    data ->> 'error_code' AS error_code,
--sqlite:    data ->> 'error_message' AS error_message,
--sqlite:    data ->> 'aws_exception' AS aws_exception,
--sqlite:    data ->> 'aws_request_id' AS aws_request_id,
--sqlite:    coalesce(data ->> 'stream', 0) AS stream,
--sqlite:    coalesce(data ->> 'client_closed', 0) AS client_closed,
--sqlite:    data -> 'losses' AS losses, -- JSON array of {Path, Why}
--sqlite:    id >> 10 AS startTime, -- microseconds since 1970
--sqlite:    data ->> 'completionStartTime' AS completionStartTime,
--sqlite:    (id >> 10) + duration_us AS endTime,
--sqlite:    coalesce(data ->> 'upstream_us', 0) AS upstream_us,
--sqlite:    coalesce(data ->> 'own_us', 0) AS own_us,
--sqlite:    duration_us / 1000 AS request_duration_ms,
--sqlite:    coalesce(data ->> 'input_images', 0) AS input_images,
--sqlite:    coalesce(data ->> 'queries', 0) AS queries,
--sqlite:    coalesce(data ->> 'images_made', 0) AS images_made,
--sqlite:    data ->> 'tries' AS tries,
--sqlite:    coalesce(data ->> 'input_video_ns', 0) AS input_video_ns,
--sqlite:    coalesce(data ->> 'input_audio_ns', 0) AS input_audio_ns,
--sqlite:    coalesce(data ->> 'video_made_ns', 0) AS video_made_ns,
--sqlite:    coalesce(data ->> 'web_searches', 0) AS web_searches,
--sqlite:    coalesce(data ->> 'billed_ns', 0) AS billed_ns,
--sqlite:    coalesce(data ->> 'uncounted', 0) AS uncounted,
--sqlite:    coalesce(data ->> 'video_input_pico', 0) AS video_input_pico,
--sqlite:    coalesce(data ->> 'audio_input_pico', 0) AS audio_input_pico,
--sqlite:    coalesce(data ->> 'video_made_pico', 0) AS video_made_pico,
--sqlite:    coalesce(data ->> 'searches_pico', 0) AS searches_pico,
--sqlite:    coalesce(data ->> 'time_pico', 0) AS time_pico,
--sqlite:    data ->> 'team_alias' AS team_alias,
--sqlite:    data ->> 'requester_ip_address' AS requester_ip_address,
--sqlite:    data ->> 'metadata' AS metadata, -- JSON object of the client's
--sqlite:    data ->> 'cache_key' AS cache_key,
--sqlite:    coalesce(data ->> 'cache_hit', 0) AS cache_hit
--sqlite:FROM spend_rows;

-- In which slices of 2^22 microseconds a value occurs, and in how many rows. Rows are found by it.
--sqlite:CREATE TABLE spend_slices (
--sqlite:    hash  INTEGER NOT NULL, -- FNV-1a, 64 bits, of a dimension, a byte 0 and a value: see slices.go
--sqlite:    slice INTEGER NOT NULL,
--sqlite:    rows  INTEGER NOT NULL,
--sqlite:    least INTEGER, -- the bounds of their costs, in the dimension of all rows, where a price is known
--sqlite:    most  INTEGER,
--sqlite:    PRIMARY KEY (hash, slice)
--sqlite:) WITHOUT ROWID;

-- Where rows are whose ids, of the call or of the answer, do not tell when they began.
--sqlite:CREATE TABLE spend_ids (
--sqlite:    hash INTEGER NOT NULL, -- FNV-1a of the id, 64 bits
--sqlite:    id   INTEGER NOT NULL,
--sqlite:    PRIMARY KEY (hash, id)
--sqlite:) WITHOUT ROWID;
