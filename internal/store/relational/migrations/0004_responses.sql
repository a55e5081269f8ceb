-- Answers of the Responses API that are kept, so that later requests can go on from them. They belong to the key that asked.
CREATE TABLE responses (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL, -- hash of the key, empty where nobody is asked for one
    previous   TEXT, -- id of the response that it went on from
    model      TEXT    NOT NULL, -- as the client named it
    created_at INTEGER NOT NULL, -- microseconds since 1970
    input      TEXT    NOT NULL, -- JSON: the items of the request itself
    output     TEXT    NOT NULL, -- JSON: the items of the answer, with all that a model needs to go on
    object     TEXT    NOT NULL -- JSON: the response object
);
CREATE INDEX responses_created ON responses (created_at);
