-- An index for each thing that rows are looked for by. The index of the time has the cost, so that dear calls are found
-- without a look at each row, and that of failures what the client was told.
DROP INDEX spend_logs_time;
CREATE INDEX spend_logs_time ON spend_logs (startTime, litellm_call_id, entry, spend_pico);
DROP INDEX spend_logs_failures;
CREATE INDEX spend_logs_failures ON spend_logs (startTime, litellm_call_id, entry, error_code, http_status) WHERE error_kind IS NOT NULL;
CREATE INDEX spend_logs_hits ON spend_logs (startTime, litellm_call_id, entry) WHERE cache_hit = 1;
CREATE INDEX spend_logs_key_alias ON spend_logs (key_alias, startTime) WHERE key_alias IS NOT NULL;
CREATE INDEX spend_logs_organization ON spend_logs (organization_id, startTime) WHERE organization_id IS NOT NULL;
CREATE INDEX spend_logs_model ON spend_logs (model, startTime) WHERE model IS NOT NULL;
CREATE INDEX spend_logs_deployment ON spend_logs (model_id, startTime) WHERE model_id IS NOT NULL;
